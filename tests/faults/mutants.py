"""Damaged recordings: real sounds in every format that is read, each spoilt in a way that a seed decides."""

import pathlib
import random
import subprocess

import soundfile

import audio

EXTREMES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF, 2**63 - 1,
            2**63, 2**64 - 1)
# What soundfile does not write: how ffmpeg does.
BY_FFMPEG = {".m4a": "aac", ".mka": "flac", ".webm": "libvorbis", ".wma": "wmav2"}
HEADER = 256  # bytes in which most of what a decoder believes stands


def seeds(folder):
    """Short clips of what is installed, and chords, by extension: {".wav": [bytes, …], …}."""
    installed = audio.installed_sounds()
    clips = [(audio.music(1.2, 16000, channels, seed=channels), 16000) for channels in (1, 2)]
    for path in (*installed.wavs[:3], *installed.flacs[:40:10]):
        samples, rate = soundfile.read(path, frames=30_000)
        clips.append((samples, rate))
    made = {}
    for extension in audio.FORMATS:
        made[extension] = []
        for n, (samples, rate) in enumerate(clips):
            path = folder / f"seed{n}{extension}"
            # The rates that Opus and MP3 know.
            audio.write(path, samples, 48000 if extension == ".opus" else min(rate, 48000))
            made[extension].append(path.read_bytes())
            path.unlink()
    for extension, codec in BY_FFMPEG.items():
        made[extension] = []
        for n, (samples, rate) in enumerate(clips):
            sound, path = audio.write(folder / "seed.wav", samples, min(rate, 48000)), folder / f"seed{n}{extension}"
            subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-i", sound, "-c:a", codec, path], check=True)
            made[extension].append(path.read_bytes())
            path.unlink()
    return made


def flip(dice, data, others):
    """A few bits, anywhere."""
    for _ in range(dice.choice((1, 2, 8, 64))):
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)


def flip_header(dice, data, others):
    for _ in range(dice.choice((1, 2, 8))):
        data[dice.randrange(min(HEADER, len(data)))] = dice.randrange(256)


def cut(dice, data, others):
    del data[dice.randrange(dice.choice((HEADER, len(data)))):]


def number(dice, data, others):
    """A number, most likely a length, becomes an extreme one."""
    for _ in range(dice.choice((1, 1, 3))):
        size = dice.choice((2, 4, 4, 8))
        at = dice.randrange(dice.choice((HEADER, len(data) - size)))
        value = dice.choice(EXTREMES) & ((1 << 8 * size) - 1)
        data[at:at + size] = value.to_bytes(size, dice.choice(("little", "big")))


def splice(dice, data, others):
    """A piece of another recording, of any format, put in or over."""
    other = dice.choice(others)
    size = dice.choice((16, 512, 8192))
    begin = dice.randrange(len(other))
    at = dice.randrange(len(data))
    data[at:at + dice.choice((0, size))] = other[begin:begin + size]


def swap_header(dice, data, others):
    size = dice.choice((4, 12, 44, HEADER))
    data[:size] = dice.choice(others)[:size]


def repeat(dice, data, others):
    """A piece comes twice, or is missing."""
    at, size = dice.randrange(len(data)), dice.choice((1, 64, 4096))
    if dice.randrange(2):
        data[at:at] = data[at:at + size]
    else:
        del data[at:at + size]


def blank(dice, data, others):
    at, size = dice.randrange(len(data)), dice.choice((64, 4096))
    data[at:at + size] = bytes(len(data[at:at + size])) if dice.randrange(2) else b"\xff" * len(data[at:at + size])


WAYS = (flip, flip_header, cut, number, splice, swap_header, repeat, blank)


def write(folder, seeds, count, seed):
    """`count` of them; the same for the same seed. Their names tell what was done."""
    others = [data for each in seeds.values() for data in each]
    paths = []
    for n in range(count):
        dice = random.Random(f"{seed}:{n}")
        extension = dice.choice(list(seeds))
        data = bytearray(dice.choice(seeds[extension]))
        ways = dice.sample(WAYS, dice.choice((1, 1, 1, 2)))
        for way in ways:
            if len(data) > 16:
                way(dice, data, others)
        path = pathlib.Path(folder) / f"{n:05d}-{'-'.join(way.__name__ for way in ways)}{extension}"
        path.write_bytes(data)
        paths.append(path)
    return paths
