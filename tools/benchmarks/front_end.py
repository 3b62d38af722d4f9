"""What reading, resampling and features cost a segment, each in ms; CONSORT_BEFORE=OTHER-STAGE_BENCHMARK compares.

Runs stage_benchmark (one thread, no supervisor) with Cnn14 at a quarter of the width: 3 s segments at
32 kHz, 301×64 log-mel. The model runs in between, as in a worker, so that caches are as cold. With
CONSORT_BEFORE, say one built from an older commit, each round runs both, one after the other.
"""

import json
import os
import pathlib
import statistics
import subprocess

import numpy as np
import soundfile

from benchmarks import common

MODEL = "cnn14-quarter"
STAGES = ("validate", "read", "resample", "features")
CPU = 0
# (name, rate, channels, libsndfile's format and subtype): one long file each; "sounds" are the demo's.
FILES = (("WAV 44.1 kHz stereo", 44100, 2, "WAV", "PCM_16"), ("WAV 32 kHz mono", 32000, 1, "WAV", "PCM_16"),
         ("FLAC 44.1 kHz stereo", 44100, 2, "FLAC", "PCM_16"), ("MP3 44.1 kHz stereo", 44100, 2, "MP3", "MPEG_LAYER_III"))
SECONDS = 180


def long_sound(rate, channels):
    """The demo's sounds one after the other, at whatever rate they have: what costs time is the same."""
    pieces, have = [], 0
    sounds = [path for path in common.sounds() if path.endswith(".flac")]
    while have < SECONDS * rate:
        for path in sounds:
            sound = soundfile.read(path, dtype="float32", always_2d=True)[0]
            pieces.append(np.repeat(sound, channels, axis=1)[:, :channels])
            have += len(sound)
            if have >= SECONDS * rate:
                break
    return np.concatenate(pieces)[:SECONDS * rate]


def listings(folder):
    """(name, path of a list) of everything that is measured."""
    everything = folder / "sounds.txt"
    everything.write_text("".join(f"{path}\n" for path in common.sounds()))
    made = [("the demo's sounds", everything)]
    for number, (name, rate, channels, container, subtype) in enumerate(FILES):
        path = folder / f"{number}.{container.lower()}"
        sound = long_sound(rate, channels)
        with soundfile.SoundFile(path, "w", rate, channels, format=container, subtype=subtype) as out:
            out.write(np.clip(sound, -0.999, 0.999))
        listing = folder / f"{number}.txt"
        listing.write_text(f"{path}\n")
        made.append((name, listing))
    return made


def stages(program, listing):
    """ms a segment of each stage, and of all of them."""
    words = ["taskset", "-c", str(CPU), program, common.bundle(MODEL), listing]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode != 0:
        common.fail(f"{program} failed: {done.stderr.strip()}")
    result = json.loads(done.stdout)
    cost = {stage: 1e3 * result[stage] for stage in STAGES}
    return cost | {"sum": sum(cost.values()), "sum ÷ forward": sum(cost.values()) / (1e3 * result["forward"])}


def measure(quick):
    programs = [("now", common.program("stage_benchmark"))]
    if before := os.environ.get("CONSORT_BEFORE"):
        programs.insert(0, ("before", pathlib.Path(before).absolute()))
    with common.scratch() as folder:
        for name, listing in listings(folder):
            found = {word: [] for word, _ in programs}
            for _ in range(2 if quick else 5):
                for word, path in programs:
                    found[word].append(stages(path, listing))
            rows = []
            for stage in (*STAGES, "sum", "sum ÷ forward"):
                values = {word: [cost[stage] for cost in rounds] for word, rounds in found.items()}
                row = [stage, *map(common.spread, values.values())]
                if "before" in values:
                    ratios = [now / before for before, now in zip(values["before"], values["now"]) if before]
                    row.append(f"{statistics.median(ratios):.2f}" if ratios else "")
                rows.append(row)
            common.table((f"{name}: ms a segment", *(word for word, _ in programs),
                          *(["now ÷ before"] if len(programs) > 1 else [])), rows)
