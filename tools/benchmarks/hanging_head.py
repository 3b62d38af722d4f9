"""Rate of the rest while the first file of the list hangs, as a share of what its engines do undisturbed.

A hang takes its engine, so the rest of W workers is compared with W - 1 of them on the same list without the hanging
file. "spin" also takes a CPU from whoever shares it; "stop" does not. Rounds are interleaved.
"""

import argparse
import json
import os
import statistics
import subprocess
import time

from benchmarks import common

WORKERS = 2
WORDS = ("stop", "spin")
WARM_S = 2


def parser():
    words = argparse.ArgumentParser(prog="tools/bench hanging-head")
    words.add_argument("--seconds", type=float, default=10, help="how long the first file hangs [10]")
    words.add_argument("--rounds", type=int, default=3)
    return words


def segments(out):
    words = [common.program("consort"), "status", "--json", out]
    told = subprocess.run(words, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(told)["segments"] if told.startswith("{") else 0


def rate(folder, options, word):
    """Segments a second from WARM_S after the start until the hang ends."""
    out = folder / "out.jsonl"
    listing = folder / "list"
    names = [f"{folder}/+~{word}@0~.flac"] if word else []
    listing.write_text("".join(name + "\n" for name in names + common.sounds() * 500))
    job = common.start("--quiet", "-m", common.bundle("null"), "-o", out, "--restart", "-p",
                       WORKERS if word else WORKERS - 1, "-t", 1, "--segment-timeout", 10 * options.seconds, listing,
                       env={"CONSORT_NULL_SEGMENT_US": "3000"})
    time.sleep(WARM_S)
    before, began = segments(out), time.monotonic()
    time.sleep(options.seconds)
    after, took = segments(out), time.monotonic() - began
    if job.poll() is not None:
        common.fail("the job ended before the hang did: a longer list is needed")
    job.kill()
    job.wait()
    return (after - before) / took


def measure(quick, options):
    rates = {word: [] for word in ("", *WORDS)}
    with common.scratch() as folder:
        for word in WORDS:
            os.symlink(common.sounds()[-1], folder / f"+~{word}@0~.flac")
        for _ in range(1 if quick else options.rounds):
            for word, found in rates.items():
                found.append(rate(folder, options, word))
    usual = statistics.median(rates[""])
    names = {word: f"{WORKERS} workers, the first file: {word}" for word in WORDS}
    names[""] = f"undisturbed, {WORKERS - 1} worker"
    common.table(("", "segments a second, median (least–most)", "share"),
                 [(names[word], common.spread(found, 0), f"{statistics.median(found) / usual:.2f}")
                  for word, found in rates.items()])
