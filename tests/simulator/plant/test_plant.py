"""The plant: edges agree with one another, cars cover both loops, strikes are recorded and only
strikes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.plant import (
    BoomMove,
    Contact,
    Heading,
    LaneGeometry,
    MoveCause,
    Passage,
    Plant,
    PlantEdge,
    PowerFail,
    Span,
    Strike,
    StrikeCause,
    Vehicle,
    VehicleId,
    What,
    usual_vehicle,
)
from simulator.plant.geometry import LENGTH_MIN_MM
from tolling.ids import LaneId
from tolling.inputs import Output, Point
from tolling.vehicles import VehicleClass

LANE = LaneId("001")
OTHER = LaneId("002")
END_US = 600_000_000
React = Callable[[PlantEdge], None]


def new_plant(**geometry: object) -> Plant:
    """One lane with the usual measures, or others."""
    return Plant({LANE: LaneGeometry(**geometry)})  # type: ignore[arg-type]


def car(number: int, **figures: object) -> Vehicle:
    """A car without a plate."""
    return Vehicle(vehicle_id=VehicleId(number), plate=None, **figures)  # type: ignore[arg-type]


def run(plant: Plant, react: React | None = None, until_us: int = END_US) -> list[PlantEdge]:
    """Advance the plant edge by edge and let *react* answer each at its own instant."""
    edges: list[PlantEdge] = []
    while (at_us := plant.next_edge_us()) is not None and at_us <= until_us:
        for edge in plant.advance(at_us):
            edges.append(edge)
            if react is not None:
                react(edge)
    return edges


def polite(plant: Plant) -> React:
    """A barrier and drivers that do everything right, at once."""

    def at_window(lane: LaneId) -> VehicleId | None:
        for number in plant.vehicles(lane):
            seen = plant.vehicle(number)
            if seen is not None and seen.at_window:
                return number
        return None

    def react(edge: PlantEdge) -> None:
        lane, at_us = edge.lane, edge.at_us
        number = at_window(lane)
        if edge.what is What.LOOP_2 and not edge.on and number is None:
            plant.boom_lower_pulse(lane, at_us)
        if number is None or plant.inputs(lane)[Point.LOOP_2]:
            return
        plant.boom_raise_pulse(lane, at_us)
        if plant.view(lane).boom_up:
            plant.drive_on(number, at_us)

    return react


def times(edges: list[PlantEdge], what: What, on: bool) -> list[int]:
    """When *what* went that way."""
    return [edge.at_us for edge in edges if edge.what is what and edge.on == on]


CLASSES = st.sampled_from(
    [VehicleClass.CAR_1, VehicleClass.CAR_3, VehicleClass.TRUCK_2, VehicleClass.TRUCK_6]
)


@pytest.mark.slow
@given(st.lists(CLASSES, min_size=1, max_size=5), st.integers(0, 5_000_000))
def test_every_car_of_a_polite_lane_gets_through_untouched(
    classes: list[VehicleClass], apart_us: int
) -> None:
    """With a boom that waits for loop 2, all pass in order under an upright boom, without a
    strike."""
    plant = new_plant()
    for number, vehicle_class in enumerate(classes, start=1):
        plant.arrive(LANE, usual_vehicle(VehicleId(number), None, vehicle_class), plant.now_us)
        plant.catch_up(plant.now_us + apart_us if number == 1 else plant.now_us)
    run(plant, polite(plant))
    passages = [entry for entry in plant.log if isinstance(entry, Passage)]
    assert [passage.vehicle_id for passage in passages] == list(range(1, len(classes) + 1))
    assert all(passage.least_mdeg == 90_000 for passage in passages)
    assert not any(isinstance(entry, Strike) for entry in plant.log)
    assert plant.vehicles(LANE) == ()


@pytest.mark.slow
@given(st.lists(CLASSES, min_size=1, max_size=4))
def test_edges_alternate_and_never_go_back_in_time(classes: list[VehicleClass]) -> None:
    """Each input turns on and off in turn, and edges come in order of time."""
    plant = new_plant()
    for number, vehicle_class in enumerate(classes, start=1):
        plant.arrive(LANE, usual_vehicle(VehicleId(number), None, vehicle_class), 0)
    edges = run(plant, polite(plant))
    assert [edge.at_us for edge in edges] == sorted(edge.at_us for edge in edges)
    state = {What.BOOM_DOWN: True}
    for edge in edges:
        if edge.point is None:
            continue
        assert state.get(edge.what, False) != edge.on, edge
        state[edge.what] = edge.on
    points = {What(point.value): on for point, on in plant.inputs(LANE).items()}
    assert points == {what: state.get(what, False) for what in points}


@given(
    st.integers(LENGTH_MIN_MM, 18_100),
    st.integers(0, 2_500),
    st.integers(100, 3_000),
    st.integers(1_000, 8_000),
)
def test_even_the_shortest_car_covers_both_loops(
    length_mm: int, gap_mm: int, accel: int, speed: int
) -> None:
    """On its way from the window loop 1 is left only after loop 2 was reached."""
    plant = new_plant(
        loop_1=Span(start_mm=28_000, end_mm=30_000),
        stop_mm=30_000 + min(gap_mm, 700) // 2,
        loop_2=Span(start_mm=30_000 + max(gap_mm, 1), end_mm=35_500),
        boom_mm=34_000,
    )
    plant.arrive(LANE, car(1, length_mm=length_mm, accel_mm_s2=accel, speed_mm_s=speed), 0)
    edges = run(plant, polite(plant))
    (loop_2_on,), (loop_1_off,) = times(edges, What.LOOP_2, True), times(edges, What.LOOP_1, False)
    assert loop_2_on < loop_1_off


def test_a_car_at_the_window_is_on_loop_1_only() -> None:
    """Stopped for the toll it holds loop 1 and neither loop 2 nor the curtain."""
    plant = new_plant()
    plant.arrive(LANE, car(1, length_mm=LENGTH_MIN_MM), 0)
    run(plant)
    assert plant.inputs(LANE) == {
        Point.BOOM_UP: False,
        Point.BOOM_DOWN: True,
        Point.LOOP_1: True,
        Point.LOOP_2: False,
        Point.CURTAIN: False,
    }
    seen = plant.vehicle(VehicleId(1))
    assert seen is not None
    assert seen.at_window


def test_a_boom_lowered_on_a_car_is_a_strike_and_lies_there() -> None:
    """A lower pulse while a car is under the boom touches it at the car's own clear angle."""
    plant = new_plant()
    plant.arrive(LANE, car(1), 0)
    edges = run(plant)
    at_us = edges[-1].at_us
    plant.boom_raise_pulse(LANE, at_us)
    plant.advance(at_us + 900_000)
    plant.drive_on(VehicleId(1), plant.now_us, stop_at_mm=34_000)
    run(plant)
    begun = plant.now_us
    plant.boom_lower_pulse(LANE, begun)
    run(plant)
    (strike,) = [entry for entry in plant.log if isinstance(entry, Strike)]
    assert strike.cause is StrikeCause.LOWERED_ON
    assert strike.lowering
    # A third of the way down from 90 to 60 degrees, in 1.2 s for the whole way.
    assert strike.at_us - begun == 400_001
    assert plant.view(LANE).angle_mdeg == 59_999
    assert not plant.inputs(LANE)[Point.BOOM_UP]
    plant.boom_raise_pulse(LANE, plant.now_us)
    run(plant)
    assert plant.inputs(LANE)[Point.BOOM_UP]


