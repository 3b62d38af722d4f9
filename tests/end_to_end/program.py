"""Running consort, and reading what it wrote."""

import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import uuid

import pytest

import processes

# The program's exit statuses.
DONE, FAILED, USAGE, SOME_FAILED = 0, 1, 2, 3


@dataclasses.dataclass
class Run:
    """A run that has ended. Bytes that are not UTF-8 are surrogates, as in file names."""
    exit: int      # as a shell shows it: 128 + n when ended by signal n
    stdout: str
    stderr: str
    test_id: str   # for processes.job_processes
    tmp: pathlib.Path  # its $TMPDIR, made for it

    def stderr_lines(self):
        return [line for line in self.stderr.splitlines() if line.strip()]


class Job:
    """A running program. Its output is collected from the start, so it never waits for a reader."""

    def __init__(self, popen, test_id, tmp, files):
        self.popen = popen
        self.pid = popen.pid
        self.test_id = test_id
        self.tmp = tmp
        self._files = files

    def processes(self):
        return processes.job_processes(self.test_id)

    def workers(self):
        """Everyone but the supervisor."""
        return [it for it in self.processes() if it.pid != self.pid]

    def signal(self, number):
        os.kill(self.pid, number)

    def wait(self, timeout=60):
        """The Run, once the program has ended by itself."""
        try:
            status = self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            told = self._text("stderr")[-2000:]
            self.end()
            pytest.fail(f"consort did not end within {timeout} s; on standard error:\n{told}")
        return Run(status if status >= 0 else 128 - status, self._text("stdout"),
                   self._text("stderr"), self.test_id, self.tmp)

    def _text(self, name):
        return pathlib.Path(self._files[name]).read_text(encoding="utf-8", errors="surrogateescape")

    def end(self):
        """Ends whoever of it still lives, by its mark."""
        for _ in range(100):
            alive = processes.marked_processes(self.test_id)
            if not alive:
                break
            for it in alive:
                try:
                    os.kill(it.pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            processes.wait_until(lambda: not processes.marked_processes(self.test_id), 0.2)
        self.popen.wait()


class Runner:
    def __init__(self, consort, home):
        self.consort = consort
        self.home = home
        self.jobs = []

    def start(self, *args, env=None, cwd=None, stdin=b"", without_root_powers=False):
        """`without_root_powers`: permissions of files count even if the tests run as root."""
        test_id = uuid.uuid4().hex
        folder = self.home / test_id
        tmp = folder / "tmp"
        tmp.mkdir(parents=True)
        words = [os.fspath(self.consort), *[os.fspath(arg) for arg in map(_plain, args)]]
        if without_root_powers and os.geteuid() == 0:
            words = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *words]
        surroundings = os.environ | {processes.MARK: test_id, "TMPDIR": str(tmp),
                                     "XDG_CONFIG_HOME": str(folder / "config")} | (env or {})
        (folder / "stdin").write_bytes(stdin)
        files = {name: folder / name for name in ("stdout", "stderr")}
        with open(folder / "stdin", "rb") as given, open(files["stdout"], "wb") as out, \
                open(files["stderr"], "wb") as err:
            popen = subprocess.Popen(words, stdin=given, stdout=out, stderr=err, cwd=cwd,
                                     env=surroundings)
        self.jobs.append(Job(popen, test_id, tmp, files))
        return self.jobs[-1]

    def run(self, *args, timeout=60, **options):
        return self.start(*args, **options).wait(timeout)

    def end_all(self):
        for job in self.jobs:
            job.end()


def _plain(arg):
    return str(arg) if isinstance(arg, (int, float)) else arg


def read_results(path):
    """The lines as dicts, in the file's order; each must end in a newline."""
    content = pathlib.Path(path).read_bytes()
    assert content == b"" or content.endswith(b"\n"), f"{path} ends in half a line"
    return [json.loads(line) for line in content.splitlines()]


def by_file(lines):
    """name → its lines, names in order of first appearance. A file's lines must be together."""
    files, last = {}, None
    for line in lines:
        name = line["file"]
        assert name == last or name not in files, f"the lines of {name} are not together"
        files.setdefault(name, []).append(line)
        last = name
    return files
