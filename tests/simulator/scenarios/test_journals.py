"""A lane's journal becomes a scenario, and its day goes the same way again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from lane_controller.core.events import (
    DeviceChanged,
    Fact,
    LinkChanged,
    OperatorActed,
    Started,
    StoreChanged,
    StoreState,
)
from simulator.models.device_faults import DeviceFault, DeviceTrouble
from simulator.people import BEHAVIOURS
from simulator.scenarios.journal_drivers import steps_of
from simulator.scenarios.journal_faults import faults_of
from simulator.scenarios.journals import scenario_of_journal
from simulator.scenarios.running import close, run_scenario
from simulator.scenarios.scenario import Scenario, read_scenario
from simulator.scenarios.steps import Step
from simulator.world.build import WorldConfig, build_world, lane_ids, run_world
from simulator.world.faults import (
    CommitFate,
    CommitTrouble,
    DeviceTroubleAt,
    KillAt,
    LineTrouble,
    WorldFault,
)
from simulator.world.streams import Streams
from simulator.world.traffic import make_car
from tolling.devices import Device, Health
from tolling.errors import JournalError
from tolling.ids import BootId
from tolling.messages import OperatorAction, OperatorCommand
from tolling.paycodes import Wallet

LANE = lane_ids(1)[0]


def journal_of(
    path: Path,
    kinds: Sequence[str],
    faults: Sequence[WorldFault] = (),
    wallets: Sequence[Wallet] = (Wallet.ALIPAY,),
) -> None:
    """Run drivers of these kinds through a lane and keep its journal as a file."""
    dice = Streams(4)
    cars = tuple(
        make_car(
            lane=LANE,
            number=number + 1,
            behaviour=BEHAVIOURS[kind],
            arrives_ms=4_000 + 30_000 * number,
            dice=dice.of(f"car {number}"),
        )
        for number, kind in enumerate(kinds)
    )
    world = build_world(
        4, WorldConfig(lanes=1, cars=cars, faults=tuple(faults), wallets=tuple(wallets))
    )
    run_world(world)
    raw = world.journals[LANE].raw_connection()
    raw.cursor().execute("VACUUM INTO ?", (str(path),))
    raw.close()
    close(world)


def scenario_of(path: Path) -> Scenario:
    """Return the scenario of a journal, read back as a person would."""
    return read_scenario(scenario_of_journal(path, seed=1, name="again"))


@pytest.mark.simulation
def test_payments_by_other_wallets_are_told_in_the_head_of_the_file(tmp_path: Path) -> None:
    """The scenario's phones are of one wallet: nobody is left to think that the day was so."""
    path = tmp_path / "lane.db"
    journal_of(path, ["phone_ok"] * 4, wallets=(Wallet.WECHAT, Wallet.ALIPAY))
    text = scenario_of_journal(path, seed=1, name="again")
    assert "# All phones pay by alipay here; on the road 2 by wechat." in text
    assert scenario_of(path).expected.tenders == {"alipay": 4}


@pytest.mark.simulation
def test_a_day_goes_the_same_way_again(tmp_path: Path) -> None:
    """Each way to pay, backing out and tailgating: as many records, the same tenders."""
    path = tmp_path / "lane.db"
    kinds = [
        "phone_ok",
        "needs_password",
        "pays_cash",
        "pays_etc",
        "double_scan",
        "expired_code",
        "changes_to_cash",
        "backs_out",
        "half_code",
        "balance_short",
        "ride_code",
        "slow_password",
    ]
    journal_of(path, kinds)
    subject = scenario_of(path)
    assert subject.config.cars is not None
    drivers = [car.behaviour.name for car in subject.config.cars]
    alike = dict(zip(kinds, drivers, strict=True))
    alike["slow_password"] = "slow_password"
    assert alike == {kind: kind for kind in kinds}
    assert subject.expected.records == len(kinds)
    outcome = run_scenario(subject)
    assert [f"{each.what}: {each.seen}" for each in outcome.checks if not each.ok] == []


@pytest.mark.simulation
def test_vehicles_come_when_they_came(tmp_path: Path) -> None:
    """Each vehicle is at loop 1 within a second of the time of the day."""
    path = tmp_path / "lane.db"
    journal_of(path, ["phone_ok", "pays_cash", "phone_ok"])
    cars = scenario_of(path).config.cars
    assert cars is not None
    seconds = [round(car.arrives_us / 1_000_000) for car in cars]
    assert seconds == [4, 34, 64]


