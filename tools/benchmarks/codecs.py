"""Rate of a job over M4A, MP3, Opus and FLAC against the same sounds as WAV, and the share of its time that reading takes.

The demo's sounds end to end as recordings of some minutes, each made by ffmpeg in every codec; whole jobs with two workers,
in turns, start and end left out (a window of --seconds in the middle).
"""

import argparse
import itertools
import statistics
import subprocess

import soundfile

from benchmarks import common

CODECS = {  # extension → ffmpeg's options
    "wav": "-c:a pcm_s16le",
    "flac": "-c:a flac",
    "mp3": "-c:a libmp3lame -b:a 128k",
    "m4a": "-c:a aac -b:a 128k",
    "opus": "-c:a libopus -b:a 64k -ar 48000",
    "webm": "-c:a libopus -b:a 64k -ar 48000",
}
RATE = 44100
RECORDING_S = 300
RECORDINGS = 6


def parser():
    made = argparse.ArgumentParser(prog="tools/bench codecs", description=__doc__)
    made.add_argument("--bundles", nargs="+", default=["cnn14-quarter"], metavar="BUNDLE", help="names in build/bundles [cnn14-quarter]")
    made.add_argument("--rounds", type=int, default=5)
    made.add_argument("--seconds", type=float, default=8, help="of a window [8]")
    return made


def encode(folder, seconds):
    """One list of recordings for each codec."""
    source = folder / "source.wav"
    with soundfile.SoundFile(source, "w", RATE, 2, "PCM_16") as out:
        for sound in itertools.cycle(it for it in common.sounds() if soundfile.info(it).samplerate == RATE):
            samples, _ = soundfile.read(sound, always_2d=True)
            out.write(samples[:, [0, -1]])  # both channels of a mono one are the same
            if out.frames >= seconds * RATE:
                break
    lists = {}
    for extension, options in CODECS.items():
        made = folder / f"recording.{extension}"
        subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-y", "-i", source, *options.split(), made], check=True)
        names = []
        for n in range(RECORDINGS):
            names.append(folder / f"{n}.{extension}")
            names[-1].symlink_to(made)
        lists[extension] = folder / f"{extension}.txt"
        lists[extension].write_text("".join(f"{name}\n" for name in names) * 200)
    return lists


def window(folder, bundle, listing, seconds):
    """(segments a second, share of the engines' time that is reading)"""
    found = common.measured(folder, ("--quiet", "--progress", "none", "--restart", "-m", bundle, "-p", 2, "-t", 1,
                                     "-o", folder / "out.jsonl", listing), seconds)
    stages = found["stages_ms"]
    return found["segments"]["per_second"], stages["read"] / sum(value for name, value in stages.items() if name != "waiting")


def measure(quick, options):
    if quick:
        options.rounds, options.seconds = 1, 3
    for name in options.bundles:
        bundle = common.bundle(name)
        with common.scratch() as folder:
            lists = encode(folder, RECORDING_S)
            rates = {codec: [] for codec in CODECS}
            shares = {codec: [] for codec in CODECS}
            for turn in range(options.rounds):
                for codec in sorted(CODECS, reverse=turn % 2 == 1):
                    rate, share = window(folder, bundle, lists[codec], options.seconds)
                    rates[codec].append(rate)
                    shares[codec].append(100 * share)
        ratios = {codec: [of / wav for of, wav in zip(rates[codec], rates["wav"])] for codec in CODECS}
        common.table((f"{name}, median (least–most)", "segments/s", "÷ WAV", "% of the work that is reading"),
                     [(codec, f"{statistics.median(rates[codec]):.1f}", common.spread(ratios[codec]), common.spread(shares[codec], 1))
                      for codec in CODECS])
