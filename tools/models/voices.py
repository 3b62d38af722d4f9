"""Digits spoken by espeak-ng: many voices, rates and pitches. Needs the program espeak-ng.

The same words, voice and settings give the same samples, so a seed gives the same sounds.
"""

import concurrent.futures
import os
import shutil
import subprocess

import numpy as np
import soxr

WORDS = "zero one two three four five six seven eight nine".split()
ACCENTS = ["en-us", "en-gb", "en-gb-x-rp", "en-gb-scotland", "en-gb-x-gbclan", "en-029"]
VARIANTS = ["m1", "m2", "m3", "m5", "m6", "m7", "m8", "f1", "f3", "f4", "f5", "klatt", "klatt2", "klatt4",
            "Andrea", "Andy", "Annie", "Denis", "Jacky", "Lee", "Linda", "Michael", "Mike", "Rob", "Steph", "Zac"]
# Never trained on: variants, and an accent that says "foive" and "noine".
HELD_OUT_ACCENT = "en-gb-x-gbcwmd"
HELD_OUT_VARIANTS = ["m4", "f2", "klatt3", "Alex", "Belinda", "Max"]


def check():
    if shutil.which("espeak-ng") is None:
        raise SystemExit("there is no espeak-ng, which speaks what the model is trained on; run tools/setup --for models")


def say(text, voice, rate, pitch, sample_rate):
    """float32 samples at `sample_rate`, without the silence at both ends. `rate`: words a minute; `pitch`: 0 to 99."""
    spoken = subprocess.run(["espeak-ng", "-v", voice, "-s", str(rate), "-p", str(pitch), "--stdout", text],
                            check=True, capture_output=True, stdin=subprocess.DEVNULL).stdout
    # Written to a pipe, its header tells no length.
    samples = np.frombuffer(spoken[44:len(spoken) // 2 * 2], "<i2").astype(np.float32) / 32768
    own_rate = int.from_bytes(spoken[24:28], "little")
    return trimmed(soxr.resample(samples, own_rate, sample_rate).astype(np.float32))


def trimmed(samples, level=0.01):
    loud = np.flatnonzero(np.abs(samples) > level * np.abs(samples).max(initial=1e-9))
    return samples[loud[0]:loud[-1] + 1] if len(loud) else samples


def phrases(random, accents, variants, count, sample_rate, words=(1, 5)):
    """`count` × (the words, the samples): half of them single words, half spoken in one breath or with commas."""
    asked = []
    for n in range(count):
        length = 1 if n % 2 else int(random.integers(words[0], words[1] + 1))
        said = [WORDS[random.integers(10)] for _ in range(length)]
        text = (", " if random.random() < 0.3 else " ").join(said)
        voice = f"{accents[random.integers(len(accents))]}+{variants[random.integers(len(variants))]}"
        asked.append((said, text, voice, int(random.integers(110, 210)), int(random.integers(20, 85))))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        spoken = pool.map(lambda it: say(*it[1:], sample_rate), asked)
        return [(said, samples) for (said, *_), samples in zip(asked, spoken)]
