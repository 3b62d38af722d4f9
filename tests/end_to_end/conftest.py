"""Fixtures of the end-to-end tests: they run the built program, as a person would.

What they hand out is made in audio.py (sounds), bundles.py (bundles), program.py (running consort)
and processes.py (who is still alive, what was left behind).
"""

import os
import pathlib
import signal
import subprocess
import sys
import uuid

import pytest

sys.path.insert(0, os.path.dirname(__file__))

import audio  # noqa: E402
import bundles  # noqa: E402
import processes  # noqa: E402
import program  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
GROUPS = pathlib.Path("/sys/fs/cgroup")


@pytest.fixture(scope="session", autouse=True)
def no_profiles(tmp_path_factory):
    """No test reads or writes the profiles of whoever runs the tests."""
    os.environ["XDG_CONFIG_HOME"] = str(tmp_path_factory.mktemp("config"))


@pytest.fixture(scope="session", autouse=True)
def signals_are_heard():
    """What nohup, or a script's `&`, has us ignore, the programs under test would ignore, too. A signal that has a
    handler here is theirs by default."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: None)  # nohup is for us


@pytest.fixture(scope="session")
def consort():
    """Path of the program: $CONSORT_BIN, or the release build's."""
    path = pathlib.Path(os.environ.get("CONSORT_BIN", ROOT / "build/release/bin/consort")).resolve()
    if not os.access(path, os.X_OK):
        pytest.fail(f"no program {path}: call tools/test, or set CONSORT_BIN")
    return path


@pytest.fixture(scope="session")
def runner(consort, tmp_path_factory):
    """The Runner for what lasts longer than one test; a test takes run_consort or start_consort."""
    made = program.Runner(consort, tmp_path_factory.mktemp("home"))
    yield made
    made.end_all()


@pytest.fixture
def run_consort(runner):
    """run_consort(*args, env={}, cwd=None, stdin=b"", timeout=60, without_root_powers=False) → Run"""
    return runner.run


@pytest.fixture
def start_consort(runner):
    """start_consort(*args, …) → Job: a running program, for signals. Ended with the test."""
    jobs = []

    def start(*args, **options):
        jobs.append(runner.start(*args, **options))
        return jobs[-1]

    yield start
    for job in jobs:
        job.end()


@pytest.fixture
def leftovers():
    """leftovers() → what is new in /dev/shm since the test began."""
    return processes.Leftovers()


@pytest.fixture(scope="session")
def sounds():
    """sounds.wavs (spoken, 48 kHz mono) and sounds.flacs (instruments, 44.1 kHz), sorted paths."""
    return audio.installed_sounds()


@pytest.fixture(scope="session")
def silero_vad(tmp_path_factory):
    """silero-vad as it was published, whose state goes through a file, as tools/models/make makes it."""
    place = tmp_path_factory.mktemp("silero-vad")
    for words in ([ROOT / "tools/models/silero.py", place / "vad.pt", "--vad"],
                  ["-m", "consort_prepare", place / "vad.pt", "-o", place / "bundle", "--backend", "torchscript"]):
        done = subprocess.run([sys.executable, *words], cwd=ROOT / "tools/prepare", capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    return place / "bundle"


@pytest.fixture
def null_bundle(tmp_path):
    """null_bundle(segment_seconds=3, hop_seconds=3, labels=8, top_k=5) → a bundle's folder."""
    counter = iter(range(1_000_000))

    def make(**options):
        return bundles.write_null_bundle(tmp_path / f"null-bundle-{next(counter)}", **options)

    return make


@pytest.fixture(scope="session")
def cnn14_quarter():
    """A real bundle: Cnn14 at a quarter of its width, random weights, 32 kHz, segments of 3 s."""
    folder = ROOT / "build/bundles/cnn14-quarter"
    if not (folder / "model.json").exists():
        pytest.fail(f"no bundle {folder}: call tools/models/make cnn14-quarter")
    return folder


@pytest.fixture
def in_group(tmp_path):
    """in_group(controller, {file: value}) → words to put before a command, which then runs in a
    new control group of version 1."""
    made = []

    def make(controller, values):
        parent = GROUPS / controller
        if not (parent / "cgroup.procs").exists() or (GROUPS / "cgroup.controllers").exists():
            pytest.skip(f"no control groups of version 1 at {parent}")
        # Inside our own group, so that whatever bounds the tests bounds this, too.
        own = next((line.split(":", 2)[2] for line in
                    pathlib.Path("/proc/self/cgroup").read_text().splitlines()
                    if controller in line.split(":", 2)[1].split(",")), "/")
        if (parent / own.lstrip("/")).is_dir():
            parent = parent / own.lstrip("/")
        group = parent / f"consort-test-{uuid.uuid4().hex}"
        try:
            group.mkdir()
        except OSError as error:
            pytest.skip(f"cannot make a control group: {error}")
        made.append(group)
        try:
            for name, value in values.items():
                (group / name).write_text(str(value))
        except OSError as error:
            pytest.skip(f"cannot set {name}: {error}")
        enter = tmp_path / f"enter-{len(made)}"
        enter.write_text(f'#!/bin/sh\necho $$ > {group}/cgroup.procs && exec "$@"\n')
        enter.chmod(0o755)
        return enter, group

    yield make
    for group in made:
        processes.wait_until(lambda: not (group / "cgroup.procs").read_text().split(), 10)
        group.rmdir()
