"""The comparison: probes, then rounds in which every point is run once, until the time is used."""

import dataclasses
import random

from . import experiments, metrics, plan
from .errors import CompareError, Interrupted, PointFailed

PROBE_SECONDS = 0.5
REPORT_SECONDS = 6.0  # for drawing the report; kept back of the minutes
SEED = 20  # of the order; told in the report


@dataclasses.dataclass
class Outcome:
    """What was found. All of it goes into the report."""
    points: list              # metrics.Point, those that were repeated
    rounds: int               # whole ones; of one that was broken off, some points have a run more
    planned_rounds: int
    seconds: list             # a run measured, by round
    dropped: list             # [(setting, why)]
    order: list               # [[key]], by round
    raw: list                 # [{"point", "round", "seconds", "figures"}]
    usable: int
    elapsed: float
    interrupted: int = 0      # the signal, if one ended it


class Session:
    """`measure(setting, bundle_path, seconds, expected)` → (figures, wall seconds); `clock()` in seconds."""

    def __init__(self, roles, measure, clock, progress, budget, grid=None, glibc=True):
        self._bundles = {it.name: it for it in (*roles.same, *roles.others)}
        self._roles = roles
        self._measure = measure
        self._clock = clock
        self._progress = progress
        self._end = clock() + budget
        self._budget = budget
        self._grid = grid
        self._glibc = glibc
        self._dropped = []
        self._raw = []
        self._order = []
        self._seconds = []

    def run(self, rounds_done=lambda: None):
        """Outcome. Raises CompareError if there is nothing to report, Interrupted likewise.

        `rounds_done` is called when there is nothing left that a signal could break off; it may raise Interrupted.
        """
        began = self._clock()
        usable, costs, least = self._probe()
        ranks = experiments.everything(self._roles, usable, self._grid, self._glibc)
        points = {setting: metrics.Point(setting, rank) for setting, rank in ranks.items()}
        rounds = plan.choose_rounds(self._left(), self._costed(points, costs, 1), least)
        interrupted, whole = 0, 0
        try:
            while whole < rounds and self._round(points, costs, least, whole, rounds):
                whole += 1
            rounds_done()
        except Interrupted as signal:
            if whole < plan.LEAST_ROUNDS:
                raise
            interrupted = signal.number
        kept = [it for it in points.values() if len(it.runs) >= plan.LEAST_ROUNDS]
        if self._order and not self._order[-1]:  # of the last round there was nothing but its beginning
            self._order.pop()
            self._seconds.pop()
        if not kept:
            raise CompareError("no point could be measured twice" + (f" ({self._dropped[0][1]})" if self._dropped else ""),
                               "give it more time: --minutes")
        return Outcome(kept, whole, rounds, self._seconds, self._dropped, self._order, self._raw, usable,
                       self._clock() - began, interrupted)

    def _left(self):
        return self._end - REPORT_SECONDS * min(1.0, self._budget / 60) - self._clock()

    def _probe(self):
        """(usable CPUs, Costs, the least seconds a run should measure): each bundle once, one engine."""
        starts, rates, usable = {}, {}, 1
        for name, bundle in self._bundles.items():
            self._progress.at(f"looking at {name}", self._end - self._clock())
            try:
                figures, _ = self._measure(experiments.Setting(name, 1, 1), bundle.path, PROBE_SECONDS, 60.0)
            except PointFailed as failure:
                raise CompareError(f"{name}: {failure}") from None
            usable = figures["usable_cpus"]
            starts[name] = figures["ready_s"] or 0.0
            rates[name] = figures["segments"]["per_second"] or 0.0
        return usable, plan.Costs(usable, starts, rates), plan.least_seconds(min(rates.values()) * usable)

    def _costed(self, points, costs, runs):
        return [plan.Costed(it.setting, it.rank, costs.overhead(it.setting), runs) for it in points.values()]

    def _round(self, points, costs, least, number, rounds):
        """Runs every point once. False if some no longer fitted into the time: what was run counts all the same."""
        waiting = plan.order(points, random.Random(SEED * 1000 + number))
        self._order.append([])
        self._seconds.append(0.0)
        whole = True
        for place, here in enumerate(waiting):
            if number < plan.LEAST_ROUNDS:
                needed = self._todo(points, costs, waiting[place:], plan.LEAST_ROUNDS - number - 1)
                for setting in plan.fit(self._left(), needed, least).dropped:
                    self._drop(points, setting, plan.NO_TIME)
            elif costs.overhead(here) + least * plan.weight(here) > self._left():
                whole = False
                continue  # a cheaper one may still fit
            if here not in points:
                continue
            wanted = self._todo(points, costs, waiting[place:], rounds - number - 1)
            seconds = plan.seconds_within(self._left(), wanted, least)
            # All of a round measure about as long: less where time runs short, never more.
            self._seconds[-1] = seconds if self._seconds[-1] == 0 else min(seconds, self._seconds[-1])
            self._run_one(points, costs, here, self._seconds[-1], number, rounds, place, len(waiting))
        return whole

    def _todo(self, points, costs, waiting, later):
        """What is still to be run: this round's rest, and all points in later rounds."""
        this = set(waiting)
        runs = {setting: later + (setting in this) for setting in points}
        return [plan.Costed(setting, points[setting].rank, costs.overhead(setting), count) for setting, count in runs.items() if count]

    def _run_one(self, points, costs, setting, seconds, number, rounds, place, count):
        self._progress.at(f"round {number + 1} of {rounds}, run {place + 1} of {count}: {setting.key}", self._end - self._clock())
        measured = plan.run_seconds(setting, seconds)
        try:
            figures, wall = self._measure(setting, self._bundles[setting.bundle].path, measured, costs.overhead(setting))
        except PointFailed as failure:
            self._drop(points, setting, str(failure))
            return
        costs.saw(setting, wall - seconds * plan.weight(setting))
        point = points[setting]
        point.runs[number] = metrics.of_run(figures)
        if setting.long:
            point.samples.append(figures["memory"]["samples"])
        self._raw.append({"point": setting.key, "round": number, "measured_s": measured, "wall_s": wall,
                          "figures": thinned(figures, setting)})
        self._order[-1].append(setting.key)

    def _drop(self, points, setting, why):
        self._dropped.append((setting, why))
        del points[setting]


def thinned(figures, setting):
    """Without the curves that no figure shows: they would make the report megabytes large."""
    kept = dict(figures)
    if not setting.kill:
        kept["rate"] = []
    if not setting.long:
        kept["memory"] = {**figures["memory"], "samples": []}
    return kept
