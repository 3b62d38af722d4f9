"""What is listened to: a recording made by script, or the operands, again and again."""

import os
import wave

MINUTES = 35
RATE = 44100
BLOCK_SECONDS = 10


def make_recording(path, minutes=MINUTES, seed=35):
    """16-bit mono WAV: noise, tones that come and go, and bursts with the rhythm of syllables. Always the same bytes."""
    import numpy
    generator = numpy.random.default_rng(seed)
    seconds = numpy.arange(BLOCK_SECONDS * RATE, dtype=numpy.float32) / RATE
    with wave.open(path, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        for _ in range(round(minutes * 60 / BLOCK_SECONDS)):
            noise = generator.standard_normal(len(seconds), dtype=numpy.float32)
            sound = 0.02 * noise
            for tone in generator.uniform(80, 6000, 2):
                swell = 0.5 + 0.5 * numpy.sin(2 * numpy.pi * generator.uniform(0.1, 1) * seconds, dtype=numpy.float32)
                sound += 0.08 * swell * numpy.sin(2 * numpy.pi * numpy.float32(tone) * seconds)
            # Speech-like: a buzz of a voice's pitch, four syllables a second, with pauses.
            voice = numpy.sign(numpy.sin(2 * numpy.pi * numpy.float32(generator.uniform(90, 220)) * seconds))
            syllables = numpy.maximum(0, numpy.sin(2 * numpy.pi * 4 * seconds)) * (numpy.sin(2 * numpy.pi * 0.3 * seconds) > -0.3)
            sound += syllables * (0.15 * voice + 0.1 * noise)
            out.writeframes((numpy.clip(sound, -0.999, 0.999) * 32767).astype("<i2").tobytes())
    return path


class Audio:
    """The operands of `consort run`, repeated so that a measured run does not come to their end.

    Repeated on the command line, so that lists, files and folders mean what they always do.
    """

    MOST_WORDS = 20_000
    MOST_BYTES = 1_000_000  # of a command line; Linux takes 2 MB

    def __init__(self, operands):
        self.operands = [os.path.abspath(it) for it in operands]
        self.times = 1

    def more(self):
        """Repeats them more often. False if that is not possible."""
        wanted = self.times * 8
        size = sum(len(os.fsencode(it)) + 9 for it in self.operands)  # with the pointer to it
        if wanted * len(self.operands) > self.MOST_WORDS or wanted * size > self.MOST_BYTES:
            return False
        self.times = wanted
        return True

    def arguments(self):
        return self.operands * self.times
