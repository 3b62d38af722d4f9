"""What repeats say: a mean, how sure it is, and whether two points differ.

With two or three repeats a point's own standard deviation is nearly worthless. So each is drawn
towards that of all points (as limma does with genes): PRIOR repeats' worth of the typical relative
deviation are added to the point's own. Everything is computed on logarithms, so a spread is a
ratio, and two points are compared round by round: a drift of the machine that meets both of them
cancels.
"""

import dataclasses
import math
import statistics

PRIOR = 4          # degrees of freedom that the typical deviation is worth
WIDE = 0.10        # a 95 % interval of ± more than this is marked
LEAST_TYPICAL = 2e-3  # so that equal figures of two or three runs do not promise what so few cannot


@dataclasses.dataclass(frozen=True)
class Estimate:
    mean: float    # geometric
    half: float    # of its 95 % interval, relative: 0.03 is ± 3 %
    repeats: int

    @property
    def low(self):
        return self.mean * math.exp(-self.half)

    @property
    def high(self):
        return self.mean * math.exp(self.half)

    @property
    def wide(self):
        return self.half > WIDE


@dataclasses.dataclass(frozen=True)
class Ratio:
    """a ÷ b with its 95 % interval."""
    value: float
    low: float
    high: float

    @property
    def differs(self):
        return self.low > 1 or self.high < 1


def t_quantile(degrees):
    """97.5 % of Student's t, for at least 3 degrees of freedom: Cornish and Fisher's expansion."""
    z = 1.959964
    return (z + (z**3 + z) / (4 * degrees) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees**2)
            + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * degrees**3))


def _logs(values):
    return [math.log(it) for it in values]


def typical_variance(samples):
    """The median of the samples' variances of logarithms, corrected for the skew of few repeats."""
    found = []
    for values in samples:
        if len(values) >= 2:
            degrees = len(values) - 1
            # A chi-squared's median is below its mean: Wilson and Hilferty.
            found.append(statistics.variance(_logs(values)) / (1 - 2 / (9 * degrees))**3)
    return max(statistics.median(found), LEAST_TYPICAL**2) if found else None


def _half(logs, typical):
    degrees = len(logs) - 1
    variance = (PRIOR * typical + (statistics.variance(logs) * degrees if degrees else 0)) / (PRIOR + degrees)
    return t_quantile(PRIOR + degrees) * math.sqrt(variance / len(logs))


def estimate(values, typical):
    """None without values, or where one is not positive (a logarithm needs that)."""
    if not values or typical is None or min(values) <= 0:
        return None
    logs = _logs(values)
    return Estimate(math.exp(statistics.fmean(logs)), _half(logs, typical), len(values))


def ratio(a, b, typical):
    """a ÷ b, from {round: value} each; None if no round has both."""
    rounds = sorted(a.keys() & b.keys())
    if not rounds or typical is None or any(min(a[it], b[it]) <= 0 for it in rounds):
        return None
    logs = [math.log(a[it] / b[it]) for it in rounds]
    middle, half = statistics.fmean(logs), _half(logs, 2 * typical)
    return Ratio(math.exp(middle), math.exp(middle - half), math.exp(middle + half))