def test_a_car_that_comes_under_a_falling_boom_is_struck() -> None:
    """A boom that began to fall before the car was there touches it all the same."""
    plant = new_plant(lower_us=4_000_000)
    plant.arrive(LANE, car(1), 0)
    edges = run(plant)
    at_us = edges[-1].at_us
    plant.boom_raise_pulse(LANE, at_us)
    plant.advance(at_us + 900_000)
    plant.drive_on(VehicleId(1), plant.now_us, stop_at_mm=34_000)
    # The nose is at the line after about 1.5 s; the boom passes 60 degrees 1.33 s after its pulse.
    plant.catch_up(plant.now_us + 1_000_000)
    plant.boom_lower_pulse(LANE, plant.now_us)
    run(plant)
    (strike,) = [entry for entry in plant.log if isinstance(entry, Strike)]
    assert strike.cause is StrikeCause.LOWERED_ON


def test_driving_into_a_boom_that_is_down_is_a_strike_of_another_kind() -> None:
    """Running through is recorded as the vehicle's doing, with the passage."""
    plant = new_plant()
    plant.arrive(LANE, car(1), 0)
    plant.drive_on(VehicleId(1), 0)
    run(plant)
    (strike,) = [entry for entry in plant.log if isinstance(entry, Strike)]
    (passage,) = [entry for entry in plant.log if isinstance(entry, Passage)]
    assert strike.cause is StrikeCause.DROVE_INTO
    assert not strike.lowering
    assert passage.struck
    assert passage.nose_mdeg == 0


