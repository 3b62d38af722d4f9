"""Recordings damaged in every way: each ends in its lines, or in one error line with a code; and the supervisor, which
must survive whatever a file does, opens none of them."""

import collections
import json
import os
import pathlib
import random
import re
import shutil
import subprocess

import pytest

import bundles
import mutants
from faults import DONE, LONG, ROOT, SOME_FAILED

FILES = int(os.environ.get("CONSORT_FILES", "10000")) if LONG else 200
BATCH = 500  # files of a job
SECONDS = 0.25
CODES = set(re.findall(r"^\| `([a-z_]+)` \|", (ROOT / "docs/results.md").read_text().split("## Error codes")[1]
                       .split("\n## ")[0], re.MULTILINE))


def check_lines(name, lines):
    """Segments one after the other from the file's beginning; an error is the last line, but for `crashed`."""
    start = 0
    for n, line in enumerate(lines):
        if "error" not in line:
            assert line["start"] == pytest.approx(start * SECONDS, abs=0.001), (name, line)
            start += 1
            continue
        assert line["error"]["code"] in CODES and line["error"]["message"], (name, line)
        if line["error"]["code"] == "crashed":
            start += 1
        else:
            assert n == len(lines) - 1, (name, lines)


def run(runner, bundle, out, sounds, *options):
    return runner.run("run", "-m", bundle, "-o", out, "--quiet", *options, sounds, timeout=600,
                      env={"CONSORT_NULL_READ": "1"})


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    return mutants.seeds(tmp_path_factory.mktemp("seeds"))


def test_mutants_end_in_lines_or_in_one_coded_error(job, runner, seeds, tmp_path):
    seed = int(os.environ.get("CONSORT_SEED", random.randrange(10**6) if LONG else 1))
    bundle = bundles.write_null_bundle(tmp_path / "bundle", segment_seconds=SECONDS, hop_seconds=SECONDS)
    codes, deaths, slowest = collections.Counter(), 0, []
    for first in range(0, FILES, BATCH):
        place = tmp_path / f"place{first}"
        sounds = place / "mutants"
        sounds.mkdir(parents=True)
        paths = mutants.write(sounds, seeds, min(BATCH, FILES - first), f"{seed}:{first}")
        about = f"CONSORT_SEED={seed}, files from {first}"
        out = place / "out.jsonl"
        ended = run(runner, bundle, out, sounds, "-p", 2, "-t", 2)
        assert ended.exit in (DONE, SOME_FAILED), (about, ended.exit, ended.stderr)
        files = {}
        for line in map(json.loads, out.read_text().splitlines()):
            files.setdefault(line["file"], []).append(line)
        assert list(files) == [str(path) for path in paths], about
        failed = 0
        for name, lines in files.items():
            check_lines(name, lines)
            of_it = [line["error"]["code"] for line in lines if "error" in line]
            codes.update(of_it or ["no error"])
            failed += bool(of_it)
        assert (ended.exit == SOME_FAILED) == (failed > 0), about
        told = json.loads(runner.run("status", "--json", out).stdout)
        died = sum(told["restarts"]["workers"].values())
        deaths += died
        assert told["restarts"]["templates"] == {"crashed": 0, "killed": 0}, about
        assert all(it["deaths"] > 0 for it in told["quarantine"]), about
        assert not told["quarantine"] or died > 0, about
        # Nor does it matter who reads them, and in which order.
        again = place / "again.jsonl"
        assert run(runner, bundle, again, sounds, "-p", 1, "-t", 1).exit == ended.exit, about
        assert again.read_bytes() == out.read_bytes(), about
        shutil.rmtree(place)
    print(f"\n{FILES} mutants (CONSORT_SEED={seed}): {dict(codes.most_common())}; {deaths} deaths of workers")
    assert codes["no error"] > 0 and len(codes) > 3  # the damage is neither too small nor too great


def test_the_supervisor_opens_none_of_them(job, seeds, tmp_path):
    sounds = tmp_path / "mutants"
    sounds.mkdir()
    paths = mutants.write(sounds, seeds, 20, 1)
    log = tmp_path / "strace.log"
    done = subprocess.run(["strace", "-f", "-qq", "-e", "trace=open,openat,openat2,execve", "-o", log, job.consort, "run", "-m",
                           job.bundle, "-o", tmp_path / "out.jsonl", "--quiet", sounds], capture_output=True, text=True,
                          timeout=120)
    assert done.returncode in (DONE, SOME_FAILED), done.stderr
    calls = [line.split(maxsplit=1) for line in log.read_text(errors="replace").splitlines()]
    supervisor = calls[0][0]  # its loop; the other thread looks at /proc alone
    opened = {pathlib.Path(path).name for pid, call in calls if pid == supervisor
              for path in re.findall(r'^open\w*\(.*?"([^"]*)"', call)}
    assert {"journal.db", sounds.name} <= opened  # what it must open is seen
    assert not opened & {path.name for path in paths}
    assert any(paths[0].name in call for pid, call in calls if pid != supervisor)  # a worker's is seen
