"""What the auditor is told of lanes from outside them: blind whiles, tariffs, orders of people."""

from __future__ import annotations

from contextlib import closing

import pytest

from simulator.auditor import Hindrance
from simulator.canaries.worlds import display_gone, tariff_of_tomorrow, world
from simulator.models.device_faults import DeviceFault, DeviceTrouble
from simulator.world import sighted
from simulator.world.build import WorldConfig, build_world, lane_ids, run_world
from simulator.world.clock import us
from simulator.world.faults import (
    ClockJump,
    DeviceTroubleAt,
    KillAt,
    LanePowerLoss,
    LineTrouble,
    WorldFault,
    lane_name,
)
from simulator.world.world import World
from tolling.ids import LaneId

pytestmark = pytest.mark.simulation
LANE = lane_ids(1)[0]
S = 1_000_000


def ran(config: WorldConfig) -> World:
    """Return a world after its run."""
    made = build_world(1, config)
    run_world(made)
    return made


def faults(seed: int) -> tuple[WorldFault, ...]:
    """Return a kill, a power loss, a silent module, a cut wire, and a clock that is wrong."""
    name = lane_name(LANE)
    silent = DeviceTrouble(kind=DeviceFault.SILENT, for_ms=1_000)
    cut = DeviceTrouble(kind=DeviceFault.CUT_WIRE, where="loop_2", for_ms=1_000)
    return (
        KillAt(process=name, at_ms=60_000, down_ms=2_000),
        LanePowerLoss(lane_id=LANE, at_ms=70_000, for_ms=4_000),
        DeviceTroubleAt(at_ms=80_000, lane_id=LANE, device="io", trouble=silent),
        DeviceTroubleAt(at_ms=90_000, lane_id=LANE, device="io", trouble=cut),
        ClockJump(process=name, at_ms=95_000, for_ms=1_000, offset_ms=5_000),
    )


