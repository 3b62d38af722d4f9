"""--retry-failed killed at each of its system calls: the old results or the new ones, never a mix."""

import os
import shutil

import pytest

import faults
from faults import DONE, KILLED, SOME_FAILED


@pytest.fixture(scope="module")
def mended(job, tmp_path_factory):
    """A finished job with a failed file, the file mended since; and the bytes before and after."""
    folder = tmp_path_factory.mktemp("retry")
    listing = folder / "list"
    sounds = sorted(os.path.realpath(it) for it in job.sounds.iterdir())
    listing.write_text("".join(f"{it}\n" for it in [*sounds[:5], folder / "missing.flac", *sounds[5:9]]))
    job.sounds, kept = listing, job.sounds
    try:
        assert job.run(folder / "old.jsonl").returncode == SOME_FAILED
        before = (folder / "old.jsonl").read_bytes()
        (folder / "missing.flac").symlink_to(sounds[20])
        assert job.run(folder / "new.jsonl").returncode == DONE
        yield folder, before, (folder / "new.jsonl").read_bytes()
    finally:
        job.sounds = kept


@pytest.mark.parametrize("call", ("rename", "fsync", "fdatasync", "unlink", "write", "pwrite64", "ftruncate"))
def test_killed_at_any_call_it_leaves_the_old_results_or_the_new(job, mended, call):
    folder, before, after = mended
    kills = 0
    for n in faults.numbers(first_few=6, step=5):
        place = folder / f"{call}{n}"
        place.mkdir()
        out = place / "old.jsonl"
        shutil.copy(folder / "old.jsonl", out)
        shutil.copytree(folder / "old.jsonl.job", place / "old.jsonl.job")
        status, _, told = job.with_fault(out, call, f"signal=KILL:when={n}", "--retry-failed")
        if status == KILLED:
            kills += 1
            assert out.read_bytes() in (before, after)
            assert job.run(out, "--retry-failed").returncode == DONE
        else:
            assert status == DONE, told
        assert out.read_bytes() == after
        assert sorted(os.listdir(place)) == ["old.jsonl", "old.jsonl.job", "strace.log"]
        again = job.run(out)
        assert again.returncode == DONE and "nothing to do" in again.stderr
        shutil.rmtree(place)
        if status != KILLED:
            break
    assert kills >= (0 if call == "ftruncate" else 1)
