"""What the peers need and consort does not: a Python environment of their own, ONNX files."""

import hashlib
import json
import os
import pathlib
import platform
import subprocess

from benchmarks import common

REQUIREMENTS = common.ROOT / "tools/requirements-bench.txt"
FOLDER = common.ROOT / "build/bench-python"
PYTHON = FOLDER / "bin/python"
SCRIPTS = pathlib.Path(__file__).parent / "scripts"
MADE = common.ROOT / "build/bench"
JEMALLOC = pathlib.Path("/usr/lib/x86_64-linux-gnu/libjemalloc.so.2")


def prepare():
    """Makes or renews the environment; nothing is asked of pip when its list is unchanged."""
    stamp = FOLDER / ".requirements.sha256"
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    if PYTHON.exists() and stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"installing what consort is compared with into {FOLDER.relative_to(common.ROOT)} (once; about 2 GB)", flush=True)
    log = common.ROOT / "build/bench-pip.log"
    python = (common.ROOT / "build/python/bin/python").resolve()
    with open(log, "w") as file:
        for words in ([python, "-m", "venv", FOLDER],
                      [PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "-r", REQUIREMENTS]):
            if subprocess.run(words, stdout=file, stderr=subprocess.STDOUT).returncode:
                common.fail(f"could not make {FOLDER}: see {log}")
    stamp.write_text(wanted)


def torchscript(model):
    path = common.ROOT / "build/models" / f"{model}.pt"
    if not path.exists():
        common.fail(f"no {path}; make it: tools/models/make {model}")
    return path


def labels(model):
    return torchscript(model).with_suffix(".labels.txt")


def onnx(model):
    """Exported once, compared with the original, renewed when that is newer."""
    source, path = torchscript(model), MADE / f"{model}.onnx"
    if not path.exists() or path.stat().st_mtime < source.stat().st_mtime:
        print(f"exporting {path.relative_to(common.ROOT)}", flush=True)
        MADE.mkdir(parents=True, exist_ok=True)
        done = subprocess.run([PYTHON, SCRIPTS / "export_onnx.py", source, path], capture_output=True, text=True)
        if done.returncode:
            common.fail(f"could not export {source}: {done.stderr.strip()[-500:]}")
    return path


def variables(allocator):
    """Of a peer's process. No thread pools but those that a peer asks for."""
    found = dict(os.environ, OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", PYTHONUNBUFFERED="1")
    if allocator == "jemalloc":
        found |= {"LD_PRELOAD": str(JEMALLOC), "MALLOC_CONF": "oversize_threshold:0,background_thread:true"}
    return found


def machine():
    lines = open("/proc/cpuinfo").read().splitlines()
    return {"cpu": next((it.split(":", 1)[1].strip() for it in lines if it.startswith("model name")), platform.machine()),
            "cpus": len(os.sched_getaffinity(0)), "linux": platform.release(), "load_at_start": os.getloadavg()[0]}


def versions():
    done = subprocess.run([PYTHON, "-m", "pip", "list", "--format=json", "--disable-pip-version-check"],
                          capture_output=True, text=True, check=True)
    wanted = {line.split("==")[0] for line in REQUIREMENTS.read_text().splitlines() if "==" in line}
    return {it["name"]: it["version"] for it in json.loads(done.stdout) if it["name"] in wanted}
