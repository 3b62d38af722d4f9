"""SIGINT, SIGTERM and SIGHUP, and what they do meanwhile."""

import contextlib
import signal

from .errors import Interrupted


class Signals:
    """While entered, a signal raises Interrupted; once, so that a second one cannot break off the clean-up.

    All of it happens in Python's handlers, not in the thread's signal mask: another thread (of numpy's BLAS,
    say) takes what the main one blocks, and then Python calls the handler in the main one all the same.
    """

    NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self):
        self.noted = 0  # the first signal that did not raise
        self._raises = True
        self._before = {}

    def __enter__(self):
        for number in self.NUMBERS:
            if signal.getsignal(number) != signal.SIG_IGN:  # else the caller wants it ignored, as nohup does
                self._before[number] = signal.signal(number, self._came)
        return self

    def __exit__(self, *_):
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def only_note(self):
        """From here on nothing is broken off."""
        self._raises = False

    @contextlib.contextmanager
    def held(self):
        """A signal raises at the end of this, so that what is made inside is known to who takes it away. Not nested."""
        raised, self._raises = self._raises, False
        try:
            yield
        finally:
            self._raises = raised
            if raised and self.noted:
                self._stop(self.noted)

    def _came(self, number, _):
        if self._raises:
            self._stop(number)
        self.noted = self.noted or number

    def _stop(self, number):
        for each in self._before:
            signal.signal(each, signal.SIG_IGN)
        raise Interrupted(number)
