"""Memory of eight workers on full-width Cnn14: weights shared, what is private, PSS of the tree.

smaps of the template and of every worker, at three moments: forked and warmed, before a worker ran
anything (the job's list has one file, so seven workers idle); while all work; after they worked and
sat idle. To make them idle the supervisor is stopped: they end what they hold and get no more.
Ends with what is wanted of each bundle, and whether it is so.
"""

import argparse
import os
import pathlib
import re
import signal
import time

from benchmarks import common

BUNDLES = ("cnn14", "cnn14-bf16", "cnn14-int8")
WORKERS = 8
# What is wanted, in MB of a million bytes.
MOST_BESIDE_WEIGHTS_MB = 350
MOST_PRIVATE_MB = {"at work": 20, "idle": 10}
ARENA = "memfd:consort-weights"
MIB = 1024         # smaps counts KiB
MB = 1e6 / 1024    # KiB of it


def smaps(pid):
    """[(name of the mapping, {field: KiB})]"""
    found = []
    for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            words = line.split(maxsplit=5)
            found.append((words[5] if len(words) > 5 else "", {}))
        elif line.endswith(" kB"):
            key, value = line[:-3].split(":")
            found[-1][1][key] = int(value)
    return found


def total(mappings, field, of=lambda name: True):
    return sum(fields[field] for name, fields in mappings if of(name))


def kind(name):
    """Where a page belongs, in a word."""
    if ARENA in name:
        return "arena"
    if name.startswith("/memfd"):
        return "channel"
    if name.startswith("/") and not name.startswith("/dev"):
        return "programs' data"
    return "stack of main" if name == "[stack]" else "heap, stacks"


def private(mappings):
    return total(mappings, "Private_Clean") + total(mappings, "Private_Dirty")


class Moment:
    """The template and its workers at one time."""

    def __init__(self, supervisor, template, workers, looked_at):
        everyone = {pid: smaps(pid) for pid in (supervisor, template, *workers)}
        self.workers = [everyone[pid] for pid in looked_at]
        self.template = everyone[template]
        self.pss_mib = sum(total(it, "Pss") for it in everyone.values()) / MIB

    def arena(self, who, field):
        return total(who, field, lambda name: ARENA in name)

    def row(self):
        """Worst over the workers: arena private, arena anonymous, all anonymous, private dirty, private."""
        worst = lambda value: max(map(value, self.workers)) / MIB
        return (worst(lambda it: self.arena(it, "Private_Clean") + self.arena(it, "Private_Dirty")),
                worst(lambda it: self.arena(it, "Anonymous")),
                worst(lambda it: total(it, "Anonymous")),
                worst(lambda it: total(it, "Private_Dirty")),
                worst(private))

    def dirty_by_kind(self):
        found = {}
        for name in ("heap, stacks", "programs' data", "channel", "stack of main"):
            found[name] = max(total(it, "Private_Dirty", lambda path: kind(path) == name) for it in self.workers) / MIB
        return found


class Job:
    def __init__(self, folder, sounds, model, workers=WORKERS):
        listing = folder / "list"
        listing.write_text("".join(sound + "\n" for sound in sounds))
        self.process = common.start("-m", common.bundle(model), "-o", folder / "out.jsonl", "--restart", "--quiet",
                                    "-p", workers, "-t", 1, listing)
        self.pid = self.process.pid
        common.wait_until(lambda: len(common.template_and_workers(self.pid)[1]) == workers, interval=0.001)
        self.template, self.workers = common.template_and_workers(self.pid)

    def hold(self):
        """No more tasks: workers end what they hold."""
        os.kill(self.pid, signal.SIGSTOP)

    def wait_idle(self):
        before = None
        while (now := [common.cpu_seconds(pid) for pid in self.workers]) != before:
            before = now
            time.sleep(1)

    def moment(self, looked_at=None):
        return Moment(self.pid, self.template, self.workers, looked_at or self.workers)

    def end(self):
        os.kill(self.pid, signal.SIGKILL)  # its processes follow
        self.process.communicate()


def before_any_task(folder, model):
    job = Job(folder, common.sounds()[:1], model)
    job.hold()
    job.wait_idle()
    # Whoever got the one file has worked.
    spent = {pid: common.cpu_seconds(pid) for pid in job.workers}
    worked = max(spent, key=spent.get)
    moment = job.moment([pid for pid in job.workers if pid != worked])
    job.end()
    return moment


