"""Many jobs of one kind in several processes, their results in the order of the jobs."""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from simulator.parent import end_with_parent

AHEAD = 4
"""Jobs begun per worker before the oldest is told: none idles because one job is slow."""

COLLECT_AFTER = (100_000, 10, 10)
"""Thresholds of Python's collector of rings, in a process that runs worlds."""

_Job = TypeVar("_Job")
_Result = TypeVar("_Result")


class WorkerLostError(RuntimeError):
    """A worker ended before it had answered: it was killed from outside, or had no memory left."""


def run_all(
    jobs: Sequence[_Job], work: Callable[[_Job], _Result], *, workers: int
) -> Iterator[_Result]:
    """Yield what *work* makes of every job, in their order.

    One worker is this process. Others are started afresh (spawn) and end when this process does.
    None of them is left once the iterator has ended, was closed, or an exception went through it:
    they are killed, which a process can neither miss nor put off, and waited for.

    Args:   work: a module's function, so that other processes find it by its name; what it raises
            is raised here.
    Raises: WorkerLostError: a worker ended early.
    """
    if workers <= 1 or len(jobs) <= 1:
        with collecting_rarely():
            for job in jobs:
                yield work(job)
        return
    yield from _in_processes(jobs, work, min(workers, len(jobs)))


def _in_processes(
    jobs: Sequence[_Job], work: Callable[[_Job], _Result], workers: int
) -> Iterator[_Result]:
    # A pipe to each, and this thread alone at all of them. A library's pool shares its queues and
    # their locks among the workers and reads them in a thread of its own: one that is killed while
    # it writes leaves that thread waiting for ever.
    crew: list[BaseProcess] = []
    wires: list[Connection] = []
    try:
        for _ in range(workers):
            wires.append(_hire(crew, work))
        yield from _worked_off(jobs, wires)
    finally:
        for process in crew:
            process.kill()
        for process in crew:
            process.join()
        for wire in wires:
            wire.close()


def _hire(crew: list[BaseProcess], work: Callable[[Any], Any]) -> Connection:
    """Start one more worker of *crew*; return the pipe to it."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(
        target=_work, args=(theirs, work, os.getpid()), name=f"worlds {len(crew) + 1}"
    )
    process.start()
    crew.append(process)
    # The worker holds the only other end now, so that its death ends what is read here.
    theirs.close()
    return ours


def _worked_off(jobs: Sequence[Any], wires: Sequence[Connection]) -> Iterator[Any]:
    """Yield the results in the order of the jobs, whichever is ready first."""
    idle = deque(wires)
    busy: dict[Connection, int] = {}
    ready: dict[int, Any] = {}
    given = 0
    for place in range(len(jobs)):
        while place not in ready:
            while idle and given < min(len(jobs), place + len(wires) * AHEAD):
                wire = idle.popleft()
                _give(wire, jobs[given])
                busy[wire] = given
                given += 1
            for wire in busy.keys() & set(wait(list(busy))):
                ready[busy.pop(wire)] = _answer(wire)
                idle.append(wire)
        yield ready.pop(place)


def _give(wire: Connection, job: object) -> None:
    try:
        wire.send(job)
    except OSError:
        raise WorkerLostError("a worker ended before it was given its work") from None


def _answer(wire: Connection) -> object:
    try:
        answer = wire.recv()
    except (EOFError, OSError):
        raise WorkerLostError("a worker ended in the middle of its work") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _work(wire: Connection, work: Callable[[Any], object], parent_pid: int) -> None:
    """Do the jobs that come along *wire*; all of a worker."""
    _begin_worker(parent_pid)
    while True:
        try:
            job = wire.recv()
        except EOFError:
            return
        answer: object
        try:
            answer = work(job)
        except Exception as error:  # noqa: BLE001 - it belongs to whoever gave the job
            answer = error
        try:
            wire.send(answer)
        except Exception:  # noqa: BLE001 - what cannot be sent is told in words
            wire.send(RuntimeError(repr(answer)))


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
