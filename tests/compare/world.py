"""Made-up machines: the figures that `consort run --measure` would give there, in virtual time."""

import math
import random

from consort_compare import bundles
from consort_compare.errors import PointFailed

MIB = 2**20


def bundle(name, backend="torchscript", precision="fp32", packed=0, identity="one"):
    return bundles.Bundle(name, f"/nowhere/{name}", "model", backend, precision, packed, "2.13.0", 3.0, 3.0, {"source": identity})


TORCHSCRIPT, AOTI = bundle("m-torchscript"), bundle("m", "aoti", packed=14)


class World:
    """A machine and a model. `many_threads` and `many_processes`: what each engine beyond the first in
    a process, each process beyond the first, costs of throughput. Times in seconds."""

    def __init__(self, usable=2, engine_rate=50.0, many_threads=0.0, many_processes=0.0, intra_cost=0.4, oversubscribed=0.02,
                 noise=0.01, drift=0.0, start=0.8, seed=1, failing=(), death_ms=100.0, process_mib=8):
        vars(self).update({key: value for key, value in locals().items() if key != "self"})
        self.random = random.Random(seed)
        self.now = 0.0
        self.runs = []

    def clock(self):
        return self.now

    def _noise(self):
        return math.exp(self.random.gauss(0, self.noise)) * math.exp(self.drift * self.now / 300)

    def rate(self, setting):
        engines = setting.engines
        rate = self.engine_rate * min(engines, self.usable)
        rate *= (1 - self.many_threads * min(1, math.log2(setting.threads) / 4)
                 - self.many_processes * min(1, math.log2(setting.processes) / 4))
        rate /= 1 + self.oversubscribed * max(0, math.log2(engines / self.usable))
        if setting.intra != 1 and setting.threads > 1:
            rate *= 1 - self.intra_cost
        return rate * (0.85 if setting.glibc else 1) * (1.8 if setting.bundle == "m" else 1)

    def __call__(self, setting, path, seconds, expected):
        if any(word in setting.key for word in self.failing):
            raise PointFailed("the model refused")
        assert path == f"/nowhere/{setting.bundle}"
        rate = self.rate(setting)
        overhead = self.start * (1 if setting.template else max(1, setting.processes / self.usable)) + setting.engines / rate + 0.3
        overhead *= self.random.uniform(0.8, 1.3)
        figures = self.figures(setting, rate / self._noise(), seconds, overhead)
        self.now += seconds + overhead
        self.runs.append((setting, seconds))
        return figures, seconds + overhead

    def figures(self, setting, rate, seconds, overhead):
        counted = max(1, round(rate * seconds))
        latency = 1e3 * setting.engines / rate * self._noise()
        memory = (100 + 20 * setting.engines + self.process_mib * setting.processes + (80 * setting.processes if setting.copied else 80)) * MIB
        memory *= (1.6 if setting.glibc else 1) * self._noise()
        busy = min(setting.engines * (setting.intra or self.usable), self.usable) * seconds * 0.97
        from_s = overhead - 0.2
        deaths = []
        if setting.kill:
            deaths = [{"at_s": from_s + 0.4 * seconds, "worker_slot": 0, "lost_ms": self.death_ms * setting.threads * self._noise(),
                       "ready_ms": 5.0, "next_result_ms": self.death_ms + latency}]
        step = 0.1
        rate_curve = [] if not setting.kill else [[from_s + i * step, round(rate * i * step)] for i in range(int(seconds / step) + 1)]
        return {
            "consort": "0.1.0", "figures": 1, "split": {"processes": setting.processes, "threads": setting.threads, "intra": setting.intra},
            "usable_cpus": self.usable, "complete": True, "exit_status": 0, "elapsed_s": seconds + overhead, "ready_s": self.start,
            "window": {"from_s": from_s, "to_s": from_s + seconds, "seconds": seconds},
            "segments": {"counted": counted, "per_second": rate, "spread": None}, "audio_seconds": 3.0 * counted,
            "latency_ms": {"mean": latency, "p50": latency * 0.98, "p95": latency * 1.2, "p99": latency * 1.4, "most": latency * 2},
            "stages_ms": {"read": 0.5},
            "cpu": {"user_s": busy * 0.98, "system_s": busy * 0.02, "of_usable": busy / seconds / self.usable, "supervisor_s": 0.01},
            "context_switches": {"voluntary": counted, "involuntary": counted * setting.engines},
            "page_faults": {"minor": counted * 3, "major": 0},
            "memory": {"peak_pss_bytes": int(memory * 1.1), "mean_pss_bytes": int(memory),
                       "samples": [[from_s + i * 0.25, int(memory * (1 + 0.02 * math.sin(i)))]
                                   for i in range(int(seconds / 0.25) + 1 if setting.long else 0)]},
            "rate": rate_curve, "deaths": deaths, "restarts": {},
        }


class NoProgress:
    def at(self, what, left=None):
        pass

    say = at
