"""What the rounds gave: medians (least–most), ratios round by round; as JSON, Markdown and a plot."""

import json
import statistics
import subprocess

from benchmarks import common
from benchmarks.peers import contestants, environment

SEGMENT_SECONDS = 3


def _three(values):
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


def _ratios(mine, theirs):
    """Of the same round."""
    return _three([a / b for a, b in zip(mine, theirs)])


def _column(one, key):
    return [it[key] for it in one.runs]


def _stages(one):
    names = one.runs[0]["stages"]
    return {name: {what: statistics.median(it["stages"][name][what] for it in one.runs) for what in ("share", "ms")}
            for name in names}


def of_model(field, settings, checks):
    found = {"contestants": [], "limits": [], "ratios": [], "settings": settings, "checks": checks}
    for one in field:
        entry = {"name": one.name, "precision": one.precision, "segments_per_s": _three(_column(one, "rate")),
                 "segments_per_s_whole": _three(_column(one, "whole_rate")),
                 "times_real_time": SEGMENT_SECONDS * statistics.median(_column(one, "rate")), **one.memory,
                 "runs": one.runs}
        if isinstance(one, contestants.Consort):
            entry["stages"] = _stages(one)
            limits = [it["bare"] for it in one.runs]
            rates, together = [it["rate"] for it in limits], [it["together_rate"] for it in limits]
            found["limits"].append({
                "precision": one.precision, "segments_per_s": _three(rates), "together_segments_per_s": _three(together),
                "stages_ms": {stage: _three([it["stages_ms"][stage] for it in limits]) for stage in contestants.STAGES},
                "consort_steady": _ratios(_column(one, "steady_rate"), rates),
                "consort_work": _ratios(_column(one, "rate"), rates),
                "consort_whole": _ratios(_column(one, "whole_rate"), rates),
                "consort_steady_together": _ratios(_column(one, "steady_rate"), together)})
            for peer in field:
                if isinstance(peer, contestants.Peer):
                    found["ratios"].append({"consort": one.precision, "peer": peer.name,
                                            "work": _ratios(_column(one, "rate"), _column(peer, "rate")),
                                            "whole": _ratios(_column(one, "whole_rate"), _column(peer, "whole_rate"))})
        found["contestants"].append(entry)
    return found


# ---- for people ----

def _say(three, digits=2):
    return f"{three['median']:.{digits}f} ({three['least']:.{digits}f}–{three['most']:.{digits}f})"


def _mib(value):
    return "–" if value is None else f"{value:,.0f}"


def _how(name, settings):
    """Settings that tuning kept, in words."""
    own = settings.get(name, {}).get("settings", {})
    if isinstance(own, str):
        return own
    words = {"batch": "batch {}", "optimize": "frozen", "threads": "threads", "allocator": "{}"}
    return ", ".join(words[key].format(value) for key, value in own.items() if key in words and value is not False)


def _tables(found):
    """[(caption, header, rows)]"""
    contest = [(it["name"], it["precision"], _how(it["name"], found["settings"]), _say(it["segments_per_s"], 1),
                f"{it['times_real_time']:.0f}", _say(it["segments_per_s_whole"], 1), _mib(it["mean_pss_mib"]),
                _mib(it["peak_pss_mib"])) for it in found["contestants"]]
    yield ("What each does, start-up left out (\"whole\": with it)",
           ("", "precision", "settings", "segments/s", "× real time", "segments/s, whole", "PSS MiB, mean", "at most"), contest)
    if found["limits"]:
        yield ("consort ÷ the limit: the cores ÷ (seconds a segment of the bare stages, alone on one core)",
               ("precision", "limit, segments/s", *(f"{it}, ms" for it in contestants.STAGES), "consort ÷ limit", "÷ bare stages on all cores at once",
                "a list of seconds ÷ limit", "whole ÷ limit"),
               [(it["precision"], _say(it["segments_per_s"], 1), *(f"{it['stages_ms'][stage]['median']:.2f}"
                                                                  for stage in contestants.STAGES),
                 _say(it["consort_steady"], 3), _say(it["consort_steady_together"], 3), _say(it["consort_work"], 3),
                 _say(it["consort_whole"], 3))
                for it in found["limits"]])
        stages = [(it["precision"], it["stages"]) for it in found["contestants"] if it["name"] == "consort" and it["stages"]]
        if stages:
            names = list(stages[0][1])
            yield ("consort's engines: share of their time, by stage", ("precision", *names),
                   [(precision, *(f"{100 * by[name]['share']:.1f} %" for name in names)) for precision, by in stages])
    if found["ratios"]:
        peers = list(dict.fromkeys(it["peer"] for it in found["ratios"]))
        by = {(it["consort"], it["peer"]): it["work"] for it in found["ratios"]}
        precisions = list(dict.fromkeys(it["consort"] for it in found["ratios"]))
        yield ("consort ÷ peer, round by round", ("consort in", *peers),
               [(precision, *(_say(by[precision, peer]) for peer in peers)) for precision in precisions])


def show(model, found):
    print(f"\n{model}: medians (least–most) of the rounds")
    for caption, header, rows in _tables(found):
        print(f"\n  {caption}")
        common.table(header, rows)


def _markdown(results):
    machine = results["machine"]
    text = [f"# consort and its peers\n\n{machine['cpus']} CPUs ({machine['cpu']}), Linux {machine['linux']}; load at the start "
            f"{machine['load_at_start']:.1f}. {results['rounds']} interleaved rounds of about {results['seconds']:g} s of work; medians "
            "(least–most). Again: `tools/bench peers`.\n\n" + ", ".join(f"{name} {version}" for name, version
                                                                       in results["versions"].items()) + ".\n"]
    for model, found in results["models"].items():
        text.append(f"\n## {model}\n")
        for caption, header, rows in _tables(found):
            text.append(f"\n{caption}:\n\n| " + " | ".join(header) + " |\n|" + "---|" * len(header) + "\n"
                        + "".join("| " + " | ".join(row) + " |\n" for row in rows))
    return "".join(text)


def write(folder, results):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "peers.json").write_text(json.dumps(results, indent=1))
    (folder / "peers.md").write_text(_markdown(results))


def plot(folder):
    done = subprocess.run([environment.PYTHON, environment.SCRIPTS / "plot.py", folder / "peers.json", folder / "peers.svg",
                           folder / "peers.png"], capture_output=True, text=True)
    if done.returncode:
        common.fail(f"no plot: {done.stderr.strip()[-300:]}")
