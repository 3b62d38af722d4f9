"""One point's run: which ends of it count, and that none is left behind."""

import os
import signal
import subprocess

import pytest

from consort_compare import measure, sounds
from consort_compare.errors import Interrupted, PointFailed
from consort_compare.experiments import Setting
from consort_compare.signals import Signals

# Stands in for `consort run`: its audio suffices from 64 operands on.
CONSORT = """#!/bin/bash
while [ "$1" != -- ]; do [ "$1" = --figures ] && figures=$2; shift; done; shift
[ $# -ge 64 ] && complete=true || complete=false
echo '{"complete": '$complete', "segments": {"counted": COUNTED}, "operands": '$#'}' > "$figures"
echo "consort: what went wrong" >&2
exec EXIT
"""


@pytest.fixture
def measurer(tmp_path):
    def make(end, counted=5, **options):
        path = tmp_path / "consort"
        path.write_text(CONSORT.replace("COUNTED", str(counted)).replace("exec EXIT", end))
        path.chmod(0o755)
        return measure.Measurer(str(path), sounds.Audio(["a.wav"]), str(tmp_path), **options)
    return make


def run(found):
    return found(Setting("m", 1, 1), "m", 1.0, 1.0)[0]


@pytest.mark.parametrize("status", (0, 3))
def test_audio_that_came_to_its_end_is_repeated_also_if_a_file_of_it_failed(measurer, status):
    assert run(measurer(f"exit {status}")) == {"complete": True, "segments": {"counted": 5}, "operands": 64}


@pytest.mark.parametrize("status", (0, 3))
def test_a_point_without_a_segment_is_an_error(measurer, status):
    with pytest.raises(PointFailed, match="not one segment could be done"):
        run(measurer(f"exit {status}", counted=0))


def test_other_ends_are_errors(measurer):
    with pytest.raises(PointFailed, match="^what went wrong$"):
        run(measurer("exit 1"))
    with pytest.raises(PointFailed, match="ended by SIGKILL"):
        run(measurer("kill -KILL $$"))


def test_a_signal_while_it_is_started_leaves_no_run(measurer, monkeypatch):
    started, begin = [], subprocess.Popen

    def begin_and_stop(*words, **options):
        started.append(begin(*words, **options))
        os.kill(os.getpid(), signal.SIGTERM)
        return started[0]
    monkeypatch.setattr(subprocess, "Popen", begin_and_stop)
    with Signals() as signals:
        found = measurer("exec sleep 600", held=signals.held)
        try:
            with pytest.raises(Interrupted):
                run(found)
            found.end()
            assert started[0].returncode == -signal.SIGKILL
        finally:
            started[0].kill()


@pytest.mark.parametrize("gone", (False, True))
def test_a_child_whose_parent_is_gone_before_it_asked_to_end_with_it_ends(gone):
    parent = os.getppid() if gone else os.getpid()
    assert subprocess.run(["true"], preexec_fn=measure._end_with(parent)).returncode == gone
