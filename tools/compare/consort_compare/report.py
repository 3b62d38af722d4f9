"""The report: one HTML page that fetches nothing, and the same data as JSON."""

import datetime
import importlib.resources
import json

from . import experiments, measure, verdict
from .experiments import Setting
from .html import Raw, element, escape, estimate, figure, figures, head, paragraph, ratio, span, table
from .metrics import METRICS, Measured
from .progress import clock_words

FORMAT = 1
DEATH = ("death_lost_ms", "death_ready_ms", "death_next_result_ms", "death_full_speed_ms", "death_deficit_ms")


def data(outcome, measured, roles, machine, audio, options, words):
    """What the report is made of, for programs: docs/process-vs-thread.md tells the keys."""
    bundles = (*roles.same, *roles.others)
    return {
        "consort_compare": FORMAT,
        "made": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "command": options["command"],
        "words": words,
        "machine": machine,
        "audio": audio,
        "bundles": [{"name": it.name, "model": it.model, "backend": it.backend, "precision": it.precision, "packed": it.packed,
                     "same_model": it in roles.same} for it in bundles],
        "plan": {"minutes": options["minutes"], "elapsed_s": round(outcome.elapsed, 1), "rounds": outcome.rounds,
                 "planned_rounds": outcome.planned_rounds, "seconds": [round(it, 3) for it in outcome.seconds],
                 "order": outcome.order, "interrupted_by": outcome.interrupted,
                 "dropped": [{"point": setting.key, "why": why} for setting, why in outcome.dropped]},
        "points": [_point(it, roles) for it in sorted(measured.points.values(), key=lambda it: it.setting.key)],
        "runs": outcome.raw,
    }


def _point(point, roles):
    setting = point.setting
    return {
        "point": setting.key, "bundle": setting.bundle, "processes": setting.processes, "threads": setting.threads,
        "intra": setting.intra or "default", "glibc": setting.glibc, "copied_weights": setting.copied,
        "template": setting.template, "pinned": setting.pinned, "kill": setting.kill, "long": setting.long,
        "command": measure.command_words(setting, setting.bundle), "wide": point.wide,
        "estimates": {name: {"mean": it.mean, "low": it.low, "high": it.high, "half": it.half, "repeats": it.repeats}
                      for name, it in point.estimates.items()},
        "runs": {str(number): run for number, run in sorted(point.runs.items())},
    }


def page(outcome, measured, roles, machine, audio, options, found, glibc):
    """The whole page. `found`: what data() gave."""
    usable = outcome.usable
    parts = [
        element("h1", "Threads, processes, or both?"),
        paragraph(f"{roles.main.model} on {machine['cpu']}, {verdict.counted(usable, 'usable CPU')}; made by consort compare, "
                  f"{found['made'][:16].replace('T', ' ')} UTC", class_="faint"),
        element("div", [paragraph(it) for it in found["words"]], class_="verdict"),
        *_splits(measured, roles, usable), *_deaths(measured, roles, usable, outcome), *_grid(measured, roles, audio),
        *_naive(measured, roles, usable, glibc), *_memory(measured, roles, usable), *_backends(measured, roles, usable),
        *_method(outcome, machine, audio, options, roles, glibc), *_points(measured),
    ]
    css = importlib.resources.files(__package__).joinpath("page.css").read_text(encoding="utf-8")
    # "</" would end the script; in JSON "<\/" is the same.
    kept = json.dumps(found, ensure_ascii=False).replace("</", "<\\/").replace("<!--", "<\\u0021--")
    return ('<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{escape('consort compare: ' + roles.main.model)}</title>\n<style>\n{css}</style>\n</head>\n<body>\n"
            + "\n".join(escape(it) for it in parts if it)
            + f'\n<script type="application/json" id="data">{kept}</script>\n</body>\n</html>\n')


def _rows(measured, settings, metrics, name):
    return [[name(it), *[estimate(measured.get(it, metric), metric) for metric in metrics]] for it in settings if it in measured]


def _series(measured, metric, labelled):
    """{label: [(x, Estimate)]} without what was not measured. `labelled`: {label: [(x, Setting)]}."""
    found = {label: [(x, measured.get(it, metric)) for x, it in points if measured.get(it, metric)] for label, points in labelled.items()}
    return {label: points for label, points in found.items() if points}


