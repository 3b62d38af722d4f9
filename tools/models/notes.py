"""Notes of instruments, rendered by fluidsynth from a soundfont of General MIDI. Needs both.

The same notes give the same samples. Times are those of a standard MIDI file of one track.
"""

import os
import shutil
import struct
import subprocess
import tempfile

import numpy as np
import soundfile

SOUNDFONT = "/usr/share/sounds/sf2/TimGM6mb.sf2"
DRUMS = -1  # for a program: the tenth channel, whose pitches are drums
# name -> (programs of General MIDI counted from 0, lowest pitch, highest pitch)
INSTRUMENTS = {
    "piano": ((0, 1, 3), 33, 96), "organ": ((16, 17, 19), 36, 84), "guitar": ((24, 25, 26), 40, 79), "bass": ((32, 33, 34), 28, 52),
    "strings": ((40, 41, 42, 48), 48, 88), "choir": ((52, 53), 48, 79), "brass": ((56, 57, 60, 61), 50, 82),
    "saxophone": ((64, 65, 66), 50, 80), "flute": ((72, 73, 74), 60, 93), "clarinet": ((71,), 50, 86),
    "mallets": ((11, 12, 13), 53, 93), "drums": ((DRUMS,), 35, 57),
}
TICKS = 500  # a second: a quarter is half a second by default, and has TICKS / 2 of them


def check():
    if shutil.which("fluidsynth") is None or not os.path.exists(SOUNDFONT):
        raise SystemExit(f"there is no fluidsynth, or no {SOUNDFONT}, which make the notes that the model is trained on; "
                         "run tools/setup --for models")


def rendered(program, notes, slot_seconds, sample_rate):
    """A float32 array of `slot_seconds` for each of `notes`: (pitch, velocity, seconds that the key is held)."""
    with tempfile.TemporaryDirectory(prefix="consort-notes-") as folder:
        song, sound = os.path.join(folder, "notes.mid"), os.path.join(folder, "notes.wav")
        with open(song, "wb") as file:
            file.write(_midi(program, notes, slot_seconds))
        subprocess.run(["fluidsynth", "-f", os.devnull, "-n", "-i", "-q", "-R", "0", "-C", "0", "-g", "0.8", "-r", str(sample_rate), "-F", sound, SOUNDFONT, song],
                       check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        samples = soundfile.read(sound, dtype="float32", always_2d=True)[0].mean(1, dtype=np.float32)
    length = int(slot_seconds * sample_rate)
    samples = np.concatenate([samples, np.zeros(max(0, length * len(notes) - len(samples)), np.float32)])
    return [samples[n * length:(n + 1) * length] for n in range(len(notes))]


def _midi(program, notes, slot_seconds):
    channel = 9 if program == DRUMS else 0
    track = b"" if program == DRUMS else b"\0" + bytes([0xC0 | channel, program])
    wait = 0
    for pitch, velocity, seconds in notes:
        held = int(seconds * TICKS)
        track += _number(wait) + bytes([0x90 | channel, pitch, velocity]) + _number(held) + bytes([0x80 | channel, pitch, 0])
        wait = int(slot_seconds * TICKS) - held
    track += _number(wait) + b"\xff\x2f\0"
    return b"MThd" + struct.pack(">IHHH", 6, 0, 1, TICKS // 2) + b"MTrk" + struct.pack(">I", len(track)) + track


def _number(value):
    """Of variable length: seven bits a byte, all but the last marked."""
    found = [value & 0x7F]
    while value := value >> 7:
        found.append(0x80 | value & 0x7F)
    return bytes(reversed(found))
