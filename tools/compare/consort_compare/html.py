"""Pieces of the page. Whatever is text is escaped here."""

import html as _html
import statistics

from .metrics import METRICS


class Raw(str):
    """Already HTML."""


def escape(text):
    return text if isinstance(text, Raw) else Raw(_html.escape(str(text)))


def element(name, content, **attributes):
    words = "".join(f' {key.rstrip("_").replace("_", "-")}="{_html.escape(str(value))}"' for key, value in attributes.items())
    inside = "".join(map(escape, content)) if isinstance(content, (list, tuple)) else escape(content)
    return Raw(f"<{name}{words}>{inside}</{name}>")


def paragraph(text, **attributes):
    return element("p", text, **attributes)


def table(head, rows, caption="", words=False):
    """`words`: cells are text that may wrap. A table wider than the page scrolls in its own box. Columns in
    which no row has anything are left out."""
    shown = [i for i in range(len(head)) if not i or any(row[i] not in ("", "–") for row in rows)]
    head, rows = [head[i] for i in shown], [[row[i] for i in shown] for row in rows]
    body = [element("tr", [element("th", row[0], scope="row"), *[element("td", cell) for cell in row[1:]]]) for row in rows]
    inside = [element("caption", caption)] if caption else []
    inside += [element("thead", [element("tr", [element("th", cell, scope="col") for cell in head])])] if any(head) else []
    inside.append(element("tbody", body))
    attributes = {"class_": "words"} if words else {}
    return element("div", [element("table", inside, **attributes)], class_="table", tabindex="0")


def figure(svg, caption):
    return element("figure", [Raw(svg), element("figcaption", caption)])


def figures(found):
    return element("div", [it for it in found if it], class_="figures") if any(found) else Raw("")


def number(value, digits):
    return f"{value:,.{digits}f}"


def spread_words(half):
    """Few repeats do not tell a spread below a hundredth any better."""
    return "< 1 %" if half < 0.01 else f"{100 * half:.{0 if half >= 0.0995 else 1}f} %"


def estimate(found, metric):
    """12.3 ± 1.2 %; marked where the spread is wide; – where there is none."""
    if found is None:
        return "–"
    kind = METRICS[metric]
    value = found.mean * kind.scale
    digits = kind.digits if value >= 10 or kind.digits > 1 else kind.digits + 1
    text = f"{number(value, digits)} ± {spread_words(found.half)}"
    return element("span", "≈ " + text, class_="wide") if found.wide else text


def span(values, metric):
    """12 (10–15): mean, least and most; for what may be zero, or hangs on chance more than on the machine."""
    if not values:
        return "–"
    kind = METRICS[metric]
    mean, least, most = (number(it * kind.scale, kind.digits) for it in (statistics.fmean(values), min(values), max(values)))
    return f"{mean} ({least}–{most})"


def ratio(found):
    """0.62 (0.58–0.66); marked where its interval holds 1."""
    if found is None:
        return "–"
    digits = 2 if found.low >= 0.05 else 4
    text = f"{found.value:.{digits}f} ({found.low:.{digits}f}–{found.high:.{digits}f})"
    return text if found.differs else element("span", text + " =", class_="faint")


def head(metric):
    kind = METRICS[metric]
    return f"{kind.words}, {kind.unit}" if kind.unit else kind.words
