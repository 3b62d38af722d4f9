"""What the benchmarks share: programs, bundles, sounds, running consort, tables."""

import contextlib
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONSORT = pathlib.Path(os.environ.get("CONSORT_BIN", ROOT / "build/release/bin/consort")).absolute()
# Benchmarks choose their splits: no profile of whoever runs them.
os.environ["XDG_CONFIG_HOME"] = "/dev/null/no-profiles"
ENDED_WELL = (0, 3)  # all files done; done with some failed


def fail(text):
    sys.exit(f"tools/bench: {text}")


def program(name):
    """A program of the same build as consort."""
    path = CONSORT.with_name(name)
    if not path.exists():
        fail(f"no {path}; build it: cmake --build {CONSORT.parents[1]} --target {name}")
    return path


def bundle(name):
    path = ROOT / "build/bundles" / name
    if not path.is_dir():
        fail(f"no bundle {path}; make it: tools/models/make {name}")
    return path


def null_bundle(folder, *options):
    """A bundle that needs no model; options of tools/models/null.py."""
    subprocess.run([sys.executable, ROOT / "tools/models/null.py", folder, *map(str, options)], check=True)
    return folder


def sounds():
    """The demo's sounds: speech and instruments, most of them short."""
    found = sorted(map(str, pathlib.Path("/usr/share/sounds/alsa").glob("*.wav")))
    found += sorted(map(str, pathlib.Path("/usr/share/sonic-pi/samples").glob("*.flac")))
    if not found:
        fail("no sounds in /usr/share/sounds/alsa and /usr/share/sonic-pi/samples: run tools/setup --for test")
    return found


@contextlib.contextmanager
def scratch():
    """A folder under build/ that is gone afterwards: a disk, where /tmp may be memory."""
    folder = tempfile.mkdtemp(prefix="bench-", dir=ROOT / "build")
    try:
        yield pathlib.Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def start(*args, env=None, stderr=subprocess.PIPE):
    words = [os.fspath(program("consort")), "run", *[os.fspath(arg) for arg in map(_plain, args)]]
    return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr,
                            env=os.environ | (env or {}), text=True)


def finish(job):
    """Waits; what it said on standard error."""
    told = job.communicate()[1]
    if job.returncode not in ENDED_WELL:
        fail(f"consort ended with {job.returncode}: {(told or '').strip()[-500:]}")
    return told or ""


def measured(folder, words, seconds):
    """The figures of a window in the middle of a job, `consort run WORDS`; fails if the list ended before. Scratch: `folder`."""
    path = folder / "figures.json"
    done = subprocess.run([str(it) for it in (program("consort"), "run", *words, "--measure", seconds, "--figures", path)],
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode not in ENDED_WELL:
        fail(f"consort ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    found = json.loads(path.read_text())
    if not found["complete"]:
        fail("the list ended before the window did")
    return found


def run_seconds(*args, env=None):
    """Wall time of a whole `consort run`, start and end included."""
    began = time.monotonic()
    finish(start("--quiet", *args, env=env))
    return time.monotonic() - began


def count_lines(path):
    with open(path, "rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))


def cpu_seconds(pid):
    """utime + stime of a process, all its threads."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def children(pid):
    """Child processes of all threads of `pid`."""
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            found += map(int, (task / "children").read_text().split())
    return found


def tree(pid):
    """A process and all below it."""
    found = [pid]
    for one in found:
        with contextlib.suppress(OSError):
            found += children(one)
    return found


def pss_mib(pid):
    total = 0
    for one in tree(pid):
        with contextlib.suppress(OSError, StopIteration):
            lines = pathlib.Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
            total += int(next(line for line in lines if line.startswith("Pss:")).split()[1])
    return total / 1024


def template_and_workers(pid):
    """(the template's pid or None, the workers' pids) of the job with the supervisor `pid`."""
    templates = children(pid)
    return (templates[0] if templates else None), [it for one in templates for it in children(one)]


def wait_until(condition, timeout=60.0, interval=0.01):
    end = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > end:
            fail("waited in vain")
        time.sleep(interval)
    return value


def _plain(arg):
    return str(arg) if isinstance(arg, (int, float)) else arg


# ---- what is printed ----

def spread(values, digits=3):
    """median (least – most)"""
    return (f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})")


def table(header, rows):
    cells = [list(map(str, row)) for row in [header, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    for row in cells:
        print("  " + "  ".join(cell.ljust(width) if i == 0 else cell.rjust(width)
                               for i, (cell, width) in enumerate(zip(row, widths))), flush=True)


def describe_machine():
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")),
                 platform.machine())
    load = os.getloadavg()[0]
    print(f"{CONSORT}\n{len(os.sched_getaffinity(0))} CPUs ({model}), Linux {platform.release()}, load {load:.1f}"
          + (": NOT QUIET, figures are worth little" if load > 0.5 else ""))
