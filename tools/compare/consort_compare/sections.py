"""The parts of the page: each a generator of pieces of HTML, from what was measured. A new part is one
function and one line in ALL."""

import dataclasses

from . import drawing, experiments, measure, plan, verdict
from .experiments import Setting
from .html import Raw, element, escape, estimate, figure, figures, head, paragraph, ratio, span, table
from .metrics import METRICS
from .progress import clock_words

WHISKERS = "whiskers: 95 % interval"
DEATH = ("death_lost_ms", "death_ready_ms", "death_next_result_ms", "death_full_speed_ms", "death_deficit_ms")
STEPS = ("naive", "pools off", "+ jemalloc", "+ shared weights", "+ pinned", "+ packed weights")


@dataclasses.dataclass(frozen=True)
class Found:
    """All that a report is made of."""
    measured: object  # metrics.Measured
    roles: object     # bundles.Roles
    outcome: object   # session.Outcome
    machine: dict
    audio: dict
    options: dict
    glibc: bool       # whether the worker without jemalloc took part

    @property
    def usable(self):
        return self.outcome.usable

    def estimates(self, setting, metrics):
        """Cells of a table."""
        return [estimate(self.measured.get(setting, metric), metric) for metric in metrics]

    def rows(self, settings, metrics, name):
        return [[name(it), *self.estimates(it, metrics)] for it in settings if it in self.measured]


def _axis(metric):
    """An axis's words."""
    words = {"per_second": "segments/s", "latency_mean_ms": "latency of a segment, mean, ms", "latency_p95_ms": "latency of a segment, p95, ms",
             "mean_pss_bytes": "average PSS, MiB", "peak_pss_bytes": "peak PSS, MiB",
             "cpu_of_usable": "CPU use, % of usable CPUs", "cpu_ms_per_segment": "CPU ms a segment"}
    return words.get(metric, METRICS[metric].words)


def _bars(name, metric, labels, groups, by):
    """A figure of bars; nothing where there is nothing to show."""
    if not any(it for values in groups.values() for it in values):
        return None
    words = _axis(metric)
    drawn = drawing.bars(f"{name}-{metric}", labels, groups, words, METRICS[metric].scale, f"{words} by {by}")
    return figure(drawn, f"{words} by {by}; {WHISKERS}")


def splits(found):
    name, usable = found.roles.main.name, found.usable
    every = [(total, Setting(name, *split)) for total in experiments.totals(usable) for split in experiments.splits(total)]
    every = [(total, it) for total, it in every if it in found.measured]
    if not every:
        return
    yield element("h2", "Processes × threads")
    yield paragraph("The same number of engines, from one process with all of them as threads to a process each "
                    f"({name}, weights shared in every case). PSS is that of all processes together.")
    drawn = []
    for metric in ("per_second", "latency_p95_ms", "mean_pss_bytes"):
        groups = {verdict.counted(total, "engine"): [found.measured.get(it, metric) if own == total else None for own, it in every]
                  for total in sorted({own for own, _ in every})}
        drawn.append(_bars("split", metric, [it.split for _, it in every], groups, "processes × threads"))
    yield figures(drawn)
    metrics = ("per_second", "latency_mean_ms", "latency_p50_ms", "latency_p95_ms", "latency_p99_ms", "cpu_of_usable",
               "mean_pss_bytes", "peak_pss_bytes", "ready_s")
    yield table(["processes × threads", *map(head, metrics)], found.rows([it for _, it in every], metrics, lambda it: it.split))


def deaths(found):
    settings = [it for it in experiments.deaths(found.roles, found.usable) if it in found.measured]
    if not settings:
        return
    yield element("h3", "What one death costs")
    yield paragraph("A worker is killed (SIGKILL) in the middle of the measured time. Work lost: since its engines began what they had not "
                    "published, summed over them. Machine time lost: segments missing at the end, at the rate before.")
    curves = {}
    for it in settings:
        figures_of_runs = (run["figures"] for run in found.outcome.raw if run["point"] == it.key)
        run = next((run for run in figures_of_runs if run["deaths"] and run["rate"]), None)
        if run is not None:
            curves[it.split] = _rate_around(run["rate"], run["deaths"][0]["at_s"])
    curves = {label: points for label, points in curves.items() if points}
    if curves:
        drawn = drawing.lines("death", curves, "seconds from the death", "segments published since it", x_log=False, bottom_zero=False,
                              described="segments published around a worker's death, by processes × threads")
        yield figures([figure(drawn, "Segments published around the death, first round; a flat piece is what it cost")])
    yield table(["processes × threads", *[f"{METRICS[metric].words}, ms" for metric in DEATH]],
                [[it.split, *[span(list(found.measured.points[it].values(metric).values()), metric) for metric in DEATH]]
                 for it in settings],
                f"Mean (least–most) of {verdict.counted(found.outcome.rounds, 'death')} each")


