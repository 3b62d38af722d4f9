"""The paragraph on top follows the data: on machines where threads win, processes win, nothing differs."""

import dataclasses
import re

import pytest

from conftest import Comparison
from consort_compare import verdict
from consort_compare.experiments import Setting
from world import AOTI, TORCHSCRIPT, World, bundle


def first(words):
    """(processes, threads) that the first sentence recommends."""
    found = re.match(r"On this machine, with this model: (\d+) process(?:es)? × (\d+) threads?, ", words)
    return int(found[1]), int(found[2])


def test_processes_are_named_where_threads_get_in_each_others_way():
    found = Comparison(World(many_threads=0.3))
    assert first(found.words()) == (2, 1)
    assert "1 process × 2 threads: 7" in found.words() and "% slower" in found.words()
    assert re.search(r"8 processes are \d+ % faster than 8 threads of one process", found.words())


def test_threads_are_named_where_processes_cost():
    found = Comparison(World(many_processes=0.3))
    assert first(found.words()) == (1, 2)
    assert re.search(r"8 processes are \d+ % slower than 8 threads of one process", found.words())


def test_the_one_with_less_memory_is_named_where_nothing_differs():
    for seed in range(3):
        words = Comparison(World(oversubscribed=0.0, seed=seed)).words()
        assert first(words) == (1, 2), "as fast as two processes, and smaller"
        assert "2 processes × 1 thread does as much within the spread" in words
        assert "; the first takes the least memory." in words
        assert "8 processes and 8 threads of one process are equally fast within the spread" in words
        assert "Threads beyond the 2 usable CPUs bring no throughput that the spread shows" in words


def test_memory_is_not_claimed_where_the_spread_does_not_carry_it():
    words = Comparison(World(oversubscribed=0.0, noise=0.005, process_mib=0)).words()
    assert first(words) == (2, 1) and "least memory" not in words and "with more processes a death costs less" in words


def test_nothing_is_said_of_deaths_where_none_was_measured():
    words = Comparison(World(oversubscribed=0.0, noise=0.005, process_mib=0, failing=("kill",))).words()
    assert first(words) == (2, 1) and "1 process × 2 threads does as much within the spread." in words and "death" not in words


def test_noise_is_not_taken_for_a_difference():
    """With a spread of a tenth, a difference of 2 % must never be claimed as sure."""
    claimed = 0
    for seed in range(10):
        found = Comparison(World(noise=0.15, many_threads=0.02, seed=seed, intra_cost=0.0))
        claimed += "slower" in found.words().split("Against")[0].split(".")[1]
        assert "wide spread, marked ≈" in found.words()
    assert claimed <= 2


def test_intra_op_is_told_with_its_cause():
    found = Comparison(World(intra_cost=0.4)).words()
    assert re.search(r"Intra-op threads above 1 are slower in 1\d of 1\d points", found)
    assert re.search(r"because the pools' threads wait for each other: a segment costs 1\.\d× the CPU time, at a CPU use of 9\d % against", found)
    helped = Comparison(World(usable=4, intra_cost=-0.5)).words()
    assert "Intra-op threads above 1 help" in helped and "slower in" not in helped
    none = Comparison(World(intra_cost=0.0)).words()
    assert "make no difference that the spread carries" in none


def test_code_with_one_thread_compiled_in_says_so():
    assert "has one thread compiled in" in Comparison(World(), given=(AOTI,)).words()


def test_threads_beyond_the_cpus_cost_latency():
    found = Comparison(World(oversubscribed=0.05)).words()
    assert re.search(r"Threads beyond the 2 usable CPUs cost \d+ % of throughput, and with 16 a segment takes \d+\.\d\d× \(.*\) as long", found)


def test_what_a_death_costs_is_told_where_it_differs():
    found = Comparison(World(death_ms=100.0)).words()
    assert re.search(r"death loses (9\d|10\d) ms of engines' work with 8 processes, (7\d\d|8\d\d) ms with 8 threads in one", found)


def test_the_headline_is_one_backend_and_its_intervals_hold_the_truth():
    found = Comparison(World())
    rows = {published: ratio for published, _, ratio in verdict.headline(found.measured, found.roles, 8)}
    threads = 0.85 * 0.6  # glibc and pools cost throughput, and so latency, in this world
    assert rows["latency −37.5 %"].low <= threads <= rows["latency −37.5 %"].high
    assert rows["peak memory −34 % (jemalloc)"].low <= 1 / 1.6 <= rows["peak memory −34 % (jemalloc)"].high
    assert rows["memory −50 %"].value < 0.5
    without = dataclasses.replace(found.roles, packed=None)
    assert verdict.headline(found.measured, without, 8) == verdict.headline(found.measured, found.roles, 8), "packing counts in none"
    assert "on one backend (torchscript)" in found.words()


def test_drift_of_the_machine_is_a_spread_and_not_a_result():
    steady, drifting = Comparison(World(many_threads=0.8)), Comparison(World(many_threads=0.8, drift=0.1))
    pair = Setting("m", 1, 8), Setting("m", 8, 1)
    a, b = steady.measured.ratio(*pair, "per_second"), drifting.measured.ratio(*pair, "per_second")
    assert b.low <= a.value <= b.high
    assert first(steady.words()) == first(drifting.words())


def test_several_bundles_of_one_model_are_ranked_and_other_models_are_not():
    other = bundle("another", identity="two")
    found = Comparison(World(), budget=1200, given=(AOTI, TORCHSCRIPT, other))
    assert re.search(r"Of this model's bundles m is the fastest: 1\.\d\d× \(.*\) m-torchscript\.", found.words())
    assert "another" not in found.words()
    assert Setting("another", 2, 1) in found.measured


def test_a_sentence_of_another_bundle_than_the_first_names_it():
    words = Comparison(World(oversubscribed=0.05)).words()
    for begin in ("Threads beyond", "Intra-op threads above 1", "Against naive programs"):
        assert f"With m-torchscript: {begin}" in words
    assert "With m-torchscript" not in Comparison(World(), given=(TORCHSCRIPT, AOTI)).words()


def test_a_bundle_that_was_named_and_not_measured_is_told():
    given = (AOTI, TORCHSCRIPT, bundle("silero", identity="two"))
    short = Comparison(World(), budget=25, given=given)
    assert "silero was not measured: there was no time; give more --minutes." in short.words()
    assert "silero was not measured: there was no time" in " ".join(short.report()[1]["words"])
    assert "not measured" not in Comparison(World(), budget=1200, given=given).words()


def test_an_early_end_is_told(usual):
    words = " ".join(verdict.sentences(usual.measured, usual.roles, 2, True, interrupted=True))
    assert "ended early" in words and "ended early" not in usual.words()


@pytest.mark.parametrize("share, text", ((0.004, "0.4 %"), (0.099, "9.9 %"), (0.0996, "10 %"), (0.42, "42 %")))
def test_percent(share, text):
    assert verdict.percent(share) == text
