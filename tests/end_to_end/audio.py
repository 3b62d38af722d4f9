"""Sounds: those that Debian packages bring, and those that a test needs to make."""

import dataclasses
import pathlib

import numpy
import pytest
import soundfile

# How soundfile is told to write an extension.
FORMATS = {
    ".wav": ("WAV", "PCM_16"),
    ".flac": ("FLAC", "PCM_16"),
    ".aiff": ("AIFF", "PCM_16"),
    ".ogg": ("OGG", "VORBIS"),
    ".opus": ("OGG", "OPUS"),  # rates: 8, 12, 16, 24 or 48 kHz
    ".mp3": ("MP3", "MPEG_LAYER_III"),
}


@dataclasses.dataclass
class Sounds:
    wavs: list
    flacs: list


def installed_sounds():
    sounds = Sounds(sorted(map(str, pathlib.Path("/usr/share/sounds/alsa").glob("*.wav"))),
                    sorted(map(str, pathlib.Path("/usr/share/sonic-pi/samples").glob("*.flac"))))
    if not sounds.wavs or not sounds.flacs:
        pytest.fail("no sounds to test with: tools/setup --for test installs them")
    return sounds


def music(seconds, rate, channels=1, seed=0):
    """Samples that no two places of a file share: chords that change, and some noise. frames×channels."""
    count = round(seconds * rate)
    noise = numpy.random.default_rng(seed)
    time = numpy.arange(count) / rate
    samples = 0.05 * noise.standard_normal((count, channels))
    for pitch in (0.11, 0.17, 0.23):
        glide = pitch * rate / 2 * (0.5 + 0.4 * numpy.sin(0.7 * time + seed + pitch))
        samples += 0.2 * numpy.sin(2 * numpy.pi * numpy.cumsum(glide) / rate)[:, None]
    return numpy.clip(samples, -0.99, 0.99)


def write(path, samples, rate, subtype=None, format=None):
    """Writes samples as the extension says, or as `format` and `subtype` do."""
    usual_format, usual_subtype = FORMATS.get(pathlib.Path(path).suffix.lower(), (None, None))
    soundfile.write(path, samples, rate, format=format or usual_format,
                    subtype=subtype or usual_subtype)
    return path


def make(path, seconds=4.0, rate=32000, channels=1, seed=0, subtype=None):
    """A file of `music`."""
    return write(path, music(seconds, rate, channels, seed), rate, subtype)


def cut(path, fraction):
    """Takes off the file's end, as a broken download does."""
    size = pathlib.Path(path).stat().st_size
    with open(path, "r+b") as file:
        file.truncate(int(size * fraction))
    return path
