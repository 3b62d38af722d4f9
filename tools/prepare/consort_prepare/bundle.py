"""The bundle's folder: made beside its place, put there in one step.

LibTorch is not imported here: to find a bundle up to date takes none.
"""

import ctypes
import errno
import fcntl
import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import tempfile
import time

from . import PREPARE_VERSION, manifest as manifests
from .errors import PrepareError

AT_FDCWD = -100
RENAME_EXCHANGE = 2
CPU_FLAGS = ("avx2", "fma", "avx512f", "avx512bw", "avx512vl", "avx_vnni", "avx512_vnni", "avx512_bf16",
             "avx512_fp16", "amx_tile", "amx_bf16", "amx_int8")
MOST_DIFFERENCE = 1e-4  # of a model's answers: with the same sources and weights, less is another CPU's rounding
DOES_NOT_COMPILE = "it does not compile"  # how a reason begins that may be another one tomorrow


def file_sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def torch_version():
    return importlib.metadata.version("torch").split("+")[0]


def cpu():
    import torch
    model, flags = _cpu_model_and_flags()
    return {"model": model, "capability": torch.backends.cpu.get_cpu_capability(), "flags": flags}


def _cpu_model_and_flags():
    model, flags = "", set()
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                model = value.strip()
            elif key.strip() in ("flags", "Features"):
                flags = set(value.split())
            elif not line.strip():
                break
    return model, [flag for flag in CPU_FLAGS if flag in flags]


def source_of(model_path, manifest, before=None):
    """What identifies the model that a bundle was made from; its post model, too, if it has one. `before`: of a post model,
    the model whose answers it takes."""
    if not isinstance(model_path, str):
        post = source_of(model_path.post, manifest, before=model_path.model)
        return {**source_of(model_path.model, manifest), "post": {key: value for key, value in post.items() if key != "prepare"}}
    known_by = {}
    if os.path.isfile(model_path):
        sha256 = file_sha256(model_path)
    else:
        import torch
        from . import checks, program
        torch.set_num_threads(1)  # bits depend on it, and others would be missing in a child that is forked later
        inputs = checks.noise_inputs(manifest)
        sha256, known_by["answers"] = program.fingerprint(model_path, inputs if before is None else program.answers(before, inputs))
    return {"name": os.path.basename(model_path), "sha256": sha256, "prepare": PREPARE_VERSION, **known_by}


def is_same_source(one, other):
    """Equal, but for the last bits of answers, which depend on the CPU."""
    if not isinstance(one, dict) or not isinstance(other, dict):
        return one == other
    if one.keys() != other.keys() or any(one[key] != other[key] for key in one if key not in ("answers", "post")):
        return False
    return _are_near(one.get("answers", []), other.get("answers", [])) and is_same_source(one.get("post"), other.get("post"))


def _are_near(answers, others):
    """Whether lists of lists of numbers differ by no more than MOST_DIFFERENCE of the largest of a list."""
    if [len(answer) for answer in answers] != [len(other) for other in others]:
        return False
    return all(max(abs(a - b) for a, b in zip(answer, other)) <= MOST_DIFFERENCE * max(map(abs, [*answer, *other]))
               for answer, other in zip(answers, others) if answer)


def labels_bytes(labels):
    return "".join(label + "\n" for label in labels).encode()


def read_model(folder):
    with open(os.path.join(folder, "model.json"), encoding="utf-8") as file:
        return json.load(file)


def read_prepared(folder):
    """model.json of a bundle, or None if `folder` is not one of ours, whole and with nothing else in it."""
    try:
        model = read_model(folder)
        files = model["prepared"]["files"]
        if not all(entry["sha256"] and entry["bytes"] >= 0 for entry in files.values()):
            return None
        if model["consort"] != 1 or set(_files_in(folder)) - set(files) - {"model.json"}:
            return None
        return model
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _files_in(folder):
    """Relative paths of all that is not a folder, and of empty folders."""
    for where, folders, names in os.walk(folder):
        for name in names + [name for name in folders if os.path.islink(os.path.join(where, name))]:
            yield os.path.relpath(os.path.join(where, name), folder)
        if not folders and not names and where != folder:
            yield os.path.relpath(where, folder)


def up_to_date(folder, manifest, labels, source, asked):
    """The bundle that stands there, if a new one would be the same; else None."""
    model = read_prepared(folder)
    if model is None:
        return None
    prepared = model["prepared"]
    same = (manifests.says_the_same({key: value for key, value in model.items() if key != "prepared"}, manifests.bundled(manifest))
            and is_same_source(prepared.get("source"), source) and prepared.get("torch") == torch_version()
            and prepared.get("asked") == asked and _is_for_this_cpu(prepared)
            # No memory, no room, another compiler: it is tried again. So is what an earlier version did not try.
            and not prepared.get("reason", "").startswith((DOES_NOT_COMPILE, '"stateful" is true')))
    if not same or prepared["files"].get("labels.txt", {}).get("sha256") != hashlib.sha256(labels_bytes(labels)).hexdigest():
        return None
    for name, entry in prepared["files"].items():
        path = os.path.join(folder, name)
        if not os.path.isfile(path) or os.path.getsize(path) != entry["bytes"] or file_sha256(path) != entry["sha256"]:
            return None
    return model


def _is_for_this_cpu(prepared):
    if prepared["backend"] != "aoti":
        return True
    ours, here = prepared["cpu"]["flags"], _cpu_model_and_flags()[1]
    return set(ours) <= set(here) if prepared["cpu"].get("portable") else ours == here


