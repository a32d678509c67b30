"""Faults of the world beyond one call: whole boxes, clocks, tariffs, keys, two plaza processes."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from simulator.models.device_faults import DeviceFault, DeviceTrouble
from simulator.models.faults import Fault, PlatformFault
from simulator.plant import BoomMove, Heading, MoveCause, PowerFail
from simulator.world.build import WorldConfig, WorldResult, build_world, lane_ids, run_world
from simulator.world.faults import (
    PLAZA,
    BarrierFault,
    BarrierTrouble,
    ClockDrift,
    ClockJump,
    DeviceTroubleAt,
    KillAt,
    LanePowerLoss,
    LineTrouble,
    PlatformTrouble,
    TariffSwitch,
    WorldFault,
    lane_name,
    plaza_names,
)
from simulator.world.traffic import make_tariff
from tests.simulator.world.one_lane import a_world, bodies, ended_well, run, tenders
from tolling.inputs import Point

pytestmark = pytest.mark.simulation
LANE = lane_ids(1)[0]


def moves(result: WorldResult, cause: MoveCause) -> list[Heading]:
    """Return what the boom did for that cause."""
    log = result.evidence.plant_log
    return [move.heading for move in log if isinstance(move, BoomMove) and move.cause is cause]


@pytest.mark.parametrize(
    ("power_fail", "heading"), [(PowerFail.OPEN, Heading.UP), (PowerFail.HOLD, None)]
)
def test_a_lane_box_without_power_loses_no_payment(
    power_fail: PowerFail, heading: Heading | None
) -> None:
    """The box goes dark while the car pays; the boom does as it is made, and the record comes."""
    cars = tuple(a_world("phone_ok", "phone_ok").site.cars)
    loss = LanePowerLoss(lane_id=LANE, at_ms=12_500, for_ms=6_000)
    config = WorldConfig(lanes=1, cars=cars, faults=(loss,), power_fail=power_fail)
    result = run_world(build_world(5, config))
    assert moves(result, MoveCause.SPRING) == ([] if heading is None else [heading])
    assert len([restart for restart in result.evidence.restarts if restart.lane_id == LANE]) == 1
    assert len(bodies(result)) >= 2
    ended_well(result)


@pytest.mark.parametrize(
    "kind", [PlatformFault.KEY_CHANGED, PlatformFault.CERTIFICATE_EXPIRED, PlatformFault.SLOW]
)
def test_a_platform_that_is_sick_for_minutes_is_survived(kind: PlatformFault) -> None:
    """No answer counts for a while: drivers pay cash or later, nothing is lost or taken twice."""
    ms = 3_000 if kind is PlatformFault.SLOW else 0
    sick = Fault(kind=kind, times=None, for_ms=60_000, ms=ms)
    fault = PlatformTrouble(at_ms=1_000, fault=sick)
    result = run("phone_ok", "phone_ok", "phone_ok", "phone_ok", faults=[fault])
    assert len(tenders(result)) == 4
    assert "cash" in tenders(result)[:2]
    assert tenders(result)[-1] == "alipay"
    ended_well(result)


def test_a_tariff_switch_prices_the_cars_after_it_anew() -> None:
    """Twice the tolls from an instant on: cars before pay the old version, cars after the new."""
    switch = TariffSwitch(at_ms=5_000, notice_ms=85_000, percent=200)
    world = a_world(*["pays_cash"] * 6, faults=[switch])
    result = run_world(world)
    first = {row.row: row.toll_fen for row in make_tariff().rows}
    versions = [body["quote"]["tariff_version"] for body in bodies(result)]
    assert versions == sorted(versions)
    assert set(versions) == {1, 2}
    second = {row.row: row.toll_fen for row in world.tariffs[1].rows}
    for body in bodies(result):
        rows = first if body["quote"]["tariff_version"] == 1 else second
        assert body["toll_due_fen"] == rows[body["quote"]["row"]]
    ended_well(result)


def test_two_plazas_share_one_store_and_lanes_move_on_death() -> None:
    """One process dies for good while: its lanes go to the other, which ends its open orders."""
    late = PlatformTrouble(
        at_ms=1_000, fault=Fault(kind=PlatformFault.ANSWER_LOST, times=2, ms=500)
    )
    kill = KillAt(process=PLAZA, at_ms=9_000, down_ms=60_000)
    cars = a_world(*["phone_ok"] * 4, lanes=2).site.cars
    config = WorldConfig(lanes=2, plazas=2, cars=cars, faults=(late, kill))
    world = build_world(5, config)
    result = run_world(world)
    assert [plaza.name for plaza in world.plazas] == list(plaza_names(2))
    assert all(plaza.steps for plaza in world.plazas)
    assert not world.plazas[0].outside.store.exclusive
    assert len(bodies(result)) == 4
    ended_well(result)


@pytest.mark.parametrize(
    "faults",
    [
        [LineTrouble(line="plaza-platform", at_ms=1, for_ms=90_000, doubled_permille=1_000)],
        [LineTrouble(line="lane 001-plaza", at_ms=1, for_ms=90_000, doubled_permille=1_000)],
        [
            LineTrouble(
                line="lane 001-plaza", at_ms=1, for_ms=90_000, doubled_permille=500, spread_ms=900
            )
        ],
        [LineTrouble(line="lane 001-broker", at_ms=1, for_ms=90_000, doubled_permille=900)],
    ],
)
def test_messages_that_come_twice_are_carried_out_once(faults: Sequence[WorldFault]) -> None:
    """A proxy repeats requests on any line: one charge and one record a car."""
    result = run("phone_ok", "needs_password", "phone_ok", faults=faults)
    assert tenders(result) == ["alipay"] * 3
    captured = [trade for trade in result.evidence.trades if trade.captured_fen]
    assert len(captured) == 3
    assert not any(trade.refunded_fen for trade in captured)
    ended_well(result)


@pytest.mark.parametrize("process", [lane_name(LANE), PLAZA])
@pytest.mark.parametrize("ppm", [-100_000, 100_000])
def test_a_drifting_clock_takes_no_money_twice(process: str, ppm: int) -> None:
    """Every timer of a machine comes a tenth early or late, its wall clock runs away and back."""
    drift = ClockDrift(process=process, at_ms=1_000, for_ms=70_000, ppm=ppm)
    jump = ClockJump(process=process, at_ms=80_000, for_ms=5_000, offset_ms=-60_000, noticed=True)
    result = run("phone_ok", "slow_password", "pays_cash", faults=[drift, jump])
    assert tenders(result) == ["alipay", "alipay", "cash"]
    ended_well(result)


@pytest.mark.parametrize("kind", list(BarrierFault))
def test_a_sick_barrier_keeps_nobody_for_ever(kind: BarrierFault) -> None:
    """The boom stands, creeps or is lifted by hand while a car has paid: it is let out."""
    trouble = BarrierTrouble(
        lane_id=LANE, at_ms=12_300, for_ms=9_000, kind=kind, mdeg=30_000, percent=500
    )
    result = run("phone_ok", "phone_ok", faults=[trouble])
    assert result.vehicles == 2
    ended_well(result)


@pytest.mark.parametrize(
    "trouble",
    [
        DeviceTrouble(kind=DeviceFault.REBOOT, for_ms=3_000),
        DeviceTrouble(kind=DeviceFault.ANSWER_LOST, for_ms=3_000),
        DeviceTrouble(kind=DeviceFault.CORRUPTED, times=8),
        DeviceTrouble(kind=DeviceFault.DROPPED, times=8),
        DeviceTrouble(kind=DeviceFault.SLOW, for_ms=3_000, ms=600),
        DeviceTrouble(kind=DeviceFault.OUTPUT_DEAD, where="raise", for_ms=4_000),
        DeviceTrouble(kind=DeviceFault.STUCK_0, where=Point.BOOM_UP, for_ms=8_000),
        DeviceTrouble(kind=DeviceFault.CUT_WIRE, where=Point.CURTAIN, for_ms=60_000),
    ],
)
def test_a_sick_module_at_the_moment_of_the_raise_keeps_nobody(trouble: DeviceTrouble) -> None:
    """Requests lost, answered late or wrongly, outputs dropped: the paid car gets out."""
    fault = DeviceTroubleAt(at_ms=12_000, lane_id=LANE, device="io", trouble=trouble)
    result = run("phone_ok", "phone_ok", faults=[fault])
    assert tenders(result) == ["alipay", "alipay"]
    ended_well(result)


def test_crosstalk_of_the_lane_beside_moves_no_money() -> None:
    """Loop 1 sees the neighbour's cars: presences come and go, nobody pays for them."""
    trouble = DeviceTrouble(kind=DeviceFault.CROSSTALK, where=Point.LOOP_1, for_ms=120_000)
    fault = DeviceTroubleAt(at_ms=1_000, lane_id=LANE, device="io", trouble=trouble)
    result = run(*["phone_ok"] * 6, lanes=2, faults=[fault])
    assert sum(tender == "alipay" for tender in tenders(result)) == 6
    assert replace(result).vehicles == 6
    ended_well(result)


def test_a_persons_command_over_a_doubling_broker_is_obeyed_once() -> None:
    """The helper raises for a stuck car from afar; the broker delivers the command again and again,
    also when the next car stands there: one car goes on it."""
    dark = DeviceTroubleAt(
        at_ms=1_000,
        lane_id=LANE,
        device="io",
        trouble=DeviceTrouble(kind=DeviceFault.OUTPUT_DEAD, where="raise", for_ms=40_000),
    )
    late = LineTrouble(
        line="lane 001-broker", at_ms=1, for_ms=300_000, doubled_permille=1_000, spread_ms=20_000
    )
    result = run("pays_cash", "pays_cash", "pays_cash", faults=[dark, late])
    sent = [tap for tap in result.evidence.tapped if tap.channel.endswith("/command")]
    assert sent
    assert tenders(result) == ["cash"] * 3
    ended_well(result)
