"""Vehicles as a file says them: little is enough, and anything can be said."""

import pytest

from simulator.people import BEHAVIOURS, WalletWill
from simulator.plant import usual_vehicle
from simulator.scenarios.cars import usual_plate
from simulator.scenarios.nodes import BadScenarioError
from simulator.scenarios.scenario import read_scenario, to_config
from simulator.world.site import Car
from simulator.world.traffic import STATIONS
from tolling.vehicles import PlateColour, VehicleClass


def cars_of(*lines: str, spawn: str = "") -> tuple[Car, ...]:
    """Return the vehicles of a file with these lines."""
    rows = "".join(f"  - {line}\n" for line in lines)
    cars = to_config(read_scenario(f"scenario: 1\n{spawn}vehicles:\n{rows}")).cars
    assert cars is not None
    return cars


def refused(*lines: str) -> str:
    """Return what is wrong with a file of these lines."""
    with pytest.raises(BadScenarioError) as caught:
        cars_of(*lines)
    return str(caught.value)


def test_a_time_is_all_a_vehicle_needs() -> None:
    """Everything else has a usual value: a car that pays by phone in lane 001."""
    (car,) = cars_of("{at: 4s}")
    assert (car.lane_id, car.arrives_us) == ("001", 4_000_000)
    assert car.behaviour == BEHAVIOURS["phone_ok"]
    assert car.vehicle == usual_vehicle(car.vehicle.vehicle_id, usual_plate(1), VehicleClass.CAR_1)
    assert car.entry is not None
    assert car.entry.entry_station == STATIONS[0][0]


def test_plate_class_entry_and_body_can_be_said() -> None:
    """A lorry without a tag's entry, with a plate of its own and a gap it likes."""
    (car,) = cars_of(
        "{at: 4s, class: truck_6, plate: {text: 浙F8K221, colour: green}, entry: none,"
        " body: {gap_mm: 700, reaction: 2s}}"
    )
    vehicle = car.vehicle
    assert vehicle.plate is not None
    assert (vehicle.plate.text, vehicle.plate.colour) == ("浙F8K221", PlateColour.GREEN)
    assert (vehicle.gap_mm, vehicle.reaction_us, car.entry) == (700, 2_000_000, None)
    assert vehicle.length_mm > 15_000


def test_a_plate_of_none_is_no_plate() -> None:
    """A vehicle without a plate is not one with a usual plate."""
    (car,) = cars_of("{at: 4s, plate: none}")
    assert car.vehicle.plate is None


def test_a_behaviour_is_a_name_or_a_name_with_changes() -> None:
    """What differs from a known kind of driver is said, nothing else."""
    known, changed = cars_of(
        "{at: 4s, behaviour: pays_cash}",
        "{at: 30s, behaviour: {like: slow_phone, will: confirms, confirm: 9s, changes_mind: none}}",
    )
    assert known.behaviour == BEHAVIOURS["pays_cash"]
    assert changed.behaviour.reaction_us == BEHAVIOURS["slow_phone"].reaction_us
    assert (changed.behaviour.will, changed.behaviour.confirm_us) == (
        WalletWill.CONFIRMS,
        9_000_000,
    )


def test_spawned_vehicles_and_named_ones_go_together() -> None:
    """The named ones get the numbers behind the spawned."""
    cars = cars_of("{at: 90s}", spawn="spawn: {vehicles: 3, mix: unruly, gap: 20s}\n")
    assert [car.vehicle.vehicle_id for car in cars] == [1, 2, 3, 4]
    assert cars[3].arrives_us == 90_000_000


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{}", "3: key `at` is missing"),
        ("{at: 4s, behaviour: phone_okk}", "did you mean `phone_ok`"),
        ("{at: 4s, behaviour: {like: phone_ok, patience: 0s}}", "patience: above 0"),
        ("{at: 4s, plate: ABC}", "`ABC` is no plate"),
        ("{at: 4s, lane: '7'}", "`7` is not a lane"),
        ("{at: 4s, lane: '002'}", "there is no lane `002` here: this scenario has 001"),
        ("{at: 4s, class: car_9}", "no vehicle class known here"),
        ("{at: 4s, body: {length_mm: 900}}", "length: 2600..18100 mm"),
        ("{at: -4s}", "`-4s` is less than 0s"),
        ("{at: 4s, speed: 3}", "key `speed` is unknown in a vehicle"),
        ("{at: 4s}\n  - {at: 9s, id: 1}", "4: vehicle 1 comes twice; the first is in line 3"),
    ],
)
def test_a_wrong_vehicle_is_told_with_its_line(line: str, words: str) -> None:
    """Each mistake is named where it stands."""
    assert words in refused(line)


def test_a_mix_without_shares_is_refused() -> None:
    """Nobody can be drawn of nobody."""
    with pytest.raises(BadScenarioError, match="mix has no shares"):
        read_scenario("scenario: 1\nspawn: {vehicles: 3, mix: {phone_ok: 0}}\n")
