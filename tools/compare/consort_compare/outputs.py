"""Where the report goes: seen to be writable before anything is measured, complete or not there at all."""

import contextlib
import os
import tempfile

from .errors import CompareError


class Outputs:
    """Files that are written beside and renamed. `paths`: must differ."""

    def __init__(self, paths):
        self._places = []
        try:
            for path in paths:
                self._places.append((path, _place(path)))
        except CompareError:
            self.give_up()
            raise

    def write(self, texts):
        for (path, staged), text in zip(self._places, texts, strict=True):
            try:
                # What of a path is no UTF-8 becomes \udcXX: as JSON, that is the same again.
                with open(staged, "w", encoding="utf-8", errors="backslashreplace") as file:
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(staged, path)
            except OSError as error:
                raise CompareError(f'could not write "{path}": {(error.strerror or str(error)).lower()}') from None

    def give_up(self):
        """Takes away what is not in its place."""
        for _, staged in self._places:
            with contextlib.suppress(OSError):
                os.unlink(staged)


def _place(path):
    """A new, empty file in the folder of `path`."""
    if os.path.isdir(path):
        raise CompareError(f'could not write "{path}": it is a folder')
    folder, name = os.path.split(os.path.abspath(path))
    staged = None
    try:
        descriptor, staged = tempfile.mkstemp(prefix=f".{name}.", dir=folder)
        with open(descriptor, "wb"):
            os.fchmod(descriptor, 0o666 & ~_umask())
        return staged
    except OSError as error:
        if staged is not None:
            os.unlink(staged)
        raise CompareError(f'could not write "{path}": {(error.strerror or str(error)).lower()}') from None


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask
