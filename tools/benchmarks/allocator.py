"""What jemalloc's settings, and glibc's malloc, cost and save: speed, CPU time, page faults, memory.

Each variant adds to the settings of worker/main/heap_settings.cc by MALLOC_CONF; all are run in turn,
round by round. Per segment, start and end are taken off by a job of one file in the same round.
jemalloc's background thread is not among them: a worker always starts it, after the fork.
"""

import argparse
import contextlib
import os
import statistics
import subprocess
import time

from benchmarks import common

BUNDLES = ("cnn14-quarter-torchscript", "cnn14-quarter")
SAMPLE_SECONDS = 0.2
GLIBC = "consort-worker-glibc"


def jemalloc(*settings):
    return {"MALLOC_CONF": ",".join(settings)}


# name → environment
VARIANTS = {
    "ours": {},
    "narenas:1": jemalloc("narenas:1"),
    "narenas:2": jemalloc("narenas:2"),
    "dirty_decay_ms:0": jemalloc("dirty_decay_ms:0"),
    "dirty_decay_ms:1000": jemalloc("dirty_decay_ms:1000"),
    "dirty_decay_ms:-1": jemalloc("dirty_decay_ms:-1"),
    "muzzy_decay_ms:10000": jemalloc("muzzy_decay_ms:10000"),
    "thp:always": jemalloc("thp:always"),
    "thp:never": jemalloc("thp:never"),
    "metadata_thp:auto": jemalloc("metadata_thp:auto"),
    "tcache:false": jemalloc("tcache:false"),
    "lg_tcache_max:23": jemalloc("lg_tcache_max:23"),
    "oversize_threshold:8388608 (jemalloc's default)": jemalloc("oversize_threshold:8388608"),
    "glibc": {"CONSORT_WORKER": GLIBC},
    "glibc, nothing mapped or trimmed": {"CONSORT_WORKER": GLIBC, "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
                                         "MALLOC_TRIM_THRESHOLD_": str(1 << 33), "MALLOC_TOP_PAD_": str(64 << 20)},
}


def parser():
    found = argparse.ArgumentParser(prog="tools/bench allocator", description=__doc__.splitlines()[0])
    found.add_argument("--bundles", nargs="+", default=BUNDLES, metavar="BUNDLE", help=f"of build/bundles [{' '.join(BUNDLES)}]")
    found.add_argument("--rounds", type=int, help="[5; 1 with --quick]")
    found.add_argument("--seconds", type=float, default=3.0, help="of work, each run [3]")
    return found


def run(bundle, listing, out, variables):
    """{"seconds", "cpu", "faults", "segments", "pss"} of a whole job, all its processes together."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MALLOC_")} | variables
    if "CONSORT_WORKER" in environment:
        environment["CONSORT_WORKER"] = str(common.program(environment["CONSORT_WORKER"]))
    words = [common.program("consort"), "run", "--quiet", "-m", bundle, "-o", out, "--restart", "-p", 2, "-t", 1, listing]
    began = time.monotonic()
    job = subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL, env=environment)
    samples, next_sample = [], began + 3 * SAMPLE_SECONDS
    while True:
        pid, status, usage = os.wait4(job.pid, os.WNOHANG)
        if pid:
            break
        time.sleep(0.005)
        if time.monotonic() >= next_sample:
            next_sample += SAMPLE_SECONDS
            with contextlib.suppress(OSError):
                samples.append(common.pss_mib(job.pid))
    seconds = time.monotonic() - began
    job.returncode = os.waitstatus_to_exitcode(status)
    if job.returncode not in common.ENDED_WELL:
        common.fail(f"consort ended with {job.returncode} under {variables}")
    return {"seconds": seconds, "cpu": usage.ru_utime + usage.ru_stime, "faults": usage.ru_minflt,
            "segments": common.count_lines(out), "pss": samples}


class Bundle:
    def __init__(self, name, folder, seconds):
        self.name, self.path, self.out = name, common.bundle(name), folder / "out.jsonl"
        self.one_list = self._list(folder / "one", common.sounds()[:1])
        once = self._list(folder / "once", common.sounds())
        first = [run(self.path, listing, self.out, {}) for listing in (self.one_list, once)]
        passes = max(1, round(seconds / (first[1]["seconds"] - first[0]["seconds"])))
        self.list = self._list(folder / "all", common.sounds() * passes)
        self.found = {name: [] for name in VARIANTS}

    def _list(self, path, sounds):
        path.write_text("".join(sound + "\n" for sound in sounds))
        return path

    def round(self):
        for name, variables in VARIANTS.items():
            one, all_ = (run(self.path, listing, self.out, variables) for listing in (self.one_list, self.list))
            each = 1 / (all_["segments"] - one["segments"])
            self.found[name].append({
                "rate": 1 / ((all_["seconds"] - one["seconds"]) * each), "cpu_ms": 1e3 * (all_["cpu"] - one["cpu"]) * each,
                "faults": (all_["faults"] - one["faults"]) * each, "pss_peak": max(all_["pss"], default=0),
                "pss_mean": statistics.mean(all_["pss"]) if all_["pss"] else 0})

    def report(self):
        plain = [it["rate"] for it in self.found["ours"]]
        print(f"\n{self.name}, -p 2 -t 1: medians (least–most) of {len(plain)} rounds\n")
        print("| settings | segments/s | ÷ ours | CPU ms a segment | faults a segment | PSS MiB, mean | at most |\n|---|---|---|---|---|---|---|")
        for name, runs in self.found.items():
            column = {key: [it[key] for it in runs] for key in runs[0]}
            ratios = [a / b for a, b in zip(column["rate"], plain)]
            print(f"| {name} | {common.spread(column['rate'], 1)} | {common.spread(ratios)} | {common.spread(column['cpu_ms'], 2)} "
                  f"| {statistics.median(column['faults']):,.0f} | {statistics.median(column['pss_mean']):.0f} "
                  f"| {max(column['pss_peak']):.0f} |", flush=True)


def measure(quick, options):
    with common.scratch() as folder:
        for name in options.bundles:
            if not (common.ROOT / "build/bundles" / name).is_dir():
                print(f"  no bundle {name}: left out; make it: tools/models/make {name}")
                continue
            bundle = Bundle(name, folder, options.seconds)
            for _ in range(options.rounds or (1 if quick else 5)):
                bundle.round()
            bundle.report()
