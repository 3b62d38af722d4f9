"""The machine and the programs, as the report tells them."""

import contextlib
import json
import os
import platform
import subprocess


def _cpu_model():
    with contextlib.suppress(OSError):
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    return platform.machine()


def _memory_bytes():
    with contextlib.suppress(ValueError, OSError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def _run(words):
    # A group of its own: Ctrl-C reaches us alone.
    return subprocess.run(words, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, process_group=0)


def _doctor(consort, bundle):
    """What `consort doctor` found: {name: words}, and whether something costs speed. Its statuses: 0, or 3 if so."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, subprocess.TimeoutExpired):
        done = _run([consort, "doctor", "--json", "-m", bundle])
        return [{"name": it["name"], "found": it["found"], "why": it["why"], "costs": it["level"] == "costs"}
                for it in json.loads(done.stdout)["findings"]]
    return []


def _version(consort):
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        return _run([consort, "--version"]).stdout.strip().removeprefix("consort ")
    return ""


def describe(consort, roles, usable, others):
    """A dict for the report. `others`: their share of the CPUs while it was measured, or None."""
    return {
        "cpu": _cpu_model(),
        "cpus": os.cpu_count(),
        "usable_cpus": usable,
        "memory_bytes": _memory_bytes(),
        "kernel": f"{platform.system()} {platform.release()}",
        "libtorch": next((it.torch for it in (*roles.same, *roles.others) if it.torch), ""),
        "consort": _version(consort),
        "others_cpu_share": others,
        "doctor": _doctor(consort, roles.main.path),
    }