def _rate_around(rate, at, seconds=1.5):
    near = [it for it in rate if abs(it[0] - at) <= seconds]
    zero = max((count for when, count in near if when <= at), default=0)
    return [(when - at, count - zero) for when, count in near]


def grid(found):
    base = found.roles.base
    settings = [it for it in found.measured.points if it == Setting(base.name, 1, it.threads, it.intra) and it.intra]
    settings.sort(key=lambda it: (it.intra, it.threads))
    if not settings:
        return
    yield element("h2", "Engine threads × intra-op")
    yield paragraph(f"One process ({base.name}). With intra-op 1 engines are pinned; above 1 they are not, and OpenMP's settings "
                    "are its defaults.")
    if base.backend == "aoti":
        yield paragraph("This bundle's code has one thread compiled in: intra-op threads have nothing to do but wait. "
                        "The same model's torchscript bundle (another -m) shows them at work.")
    drawn = []
    for metric in ("per_second", "latency_p95_ms", "cpu_of_usable", "cpu_ms_per_segment", "switches_per_segment"):
        series = {}
        for it in settings:
            if found.measured.get(it, metric):
                series.setdefault(f"intra-op {it.intra}", []).append((it.threads, found.measured.get(it, metric)))
        if series:
            words = _axis(metric)
            chart = drawing.lines(f"grid-{metric}", series, "engine threads", words, y_scale=METRICS[metric].scale,
                                  described=f"{words} by engine threads and intra-op threads")
            drawn.append(figure(chart, f"{words} by engine threads, a line an intra-op; {WHISKERS}"))
    yield figures(drawn)
    metrics = ("latency_mean_ms", "latency_p50_ms", "latency_p95_ms", "latency_p99_ms", "cpu_of_usable", "cpu_ms_per_segment",
               "switches_per_segment")
    rows = []
    for it in settings:
        rate = found.measured.get(it, "per_second")
        rows.append([f"{it.threads} × {it.intra}", estimate(rate, "per_second"), _processing_time(rate, base, found.audio["minutes"]),
                     *found.estimates(it, metrics)])
    take = f"{found.audio['minutes']:g} minutes of audio take, s"
    yield table(["threads × intra-op", head("per_second"), take, *map(head, metrics)], rows)
    yield paragraph("Share of time spent spinning: not sampled. CPU time a segment above that of intra-op 1 is what helpers burn.",
                    class_="faint")


def _processing_time(rate, bundle, minutes):
    return "–" if rate is None else f"{minutes * 60 / bundle.hop_seconds / rate.mean:.1f}"


def naive(found):
    counts = [it for it in experiments.equal_counts(found.usable) if any(_steps(found, it).values())]
    if not counts:
        return
    yield element("h2", "From naive to consort, one change at a time")
    glibc = ", glibc" if found.glibc else ""
    yield paragraph(f"Naive threads: one process, one shared module, LibTorch's default pools{glibc}, not pinned. Naive processes: a copy "
                    f"of the weights each, intra-op 1{glibc}, not pinned, each started by itself. Same model, one backend "
                    f"({found.roles.base.backend}); packed weights are another backend and count in no headline.")
    if not found.glibc:
        yield paragraph("Steps with jemalloc are left out: there is no worker without it.")
    count = counts[-1]
    headline = [it for it in verdict.headline(found.measured, found.roles, count, found.glibc) if it[2] is not None]
    if headline:
        yield table(["published", "here", "after ÷ before (95 % interval)", "change"],
                    [[published, here, ratio(it), f"{100 * (it.value - 1):+.0f} %".replace("-", "−")] for published, here, it in headline],
                    f"What was published, and what corresponds to it, at {verdict.counted(count, 'engine')}", words=True)
    steps = _steps(found, count)
    labels = [it for it in STEPS if any(step.name == it for chain in steps.values() for step in chain)]
    drawn = []
    for metric in ("latency_mean_ms", "per_second", "mean_pss_bytes", "peak_pss_bytes"):
        groups = {}
        for kind, chain in steps.items():
            by_name = {step.name: found.measured.get(step.setting, metric) for step in chain}
            groups[kind] = [by_name.get(label) for label in labels]
        drawn.append(_bars("naive", metric, labels, groups, f"step, {verdict.counted(count, 'engine')}"))
    yield figures(drawn)
    for count in reversed(counts):
        for kind, chain in _steps(found, count).items():
            if chain:
                yield _chain(found, f"{count} {kind}", chain)
    yield paragraph("A ratio with “=” after it: its interval holds 1, so the step may have changed nothing.", class_="faint")


