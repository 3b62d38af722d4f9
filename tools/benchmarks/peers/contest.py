"""Runs contestants: warm before the clock starts. Memory has a run of its own, since looking at it takes time from
who is looked at (the kernel walks page tables, some ten milliseconds for a tree with a large model).

Work is timed from "ready" (all is loaded and warm) to the last byte of the results, by the output
file's time of change; whole is from exec to exit.
"""

import contextlib
import json
import os
import signal
import subprocess
import time

from benchmarks import common, limit
from benchmarks.peers import contestants

# Every how manieth sound: one pass over them stays short, and is some thirty segments or all 226.
EVERY = {"cnn14": 8, "cnn14-quarter": 1}
LIMIT_SECONDS = 3.0
SAMPLE_SECONDS = 0.25
MOST_SECONDS = 180.0  # a pool whose workers die at their start makes new ones for ever
# Scores have four decimals. A bf16 peer is another model: only nonsense is refused.
MOST_DIFFERENCE = {"fp32": 2e-3, "bf16": 0.5}
LEAST_EQUAL_TAGS = {"fp32": 0.99, "bf16": 0.3}


class Work:
    """Lists of one model's sounds."""

    def __init__(self, model, folder):
        self.folder = folder
        self.sounds = common.sounds()[::EVERY[model]]
        self.segments = None  # of one pass

    def list(self, passes):
        return limit.write_list(self.folder / "list.txt", self.sounds, passes)

    def list_for(self, rate, seconds):
        return self.list(max(1, round(rate * seconds / self.segments)))


def run(one, listing, folder, sampled=False):
    """One contestant over one list: {"work", "whole", "rate", … }, or {"failed"}. `sampled`: with its memory, and slower for that."""
    out, told_path, error_path = folder / "out.jsonl", folder / "told.txt", folder / "error.txt"
    out.unlink(missing_ok=True)
    to_monotonic = time.clock_gettime(time.CLOCK_MONOTONIC) - time.time()
    began = time.monotonic()
    with open(told_path, "w") as told_file, open(error_path, "w") as error_file:
        job = subprocess.Popen([str(word) for word in one.command(listing, out)], stdin=subprocess.DEVNULL,
                               stdout=told_file, stderr=error_file, env=one.variables())
        samples = []
        while True:
            if time.monotonic() - began > MOST_SECONDS:
                for pid in common.tree(job.pid):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                job.wait(SAMPLE_SECONDS)
                break
            if sampled:
                samples.append((time.monotonic(), common.pss_mib(job.pid)))
    whole = time.monotonic() - began
    told = told_path.read_text() + error_path.read_text()
    if job.returncode not in common.ENDED_WELL or not out.exists():
        return {"failed": told.strip()[-300:]}
    segments = common.count_lines(out)
    ready, done = one.ready(told), out.stat().st_mtime + to_monotonic
    work = done - ready
    pss = [mib for at, mib in samples if ready <= at and at + SAMPLE_SECONDS / 2 <= done]
    return {"segments": segments, "work": work, "whole": whole, "rate": segments / work, "whole_rate": segments / whole,
            "pss_peak": max(pss, default=None), "pss_mean": sum(pss) / len(pss) if pss else None,
            "stages": one.stages(told)}


def bare(bundle, listing):
    """(the limit, the same with all cores at work): CPUs ÷ the seconds that the stages of a segment take."""
    first = contestants.CPUS[0]
    alone = limit.read_alone(limit.start_alone(bundle, listing, first))
    together = [limit.read_alone(it) for it in [limit.start_alone(bundle, listing, cpu) for cpu in contestants.CPUS]]
    return {"stages_ms": {stage: 1e3 * alone[stage] for stage in contestants.STAGES}, "rate": len(contestants.CPUS) / alone["sum"],
            "together_rate": sum(1 / it["sum"] for it in together)}


# ---- before the rounds: the same work? ----

def _lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def difference(mine, theirs):
    """(share of equal top tags, worst difference of a score that both name) of two lists of lines."""
    if [(it["file"], round(it["start"], 2)) for it in mine] != [(it["file"], round(it["start"], 2)) for it in theirs]:
        common.fail("a peer's segments are not consort's")
    equal, worst = 0, 0.0
    for a, b in zip(mine, theirs):
        equal += a["tags"][0]["label"] == b["tags"][0]["label"]
        scores = {tag["label"]: tag["score"] for tag in b["tags"]}
        worst = max([worst, *(abs(tag["score"] - scores[tag["label"]]) for tag in a["tags"] if tag["label"] in scores)])
    return equal / len(mine), worst


def check(work, field):
    """Runs all over one pass; refuses a peer that does other work. Sets the rates that size the lists.

    consort's own bf16 and int8 are not judged by fp32's scores: that each runs its model bit for bit is what
    tools/check/packages shows, and how far fewer bits drift is the model's matter (random weights magnify rounding).
    """
    reference, found = None, {}
    for one in field:
        result = run(one, work.list(1), work.folder)
        if "failed" in result:
            common.fail(f"{one.name} failed: {result['failed']}")
        lines = _lines(work.folder / "out.jsonl")
        work.segments, one.rate = len(lines), result["rate"]
        if reference is None:  # the first is consort, or whoever stands in for it
            reference = lines
        equal, worst = difference(reference, lines)
        found[f"{one.name} {one.precision}"] = {"equal_top_tags": equal, "worst_difference": worst}
        print(f"{one.model}: {one.name} {one.precision}: {100 * equal:.1f} % of top tags equal, "
              f"scores within {worst:.4f}", flush=True)
        if isinstance(one, contestants.Consort) and one.precision != "fp32":
            continue
        if worst > MOST_DIFFERENCE[one.precision] or equal < LEAST_EQUAL_TAGS[one.precision]:
            common.fail(f"{one.name} does not do the same work")
    return found


def look_at_memory(work, field, seconds):
    for one in field:
        result = run(one, work.list_for(one.rate, seconds), work.folder, sampled=True)
        if "failed" in result:
            common.fail(f"{one.name} failed: {result['failed']}")
        one.memory = {"peak_pss_mib": result["pss_peak"], "mean_pss_mib": result["pss_mean"]}
        one.rate = result["rate"]


def steady(one, work, seconds):
    """consort's segments/s within a window in the middle of a job: neither a list's beginning nor its end counts, as in
    a job of hours."""
    listing = work.list_for(one.rate, 3 * seconds + 10)
    words = one.command(listing, work.folder / "out.jsonl")[2:]  # without "consort run"
    return common.measured(work.folder, words, seconds)["segments"]["per_second"]


def one_round(work, field, seconds):
    for one in field:
        result = run(one, work.list_for(one.rate, seconds), work.folder)
        if "failed" in result:
            common.fail(f"{one.name} failed: {result['failed']}")
        if isinstance(one, contestants.Consort):
            result["steady_rate"] = steady(one, work, seconds)
            result["bare"] = bare(one.folder / one.bundle, work.list_for(one.rate / len(contestants.CPUS),
                                                                         min(LIMIT_SECONDS, seconds)))
        one.runs.append(result)
        one.rate = result["rate"]
