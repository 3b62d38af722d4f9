"""tools/check/reference: are the scores those of plain Python?

    tools/check/reference [--model NAME]... [--every N] [FILE...]

Over every segment of the demo's sounds (or of the FILEs), as they are and made anew at the model's
rate, where nothing is resampled. Bounds: at the model's rate 1e-4; resampled 5e-3 and the same top
tag in 99.5 % of the segments; against the documented recipe for a segment, 1e-4 everywhere; the same
segments with the same times. Ends with 1 if one is broken. CONSORT_BIN names another consort.

The bounds are for lossless FILEs. Python's soundfile brings its own decoders and seeks at each read:
of Vorbis and MP3 it gives samples that differ in the last bits, and where a codec took away all high
tones a log-mel shows that: cnn14's scores differ by up to 2e-2. Of MP3 without a Xing header it gives
only as much as libsndfile guesses; consort gives all.
"""

import argparse
import json
import os
import sys

import soundfile

from . import common, corpus, scores

MODELS = ("silero", "cnn14", "cnn14-quarter")


def row(it):
    bound = scores.MOST_RESAMPLED if it.resampled else scores.MOST_AT_THE_MODELS_RATE
    return (it.model, it.sounds, it.files, it.segments, "no" if it.odd else "yes",
            f"{it.whole.difference:.1e} (≤ {bound:.0e})", f"{it.over[1e-5]}/{it.over[1e-4]}/{it.over[1e-3]}",
            f"{100 * it.top_equal / max(1, it.segments):.2f} %",
            f"{it.recipe.difference:.1e} (≤ {scores.MOST_AGAINST_THE_RECIPE:.0e})")


def main():
    parser = argparse.ArgumentParser(prog="tools/check/reference", description=__doc__.split("\n\n", 2)[2],
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", action="append", choices=MODELS, help="default: all three")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="take every Nth sound only")
    parser.add_argument("files", nargs="*", metavar="FILE")
    args = parser.parse_args()

    compared, printing = [], []
    files = list(map(os.path.abspath, args.files)) or common.demo_sounds()[::args.every]
    for name in args.model or MODELS:
        manifest = json.loads(common.model(name).with_suffix(".json").read_text(encoding="utf-8"))
        rate = manifest["audio"]["sample_rate"]
        given = {True: [], False: []}
        for file in files:
            given[soundfile.info(file).samplerate == rate].append(file)
        sets = [("as they are, other rates", given[False]), ("as they are", given[True])]
        if not args.files:
            sets.append((f"made anew at {rate} Hz", corpus.at_rate(files, rate)))
        for sounds, some in sets:
            if some:
                print(f"{name}: {len(some)} files, {sounds}", file=sys.stderr, flush=True)
                compared.append(scores.compare(name, sounds, some))
        printing.append((name, *scores.check_printing(name, files)))

    common.table(("model", "sounds", "files", "segments", "same times", "worst from the whole file",
                  "segments > 1e-5/1e-4/1e-3", "same top tag", "worst from each alone"), map(row, compared))
    print()
    for it in compared:
        print(f"{it.model}, {it.sounds}: worst from the whole file at {it.whole.where}; "
              f"from each alone at {it.recipe.where}")
        for other in it.other_top:
            print(f"    other top tag: {other}")
    for name, segments, odd in printing:
        print(f"{name}: the bundle prints the best of these scores, rounded, "
              f"in {segments - len(odd)} of {segments} segments")
    broken = [line for it in compared for line in it.broken()] + [line for *_, odd in printing for line in odd]
    for line in broken:
        print(f"BROKEN: {line}")
    return 1 if broken else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except common.CannotCheck as reason:
        sys.exit(f"tools/check/reference: {reason}")
