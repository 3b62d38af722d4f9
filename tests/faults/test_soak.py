"""A long list, with a crash now and then and a supervisor that is ended now and then: memory, descriptors
and the journal grow as they may, no wake-up is lost, and the results are what they must be.

CONSORT_MINUTES (30): how long the long form takes, of 800,000 files.
"""

import itertools
import json
import os
import pathlib
import random
import re
import signal
import statistics
import time

import audio
import bundles
import chaos
import processes
from faults import DONE, LONG

MINUTES = float(os.environ.get("CONSORT_MINUTES", 30)) if LONG else 0.12
FILES = 800_000 if LONG else 8_000
ENGINES = 4
MOST_RSS = 60e6
MOST_RSS_SLOPE = 1e6 / 100_000  # bytes a file
MOST_JOURNAL = 300              # bytes a file
SETTLED_S = 45                  # until a life's caches are full (SQLite's 4 MB, the allocator's)
# When each life of the supervisor is ended, as shares of the whole time: the third lasts.
ENDS = (0.08, 0.12, 0.5, 0.1, 0.2, 0.3)


class Listing:
    """Many names of the same few hundred sounds: folders that are links to one."""

    def __init__(self, folder, count):
        self.folder, self.path = folder, folder / "list"
        real = audio.installed_sounds()
        self.sounds = sorted(it for it in real.wavs + real.flacs if os.path.getsize(it) < 300_000)
        store = folder / "sounds"
        store.mkdir()
        for sound in self.sounds:
            (store / os.path.basename(sound)).symlink_to(sound)
        self.names = [os.path.basename(it) for it in self.sounds]
        for n in range(-(-count // len(self.names))):
            (folder / f"{n:06d}").symlink_to(store)
        self.count = count
        self.path.write_text("".join(f"{entry}\n" for entry in self.entries()))

    def entries(self):
        every = (f"{n:06d}/{name}" for n in itertools.count() for name in self.names)
        return itertools.islice(every, self.count)

    def expected(self, runner, bundle):
        """The lines that must come out, one at a time: the null worker's tags are of the name alone."""
        out = self.folder / "one.jsonl"
        run = runner.run("run", "-m", bundle, "-o", out, self.folder / "sounds")
        assert run.exit == DONE, run.stderr
        lines = {}
        prefix = json.dumps(f"{self.folder}/sounds/")[:-1]
        for line in out.read_text().splitlines():
            name = json.loads(line)["file"].rpartition("/")[2]
            lines.setdefault(name, []).append(line.replace(prefix, '"PLACE/', 1))
        self.segments = sum(map(len, lines.values())) * self.count // len(self.names)
        return (line.replace("PLACE", entry.partition("/")[0], 1) for entry in self.entries()
                for line in lines[entry.partition("/")[2]])


class Sample:
    def __init__(self, pid, out, began):
        self.at = time.monotonic() - began
        self.rss = int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1]) * 1024
        self.descriptors = len(os.listdir(f"/proc/{pid}/fd"))
        self.result_bytes = os.path.getsize(out)
        self.journal = sum(it.stat().st_size for it in pathlib.Path(f"{out}.job").glob("journal.db*"))


def slope(lives, x, y):
    """Of y by x, within lives: each may begin where it likes."""
    over, under = 0.0, 0.0
    for samples in lives:
        settled = [it for it in samples if it.at > SETTLED_S]
        if len(settled) < 10:
            continue
        xs, ys = [x(it) for it in settled], [y(it) for it in settled]
        middle_x, middle_y = statistics.fmean(xs), statistics.fmean(ys)
        over += sum((a - middle_x) * (b - middle_y) for a, b in zip(xs, ys))
        under += sum((a - middle_x) ** 2 for a in xs)
    return over / under if under else None


class Crashes:
    """A signal to some worker now and then, whatever becomes of the supervisor meanwhile."""

    def __init__(self, every, chance):
        self.every, self.chance, self.count = every, chance, 0
        self.next = time.monotonic() + every

    def maybe(self, job):
        workers = [it.pid for it in job.workers() if it.name == chaos.WORKER] if time.monotonic() > self.next else []
        if workers:
            os.kill(self.chance.choice(workers), self.chance.choice(chaos.DEADLY))
            self.count += 1
            self.next = time.monotonic() + self.chance.uniform(0, 2 * self.every)


