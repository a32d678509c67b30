"""A scenario on real processes comes to the same end as in virtual time."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.demo.files import Layout
from simulator.models.faults import Fault, PlatformFault
from simulator.models.platform_values import BillMistake
from simulator.people import BEHAVIOURS
from simulator.plant import Passage, VehicleId, usual_vehicle
from simulator.plant.events import Display, PlantEdge, What
from simulator.scenarios.expectations import Expectations, Shown
from simulator.scenarios.journals import scenario_of_journal
from simulator.scenarios.running import run_scenario
from simulator.scenarios.scenario import Scenario, read_scenario
from simulator.scenarios.steps import Step
from simulator.scenarios.wires import WiresResult, cars_of, outcome_of, play_on_wires
from simulator.stack.plan import PLAZA
from simulator.world.build import WorldConfig
from simulator.world.faults import ClockDrift, ClockJump, KillAt, PlatformTrouble
from simulator.world.site import Car
from tolling.ids import LaneId
from tolling.messages import CommandOutcome, OperatorAction
from tolling.vehicles import Plate, PlateColour, VehicleClass

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(900)]
LANE = LaneId("001")


def car(number: int, behaviour: str, at_us: int) -> Car:
    """A car of class 1 without a known entry: its toll is the farthest entry's."""
    plate = Plate(text=f"苏B{number:05d}", colour=PlateColour.BLUE)
    return Car(
        lane_id=LANE,
        vehicle=usual_vehicle(VehicleId(number), plate, VehicleClass.CAR_1),
        behaviour=BEHAVIOURS[behaviour],
        arrives_us=at_us,
        entry=None,
    )


CONFIG = WorldConfig(
    lanes=1,
    latency_ms=100,
    cars=(car(1, "phone_ok", 200_000), car(2, "pays_cash", 2_000_000)),
    faults=(
        PlatformTrouble(at_ms=0, fault=Fault(kind=PlatformFault.ANSWER_LOST, calls=("pay",))),
        KillAt(process="plaza", at_ms=9_000, down_ms=1_000),
        ClockJump(process="lane 001", at_ms=1_000, for_ms=1_000, offset_ms=5_000),
        ClockDrift(process="lane 001", at_ms=1_000, for_ms=1_000, ppm=5),
    ),
    bill_mistakes=(BillMistake.AMOUNT,),
)


CLOSE = Step(
    at_us=30_000_000,
    lane=str(LANE),
    action=OperatorAction.CLOSE_LANE,
    answer=CommandOutcome.CONFIRMED,
)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder that the run's processes leave behind."""
    return tmp_path_factory.mktemp("w")


@pytest.fixture(scope="module")
def result(directory: Path) -> WiresResult:
    """Give what came of two cars, one lost answer, one killed plaza and one command."""
    return play_on_wires(CONFIG, seed=3, directory=directory, steps=(CLOSE,), hurried=True)


def test_the_same_cars_and_faults_meet_the_same_expectations(result: WiresResult) -> None:
    """Tenders, orders, records and sights as in virtual time; what wires cannot show is told."""
    expected = Expectations(
        tenders={"alipay": 1, "cash": 1},
        orders={"paid": 1},
        records=2,
        refunded_fen=0,
        differences={"AMOUNT": 1},
        left_for_a_person=1,
        unexplained_fen=100,
        shown=(Shown(text="支付成功", lane="001", before_us=30_000_000),),
    )
    scenario = Scenario(name="two", seed=3, config=CONFIG, steps=(CLOSE,), expected=expected)
    subject = outcome_of(scenario, result)
    assert [check for check in subject.checks if not check.ok] == []
    assert subject.checks[-1].seen.startswith("confirmed")
    assert subject.vehicles == 2
    assert subject.findings == ()
    assert subject.notes == (
        "cannot be done on wires: clock_drift: all processes share this machine's oscillator",
    )


def test_times_are_counted_from_the_beginning_of_the_run(result: WiresResult) -> None:
    """The first car comes after 0.2 s and is through within half a minute."""
    log = result.evidence.plant_log
    passages = [entry for entry in log if isinstance(entry, Passage)]
    assert len(passages) == 2
    assert 200_000 < passages[0].nose_us < passages[0].tail_us < 30_000_000
    assert min(entry.at_us for entry in log if isinstance(entry, Display)) < 200_000
    (restart,) = result.evidence.restarts
    assert restart.process == "plaza"
    assert 9_900_000 < restart.at_us < 20_000_000
    assert result.at_rest


def test_the_lanes_own_journal_brings_the_day_back_in_virtual_time(
    result: WiresResult, directory: Path
) -> None:
    """What the real process wrote down is a scenario: the same vehicles at their times pay the same
    ways, and what it says that they settle holds."""
    came_us = [
        next(
            entry.at_us
            for entry in result.evidence.plant_log
            if isinstance(entry, PlantEdge)
            and entry.what is What.LOOP_1
            and entry.vehicle_id == number
        )
        for number in (1, 2)
    ]
    journal = Layout(root=directory / "run", plaza_id=PLAZA, lanes=(str(LANE),)).journal(str(LANE))
    subject = read_scenario(scenario_of_journal(journal, seed=3, name="again"))
    cars = subject.config.cars
    assert cars is not None
    assert [each.behaviour.name for each in cars] == ["phone_ok", "pays_cash"]
    apart_us = cars[1].arrives_us - cars[0].arrives_us
    assert abs(apart_us - (came_us[1] - came_us[0])) < 1_500_000
    assert subject.expected.tenders == {"alipay": 1, "cash": 1}
    assert subject.expected.records == 2
    assert OperatorAction.CLOSE_LANE in {step.action for step in subject.steps}
    outcome = run_scenario(subject)
    assert [f"{each.what}: {each.seen}" for each in outcome.checks if not each.ok] == []


def test_cars_are_drawn_as_the_world_draws_them() -> None:
    """The same seed brings the same vehicles, drivers and times."""
    config = WorldConfig(lanes=2, vehicles=9)
    assert cars_of(config, 5) == cars_of(config, 5)
    assert len(cars_of(config, 5)) == 9
