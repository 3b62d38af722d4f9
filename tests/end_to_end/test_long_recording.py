"""A recording of 25 hours (RF64, over 4 GB in the long form): what is said in it is found, to the sample, early and late.

The file is sparse: silence, and the same words at three places. What a segment at hour 24 gives must be what the same
words give in a recording of seconds, at the same place of their segment. The short form (in tools/test) measures how loud it
is, in long segments at 8 kHz; CONSORT_LONG=1 (tools/soak day) listens with silero, at 48 kHz, and looks at memory.
"""

import json
import os
import pathlib
import re
import struct
import subprocess
import sys
import time

import numpy
import pytest
import soundfile
import torch

import program

ROOT = pathlib.Path(__file__).resolve().parents[2]
LONG = os.environ.get("CONSORT_LONG", "") not in ("", "0")
RATE = 48000 if LONG else 8000
SEGMENT = 3 if LONG else 30  # s
HOURS = 25
PLACES = (10.0, 12 * 3600 + 10.0, 24 * 3600 + 59 * 60 + 50.0)  # s
MOST_GROWTH = 0.03
MOST_S = 1200 if LONG else 120  # it hangs


class Meter(torch.nn.Module):
    """How loud a segment is: any sample that differs changes it."""

    def forward(self, x):
        place = torch.arange(x.size(1)).to(x.dtype) / x.size(1)
        return torch.stack([(x * x).mean(1), (x.abs() * place).mean(1), x.amax(1)], 1)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    if LONG:
        return ROOT / "build/bundles/silero"
    folder = tmp_path_factory.mktemp("meter")
    (folder / "labels.txt").write_text("power\nplace\npeak\n")
    (folder / "meter.json").write_text(json.dumps({
        "consort": 1, "name": "meter", "audio": {"sample_rate": RATE, "channels": "mix", "segment_seconds": SEGMENT, "hop_seconds": SEGMENT},
        "features": {"kind": "waveform"}, "output": {"kind": "tags", "activation": "none", "labels": "labels.txt", "threshold": 1e-9}}))
    torch.jit.script(Meter().eval()).save(str(folder / "meter.pt"))
    subprocess.run([sys.executable, "-m", "consort_prepare", folder / "meter.pt", "-o", folder / "bundle", "--backend", "torchscript"],
                   check=True, capture_output=True, env={**os.environ, "PYTHONPATH": str(ROOT / "tools/prepare")})
    return folder / "bundle"


def words(sounds):
    """Speech of some seconds at RATE, as 16-bit samples."""
    import soxr

    pieces = []
    for path in sounds.wavs:
        samples, rate = soundfile.read(path, dtype="float64")
        pieces.append(soxr.resample(samples, rate, RATE))
    return numpy.round(numpy.concatenate(pieces)[: 6 * RATE] * 32000).astype("<i2")


def write_day(path, spoken):
    frames = HOURS * 3600 * RATE
    data = 2 * frames
    header = b"RF64" + struct.pack("<I", 0xFFFFFFFF) + b"WAVE"
    header += b"ds64" + struct.pack("<IQQQI", 28, 72 + data, data, frames, 0)
    header += b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, RATE, 2 * RATE, 2, 16)
    header += b"data" + struct.pack("<I", 0xFFFFFFFF)
    with open(path, "wb") as file:
        file.write(header)
        file.truncate(len(header) + data)
        for place in PLACES:
            file.seek(len(header) + 2 * round(place * RATE))
            file.write(spoken.tobytes())
    assert path.stat().st_blocks * 512 < 16e6, "not sparse: this file system would hold all of it"


def write_alone(path, spoken, place):
    """The same words with the silence that stands before them in their segment; returns that segment's number."""
    first = int(place // SEGMENT)
    before = round((place - first * SEGMENT) * RATE)
    soundfile.write(path, numpy.concatenate([numpy.zeros(before, numpy.int16), spoken,
                                             numpy.zeros(2 * SEGMENT * RATE, numpy.int16)]), RATE, subtype="PCM_16")
    return first


def pss(pids):
    total = 0
    for pid in pids:
        try:
            rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        total += int(re.search(r"^Pss:\s+(\d+)", rollup, re.MULTILINE).group(1)) * 1024
    return total


def is_silent(tags):
    return not tags or (LONG and tags[0]["score"] < 0.1)


def test_a_day_is_heard_to_its_end(tmp_path, start_consort, run_consort, sounds, bundle):
    spoken = words(sounds)
    write_day(tmp_path / "day.wav", spoken)
    out = tmp_path / "day.jsonl"
    began = time.monotonic()
    job = start_consort("run", "-m", bundle, "-o", out, "-p", 2, "-t", 1, "--format", "srt,vtt", tmp_path / "day.wav")
    first, memory = None, []
    while job.popen.poll() is None and time.monotonic() - began < MOST_S:
        if first is None and out.exists() and out.stat().st_size > 0:
            first = time.monotonic() - began
        memory.append((time.monotonic() - began, pss([job.pid, *(it.pid for it in job.workers())])))
        time.sleep(0.5 if LONG else 0.05)
    run = job.wait(timeout=1)
    assert run.exit == program.DONE, run.stderr
    took = time.monotonic() - began

    lines = program.read_results(out)
    assert len(lines) == HOURS * 3600 // SEGMENT
    assert [(line["start"], line["end"]) for line in lines] == [(k * SEGMENT, (k + 1) * SEGMENT) for k in range(len(lines))]
    spoken_in = {}
    for place in PLACES:
        path = tmp_path / f"{place}.wav"
        segment = write_alone(path, spoken, place)
        run = run_consort("run", "-m", bundle, "-o", "-", path)
        assert run.exit == program.DONE, run.stderr
        found = [json.loads(line)["tags"] for line in run.stdout.splitlines()]
        spoken_in |= {segment + k: tags for k, tags in enumerate(found) if not is_silent(tags) and segment + k < len(lines)}
    assert len(spoken_in) >= len(PLACES)
    for k, line in enumerate(lines):
        if k in spoken_in:
            assert line["tags"] == spoken_in[k], line
        else:
            assert is_silent(line["tags"]), line
    print(f"{took:.1f} s for {HOURS} hours; the first line after {first:.2f} s" if first is not None else f"{took:.1f} s")

    for name, comma in (("day.srt", ","), ("day.vtt", ".")):
        times = re.findall(r"^(\d+):(\d\d):(\d\d)[.,](\d\d\d) --> ", (tmp_path / name).read_text(), re.MULTILINE)
        starts = [(int(h) * 3600 + int(m) * 60 + int(s)) * 1000 + int(ms) for h, m, s, ms in times]
        assert starts == [round(line["start"] * 1000) for line in lines if line["tags"]]
        last = lines[-1]["start"]
        assert f"24:59:{last % 60:02.0f}{comma}000 --> 25:00:00{comma}000" in (tmp_path / name).read_text()

    middle = [size for at, size in memory if 0.4 * took < at < 0.95 * took and size > 0]
    if LONG:
        growth = numpy.mean(middle[-len(middle) // 4 :]) / numpy.mean(middle[: len(middle) // 4]) - 1
        print(f"memory of all processes in its second half: {min(middle) / 2**20:.1f} to {max(middle) / 2**20:.1f} MiB, {growth:+.2%}")
        assert abs(growth) <= MOST_GROWTH
