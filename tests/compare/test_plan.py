"""What is run, for how long, in which order, and what is dropped: on machines and budgets of any size."""

import collections
import json
import random

import pytest

from conftest import Comparison
from consort_compare import bundles, experiments, metrics, plan, session
from consort_compare.errors import CompareError
from consort_compare.experiments import Setting
from world import AOTI, TORCHSCRIPT, NoProgress, World, bundle

ROLES = bundles.roles([AOTI, TORCHSCRIPT])


@pytest.mark.parametrize("usable", (1, 2, 3, 4, 6, 12, 16, 48, 64, 96, 128, 256))
def test_every_machine_has_points_of_every_part(usable):
    found = experiments.everything(ROLES, usable)
    # Others exist on machines of some sizes only.
    assert set(experiments.RANKS) - {experiments.TOTAL, experiments.STEPS, experiments.BACKEND} <= set(found.values())
    assert len({it.key for it in found}) == len(found)
    assert len(found) < 150
    counts = experiments.thread_counts(usable)
    assert {1, 2, 4, 8, 16, usable} <= set(counts) and max(counts) <= max(16, 2 * usable)
    for total in experiments.totals(usable):
        splits = experiments.splits(total)
        assert splits[0] == (1, total) and splits[-1] == (total, 1) and len(set(splits)) == len(splits) <= experiments.MOST_SPLITS
        assert all(processes * threads == total for processes, threads in splits)
    assert 8 in experiments.equal_counts(usable) and usable in experiments.equal_counts(usable)


@pytest.mark.parametrize("usable", (2, 8, 64, 256))
@pytest.mark.parametrize("budget", (40, 120, 300, 600, 3600, 14400))
@pytest.mark.parametrize("start, engine_rate", ((0.1, 400.0), (0.8, 50.0), (6.0, 4.0)))
def test_the_plan_fits_any_budget_and_machine(usable, budget, start, engine_rate):
    world = World(usable, engine_rate=engine_rate, start=start)
    try:
        outcome = Comparison(world, budget).outcome
    except CompareError as error:
        # The shortest time that this model needs for a point, twice, is more than there is.
        assert budget <= 120 and start == 6.0 and "--minutes" in error.sentence()
        return
    last = max(seconds for _, seconds in world.runs) + 10 * start + 20 / engine_rate
    assert world.now <= budget + last, "it may be late by no more than one run"
    assert outcome.rounds >= 2 and all(outcome.rounds <= len(it.runs) <= outcome.rounds + 1 for it in outcome.points)
    assert len(outcome.seconds) == len(outcome.order) and all(outcome.order) and min(outcome.seconds) > 0
    assert {it.setting for it in outcome.points}.isdisjoint(setting for setting, _ in outcome.dropped)
    assert len(outcome.points) + len(outcome.dropped) == len(experiments.everything(ROLES, usable))
    if budget >= 3600 and usable <= 64:
        assert not outcome.dropped
    if not outcome.dropped and budget <= 600:
        assert world.now > 0.6 * budget, "the time is used"


def test_a_point_that_no_longer_fits_leaves_the_time_to_cheaper_ones():
    world, number = World(), plan.LEAST_ROUNDS
    settings = [Setting("m", 1, threads) for threads in (1, 2, 4)]
    dear = plan.order(settings, random.Random(session.SEED * 1000 + number))[0]
    costs = plan.Costs(2, {"m": 0.8}, {"m": 50.0})
    for it in settings:
        costs.saw(it, 1000.0 if it == dear else 1.0)
    points = {it: metrics.Point(it, 0) for it in settings}
    made = session.Session(ROLES, world, world.clock, NoProgress(), 600)
    assert not made._round(points, costs, 0.5, number, number + 1)
    assert {it for it in settings if points[it].runs} == set(settings) - {dear}


def test_what_is_dropped_first_is_stated_and_kept_to():
    outcome = Comparison(World(start=3.0), budget=300).outcome
    ranks = experiments.everything(ROLES, 2)
    assert outcome.dropped and all(why == "there was no time" for _, why in outcome.dropped)
    kept = [it.rank for it in outcome.points]
    dropped = [ranks[setting] for setting, _ in outcome.dropped]
    assert min(dropped) >= max(kept)
    assert experiments.SPLIT in kept


def test_fit_drops_by_rank_then_threads_until_the_rest_has_its_time():
    def costed(threads, rank):
        return plan.Costed(Setting("m", 1, threads), rank, 1.0, 2)
    points = [costed(1, 0), costed(2, 5), costed(4, 5), costed(8, 3)]
    found = plan.fit(10.0, points, 1.0)
    assert [it.threads for it in found.dropped] == [4, 2]
    assert found.seconds == pytest.approx((10 - 4) / 4)
    assert plan.fit(1000.0, points, 1.0) == plan.Fit(plan.MOST_SECONDS, [])
    assert len(plan.fit(0.0, points, 1.0).dropped) == 3, "the last one stays"


