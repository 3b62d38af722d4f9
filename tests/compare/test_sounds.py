"""What is listened to where nothing is named, and how short sounds are repeated."""

import hashlib
import os
import wave

import numpy

from consort_compare import sounds


def test_the_recording_is_always_the_same_and_is_no_silence(tmp_path):
    made = [sounds.make_recording(str(tmp_path / f"{n}.wav"), minutes=0.5) for n in range(2)]
    first, second = (hashlib.sha256(open(it, "rb").read()).hexdigest() for it in made)
    assert first == second
    with wave.open(made[0], "rb") as found:
        assert (found.getnchannels(), found.getsampwidth(), found.getframerate(), found.getnframes()) == (1, 2, 44100, 30 * 44100)
        samples = numpy.frombuffer(found.readframes(found.getnframes()), "<i2")
    loud = numpy.abs(samples.reshape(30, -1).astype(float)).mean(axis=1)
    assert loud.min() > 300 and numpy.abs(samples).max() < 32767


def test_operands_are_repeated_up_to_what_a_command_line_holds(tmp_path):
    audio = sounds.Audio([str(tmp_path / "a.wav"), "relative.txt"])
    assert audio.arguments() == [str(tmp_path / "a.wav"), os.path.abspath("relative.txt")]
    while audio.more():
        assert len(audio.arguments()) == 2 * audio.times
    assert 1000 < len(audio.arguments()) <= audio.MOST_WORDS
