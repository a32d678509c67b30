"""Vehicles the loops misread, and booms that are heavy or bent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulator.plant import (
    BoomMove,
    Heading,
    LogEntry,
    MoveCause,
    Passage,
    PlantEdge,
    Strike,
    StrikeCause,
    Vehicle,
    VehicleId,
    What,
    drawbar_train,
    motorcycle,
    usual_vehicle,
)
from simulator.plant.traffic import Mark, parts_of
from tests.simulator.plant.test_plant import LANE, car, new_plant, polite, run, times
from tolling.errors import BadInputError
from tolling.inputs import Point
from tolling.vehicles import VehicleClass

S = 1_000_000


def through(vehicle: Vehicle, **geometry: object) -> tuple[list[PlantEdge], list[LogEntry]]:
    """Let one vehicle through an open lane without a stop. Returns its edges and the log."""
    plant = new_plant(**geometry)
    plant.boom_raise_pulse(LANE, 0)
    plant.arrive(LANE, vehicle, S)
    plant.drive_on(VehicleId(1), S)
    edges = run(plant)
    return edges, list(plant.log)


def holds(edges: list[PlantEdge], what: What) -> list[bool]:
    """Return how an input went: True for on."""
    return [edge.on for edge in edges if edge.what is what]


def test_a_long_drawbar_frees_each_loop_for_a_moment_and_never_the_curtain() -> None:
    """Loops see two vehicles, 3.8 m apart; the curtain sees the bar, and the boom's line the whole
    train."""
    edges, log = through(drawbar_train(VehicleId(1), None))
    for loop in (What.LOOP_1, What.LOOP_2):
        assert holds(edges, loop) == [True, False, True, False]
    assert holds(edges, What.CURTAIN) == [True, False]
    (passage,) = [entry for entry in log if isinstance(entry, Passage)]
    on, off = times(edges, What.CURTAIN, True), times(edges, What.CURTAIN, False)
    assert on[0] <= passage.nose_us <= passage.tail_us <= off[0]


def test_a_bar_shorter_than_a_loop_is_seen_by_neither() -> None:
    """1.6 m of nothing never leaves a loop of 2 m free."""
    edges, _ = through(drawbar_train(VehicleId(1), None, bar_mm=1_600))
    assert holds(edges, What.LOOP_1) == holds(edges, What.LOOP_2) == [True, False]


@pytest.mark.parametrize("bar_mm", [499, 4_401])
def test_a_bar_no_train_has_is_refused_in_words(bar_mm: int) -> None:
    """4.4 m are the longest: with them lorry and trailer are 18.1 m."""
    with pytest.raises(BadInputError, match="Give a bar of 500 to 4400 mm"):
        drawbar_train(VehicleId(1), None, bar_mm=bar_mm)
    assert drawbar_train(VehicleId(1), None, bar_mm=4_400).length_mm == 18_100


def test_the_gap_of_a_train_opens_and_closes_to_the_microsecond() -> None:
    """At a steady 2 m/s a bar of 3.8 m leaves a loop of 3 m free for 0.4 s."""
    train = drawbar_train(VehicleId(1), None)
    steady = replace(train, speed_mm_s=2_000, accel_mm_s2=6_000)
    edges, _ = through(steady)
    (first, _) = times(edges, What.LOOP_2, False)
    (_, second) = times(edges, What.LOOP_2, True)
    assert abs(second - first - 400_000) <= 1


def test_a_light_barrier_looks_over_a_low_bar() -> None:
    """Then the curtain is free between lorry and trailer too: what B1 must not rely on."""
    train = drawbar_train(VehicleId(1), None, drawbar_breaks_curtain=False)
    edges, _ = through(train)
    assert holds(edges, What.CURTAIN) == [True, False, True, False]


def test_a_boom_lowered_on_the_bar_is_a_strike() -> None:
    """The boom's line knows no gap: between lorry and trailer nothing may come down."""
    plant = new_plant()
    plant.boom_raise_pulse(LANE, 0)
    plant.arrive(LANE, drawbar_train(VehicleId(1), None, drawbar_breaks_curtain=False), S)
    plant.drive_on(VehicleId(1), S)
    edges: list[PlantEdge] = []
    while not times(edges, What.CURTAIN, False):
        edges += plant.advance(plant.next_edge_us() or 0)
    plant.boom_lower_pulse(LANE, plant.now_us)
    run(plant)
    (strike,) = [entry for entry in plant.log if isinstance(entry, Strike)]
    assert strike.cause is StrikeCause.LOWERED_ON


@pytest.mark.parametrize(("metal", "seen"), [(10, []), (30, [True, False])], ids=["missed", "seen"])
def test_a_loop_sees_a_motorcycle_only_where_it_is_set_to(metal: int, seen: list[bool]) -> None:
    """Below the loop's threshold nothing shows; the curtain sees it all the same."""
    edges, _ = through(motorcycle(VehicleId(1), None, metal_percent=metal))
    assert holds(edges, What.LOOP_1) == holds(edges, What.LOOP_2) == seen
    assert holds(edges, What.CURTAIN) == [True, False]


