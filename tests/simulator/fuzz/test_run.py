"""One seed: judged, counted, and the same on every machine."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.auditor import CHECKS
from simulator.canaries import CANARIES
from simulator.fuzz.plan import FaultPick, Picks
from simulator.fuzz.run import CRASH, LIVENESS, SeedJob, run_config, run_seed
from simulator.world.world import World

ROOT = Path(__file__).parents[3]
SMALL = Picks(vehicles=6)

pytestmark = pytest.mark.simulation


def test_a_clean_seed_says_zero_for_every_check_that_is_built() -> None:
    """Null stands for a check that is not built, never 0."""
    subject = run_seed(SeedJob(seed=2, picks=Picks(vehicles=4, faults=())))
    assert subject.vehicles == 4
    assert subject.findings == ()
    assert subject.broken == frozenset()
    assert set(subject.violations) == {*CHECKS, LIVENESS, CRASH}
    for rule, check in CHECKS.items():
        assert subject.violations[rule] == (None if check is None else 0)


def test_what_breaks_a_world_is_a_finding_and_no_trace() -> None:
    """An exception anywhere in the world counts as CRASH with its last line."""

    def explode() -> None:
        raise KeyError("nothing is there")

    def bomb(world: World) -> None:
        world.heap.schedule(5_000_000_000, explode)

    canary = CANARIES["raise_on_start"]
    subject = run_config(1, canary.world(1), on_built=bomb)
    assert subject.violations[CRASH] == 1
    assert subject.violations["M1"] is None
    assert subject.findings == ("CRASH: the world broke off: KeyError: 'nothing is there'",)
    with pytest.raises(KeyError):
        run_config(1, canary.world(1), on_built=bomb, debug=True)


def test_an_assertion_a_lane_caught_is_a_crash_though_the_lane_went_on() -> None:
    """The lane's engine survives a fault of its own program; the fuzzer does not let it pass."""
    canary = CANARIES["violator_authorised"]
    subject = run_config(1, canary.world(1), canary=canary.name)
    assert CRASH in subject.broken
    assert any("caught a fault of its own" in finding for finding in subject.findings)


def test_what_never_ends_is_a_breach_of_liveness() -> None:
    """Open orders after everything has healed."""
    canary = CANARIES["query_impatient_for_ever"]
    subject = run_config(1, canary.world(1), canary=canary.name)
    assert {LIVENESS, "M2"} <= subject.broken


TRACE = """
from simulator.fuzz.plan import Picks
from simulator.fuzz.run import SeedJob, run_seed
result = run_seed(SeedJob(seed=11, picks=Picks(vehicles=6)))
print(result.trace_hash, result.vehicles, sorted(result.pairs)[:3], result.findings)
"""


def test_one_seed_has_one_trace_hash_also_under_two_hash_seeds() -> None:
    """Twice in this process, and in two others with different PYTHONHASHSEEDs."""
    said = []
    for hash_seed in ("1", "4242"):
        done = subprocess.run(
            [sys.executable, "-c", TRACE],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        said.append(done.stdout)
    assert said[0] == said[1]
    job = SeedJob(seed=11, picks=SMALL)
    hashes = {run_seed(job).trace_hash for _ in range(2)}
    assert hashes == {said[0].split()[0]}
    assert run_seed(SeedJob(seed=12, picks=SMALL)).trace_hash not in hashes


def test_leaving_everything_out_leaves_a_quiet_world() -> None:
    """No cars and no faults: nothing to break, and it comes to rest."""
    subject = run_seed(SeedJob(seed=3, picks=Picks(cars=(), faults=())))
    assert (subject.vehicles, subject.findings) == (0, ())


def test_fault_kinds_are_those_that_were_armed() -> None:
    """One picked fault is one kind."""
    picks = Picks(vehicles=4, faults=(FaultPick(index=0),))
    assert len(run_seed(SeedJob(seed=5, picks=picks)).fault_kinds) == 1
