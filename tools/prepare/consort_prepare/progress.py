"""Steps that take long: on a terminal one line, rewritten; else a line for each."""

import contextlib
import sys

SHORT_SECONDS = 1  # a step that took less needs no line in a log


class Progress:
    def __init__(self, stream=None):
        self.stream = stream or sys.stderr
        self.terminal = self.stream.isatty()

    @contextlib.contextmanager
    def step(self, what):
        """Gives a function to be called with the seconds so far."""
        shown = None

        def tick(seconds):
            nonlocal shown
            if self.terminal and int(seconds) != shown:
                shown = int(seconds)
                self._write(f"\r\x1b[K{what} … {shown} s")

        if self.terminal:
            self._write(f"\r\x1b[K{what} …")
        last = [0.0]

        def remember(seconds):
            last[0] = seconds
            tick(seconds)

        try:
            yield remember
        finally:
            if self.terminal:
                self._write("\r\x1b[K")
        if not self.terminal and last[0] >= SHORT_SECONDS:
            self._write(f"{what} … {last[0]:.0f} s\n")

    def say(self, line):
        self._write(f"consort-prepare: {line}\n")

    def _write(self, text):
        with contextlib.suppress(OSError):
            self.stream.write(text)
            self.stream.flush()
