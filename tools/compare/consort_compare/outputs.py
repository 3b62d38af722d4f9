"""Where the report goes: seen to be writable before anything is measured, complete or not there at all."""

import contextlib
import os
import stat
import tempfile

from .errors import CompareError


GENERATOR = '<meta name="generator" content="consort compare">'
DATA_KEY = '"consort_compare"'
MARKED_BYTES = 64 * 1024  # in which a report's mark stands


class Outputs:
    """Files that are written beside and renamed. `marks`: {path: what a file that may be replaced has near its
    begin}. `operands`: what is to be read, which is never replaced."""

    def __init__(self, marks, operands=()):
        self._places = []
        try:
            for path, mark in marks.items():
                _refuse_to_replace(path, mark, operands)
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


def _refuse_to_replace(path, mark, operands):
    """Only an empty file or an earlier report may be replaced."""
    try:
        found = os.stat(path)
        for operand in operands:
            with contextlib.suppress(OSError):
                if os.path.samestat(found, os.stat(operand)) and not stat.S_ISDIR(found.st_mode):
                    raise CompareError(f'"{path}" is to be read, and would be overwritten', "name another output")
        if stat.S_ISDIR(found.st_mode):
            return
        begin = b""
        if stat.S_ISREG(found.st_mode):
            with open(path, "rb") as file:
                begin = file.read(MARKED_BYTES)
            if not begin:
                return
    except FileNotFoundError:
        return
    except OSError as error:
        raise CompareError(f'could not write "{path}": {(error.strerror or str(error)).lower()}') from None
    if mark.encode() not in begin:
        raise CompareError(f'"{path}" exists and was not made by consort compare', "name another output, or move that away")


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
