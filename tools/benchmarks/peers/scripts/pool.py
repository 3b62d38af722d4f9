"""Runs a model over a list in a pool of processes, or of threads, and tells when it began and ended.

A peer gives its model as a class: Model(path, options) makes one for one core.
"""

import argparse
import concurrent.futures
import functools
import itertools
import json
import multiprocessing
import os
import threading
import time


def options(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("model")
    parser.add_argument("labels")
    parser.add_argument("list")
    parser.add_argument("out")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)), help="[one a core]")
    parser.add_argument("--batch", type=int, default=1, help="segments of one forward, at most")
    parser.add_argument("--chunk", type=int, default=1, help="files of one task")
    return parser


def tell(event):
    print(json.dumps({event: time.monotonic()}), flush=True)


def chunks(args):
    """The last ones smaller, so that no core waits long for another."""
    with open(args.list) as file:
        paths = file.read().splitlines()
    while paths:
        size = max(1, min(args.chunk, len(paths) // (2 * args.workers)))
        yield paths[:size]
        del paths[:size]


def write(args, results):
    """Results come in the order of the list."""
    with open(args.out, "w") as file:
        for lines in results:
            file.writelines(line + "\n" for line in lines)
    tell("done")


# ---- one process a core ----

_worker = None


def _start(make, warm):
    global _worker
    _worker = make()
    _worker.warm_up()
    warm.wait()


def _work(paths):
    return _worker(paths)


def in_processes(args, make):
    warm = multiprocessing.Barrier(args.workers + 1)
    with multiprocessing.Pool(args.workers, _start, (make, warm)) as pool:
        warm.wait()
        tell("ready")
        write(args, pool.imap(_work, chunks(args)))


# ---- one thread a core, in one process ----

def in_threads(args, make):
    own = threading.local()
    ready = [make() for _ in range(args.workers)]
    for worker in ready:
        worker.warm_up()
    take = itertools.count()

    def work(paths):
        if not hasattr(own, "worker"):
            own.worker = ready[next(take)]
        return own.worker(paths)

    with concurrent.futures.ThreadPoolExecutor(args.workers) as pool:
        tell("ready")
        write(args, pool.map(work, chunks(args)))


def make_worker(load, args):
    from work import Worker  # here, so that a peer can set up its libraries before
    return Worker(load(args), args.batch, args.labels)


def run(args, load):
    make = functools.partial(make_worker, load, args)
    (in_threads if getattr(args, "threads", False) else in_processes)(args, make)
