"""Rings and JSON without a model: most segments/s, and the supervisor's CPU when little happens.

The null worker makes up five tags of 527 labels a segment, of one long, sparse WAV.
"""

import struct
import time

from benchmarks import common

RATE = 16000
HOP_SECONDS = 0.001  # the results have three decimals
SLOW_US = 20_000     # two workers, 20 ms a segment: 100 segments/s
SLOW_SECONDS = 30.0


def sparse_wav(path, segments):
    """Silence that takes no room on the disk."""
    size = 2 * round(segments * HOP_SECONDS * RATE)
    with open(path, "wb") as file:
        file.write(struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + size, b"WAVE", b"fmt ", 16, 1, 1, RATE, 2 * RATE, 2,
                               16, b"data", size))
        file.truncate(44 + size)
    return path


def fastest(folder, bundle, segments, rounds):
    sound = sparse_wav(folder / "long.wav", segments)
    out = folder / "out.jsonl"
    rates = []
    for _ in range(rounds):
        seconds = common.run_seconds("-m", bundle, "-o", out, "--restart", "-p", 2, "-t", 1, sound)
        rates.append(common.count_lines(out) / seconds)
    size = out.stat().st_size
    out.unlink()
    return rates, size


def idle_share(folder, bundle, seconds):
    """The supervisor's CPU time ÷ wall time at 100 segments/s, its start left out."""
    sound = sparse_wav(folder / "slow.wav", round((seconds + 10) * 2e6 / SLOW_US))
    out = folder / "slow.jsonl"
    job = common.start("-m", bundle, "-o", out, "--restart", "-p", 2, "-t", 1, "--quiet", sound,
                       env={"CONSORT_NULL_SEGMENT_US": str(SLOW_US)})
    time.sleep(3)
    lines, cpu, began = common.count_lines(out), common.cpu_seconds(job.pid), time.monotonic()
    time.sleep(seconds)
    cpu, lines, elapsed = common.cpu_seconds(job.pid) - cpu, common.count_lines(out) - lines, time.monotonic() - began
    job.terminate()
    job.wait()
    return cpu / elapsed, lines / elapsed


def measure(quick):
    with common.scratch() as folder:
        bundle = common.null_bundle(folder / "bundle", "--labels", 527, "--segment-seconds", 0.003,
                                    "--hop-seconds", HOP_SECONDS, "--rate", RATE)
        segments = 500_000 if quick else 3_000_000
        rates, size = fastest(folder, bundle, segments, 2 if quick else 5)
        shares = [idle_share(folder, bundle, 5 if quick else SLOW_SECONDS) for _ in range(1 if quick else 3)]
        common.table(("", "median (least–most)"), [
            (f"segments/s, {size / segments:.0f} bytes of JSON each, start included", common.spread(rates, 0)),
            (f"supervisor's CPU in % at {shares[0][1]:.1f} segments/s", common.spread([100 * it[0] for it in shares], 2)),
        ])
