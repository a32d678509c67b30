"""Motions are exact: no jump between pieces, no crossing early or late, no stop behind the
target."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from simulator.plant.motion import (
    UNITS_PER_MM_S,
    Motion,
    at_rest,
    drive_off,
    drive_to,
    least_gap,
    millimetres,
    reverse_off,
    units,
)

ACCELS = st.integers(100, 6_000)
BRAKES = st.integers(1_500, 9_000)
SPEEDS = st.integers(500, 15_000)
WAYS_MM = st.integers(0, 60_000)
STARTS_US = st.integers(0, 10**12)


@st.composite
def drives(draw: st.DrawFn) -> tuple[Motion, int]:
    """Motions that stop somewhere, with their target."""
    target = units(draw(WAYS_MM))
    top = draw(SPEEDS)
    motion = drive_to(
        target,
        x=0,
        w=draw(st.integers(0, top)) * UNITS_PER_MM_S,
        at_us=draw(STARTS_US),
        accel=draw(ACCELS),
        decel=draw(BRAKES),
        speed_max=top,
    )
    assume(motion is not None)
    assert motion is not None
    return motion, target


@given(drives())
def test_a_drive_stops_at_its_target_or_a_few_millimetres_before(made: tuple[Motion, int]) -> None:
    """A vehicle never passes the place where it means to stop."""
    subject, target = made
    rest = subject.rest_x
    assert rest is not None
    assert 0 <= target - rest < units(60)


@given(drives())
def test_pieces_join_without_a_jump(made: tuple[Motion, int]) -> None:
    """Where one piece ends the next begins, at the same place and, to the last step, speed."""
    subject, _ = made
    for one, two in zip(subject.pieces, subject.pieces[1:], strict=False):
        assert one.t1_us == two.t0_us
        assert one.x_at(two.t0_us) == two.x0
        assert abs(one.w_at(two.t0_us) - two.w0) <= 9_000


@given(drives(), WAYS_MM)
def test_a_crossing_is_the_first_microsecond_there(made: tuple[Motion, int], line_mm: int) -> None:
    """At the instant named the line is reached, and one microsecond before it is not."""
    subject, _ = made
    begins = subject.pieces[0].t0_us
    found = subject.reaches_us(units(line_mm), from_us=begins)
    if found is None:
        assert subject.rest_x is not None
        assert subject.rest_x < units(line_mm)
        return
    assert subject.x_at(found) >= units(line_mm)
    assert found == begins or subject.x_at(found - 1) < units(line_mm)


@given(ACCELS, st.integers(0, 20_000), STARTS_US)
def test_a_reverse_crossing_is_exact_too(accel: int, line_mm: int, start_us: int) -> None:
    """Reversing, the first instant at or behind a line is found to the microsecond."""
    subject = reverse_off(x=units(20_000), at_us=start_us, accel=accel, speed_max=1_500)
    found = subject.reaches_us(units(line_mm), from_us=start_us)
    assert found is not None
    assert subject.x_at(found) <= units(line_mm)
    assert found == start_us or subject.x_at(found - 1) > units(line_mm)


def test_a_car_too_fast_for_the_way_makes_no_plan() -> None:
    """A way too short to brake in gives no motion instead of one that overshoots."""
    fast = 10_000 * UNITS_PER_MM_S
    assert (
        drive_to(units(1_000), x=0, w=fast, at_us=0, accel=2_000, decel=2_500, speed_max=10_000)
        is None
    )


def test_a_known_drive_takes_its_known_time() -> None:
    """6 m from rest with 2 and 3 m/s2: peak 3.795 m/s, 1.897 s up and 1.265 s down."""
    subject = drive_to(units(6_000), x=0, w=0, at_us=0, accel=2_000, decel=3_000, speed_max=9_000)
    assert subject is not None
    assert subject.rest_us is not None
    assert abs(subject.rest_us - 3_162_277) < 1_000
    assert subject.rest_x is not None
    assert 5_999 <= millimetres(subject.rest_x) <= 6_000


def test_the_least_gap_of_an_overtaking_plan_is_negative() -> None:
    """A fast follower of a slow leader comes too near, and the gap says so."""
    slow = drive_off(x=units(10_000), w=0, at_us=0, accel=500, speed_max=1_000)
    fast = drive_off(x=0, w=0, at_us=0, accel=3_000, speed_max=8_000)
    gap = least_gap(slow, units(4_500), fast, from_us=0, until_us=20_000_000)
    assert gap is not None
    assert gap < 0
    assert least_gap(slow, units(4_500), fast, from_us=0, until_us=None) is None


def test_the_least_gap_finds_a_minimum_inside_a_piece() -> None:
    """A leader that pulls away late is nearest in the middle, not at an end."""
    ahead = drive_off(x=units(10_000), w=0, at_us=0, accel=3_000, speed_max=9_000)
    behind = drive_off(x=0, w=3_000 * UNITS_PER_MM_S, at_us=0, accel=100, speed_max=3_000)
    gap = least_gap(ahead, 0, behind, from_us=0, until_us=3_000_000)
    assert gap is not None
    # 10 m - 3 m/s * t + 1.5 m/s2 * t*t is least at t = 1 s: 8.5 m.
    assert abs(gap - units(8_500)) < units(1)


def test_standing_still_keeps_its_place_for_ever() -> None:
    """A vehicle at rest is where it was, at any time."""
    subject = at_rest(units(5), at_us=7)
    assert subject.x_at(10**15) == units(5)
    assert subject.reaches_us(units(6), from_us=7) is None
