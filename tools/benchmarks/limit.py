"""Segments/s end to end against what two cores could do at best.

The best: 2 ÷ (seconds a segment of read + resample + features + forward, one thread alone on one
core, no supervisor: stage_benchmark). Each round measures both over the same sounds, on the same
allocator. "Whole" counts everything from exec to exit; "work" takes off what a job of one file
takes in the same round, and that file's segments: start, loading, warm-up and end.

Two stage_benchmarks at once, one a core, show what the machine itself loses when both work (shared
caches, two threads of one core, neighbours): "work ÷ two alone" has consort's own losses only.
"""

import json
import subprocess

from benchmarks import common

# bundle → every how manieth sound, so that one pass over them stays short.
MODELS = {"cnn14-quarter": 1, "silero": 1, "cnn14": 4}
SPLITS = (("-p", 2, "-t", 1), ("-p", 1, "-t", 2))
STAGES = ("read", "resample", "features", "forward")
JOB_SECONDS = 20.0    # of one consort run
ALONE_SECONDS = 6.0   # of the measurement of stages, at least one pass
SIBLING_CPUS = (0, 1)


def write_list(path, sounds, times):
    path.write_text("".join(sound + "\n" for sound in sounds * times))
    return path


def start_alone(model, listing, cpu):
    words = ["taskset", "-c", str(cpu), common.program("stage_benchmark"), common.bundle(model), listing]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def read_alone(process):
    out = process.communicate()[0]
    if process.returncode != 0:
        common.fail("stage_benchmark failed; if it is older than consort-worker: cmake --build "
                    f"{common.CONSORT.parents[1]} --target stage_benchmark")
    result = json.loads(out)
    result["sum"] = sum(result[stage] for stage in STAGES)
    return result


class Model:
    def __init__(self, name, folder, seconds):
        self.name = name
        chosen = common.sounds()[::MODELS[name]]
        once = write_list(folder / f"{name}-once.txt", chosen, 1)
        first = read_alone(start_alone(name, once, SIBLING_CPUS[0]))
        pass_seconds = first["segments"] * first["sum"]
        passes = max(1, round(seconds * ALONE_SECONDS / JOB_SECONDS / pass_seconds))
        self.alone_list = write_list(folder / f"{name}-alone.txt", chosen, passes)
        self.job_list = write_list(folder / f"{name}.txt", chosen, max(1, round(2 * seconds / pass_seconds)))
        self.one_list = write_list(folder / f"{name}-one.txt", chosen[:1], 1)
        self.out = folder / f"{name}.jsonl"
        self.stages = []
        self.both = []
        self.rates = {split: {of: [] for of in ("whole", "work", "whole ÷ best", "work ÷ best", "work ÷ two alone")}
                      for split in SPLITS}

    def job(self, split, listing):
        seconds = common.run_seconds("-m", common.bundle(self.name), "-o", self.out, "--restart", *split, listing)
        return seconds, common.count_lines(self.out)

    def round(self):
        alone = read_alone(start_alone(self.name, self.alone_list, SIBLING_CPUS[0]))
        self.stages.append(alone)
        best = 2 / alone["sum"]
        pair = [start_alone(self.name, self.alone_list, cpu) for cpu in SIBLING_CPUS]
        both = sum(1 / read_alone(it)["sum"] for it in pair)
        self.both.append(both / best)
        for split in SPLITS:
            one_seconds, one_segments = self.job(split, self.one_list)
            seconds, segments = self.job(split, self.job_list)
            rates = self.rates[split]
            rates["whole"].append(segments / seconds)
            rates["work"].append((segments - one_segments) / (seconds - one_seconds))
            rates["whole ÷ best"].append(rates["whole"][-1] / best)
            rates["work ÷ best"].append(rates["work"][-1] / best)
            rates["work ÷ two alone"].append(rates["work"][-1] / both)

    def report(self):
        print(f"{self.name}: {len(self.stages)} rounds, {common.count_lines(self.out)} segments a job;"
              " medians (least–most)")
        common.table(("ms a segment, alone on one core", "ms"),
                     [(stage, common.spread([1e3 * it[stage] for it in self.stages]))
                      for stage in ("validate", *STAGES, "post", "sum")])
        print(f"  two alone, one a core ÷ twice one alone: {common.spread(self.both)}")
        common.table(("segments/s", "best", "whole", "work", "whole ÷ best", "work ÷ best", "work ÷ two alone"),
                     [(" ".join(map(str, split)), common.spread([2 / it["sum"] for it in self.stages], 1),
                       common.spread(rates["whole"], 1), common.spread(rates["work"], 1),
                       *(common.spread(rates[of]) for of in ("whole ÷ best", "work ÷ best", "work ÷ two alone")))
                      for split, rates in self.rates.items()])


def measure(quick):
    with common.scratch() as folder:
        for name in MODELS:
            model = Model(name, folder, JOB_SECONDS / 4 if quick else JOB_SECONDS)
            for _ in range(2 if quick else 5):
                model.round()
            model.report()
