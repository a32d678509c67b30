"""Many seeds in several processes."""

import multiprocessing
import os

import pytest

from simulator.fuzz.plan import Picks
from simulator.fuzz.pool import cores, run_all
from simulator.fuzz.run import SeedJob

pytestmark = [pytest.mark.simulation]
JOBS = [SeedJob(seed=seed, picks=Picks(vehicles=2, faults=())) for seed in range(1, 6)]


def test_two_processes_say_what_one_says_in_the_same_order() -> None:
    """Results come in the order of the seeds, whoever ran them."""
    alone = [(r.seed, r.trace_hash, r.violations) for r in run_all(JOBS, workers=1)]
    together = [(r.seed, r.trace_hash, r.violations) for r in run_all(JOBS, workers=2)]
    assert together == alone
    assert [seed for seed, _, _ in alone] == [1, 2, 3, 4, 5]


def test_no_process_is_left_where_somebody_stops_early() -> None:
    """Closing the results ends the workers at once."""
    subject = run_all(JOBS * 40, workers=2)
    assert next(subject).seed == 1
    workers = multiprocessing.active_children()
    assert workers
    subject.close()  # type: ignore[attr-defined]
    for worker in workers:
        worker.join(20)
    assert [worker for worker in workers if worker.is_alive()] == []


def test_the_cores_of_this_process_are_counted() -> None:
    """Those it may use, not those of the machine."""
    assert 1 <= cores() <= (os.cpu_count() or 1)
