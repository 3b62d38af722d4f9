"""Compares the scores of `consort run` with an independent Python reference.

The reference (tests/end_to_end/reference.py) runs the original model over what soundfile decodes.
Two recipes: the whole file is resampled (soxr HQ), then cut; or each segment is resampled by itself
with context, as the worker's documentation says. Consort runs the same model with its scores
magnified (common.MAGNIFIED), all of them printed.
"""

import collections
import dataclasses
import json
import pathlib
import subprocess
import tempfile

import numpy as np

from . import common

# Bounds, as scores of 0 … 1.
MOST_AT_THE_MODELS_RATE = 1e-4
MOST_RESAMPLED = 5e-3
MOST_AGAINST_THE_RECIPE = 1e-4
LEAST_EQUAL_TOP_TAGS = 0.995


@dataclasses.dataclass
class Worst:
    difference: float = 0.0
    where: str = "-"

    def see(self, difference, where):
        if difference > self.difference:
            self.difference, self.where = difference, where


@dataclasses.dataclass
class Comparison:
    """Of one model over one set of sounds."""
    model: str
    sounds: str
    files: int
    resampled: bool = False
    segments: int = 0
    odd: list = dataclasses.field(default_factory=list)  # in words: counts, times, errors
    top_equal: int = 0
    other_top: list = dataclasses.field(default_factory=list)
    whole: Worst = dataclasses.field(default_factory=Worst)
    recipe: Worst = dataclasses.field(default_factory=Worst)
    over: collections.Counter = dataclasses.field(default_factory=collections.Counter)

    def broken(self):
        """The bounds that do not hold, in words."""
        said = [f"{self.model}, {self.sounds}: {line}" for line in self.odd]
        bound = MOST_RESAMPLED if self.resampled else MOST_AT_THE_MODELS_RATE
        for worst, most, what in ((self.whole, bound, "the whole file, then cut"),
                                  (self.recipe, MOST_AGAINST_THE_RECIPE, "each segment alone")):
            if worst.difference > most:
                said.append(f"{self.model}, {self.sounds}: {worst.difference:.2e} from {what}, at "
                            f"{worst.where}; at most {most:.0e} is allowed")
        if self.segments and self.top_equal < LEAST_EQUAL_TOP_TAGS * self.segments:
            said.append(f"{self.model}, {self.sounds}: top tag equal in {self.top_equal} of {self.segments}")
        if not self.segments:
            said.append(f"{self.model}, {self.sounds}: nothing was compared")
        return said


def run_consort(bundle, files):
    """file → its lines, as dicts. `files`: absolute paths."""
    common.KEPT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=common.KEPT) as folder:
        listed, out = pathlib.Path(folder, "list.txt"), pathlib.Path(folder, "out.jsonl")
        listed.write_text("".join(f"{file}\n" for file in files), encoding="utf-8")
        done = subprocess.run([common.CONSORT, "run", "--quiet", "-m", bundle, "-o", out, listed],
                              capture_output=True, text=True)
        if done.returncode not in (0, 3):
            raise common.CannotCheck(f"consort ended with {done.returncode}: {done.stderr.strip()}")
        found = {}
        for line in out.read_text(encoding="utf-8").splitlines():
            line = json.loads(line)
            found.setdefault(line["file"], []).append(line)
    return found


def magnified_bundle(name):
    return common.variant(name, lambda manifest, labels: None, "magnified", magnified=True)


def compare(name, sounds, files, bundle=None):
    """The model `name` over `files`, all of them either at its rate or not."""
    import soundfile
    from reference import Reference
    reference = Reference(str(common.model(name)))
    place = {label: n for n, label in enumerate(reference.labels)}
    rate = reference.manifest["audio"]["sample_rate"]
    result = Comparison(name, sounds, len(files))
    found = run_consort(bundle or magnified_bundle(name), files)
    for file in files:
        resampled = soundfile.info(file).samplerate != rate
        result.resampled |= resampled
        whole = reference.score(file)
        alone = reference.score(file, each_alone=True) if resampled else whole
        _compare_file(result, file, found.get(file, []), whole, alone, place)
    return result


def _compare_file(result, file, lines, whole, alone, place):
    told = [(round(line["start"] * 1000), round(line["end"] * 1000)) if "tags" in line else line["error"]
            for line in lines]
    for recipe in (whole, alone):
        expected = [(it.start_ms, it.end_ms) for it in recipe]
        if told != expected:
            result.odd.append(f"{file}: segments {told}, expected {expected}")
            return
    for line, by_whole, by_recipe in zip(lines, whole, alone):
        scores = np.full(len(place), np.nan)
        for tag in line["tags"]:
            scores[place[tag["label"]]] = tag["score"] / common.MAGNIFIED
        where = f"{file} {line['start']:.3f} s"
        if np.isnan(scores).any():
            result.odd.append(f"{where}: {int(np.isnan(scores).sum())} labels have no score")
            continue
        result.segments += 1
        labels = list(place)
        for worst, scored in ((result.whole, by_whole), (result.recipe, by_recipe)):
            difference = np.abs(scores - scored.scores.double().numpy())
            n = int(difference.argmax())
            worst.see(float(difference[n]), f"{where}, {labels[n]}")
        difference = float(np.abs(scores - by_whole.scores.double().numpy()).max())
        result.over.update(step for step in (1e-5, 1e-4, 1e-3) if difference > step)
        top = labels[int(by_whole.scores.argmax())]
        if line["tags"][0]["label"] == top:
            result.top_equal += 1
        else:
            result.other_top.append(f"{where}: {line['tags'][0]['label']}, reference {top}")


def check_printing(name, files):
    """The bundle as a person has it prints what the magnified one scores: its tags are the first of
    those, rounded to four decimals. Returns (segments, odd lines in words)."""
    everything = run_consort(magnified_bundle(name), files)
    printed = run_consort(common.ROOT / "build/bundles" / name, files)
    segments, odd = 0, []
    for file in files:
        if len(printed.get(file, [])) != len(everything.get(file, [])):
            odd.append(f"{file}: {len(printed.get(file, []))} lines, all scores have {len(everything.get(file, []))}")
        for line, full in zip(printed.get(file, []), everything.get(file, [])):
            segments += 1
            if not _rounded(line.get("tags"), full.get("tags", [])):
                odd.append(f"{file} {line.get('start', -1):.3f} s: printed {line}, scored {str(full)[:300]}")
    return segments, odd


def _rounded(printed, scored):
    """Half a unit of the last place, and as much as the float's own rounding may move it."""
    return bool(printed) and all(
        tag["label"] == of["label"] and abs(tag["score"] - of["score"] / common.MAGNIFIED) <= 0.5e-4 + 1e-7
        for tag, of in zip(printed, scored)) and len(printed) <= len(scored)
