"""tune's choice against the best of the whole grid {1,2,3,4} processes x {1,2,3,4} threads, and the time either takes.

For each bundle, --times times: `consort tune`; then every split of the grid, --repeats times in turns, for as long as
tune's longest trial each; then the grid's best and tune's choice in turns, --again times. The ratio is of medians of
these last ones: above 1, tune's choice was faster.
"""

import argparse
import itertools
import json
import os
import statistics
import subprocess
import time

from benchmarks import common

GRID = list(itertools.product((1, 2, 3, 4), repeat=2))


def parser():
    made = argparse.ArgumentParser(prog="tools/bench tune", description=__doc__)
    made.add_argument("--bundles", nargs="+", default=["cnn14-quarter"], metavar="BUNDLE",
                      help="names in build/bundles, or paths [cnn14-quarter]")
    made.add_argument("--times", type=int, default=3, help="how often all of it is done for a bundle [3]")
    made.add_argument("--seconds", type=float, default=120, help="of tune [120]")
    made.add_argument("--repeats", type=int, default=3, help="of each split of the grid [3]")
    made.add_argument("--again", type=int, default=7, help="interleaved pairs at the end [7]")
    return made


def find(name):
    return name if os.sep in name else common.bundle(name)


def tune(folder, bundle, seconds):
    """(choice, its longest trial's seconds, seconds it took)"""
    began = time.monotonic()
    done = subprocess.run([common.program("consort"), "tune", "-m", bundle, "--seconds", str(seconds), "--json",
                           "--quiet", *common.sounds()], env=os.environ | {"XDG_CONFIG_HOME": str(folder / "config")},
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    took = time.monotonic() - began
    if done.returncode != 0:
        common.fail(f"tune ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    told = json.loads(done.stdout)
    with open(told["profile"]) as file:
        trials = json.load(file)["trials"]
    print(f"  {told['verdict']} ({took:.0f} s, {len(trials)} trials)", flush=True)
    return (told["best"]["processes"], told["best"]["threads"]), max(it["seconds"] for it in trials), took


class Meter:
    """Segments a second of one split, by `run --measure`, over a list that does not run out."""

    def __init__(self, folder, bundle):
        self.folder, self.bundle = folder, bundle
        self.listing = folder / "list.txt"
        self.listing.write_text("".join(sound + "\n" for sound in common.sounds() * 2000))

    def __call__(self, split, seconds):
        words = ("--quiet", "--progress", "none", "--restart", "-m", self.bundle, "-p", split[0], "-t", split[1],
                 "-o", self.folder / "out.jsonl", self.listing)
        return common.measured(self.folder, words, seconds)["segments"]["per_second"]


def one(folder, bundle, options):
    """(ratio, share of the grid's time, choice, the grid's best)"""
    choice, seconds, tune_s = tune(folder, bundle, options.seconds)
    meter = Meter(folder, bundle)
    rates = {split: [] for split in GRID}
    began = time.monotonic()
    for _ in range(options.repeats):
        for split in GRID:
            rates[split].append(meter(split, seconds))
    grid_s = time.monotonic() - began
    best = max(GRID, key=lambda split: statistics.mean(rates[split]))
    print(f"  the grid's best: {best[0]} x {best[1]}, {statistics.mean(rates[best]):.1f} segments/s ({grid_s:.0f} s, points of "
          f"{seconds:.1f} s)", flush=True)
    if best == choice:
        return 1.0, tune_s / grid_s, choice, best
    pairs = {choice: [], best: []}
    for turn in range(max(1, options.again)):
        for split in (choice, best) if turn % 2 == 0 else (best, choice):
            pairs[split].append(meter(split, seconds))
    ratio = statistics.median(pairs[choice]) / statistics.median(pairs[best])
    return ratio, tune_s / grid_s, choice, best


def measure(quick, options):
    if quick:
        options.times, options.repeats, options.again, options.seconds = 1, 1, 3, 20
    rows = []
    for name in options.bundles:
        bundle, ratios, shares, choices = find(name), [], [], []
        for turn in range(options.times):
            print(f"{name}, {turn + 1} of {options.times}", flush=True)
            with common.scratch() as folder:
                ratio, share, choice, best = one(folder, bundle, options)
            print(f"  tune's choice ÷ the grid's best: {ratio:.3f}; {100 * share:.0f} % of the grid's time", flush=True)
            ratios.append(ratio)
            shares.append(share)
            choices.append(f"{choice[0]} x {choice[1]} / {best[0]} x {best[1]}")
        rows.append((name, common.spread(ratios), common.spread([100 * it for it in shares], 0), ", ".join(choices)))
    common.table(("bundle, median (least–most)", "choice ÷ grid's best", "% of the grid's time", "choice / best"), rows)
