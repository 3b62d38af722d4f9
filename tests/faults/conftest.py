"""Fixtures of the fault tests: system calls that fail or are the last, power that goes.

The oracle is always the same: the bytes of an undisturbed run. Here the short forms; tools/soak runs
the long ones (CONSORT_LONG=1).
"""

import os
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "end_to_end")]

import faults  # noqa: E402
import program  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def no_profiles(tmp_path_factory):
    """No test reads or writes the profiles of whoever runs the tests."""
    os.environ["XDG_CONFIG_HOME"] = str(tmp_path_factory.mktemp("config"))


@pytest.fixture(scope="session")
def job(tmp_path_factory):
    """A short job: faults.Job."""
    return faults.Job(tmp_path_factory.mktemp("faults"))


@pytest.fixture(scope="session")
def runner(job, tmp_path_factory):
    """Starts consort so that whoever belongs to it can be told: program.Runner."""
    made = program.Runner(job.consort, tmp_path_factory.mktemp("home"))
    yield made
    made.end_all()


@pytest.fixture(scope="session")
def real_bundle():
    """Cnn14 at a quarter of its width, random weights."""
    folder = faults.ROOT / "build/bundles/cnn14-quarter"
    if not (folder / "model.json").exists():
        pytest.fail(f"no bundle {folder}: call tools/models/make cnn14-quarter")
    return folder


@pytest.fixture(scope="session")
def shim(tmp_path_factory):
    """The library that stands between the supervisor and its files."""
    return faults.build_shim(tmp_path_factory.mktemp("shim"))
