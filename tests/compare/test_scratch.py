"""The folder that is this process's own, and what dead ones left."""

import os
import signal
import tempfile

import pytest

from consort_compare import scratch


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def killed_owner():
    """A process that made a folder, and was killed."""
    child = os.fork()
    if child == 0:
        try:
            scratch.Scratch()
            os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL


def test_what_a_killed_one_left_is_taken_away_and_what_lives_is_not(place):
    alive = scratch.Scratch()
    killed_owner()
    (name,) = {it.name for it in place.iterdir()} - {os.path.basename(alive.path)}
    (place / name / "run").mkdir()
    (place / name / "run/recording.wav").write_text("long")
    of_tune = place / name.replace("compare", "tune")
    of_tune.mkdir()
    other = scratch.Scratch()
    assert sorted(map(str, place.iterdir())) == sorted((alive.path, other.path))
    alive.take_away()
    other.take_away()
    assert list(place.iterdir()) == []


def test_what_may_be_somebody_elses_is_left(place):
    boot = scratch._boot_id()
    kept = [f"consort-compare-{'0' * 8}-abcdefgh", "consort-compare-abcdefgh", "consort-tunes", f"x-consort-tune-{boot}-abc"]
    for name in kept:
        (place / name).mkdir()
    (place / f"consort-compare-{boot}-file").write_text("")
    (place / f"consort-compare-{boot}-link").symlink_to(place / kept[0])
    scratch.Scratch().take_away()
    assert len(list(place.iterdir())) == len(kept) + 2


def test_without_a_boot_id_or_locks_it_works_and_takes_nothing_away(place, monkeypatch):
    killed_owner()
    with monkeypatch.context() as without:
        without.setattr(scratch, "_boot_id", lambda: "")
        scratch.Scratch().take_away()
        assert len(list(place.iterdir())) == 1
    monkeypatch.setattr(scratch, "_locked", lambda *_, **__: None)
    made = scratch.Scratch()
    assert scratch._boot_id() not in os.path.basename(made.path) and os.path.isdir(made.path)
    made.take_away()
    assert len(list(place.iterdir())) == 1
