"""Which points there are: what is run for each part of the report, and how dear each is to it."""

import dataclasses

PUBLISHED_THREADS = (1, 2, 4, 8, 16)
PUBLISHED_INTRA = (1, 4, 8, 16)
DEFAULT_POOLS = 0  # intra-op as LibTorch chooses it: --intra default
MOST_SPLITS = 6    # of one total

# Whoever has the highest rank is dropped first, and among equals who has most threads.
SPLIT, EDGE, NAIVE, TOTAL, BACKEND, MEMORY, STEPS, DEATH, GRID, FAR_GRID = range(10)
RANKS = {
    SPLIT: "processes × threads, as many engines as usable CPUs",
    EDGE: "engine threads at intra-op 1",
    NAIVE: "from naive to consort at the largest number of engines",
    TOTAL: "processes × threads at a larger total",
    BACKEND: "backends, precisions and other models",
    MEMORY: "memory over time",
    STEPS: "from naive to consort at other numbers of engines",
    DEATH: "what a death costs",
    GRID: "engine threads × intra-op, the smallest above 1",
    FAR_GRID: "engine threads × intra-op, all others",
}


@dataclasses.dataclass(frozen=True)
class Setting:
    """What one run is."""
    bundle: str  # Bundle.name
    processes: int
    threads: int
    intra: int = 1       # 0: LibTorch's own choice
    glibc: bool = False  # consort-worker-glibc
    copied: bool = False  # weights in private memory
    template: bool = True
    pinned: bool = True
    kill: bool = False   # a worker is killed in the middle
    long: bool = False   # for memory over time

    @property
    def engines(self):
        return self.processes * self.threads

    @property
    def split(self):
        return f"{self.processes} × {self.threads}"

    @property
    def key(self):
        """Names it in the JSON."""
        words = [self.bundle, f"{self.processes}x{self.threads}", f"intra={self.intra or 'default'}"]
        words += [word for word, said in (("glibc", self.glibc), ("copied", self.copied), ("no-template", not self.template),
                                          ("unpinned", not self.pinned), ("kill", self.kill), ("long", self.long)) if said]
        return " ".join(words)


@dataclasses.dataclass(frozen=True)
class Step:
    """One link of a chain from naive to consort."""
    name: str
    setting: Setting
    headline: bool = True  # one backend; packing never counts


def thread_counts(usable):
    counts = list(PUBLISHED_THREADS)
    while counts[-1] * 2 <= 2 * usable:
        counts.append(counts[-1] * 2)
    return tuple(sorted({*counts, usable}))


def totals(usable):
    """Numbers of engines that processes × threads are compared at."""
    return tuple(sorted({usable, max(8, usable)}))


def equal_counts(usable):
    """Numbers of engines that naive and consort are compared at."""
    return tuple(sorted({usable, 8} | ({4} if usable < 4 else set())))


def splits(total):
    """[(processes, threads)] with that product, from one process to one thread; at most MOST_SPLITS."""
    divisors = [n for n in range(1, total + 1) if total % n == 0]
    if len(divisors) > MOST_SPLITS:
        last = len(divisors) - 1
        divisors = [divisors[round(i * last / (MOST_SPLITS - 1))] for i in range(MOST_SPLITS)]
    return [(processes, total // processes) for processes in divisors]


def chains(roles, count, glibc):
    """{"threads": [Step], "processes": [Step]}: each step changes one thing of the step before.

    `glibc`: whether there is a worker without jemalloc.
    """
    base = roles.base.name
    plain = Setting(base, 1, count)
    threads = [
        Step("naive", dataclasses.replace(plain, intra=DEFAULT_POOLS, glibc=glibc, pinned=False)),
        Step("pools off", dataclasses.replace(plain, glibc=glibc, pinned=False)),
        Step("+ jemalloc", dataclasses.replace(plain, pinned=False)) if glibc else None,
        Step("+ pinned", plain),
    ]
    plain = Setting(base, count, 1)
    processes = [
        Step("naive", dataclasses.replace(plain, glibc=glibc, copied=True, template=False, pinned=False)),
        Step("+ jemalloc", dataclasses.replace(plain, copied=True, template=False, pinned=False)) if glibc else None,
        Step("+ shared weights", dataclasses.replace(plain, pinned=False)),
        Step("+ pinned", plain),
    ]
    if roles.packed is not None:
        threads.append(Step("+ packed weights", Setting(roles.packed.name, 1, count), headline=False))
        processes.append(Step("+ packed weights", Setting(roles.packed.name, count, 1), headline=False))
    return {"threads": [it for it in threads if it], "processes": [it for it in processes if it]}


def memory_pair(roles, usable):
    """(glibc, jemalloc): the same job, long."""
    plain = Setting(roles.base.name, 1, usable, long=True)
    return dataclasses.replace(plain, glibc=True), plain


def backend_settings(roles, usable):
    return [Setting(bundle.name, usable, 1) for bundle in (*roles.same, *roles.others)]


def deaths(roles, usable):
    return [Setting(roles.main.name, *split, kill=True) for split in splits(totals(usable)[-1])]


def everything(roles, usable, grid=None, glibc=True):
    """{Setting: rank} of all points. `grid`: (threads, intras), or None for the published one."""
    found = {}

    def add(rank, *settings):
        for setting in settings:
            found[setting] = min(rank, found.get(setting, rank))

    threads, intras = grid or (thread_counts(usable), PUBLISHED_INTRA)
    above = [it for it in intras if it > 1]
    for count in threads:
        for intra in intras:
            rank = EDGE if intra == 1 else GRID if above and intra == min(above) else FAR_GRID
            add(rank, Setting(roles.base.name, 1, count, intra))
    for total in totals(usable):
        rank = SPLIT if total == usable else TOTAL
        add(rank, *[Setting(roles.main.name, *split) for split in splits(total)])
    for count in equal_counts(usable):
        rank = NAIVE if count == equal_counts(usable)[-1] else STEPS
        for chain in chains(roles, count, glibc).values():
            add(rank, *[step.setting for step in chain])
    if glibc:
        add(MEMORY, *memory_pair(roles, usable))
    if len(roles.same) + len(roles.others) > 1:
        add(BACKEND, *backend_settings(roles, usable))
    add(DEATH, *deaths(roles, usable))
    return found