@pytest.mark.simulation
def test_what_failed_fails_again(tmp_path: Path) -> None:
    """A kill, a cut line and a display without its plug come out as faults at their times."""
    unplugged = DeviceTrouble(kind=DeviceFault.UNPLUGGED, for_ms=20_000)
    faults: list[WorldFault] = [
        KillAt(process="lane 001", at_ms=60_500, down_ms=4_000),
        LineTrouble(line="lane 001-plaza", at_ms=90_000, for_ms=12_000, cut=True),
        DeviceTroubleAt(at_ms=120_000, lane_id="001", device="display", trouble=unplugged),
    ]
    path = tmp_path / "lane.db"
    journal_of(path, ["phone_ok"] * 5, faults)
    found = scenario_of(path).config.faults
    assert [type(fault) for fault in found] == [KillAt, LineTrouble, DeviceTroubleAt]
    for fault, meant in zip(found, faults, strict=True):
        assert abs(getattr(fault, "at_ms", 0) - getattr(meant, "at_ms", 0)) < 1_500


def test_a_file_without_events_is_told(tmp_path: Path) -> None:
    """Nothing can be looked at again where nothing is held."""
    with pytest.raises(JournalError, match="no such journal"):
        scenario_of_journal(tmp_path / "none.db", seed=1, name="x")


# ---- faults, fact by fact ----

S = 1_000_000
START = Started(boot_id=BootId("b"), downtime_ms=None)


def device(health: Health, which: Device = Device.SCANNER) -> Fact:
    """Return what the lane learns of a device."""
    return DeviceChanged(device=which, health=health, what="")


@pytest.mark.parametrize(
    ("facts", "faults"),
    [
        ([(0, START), (1 * S, device(Health.LOST))], ()),
        (
            [(1 * S, device(Health.OK)), (2 * S, device(Health.LOST)), (5 * S, START)],
            (
                KillAt(process="lane 001", at_ms=2_000, down_ms=2_700),
                DeviceTroubleAt(
                    at_ms=2_000,
                    lane_id="001",
                    device="scanner",
                    trouble=DeviceTrouble(kind=DeviceFault.UNPLUGGED, for_ms=3_000),
                ),
            ),
        ),
        (
            [
                (1 * S, LinkChanged(link="plaza", up=True)),
                (9 * S, LinkChanged(link="plaza", up=False)),
                (20 * S, LinkChanged(link="plaza", up=True)),
            ],
            (LineTrouble(line="lane 001-plaza", at_ms=6_000, for_ms=14_000, cut=True),),
        ),
        (
            [
                (1 * S, LinkChanged(link="broker", up=True)),
                (9 * S, LinkChanged(link="broker", up=False)),
                (20 * S, StoreChanged(store=StoreState.FULL)),
                (22 * S, StoreChanged(store=StoreState.OK)),
            ],
            (
                LineTrouble(line="lane 001-broker", at_ms=9_000, for_ms=13_000, cut=True),
                CommitTrouble(process="lane 001", at_ms=20_000, for_ms=2_000, fate=CommitFate.FULL),
            ),
        ),
        (
            [
                (1 * S, device(Health.OK, Device.INPUTS)),
                (1 * S, device(Health.OK, Device.BARRIER)),
                (2 * S, device(Health.LOST, Device.INPUTS)),
                (2 * S, device(Health.LOST, Device.BARRIER)),
                (3 * S, device(Health.OK, Device.BARRIER)),
            ],
            (
                DeviceTroubleAt(
                    at_ms=2_000,
                    lane_id="001",
                    device="io",
                    trouble=DeviceTrouble(kind=DeviceFault.SILENT, for_ms=1_000),
                ),
            ),
        ),
        (
            [
                (1 * S, device(Health.OK, Device.PRINTER)),
                (2 * S, device(Health.LOST, Device.VOICE)),
            ],
            (),
        ),
    ],
)
def test_facts_become_faults(facts: list[tuple[int, Fact]], faults: tuple[WorldFault, ...]) -> None:
    """What was lost after it was there is a fault; what never was there is none."""
    assert faults_of(facts, LANE) == faults


def test_commands_of_people_become_steps() -> None:
    """Cash is the simulated attendant's own; every other command is a step of the file."""
    actions = [OperatorAction.CASH_BEGIN, OperatorAction.CASH_TAKEN, OperatorAction.SET_CLASS]
    facts: list[tuple[int, Fact]] = [
        (
            number * S + 7,
            OperatorActed(
                command=OperatorCommand(
                    command_id=str(number),
                    action=action,
                    operator="someone",
                    reason="a lorry",
                    passage_id=None,
                    boot_id=BootId("b"),
                    state_version=1,
                    number=16,
                )
            ),
        )
        for number, action in enumerate(actions, 1)
    ]
    assert list(steps_of(facts, LANE)) == [
        Step(
            at_us=3 * S,
            lane="001",
            action=OperatorAction.SET_CLASS,
            reason="a lorry",
            number=16,
        )
    ]