def check_place(folder):
    """A folder that is there must be ours to replace."""
    parent = os.path.dirname(os.path.abspath(folder))
    if not os.path.isdir(parent):
        raise PrepareError(f'could not make "{folder}": the folder "{parent}" does not exist', "make it first")
    if not os.path.lexists(folder):
        return
    if os.path.islink(folder) or not os.path.isdir(folder):
        raise PrepareError(f'"{folder}" is there and is not a bundle', "remove it, or choose another name")
    if os.listdir(folder) and read_prepared(folder) is None:
        raise PrepareError(f'"{folder}" is there and is not a bundle of ours, or has other files in it',
                           "remove it, or choose another name")


class Staging:
    """BUNDLE.tmp-XXXXXXXX while it is made; gone afterwards, whatever happens.

    In it: `path`, what becomes the bundle, and `scratch`, for whatever a compiler writes. It is locked
    while its maker lives, so that others know what they may take away; process ids would not do:
    two containers may have one folder and the same ids.
    """

    def __init__(self, folder):
        self.folder = os.path.abspath(folder)

    def __enter__(self):
        _sweep(self.folder)
        parent, base = os.path.split(self.folder)
        try:
            self._make(parent, base)
            self.path, self.scratch = os.path.join(self.place, "bundle"), os.path.join(self.place, "scratch")
            os.mkdir(self.path)
            os.mkdir(self.scratch)
            os.chmod(self.path, 0o777 & ~_umask())
        except OSError as error:
            raise PrepareError(f'could not make a folder beside "{self.folder}": {error.strerror.lower()}') from None
        return self

    def _make(self, parent, base):
        while True:
            self.place = tempfile.mkdtemp(prefix=f"{base}.tmp-", dir=parent)
            self._lock = _lock(self.place, wait=True)
            if os.path.isdir(self.place):  # not swept between the two lines above
                return
            os.close(self._lock)

    def __exit__(self, *_):
        for _ in range(10):  # a compiler that was just killed may have been about to write
            shutil.rmtree(self.place, ignore_errors=True)
            if not os.path.exists(self.place):
                break
            time.sleep(0.05)
        if self._lock is not None:
            os.close(self._lock)

    def take_all_but_model_json(self):
        """The files of the bundle that stands there already: the same ones where that is possible."""
        def link(source, target):
            try:
                os.link(source, target)
            except OSError:
                shutil.copy(source, target)

        shutil.copytree(self.folder, self.path, ignore=lambda *_: ["model.json"], copy_function=link, dirs_exist_ok=True)

    def put_in_place(self):
        """In one step; what stood there before is then in self.place, and goes with it."""
        _sync_tree(self.path)
        check_place(self.folder)  # once more: minutes have passed, and others' files may have come
        if os.path.isdir(self.folder) and os.listdir(self.folder):
            _exchange(self.path, self.folder, os.path.join(self.place, "old"))
        else:
            os.rename(self.path, self.folder)
        _sync(os.path.dirname(self.folder))


def _umask():
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _lock(folder, wait):
    """A descriptor that holds the folder's lock; None if another holds it, or locks are not to be had."""
    fd = None
    try:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        return fd
    except OSError:
        if fd is not None:
            os.close(fd)
        return None


def _sweep(folder):
    """Takes away what killed runs left beside the bundle."""
    parent, base = os.path.split(folder)
    for name in os.listdir(parent):
        left = os.path.join(parent, name)
        if not re.fullmatch(re.escape(base) + r"\.tmp-\w+", name) or os.path.islink(left) or not os.path.isdir(left):
            continue
        lock = _lock(left, wait=False)
        if lock is None:
            continue
        try:
            if set(os.listdir(left)) <= {"bundle", "scratch", "old"}:  # else it is somebody's own
                if os.path.isdir(os.path.join(left, "old")) and not os.path.lexists(folder):
                    os.rename(os.path.join(left, "old"), folder)  # killed between _exchange's two steps
                shutil.rmtree(left, ignore_errors=True)
        except OSError:
            pass
        finally:
            os.close(lock)


def _sync_tree(folder):
    for where, _, names in os.walk(folder):
        for name in names:
            fd = os.open(os.path.join(where, name), os.O_RDONLY)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
        _sync(where)


def _sync(folder):
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _exchange(new, place, aside):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(AT_FDCWD, os.fsencode(new), AT_FDCWD, os.fsencode(place), RENAME_EXCHANGE) == 0:
        return
    error = ctypes.get_errno()
    if error not in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
        raise PrepareError(f'could not replace "{place}": {os.strerror(error).lower()}')
    # A file system without it: for a moment there is no bundle. A run killed then is mended by _sweep.
    os.rename(place, aside)
    try:
        os.rename(new, place)
    except OSError:
        os.rename(aside, place)
        raise


def write_file(path, data):
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def listed(folder):
    """prepared.files: every file of the folder but model.json."""
    return {name: {"sha256": file_sha256(os.path.join(folder, name)),
                   "bytes": os.path.getsize(os.path.join(folder, name))}
            for name in sorted(_files_in(folder)) if name != "model.json"}


def write_model_json(folder, manifest, prepared):
    model = {**manifests.bundled(manifest), "prepared": prepared}
    text = json.dumps(model, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    write_file(os.path.join(folder, "model.json"), text.encode())
