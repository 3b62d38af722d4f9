"""A job of some minutes with -p auto -t auto and no profile, against the same job with tune's profile.

Whole jobs, from the command line to their end, in turns; what they write is compared byte by byte. The share is of
medians: above 1, auto was faster.
"""

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import time

from benchmarks import common


def parser():
    made = argparse.ArgumentParser(prog="tools/bench auto", description=__doc__)
    made.add_argument("--bundles", nargs="+", default=["cnn14-quarter"], metavar="BUNDLE", help="names in build/bundles [cnn14-quarter]")
    made.add_argument("--minutes", type=float, default=5, help="that a job takes, about [5]")
    made.add_argument("--rounds", type=int, default=2, help="of one job each [2]")
    return made


def tune(config, bundle):
    """(processes, threads, segments a second) of the choice, whose profile is then in `config`."""
    done = subprocess.run([common.program("consort"), "tune", "-m", bundle, "--json", "--quiet", *common.sounds()],
                          env=os.environ | {"XDG_CONFIG_HOME": str(config)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        common.fail(f"tune ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    told = json.loads(done.stdout)
    print(f"  {told['verdict']}", flush=True)
    best = told["best"]
    return best["processes"], best["threads"], best["segments_per_second"]


def segments_of_a_pass(folder, bundle):
    """How many segments the sounds have, by doing them once."""
    out = folder / "pass.jsonl"
    common.run_seconds("-m", bundle, "-o", out, *common.sounds())
    return common.count_lines(out)


def job(folder, bundle, listing, config):
    """(seconds, SHA-256 of the results, what the run says of its split)"""
    out = folder / "out.jsonl"
    began = time.monotonic()
    told = common.finish(common.start("--restart", "--progress", "none", "-m", bundle, "-p", "auto", "-t", "auto", "-o", out, listing,
                                      env={"XDG_CONFIG_HOME": str(config)}))
    took = time.monotonic() - began
    digest = hashlib.sha256(out.read_bytes()).hexdigest()
    return took, digest, told


def measure(quick, options):
    if quick:
        options.minutes, options.rounds = 0.5, 1
    rows = []
    for name in options.bundles:
        bundle = common.bundle(name)
        with common.scratch() as folder:
            configs = {"auto": folder / "none", "tuned": folder / "config"}
            processes, threads, rate = tune(configs["tuned"], bundle)
            passes = max(1, round(rate * 60 * options.minutes / segments_of_a_pass(folder, bundle)))
            listing = folder / "list.txt"
            listing.write_text("".join(sound + "\n" for sound in common.sounds() * passes))
            seconds = {which: [] for which in configs}
            digests = set()
            for turn in range(options.rounds):
                for which in sorted(configs, reverse=turn % 2 == 1):
                    took, digest, told = job(folder, bundle, listing, configs[which])
                    if ("tuned profile" in told) != (which == "tuned"):
                        common.fail(f"{which}: the run {'took no' if which == 'tuned' else 'took a'} profile: {told[-500:]}")
                    seconds[which].append(took)
                    digests.add(digest)
                    print(f"  {which}: {took:.1f} s", flush=True)
        share = statistics.median(seconds["tuned"]) / statistics.median(seconds["auto"])
        rows.append((name, f"{processes} x {threads}", common.spread(seconds["auto"], 1), common.spread(seconds["tuned"], 1),
                     f"{share:.3f}", "the same" if len(digests) == 1 else "NOT THE SAME"))
    common.table(("seconds, median (least–most)", "tuned split", "auto", "tuned", "auto's rate ÷ tuned's", "bytes"), rows)
