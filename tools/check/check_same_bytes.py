"""tools/check/same-bytes: are results the same bytes however the work is split?

    tools/check/same-bytes [--rounds N] [--bundle B] [--kills N] [--overlapping] [LIST|FILE|DIR...]

Without operands: 320 real files of many formats and rates, six long ones (FLAC and MP3 of 31
minutes) and damaged ones, made once into build/check. Runs every split in every round, prints one
SHA-256 for each, and ends with 0 only if all are equal. CONSORT_BIN names another consort.
"""

import argparse
import sys

from . import common, corpus, splits


def hop_of_370_ms(manifest, labels):
    """Segments overlap, and begin between samples: 0.37 s are no whole number of samples at 11025 Hz."""
    manifest["audio"]["segment_seconds"], manifest["audio"]["hop_seconds"] = 1.0, 0.37


def main():
    parser = argparse.ArgumentParser(prog="tools/check/same-bytes", description=__doc__.split("\n\n", 2)[2],
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="runs of each split [3]")
    parser.add_argument("--bundle", default=common.ROOT / "build/bundles/cnn14-quarter", metavar="B",
                        help="[build/bundles/cnn14-quarter]")
    parser.add_argument("--overlapping", action="store_true", help="cnn14-quarter with 1 s segments every 0.37 s")
    parser.add_argument("--kills", type=int, default=0, metavar="N",
                        help="SIGKILL for random workers and templates, N times in each run but the first")
    parser.add_argument("files", nargs="*", metavar="LIST|FILE|DIR")
    args = parser.parse_args()
    bundle = common.variant("cnn14-quarter", hop_of_370_ms, "overlapping") if args.overlapping else args.bundle
    files = args.files or [corpus.corpus("corpus", 320, (1870, 1870, 600, 600, 300, 300))]

    first, different, kills = None, 0, 0
    for round_number in range(args.rounds):
        for split in splits.SPLITS:
            calm = first is None
            outcome = splits.run(bundle, files, split, 0 if calm else args.kills,
                                 0 if calm else first.seconds / (args.kills + 1))
            first = first or outcome
            kills += outcome.kills
            same = outcome.sha256 == first.sha256
            print(f"round {round_number + 1}  -p {split[0]} -t {split[1]}  {outcome.sha256}  {outcome.seconds:6.1f} s"
                  + (f"  {outcome.kills} kills" if args.kills else "") + ("" if same else "  DIFFERENT"), flush=True)
            if not same:
                different += 1
                print(f"    {splits.first_difference(first, outcome)}")
    errors = ", ".join(f"{count} {code}" for code, count in sorted(first.errors.items())) or "none"
    print(f"{args.rounds * len(splits.SPLITS)} runs, {first.lines} lines each, errors: {errors}; {kills} kills; "
          + (f"{different} runs are DIFFERENT" if different else "all the same bytes"))
    return 1 if different else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except common.CannotCheck as reason:
        sys.exit(f"tools/check/same-bytes: {reason}")