def report_row(name, moments):
    rows = [it.row() for it in moments]
    return (name, *(f"{max(column):.1f}" for column in zip(*rows)), f"{max(it.pss_mib for it in moments):.0f}")


def parser():
    found = argparse.ArgumentParser(prog="tools/bench weights", description=__doc__.splitlines()[0])
    found.add_argument("--bundles", nargs="+", default=BUNDLES, metavar="BUNDLE", help=f"of build/bundles [{' '.join(BUNDLES)}]")
    found.add_argument("--seconds", type=float, help="of work before the memory is looked at [60; 10 with --quick]")
    found.add_argument("--workers", type=int, default=WORKERS, help=f"[{WORKERS}]")
    return found


def measure(quick, options):
    for model in options.bundles:
        if not (common.ROOT / "build/bundles" / model).is_dir():
            print(f"  no bundle {model}: left out; make it: tools/models/make {model}")
            continue
        with common.scratch() as folder:
            of_bundle(folder, model, options.workers, options.seconds or (10 if quick else 60), (1, 12) if quick else (1, 15, 30))


def of_bundle(folder, model, workers, seconds, pauses):
    rows = [report_row("forked, nothing run yet", [before_any_task(folder, model)])]
    job = Job(folder, common.sounds() * 2000, model, workers)
    time.sleep(seconds)
    loaded = [job.moment() for _ in range(10) if time.sleep(0.37) is None]
    rows.append(report_row("at work", loaded))
    job.hold()
    job.wait_idle()
    idle_since = time.monotonic()
    idle = []
    for pause in pauses:
        time.sleep(max(0, idle_since + pause - time.monotonic()))
        idle.append(job.moment())
        rows.append(report_row(f"idle for {pause} s after work", idle[-1:]))
    forwards = common.count_lines(folder / "out.jsonl") // workers
    job.end()
    last = idle[-1]
    sizes = [last.arena(it, "Size") / MIB for it in last.workers]
    shared = [(last.arena(it, "Shared_Clean") + last.arena(it, "Shared_Dirty")) / MIB for it in last.workers]
    resident = [last.arena(it, "Rss") / MIB for it in last.workers]
    print(f"\n{model}, {workers} workers: arena of a worker {max(sizes):.1f} MiB mapped, {min(resident):.1f}–{max(resident):.1f}"
          f" resident, {min(shared):.1f}–{max(shared):.1f} shared; template: {last.arena(last.template, 'Rss') / MIB:.1f} resident,"
          f" {last.arena(last.template, 'Anonymous') / MIB:.1f} anonymous; about {forwards} forwards a worker")
    common.table(("MiB, the worst worker", "arena private", "arena anonymous", "anonymous", "private dirty", "private",
                  "PSS of the tree"), rows)
    print("  private dirty when idle, by kind (MiB): "
          + ", ".join(f"{name} {size:.1f}" for name, size in last.dirty_by_kind().items()))
    wanted(model, loaded, last)


def wanted(model, loaded, idle):
    """What the weights' one copy promises, with yes or no."""
    weights = (common.bundle(model) / "weights.bin").stat().st_size / 1e6
    pss = max(it.pss_mib for it in loaded) * MIB / MB
    kept = [max(it.arena(who, field) for it in (*loaded, idle) for who in it.workers)
            for field in ("Private_Clean", "Private_Dirty", "Anonymous")]
    rows = [("tree PSS at work, MB", f"{pss:.0f}", f"{weights + MOST_BESIDE_WEIGHTS_MB:.0f} = {weights:.0f} of weights + "
             f"{MOST_BESIDE_WEIGHTS_MB}", pss <= weights + MOST_BESIDE_WEIGHTS_MB),
            ("private or anonymous pages of the arena, KiB", str(sum(kept)), "0", not any(kept))]
    for name, moments in (("at work", loaded), ("idle", [idle])):
        most = max(private(it) for moment in moments for it in moment.workers) / MB
        rows.append((f"private of the worst worker, {name}, MB", f"{most:.1f}", str(MOST_PRIVATE_MB[name]),
                     most <= MOST_PRIVATE_MB[name]))
    common.table(("wanted", "is", "at most", ""), [(*row[:3], "yes" if row[3] else "NO") for row in rows])
