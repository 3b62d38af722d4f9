"""A model that remembers: what it says of a segment depends on all that lie before it in the file, and on nothing else.

The oracle is Python: the model itself, loaded anew for each file, over the file's segments in order.
"""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time

import numpy
import pytest
import torch

import audio
import processes
from conftest import ROOT
from program import DONE, SOME_FAILED, by_file, read_results
from reference import Reference

RATE, SEGMENT = 1000, 0.1  # Hz, seconds
LONG = 600     # segments of the longer file of a folder
LONGEST = 1800  # of a file alone: going through half of it again takes seconds
FAST = {"CONSORT_COMMIT_MS": "20"}


class Remembering(torch.nn.Module):
    """Input (1, 100). A fading mean of levels in a buffer, segments heard in another, and a number in a plain
    attribute that depends on the order of what was heard. Takes some milliseconds, so that something can befall it."""

    def __init__(self):
        super().__init__()
        self.register_buffer("fading", torch.zeros(1))
        self.register_buffer("heard", torch.zeros(1))
        self.register_buffer("idle", torch.eye(256))
        self.order = torch.zeros(1)

    def forward(self, x):
        level = x.abs().mean()
        self.fading.mul_(0.75).add_(level)
        self.heard += 1
        self.order = torch.frac(1.7 * self.order + 10 * level)
        work = self.idle
        for _ in range(6):
            work = torch.mm(work, self.idle)
        return torch.cat([self.fading, self.heard, self.order * work[0, 0]]).unsqueeze(0)


MANIFEST = {
    "consort": 1, "name": "remembering",
    "audio": {"sample_rate": RATE, "channels": "mix", "segment_seconds": SEGMENT, "hop_seconds": SEGMENT},
    "features": {"kind": "waveform"},
    "output": {"kind": "tags", "labels": "labels.txt", "top_k": 3, "threshold": 0.0},
    "stateful": True,
}


