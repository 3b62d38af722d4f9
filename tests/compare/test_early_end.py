"""A signal in the middle: the report is made once two rounds are whole."""

import signal

import pytest

from conftest import Comparison
from consort_compare import bundles, session
from consort_compare.errors import Interrupted
from world import AOTI, NoProgress, World


class InterruptedWorld(World):
    """Is told to stop at its n-th run, probes among them."""

    def __init__(self, at, **options):
        super().__init__(**options)
        self.at = at

    def __call__(self, *words):
        if len(self.runs) == self.at:
            raise Interrupted(signal.SIGINT)
        return super().__call__(*words)


def test_before_two_rounds_there_is_nothing_to_report():
    points = len(Comparison(World(), 1200).outcome.points)
    for at in (0, 1, 30, 2 + points + points // 2):
        with pytest.raises(Interrupted):
            Comparison(InterruptedWorld(at), 1200)


def test_a_signal_after_the_last_run_loses_nothing():
    world = World()
    made = session.Session(bundles.roles([AOTI]), world, world.clock, NoProgress(), 600)

    def stopped():
        raise Interrupted(signal.SIGTERM)
    outcome = made.run(stopped)
    assert outcome.interrupted == signal.SIGTERM and outcome.rounds == outcome.planned_rounds


def test_a_round_in_which_nothing_ran_is_none():
    points = len(Comparison(World(), 1200).outcome.points)
    outcome = Comparison(InterruptedWorld(2 + 2 * points), 1200).outcome
    assert outcome.rounds == len(outcome.order) == len(outcome.seconds) == 2


def test_after_two_rounds_what_was_measured_counts():
    points = len(Comparison(World(), 1200).outcome.points)
    found = Comparison(InterruptedWorld(2 + 2 * points + 5), 1200)
    assert found.outcome.interrupted == signal.SIGINT and found.outcome.rounds == 2 < found.outcome.planned_rounds
    assert sorted(len(it.runs) for it in found.outcome.points) == [2] * (points - 5) + [3] * 5
    text, data = found.report()
    assert "The comparison was ended early." in text and data["plan"]["interrupted_by"] == signal.SIGINT
