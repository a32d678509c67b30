"""A world that is read along is told with its faults, alarms, degraded modes and records."""

import json

import pytest

from simulator.fuzz.telling import Telling
from simulator.models.faults import Fault, PlatformFault
from simulator.world.build import WorldConfig, build_world, run_world
from simulator.world.faults import KillAt, LineTrouble, PlatformTrouble, WorldFault
from simulator.world.world import World

pytestmark = pytest.mark.simulation
CUT = LineTrouble(line="lane 001-plaza", at_ms=20_000, for_ms=15_000, cut=True)


def told(*faults: WorldFault) -> tuple[list[str], World]:
    """Return a run of one lane and three vehicles, told, and its world."""
    world = build_world(3, WorldConfig(lanes=1, vehicles=3, faults=faults))
    subject = Telling(world)
    run_world(world)
    return [" ".join(line.split()) for line in subject.lines()], world


def test_a_fault_is_told_with_its_target_its_time_and_its_end() -> None:
    """Whoever reads a story must not look up the plan for where and until when."""
    lines, _ = told(CUT)
    assert "20.000 s outside FAULT begins: line_cut of line lane 001-plaza, for 15.0 s" in lines
    assert "35.000 s outside fault ends: line_cut of line lane 001-plaza" in lines


def test_a_kill_is_told_before_the_process_dies() -> None:
    """The cause first; the start of the next life has its number."""
    lines, _ = told(KillAt(process="lane 001", at_ms=20_000, down_ms=2_000))
    begun = lines.index("20.000 s outside FAULT begins: kill of lane 001")
    assert lines[begun + 1] == "20.000 s lane 001 DIES"
    assert "22.000 s lane 001 starts, life 2" in lines


def test_what_stands_to_the_end_ends_with_all_faults() -> None:
    """A fault without a time of its own, and one that is longer than the run."""
    slow = Fault(kind=PlatformFault.SLOW, ms=1_000, times=None)
    longer = LineTrouble(line="lane 001-broker", at_ms=20_000, for_ms=900_000, ms=5)
    lines, _ = told(PlatformTrouble(at_ms=5_000, fault=slow), longer)
    assert "5.000 s outside FAULT begins: platform_slow of platform.alipay" in lines
    ends = [line.partition("fault ends, as all do now: ")[2] for line in lines]
    assert [end for end in ends if end] == [
        "platform_slow of platform.alipay",
        "line_slow of line lane 001-broker",
    ]


def test_every_sealed_record_is_told_once() -> None:
    """As many lines as the lane's journal has records, in their order."""
    lines, world = told()
    with world.journals[next(iter(world.journals))].connect() as connection:
        found = connection.exec_driver_sql("SELECT seq, body FROM records ORDER BY seq").all()
    sealed = [line.partition("SEALS ")[2] for line in lines if "SEALS" in line]
    assert len(found) == 3
    assert [line.split(":")[0] for line in sealed] == [f"record {seq}" for seq, _ in found]
    for line, (_, body) in zip(sealed, found, strict=True):
        assert f"toll {json.loads(body)['toll_due_fen']}" in line


def test_alarms_and_degraded_modes_are_told_but_not_those_of_every_start() -> None:
    """A lane that loses its plaza says so, and when it has it again."""
    lines, _ = told(CUT)
    words = [line.partition(" lane 001 ")[2] for line in lines]
    for word in (
        "ALARM plaza_lost: the plaza does not answer",
        "alarm plaza_lost is over",
        "DEGRADED no_plaza: the plaza does not answer",
        "degraded mode no_plaza is over",
    ):
        assert words.count(word) == 1, word
    quiet, _ = told()
    assert not any("no_epoch" in line or "no_plaza" in line for line in quiet)


def test_reading_along_changes_nothing() -> None:
    """The trace is that of a run nobody reads."""
    _, world = told(CUT)
    alone = build_world(3, WorldConfig(lanes=1, vehicles=3, faults=(CUT,)))
    assert run_world(alone).trace_hash == world.heap.trace_hash
