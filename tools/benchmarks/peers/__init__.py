"""consort against what one would write instead: Python pool, Ray, ONNX Runtime, OpenVINO; and against the limit.

All work on the same sounds, give the same lines, are warm before the clock starts, and are measured
in turn, round by round, so that a machine's moods meet all alike. Before that each peer's scores
are compared with consort's, and each peer's settings are chosen by measuring (kept in
build/bench/peers-tuning.json; --quick guesses them if it is not there). The limit is one engine's stages alone on a core, times the cores.
"""

import argparse
import pathlib

from benchmarks import common
from benchmarks.peers import contest, contestants, environment, report, tuning

MODELS = ("cnn14", "cnn14-quarter")
PRECISIONS = ("fp32", "bf16", "int8")
SLOW_TO_START = ("ray", "python-pool-bf16")


def parser():
    found = argparse.ArgumentParser(prog="tools/bench peers", description=__doc__.splitlines()[0])
    found.add_argument("-o", "--output", type=pathlib.Path, default=common.ROOT / "build/bench/peers", metavar="DIR",
                       help="folder for peers.json, peers.md, peers.svg and peers.png [build/bench/peers]")
    found.add_argument("--rounds", type=int, help="[5; 2 with --quick]")
    found.add_argument("--seconds", type=float, help="of work, each measurement [5; 2 with --quick]")
    found.add_argument("--models", type=_words(MODELS), default=MODELS)
    found.add_argument("--precisions", type=_words(PRECISIONS), default=PRECISIONS)
    found.add_argument("--only", type=_words(contestants.NAMES),
                       help=f"of {','.join(contestants.NAMES)}; --quick leaves out {' and '.join(SLOW_TO_START)}")
    found.add_argument("--bundles", type=lambda text: pathlib.Path(text).absolute(), default=common.ROOT / "build/bundles", metavar="DIR",
                       help="holds MODEL, MODEL-bf16, MODEL-int8 [build/bundles]")
    found.add_argument("--tune", action="store_true", help="choose the peers' settings again")
    return found


def _words(known):
    def parse(text):
        words = tuple(text.split(","))
        for word in words:
            if word not in known:
                raise argparse.ArgumentTypeError(f'"{word}" is none of {", ".join(known)}')
        return words
    return parse


def measure(quick, options):
    rounds = options.rounds or (2 if quick else 5)
    seconds = options.seconds or (2 if quick else 5)
    only = options.only or [it for it in contestants.NAMES if not quick or it not in SLOW_TO_START]
    common.program("stage_benchmark")  # the rounds want it: said now, not after the peers' settings took minutes
    environment.prepare()
    results = {"machine": environment.machine(), "versions": environment.versions(), "rounds": rounds,
               "seconds": seconds, "models": {}}
    with common.scratch() as folder:
        for model in options.models:
            work = contest.Work(model, folder)
            field = contestants.field(model, options.precisions, only, options.bundles)
            settings = tuning.chosen(work, field, again=options.tune, quick=quick and not options.tune)
            checks = contest.check(work, field)
            contest.look_at_memory(work, field, seconds)
            for number in range(rounds):
                print(f"{model}: round {number + 1} of {rounds}", flush=True)
                contest.one_round(work, field, seconds)
            results["models"][model] = report.of_model(field, settings, checks)
            report.show(model, results["models"][model])
            report.write(options.output, results)
    report.plot(options.output)
    print(f"written: {options.output}/peers.json, .md, .svg, .png")
