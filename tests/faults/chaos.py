"""Chaos: while a job works, its processes are killed at random, and so is its supervisor, which is
started again with the same command line until the job is done.

A life is one run of the supervisor. Its -vv lines (supervisor/job/slot_trace.h) and our signals carry
the same clock, CLOCK_MONOTONIC, so that each death that it tells of can be laid at a signal's door,
and the time from a signal to the slot's next result is known.
"""

import collections
import dataclasses
import heapq
import os
import re
import signal
import time

import processes

DEADLY = (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS)
WORKER, TEMPLATE = "consort-worker", "consort-tmpl"
SLOT = re.compile(r"slot (\d+): worker (\d+) (ready|first result|reaped) at ([\d.]+)")
DEATH = re.compile(r"^(?:worker (\d+)|(a template)) (was ended by (SIG\w+)|ended|exited with status \d+|hung.*)",
                   re.MULTILINE)
# A supervisor that is killed takes the counters since its last commit with it.
UNCOUNTED_S = 2.5


def now():
    return time.clock_gettime(time.CLOCK_MONOTONIC)


@dataclasses.dataclass
class Blow:
    at: float
    pid: int
    who: str
    number: int


@dataclasses.dataclass
class Pace:
    """Seconds, means of random pauses. `stops`: the share of SIGSTOPs among the signals."""
    blow: float = 0.25
    supervisor: float = 4.0
    templates: float = 0.2  # the share of signals that go to one
    stops: float = 0.15
    stopped: float = 0.4


class Life:
    """One run of the supervisor, and what was done to it."""

    def __init__(self, job):
        self.job = job
        self.began = now()
        self.blows = []
        self.killed_at = None  # we killed the supervisor
        self.stops = []        # [(pid, from)]
        self.woken = []        # [(pid, when)]
        self.told = ""
        self.run = None        # the Run, once it has ended

    def deaths(self):
        """[(pid or None for a template, signal's name or "")]: what the supervisor told of."""
        return [(int(pid) if pid else None, name) for pid, _, _, name in DEATH.findall(self.told)]

    def counters(self):
        """(workers crashed, killed, templates crashed, killed), as the supervisor counts"""
        count = collections.Counter((pid is None, name in ("SIGKILL", "")) for pid, name in self.deaths())
        return tuple(count[who, killed] for who in (False, True) for killed in (False, True))

    def stopped_between(self, begin, end):
        """Was any process of it stopped?"""
        for pid, since in self.stops:
            until = min((at for who, at in self.woken if who == pid and at > since), default=float("inf"))
            if since < end and begin < until:
                return True
        return False

    def reaped(self):
        return {int(pid): float(at) for _, pid, what, at in SLOT.findall(self.told) if what == "reaped"}