def write_sound(path, segments, seed):
    count = round(segments * RATE * SEGMENT) - seed % 37  # the last segment is cut off
    noise = numpy.random.default_rng(seed)
    loudness = numpy.repeat(noise.uniform(0.01, 0.9, segments), round(RATE * SEGMENT))[:count]
    return audio.write(path, noise.uniform(-1, 1, count) * loudness, RATE)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """(the TorchScript file, its bundle)"""
    folder = tmp_path_factory.mktemp("model")
    (folder / "labels.txt").write_text("fading\nheard\norder\n")
    (folder / "model.json").write_text(json.dumps(MANIFEST))
    torch.jit.save(torch.jit.script(Remembering().eval()), str(folder / "model.pt"))
    done = subprocess.run([sys.executable, "-m", "consort_prepare", folder / "model.pt", "-o", folder / "bundle", "--backend", "torchscript"],
                          cwd=ROOT / "tools/prepare", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "model.pt", folder / "bundle"


def in_python(model, files):
    """The bytes that a run over these files, in this order, is to give."""
    lines = []
    for file in files:
        anew = Reference(str(model))
        lines += [anew.line(scored) for scored in anew.score(str(file))]
    return "".join(line + "\n" for line in lines).encode()


@pytest.fixture(scope="module")
def sounds_of_many_lengths(tmp_path_factory, model):
    """A folder of 40 short files with a long one and a longer one among them, and what is to come out."""
    folder = tmp_path_factory.mktemp("sounds")
    lengths = random.Random(1)
    for n in range(40):
        write_sound(folder / f"{n:02d}.{'wav' if n % 2 else 'flac'}", lengths.choice([1, 2, 3, 10, 40]), n)
    write_sound(folder / "10-long.wav", 300, 100)
    write_sound(folder / "20-longer.flac", LONG, 101)
    return folder, in_python(model[0], sorted(folder.iterdir()))


@pytest.fixture(scope="module")
def long_sound(tmp_path_factory, model):
    path = write_sound(tmp_path_factory.mktemp("long") / "long.wav", LONGEST, 7)
    return path, in_python(model[0], [path])


def segments_counted(out):
    try:
        with sqlite3.connect(f"file:{out}.job/journal.db?mode=ro", uri=True) as journal:
            return (journal.execute("SELECT segments FROM job").fetchone() or (0,))[0]
    except sqlite3.Error:
        return 0


def wait_for_segments(out, count):
    assert processes.wait_until(lambda: segments_counted(out) >= count), "it does not get on"


@pytest.mark.parametrize("split", [(1, 1), (2, 1), (1, 3), (2, 2)])
def test_every_segment_is_heard_behind_those_before_it(run_consort, tmp_path, model, sounds_of_many_lengths, split):
    folder, expected = sounds_of_many_lengths
    out = tmp_path / "out.jsonl"
    run = run_consort("run", "-m", model[1], "-o", out, "-p", split[0], "-t", split[1], folder)
    assert run.exit == DONE, run.stderr
    assert out.read_bytes() == expected


def test_a_file_that_stands_twice_in_the_list_begins_anew(run_consort, tmp_path, model):
    sound = write_sound(tmp_path / "a.wav", 20, 3)
    out = tmp_path / "out.jsonl"
    assert run_consort("run", "-m", model[1], "-o", out, "-p", 1, "-t", 1, sound, sound).exit == DONE
    assert out.read_bytes() == 2 * in_python(model[0], [sound])


@pytest.mark.parametrize("split", [(2, 1), (2, 2)])
def test_kills_of_workers_change_no_byte(start_consort, tmp_path, model, sounds_of_many_lengths, split):
    folder, expected = sounds_of_many_lengths
    out = tmp_path / "out.jsonl"
    running = start_consort("run", "-m", model[1], "-o", out, "-p", split[0], "-t", split[1], folder)
    kills = 0
    for _ in range(6):
        time.sleep(random.uniform(0.2, 0.6))
        workers = forked(running)
        if running.popen.poll() is None and workers:
            kills += 1
            kill(random.choice(workers).pid)
    run = running.wait()
    assert run.exit == DONE, run.stderr
    assert kills > 0 and out.read_bytes() == expected


def forked(job):
    """Its workers, without the templates."""
    everyone = job.processes()
    templates = {it.pid for it in everyone if it.parent == job.pid}
    return [it for it in everyone if it.parent in templates]


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def test_kills_of_the_supervisor_inside_a_long_file_change_no_byte(start_consort, run_consort, tmp_path, model, long_sound):
    sound, expected = long_sound
    out = tmp_path / "out.jsonl"
    words = ("run", "-m", model[1], "-o", out, "-p", 1, "-t", 1, sound)
    for part in (0.2, 0.4, 0.6):
        running = start_consort(*words, env=FAST)
        wait_for_segments(out, part * LONGEST)
        running.signal(signal.SIGKILL)
        assert running.wait().exit == 137
        assert 0 < len(out.read_bytes()) < len(expected)
    run = run_consort(*words)
    assert run.exit == DONE and "going on: the one file is not done yet" in run.stderr
    assert out.read_bytes() == expected


def test_a_stopped_job_goes_on_inside_a_file(start_consort, run_consort, tmp_path, model, long_sound):
    sound, expected = long_sound
    out = tmp_path / "out.jsonl"
    words = ("run", "-m", model[1], "-o", out, sound)
    running = start_consort(*words, env=FAST)
    wait_for_segments(out, 100)
    running.signal(signal.SIGTERM)  # what is in flight would end first: all of the file, or ten seconds of it
    running.signal(signal.SIGINT)  # at once
    assert running.wait().exit in (128 + signal.SIGTERM, 128 + signal.SIGINT)
    assert run_consort(*words).exit == DONE
    assert out.read_bytes() == expected


def cpu_seconds(pid):
    """Of all its threads, so far."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rpartition(") ")[2].split()
    except OSError:
        return 0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("split", [(1, 1), (1, 2)])
def test_a_job_that_stops_does_not_wait_for_what_is_done_again(consort, start_consort, run_consort, tmp_path, model, long_sound, split):
    sound, expected = long_sound
    out = tmp_path / "out.jsonl"
    words = ("run", "-v", "-m", model[1], "-o", out, "-p", split[0], "-t", split[1], "--segment-timeout", 0, sound)
    running = start_consort(*words, env=FAST)
    wait_for_segments(out, 100)
    running.signal(signal.SIGKILL)
    running.wait()
    # What is done again never ends, but that the job is stopped.
    running = start_consort(*words, env={"CONSORT_WORKER": str(consort.with_name("consort-worker-faults")),
                                         "CONSORT_FAULT": "spin@forward:long:50"})
    assert processes.wait_until(lambda: any(cpu_seconds(it.pid) > 1 for it in forked(running))), "it does not spin"
    kept = out.read_bytes()
    running.signal(signal.SIGINT)
    run = running.wait()
    assert run.exit == 128 + signal.SIGINT, run.stderr
    assert "went through earlier segments again, and is not waited for" in run.stderr
    assert "restarts    0 workers" in run.stderr, run.stderr
    assert out.read_bytes() == kept
    run = run_consort(*words)
    assert run.exit == DONE, run.stderr
    assert out.read_bytes() == expected


def test_what_is_done_again_is_no_hang_however_long_it_takes(start_consort, tmp_path, model, long_sound):
    sound, expected = long_sound
    out = tmp_path / "out.jsonl"
    running = start_consort("run", "-m", model[1], "-o", out, "-p", 1, "-t", 1, "--segment-timeout", 1, sound, env=FAST)
    wait_for_segments(out, 0.6 * LONGEST)
    kill(forked(running)[0].pid)
    run = running.wait()
    assert run.exit == DONE, run.stderr
    assert out.read_bytes() == expected
    assert "restarts    1 worker (0 crashed, 1 killed)" in run.stderr, run.stderr


@pytest.mark.parametrize("guilty, attempts", [(0, 3), (7, 3), (400, 2)])
def test_a_poison_segment_ends_its_file_and_nothing_else(consort, run_consort, tmp_path, model, sounds_of_many_lengths, guilty, attempts):
    folder, expected = sounds_of_many_lengths
    name = str(folder / "20-longer.flac")
    out = tmp_path / "out.jsonl"
    run = run_consort("run", "-m", model[1], "-o", out, "-p", 2, "-t", 2, "--attempts", attempts, folder,
                      env={"CONSORT_WORKER": str(consort.with_name("consort-worker-faults")),
                           "CONSORT_FAULT": f"segv@forward:20-longer:{guilty}"})
    assert run.exit == SOME_FAILED, run.stderr
    (tmp_path / "expected.jsonl").write_bytes(expected)
    calm, files = by_file(read_results(tmp_path / "expected.jsonl")), by_file(read_results(out))
    *lines, error = files.pop(name)
    assert lines == calm.pop(name)[:guilty]
    assert error["error"]["code"] == "crashed" and error["error"]["at"] == pytest.approx(guilty * SEGMENT)
    assert f"{attempts} times while this segment was alone in it" in error["error"]["message"]
    assert files == calm
    told = [json.loads(line) for line in (tmp_path / "out.jsonl.job/quarantine.jsonl").read_text().splitlines()]
    assert [line["segment"] for line in told] == [guilty] and told[0]["deaths"] == attempts


def test_a_poison_segment_is_tried_again_from_the_files_beginning(consort, run_consort, tmp_path, model, sounds_of_many_lengths):
    folder, expected = sounds_of_many_lengths
    out = tmp_path / "out.jsonl"
    words = ("run", "-m", model[1], "-o", out, folder)
    run = run_consort(*words, "--attempts", 1, env={"CONSORT_WORKER": str(consort.with_name("consort-worker-faults")),
                                                    "CONSORT_FAULT": "segv@forward:10-long:200"})
    assert run.exit == SOME_FAILED, run.stderr
    again = run_consort(*words, "--retry-failed")
    assert again.exit == DONE, again.stderr
    assert out.read_bytes() == expected
