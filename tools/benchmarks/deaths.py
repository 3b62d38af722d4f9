"""From a SIGKILL to the killed worker's successor, and to its first result; a template's death hits all slots.

Between the two lies one whole segment: where a forward takes 100 ms, no successor can have a result sooner.

The kill's time and the supervisor's -vv lines are both CLOCK_MONOTONIC. A kill that hits a slot
which has given nothing since the last one counts from its own time, like any other.
"""

import collections
import os
import random
import re
import signal
import time

from benchmarks import common

WORKERS = 2
# bundle → (kills, mean pause between them in s, microseconds a null segment takes)
JOBS = {"null": (100, 0.15, 3000), "cnn14-quarter": (100, 1.5, 0), "cnn14": (40, 2.5, 0), "cnn14-bf16": (40, 2.5, 0),
        "cnn14-int8": (40, 2.5, 0)}
TEMPLATE_SHARE = 0.2
LINE = re.compile(r"slot (\d+): worker (\d+) (ready|first result|reaped) at ([\d.]+)")


def name_of(pid):
    try:
        with open(f"/proc/{pid}/comm") as file:
            return file.read().strip()
    except OSError:
        return ""


def processes(supervisor):
    """{"consort-tmpl": pids, "consort-worker": pids}; orphans are the supervisor's children."""
    found = collections.defaultdict(list)
    near = common.children(supervisor)
    for pid in near + [it for one in near for it in _children(one)]:
        found[name_of(pid)].append(pid)
    return found


def _children(pid):
    try:
        return common.children(pid)
    except OSError:
        return []


def kill_at_random(job, count, pause):
    """[(time, pid, is it a template)]"""
    sent = []
    while len(sent) < count and job.poll() is None:
        time.sleep(random.uniform(0.2, 1.8) * pause)
        template = random.random() < TEMPLATE_SHARE
        alive = processes(job.pid)["consort-tmpl" if template else "consort-worker"]
        if not alive:
            continue
        victim = random.choice(alive)
        now = time.clock_gettime(time.CLOCK_MONOTONIC)
        try:
            os.kill(victim, signal.SIGKILL)
        except ProcessLookupError:
            continue
        sent.append((now, victim, template))
    return sent


def gaps(kills, told):
    """[(seconds to the successor, seconds to its first result, is it a template)], one a kill and slot it hit."""
    slot_of, times = {}, {"ready": collections.defaultdict(list), "first result": collections.defaultdict(list)}
    for slot, pid, what, at in LINE.findall(told):
        slot_of[int(pid)] = int(slot)
        if what in times:
            times[what][int(slot)].append(float(at))
    found = []
    for at, pid, template in kills:
        slots = range(WORKERS) if template else [slot_of[pid]] if pid in slot_of else []
        for slot in slots:
            ready, first = ([it for it in times[what][slot] if it > at] for what in ("ready", "first result"))
            if ready and first:
                found.append((min(ready) - at, min(first) - at, template))
    return found


def run(folder, model, count, pause, segment_us):
    bundle = common.bundle(model)
    listing = folder / "list"
    listing.write_text("".join(sound + "\n" for sound in common.sounds() * 2000))
    told = folder / "told"
    with open(told, "w") as file:
        job = common.start("-vv", "--progress", "none", "-m", bundle, "-o", folder / "out.jsonl", "--restart", "-p",
                           WORKERS, "-t", 1, listing, env={"CONSORT_NULL_SEGMENT_US": str(segment_us)}, stderr=file)
        common.wait_until(lambda: "first result" in told.read_text())
        kills = kill_at_random(job, count, pause)
        time.sleep(3)
        if job.poll() is not None:
            common.fail(f"the job ended before the last kill: {told.read_text()[-300:]}")
        job.terminate()
        job.wait()
    return kills, gaps(kills, told.read_text())


def measure(quick):
    rows = []
    with common.scratch() as folder:
        for model, (count, pause, segment_us) in JOBS.items():
            if not (common.ROOT / "build/bundles" / model).is_dir():
                print(f"no bundle {model}: left out; make it: tools/models/make {model}")
                continue
            kills, found = run(folder, model, 15 if quick else count, pause, segment_us)
            for template in (False, True):
                times = [(1e3 * ready, 1e3 * first) for ready, first, kind in found if kind == template]
                sent = sum(1 for it in kills if it[2] == template)
                if times:
                    rows.append((f"{model}, {'template' if template else 'worker'}", sent,
                                 *(common.spread(list(column), 1) for column in zip(*times))))
    common.table(("ms from the kill, median (least–most)", "kills", "to the successor", "to the slot's next result"), rows)
