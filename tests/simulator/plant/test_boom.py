"""The boom moves linearly between exact limits and can turn at any angle."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simulator.plant.boom import UP_MDEG, Boom
from simulator.plant.events import Heading

TIMES = st.integers(600_000, 5_000_000)


def new_boom() -> Boom:
    """A boom that is down."""
    return Boom(raise_us=900_000, lower_us=1_200_000)


def test_a_raise_takes_its_time_to_the_microsecond() -> None:
    """Down at first, up after exactly the raise time and not one microsecond before."""
    subject = new_boom()
    assert subject.is_down(0)
    subject.move(Heading.UP, 1_000)
    assert subject.arrives_us() == 901_000
    assert not subject.is_up(900_999)
    assert subject.is_up(901_000)
    assert subject.angle_at(451_000) == UP_MDEG // 2


@given(TIMES, TIMES, st.integers(0, 5_000_000))
def test_turning_while_lowering_comes_back_up(raise_us: int, lower_us: int, turn_us: int) -> None:
    """A raise while lowering turns the boom at once, and the way back is as long as it came."""
    subject = Boom(raise_us=raise_us, lower_us=lower_us)
    subject.move(Heading.UP, 0)
    subject.move(Heading.DOWN, raise_us)
    at_us = raise_us + min(turn_us, lower_us)
    here = subject.angle_at(at_us)
    subject.move(Heading.UP, at_us)
    assert subject.angle_at(at_us) == here
    ends = subject.arrives_us() or at_us
    assert subject.is_up(ends)
    assert ends == at_us or not subject.is_up(ends - 1)


@given(TIMES, st.integers(1, UP_MDEG))
def test_the_instant_below_an_angle_is_exact(lower_us: int, angle: int) -> None:
    """Just before it the boom clears the angle, at it no more."""
    subject = Boom(raise_us=900_000, lower_us=lower_us)
    subject.move(Heading.UP, 0)
    subject.move(Heading.DOWN, 900_000)
    found = subject.below_us(angle, from_us=900_000)
    assert found is not None
    assert subject.angle_at(found) < angle
    assert subject.angle_at(found - 1) >= angle


def test_a_jam_stops_the_boom_from_both_sides() -> None:
    """A boom jammed at 30 degrees gets there from below and from above, and no farther."""
    subject = new_boom()
    subject.jam_mdeg = 30_000
    subject.move(Heading.UP, 0)
    ends = subject.arrives_us()
    assert ends == 300_000
    assert subject.angle_at(10**9) == 30_000
    subject.jam_mdeg = None
    subject.move(Heading.UP, 10**9)
    subject.jam_mdeg = 30_000
    subject.move(Heading.DOWN, 2 * 10**9)
    assert subject.angle_at(3 * 10**9) == 30_000


def test_other_times_keep_the_angle() -> None:
    """A motor that turns slow in mid-air goes on from where it is."""
    subject = new_boom()
    subject.move(Heading.UP, 0)
    subject.set_times(raise_us=4_000_000, lower_us=4_000_000, at_us=450_000)
    assert subject.angle_at(450_000) == UP_MDEG // 2
    assert subject.arrives_us() == 2_450_000