def test_raise_beats_lower_while_lowering_and_while_held() -> None:
    """A raise turns a falling boom at once; a lower under a closed raise contact does nothing."""
    plant = new_plant()
    plant.boom_raise_pulse(LANE, 0)
    plant.advance(1_000_000)
    plant.boom_lower_pulse(LANE, 1_000_000)
    plant.advance(1_300_000)
    plant.boom_contact(LANE, Output.RAISE, True, 1_300_000)
    plant.boom_lower_pulse(LANE, 1_310_000)
    plant.advance(1_400_000)
    assert plant.view(LANE).angle_mdeg == 77_500
    plant.advance(3_000_000)
    assert plant.view(LANE).boom_up
    lowers = [e for e in plant.log if isinstance(e, Contact) and e.output is Output.LOWER]
    assert [entry.acted for entry in lowers if entry.closed] == [True, False]


@pytest.mark.parametrize(
    ("power_fail", "angle", "by_hand"),
    [
        (PowerFail.OPEN, 90_000, True),
        (PowerFail.HOLD, 50_000, False),
        (PowerFail.FREE, 50_000, True),
    ],
)
def test_a_power_cut_follows_the_barriers_own_way(
    power_fail: PowerFail, angle: int, by_hand: bool
) -> None:
    """Open raises by its spring, hold locks, free can be moved by hand; no pulse acts without
    power."""
    plant = new_plant(power_fail=power_fail)
    plant.boom_raise_pulse(LANE, 0)
    plant.advance(500_000)
    plant.boom_power(LANE, False, 500_000)
    plant.boom_lower_pulse(LANE, 600_000)
    plant.advance(3_000_000)
    assert plant.view(LANE).angle_mdeg == angle
    assert plant.boom_by_hand(LANE, Heading.DOWN, 3_000_000) is by_hand
    plant.advance(6_000_000)
    assert (plant.view(LANE).angle_mdeg == 0) is by_hand


def test_a_jammed_boom_reaches_neither_limit() -> None:
    """Jammed on its way it stands between the limits until it is freed and told again."""
    plant = new_plant()
    plant.boom_jam(LANE, 0, at_mdeg=45_000)
    plant.boom_raise_pulse(LANE, 0)
    plant.advance(5_000_000)
    points = plant.inputs(LANE)
    assert not points[Point.BOOM_UP]
    assert not points[Point.BOOM_DOWN]
    plant.boom_unjam(LANE, 5_000_000)
    plant.advance(6_000_000)
    assert plant.view(LANE).angle_mdeg == 45_000
    plant.boom_raise_pulse(LANE, 6_000_000)
    plant.advance(7_000_000)
    assert plant.view(LANE).boom_up


def test_a_hand_on_the_boom_is_logged_as_one() -> None:
    """A movement nobody commanded says what moved it."""
    plant = new_plant()
    plant.boom_by_hand(LANE, Heading.UP, 0)
    plant.advance(1_000_000)
    moves = [entry for entry in plant.log if isinstance(entry, BoomMove)]
    assert [move.cause for move in moves] == [MoveCause.HAND, MoveCause.LIMIT]


def test_backing_out_frees_loop_1_and_never_touches_loop_2() -> None:
    """A car that reverses from the window leaves the lane by the back."""
    plant = new_plant()
    plant.arrive(LANE, car(1), 0)
    edges = run(plant)
    assert plant.back_out(VehicleId(1), edges[-1].at_us)
    edges += run(plant)
    assert len(times(edges, What.LOOP_1, False)) == 1
    assert times(edges, What.LOOP_2, True) == []
    assert plant.vehicles(LANE) == ()
    assert plant.vehicle(VehicleId(1)) is None


def test_nobody_backs_out_into_the_car_behind() -> None:
    """With another behind, or on the move, reversing is refused and nothing happens."""
    plant = new_plant()
    plant.arrive(LANE, car(1), 0)
    assert not plant.back_out(VehicleId(1), 1_000_000)
    plant.arrive(LANE, car(2), 1_000_000)
    run(plant)
    assert not plant.back_out(VehicleId(1), plant.now_us)
    assert plant.back_out(VehicleId(2), plant.now_us)


