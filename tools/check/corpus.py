"""A corpus of real files in many formats, made from the sounds of Debian packages.

Made once into build/check, and again when this file is newer. Each file is written by soundfile,
ffmpeg or sox: their headers, seek tables, bit reservoirs and gaps differ.
"""

import os
import pathlib
import random
import shutil
import subprocess

import numpy as np
import soundfile
import soxr

from . import common

# (extension, rate, channels, writer, its words). Opus knows 8, 12, 16, 24 and 48 kHz, MP3 8 … 48 kHz.
KINDS = [
    (".wav", 8000, 1, "soundfile", ("WAV", "PCM_U8")),
    (".flac", 44100, 2, "soundfile", ("FLAC", "PCM_16")),
    (".mp3", 44100, 2, "ffmpeg", ("-c:a", "libmp3lame", "-b:a", "128k")),
    (".wav", 96000, 2, "soundfile", ("WAV", "PCM_24")),
    (".ogg", 44100, 2, "soundfile", ("OGG", "VORBIS")),
    (".opus", 48000, 2, "ffmpeg", ("-c:a", "libopus", "-b:a", "64k")),
    (".aiff", 22050, 1, "soundfile", ("AIFF", "PCM_16")),
    (".mp3", 16000, 1, "soundfile", ("MP3", "MPEG_LAYER_III")),
    (".wav", 32000, 1, "soundfile", ("WAV", "PCM_16")),
    (".flac", 96000, 1, "soundfile", ("FLAC", "PCM_24")),
    (".wav", 11025, 2, "sox", ("-e", "ima-adpcm")),
    (".mp3", 22050, 2, "ffmpeg", ("-c:a", "libmp3lame", "-q:a", "6", "-write_xing", "0")),
    (".opus", 16000, 1, "soundfile", ("OGG", "OPUS")),
    (".wav", 48000, 2, "soundfile", ("WAV", "FLOAT")),
    (".ogg", 16000, 1, "ffmpeg", ("-c:a", "libvorbis", "-q:a", "2")),
    (".aiff", 48000, 2, "sox", ("-b", "24")),
    (".flac", 32000, 2, "ffmpeg", ("-c:a", "flac")),
    (".wav", 44100, 1, "soundfile", ("WAV", "MS_ADPCM")),
    (".mp3", 48000, 1, "ffmpeg", ("-c:a", "libmp3lame", "-b:a", "320k", "-id3v2_version", "4", "-metadata", "title=x")),
    (".wav", 8000, 1, "soundfile", ("WAV", "ULAW")),
    (".ogg", 8000, 2, "soundfile", ("OGG", "VORBIS")),
    (".wav", 24000, 1, "soundfile", ("WAV", "DOUBLE")),
    (".au", 16000, 1, "soundfile", ("AU", "PCM_16")),
    (".flac", 8000, 1, "soundfile", ("FLAC", "PCM_S8")),
    (".opus", 24000, 2, "ffmpeg", ("-c:a", "libopus", "-frame_duration", "60")),
    (".mp3", 8000, 1, "ffmpeg", ("-c:a", "libmp3lame", "-b:a", "16k")),
    (".wav", 44100, 2, "soundfile", ("WAV", "PCM_16")),
]
LONG_KINDS = [
    (".flac", 44100, 2, "soundfile", ("FLAC", "PCM_16")),
    (".mp3", 44100, 2, "ffmpeg", ("-c:a", "libmp3lame", "-q:a", "4")),
    (".ogg", 48000, 1, "ffmpeg", ("-c:a", "libvorbis", "-q:a", "3")),
    (".opus", 48000, 1, "ffmpeg", ("-c:a", "libopus", "-b:a", "48k")),
    (".wav", 32000, 1, "soundfile", ("WAV", "PCM_16")),
    (".wav", 22050, 1, "soundfile", ("WAV", "IMA_ADPCM")),
]


def load(path, rate, channels):
    """frames×channels at `rate`."""
    sound, own = soundfile.read(path, dtype="float32", always_2d=True)
    if sound.shape[1] > channels:
        sound = sound.mean(axis=1, keepdims=True)
    elif sound.shape[1] < channels:
        sound = np.repeat(sound, channels, axis=1)
    return soxr.resample(sound, own, rate, quality="HQ") if own != rate else sound


def write(path, sound, kind):
    extension, rate, channels, writer, words = kind
    if writer == "soundfile":
        with soundfile.SoundFile(path, "w", rate, channels, format=words[0], subtype=words[1]) as out:
            for begin in range(0, len(sound), 4096):  # libsndfile's Vorbis writer dies of large blocks
                out.write(np.clip(sound[begin:begin + 4096], -0.999, 0.999))
        return
    raw = path + ".raw.wav"
    soundfile.write(raw, np.clip(sound, -0.999, 0.999), rate, subtype="PCM_16")
    if writer == "ffmpeg":
        call = ["ffmpeg", "-nostdin", "-v", "error", "-y", "-i", raw, *words, path]
    else:
        call = ["sox", "-R", raw, *words, path]
    done = subprocess.run(call, capture_output=True, text=True)
    os.unlink(raw)
    if done.returncode != 0:
        raise common.CannotCheck(f"could not write {path}: {done.stderr.strip()}")


