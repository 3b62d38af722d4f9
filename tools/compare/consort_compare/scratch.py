"""A folder of this process's own below $TMPDIR.

A process that is killed cannot take its folder away: the next one does. So that nobody's folder is taken who
lives, it is locked (flock) as long as its owner has it, and whoever takes one away holds its lock. The boot id of
the kernel is in its name, and folders of other kernels are left alone: over a network file system their locks need
not be seen here. `consort tune` does the same (supervisor/tune/temporary_folder.h); each takes away the other's, too.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile

OWNERS = ("consort-compare-", "consort-tune-")


class Scratch:
    """`path`: the folder, from making on until take_away()."""

    def __init__(self):
        boot = _boot_id()
        if boot:
            _take_leftovers_away(tempfile.gettempdir(), boot)
        while True:
            self.path = tempfile.mkdtemp(prefix=OWNERS[0] + (f"{boot}-" if boot else ""))
            self._lock = None
            if not boot:
                return
            self._lock = _locked(self.path, wait=True)
            if self._lock is None:  # no locks here: under another name, which nobody takes for a dead one's
                shutil.rmtree(self.path, ignore_errors=True)
                boot = ""
            elif _is_named(self.path, self._lock):
                return
            else:  # another process, cleaning up, came between the making and the locking
                os.close(self._lock)

    def take_away(self):
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)


def _boot_id():
    """The first digits of the kernel's random id; "" where it does not tell."""
    with contextlib.suppress(OSError):
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read()[:8]
    return ""


def _locked(path, wait):
    """A descriptor that holds the folder's lock; None if another holds it, or it is not to be had."""
    descriptor = None
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        return descriptor
    except OSError:
        if descriptor is not None:
            os.close(descriptor)
        return None


def _is_named(path, descriptor):
    with contextlib.suppress(OSError):
        return os.path.samestat(os.lstat(path), os.fstat(descriptor))
    return False


def _take_leftovers_away(place, boot):
    names = []
    with contextlib.suppress(OSError):
        names = os.listdir(place)
    for name in names:
        if not name.startswith(tuple(f"{owner}{boot}-" for owner in OWNERS)):
            continue
        path = os.path.join(place, name)
        descriptor = _locked(path, wait=False)
        if descriptor is None:
            continue
        try:
            if os.fstat(descriptor).st_uid == os.geteuid() and _is_named(path, descriptor):
                shutil.rmtree(path, ignore_errors=True)
        finally:
            os.close(descriptor)