def _splits(measured, roles, usable):
    from . import drawing
    yield element("h2", "Processes × threads")
    every = [(total, Setting(roles.main.name, *split)) for total in experiments.totals(usable) for split in experiments.splits(total)]
    every = [(total, it) for total, it in every if it in measured]
    if not every:
        yield paragraph("Not measured: there was no time.")
        return
    yield paragraph(f"The same number of engines, from one process with all of them as threads to a process each ({roles.main.name}, "
                    "weights shared in every case).")
    drawn = []
    labels = [it.split for _, it in every]
    for metric, words in (("per_second", "segments/s"), ("latency_p95_ms", "latency of a segment, p95, ms"), ("mean_pss_bytes", "average PSS of all processes, MiB")):
        groups = {f"{total} engines" if total > 1 else "1 engine": [measured.get(it, metric) if own == total else None for own, it in every]
                  for total in sorted({own for own, _ in every})}
        drawn.append(figure(drawing.bars(f"split-{metric}", labels, groups, words, METRICS[metric].scale, f"{words} by processes × threads"),
                            f"{words} by processes × threads; whiskers: 95 % interval"))
    yield figures(drawn)
    metrics = ("per_second", "latency_mean_ms", "latency_p50_ms", "latency_p95_ms", "latency_p99_ms", "cpu_of_usable", "mean_pss_bytes", "peak_pss_bytes", "ready_s")
    yield table(["processes × threads", *map(head, metrics)], _rows(measured, [it for _, it in every], metrics, lambda it: it.split))


def _deaths(measured, roles, usable, outcome):
    from . import drawing
    settings = [it for it in experiments.deaths(roles, usable) if it in measured]
    if not settings:
        return
    yield element("h3", "What one death costs")
    yield paragraph("A worker is killed (SIGKILL) in the middle of the measured time. Work lost: since its engines began what they had not published, summed over them. "
                    "Machine time lost: segments missing at the end, at the rate before.")
    curves = {}
    for it in settings:
        run = next((run for run in outcome.raw if run["point"] == it.key and run["figures"]["deaths"] and run["figures"]["rate"]), None)
        if run is not None:
            at = run["figures"]["deaths"][0]["at_s"]
            curves[it.split] = _rate_around(run["figures"]["rate"], at)
    curves = {label: points for label, points in curves.items() if points}
    if curves:
        yield figures([figure(drawing.lines("death", curves, "seconds from the death", "segments published since it", x_log=False, bottom_zero=False,
                                            described="segments published around a worker's death, by processes × threads"),
                              "Segments published around the death, first round; a flat piece is what it cost")])
    yield table(["processes × threads", *[f"{METRICS[metric].words}, ms" for metric in DEATH]],
                [[it.split, *[span(list(measured.points[it].values(metric).values()), metric) for metric in DEATH]] for it in settings],
                f"Mean (least–most) of {verdict.counted(outcome.rounds, 'death')} each")


def _rate_around(rate, at, seconds=1.5):
    near = [it for it in rate if abs(it[0] - at) <= seconds]
    zero = max((count for when, count in near if when <= at), default=0)
    return [(when - at, count - zero) for when, count in near]


def _grid(measured, roles, audio):
    from . import drawing
    base = roles.base.name
    found = [it for it in measured.points if it == Setting(base, 1, it.threads, it.intra) and it.intra]
    yield element("h2", "Engine threads × intra-op")
    if not found:
        yield paragraph("Not measured: there was no time.")
        return
    yield paragraph(f"One process ({base}). With intra-op 1 engines are pinned; above 1 they are not, and OpenMP's settings are its defaults.")
    if roles.base.backend == "aoti":
        yield paragraph("This bundle's code has one thread compiled in: intra-op threads have nothing to do but wait. The same model's torchscript bundle (another -m) shows them at work.")
    labelled = {f"intra-op {intra}": [(it.threads, it) for it in sorted(found, key=lambda it: it.threads) if it.intra == intra]
                for intra in sorted({it.intra for it in found})}
    drawn = []
    for metric, words in (("per_second", "segments/s"), ("latency_p95_ms", "latency of a segment, p95, ms"), ("cpu_of_usable", "CPU use, % of usable CPUs"),
                          ("cpu_ms_per_segment", "CPU ms a segment"), ("switches_per_segment", "context switches a segment")):
        series = _series(measured, metric, labelled)
        if series:
            drawn.append(figure(drawing.lines(f"grid-{metric}", series, "engine threads", words, y_scale=METRICS[metric].scale, described=f"{words} by engine threads and intra-op threads"),
                                f"{words} by engine threads, a line an intra-op; whiskers: 95 % interval"))
    yield figures(drawn)
    metrics = ("per_second", "latency_mean_ms", "latency_p50_ms", "latency_p95_ms", "latency_p99_ms", "cpu_of_usable", "cpu_ms_per_segment", "switches_per_segment")
    settings = sorted(found, key=lambda it: (it.intra, it.threads))
    rows = _rows(measured, settings, metrics, lambda it: f"{it.threads} × {it.intra}")
    for row, it in zip(rows, settings):
        row.insert(2, _processing_time(measured.get(it, "per_second"), roles.base, audio["minutes"]))
    yield table(["threads × intra-op", head(metrics[0]), f"{audio['minutes']:g} minutes of audio take, s", *map(head, metrics[1:])], rows)
    yield paragraph("Share of time spent spinning: not sampled. CPU time a segment above that of intra-op 1 is what helpers burn.", class_="faint")