def _steps(found, count):
    """{kind: [Step]} of those that were measured."""
    chains = experiments.chains(found.roles, count, found.glibc)
    return {kind: [it for it in chain if it.setting in found.measured] for kind, chain in chains.items()}


def _chain(found, name, steps):
    compared = ("latency_mean_ms", "per_second", "peak_pss_bytes", "mean_pss_bytes")
    rows = []
    for i, step in enumerate(steps):
        row = [step.name + ("" if step.headline else " (another backend)")]
        for metric in compared:
            against = [steps[i - 1].setting if i else None, steps[0].setting if i and steps[0].name == "naive" else None]
            row.append(estimate(found.measured.get(step.setting, metric), metric))
            row += [ratio(found.measured.ratio(step.setting, it, metric)) if it else "" for it in against]
        rows.append(row)
    return table([name, *[it for metric in compared for it in (head(metric), "÷ step before", "÷ naive")]], rows)


def memory(found):
    pair = zip(("glibc", "jemalloc"), experiments.memory_pair(found.roles, found.usable))
    pair = [(name, it) for name, it in pair if it in found.measured]
    if not pair:
        return
    yield element("h2", "Memory over time")
    yield paragraph(f"PSS of all processes, {pair[0][1].split} ({found.roles.base.name}), with and without jemalloc.")
    curves = {}
    for name, it in pair:
        samples = found.measured.points[it].samples[0]
        if samples:
            curves[name] = [(when - samples[0][0], pss / 2**20) for when, pss in samples]
    if curves:
        drawn = drawing.lines("memory", curves, "seconds", "PSS, MiB", x_log=False, described="PSS over time with glibc and jemalloc")
        yield figures([figure(drawn, "PSS of all processes, first round")])
    metrics = ("mean_pss_bytes", "peak_pss_bytes", "per_second", "faults_per_segment")
    yield table(["allocator", *map(head, metrics)], [[name, *found.estimates(it, metrics)] for name, it in pair])
    if len(pair) == 2:
        (_, glibc), (_, jemalloc) = pair
        told = [f"{METRICS[metric].words} {escape(ratio(found.measured.ratio(jemalloc, glibc, metric)))}" for metric in metrics]
        yield paragraph(Raw("jemalloc ÷ glibc: " + "; ".join(told)))


def backends(found):
    if len(found.roles.same) > 1:
        yield from _bundles(found, "Backends and precisions of this model", found.roles.same, "backends", "")
    yield from _bundles(found, "Other models", found.roles.others, "others", " Another model is another work: no ratios.")


def _bundles(found, title, bundles, name, more):
    rows = [(it, Setting(it.name, found.usable, 1)) for it in bundles]
    rows = [(it, setting) for it, setting in rows if setting in found.measured]
    if not rows:
        return
    yield element("h2", title)
    yield paragraph(f"{verdict.counted(found.usable, 'process')}, one thread each, all else as consort does it.{more}")
    if len(rows) > 1:
        labels = [it.name for it, _ in rows]
        yield figures([_bars(name, metric, labels, {"": [found.measured.get(setting, metric) for _, setting in rows]}, "bundle")
                       for metric in ("per_second", "mean_pss_bytes")])
    metrics = ("per_second", "latency_mean_ms", "latency_p95_ms", "cpu_ms_per_segment", "mean_pss_bytes", "ready_s")
    yield table(["bundle", "backend, precision", *map(head, metrics)],
                [[it.name, f"{it.backend}, {it.precision}", *found.estimates(setting, metrics)] for it, setting in rows])


