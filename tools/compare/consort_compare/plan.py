"""How the time is spent: seconds a run, rounds, order, and what is dropped.

All pure: no clock, no process. Costs are in seconds of wall time.
"""

import dataclasses
import statistics

LEAST_SEGMENTS = 60            # that a run should count
LEAST_SECONDS = (0.3, 8.0)     # bounds of the least time a run measures
MOST_SECONDS = 15.0
COMFORTABLE_SECONDS = 5.0      # longer than this, more rounds say more than longer runs
ROUNDS = (7, 6, 5, 4, 3, 2)
LEAST_ROUNDS = ROUNDS[-1]
DEATH_SECONDS = 2.0            # more for a run with a death, however short the others: a worker has to come back
LONG = 4                       # a run of memory over time lasts as long as so many others
COPIED = 2                     # so does one whose many private pages take the sampler of PSS long to count
NO_TIME = "there was no time"    # why a point is left out


@dataclasses.dataclass(frozen=True)
class Costed:
    """A point that has yet to be run."""
    setting: object
    rank: int
    overhead: float  # start, warm-up, end, and extra_seconds()
    runs: int        # still to be made


def weight(setting):
    return LONG if setting.long else COPIED if setting.copied else 1


def run_seconds(setting, seconds):
    """What one run of this point measures, where the others measure `seconds`."""
    return seconds * weight(setting) + extra_seconds(setting)


def extra_seconds(setting):
    return DEATH_SECONDS if setting.kill else 0.0


def least_seconds(per_second):
    """The shortest time a run should measure where so many segments a second are done."""
    low, high = LEAST_SECONDS
    return min(high, max(low, LEAST_SEGMENTS / per_second)) if per_second > 0 else high


def seconds_that_fit(remaining, points):
    """Seconds a run (times its weight) so that all fit; negative if the overheads alone do not."""
    weights = sum(it.runs * weight(it.setting) for it in points)
    overheads = sum(it.runs * it.overhead for it in points)
    return (remaining - overheads) / weights if weights else MOST_SECONDS


def drop_order(points):
    """Who is dropped first stands first: highest rank, then most threads, then costliest."""
    return sorted(points, key=lambda it: (-it.rank, -it.setting.engines * max(1, it.setting.intra), -it.overhead, it.setting.key))


def seconds_within(remaining, points, least):
    """The same, from `least` to MOST_SECONDS."""
    return min(MOST_SECONDS, max(least, seconds_that_fit(remaining, points)))


@dataclasses.dataclass(frozen=True)
class Fit:
    seconds: float  # a run
    dropped: list   # settings, in the order in which they went


def fit(remaining, points, least):
    """Drops points until the rest can be run for at least `least` seconds each."""
    cost = sum(it.runs * (it.overhead + least * weight(it.setting)) for it in points)
    if cost <= remaining:
        return Fit(seconds_within(remaining, points, least), [])
    kept, dropped = list(reversed(drop_order(points))), []
    while len(kept) > 1 and cost > remaining:
        victim = kept.pop()
        cost -= victim.runs * (victim.overhead + least * weight(victim.setting))
        dropped.append(victim.setting)
    return Fit(seconds_within(remaining, kept, least), dropped)


def choose_rounds(remaining, points, least):
    """As many as there is comfortable time for; never fewer than two, without which there is no spread.

    `points` have one run each.
    """
    for rounds in ROUNDS:
        seconds = seconds_that_fit(remaining, [dataclasses.replace(it, runs=rounds) for it in points])
        if seconds >= (COMFORTABLE_SECONDS if rounds > 3 else least):
            return rounds
    return LEAST_ROUNDS


def order(settings, generator):
    """One round: every point once, in an order that has nothing to do with what they are."""
    found = sorted(settings, key=lambda it: it.key)
    generator.shuffle(found)
    return found


class Costs:
    """What starting and ending a run of a point takes: a guess, then what it took.

    The guess is scaled by how far off it was for the points that have been run.
    """

    FORK = 0.02  # of a worker
    END = 0.3

    def __init__(self, usable, starts, rates):
        """`starts`: seconds until ready, `rates`: segments a second of one engine, by bundle's name."""
        self._usable = usable
        self._starts = starts
        self._rates = rates
        self._seen = {}
        self._factor = 1.0

    def guess(self, setting):
        start = self._starts[setting.bundle]
        loading = start + self.FORK * setting.processes if setting.template else start * max(1.0, setting.processes / self._usable)
        # Every engine publishes once before counting begins; helpers of pools get in each other's way.
        rate = self._rates[setting.bundle] * min(setting.engines, self._usable)
        warming = 2 * setting.engines / rate * (2 if setting.intra != 1 else 1) if rate > 0 else 1.0
        return loading + warming + self.END + extra_seconds(setting)

    def saw(self, setting, overhead):
        self._seen.setdefault(setting, []).append(max(0.0, overhead))
        self._factor = statistics.median(sum(it) / len(it) / self.guess(other) for other, it in self._seen.items())

    def overhead(self, setting):
        seen = self._seen.get(setting)
        return sum(seen) / len(seen) if seen else self._factor * self.guess(setting)