def _processing_time(rate, bundle, minutes):
    return "–" if rate is None else f"{minutes * 60 / bundle.hop_seconds / rate.mean:.1f}"


def _naive(measured, roles, usable, glibc):
    from . import drawing
    counts = [count for count in experiments.equal_counts(usable)
              if any(step.setting in measured for chain in experiments.chains(roles, count, glibc).values() for step in chain)]
    yield element("h2", "From naive to consort, one change at a time")
    if not counts:
        yield paragraph("Not measured: there was no time.")
        return
    yield paragraph(f"Naive threads: one process, one shared module, LibTorch's default pools{', glibc' if glibc else ''}, not pinned. Naive processes: a copy of the "
                    f"weights each, intra-op 1{', glibc' if glibc else ''}, not pinned, each started by itself. Same model, one backend ({roles.base.backend}); packed weights are another backend and count in no headline.")
    if not glibc:
        yield paragraph("Steps with jemalloc are left out: there is no worker without it.")
    count = counts[-1]
    yield table(["published", "here", "after ÷ before (95 % interval)", "change"],
                [[published, here, ratio(found), "–" if found is None else f"{100 * (found.value - 1):+.0f} %".replace("-", "−")]
                 for published, here, found in verdict.headline(measured, roles, count, glibc)], f"What was published, and what corresponds to it, at {count} engines", words=True)
    last = experiments.chains(roles, count, glibc)
    drawn = []
    for metric, words in (("latency_mean_ms", "latency of a segment, mean, ms"), ("per_second", "segments/s"), ("mean_pss_bytes", "average PSS, MiB"), ("peak_pss_bytes", "peak PSS, MiB")):
        labels = list(dict.fromkeys(step.name for chain in last.values() for step in chain))
        labels.sort(key=["naive", "pools off", "+ jemalloc", "+ shared weights", "+ pinned", "+ packed weights"].index)
        groups = {kind: [next((measured.get(step.setting, metric) for step in chain if step.name == label), None) for label in labels] for kind, chain in last.items()}
        if any(it for values in groups.values() for it in values):
            drawn.append(figure(drawing.bars(f"naive-{metric}", labels, groups, words, METRICS[metric].scale, f"{words} by step from naive to consort"),
                                f"{words}, {count} engines"))
    yield figures(drawn)
    compared = ("latency_mean_ms", "per_second", "peak_pss_bytes", "mean_pss_bytes")
    for count in reversed(counts):
        for kind, chain in experiments.chains(roles, count, glibc).items():
            steps = [it for it in chain if it.setting in measured]
            if not steps:
                continue
            rows = []
            for i, step in enumerate(steps):
                row = [step.name + ("" if step.headline else " (another backend)")]
                for metric in compared:
                    row.append(estimate(measured.get(step.setting, metric), metric))
                    row.append(ratio(measured.ratio(step.setting, steps[i - 1].setting, metric)) if i else "")
                    row.append(ratio(measured.ratio(step.setting, steps[0].setting, metric)) if i and steps[0].name == "naive" else "")
                rows.append(row)
            columns = [it for metric in compared for it in (head(metric), "÷ step before", "÷ naive")]
            yield table([f"{count} {kind}", *columns], rows)
    yield paragraph("A ratio with “=” after it: its interval holds 1, so the step may have changed nothing.", class_="faint")


def _memory(measured, roles, usable):
    from . import drawing
    pair = [(name, it) for name, it in zip(("glibc", "jemalloc"), experiments.memory_pair(roles, usable)) if it in measured]
    if not pair:
        return
    yield element("h2", "Memory over time")
    yield paragraph(f"PSS of all processes, {pair[0][1].split} ({roles.base.name}), with and without jemalloc.")
    curves = {}
    for name, it in pair:
        for n, samples in enumerate(measured.points[it].samples[:1]):
            if samples:
                curves[name] = [(when - samples[0][0], pss / 2**20) for when, pss in samples]
    if curves:
        yield figures([figure(drawing.lines("memory", curves, "seconds", "PSS, MiB", x_log=False, described="PSS over time with glibc and jemalloc"),
                              "PSS of all processes, first round")])
    metrics = ("mean_pss_bytes", "peak_pss_bytes", "per_second", "faults_per_segment")
    yield table(["allocator", *map(head, metrics)], [[name, *[estimate(measured.get(it, metric), metric) for metric in metrics]] for name, it in pair])
    if len(pair) == 2:
        told = [f"{METRICS[metric].words} {escape(ratio(measured.ratio(pair[1][1], pair[0][1], metric)))}" for metric in metrics[:2]]
        yield paragraph(Raw("jemalloc ÷ glibc: " + "; ".join(told)))


