"""Memory while one long recording is worked on: flat with jemalloc? With glibc's allocator beside it.

Of the whole tree: PSS; PSS but for pages of files, which whoever else on the machine has LibTorch loaded shares, so
that it alone is the job's own doing; and what processes have to themselves. The recording is made by script: tones
that glide, and noise. "From minute 10" is of the recording, by the lines that the results have.
"""

import argparse
import contextlib
import json
import pathlib
import statistics
import subprocess
import sys
import time

import numpy
import soundfile

from benchmarks import common
from benchmarks.peers import environment

RATE = 32000
MODELS = ("cnn14-quarter", "silero")
WORKERS = {"jemalloc": "consort-worker", "glibc": "consort-worker-glibc"}
FLAT = 0.03
PLOT = pathlib.Path(__file__).parent / "plot_memory.py"


def parser():
    words = argparse.ArgumentParser(prog="tools/bench memory-of-a-recording", description=__doc__)
    words.add_argument("--hours", type=float, default=2, help="of the recording [2]")
    words.add_argument("--model", action="append", help=f"a bundle's name; may be repeated [{', '.join(MODELS)}]")
    words.add_argument("--only", choices=WORKERS, help="one allocator instead of both")
    words.add_argument("-p", type=int, default=2, help="worker processes [2]")
    return words


def make_recording(path, seconds):
    """A minute at a time: tones whose pitch and loudness glide, and some noise."""
    noise = numpy.random.default_rng(1)
    with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16") as file:
        for minute in range(0, seconds, 60):
            clock = numpy.arange(min(60, seconds - minute) * RATE) / RATE + minute
            samples = 0.05 * noise.standard_normal(len(clock), dtype=numpy.float32)
            for pitch in (220, 1370, 5210):
                samples += (0.15 + 0.1 * numpy.sin(clock / 7 + pitch)) * numpy.sin(2 * numpy.pi * pitch * clock
                                                                                 + 40 * numpy.sin(clock / 3))
            file.write(samples)


def memory_of(pid):
    """(PSS, PSS but for files, private) in MiB of a process and all below it."""
    pss = own = private = 0
    for one in common.tree(pid):
        with contextlib.suppress(OSError):
            for line in pathlib.Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    pss += int(line.split()[1])
                elif line.startswith(("Pss_Anon:", "Pss_Shmem:")):
                    own += int(line.split()[1])
                elif line.startswith(("Private_Clean:", "Private_Dirty:")):
                    private += int(line.split()[1])
    return pss / 1024, own / 1024, private / 1024


class Lines:
    """How many a growing file has."""

    def __init__(self, path):
        self.path, self.file, self.count = path, None, 0

    def __call__(self):
        with contextlib.suppress(FileNotFoundError):
            self.file = self.file or open(self.path, "rb")
            while block := self.file.read(1 << 20):
                self.count += block.count(b"\n")
        return self.count


def run(folder, recording, segments, model, worker, workers):
    """Samples (seconds, share of the recording done, and what memory_of tells) while the job runs."""
    out = folder / f"{model}-{worker}.jsonl"
    job = common.start("-m", common.bundle(model), "-o", out, "--quiet", "-p", workers, "-t", 1, recording,
                       env={"CONSORT_WORKER": str(common.program(worker))})
    began, lines, samples = time.monotonic(), Lines(out), []
    while job.poll() is None:
        done = lines() / segments
        memory = memory_of(job.pid)
        if done < 1:
            samples.append((time.monotonic() - began, done, *memory))
        time.sleep(0.1)
    common.finish(job)
    if lines() != segments:
        common.fail(f"{out.name} has {lines()} lines, not {segments}")
    return samples


def figures(samples, seconds, column):
    values = [it[column] for it in samples if it[1] * seconds >= 600]
    if len(values) < 10:
        common.fail("too few samples from minute 10 on: give more --hours")
    mean = statistics.fmean(values)
    return {"peak": max(it[column] for it in samples), "mean": mean, "flatness": (max(values) - min(values)) / mean}


def segments_of(model, seconds):
    audio = json.loads((common.bundle(model) / "model.json").read_text())["audio"]
    left = seconds - audio["segment_seconds"]
    return 1 + max(0, -int(-left // audio["hop_seconds"]))


def plot(found, folder):
    source = folder / "memory-of-a-recording.json"
    source.write_text(json.dumps(found))
    outs = [source.with_suffix(".svg"), source.with_suffix(".png")]
    python = environment.PYTHON if environment.PYTHON.exists() else sys.executable
    done = subprocess.run([python, PLOT, source, *outs], capture_output=True, text=True)
    if done.returncode:
        print(f"  no plot, only {source}: {done.stderr.strip().splitlines()[-1]} (tools/bench peers installs it)")
    else:
        print(f"  plot: {outs[0]}")


def measure(quick, options):
    seconds = round(3600 * (0.5 if quick and options.hours == 2 else options.hours))
    chosen = {options.only: WORKERS[options.only]} if options.only else WORKERS
    found, rows, verdicts = {"seconds": seconds, "models": {}}, [], []
    with common.scratch() as folder:
        recording = folder / "recording.flac"
        make_recording(recording, seconds)
        for model in options.model or MODELS:
            curves = found["models"][model] = {}
            for allocator, worker in chosen.items():
                samples = curves[allocator] = run(folder, recording, segments_of(model, seconds), model, worker, options.p)
                for name, column in (("PSS", 2), ("PSS but for files", 3), ("private", 4)):
                    it = figures(samples, seconds, column)
                    rows.append((f"{model}, {allocator}, {name}", f"{it['peak']:.1f}", f"{it['mean']:.1f}",
                                 f"{100 * it['flatness']:.2f} %", f"{samples[-1][0]:.0f}"))
                    if allocator == "jemalloc" and name != "private":
                        verdicts.append(f"{model}, {name}: {'flat' if it['flatness'] <= FLAT else 'NOT FLAT'} within "
                                        f"{100 * FLAT:.0f} % with jemalloc from minute 10 on")
    common.table((f"MiB, {seconds / 3600:g} h of audio, -p {options.p} -t 1", "peak", "mean from minute 10",
                  "(most - least) / mean", "seconds"), rows)
    for verdict in verdicts:
        print(f"  {verdict}")
    folder = environment.MADE
    folder.mkdir(parents=True, exist_ok=True)
    plot(found, folder)
