"""The supervisor's peak resident memory for a list of 20,000 and one of 200,000 entries."""

import contextlib
import pathlib
import time

from benchmarks import common

ENTRIES = (20_000, 200_000)


def peak_kib(pid):
    with contextlib.suppress(OSError, StopIteration):
        lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])
    return 0


def run(folder, bundle, entries, sounds):
    links = folder / "links"
    links.mkdir(exist_ok=True)
    for n in range(entries):
        with contextlib.suppress(FileExistsError):
            (links / f"{n:06d}").symlink_to(sounds[n % len(sounds)])
    listing = folder / "list"
    listing.write_text("".join(f"links/{n:06d}\n" for n in range(entries)))
    out = folder / "out.jsonl"
    began = time.monotonic()
    job = common.start("-m", bundle, "-o", out, "--restart", "-p", 2, "-t", 1, "--quiet", listing)
    peak = 0
    while job.poll() is None:
        peak = max(peak, peak_kib(job.pid))
        time.sleep(0.005)
    common.finish(job)
    return peak / 1024, common.count_lines(out), time.monotonic() - began


def measure(quick):
    sounds = [it for it in common.sounds()[:8]]
    rows, peaks = [], {}
    with common.scratch() as folder:
        bundle = common.null_bundle(folder / "bundle", "--labels", 527)
        for entries in ENTRIES:
            runs = [run(folder, bundle, entries, sounds) for _ in range(1 if quick else 3)]
            peaks[entries] = max(it[0] for it in runs)
            rows.append((f"{entries:,} entries", common.spread([it[0] for it in runs], 1), f"{runs[0][1]:,}",
                         common.spread([it[2] for it in runs], 1)))
    common.table(("", "peak MiB", "result lines", "seconds"), rows)
    print(f"  most of 200,000 ÷ most of 20,000: {peaks[ENTRIES[1]] / peaks[ENTRIES[0]]:.3f}")
