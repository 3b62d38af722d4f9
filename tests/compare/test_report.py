"""The page: well formed, complete, with nothing in it that a browser would fetch."""

import html.parser
import json
import re

import pytest

from conftest import Comparison
from consort_compare import drawing, experiments, spread
from consort_compare.html import escape, estimate, table
from world import AOTI, TORCHSCRIPT, World, bundle

VOID = {"meta", "link", "br", "img", "hr", "input"}
SVG_LEAVES = {"path", "use", "rect", "line", "circle"}
FETCHED = {"src", "srcset", "data", "poster", "action", "formaction", "background", "cite", "ping"}


class Page(html.parser.HTMLParser):
    """Checks nesting, collects ids, references, texts of SVGs and the data."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.faults, self.ids, self.references, self.fetched = [], [], [], [], []
        self.svg_text, self.headings, self.data = [], [], ""
        self.tables = self.boxes = self.svgs = 0
        self.feed(text)
        self.close()
        self.faults += [f"left open: {it}" for it in self.open]

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if "id" in found:
            self.ids.append(found["id"])
        self.fetched += [f"{tag} {key}={value}" for key, value in attrs
                         if key in FETCHED or (key.endswith("href") and not (value or "").startswith("#"))]
        for value in found.values():
            self.references += re.findall(r"url\(#([^)]*)\)", value or "")
            self.fetched += re.findall(r"url\((?!#)[^)]*\)", value or "")
        self.references += [value[1:] for key, value in attrs if key.endswith("href") and (value or "").startswith("#")]
        self.tables += tag == "table"
        self.svgs += tag == "svg"
        self.boxes += tag == "table" and (self.open[-1:] == ["div"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> at {self.getpos()}")

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.data += data
        if "svg" in self.open and self.open[-1] == "text":
            self.svg_text.append(data)
        if self.open and self.open[-1] in ("h2", "h3"):
            self.headings.append(data)


@pytest.fixture(scope="module")
def made(usual):
    return usual.report()


def test_it_is_well_formed_and_complete(made):
    page = Page(made[0])
    assert page.faults == []
    assert page.headings == ["Processes × threads", "What one death costs", "Engine threads × intra-op",
                             "From naive to consort, one change at a time",
                             "Memory over time", "Backends and precisions of this model", "Machine and method", "All points"]
    assert page.svgs >= 12 and page.tables == page.boxes >= 10
    assert len(page.ids) == len(set(page.ids)), "figures share one page"
    assert set(page.references) <= set(page.ids)


@pytest.mark.parametrize("draw, named", [
    (lambda some: drawing.bars("x", ["a", "b"], {"threads": [some, some], "processes": [None, None], "none": [None, some]}, "y"),
     ["threads", "none"]),
    (lambda some: drawing.lines("x", {f"intra-op {n}": [(1, some), (2, some)] for n in range(5)}, "x", "y"),
     [f"intra-op {n}" for n in range(5)]),
])
def test_a_legend_covers_nothing_and_names_what_is_drawn(monkeypatch, draw, named):
    drawn = []
    monkeypatch.setattr(drawing, "svg", lambda figure, *_: drawn.append(figure))
    draw(spread.estimate([50.0, 51.0], 1e-4))
    (figure,) = drawn
    figure.canvas.draw()
    (axes,), (legend,) = figure.axes, figure.legends
    assert [it.get_text() for it in legend.get_texts()] == named and axes.get_legend() is None
    assert not legend.get_window_extent().overlaps(axes.get_window_extent())
    drawing.pyplot.close(figure)


def test_it_fetches_nothing(made):
    page = Page(made[0])
    assert page.fetched == []
    assert not re.search(r"https?:|@import|@font-face|<link|<iframe|<img|javascript:", made[0].replace("http://www.w3.org/2000/svg", ""))
    assert not re.search(r"url\((?!#)", made[0])


def test_the_data_inside_is_the_data_beside(made):
    assert json.loads(Page(made[0]).data) == made[1] == json.loads(json.dumps(made[1]))


def test_the_data_holds_every_run_and_every_point(usual, made):
    found = made[1]
    assert {it["point"] for it in found["points"]} == {it.setting.key for it in usual.outcome.points}
    assert len(found["runs"]) == len(usual.outcome.raw)
    assert found["plan"]["rounds"] == usual.outcome.rounds and found["machine"]["usable_cpus"] == 2
    assert found["words"] and all(it in made[0] for it in found["words"] if not set(it) & set("&<>'\""))


def test_texts_of_figures_are_text_and_colours_are_the_pages(made):
    page = Page(made[0])
    assert {"engine threads", "segments/s", "naive"} <= set(page.svg_text)
    drawn = "".join(re.findall(r"<svg.*?</svg>", made[0], re.DOTALL))
    assert "#0102" not in drawn and "var(--series-1)" in drawn and "DejaVu" not in drawn
    assert "prefers-color-scheme: dark" in made[0] and "@media print" in made[0]


def test_what_others_named_is_escaped():
    found = Comparison(World(), budget=200, given=(bundle("<b>&'\"</script>", "aoti"),))
    text, data = found.report()
    page = Page(text)
    assert page.faults == [] and json.loads(page.data) == data
    assert "<b>&" not in text.split("<script")[0]


def test_wide_points_are_marked_in_tables_and_in_the_data():
    text, data = Comparison(World(noise=0.2)).report()
    assert '<span class="wide">≈ ' in text and any(it["wide"] for it in data["points"])
    calm, data = Comparison(World(noise=0.002)).report()
    assert '<span class="wide">' not in calm and not any(it["wide"] for it in data["points"])


def test_what_was_dropped_is_told_with_the_order():
    found = Comparison(World(start=3.0), budget=300)
    text, data = found.report()
    assert "Left out" in text and experiments.RANKS[experiments.FAR_GRID] in text
    assert [it["point"] for it in data["plan"]["dropped"]] == [setting.key for setting, _ in found.outcome.dropped]
    assert Page(text).faults == []


def test_sections_without_a_point_are_one_line():
    page = Page(Comparison(World(), budget=25).report()[0])
    assert "Engine threads × intra-op" in page.headings and "What one death costs" not in page.headings
    assert "Memory over time" not in page.headings
    short = Comparison(World(), budget=25).report()[0]
    assert re.search(r"<p>Not measured, because there was no time: [^<.]*what one death costs[^<.]*memory over time[^<.]*\.</p>", short)
    assert short.count("Not measured, because") == 1


def test_columns_in_which_nothing_stands_are_left_out():
    made = table(["point", "a", "b", "c"], [["x", "–", "", "1"], ["y", "–", "2", "–"]])
    assert re.findall("<th scope=\"col\">(.)", made) == ["p", "b", "c"] and re.findall("<td>(.*?)</td>", made) == ["", "1", "2", "–"]


def test_equal_runs_do_not_promise_an_exact_figure():
    found = spread.estimate([50.0, 50.0], spread.typical_variance([[50.0, 50.0], [7.0, 7.0]]))
    assert found.half > 0.003
    assert escape(estimate(found, "latency_mean_ms")) == "50.0 ± &lt; 1 %"
    assert "± 0." not in Comparison(World(noise=0.0005), budget=120).report()[0]


@pytest.mark.parametrize("options", ({"budget": 40}, {"glibc": False}, {"given": (TORCHSCRIPT,)},
                                     {"given": (AOTI, bundle("x", identity="two"))}, {"grid": ((1,), (1,))}))
def test_a_report_with_parts_missing_is_well_formed(options):
    text, data = Comparison(World(), **options).report()
    page = Page(text)
    assert page.faults == [] and json.loads(page.data) == data and page.fetched == []
