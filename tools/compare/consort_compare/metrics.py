"""The figures of a run (docs/results.md, "Figures of a run") as the numbers that are compared."""

import dataclasses
import statistics

from . import spread


@dataclasses.dataclass(frozen=True)
class Metric:
    name: str    # in the JSON
    words: str   # a column's head
    unit: str
    scale: float = 1.0
    digits: int = 1


METRICS = {it.name: it for it in (
    Metric("per_second", "throughput", "segments/s"),
    Metric("latency_mean_ms", "latency, mean", "ms"),
    Metric("latency_p50_ms", "p50", "ms"),
    Metric("latency_p95_ms", "p95", "ms"),
    Metric("latency_p99_ms", "p99", "ms"),
    Metric("cpu_of_usable", "CPU use", "%", 100.0, 0),
    Metric("cpu_ms_per_segment", "CPU a segment", "ms"),
    Metric("switches_per_segment", "context switches a segment", "", 1.0, 1),
    Metric("faults_per_segment", "page faults a segment", "", 1.0, 0),
    Metric("peak_pss_bytes", "peak PSS", "MiB", 1 / 2**20, 0),
    Metric("mean_pss_bytes", "average PSS", "MiB", 1 / 2**20, 0),
    Metric("ready_s", "ready after", "s", 1.0, 2),
    Metric("death_lost_ms", "work lost", "ms", 1.0, 0),
    Metric("death_ready_ms", "successor ready after", "ms", 1.0, 1),
    Metric("death_next_result_ms", "its next result after", "ms", 1.0, 0),
    Metric("death_full_speed_ms", "full speed after", "ms", 1.0, 0),
    Metric("death_deficit_ms", "machine time lost", "ms", 1.0, 0),
)}

FULL_SPEED = 0.9       # of the rate before
LEAST_IN_A_WINDOW = 8  # segments, to tell a rate


def of_run(figures):
    """{metric's name: number} of what this run can tell. Numbers that are not known are left out."""
    counted = figures["segments"]["counted"]
    cpu, latency, memory = figures["cpu"], figures["latency_ms"], figures["memory"]
    found = {
        "per_second": figures["segments"]["per_second"],
        "latency_mean_ms": latency["mean"], "latency_p50_ms": latency["p50"],
        "latency_p95_ms": latency["p95"], "latency_p99_ms": latency["p99"],
        "cpu_of_usable": cpu["of_usable"],
        "cpu_ms_per_segment": _per(1e3, _sum(cpu["user_s"], cpu["system_s"]), counted),
        "switches_per_segment": _per(1, _sum(*figures["context_switches"].values()), counted),
        "faults_per_segment": _per(1, figures["page_faults"]["minor"], counted),
        "peak_pss_bytes": memory["peak_pss_bytes"], "mean_pss_bytes": _mean_pss(memory, figures["ready_s"]),
        "ready_s": figures["ready_s"],
    }
    if figures["deaths"]:
        death = figures["deaths"][0]
        full_speed, deficit = recovery(figures["rate"], death["at_s"], figures["window"]["from_s"])
        found |= {"death_lost_ms": death["lost_ms"], "death_ready_ms": death["ready_ms"],
                  "death_next_result_ms": death["next_result_ms"], "death_full_speed_ms": full_speed, "death_deficit_ms": deficit}
    return {name: value for name, value in found.items() if value is not None}


def _mean_pss(memory, ready):
    """Where counting pages takes so long that no sample fell into the window: of those since all were ready."""
    if memory["mean_pss_bytes"] is not None or ready is None:
        return memory["mean_pss_bytes"]
    later = [pss for when, pss in memory["samples"] if when >= ready]
    return statistics.fmean(later) if later else None


def _sum(*values):
    return None if any(it is None for it in values) else sum(values)


def _per(scale, value, counted):
    return None if value is None or not counted else scale * value / counted


def recovery(rate, at, since=0.0):
    """(ms from a death until the rate was back, ms of the whole machine's work that it cost).

    `rate`: [[seconds, segments so far]], looked at from the moment `since`. Either is None where the samples are too few to tell.
    """
    before = [it for it in rate if since <= it[0] <= at]
    after = [it for it in rate if it[0] > at]
    if len(before) < 2 or len(after) < 2 or before[-1][1] - before[0][1] < LEAST_IN_A_WINDOW:
        return None, None
    usual = (before[-1][1] - before[0][1]) / (before[-1][0] - before[0][0])
    expected = before[-1][1] + usual * (after[-1][0] - before[-1][0])
    deficit = 1e3 * (expected - after[-1][1]) / usual
    samples = [before[-1], *after]
    for i, (begin, count) in enumerate(samples[:-1]):
        later = next((it for it in samples[i + 1:] if it[1] - count >= LEAST_IN_A_WINDOW or it is samples[-1]), None)
        if later[1] - count < LEAST_IN_A_WINDOW / 2:
            break
        if (later[1] - count) / (later[0] - begin) >= FULL_SPEED * usual:
            return 1e3 * max(0.0, begin - at), deficit
    return None, deficit


@dataclasses.dataclass
class Point:
    """A setting with all its runs."""
    setting: object
    rank: int
    runs: dict = dataclasses.field(default_factory=dict)     # round: {metric: number}
    samples: list = dataclasses.field(default_factory=list)  # of memory, of each run, if setting.long
    estimates: dict = dataclasses.field(default_factory=dict)  # metric: Estimate

    def values(self, metric):
        return {number: run[metric] for number, run in self.runs.items() if metric in run}

    @property
    def wide(self):
        """Whether what is compared first has a wide spread."""
        return any(name in self.estimates and self.estimates[name].wide for name in ("per_second", "latency_mean_ms"))


class Measured:
    """All points, and the questions that the report asks of them."""

    def __init__(self, points):
        self.points = {it.setting: it for it in points}
        # Deaths are another kind of run: their spread says nothing of the others'.
        self._typical = {}
        for name in METRICS:
            for kill in (False, True):
                self._typical[name, kill] = spread.typical_variance(
                    [list(it.values(name).values()) for it in points if it.setting.kill == kill
                     and all(value > 0 for value in it.values(name).values())])
        for point in points:
            for name in METRICS:
                found = spread.estimate(list(point.values(name).values()), self._typical[name, point.setting.kill])
                if found is not None:
                    point.estimates[name] = found

    def __contains__(self, setting):
        return setting in self.points

    def get(self, setting, metric):
        """Estimate or None."""
        point = self.points.get(setting)
        return point.estimates.get(metric) if point else None

    def ratio(self, a, b, metric):
        """Ratio of a's to b's, or None."""
        if a not in self.points or b not in self.points:
            return None
        return spread.ratio(self.points[a].values(metric), self.points[b].values(metric), self._typical[metric, a.kill])

    def spread_of_all(self, metric):
        """The median point's relative half interval; None if there is none."""
        halves = [it.estimates[metric].half for it in self.points.values() if metric in it.estimates]
        return statistics.median(halves) if halves else None
