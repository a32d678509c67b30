"""Processes killed at every commit and every send of one payment, one after the other."""

from collections import Counter

import pytest

from simulator.world.build import run_world
from simulator.world.faults import PLAZA, KillAtStep, StepKind, lane_name
from simulator.world.process import Step
from simulator.world.world import World
from tests.simulator.world.one_lane import a_world, bodies, ended_well

pytestmark = [pytest.mark.simulation, pytest.mark.timeout(900)]
LANE = lane_name("001")


def steps_of_the_payment(process: str) -> list[Step]:
    """Return the steps *process* takes from the scan of the code until the record is uploaded."""
    world: World = a_world("phone_ok")
    subject = world.process(process)
    span: list[int] = []

    def watch(now_ns: int, actor: str, kind: str, detail: str) -> None:
        begins = kind == "CodeScanned"
        uploaded = kind == "PlazaAnswered" and "RecordsAnswer" in detail
        if begins or uploaded:
            span.append(len(subject.steps))

    world.heap.watch(watch)
    run_world(world)
    return subject.steps[span[0] : span[-1] + 2]


@pytest.mark.parametrize("process", [LANE, PLAZA])
def test_a_process_killed_at_any_step_of_a_payment_charges_once_and_records_once(
    process: str,
) -> None:
    """Exactly one charge stands or none, every record is at the plaza once, the chain holds, and
    no boom moves because of the start."""
    steps = steps_of_the_payment(process)
    kinds = Counter(step.kind for step in steps)
    assert set(kinds) == set(StepKind)
    for step in steps:
        world = a_world("phone_ok", faults=[KillAtStep(process=process, step=step.number)])
        result = run_world(world)
        assert len(world.process(process).started_ns) == 2, step
        kept = [t.captured_fen - t.refunded_fen for t in result.evidence.trades]
        assert sum(1 for fen in kept if fen) <= 1, step
        sent = [(r.epoch, r.seq, r.chain_hash) for r in result.evidence.lane_records]
        assert [(r.epoch, r.seq, r.chain_hash) for r in result.evidence.plaza_records] == sent
        assert len(bodies(result)) == 1, step
        ended_well(result)