def _backends(measured, roles, usable):
    from . import drawing
    for title, bundles in (("Backends and precisions of this model", roles.same if len(roles.same) > 1 else ()), ("Other models", roles.others)):
        settings = [(it, Setting(it.name, usable, 1)) for it in bundles if Setting(it.name, usable, 1) in measured]
        if not settings:
            continue
        yield element("h2", title)
        yield paragraph(f"{verdict.counted(usable, 'process')}, one thread each, all else as consort does it." +
                        ("" if bundles is roles.same else " Another model is another work: no ratios."))
        if len(settings) > 1:
            name = "backends" if bundles is roles.same else "others"
            yield figures([figure(drawing.bars(f"{name}-{metric}", [it.name for it, _ in settings], {"": [measured.get(setting, metric) for _, setting in settings]}, words,
                                               METRICS[metric].scale, f"{words} by bundle"), f"{words} by bundle")
                           for metric, words in (("per_second", "segments/s"), ("mean_pss_bytes", "average PSS, MiB"))])
        metrics = ("per_second", "latency_mean_ms", "latency_p95_ms", "cpu_ms_per_segment", "mean_pss_bytes", "ready_s")
        yield table(["bundle", "backend, precision", *map(head, metrics)],
                    [[it.name, f"{it.backend}, {it.precision}", *[estimate(measured.get(setting, metric), metric) for metric in metrics]] for it, setting in settings])


def _method(outcome, machine, audio, options, roles, glibc):
    yield element("h2", "Machine and method")
    memory = machine["memory_bytes"]
    rows = [["CPU", machine["cpu"]], ["CPUs", f"{machine['cpus']}, usable: {machine['usable_cpus']}"],
            ["memory", "–" if not memory else f"{memory / 2**30:.1f} GiB"], ["kernel", machine["kernel"]], ["LibTorch", machine["libtorch"] or "–"],
            ["consort", machine["consort"]], ["load before", f"{machine['load_before']:.1f}"], ["audio", audio["words"]], ["command", element("code", options["command"])]]
    rows += [[f"doctor: {it['name']}", it["found"] + (f" ({it['why']})" if it["why"] else "")] for it in machine["doctor"]]
    yield table(["", ""], rows, words=True)
    span = f"{min(outcome.seconds):.1f}" + (f"–{max(outcome.seconds):.1f}" if max(outcome.seconds) - min(outcome.seconds) > 0.05 else "")
    yield paragraph(f"Every point is a real job of consort run, measured for {span} s once all its engines had published a segment. {outcome.rounds} rounds"
                    + (f" (of {outcome.planned_rounds} planned)" if outcome.rounds != outcome.planned_rounds else "")
                    + f", each with every point once in another random order; {clock_words(outcome.elapsed)} minutes in all, of {options['minutes']:g}. "
                    "Variables of OpenMP, MKL and the allocators that the caller had set were taken away.")
    yield paragraph("± and whiskers are 95 % intervals of the mean over the rounds. Each point's own deviation is drawn towards that of all points, since few repeats say little; "
                    "ratios are taken round by round. ≈ marks a spread of more than ± 10 %.")
    if machine["load_before"] > 0.5:
        yield paragraph("The machine was not quiet when this began: something else had CPUs.")
    if outcome.dropped:
        yield element("h3", "Left out")
        yield paragraph("Where time is short, points are dropped in this order: " + ", then ".join(experiments.RANKS[rank] for rank in sorted(experiments.RANKS, reverse=True))
                        + "; among equals those with most threads.")
        yield table(["point", "why"], [[setting.key, why] for setting, why in outcome.dropped], words=True)


def _points(measured):
    every = sorted(measured.points.values(), key=lambda it: it.setting.key)
    metrics = ("per_second", "latency_mean_ms", "cpu_of_usable", "mean_pss_bytes")
    rows = [[it.setting.key, str(len(it.runs)), *[estimate(it.estimates.get(metric), metric) for metric in metrics], element("code", measure.command_words(it.setting, it.setting.bundle))]
            for it in every]
    yield element("h2", "All points")
    yield element("details", [element("summary", f"{len(every)} points, with their commands"), table(["point", "runs", *map(head, metrics), "command"], rows)])


def make(outcome, roles, machine, audio, options, glibc):
    """(HTML, data)"""
    measured = Measured(outcome.points)
    words = verdict.sentences(measured, roles, outcome.usable, glibc, bool(outcome.interrupted))
    found = data(outcome, measured, roles, machine, audio, options, words)
    # What is inside and beside must be the same numbers, so both come from one text.
    found = json.loads(json.dumps(found))
    return page(outcome, measured, roles, machine, audio, options, found, glibc), found