def at_rate(sounds, rate):
    """The sounds, resampled once to WAV files at `rate`, channels kept."""
    with common.alone(f"rate-{rate}"):
        folder = common.KEPT / f"at-{rate}"
        folder.mkdir(exist_ok=True)
        made = []
        for sound in sounds:
            path = folder / (pathlib.Path(sound).stem + ".wav")
            if not path.exists():
                kind = (".wav", rate, soundfile.info(sound).channels, "soundfile", ("WAV", "PCM_16"))
                write(f"{path}.tmp", load(sound, rate, kind[2]), kind)
                os.replace(f"{path}.tmp", path)
            made.append(str(path))
    return made


def long_sound(sounds, seconds, rate, channels, seed):
    """The sounds in a random order, again and again, until there are `seconds` of them."""
    order = random.Random(seed)
    pieces, have = [], 0
    while have < seconds * rate:
        for sound in order.sample(sounds, len(sounds)):
            pieces.append(load(sound, rate, channels) * order.uniform(0.3, 1.0))
            have += len(pieces[-1])
            if have >= seconds * rate:
                break
    return np.concatenate(pieces)[:round(seconds * rate)]


def short_files(folder, sounds, count):
    names = []
    for n in range(count):
        kind = KINDS[n % len(KINDS)]
        sound = sounds[(n * 7) % len(sounds)]
        name = f"{n:03d}-{pathlib.Path(sound).stem}-{kind[1]}x{kind[2]}{kind[0]}"
        write(os.path.join(folder, name), load(sound, kind[1], kind[2]), kind)
        names.append(name)
    return names


def long_files(folder, sounds, lengths):
    """`lengths`: seconds of each of LONG_KINDS; 0: not made."""
    names = []
    for n, (kind, seconds) in enumerate(zip(LONG_KINDS, lengths)):
        if seconds:
            name = f"long-{n}-{seconds}s-{kind[4][-1].lower().strip('-')}{kind[0]}"
            write(os.path.join(folder, name), long_sound(sounds, seconds, kind[1], kind[2], n), kind)
            names.append(name)
    return names


def damaged_files(folder, sounds, seconds):
    """Broken in ways that downloads and disks break files: each format cut short and overwritten in
    the middle, samples that are no numbers, no sound at all."""
    names = []
    for n, kind in enumerate(LONG_KINDS):
        whole = os.path.join(folder, f"whole-{n}{kind[0]}")
        write(whole, long_sound(sounds, seconds, kind[1], kind[2], 100 + n), kind)
        content = pathlib.Path(whole).read_bytes()
        os.unlink(whole)
        hurt = bytearray(content)
        middle = len(content) * 6 // 10
        size = min(3000, len(content) // 8)
        hurt[middle:middle + size] = random.Random(n).randbytes(size)
        for word, spoiled in (("cut", content[:len(content) * 7 // 10 + 13]), ("hurt", hurt)):
            names.append(f"{word}-{n}{kind[0]}")
            pathlib.Path(folder, names[-1]).write_bytes(spoiled)
    sound = long_sound(sounds, seconds, 44100, 1, 200)
    sound[len(sound) * 5 // 8, 0] = np.nan
    soundfile.write(os.path.join(folder, "nan.wav"), sound, 44100, subtype="FLOAT")
    pathlib.Path(folder, "text.wav").write_text("this is not a sound\n" * 100)
    pathlib.Path(folder, "nothing.flac").write_bytes(b"")
    soundfile.write(os.path.join(folder, "one.wav"), np.ones((1, 1), np.float32) / 2, 44100)
    return names + ["nan.wav", "text.wav", "nothing.flac", "one.wav", "missing.mp3"]


def corpus(called, count, lengths, damaged_seconds=20):
    """The list of a corpus: `count` short files of KINDS, long ones of `lengths`, damaged ones."""
    sounds = common.demo_sounds()
    folder = common.KEPT / called
    listed = folder / "list.txt"
    with common.alone(called):
        if not listed.exists() or listed.stat().st_mtime < os.stat(__file__).st_mtime:
            staging = common.KEPT / f"{called}.tmp"
            shutil.rmtree(staging, ignore_errors=True)
            shutil.rmtree(folder, ignore_errors=True)
            staging.mkdir()
            names = long_files(staging, sounds, lengths) + short_files(staging, sounds, count)
            names += damaged_files(staging, sounds, damaged_seconds)
            # Long files begin in the beginning, the middle and the end of the list.
            random.Random(5).shuffle(names)
            (staging / "list.txt").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
            staging.rename(folder)
    return listed
