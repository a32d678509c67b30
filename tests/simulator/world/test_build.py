"""Whole plazas in virtual time: each way to pay, whole mixes of drivers, and one seed one run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.models.faults import Fault, PlatformFault
from simulator.people import UNRULY_MIX
from simulator.world.build import WorldConfig, build_world, lane_ids, run_world
from simulator.world.faults import CommitFate, CommitTrouble, PlatformTrouble, lane_name
from simulator.world.swarm import draw_faults
from tests.simulator.world.one_lane import bodies, ended_well, run, tenders

pytestmark = pytest.mark.simulation
ROOT = Path(__file__).parents[3]


def platform_fault(kind: PlatformFault, **more: object) -> PlatformTrouble:
    """Return a fault of the platform that stands from the start."""
    return PlatformTrouble(at_ms=1_000, fault=Fault(kind=kind, **more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("driver", "tender"),
    [
        ("phone_ok", "alipay"),
        ("needs_password", "alipay"),
        ("slow_password", "alipay"),
        ("balance_short", "cash"),
        ("expired_code", "alipay"),
        ("half_code", "alipay"),
        ("double_scan", "alipay"),
        ("pays_cash", "cash"),
        ("pays_etc", "etc"),
        ("changes_to_cash", "cash"),
    ],
)
def test_one_driver_pays_and_leaves(driver: str, tender: str) -> None:
    """Whatever the driver does, one tender settles the passage and everything ends."""
    result = run(driver)
    assert tenders(result) == [tender]
    ended_well(result)


def test_a_refused_driver_pays_with_the_next_code() -> None:
    """An expired code is refused for good, and the fresh one is another order."""
    result = run("expired_code")
    states = [order.state for order in result.evidence.orders]
    assert states == ["refused", "paid"]
    ended_well(result)


def test_an_answer_lost_after_the_charge_ends_as_paid() -> None:
    """The platform charges and its answer never comes: a query finds it, nobody pays twice."""
    lost = platform_fault(PlatformFault.ANSWER_LOST, calls=("pay",))
    result = run("phone_ok", faults=[lost])
    (trade,) = result.evidence.trades
    assert (trade.captured_fen, trade.refunded_fen) == (bodies(result)[0]["toll_due_fen"], 0)
    assert tenders(result) == ["alipay"]
    ended_well(result)


def test_a_charge_that_comes_after_the_car_has_paid_cash_is_given_back() -> None:
    """A pay call carried out 20 s late finds the passage settled by cash."""
    late = platform_fault(PlatformFault.PROCESSED_LATE, calls=("pay",), ms=20_000)
    result = run("phone_ok", faults=[late])
    kept = sum(trade.captured_fen - trade.refunded_fen for trade in result.evidence.trades)
    assert (tenders(result), kept) == (["cash"], 0)
    ended_well(result)


def test_a_full_disk_lets_the_car_out_and_loses_no_record() -> None:
    """Commits that find no space are kept and repeated; the record arrives when there is some."""
    lane = lane_name(lane_ids(1)[0])
    full = CommitTrouble(process=lane, at_ms=9_000, for_ms=30_000, fate=CommitFate.FULL)
    result = run("phone_ok", faults=[full])
    assert len(bodies(result)) == 1
    ended_well(result)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_two_lanes_of_unruly_drivers_end_clean(seed: int) -> None:
    """2 lanes, 20 vehicles of every kind: nothing open, nothing unsent, no rule broken."""
    result = run_world(build_world(seed, WorldConfig(mix=UNRULY_MIX)))
    assert result.vehicles == 20
    ended_well(result)


@pytest.mark.parametrize("seed", [2, 3])
def test_two_lanes_with_a_swarm_of_faults_end_clean(seed: int) -> None:
    """Processes die, disks fail, lines are cut, platform and devices misbehave: it ends clean."""
    faults = draw_faults(seed, lanes=lane_ids(2), until_ms=150_000)
    result = run_world(build_world(seed, WorldConfig(faults=faults)))
    assert len(result.fault_kinds) >= 2
    assert result.vehicles == 20
    ended_well(result)


TRACE = """
from simulator.people import UNRULY_MIX
from simulator.world.build import WorldConfig, build_world, lane_ids, run_world
from simulator.world.swarm import draw_faults
faults = draw_faults(2, lanes=lane_ids(2), until_ms=40_000)
config = WorldConfig(vehicles=6, mix=UNRULY_MIX, faults=faults)
result = run_world(build_world(2, config))
print(result.trace_hash, result.events)
"""


def test_one_seed_is_one_run_also_under_another_hash_seed() -> None:
    """Two processes with two PYTHONHASHSEEDs trace the same events; another seed does not."""
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
        said.append(done.stdout.split())
    assert said[0] == said[1]
    other = run_world(build_world(3, WorldConfig(vehicles=6, mix=UNRULY_MIX)))
    assert other.trace_hash != said[0][0]


def test_the_same_seed_twice_in_one_process_is_the_same_run() -> None:
    """Nothing is left behind by a run that could change the next."""
    config = WorldConfig(vehicles=4)
    hashes = {run_world(build_world(9, config)).trace_hash for _ in range(2)}
    assert len(hashes) == 1