def test_a_lane_is_blind_while_it_is_dead_or_its_module_does_not_answer() -> None:
    """A cut wire reads occupied, and is read: nobody is blind."""
    subject = ran(world("phone_ok", "phone_ok", gap_ms=100_000, faults=faults)(1))
    found = {
        (blind.from_us // S, blind.until_us and blind.until_us // S, blind.dead)
        for blind in sighted.blind(subject)
    }
    assert found == {
        (60, 62, True),
        (70, 74, True),
        (70, 74, False),
        (80, 81, False),
    }
    assert list(sighted.clocks_off(subject)) == [LANE]
    assert list(sighted.clocks_set_back(subject)) == [(LANE, 96 * S)]


def test_a_plaza_whose_clock_is_wrong_excuses_no_lane() -> None:
    """A lane keeps what it was told of the tariffs to come."""
    wrong = ClockJump(process="plaza", at_ms=1_000, for_ms=1_000, offset_ms=86_400_000)
    subject = ran(world("phone_ok", faults=lambda seed: (wrong,))(1))
    assert list(sighted.clocks_off(subject)) == []
    assert list(sighted.clocks_set_back(subject)) == []


def test_tariffs_are_told_with_when_they_count_and_who_heard_of_them() -> None:
    """The one of tomorrow reaches the lane at its start."""
    subject = ran(world("phone_ok", faults=tariff_of_tomorrow)(1))
    first, second = sighted.tariffs(subject)
    assert (first.version, first.from_us) == (1, -3_600 * S)
    assert (second.version, second.from_us) == (2, 3_600_100_000)
    assert first.rows
    heard = {version: at_us for lane, version, at_us in sighted.tariffs_heard(subject)}
    assert set(heard) == {1, 2}
    assert all(at_us < 2 * S for at_us in heard.values())


def test_an_order_is_told_with_its_passage_and_who_stood_there() -> None:
    """Nobody sees the toll: a person lets vehicle 1 through."""
    config = world("phone_ok", faults=display_gone, attended=False)(1)
    order, *_ = sighted.ordered(ran(config))
    assert (order.lane_id, order.vehicle_id) == (LANE, 1)
    assert str(order.passage_id).endswith("1")


@pytest.mark.parametrize(
    ("lane", "from_ms", "kind", "found"),
    [
        (LANE, 9_000, DeviceFault.SILENT, [(40, 48)]),
        (LANE, 0, DeviceFault.SILENT, [(40, 48)]),
        (LANE, 49_000, DeviceFault.SILENT, []),
        (LANE, 9_000, DeviceFault.MISREAD, []),
        (lane_ids(2)[1], 9_000, DeviceFault.SILENT, []),
    ],
    ids=str,
)
def test_nothing_tells_vehicles_apart_while_the_curtain_lies_and_the_camera_is_silent(
    lane: LaneId, from_ms: int, kind: DeviceFault, found: list[tuple[int, int]]
) -> None:
    """Both of one lane, and the camera when whoever drives then may have come."""
    cut = DeviceTrouble(kind=DeviceFault.CUT_WIRE, where="curtain", for_ms=8_000)
    told = (
        DeviceTroubleAt(at_ms=40_000, lane_id=LANE, device="io", trouble=cut),
        DeviceTroubleAt(
            at_ms=from_ms,
            lane_id=lane,
            device="camera",
            trouble=DeviceTrouble(kind=kind, for_ms=15_000),
        ),
    )
    with closing(build_world(1, WorldConfig(lanes=2, vehicles=0, faults=told))) as subject:
        assert [
            (each.from_us // S, each.until_us // S) for each in sighted.untold(subject)
        ] == found


def test_loop_1_reads_held_while_its_wire_is_cut_or_it_hears_the_lane_beside() -> None:
    """Loop 2 is none of it."""

    def cut(kind: DeviceFault, where: str, at_ms: int) -> DeviceTroubleAt:
        trouble = DeviceTrouble(kind=kind, where=where, for_ms=3_000)
        return DeviceTroubleAt(at_ms=at_ms, lane_id=LANE, device="io", trouble=trouble)

    told = (
        cut(DeviceFault.CUT_WIRE, "loop_1", 10_000),
        cut(DeviceFault.CROSSTALK, "loop_1", 20_000),
        cut(DeviceFault.CUT_WIRE, "loop_2", 30_000),
        cut(DeviceFault.STUCK_1, "loop_1", 40_000),
    )
    with closing(build_world(1, WorldConfig(lanes=2, vehicles=0, faults=told))) as subject:
        found = [(each.from_us // S, each.until_us // S) for each in sighted.held(subject)]
    assert found == [(10, 13), (20, 23)]


@pytest.mark.parametrize(
    ("device", "kind", "where", "found"),
    [
        ("io", DeviceFault.OUTPUT_DEAD, "raise", {Hindrance.RAISE}),
        ("io", DeviceFault.OUTPUT_DEAD, "lane_green", {Hindrance.LAMP}),
        ("io", DeviceFault.OUTPUT_DEAD, "lower", set()),
        ("io", DeviceFault.OUTPUT_DEAD, "", {Hindrance.RAISE, Hindrance.LAMP}),
        ("io", DeviceFault.STUCK_0, "boom_up", {Hindrance.LIMIT}),
        ("io", DeviceFault.CUT_WIRE, "curtain", {Hindrance.DETECTOR}),
        ("io", DeviceFault.CHATTER, "", {Hindrance.LIMIT, Hindrance.DETECTOR}),
        ("io", DeviceFault.SILENT, "", set()),
        ("etc", DeviceFault.ANSWER_LOST, "", {Hindrance.READER}),
        ("camera", DeviceFault.SILENT, "", set()),
    ],
)
def test_a_sick_device_hinders_its_lane_in_what_hangs_on_it(
    device: str, kind: DeviceFault, where: str, found: set[Hindrance]
) -> None:
    """From its beginning to its end, or to the end of the run; a fault without a place is of any.
    A module that does not answer makes its lane blind, which is told elsewhere."""
    for for_ms, until_us in ((5_000, 15 * S), (None, None)):
        trouble = DeviceTrouble(kind=kind, where=where, for_ms=for_ms)
        fault = DeviceTroubleAt(at_ms=10_000, lane_id=LANE, device=device, trouble=trouble)
        with closing(build_world(1, WorldConfig(vehicles=0, faults=(fault,)))) as subject:
            told = list(sighted.hindered(subject))
        assert {each.what for each in told} == found
        whiles = {(each.lane_id, each.from_us, each.until_us) for each in told}
        assert whiles <= {(LANE, 10 * S, until_us)}


def test_a_lane_is_deaf_while_its_line_to_the_plaza_fails_and_mute_while_that_to_the_broker() -> (
    None
):
    """Each lane by its own lines, and no other's."""
    names = [f"{lane_name(lane)}-plaza" for lane in lane_ids(2)] + [f"{lane_name(LANE)}-broker"]
    cuts = tuple(LineTrouble(line=name, at_ms=1_000, for_ms=2_000, cut=True) for name in names)
    with closing(build_world(1, WorldConfig(lanes=2, vehicles=0, faults=cuts))) as subject:
        told = list(sighted.hindered(subject))
    found = {(each.lane_id, each.what, each.from_us, each.until_us) for each in told}
    deaf = {(lane, Hindrance.DEAF, S, 3 * S) for lane in lane_ids(2)}
    assert found == deaf | {(LANE, Hindrance.MUTE, S, 3 * S)}


def troubles(seed: int) -> tuple[WorldFault, ...]:
    """Return a loop that hears the lane beside, a slow module, one that starts again, limits that
    lie, one past the end."""
    made = (
        (10_000, DeviceTrouble(kind=DeviceFault.CROSSTALK, where="loop_2", for_ms=4_000)),
        (15_000, DeviceTrouble(kind=DeviceFault.SLOW, for_ms=1_000, ms=500)),
        (17_000, DeviceTrouble(kind=DeviceFault.REBOOT, for_ms=2_000)),
        (20_000, DeviceTrouble(kind=DeviceFault.STUCK_1, where="boom_up", for_ms=2_000)),
        (23_000, DeviceTrouble(kind=DeviceFault.CHATTER, where="boom_down", for_ms=1_000)),
        (25_000, DeviceTrouble(kind=DeviceFault.STUCK_0, where="boom_down", times=3)),
        (26_000, DeviceTrouble(kind=DeviceFault.CUT_WIRE, for_ms=1_000)),
        (28_000, DeviceTrouble(kind=DeviceFault.STUCK_0, where="boom_down", for_ms=500_000)),
    )
    return tuple(
        DeviceTroubleAt(at_ms=at_ms, lane_id=LANE, device="io", trouble=trouble)
        for at_ms, trouble in made
    )


def test_when_a_loop_lied_and_what_a_limit_read_is_written_down() -> None:
    """A cut wire of every input is one of both limits; a fault is over when it has acted as often
    as it may, or when all are ended."""
    subject = ran(world("phone_ok", "phone_ok", gap_ms=60_000, faults=troubles)(1))
    assert subject.healed_ns is not None
    healed_us = us(subject.healed_ns)
    (used_up_ns,) = (
        view.used_up_ns for view in subject.models[LANE].io.faults(0) if view.trouble.times
    )
    assert used_up_ns is not None
    used_up_us = us(used_up_ns)
    assert 25 * S < used_up_us < 28 * S
    lies = [(each.from_us // S, (each.until_us or 0) // S) for each in sighted.lying(subject)]
    assert lies == [(10, 14), (15, 16), (17, 19)]
    found = [
        (each.what.value, each.reads, each.from_us // S, each.until_us)
        for each in sighted.limit_faults(subject)
    ]
    assert found == [
        ("boom_up", True, 20, 22 * S),
        ("boom_down", None, 23, 24 * S),
        ("boom_down", None, 25, used_up_us),
        ("boom_up", False, 26, 27 * S),
        ("boom_down", False, 26, 27 * S),
        ("boom_down", False, 28, healed_us),
    ]