def unmeasured(found):
    """One line for the sections of which no point was measured."""
    roles, usable = found.roles, found.usable
    planned = {
        "processes × threads": [Setting(roles.main.name, *split)
                                for total in experiments.totals(usable) for split in experiments.splits(total)],
        "what one death costs": experiments.deaths(roles, usable),
        "engine threads × intra-op": [it for it, _ in found.outcome.dropped
                                      if it.intra and it == Setting(roles.base.name, 1, it.threads, it.intra)],
        "from naive to consort": [step.setting for count in experiments.equal_counts(usable)
                                  for chain in experiments.chains(roles, count, found.glibc).values() for step in chain],
        "memory over time": experiments.memory_pair(roles, usable),
        "backends and precisions": [Setting(it.name, usable, 1) for it in roles.same[1:]],
        "other models": [Setting(it.name, usable, 1) for it in roles.others],
    }
    dropped, missing = dict(found.outcome.dropped), {}
    for name, settings in planned.items():
        whys = [dropped[it] for it in settings if it in dropped]
        if whys and not any(it in found.measured for it in settings):
            missing.setdefault(plan.NO_TIME if plan.NO_TIME in whys else whys[0], []).append(name)
    if missing:
        yield paragraph(" ".join(f"Not measured, because {why}: {', '.join(names)}." if why == plan.NO_TIME
                                 else f"Not measured: {', '.join(names)} ({why})." for why, names in missing.items()))


def method(found):
    machine, outcome = found.machine, found.outcome
    yield element("h2", "Machine and method")
    others = "–" if machine["others_cpu_share"] is None else verdict.percent(machine["others_cpu_share"])
    memory_words = f"{machine['memory_bytes'] / 2**30:.1f} GiB" if machine["memory_bytes"] else "–"
    rows = [["CPU", machine["cpu"]], ["CPUs", f"{machine['cpus']}, usable: {machine['usable_cpus']}"], ["memory", memory_words],
            ["kernel", machine["kernel"]], ["LibTorch", machine["libtorch"] or "–"], ["consort", machine["consort"]],
            ["CPUs that others had meanwhile", others], ["audio", found.audio["words"]],
            ["command", element("code", found.options["command"])]]
    rows += [[f"doctor: {it['name']}", it["found"] + (f" ({it['why']})" if it["why"] else "")] for it in machine["doctor"]]
    yield table(["", ""], rows, words=True)
    least, most = min(outcome.seconds), max(outcome.seconds)
    seconds = f"{least:.1f}" if most - least < 0.05 else f"{least:.1f}–{most:.1f}"
    rounds = f"{outcome.rounds} rounds" + (f" (of {outcome.planned_rounds} planned)" if outcome.rounds != outcome.planned_rounds else "")
    yield paragraph(f"Every point is a real job of consort run, measured for {seconds} s once all its engines had published a segment. "
                    f"{rounds}, each with every point once in another random order; {clock_words(outcome.elapsed)} minutes in all, of "
                    f"{found.options['minutes']:g}. Variables of OpenMP, MKL and the allocators that the caller had set were taken away.")
    yield paragraph("± and whiskers are 95 % intervals of the mean over the rounds. Each point's own deviation is drawn towards that of all "
                    "points, since few repeats say little; ratios are taken round by round. ≈ marks a spread of more than ± 10 %.")
    if outcome.dropped:
        yield element("h3", "Left out")
        yield paragraph("Where time is short, points are dropped in this order: "
                        + ", then ".join(experiments.RANKS[rank] for rank in sorted(experiments.RANKS, reverse=True))
                        + "; among equals those with most threads.")
        yield table(["point", "why"], [[setting.key, why] for setting, why in outcome.dropped], words=True)


def points(found):
    every = sorted(found.measured.points.values(), key=lambda it: it.setting.key)
    metrics = ("per_second", "latency_mean_ms", "cpu_of_usable", "mean_pss_bytes")
    rows = [[it.setting.key, str(len(it.runs)), *found.estimates(it.setting, metrics),
             element("code", measure.command_words(it.setting, it.setting.bundle))] for it in every]
    yield element("h2", "All points")
    yield element("details", [element("summary", f"{len(every)} points, with their commands"),
                              table(["point", "runs", *map(head, metrics), "command"], rows)])


ALL = (splits, deaths, grid, naive, memory, backends, unmeasured, method, points)
