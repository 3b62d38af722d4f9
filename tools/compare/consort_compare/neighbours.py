"""How much of the CPUs others had while we measured: what no repeat can make good."""

import os

MUCH = 0.05


def _cpu_seconds(text, cpus):
    """(busy, stolen by other virtual machines, all) of these CPUs, from the content of /proc/stat."""
    busy = stolen = every = 0
    for line in text.splitlines():
        name, *fields = line.split()
        if not name.startswith("cpu") or not name[3:].isdecimal() or int(name[3:]) not in cpus:
            continue
        user, nice, system, idle, iowait, irq, softirq, steal = map(int, fields[:8])
        busy += user + nice + system + irq + softirq
        stolen += steal
        every += user + nice + system + idle + iowait + irq + softirq + steal
    ticks = os.sysconf("SC_CLK_TCK")
    return busy / ticks, stolen / ticks, every / ticks


def _read():
    with open("/proc/stat", encoding="utf-8") as file:
        return file.read()


def _own_seconds():
    """Ours, and that of all who ended below us."""
    found = os.times()
    return found.user + found.system + found.children_user + found.children_system


class Neighbours:
    """From its making until share() is called. Nothing we started may still run by then."""

    def __init__(self, read=_read, own_seconds=_own_seconds, cpus=None):
        self._read, self._own_seconds = read, own_seconds
        self._cpus = os.sched_getaffinity(0) if cpus is None else cpus
        self._before = self._now()

    def _now(self):
        try:
            return *_cpu_seconds(self._read(), self._cpus), self._own_seconds()
        except (OSError, ValueError):
            return None

    def share(self):
        """Of the CPUs that we may use, what others had: of this machine, and of its host. None if it is not known."""
        after = self._now()
        if self._before is None or after is None:
            return None
        busy, stolen, every, own = (b - a for a, b in zip(self._before, after))
        return (max(0.0, busy - own) + stolen) / every if every > 0 else None
