"""Rate with 50 ms and 20 MB/s injected into reads, as a share of the undisturbed rate; with and without read-ahead.

The storage is slow_storage.c, put before the C library; it models a disk or a network file system whose files are
cached once they were read. Results are compared byte by byte. Rounds are interleaved.
"""

import argparse
import filecmp
import os
import shutil
import statistics
import subprocess
import wave

from benchmarks import common

WORKERS = 2
RECORDING_HZ = 16_000  # 4.8 ms a segment of 3 s at 20 MB/s: less than a segment's computing
# (what, bundle, files, microseconds a null segment takes)
CASES = (("null, short files", "null", "short", 120_000),
         ("cnn14-quarter, short files", "cnn14-quarter", "short", 0),
         ("cnn14-quarter, recordings", "cnn14-quarter", "long", 0))
WAYS = ("quick", "slow", "slow, no read-ahead")


def parser():
    words = argparse.ArgumentParser(prog="tools/bench slow-storage")
    words.add_argument("--ms", type=int, default=50, help="from asking until the first byte comes [50]")
    words.add_argument("--mb-s", type=float, default=20, help="how fast they come, for each worker [20]")
    words.add_argument("--rounds", type=int, default=3)
    return words


def make_files(folder, quick):
    """kind → a list. Copies: the same file twice would be cached the second time."""
    for kind in ("short", "long"):
        (folder / kind).mkdir()
    for n, sound in enumerate(common.sounds()[:40 if quick else None]):
        shutil.copy(sound, folder / "short" / f"{n:03d}{os.path.splitext(sound)[1]}")
    for n in range(2):
        with wave.open(os.fspath(folder / "long" / f"{n}.wav"), "wb") as file:
            file.setparams((1, 2, RECORDING_HZ, 0, "NONE", ""))
            for _ in range(4 if quick else 160):  # long enough that a job's start is a small part of it
                file.writeframes(os.urandom(2 * RECORDING_HZ * 30))
    return {kind: folder / kind for kind in ("short", "long")}


def shim(folder):
    path = folder / "slow_storage.so"
    source = os.path.join(os.path.dirname(__file__), "slow_storage.c")
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", path, source, "-ldl", "-lpthread"], check=True)
    return path


def environment(way, options, library, files, segment_us):
    env = {"CONSORT_NULL_SEGMENT_US": str(segment_us)}
    if way != "quick":
        env |= {"LD_PRELOAD": os.fspath(library), "CONSORT_SLOW_UNDER": os.fspath(files),
                "CONSORT_SLOW_MS": str(options.ms), "CONSORT_SLOW_MB_S": str(options.mb_s)}
    if way == "slow, no read-ahead":
        env["CONSORT_READ_AHEAD"] = "0"
    return env


def measure(quick, options):
    rows = []
    with common.scratch() as folder:
        folder = folder.resolve()
        library = shim(folder)
        files = make_files(folder, quick)
        for what, model, kind, segment_us in CASES:
            seconds = {way: [] for way in WAYS}
            for number in range(1 if quick else options.rounds):
                for way in WAYS if number == 0 else WAYS[:2]:  # minutes, without read-ahead
                    out = folder / f"{WAYS.index(way)}.jsonl"
                    env = environment(way, options, library, files[kind], segment_us)
                    seconds[way].append(common.run_seconds("-m", common.bundle(model), "-o", out, "--restart", "-p",
                                                           WORKERS, "-t", 1, files[kind], env=env))
                    if not filecmp.cmp(folder / "0.jsonl", out, shallow=False):
                        common.fail(f"{what}: other results when storage is {way}")
            usual = statistics.median(seconds["quick"])
            rows += [(f"{what}: {way}", common.spread(seconds[way], 1), f"{usual / statistics.median(seconds[way]):.2f}")
                     for way in WAYS]
    common.table(("", "s, median (least–most)", "share of the rate"), rows)
