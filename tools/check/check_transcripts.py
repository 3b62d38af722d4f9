"""Are the words that consort joins of overlapping segments those of a greedy decode of the whole recording?

Recordings of 10 to 60 s are spoken by espeak-ng: digits, with pauses and mild noise, by voices that the
model `digits` was trained on and by some that it was not. Each is decoded whole, in Python, and by `consort
run` in segments of 6 s at hops of 1/2, 2/3 and 3/4 of that. Printed for each hop: recordings whose text is the
same, words whose text and times are, and the word error rate of both. Exit status 0 if the text of every
recording is the same at each hop whose overlap holds what a frame hears, 1 if not.
"""

import argparse
import itertools
import json
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import soundfile

from . import common

sys.path.insert(0, str(common.ROOT / "tools/models"))
HOPS = {"1/2": 3.0, "2/3": 4.0, "3/4": 4.5}


def parser():
    made = argparse.ArgumentParser(prog="tools/check/transcripts", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--recordings", type=int, default=100, metavar="N", help="how many [100]")
    return made


def speak(folder, count):
    """{path: the words that are said in it}"""
    import digits
    import voices
    voices.check()
    random = np.random.default_rng(20261129)
    said_in = {}
    for n in range(count):
        variants = voices.HELD_OUT_VARIANTS if n % 2 else voices.VARIANTS
        seconds = 10 + 50 * n / max(1, count - 1)
        pieces, said, length = [], [], 0
        while length < seconds * digits.RATE:
            for words, samples in voices.phrases(random, voices.ACCENTS, variants, 2, digits.RATE):
                pause = np.zeros(int(random.uniform(0.15, 1.2) * digits.RATE), np.float32)
                if length + len(samples) + len(pause) > 60 * digits.RATE:
                    continue
                pieces += [pause, samples]
                said += words
                length += len(pause) + len(samples)
            if length > 55 * digits.RATE:
                break
        sound = np.concatenate(pieces + [np.zeros(digits.RATE // 2, np.float32)])
        sound += random.normal(0, 0.002, len(sound)).astype(np.float32)
        path = folder / f"{n:03d}.wav"
        soundfile.write(path, np.clip(sound, -1, 1), digits.RATE, subtype="PCM_16")
        said_in[str(path)] = said
    return said_in


class WholeFile:
    """A greedy decode by the book: the best token of each frame, runs, no blanks, words between separators."""

    def __init__(self):
        import digits
        import torch
        from consort_prepare.frontend import Frontend
        self._torch, self._frontend, self._digits = torch, Frontend, digits
        self._model = torch.jit.load(str(common.model("digits")), map_location="cpu").eval()

    def words(self, path):
        """[(word, start ms, end ms)]"""
        samples, rate = soundfile.read(path, dtype="float32")
        # Whole frames, and what a segment has behind a recording's end: zeros.
        frame = round(rate * self._digits.FRAME_SECONDS)
        padded = np.zeros(-(-len(samples) // frame) * frame, np.float32)
        padded[:len(samples)] = samples
        seconds = len(padded) / rate
        manifest = self._digits.MANIFEST
        front = self._frontend({**manifest, "audio": {**manifest["audio"], "segment_seconds": seconds, "hop_seconds": seconds}})
        with self._torch.inference_mode():
            best = self._model(front(padded))[0].argmax(-1).tolist()
        tokens, at = [], 0
        for token, run in itertools.groupby(best):
            count = len(list(run))
            if token != 0:
                tokens.append((self._digits.TOKENS[token], at, at + count))
            at += count
        found = []
        for separates, group in itertools.groupby(tokens, lambda token: token[0] == "|"):
            group = list(group)
            if not separates:
                end = min(group[-1][2] * frame, len(samples))
                found.append(("".join(token[0] for token in group), round(1000 * group[0][1] * frame / rate), round(1000 * end / rate)))
        return found


def with_hop(folder, hop):
    """The bundle `digits` with segments at another hop."""
    made = folder / f"digits-{hop}"
    shutil.copytree(common.ROOT / "build/bundles/digits", made)
    manifest = json.loads((made / "model.json").read_text(encoding="utf-8"))
    manifest["audio"]["hop_seconds"] = hop
    (made / "model.json").write_text(json.dumps(manifest), encoding="utf-8")
    return made


def consort_words(bundle, folder, paths):
    """{path: [(word, start ms, end ms)]}"""
    out = folder / f"{bundle.name}.jsonl"
    done = subprocess.run([str(it) for it in (common.CONSORT, "run", "--quiet", "-m", bundle, "-o", out, *paths)], capture_output=True, text=True,
                          env=os.environ | {"XDG_CONFIG_HOME": "/dev/null/no-profiles"})
    if done.returncode != 0:
        raise common.CannotCheck(f"consort ended with {done.returncode}: {done.stderr.strip()}")
    found = {path: [] for path in paths}
    for line in map(json.loads, out.read_text(encoding="utf-8").splitlines()):
        found[line["file"]] += [(it["word"], round(1000 * it["start"]), round(1000 * it["end"])) for it in line["words"]]
    return found


def main(argv=None):
    options = parser().parse_args(argv)
    import tempfile
    import digits
    with tempfile.TemporaryDirectory(prefix="consort-transcripts-") as name:
        folder = pathlib.Path(name)
        said_in = speak(folder, options.recordings)
        whole = WholeFile()
        expected = {path: whole.words(path) for path in said_in}
        said = sum(map(len, said_in.values()))
        errors = sum(digits.edits(said_in[path], [word for word, *_ in expected[path]]) for path in said_in)
        print(f"{len(said_in)} recordings, {said} words; decoded whole: word error rate {100 * errors / said:.2f} %", flush=True)
        rows, fine = [], True
        for share, hop in HOPS.items():
            found = consort_words(with_hop(folder, hop), folder, list(said_in))
            texts = sum([word for word, *_ in found[path]] == [word for word, *_ in expected[path]] for path in said_in)
            words = sum(len(set(found[path]) & set(expected[path])) for path in said_in)
            errors = sum(digits.edits(said_in[path], [word for word, *_ in found[path]]) for path in said_in)
            enough = digits.SEGMENT_SECONDS - hop >= 2 * digits.MOST_CONTEXT_SECONDS
            fine = fine and (texts == len(said_in) or not enough)
            rows.append((share, "yes" if enough else "no", f"{texts} of {len(said_in)}", f"{words} of {sum(map(len, expected.values()))}",
                         f"{100 * errors / said:.2f} %"))
        common.table(("hop", "overlap holds what a frame hears", "texts the same", "words the same, with their times", "word error rate"), rows)
    return 0 if fine else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except common.CannotCheck as error:
        sys.exit(f"tools/check/transcripts: {error}")
