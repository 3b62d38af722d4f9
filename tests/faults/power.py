"""What may be on the disk after a power cut, from a log of what a program did to its files.

A file has what was in it at its last sync; of what came since, each write may be there, missing, or
there in part (512-byte sectors), each cut too. A name has what its folder's last sync saw, and then
the first few of the changes since, as a journaling file system keeps them in order.
"""

import pathlib
import struct

WRITE, CUT, SYNC, CREATE, RENAME, UNLINK, FOLDER_SYNC = range(1, 8)
SECTOR = 512


def read_log(path, root):
    """[(kind, path below root, offset, size, bytes)]; what lies elsewhere is left out."""
    data, at, found = pathlib.Path(path).read_bytes(), 0, []
    root = str(root) + "/"
    while at < len(data):
        kind, length, offset, size = struct.unpack_from("<BIQQ", data, at)
        at += 21
        name = data[at:at + length].decode()
        at += length
        extra = b""
        if kind in (WRITE, RENAME):
            extra = data[at:at + size]
            at += size
        if kind == FOLDER_SYNC:
            name += "/"
        if name.startswith(root):
            found.append((kind, name[len(root):].rstrip("/"), offset, size, extra))
    return found


class _File:
    def __init__(self, content=b""):
        self.synced = content
        self.since = []  # (kind, offset, size, bytes)

    def apply(self, content, change):
        kind, offset, size, data = change
        if kind == CUT:
            return content[:size].ljust(size, b"\0")
        return content[:offset].ljust(offset, b"\0") + data + content[offset + len(data):]

    def now(self):
        content = self.synced
        for change in self.since:
            content = self.apply(content, change)
        return content


class Disk:
    """Plays a log; `cut(random, how)` is one thing that the power may leave."""

    def __init__(self, start):
        """`start`: {name: bytes}, all of it on the disk."""
        self.names = {}         # as programs see them
        self.synced_names = {}  # by folder: what its last sync saw
        self.since = []         # changes of names: (folder, name, file or None, the name it had)
        for name, content in start.items():
            self.names[name] = self.synced_names[name] = _File(content)

    def play(self, root, entry):
        kind, name, offset, size, data = entry
        folder = name.rpartition("/")[0]
        if kind == CREATE:
            self._name(folder, name, _File())
        elif kind in (WRITE, CUT):
            self.names.setdefault(name, _File()).since.append((kind, offset, size, data))
        elif kind == SYNC and name in self.names:
            file = self.names[name]
            file.synced, file.since = file.now(), []
        elif kind == RENAME:
            new = data.decode()[len(str(root)) + 1:]
            self._name(folder, new, self.names[name], gone=name)
        elif kind == UNLINK and name in self.names:
            self._name(folder, name, None)
        elif kind == FOLDER_SYNC:
            self.since = [change for change in self.since if not self._settle(change, name)]

    def _name(self, folder, name, file, gone=None):
        self.since.append((folder, name, file, gone))
        self._set(self.names, name, file, gone)

    @staticmethod
    def _set(names, name, file, gone):
        if gone:
            names.pop(gone, None)
        if file is None:
            names.pop(name, None)
        else:
            names[name] = file

    def _settle(self, change, folder):
        if change[0] != folder:
            return False
        self._set(self.synced_names, *change[1:])
        return True

    def cut(self, random):
        """{name: bytes}"""
        how = random.choice(("dropped", "kept", "torn", "torn"))
        names = dict(self.synced_names)
        kept = {"dropped": 0, "kept": len(self.since)}.get(how, random.randint(0, len(self.since)))
        for change in self.since[:kept]:
            self._set(names, *change[1:])
        return {name: self._content(file, how, random) for name, file in names.items()}

    @staticmethod
    def _content(file, how, random):
        if how == "dropped":
            return file.synced
        if how == "kept":
            return file.now()
        content = file.synced
        for kind, offset, size, data in file.since:
            fate = random.random()
            if fate < 0.3:
                continue
            if kind == WRITE and fate < 0.6:
                for at in range(0, len(data), SECTOR):
                    if random.random() < 0.5:
                        content = file.apply(content, (WRITE, offset + at, 0, data[at:at + SECTOR]))
            else:
                content = file.apply(content, (kind, offset, size, data))
        return content
