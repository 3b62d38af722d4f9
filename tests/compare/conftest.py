"""The package under test, and a report of a made-up machine."""

import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools/compare"), str(ROOT / "tools"), str(pathlib.Path(__file__).parent)]

import world as worlds  # noqa: E402
from consort_compare import bundles, data, metrics, report, session, verdict  # noqa: E402


class Comparison:
    """A whole comparison in virtual time."""

    def __init__(self, world, budget=600.0, given=(worlds.AOTI, worlds.TORCHSCRIPT), grid=None, glibc=True):
        self.world = world
        self.roles = bundles.roles(list(given))
        self.glibc = glibc
        self.outcome = session.Session(self.roles, world, world.clock, worlds.NoProgress(), budget, grid, glibc).run()
        self.measured = metrics.Measured(self.outcome.points)

    def words(self):
        return " ".join(verdict.sentences(self.measured, self.roles, self.world.usable, self.glibc,
                                          dropped=self.outcome.dropped))

    def data(self):
        return self.report(drawn=False)

    def report(self, drawn=True):
        """(HTML, data), or the data alone, which takes no time."""
        machine = {"cpu": "A CPU <of> ours & theirs", "cpus": 4, "usable_cpus": self.world.usable, "memory_bytes": 2**34,
                   "kernel": "Linux 6.1",
                   "libtorch": "2.13.0", "consort": "0.1.0", "others_cpu_share": 0.01,
                   "doctor": [{"name": "CPUs", "found": "2 of 4", "why": "affinity", "costs": False}]}
        audio = {"words": "a recording", "minutes": 35}
        options = {"command": "consort compare -m '</script>'", "minutes": 10.0}
        if not drawn:
            return data.data(self.outcome, self.measured, self.roles, machine, audio, options, [])
        return report.make(self.outcome, self.roles, machine, audio, options, self.glibc)


@pytest.fixture(scope="session")
def usual():
    """A machine of two CPUs, where nothing is odd."""
    return Comparison(worlds.World())
