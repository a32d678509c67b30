"""What a seed draws, and which part of it is picked."""

import pytest

from simulator.fuzz.plan import (
    FAULT_KINDS_MIN,
    BadPicksError,
    FaultPick,
    Picks,
    describe,
    lanes_of,
    plan,
    read_car_picks,
    read_fault_picks,
)
from simulator.world.faults import CommitFate, CommitTrouble, KillAt, LineTrouble, kind_of

SEEDS = range(1, 31)


def test_a_default_seed_has_lanes_vehicles_and_kinds_of_faults_enough() -> None:
    """At least 2 lanes, 20 vehicles and 3 kinds of faults, whatever the seed."""
    for seed in SEEDS:
        subject = plan(seed)
        assert subject.cars is not None
        assert subject.lanes >= 2
        assert len(subject.cars) >= 20
        assert len({kind_of(fault) for fault in subject.faults}) >= FAULT_KINDS_MIN


def test_seeds_differ_in_kind_and_one_seed_never() -> None:
    """The same seed gives the same plan; among thirty all the choices occur."""
    plans = [plan(seed) for seed in SEEDS]
    assert plans == [plan(seed) for seed in SEEDS]
    assert {each.lanes for each in plans} == {2, 3}
    assert {each.attended for each in plans} == {True, False}
    assert {each.plazas for each in plans} == {1, 2}
    assert len({each.latency_ms for each in plans}) >= 4
    assert len({tuple(sorted(each.mix)) for each in plans}) >= 5


def test_picks_keep_what_they_name_and_nothing_else_changes() -> None:
    """Faults by their place, cars by their number, both as they were drawn."""
    whole = plan(7)
    assert whole.cars is not None
    subject = plan(7, Picks(faults=(FaultPick(index=1),), cars=(2, 5)))
    assert subject.faults == whole.faults[1:2]
    assert subject.cars == (whole.cars[1], whole.cars[4])
    assert (subject.lanes, subject.latency_ms) == (whole.lanes, whole.latency_ms)


def test_fewer_lanes_leave_out_the_cars_and_faults_of_the_others() -> None:
    """With the first lane alone nothing names another one."""
    whole = plan(7)
    subject = plan(7, Picks(first_lanes=1))
    assert subject.cars is not None
    assert subject.lanes == 1
    assert {car.lane_id for car in subject.cars} == {"001"}
    named = [lanes_of(fault, whole.lanes) for fault in subject.faults]
    assert all(names <= {"001"} for names in named)


def test_the_lanes_a_fault_names_are_read_from_its_places() -> None:
    """A process, a line or neither."""
    down = KillAt(process="lane 002", at_ms=1)
    cut = LineTrouble(line="lane 003-plaza", at_ms=1, for_ms=1, cut=True)
    full = CommitTrouble(process="plaza", at_ms=1, for_ms=1, fate=CommitFate.FULL)
    assert [lanes_of(each, 3) for each in (down, cut, full)] == [{"002"}, {"003"}, set()]


def test_a_divisor_shortens_a_fault_and_nothing_below_a_millisecond() -> None:
    """Durations are divided, moments are not."""
    for place, fault in enumerate(plan(3).faults):
        (shorter,) = plan(3, Picks(faults=(FaultPick(index=place, divisor=4),))).faults
        for name in ("for_ms", "down_ms"):
            if getattr(fault, name, None):
                assert getattr(shorter, name) == max(1, getattr(fault, name) // 4)
        assert getattr(shorter, "at_ms", 0) == getattr(fault, "at_ms", 0)


@pytest.mark.parametrize("text", ["0", "0,3", "0,3/4,12", "none"])
def test_fault_picks_are_written_as_they_are_read(text: str) -> None:
    """What the shrinker prints is what the command takes."""
    picks = read_fault_picks(text)
    assert Picks(faults=picks).flags() == f"--faults {text}"


@pytest.mark.parametrize("text", ["a", "1,,2", "-1", "1/0", "0..3"])
def test_bad_picks_are_refused_with_the_way_to_write_them(text: str) -> None:
    """One line that says how."""
    with pytest.raises(BadPicksError, match=r"--faults .*: write"):
        read_fault_picks(text)
    with pytest.raises(BadPicksError, match=r"--cars .*: write"):
        read_car_picks(text)


@pytest.mark.parametrize(
    ("picks", "said"),
    [
        (Picks(faults=(FaultPick(index=999),)), "--faults 999: the seed has faults 0.."),
        (Picks(cars=(999,)), "--cars 999: the seed has cars 1.."),
        (Picks(first_lanes=9), "--first-lanes 9: the seed has"),
    ],
)
def test_picks_a_seed_has_not_are_refused(picks: Picks, said: str) -> None:
    """The line says what the seed has."""
    with pytest.raises(BadPicksError, match=said):
        plan(7, picks)


def test_vehicles_and_lanes_may_be_asked_for() -> None:
    """They replace the seed's own numbers."""
    subject = plan(7, Picks(vehicles=40, lanes=5))
    assert subject.cars is not None
    assert (subject.lanes, len(subject.cars)) == (5, 40)


def test_a_world_is_told_in_lines() -> None:
    """Make-up, drivers, and each fault with its place."""
    subject = plan(7)
    lines = describe(subject)
    assert len(lines) == 2 + len(subject.faults)
    assert lines[2].startswith("fault 0: at ")
