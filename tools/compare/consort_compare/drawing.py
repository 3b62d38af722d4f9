"""Figures as SVG that lies inside the page: text as text, colours by the page's CSS variables.

matplotlib draws; its colours here are stand-ins that become variables, its ids get a prefix, since
several figures share one page.
"""

import io
import logging
import re

import matplotlib

matplotlib.use("svg")
logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
from matplotlib import pyplot, ticker  # noqa: E402

# Stand-ins → variables. The series' colours are those of Okabe and Ito; markers and dashes differ, too.
INK, GRID_LINE = "#010203", "#010204"
SERIES = [f"#0102{10 + n}" for n in range(8)]
VARIABLES = {INK: "--ink", GRID_LINE: "--rule", **{colour: f"--series-{n + 1}" for n, colour in enumerate(SERIES)}}
MARKERS = "osD^vP*X"
DASHES = ["-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (1, 1)), (0, (3, 1))]
LEGEND_COLUMNS = 3  # as many as the width has room for
SIZE = (5.4, 3.5)  # inches of 72 points: about a phone's width, so that its text keeps its size there

matplotlib.rcParams.update({
    "svg.fonttype": "none", "font.size": 11, "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": INK,
    "xtick.color": INK, "ytick.color": INK, "grid.color": GRID_LINE, "legend.frameon": False, "legend.fontsize": 10,
    "axes.spines.top": False, "axes.spines.right": False, "figure.facecolor": "none", "axes.facecolor": "none",
    "savefig.transparent": True, "svg.hashsalt": "consort", "path.simplify": True,
})


def lines(name, series, x_words, y_words, x_log=True, y_scale=1.0, bottom_zero=True, described=""):
    """`series`: {label: [(x, Estimate)]} with whiskers, or {label: [(x, y)]}."""
    figure, axes = pyplot.subplots(figsize=SIZE, layout="constrained")
    ticks = set()
    for n, (label, points) in enumerate(series.items()):
        style = {"color": SERIES[n % len(SERIES)], "linestyle": DASHES[n % len(DASHES)], "linewidth": 1.8, "label": label}
        if points and hasattr(points[0][1], "mean"):
            ticks |= {x for x, _ in points}
            axes.errorbar([x for x, _ in points], [it.mean * y_scale for _, it in points],
                          yerr=[[(it.mean - it.low) * y_scale for _, it in points], [(it.high - it.mean) * y_scale for _, it in points]],
                          marker=MARKERS[n % len(MARKERS)], markersize=5, capsize=2.5, elinewidth=1, **style)
        else:
            axes.plot([x for x, _ in points], [y * y_scale for _, y in points], **style)
    if x_log:
        axes.set_xscale("log", base=2)
        axes.set_xticks(sorted(ticks), [str(it) for it in sorted(ticks)])
        axes.xaxis.set_minor_locator(ticker.NullLocator())
    _finish(axes, x_words, y_words, bottom_zero)
    if len(series) > 1:
        _legend(figure, len(series))
    return svg(figure, name, described)


def bars(name, labels, groups, y_words, y_scale=1.0, described=""):
    """`groups`: {label of a colour: [Estimate or None, one a label]}. One without any takes its colour with it."""
    figure, axes = pyplot.subplots(figsize=SIZE, layout="constrained")
    # Beside each other where a label has several, in its middle where it has one.
    present = [[n for n, values in enumerate(groups.values()) if values[place] is not None] for place in range(len(labels))]
    width = 0.8 / max(map(len, present))
    shown = [(n, *group) for n, group in enumerate(groups.items()) if any(it is not None for it in group[1])]
    for n, label, values in shown:
        at = [(place + (present[place].index(n) - (len(present[place]) - 1) / 2) * width, it)
              for place, it in enumerate(values) if it is not None]
        axes.bar([x for x, _ in at], [it.mean * y_scale for _, it in at], min(0.6, width * 0.92), label=label,
                 color=SERIES[n % len(SERIES)],
                 yerr=[[(it.mean - it.low) * y_scale for _, it in at], [(it.high - it.mean) * y_scale for _, it in at]],
                 ecolor=INK, capsize=2.5, error_kw={"elinewidth": 1})
    axes.set_xticks(range(len(labels)), labels)
    if max(map(len, labels)) > 7 or len(labels) > 6:
        axes.tick_params(axis="x", rotation=25)
        for text in axes.get_xticklabels():
            text.set_ha("right")
            text.set_rotation_mode("anchor")
    _finish(axes, "", y_words, True)
    if len(groups) > 1:
        _legend(figure, len(shown))
    return svg(figure, name, described)


def _legend(figure, count):
    """Above the axes, where it covers nothing."""
    rows = -(-count // LEGEND_COLUMNS)
    figure.legend(loc="outside upper center", ncols=-(-count // rows))


def _finish(axes, x_words, y_words, bottom_zero):
    axes.set_xlabel(x_words)
    axes.set_ylabel(y_words)
    if bottom_zero:
        axes.set_ylim(bottom=0)
    axes.grid(axis="y", linewidth=0.7)
    axes.set_axisbelow(True)


def svg(figure, name, described):
    """The figure as an <svg> element. `described`: for those who cannot see it."""
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    pyplot.close(figure)
    return inline(out.getvalue(), name, described)


def inline(text, name, described):
    text = text[text.index("<svg"):]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    view = re.search(r'viewBox="[^"]*"', text)[0]
    text = text[text.index(">") + 1:]
    text = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", text)
    text = text.replace("xlink:href", "href")
    for colour, variable in VARIABLES.items():
        text = text.replace(colour, f"var({variable})")
    text = re.sub(r"(font(?:-family)?: ?[^;\"']*?)'DejaVu Sans'[^;\"]*", r"\1var(--font)", text)
    return f'<svg {view} role="img" aria-label="{described}">{text}'