def live(job, out, until, crashes, chance):
    """Samples of one life of the supervisor, to its end or `until`, when it gets a signal. Only the last may be of one
    that is ending."""
    samples, began = [], time.monotonic()
    end_with = None
    while job.popen.poll() is None:
        time.sleep(1 if LONG else 0.2)
        if end_with is not None:
            continue
        try:
            samples.append(Sample(job.pid, out, began))
        except (OSError, TypeError):  # it has just begun, or ended
            continue
        crashes.maybe(job)
        if time.monotonic() > until:
            # One that may still tell of itself, and one that may not.
            end_with = chance.choice((signal.SIGTERM, signal.SIGKILL))
            job.signal(end_with)
    return samples, end_with


def test_a_long_job_stays_small_and_loses_nothing(runner, tmp_path):
    chance = random.Random(1)
    bundle = bundles.write_null_bundle(tmp_path / "bundle")
    listing = Listing(tmp_path, FILES)
    expected = listing.expected(runner, bundle)
    out = tmp_path / "out.jsonl"
    segment_us = max(0, MINUTES * 60e6 * ENGINES / listing.segments - 500)  # opening a file takes time, too
    lives, told, began = [], [], time.monotonic()
    crashes = Crashes(min(60, MINUTES * 5), chance)
    for share in itertools.cycle(ENDS):
        job = runner.start("run", "-vv", "--progress", "none", "-m", bundle, "-o", out, "-p", 2, "-t", ENGINES // 2,
                           listing.path, env={"CONSORT_NULL_SEGMENT_US": str(int(segment_us))})
        samples, ended_by = live(job, out, time.monotonic() + MINUTES * 60 * share, crashes, chance)
        run = job.wait(timeout=60)
        lives.append(samples)
        told.append(run.stderr)
        assert processes.wait_until(lambda: not job.processes(), 1.0) is not None
        if ended_by is None or run.exit == DONE:
            break
        assert run.exit in (137, 143), run.stderr[-2000:]
    took = time.monotonic() - began
    assert run.exit == DONE, run.stderr[-2000:]
    with open(out, encoding="utf-8") as results:
        for n, (line, must) in enumerate(itertools.zip_longest(results, expected)):
            assert line == must + "\n", f"line {n + 1}"

    bytes_a_file = out.stat().st_size / FILES
    rss_slope = slope(lives, lambda it: it.result_bytes / bytes_a_file, lambda it: it.rss)
    every = [it for samples in lives for it in samples]
    lost = [int(number) for text in told for pair in re.findall(r"wake-ups +(\d+) lost .* (\d+) by engines", text)
            for number in pair]
    journal = every[-1].journal / FILES
    # One that has just begun has few, one that is ending closes them.
    descriptors = [it.descriptors for samples in lives for it in samples[:-1] if it.at > 1]
    print(f"\n{FILES} files, {n + 1} segments in {took:.0f} s ({1e6 * took / FILES:.0f} µs a file), {crashes.count} "
          f"deaths, {len(lives)} lives of the supervisor ({len(lost) // 2} told of wake-ups)")
    print(f"supervisor: RSS {max(it.rss for it in every) / 1e6:.1f} MB at most, slope {(rss_slope or 0) * 0.1:.2f} MB per "
          f"100,000 files; descriptors {min(descriptors, default=0)} to {max(descriptors, default=0)}; "
          f"journal {journal:.0f} bytes a file; wake-ups lost: {sum(lost)}")
    for samples in lives:
        for begin, end in itertools.pairwise(samples[::max(1, len(samples) // 4)]):
            files = (end.result_bytes - begin.result_bytes) / bytes_a_file
            print(f"  {begin.at:5.0f} to {end.at:5.0f} s: {files / (end.at - begin.at):7.0f} files a second, "
                  f"RSS {end.rss / 1e6:.1f} MB, journal {end.journal / 1e6:.1f} MB")
    assert lost and sum(lost) == 0
    assert max(it.rss for it in every) < MOST_RSS
    assert journal < MOST_JOURNAL or not LONG  # a short list pays for the first pages
    # A worker that is replaced has its descriptors and its successor's for a moment.
    assert max(descriptors) - min(descriptors) <= 8
    assert crashes.count > 0
    if LONG:
        assert rss_slope is not None, "no life of the supervisor was long enough: give it more minutes"
        assert rss_slope <= MOST_RSS_SLOPE
