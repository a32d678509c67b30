"""What the auditor is told that lanes were without: by the faults, clipped to what was whole."""

from __future__ import annotations

import pytest

from simulator.auditor import Hindrance, Loss
from simulator.canaries.worlds import LANE, lane_disk, world
from simulator.models.device_faults import DeviceFault, DeviceTrouble
from simulator.world.build import build_world, lane_ids, run_world
from simulator.world.clock import us
from simulator.world.faults import (
    PLAZA,
    CommitFate,
    DeviceTroubleAt,
    KillAt,
    LineTrouble,
    WorldFault,
)
from simulator.world.lost import lost
from simulator.world.sighted import hindered
from simulator.world.world import World
from tolling.clock import NS_PER_S

pytestmark = pytest.mark.simulation
S = 1_000_000


def ran(*faults: WorldFault, until_s: int | None = None, gap_ms: int = 80_000) -> World:
    """Return a world of two vehicles with these faults, after its run or at that second of it."""
    config = world("phone_ok", "phone_ok", gap_ms=gap_ms, faults=lambda seed: faults)(1)
    made = build_world(1, config)
    if until_s is None:
        run_world(made)
    else:
        made.start()
        made.run_until(until_s * NS_PER_S)
    return made


def found(subject: World, *kinds: Loss) -> set[tuple[Loss, float, float]]:
    """Return what was lost of these kinds, in seconds."""
    return {
        (each.what, each.from_us / S, each.until_us / S)
        for each in lost(subject)
        if each.what in kinds
    }


def device(name: str, kind: DeviceFault, at_s: int, for_s: int, **more: str) -> WorldFault:
    """Return a fault of one of the lane's devices."""
    trouble = DeviceTrouble(kind=kind, for_ms=for_s * 1_000, **more)  # type: ignore[arg-type]
    return DeviceTroubleAt(at_ms=at_s * 1_000, lane_id=lane_ids(1)[0], device=name, trouble=trouble)


def test_devices_are_lost_while_their_fault_stands() -> None:
    """Of a single input, of a display that is dark, or where all is slow, nothing is lost."""
    subject = ran(
        device("scanner", DeviceFault.UNPLUGGED, 30, 5),
        device("display", DeviceFault.UNPLUGGED, 32, 5),
        device("display", DeviceFault.DARK, 38, 5),
        device("etc", DeviceFault.SILENT, 39, 8),
        device("io", DeviceFault.SLOW, 40, 5),
        device("io", DeviceFault.CUT_WIRE, 46, 5, where="loop_1"),
        until_s=52,
    )
    assert found(subject, *Loss) == {
        (Loss.SCANNER, 30, 35),
        (Loss.DISPLAY, 32, 37),
        (Loss.ETC, 39, 47),
    }


def test_inputs_are_lost_for_the_life_that_read_them() -> None:
    """A lane that is started beside a silent module has not read any; one that is dead neither, nor
    one whose module was silent before."""
    subject = ran(
        device("io", DeviceFault.SILENT, 30, 10),
        KillAt(process=LANE, at_ms=34_000, down_ms=1_000),
        device("io", DeviceFault.REBOOT, 45, 10),
        KillAt(process=LANE, at_ms=44_000, down_ms=3_000),
        KillAt(process=LANE, at_ms=57_000, down_ms=500),
        device("io", DeviceFault.SILENT, 58, 4),
        device("io", DeviceFault.SILENT, 61, 6),
        until_s=68,
    )
    assert found(subject, Loss.MODULE, Loss.INPUTS) == {
        (Loss.MODULE, 30, 40),
        (Loss.INPUTS, 30, 34),
        (Loss.MODULE, 45, 55),
        (Loss.MODULE, 58, 62),
        (Loss.MODULE, 61, 67),
    }


def test_the_plaza_is_lost_while_its_line_is_cut_or_it_is_dead() -> None:
    """A line that loses is none, and so is that to the broker: that one makes a lane mute."""
    subject = ran(
        LineTrouble(line=f"{LANE}-plaza", at_ms=30_000, for_ms=5_000, cut=True),
        LineTrouble(line=f"{LANE}-plaza", at_ms=36_000, for_ms=5_000, lost_permille=300),
        LineTrouble(line=f"{LANE}-broker", at_ms=40_000, for_ms=5_000, cut=True),
        KillAt(process=PLAZA, at_ms=45_000, down_ms=7_000),
        until_s=53,
    )
    assert found(subject, Loss.PLAZA) == {(Loss.PLAZA, 30, 35), (Loss.PLAZA, 45, 52)}
    whiles = {(each.what, each.from_us // S) for each in hindered(subject)}
    assert whiles == {(Hindrance.DEAF, 30), (Hindrance.DEAF, 36), (Hindrance.MUTE, 40)}


def test_what_outlasts_all_faults_ends_with_them() -> None:
    """When the last vehicle has left everything works again."""
    subject = ran(device("scanner", DeviceFault.UNPLUGGED, 10, 600), gap_ms=20_000)
    ((what, from_s, until_s),) = found(subject, *Loss)
    assert subject.healed_ns is not None
    assert (what, from_s, until_s) == (Loss.SCANNER, 10, us(subject.healed_ns) / S)


def test_a_full_disk_is_lost_room_from_the_first_refusal_until_it_is_told_of_some() -> None:
    """Or until the lane dies: the next life finds out for itself; or is switched off for good."""
    full = lane_disk(CommitFate.FULL)(1)
    subject = ran(*full, until_s=155)
    lane = subject.lanes[lane_ids(1)[0]]
    ((_, from_s, until_s),) = found(subject, Loss.ROOM)
    told_ns = min(each for each in lane.roomy_ns if each > lane.refused_ns[0])
    assert (from_s, until_s) == (us(lane.refused_ns[0]) / S, us(told_ns) / S)
    assert len(lane.refused_ns) > 10
    subject = ran(*full, KillAt(process=LANE, at_ms=20_000, down_ms=1_000), until_s=40)
    lane = subject.lanes[lane_ids(1)[0]]
    lane.switch_off()
    subject.run_until(45 * NS_PER_S)
    first, second = sorted(found(subject, Loss.ROOM))
    assert (first[2], second[2]) == (20, 40)
    assert second[1] > 21


def test_a_commit_that_takes_too_long_is_lost_pace() -> None:
    """From the moment it was asked for; not one that is quick."""
    subject = ran(*lane_disk(CommitFate.SLOW, ms=1_800)(1), until_s=30)
    *whiles, _under_way = sorted(found(subject, Loss.PACE))
    assert len(whiles) > 3
    assert all(1.8 < until_s - from_s < 1.81 for _, from_s, until_s in whiles)
    subject = ran(*lane_disk(CommitFate.SLOW, ms=900)(1), until_s=30)
    assert not found(subject, Loss.PACE)
