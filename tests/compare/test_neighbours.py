"""What others took of the CPUs is told, and on top where it is much."""

import re

import pytest

from conftest import Comparison
from consort_compare import neighbours, verdict
from world import World

BEFORE = "cpu 9 9 9 9 9 9 9 9 0 0\ncpu0 100 0 100 1000 0 0 0 0 0 0\ncpu1 0 0 0 0 0 0 0 0 0 0\ncpu2 0 0 0 0 0 0 0 0 0 0\nintr 5\n"
AFTER = "cpu 9 9 9 9 9 9 9 9 0 0\ncpu0 500 0 200 1500 0 0 0 100 0 0\ncpu1 500 0 0 600 0 0 0 0 0 0\ncpu2 9999 0 0 0 0 0 0 0 0 0\nintr 5\n"


def test_the_share_is_what_was_busy_and_not_ours_and_what_the_host_took():
    texts, own = iter((BEFORE, AFTER)), iter((1.0, 9.0))
    found = neighbours.Neighbours(lambda: next(texts), lambda: next(own), {0, 1}).share()
    assert found == pytest.approx((10.0 - 8.0 + 1.0) / 22.0), "CPU 2 is none of ours"


def test_what_cannot_be_read_is_not_known():
    assert neighbours.Neighbours(lambda: "cpu0 x", lambda: 0.0, {0}).share() is None


def test_a_machine_that_was_not_quiet_is_told_first():
    found = Comparison(World())
    words = verdict.sentences(found.measured, found.roles, 2, others=0.31)
    assert re.match(r"The machine was not quiet: others had 31 % of its CPUs meanwhile", words[0])
    assert verdict.sentences(found.measured, found.roles, 2, others=0.02)[0].startswith("On this machine")
    assert verdict.sentences(found.measured, found.roles, 2, others=None)[0].startswith("On this machine")
