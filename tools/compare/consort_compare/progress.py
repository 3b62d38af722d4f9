"""Where the comparison is, on standard error: on a terminal one line, rewritten; else a line now and then."""

import contextlib
import sys
import time


class Progress:
    LINE_SECONDS = 15.0  # between two lines where there is no terminal

    def __init__(self, stream=None, clock=time.monotonic):
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._clock = clock
        self._last = None
        self._phase = None

    def at(self, what, left=None):
        """`what`: a phase, and after a comma where in it. `left`: seconds until the report, if known."""
        phase = what.partition(",")[0]
        line = f"consort: {what}" + (f", {clock_words(left)} left" if left is not None else "")
        now = self._clock()
        if self._terminal:
            self._write(f"\r\x1b[K{line}")
        elif phase != self._phase or now - self._last >= self.LINE_SECONDS:
            self._last, self._phase = now, phase
            self._write(line + "\n")

    def say(self, line):
        self.clear()
        self._write(f"consort: {line}\n")

    def clear(self):
        if self._terminal:
            self._write("\r\x1b[K")

    def _write(self, text):
        with contextlib.suppress(OSError):
            self._stream.write(text)
            self._stream.flush()


def clock_words(seconds):
    seconds = max(0, round(seconds))
    return f"{seconds // 60}:{seconds % 60:02d}"