def test_rounds_come_before_long_runs_and_are_never_fewer_than_two():
    points = [plan.Costed(Setting("m", 1, threads), 0, 1.0, 1) for threads in (1, 2, 4, 8)]
    rounds = [plan.choose_rounds(seconds, points, 1.0) for seconds in (1, 17, 25, 60, 97, 500)]
    assert rounds[:2] == [2, 2] and rounds[2:4] == [3, 3] and rounds == sorted(rounds) and rounds[-1] == plan.ROUNDS[0]


def test_points_are_interleaved_in_rounds_of_different_order():
    outcome = Comparison(World()).outcome
    assert len(outcome.order) == outcome.rounds >= 2
    dropped = {setting.key for setting, _ in outcome.dropped}
    for order in outcome.order[:outcome.rounds]:
        assert collections.Counter(it for it in order if it not in dropped) == collections.Counter(it.setting.key for it in outcome.points)
    assert outcome.order[0] != outcome.order[1] and outcome.order[0] != sorted(outcome.order[0])


def test_an_order_depends_on_its_generator_alone():
    settings = list(experiments.everything(ROLES, 4))
    shuffled = random.Random(3).sample(settings, len(settings))
    assert plan.order(settings, random.Random(1)) == plan.order(shuffled, random.Random(1)) != plan.order(settings, random.Random(2))


def test_costs_start_as_a_guess_and_become_what_was_seen():
    costs = plan.Costs(2, {"m": 1.0}, {"m": 50.0})
    one, four = Setting("m", 1, 1), Setting("m", 4, 1)
    assert costs.guess(Setting("m", 4, 1, template=False)) > costs.guess(four) > costs.guess(one)
    costs.saw(one, 3 * costs.guess(one))
    assert costs.overhead(one) == pytest.approx(3 * costs.guess(one))
    assert costs.overhead(four) == pytest.approx(3 * costs.guess(four)), "the guess was as wrong elsewhere"
    costs.saw(one, costs.guess(one))
    assert costs.overhead(one) == pytest.approx(2 * costs.guess(one))


def test_a_point_that_fails_is_told_and_the_others_go_on():
    outcome = Comparison(World(failing=("intra=8",))).outcome
    failed = {setting.key: why for setting, why in outcome.dropped if why == "the model refused"}
    assert failed and all("intra=8" in key for key in failed)
    assert all(len(it.runs) == outcome.rounds for it in outcome.points)


def test_a_bundle_that_cannot_run_at_all_ends_it():
    with pytest.raises(CompareError, match="m: the model refused"):
        Comparison(World(failing=("m 1x1",)))


def test_a_grid_of_ones_own_replaces_the_published_one():
    outcome = Comparison(World(), grid=((1, 3), (1, 2))).outcome
    of_base = [it.setting for it in outcome.points if it.setting.bundle == "m-torchscript"]
    assert {(it.threads, it.intra) for it in of_base if it.intra > 1} == {(1, 2), (3, 2)}


def test_bundles_have_their_roles_by_model_backend_and_packing():
    bf16, other = bundle("m-bf16", "aoti", "bf16", 14), bundle("other", identity="two")
    found = bundles.roles([bf16, AOTI, other, TORCHSCRIPT])
    assert (found.main, found.base, found.packed) == (bf16, TORCHSCRIPT, AOTI)
    assert found.same == (bf16, AOTI, TORCHSCRIPT) and found.others == (other,)
    alone = bundles.roles([AOTI])
    assert (alone.main, alone.base, alone.packed) == (AOTI, AOTI, None)


def manifest(folder, **features):
    folder.mkdir()
    (folder / "model.json").write_text(json.dumps({
        "name": "m", "audio": {"segment_seconds": 3.0, "hop_seconds": 3.0}, "features": {"n_fft": 1024, **features},
        "output": {"kind": "tags", "labels": "labels.txt"},
        "prepared": {"backend": "aoti", "source": {"sha256": "1"}, "files": {"labels.txt": {"sha256": "2"}}}}))
    return str(folder)


def test_a_key_that_an_older_bundle_lacks_does_not_make_it_another_model(tmp_path):
    old, new, other, third = bundles.read([manifest(tmp_path / "old"), manifest(tmp_path / "new", log_offset=0.0),
                                           manifest(tmp_path / "other", n_fft=512), manifest(tmp_path / "third", log_offset=1e-3)])
    assert bundles.roles([old, new, other, third]).same == (old, new)
    assert bundles.roles([new, third, other, old]).same == (new, old)


def test_each_step_of_a_chain_changes_something_and_ends_at_consort():
    for chain in experiments.chains(ROLES, 8, True).values():
        settings = [it.setting for it in chain]
        assert len(set(settings)) == len(settings)
        assert [it.name for it in chain if not it.headline] == ["+ packed weights"]
        consort = next(it for it in chain if it.name == "+ pinned").setting
        assert consort == Setting("m-torchscript", consort.processes, consort.threads)
    threads = experiments.chains(ROLES, 8, True)["threads"]
    assert threads[0].setting.intra == experiments.DEFAULT_POOLS and threads[0].setting.glibc and not threads[0].setting.pinned
    assert not [it for chain in experiments.chains(ROLES, 8, False).values() for it in chain if it.setting.glibc or "jemalloc" in it.name]
