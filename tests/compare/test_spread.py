"""What repeats say, and that it is true."""

import math
import random

import pytest

from consort_compare import metrics, spread


@pytest.mark.parametrize("degrees, quantile", ((3, 3.182), (4, 2.776), (5, 2.571), (6, 2.447), (10, 2.228), (30, 2.042), (1000, 1.962)))
def test_quantiles_are_those_of_student(degrees, quantile):
    assert spread.t_quantile(degrees) == pytest.approx(quantile, rel=0.02)


@pytest.mark.parametrize("repeats", (2, 3, 5))
def test_intervals_hold_the_truth_nineteen_times_in_twenty(repeats):
    generator = random.Random(repeats)
    samples = [[100 * math.exp(generator.gauss(0, 0.02)) for _ in range(repeats)] for _ in range(2000)]
    typical = spread.typical_variance(samples)
    assert math.sqrt(typical) == pytest.approx(0.02, rel=0.15)
    held = sum(it.low <= 100 <= it.high for it in (spread.estimate(values, typical) for values in samples))
    assert 0.94 < held / len(samples) < 0.995


def test_ratios_are_taken_round_by_round_so_that_drift_cancels():
    generator = random.Random(2)
    pace = [math.exp(generator.gauss(0, 0.2)) for _ in range(3)]
    a = {n: 110 * it for n, it in enumerate(pace)}
    b = {n: 100 * it for n, it in enumerate(pace)}
    found = spread.ratio(a, b, 1e-6)
    assert found.value == pytest.approx(1.1) and found.differs and found.high - found.low < 0.01
    assert spread.estimate(list(a.values()), 1e-6).half > 0.1


def test_equal_points_differ_one_time_in_twenty():
    generator = random.Random(5)
    def draw():
        return {n: math.exp(generator.gauss(0, 0.03)) for n in range(3)}
    pairs = [(draw(), draw()) for _ in range(2000)]
    typical = spread.typical_variance([list(it.values()) for pair in pairs for it in pair])
    differ = sum(spread.ratio(a, b, typical).differs for a, b in pairs)
    assert 0.015 < differ / len(pairs) < 0.075


def test_what_cannot_be_told_is_none():
    assert spread.typical_variance([[1.0], []]) is None
    assert spread.estimate([], 0.1) is None and spread.estimate([1.0, 0.0], 0.1) is None
    assert spread.ratio({0: 1.0}, {1: 1.0}, 0.1) is None
    assert not spread.estimate([1.0, 1.0], 1e-8).wide and spread.estimate([1.0, 2.0], 1e-8).wide


def rate_curve(per_second, at, gap, until, usual=None):
    """Segments every 100 ms; none for `gap` seconds from `at`."""
    points, count, now = [], 0.0, 0.0
    while now <= until:
        points.append([now, int(count)])
        now = round(now + 0.1, 3)
        count += 0 if at < now <= at + gap else 0.1 * per_second
    return points


@pytest.mark.parametrize("gap", (0.3, 0.8))
def test_recovery_is_the_gap_in_the_curve(gap):
    full, deficit = metrics.recovery(rate_curve(200, 2.0, gap, 5.0), 2.0)
    assert full == pytest.approx(1e3 * gap, abs=110) and deficit == pytest.approx(1e3 * gap, abs=110)


def test_recovery_is_not_told_from_too_little():
    assert metrics.recovery([[0, 0], [1, 2]], 0.5) == (None, None)
    assert metrics.recovery(rate_curve(2, 2.0, 0.3, 5.0), 2.0) == (None, None)
    never, deficit = metrics.recovery(rate_curve(200, 2.0, 3.0, 5.0), 2.0)
    assert never is None and deficit > 2500


def test_a_runs_figures_become_metrics_and_unknowns_are_left_out(usual):
    figures = dict(usual.outcome.raw[0]["figures"])
    found = metrics.of_run(figures)
    assert found["per_second"] == figures["segments"]["per_second"] and "death_lost_ms" not in found
    memory = {"peak_pss_bytes": 5, "mean_pss_bytes": None, "samples": [[0.1, 1], [0.9, 3], [1.0, 5]]}
    assert metrics.of_run(figures | {"memory": memory})["mean_pss_bytes"] == 4, "of the samples since all were ready"
    assert "mean_pss_bytes" not in metrics.of_run(figures | {"memory": memory | {"samples": []}})
    figures |= {"latency_ms": dict.fromkeys(("mean", "p50", "p95", "p99", "most")),
                "cpu": {"user_s": None, "system_s": 1.0, "of_usable": None}}
    assert {"latency_mean_ms", "cpu_of_usable", "cpu_ms_per_segment"}.isdisjoint(metrics.of_run(figures))
