"""Many seeds in several processes, their results in the order of the seeds."""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor

from simulator.fuzz.run import SeedJob, SeedResult, run_seed
from simulator.parent import end_with_parent

AHEAD = 4
"""Seeds handed to the pool per worker: none idles, and few are lost where the run stops early."""

COLLECT_AFTER = (100_000, 10, 10)
"""Thresholds of Python's collector of rings, in a process that runs seeds."""


def run_all(jobs: Sequence[SeedJob], *, workers: int) -> Iterator[SeedResult]:
    """Yield the result of every job, in their order.

    One worker is this process. Others are started afresh (spawn), end when this process does, and
    are ended at once where the iterator is closed or an exception goes through it.

    Raises: BrokenProcessPool: a worker was killed from outside.
    """
    if workers <= 1 or len(jobs) <= 1:
        with collecting_rarely():
            for job in jobs:
                yield run_seed(job)
        return
    yield from _in_processes(jobs, workers)


def _in_processes(jobs: Sequence[SeedJob], workers: int) -> Iterator[SeedResult]:
    before = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(
        max_workers=min(workers, len(jobs)),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin_worker,
        initargs=(os.getpid(),),
    )
    left = deque(jobs)
    under_way: deque[Future[SeedResult]] = deque()
    done = False
    try:
        while left or under_way:
            while left and len(under_way) < workers * AHEAD:
                under_way.append(pool.submit(run_seed, left.popleft()))
            yield under_way.popleft().result()
        done = True
    finally:
        pool.shutdown(wait=done, cancel_futures=True)
        if not done:
            for worker in set(multiprocessing.active_children()) - before:
                worker.terminate()


def _begin_worker(parent_pid: int) -> None:
    """Leave Ctrl-C to the parent, and end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent(parent_pid=parent_pid)
    _collect_rarely()


def _collect_rarely() -> None:
    """Look for rings of garbage less often: a world makes few while it runs, and is one at its end.

    With Python's own thresholds the search takes a fifteenth of a run.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


@contextlib.contextmanager
def collecting_rarely() -> Iterator[None]:
    """Run a with block of worlds in this process, looking for rings of garbage less often."""
    before = gc.get_threshold()
    _collect_rarely()
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
