"""A signal at any time: nothing is left, and what is finished is kept."""

import contextlib
import os
import signal
import tempfile

import pytest

from consort_compare import bundles, cli, machine, session
from consort_compare.errors import Interrupted
from consort_compare.signals import Signals
from world import AOTI, TORCHSCRIPT


def stop(number=signal.SIGINT):
    os.kill(os.getpid(), number)


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """(the report's, the scratch's)"""
    found = tmp_path / "out", tmp_path / "scratch"
    for it in found:
        it.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(found[1]))
    monkeypatch.setattr(bundles, "read", lambda _: [AOTI, TORCHSCRIPT])
    return found


def main(out):
    return cli.main(["--consort", "/bin/true", "-m", "m", "-o", str(out / "out.html"), "a.wav"])


@contextlib.contextmanager
def handled(number, handler):
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)


def test_what_the_caller_ignores_stays_ignored():
    with handled(signal.SIGHUP, signal.SIG_IGN):
        with Signals() as signals:
            stop(signal.SIGHUP)
            with pytest.raises(Interrupted):
                stop(signal.SIGTERM)
        assert signals.noted == 0 and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


def test_a_second_signal_breaks_nothing_off():
    with Signals():
        with pytest.raises(Interrupted):
            stop()
        stop(signal.SIGTERM)


def test_a_held_signal_raises_at_the_end():
    reached = False
    with Signals() as signals, pytest.raises(Interrupted) as raised:
        with signals.held():
            stop(signal.SIGTERM)
            stop(signal.SIGINT)
            reached = True
    assert reached and raised.value.number == signal.SIGTERM


@pytest.mark.parametrize("maker", ("mkstemp", "mkdtemp"))
def test_a_signal_while_files_are_made_leaves_none(folders, monkeypatch, capsys, maker):
    make = getattr(tempfile, maker)

    def make_and_stop(*words, **options):
        made = make(*words, **options)
        stop()
        return made
    monkeypatch.setattr(tempfile, maker, make_and_stop)
    assert main(folders[0]) == 128 + signal.SIGINT
    assert capsys.readouterr().err.splitlines()[-1].endswith("nothing was written")
    assert [list(it.iterdir()) for it in folders] == [[], []]


def test_a_file_whose_mode_cannot_be_set_is_not_left(folders, monkeypatch, capsys):
    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")
    monkeypatch.setattr(os, "fchmod", refuse)
    assert main(folders[0]) == cli.FAILED
    assert "operation not permitted" in capsys.readouterr().err
    assert list(folders[0].iterdir()) == []


def test_a_signal_after_the_rounds_lets_the_report_be_finished(folders, monkeypatch, capsys, usual):
    class Done:
        def __init__(self, *_):
            pass

        def run(self, rounds_done):
            rounds_done()
            return usual.outcome

    describe = machine.describe

    def stop_and_describe(*words):
        stop(signal.SIGTERM)
        stop(signal.SIGINT)
        return describe(*words)
    monkeypatch.setattr(session, "Session", Done)
    monkeypatch.setattr(machine, "describe", stop_and_describe)
    assert main(folders[0]) == 128 + signal.SIGTERM
    told = capsys.readouterr()
    assert told.out.splitlines()[-1] == f"report: {folders[0]}/out.html" and "nothing" not in told.err
    assert [sorted(x.name for x in it.iterdir()) for it in folders] == [["out.html", "out.json"], []]


def test_ctrl_c_does_not_reach_what_is_run_for_the_report(tmp_path):
    tool = tmp_path / "consort"
    tool.write_text('#!/bin/bash\nread -ra told < /proc/$$/stat\necho "consort $((told[4] == $$))"\n')
    tool.chmod(0o755)
    assert machine._version(str(tool)) == "1", "its group is its own"