class Chaos:
    def __init__(self, runner, random, pace, command, env=None):
        """`command`: what comes after `consort`."""
        self.runner, self.random, self.pace = runner, random, pace
        self.command, self.env = command, env
        self.lives = []

    def play(self, timeout):
        """Until the job is done; the last Run. Raises if a life ends as it must not."""
        end = now() + timeout
        while True:
            assert now() < end, f"not done after {len(self.lives)} lives"
            life = Life(self.runner.start(*self.command, env=self.env))
            self.lives.append(life)
            self._live(life, end)
            gone = processes.wait_until(lambda: not life.job.processes(), 1.0)
            assert gone is not None, f"a second after the supervisor's end: {life.job.processes()}"
            assert os.listdir(life.job.tmp) == []
            if life.killed_at is None:
                return life.run

    def _live(self, life, end):
        kill_at = now() + self.random.expovariate(1 / self.pace.supervisor)
        asleep = []  # (when to wake it, pid)
        try:
            while life.job.popen.poll() is None:
                assert now() < end, "the job hangs:\n" + life.job.wait(timeout=0).stderr[-2000:]
                time.sleep(self.random.uniform(0, 2 * self.pace.blow))
                while asleep and asleep[0][0] < now():
                    pid = heapq.heappop(asleep)[1]
                    self._send(pid, signal.SIGCONT)
                    life.woken.append((pid, now()))
                if now() > kill_at:
                    life.job.signal(signal.SIGKILL)
                    life.killed_at = now()
                    break
                self._strike(life, asleep)
        finally:
            for _, pid in asleep:
                self._send(pid, signal.SIGCONT)
        life.run = life.job.wait()
        life.told = life.run.stderr

    def _strike(self, life, asleep):
        who = TEMPLATE if self.random.random() < self.pace.templates else WORKER
        sleeping = {pid for _, pid in asleep}
        alive = [it.pid for it in life.job.workers() if it.name == who and it.pid not in sleeping]
        if not alive:
            return
        pid = self.random.choice(alive)
        number = signal.SIGSTOP if self.random.random() < self.pace.stops else self.random.choice(DEADLY)
        at = now()
        if not self._send(pid, number):
            return
        life.blows.append(Blow(at, pid, who, number))
        if number == signal.SIGSTOP:
            heapq.heappush(asleep, (at + self.random.uniform(0, 2 * self.pace.stopped), pid))
            life.stops.append((pid, at))

    @staticmethod
    def _send(pid, number):
        try:
            os.kill(pid, number)
            return True
        except ProcessLookupError:
            return False

    # ---- what must be so ----

    def check_deaths(self):
        """Each death that a supervisor tells of is ours, and each of ours is told of."""
        for life in self.lives:
            sent = collections.defaultdict(set)
            for blow in life.blows:
                sent[blow.pid].add(signal.Signals(blow.number).name)
            told = {pid for pid, _ in life.deaths() if pid}
            template_died = any(pid is None for pid, _ in life.deaths())
            for pid, name in life.deaths():
                if pid is None:
                    continue
                with_its_template = name in ("SIGKILL", "") and template_died
                assert name in sent[pid] or with_its_template, f"worker {pid} {name}: sent {sent[pid]}\n{life.told}"
            until = life.killed_at or now()
            for blow in life.blows:
                if blow.who != WORKER or blow.number not in DEADLY or blow.at > until - 1 or template_died:
                    continue
                ended = life.killed_at is None and blow.at > life.began + self._worked(life)
                assert blow.pid in told or ended, f"nobody told of {blow}\n{life.told}"

    @staticmethod
    def _worked(life):
        """Seconds of the life until shortly before its own end: who dies then is not told of."""
        last = [float(at) for _, _, _, at in SLOT.findall(life.told)]
        return (max(last) if last else life.began) - life.began - 0.1

    def check_counters(self, restarts):
        """`restarts` of `consort status`: what all lives told of, but for what had not been committed."""
        counted = [restarts[who][how] for who in ("workers", "templates") for how in ("crashed", "killed")]
        told = [sum(it) for it in zip(*(life.counters() for life in self.lives))]
        lost = [0, 0, 0, 0]
        for life in self.lives:
            if life.killed_at is None:
                continue
            since, reaped = life.killed_at - UNCOUNTED_S, life.reaped()
            late = {pid for pid, at in reaped.items() if at > since}
            for pid, name in life.deaths():
                # A template's own line has no time: any may be one of the last.
                if pid is None or pid in late or pid not in reaped:
                    lost[(2 if pid is None else 0) + (name in ("SIGKILL", ""))] += 1
        for n, (have, most, may_lack) in enumerate(zip(counted, told, lost)):
            assert most - may_lack <= have <= most, f"counter {n}: {have}, told of {most}, {may_lack} uncommitted"
        return counted

    # ---- figures ----

    def count(self):
        """{what was sent: how often}"""
        sent = collections.Counter(f"{'worker' if blow.who == WORKER else 'template'} {signal.Signals(blow.number).name}"
                                   for life in self.lives for blow in life.blows)
        sent["supervisor SIGKILL"] = sum(life.killed_at is not None for life in self.lives)
        return dict(sorted(sent.items()))

    def deadly(self):
        return sum(blow.number in DEADLY for life in self.lives for blow in life.blows)

    def told_deaths(self):
        return sum(len(life.deaths()) for life in self.lives)

    def gaps(self, who):
        """Seconds from a deadly signal to the next result of the slot it hit (a template's: of every slot);
        those alone during which nothing else was done to the job."""
        found = []
        for life in self.lives:
            slot_of, firsts = {}, collections.defaultdict(list)
            for slot, pid, what, at in SLOT.findall(life.told):
                slot_of[int(pid)] = int(slot)
                if what == "first result":
                    firsts[int(slot)].append(float(at))
            for n, blow in enumerate(life.blows):
                if blow.who != who or blow.number not in DEADLY:
                    continue
                slots = list(firsts) if who == TEMPLATE else [slot_of[blow.pid]] if blow.pid in slot_of else []
                after = life.blows[n + 1].at if n + 1 < len(life.blows) else life.killed_at or float("inf")
                for slot in slots:
                    first = min((it for it in firsts[slot] if it > blow.at), default=None)
                    if first is not None and first < after and not life.stopped_between(blow.at, first):
                        found.append(first - blow.at)
        return found


def percentile(values, share):
    """The value that `share` of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")