def test_a_tailgater_follows_through_one_opening() -> None:
    """Told to follow closely, the second car goes with the first and loop 2 sees little of a
    gap."""
    plant = new_plant()
    plant.arrive(LANE, car(1), 0)
    plant.arrive(LANE, car(2), 0)
    edges = run(plant)
    at_us = edges[-1].at_us
    plant.drive_on(VehicleId(2), at_us, closely=True)
    plant.boom_raise_pulse(LANE, at_us)
    plant.advance(at_us + 900_000)
    plant.drive_on(VehicleId(1), plant.now_us)
    run(plant)
    first, second = [entry for entry in plant.log if isinstance(entry, Passage)]
    assert second.nose_us - first.tail_us < 1_500_000


@pytest.mark.slow
@given(st.lists(st.tuples(CLASSES, st.integers(0, 20_000_000)), min_size=2, max_size=6))
def test_vehicles_never_touch_one_another(
    arrivals: list[tuple[VehicleClass, int]],
) -> None:
    """At every edge of a busy lane each vehicle's front is behind the rear of the one before."""
    plant = new_plant()
    react = polite(plant)

    def check(edge: PlantEdge) -> None:
        react(edge)
        front = None
        for number in plant.vehicles(LANE):
            seen = plant.vehicle(number)
            assert seen is not None
            if not seen.on_road:
                continue
            assert front is None or seen.front_mm < front
            front = seen.front_mm - seen.vehicle.length_mm

    at_us = 0
    for number, (vehicle_class, wait_us) in enumerate(arrivals, start=1):
        at_us += wait_us
        run(plant, check, until_us=at_us)
        plant.arrive(LANE, usual_vehicle(VehicleId(number), None, vehicle_class), at_us)
    run(plant, check)
    assert plant.vehicles(LANE) == ()


def test_the_same_calls_give_the_same_log() -> None:
    """Two plants told the same things remember the same things, lane by lane."""
    logs = []
    for _ in range(2):
        plant = Plant({OTHER: LaneGeometry(), LANE: LaneGeometry(has_curtain=False)})
        for number in range(1, 7):
            lane = LANE if number % 2 else OTHER
            plant.arrive(lane, usual_vehicle(VehicleId(number), None, VehicleClass.CAR_1), 0)
        run(plant, polite(plant))
        logs.append(plant.log)
    assert logs[0] == logs[1]
    assert sum(isinstance(entry, Passage) for entry in logs[0]) == 6


@pytest.mark.slow
@given(st.integers(1_000, 4_000_000))
def test_small_steps_and_big_steps_give_the_same_edges(step_us: int) -> None:
    """How often the plant is asked changes nothing it says."""
    big, small = new_plant(), new_plant()
    for plant in (big, small):
        plant.arrive(LANE, car(1), 0)
        plant.boom_raise_pulse(LANE, 0)
    stepped: list[PlantEdge] = []
    while small.now_us < 10_000_000:
        stepped.extend(small.advance(small.now_us + step_us))
    assert stepped == list(big.advance(small.now_us))


def test_geometry_with_a_wide_loop_gap_is_refused() -> None:
    """A lane whose loops lie farther apart than a short car is long cannot be built."""
    with pytest.raises(AssertionError, match="loop gap"):
        LaneGeometry(loop_2=Span(start_mm=32_600, end_mm=36_000), boom_mm=34_000)


def test_only_lanes_whose_sight_changed_are_to_be_looked_at() -> None:
    """At first all; then those with another display, lamp or upper limit, each once."""
    subject = Plant({LANE: LaneGeometry(), OTHER: LaneGeometry()})
    assert subject.take_sights() == [LANE, OTHER]
    assert subject.take_sights() == []
    subject.show(OTHER, ("15.00",), False, 1_000)
    assert subject.take_sights() == [OTHER]
    subject.show(OTHER, ("15.00",), False, 2_000)
    assert subject.take_sights() == []
    subject.set_level(LANE, Output.LANE_GREEN, True, 3_000)
    assert subject.take_sights() == [LANE]
    before = subject.sight(LANE)
    subject.boom_by_hand(LANE, Heading.UP, 4_000)
    run(subject)
    assert subject.sight(LANE) != before
    assert subject.take_sights() == [LANE]
