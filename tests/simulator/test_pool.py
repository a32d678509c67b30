"""Many seeds in several processes."""

import multiprocessing
import os
import signal

import pytest

from simulator.fuzz.plan import BadPicksError, Picks
from simulator.fuzz.run import SeedJob, run_seed
from simulator.pool import WorkerLostError, cores, run_all

pytestmark = [pytest.mark.simulation]
JOBS = [SeedJob(seed=seed, picks=Picks(vehicles=2, faults=())) for seed in range(1, 6)]


def test_two_processes_say_what_one_says_in_the_same_order() -> None:
    """Results come in the order of the seeds, whoever ran them."""
    alone = [(r.seed, r.trace_hash, r.violations) for r in run_all(JOBS, run_seed, workers=1)]
    together = [(r.seed, r.trace_hash, r.violations) for r in run_all(JOBS, run_seed, workers=2)]
    assert together == alone
    assert [seed for seed, _, _ in alone] == [1, 2, 3, 4, 5]


def test_no_process_is_left_where_somebody_stops_early() -> None:
    """Closing the results returns when the workers are gone, also such as hear no SIGTERM."""
    before = set(multiprocessing.active_children())
    subject = run_all(JOBS * 40, run_seed, workers=2)
    # A process begins with the mask of the one that starts it.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        assert next(subject).seed == 1
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    workers = set(multiprocessing.active_children()) - before
    assert len(workers) == 2
    subject.close()  # type: ignore[attr-defined]
    assert [worker.is_alive() for worker in workers] == [False, False]


def test_no_process_is_left_where_all_is_done() -> None:
    """The end of the results is the end of the workers."""
    before = set(multiprocessing.active_children())
    assert len(list(run_all(JOBS, run_seed, workers=2))) == len(JOBS)
    assert set(multiprocessing.active_children()) - before == set()


def test_a_worker_killed_from_outside_ends_the_run() -> None:
    """Its seed is not told as if it had been run, and the other workers end with it."""
    before = set(multiprocessing.active_children())
    subject = run_all(JOBS * 40, run_seed, workers=2)
    assert next(subject).seed == 1
    workers = set(multiprocessing.active_children()) - before
    workers.pop().kill()
    with pytest.raises(WorkerLostError):
        list(subject)
    assert [worker.is_alive() for worker in workers] == [False]


def test_what_a_seed_raises_reaches_who_asked_for_it() -> None:
    """Picks that name what the seed has not are refused in a worker as they are here."""
    job = SeedJob(seed=1, picks=Picks(vehicles=2, cars=(3,)))
    with pytest.raises(BadPicksError, match="cars 3"):
        list(run_all([job, job], run_seed, workers=2))


def test_the_cores_of_this_process_are_counted() -> None:
    """Those it may use, not those of the machine."""
    assert 1 <= cores() <= (os.cpu_count() or 1)