def test_each_loop_has_its_own_threshold() -> None:
    """One loop is set finer than the other."""
    edges, _ = through(motorcycle(VehicleId(1), None, metal_percent=15), loop_2_least_percent=10)
    assert (holds(edges, What.LOOP_1), holds(edges, What.LOOP_2)) == ([], [True, False])


def test_a_car_may_not_be_as_short_as_a_motorcycle() -> None:
    """Every vehicle but a motorcycle covers both loops; the model keeps to it."""
    with pytest.raises(AssertionError, match="length"):
        car(1, length_mm=2_100)


def test_usual_lorries_have_the_axles_of_their_class() -> None:
    """Trucks are classed by axles."""
    axles = [
        usual_vehicle(VehicleId(1), None, kind).axle_count
        for kind in (VehicleClass.CAR_1, VehicleClass.TRUCK_3, VehicleClass.TRUCK_6)
    ]
    assert axles == [2, 3, 6]


def test_a_usual_vehicle_is_one_part_for_every_field() -> None:
    """Only a drawbar has two."""
    plant_vehicle = usual_vehicle(VehicleId(1), None, VehicleClass.TRUCK_6)
    plant = new_plant()
    parts = parts_of(plant_vehicle, plant._lanes[LANE].geometry)
    assert all(len(parts[mark]) == 1 for mark in (Mark.LOOP_1, Mark.LOOP_2, Mark.CURTAIN))


def test_trains_and_cars_pass_a_polite_lane_untouched() -> None:
    """The boom waits for the curtain where the loop has a gap."""
    plant = new_plant()
    plant.arrive(LANE, car(1), 0)
    plant.arrive(LANE, drawbar_train(VehicleId(2), None, bar_mm=1_500), 0)
    plant.arrive(LANE, car(3), 0)
    run(plant, polite(plant))
    passed = [entry.vehicle_id for entry in plant.log if isinstance(entry, Passage)]
    assert passed == [1, 2, 3]
    assert not any(isinstance(entry, Strike) for entry in plant.log)


def test_a_heavy_boom_goes_on_a_little_before_it_turns() -> None:
    """Told to rise while it falls, it falls for turn_us more and then rises."""
    plant = new_plant(turn_us=80_000)
    plant.boom_raise_pulse(LANE, 0)
    plant.boom_lower_pulse(LANE, 2 * S)
    plant.boom_raise_pulse(LANE, 2 * S + 300_000)
    run(plant)
    moves = [(e.at_us, e.heading) for e in plant.log if isinstance(e, BoomMove)]
    assert (2 * S + 380_000, Heading.UP) in moves
    assert plant.view(LANE).boom_up


def test_the_last_pulse_wins_over_a_turn_that_has_not_come() -> None:
    """Lower after raise within the turn: it goes on falling."""
    plant = new_plant(turn_us=80_000)
    plant.boom_raise_pulse(LANE, 0)
    plant.boom_lower_pulse(LANE, 2 * S)
    plant.boom_raise_pulse(LANE, 2 * S + 300_000)
    plant.boom_lower_pulse(LANE, 2 * S + 340_000)
    run(plant)
    assert plant.inputs(LANE)[Point.BOOM_DOWN]


def test_a_boom_that_is_driven_into_stands_until_it_is_mended() -> None:
    """A runner bends it: no pulse moves it for bent_us, then one does."""
    plant = new_plant(bent_us=20 * S)
    plant.arrive(LANE, car(1), 0)
    plant.drive_on(VehicleId(1), 0)
    run(plant, until_us=19 * S)
    (strike,) = [entry for entry in plant.log if isinstance(entry, Strike)]
    assert strike.cause is StrikeCause.DROVE_INTO
    plant.boom_raise_pulse(LANE, strike.at_us + 19 * S)
    plant.advance(strike.at_us + 20 * S)
    assert plant.inputs(LANE)[Point.BOOM_DOWN]
    plant.boom_raise_pulse(LANE, strike.at_us + 21 * S)
    plant.advance(strike.at_us + 23 * S)
    assert plant.view(LANE).boom_up


def test_a_jam_voids_a_turn() -> None:
    """Something blocks a boom that was about to turn: it stands."""
    plant = new_plant(turn_us=80_000)
    plant.boom_raise_pulse(LANE, 0)
    plant.boom_lower_pulse(LANE, 2 * S)
    plant.boom_raise_pulse(LANE, 2 * S + 300_000)
    plant.boom_jam(LANE, 2 * S + 320_000)
    run(plant)
    last = [entry for entry in plant.log if isinstance(entry, BoomMove)][-1]
    assert (last.heading, last.cause) == (Heading.STILL, MoveCause.JAM)
