"""The report: one HTML page that fetches nothing, and the same data as JSON."""

import importlib.resources
import json

from . import data, sections, verdict
from .html import element, escape, paragraph
from .metrics import Measured
from .outputs import GENERATOR


def make(outcome, roles, machine, audio, options, glibc):
    """(HTML, data). `options`: {"command", "minutes"}; `audio`: {"words", "minutes"}."""
    measured = Measured(outcome.points)
    words = verdict.sentences(measured, roles, outcome.usable, glibc, bool(outcome.interrupted), machine["others_cpu_share"],
                              outcome.dropped)
    # What is inside and beside must be the same numbers, so both come from one text.
    kept = json.loads(json.dumps(data.data(outcome, measured, roles, machine, audio, options, words)))
    found = sections.Found(measured, roles, outcome, machine, audio, options, glibc)
    return page(found, kept), kept


def page(found, kept):
    model, machine = found.roles.main.model, found.machine
    about = (f"{model} on {machine['cpu']}, {verdict.counted(found.usable, 'usable CPU')}; made by consort compare, "
             f"{kept['made'][:16].replace('T', ' ')} UTC")
    parts = [element("h1", "Threads, processes, or both?"), paragraph(about, class_="faint"),
             element("div", [paragraph(it) for it in kept["words"]], class_="verdict")]
    for section in sections.ALL:
        parts += section(found)
    css = importlib.resources.files(__package__).joinpath("page.css").read_text(encoding="utf-8")
    # "</" would end the script; in JSON "<\/" is the same.
    inside = json.dumps(kept, ensure_ascii=False).replace("</", "<\\/").replace("<!--", "<\\u0021--")
    return ('<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f"{GENERATOR}\n"
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{escape('consort compare: ' + model)}</title>\n<style>\n{css}</style>\n</head>\n<body>\n"
            + "\n".join(escape(it) for it in parts if it)
            + f'\n<script type="application/json" id="data">{inside}</script>\n</body>\n</html>\n')
