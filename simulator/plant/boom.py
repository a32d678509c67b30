"""The boom as a linear motion between its two limits, exact in integers.

The position runs from 0 (down) to raise_us * lower_us (up): rising it gains lower_us a microsecond
and falling it loses raise_us, so both ways end on a whole microsecond whatever the two times are.
"""

from __future__ import annotations

from simulator.plant.events import Heading

UP_MDEG = 90_000
"""Upright, in thousandths of a degree; 0 is level."""


class Boom:
    """One boom's position, heading and the place where it will stop by itself."""

    def __init__(self, *, raise_us: int, lower_us: int) -> None:
        assert min(raise_us, lower_us) > 0, "a boom takes time"
        self._raise_us = raise_us
        self._lower_us = lower_us
        self._p0 = 0
        self._t0 = 0
        self._goal = 0
        self.heading = Heading.STILL
        self.jam_mdeg: int | None = None
        """The boom cannot get past this angle, from either side."""

    @property
    def _full(self) -> int:
        return self._raise_us * self._lower_us

    def _p_at(self, at_us: int) -> int:
        dt = at_us - self._t0
        assert dt >= 0, "the boom is asked about its past"
        if self.heading is Heading.UP:
            return min(self._p0 + dt * self._lower_us, self._goal)
        if self.heading is Heading.DOWN:
            return max(self._p0 - dt * self._raise_us, self._goal)
        return self._p0

    def angle_at(self, at_us: int) -> int:
        """Return the angle in thousandths of a degree, rounded down; 90000 = up."""
        return self._p_at(at_us) * UP_MDEG // self._full

    def is_up(self, at_us: int) -> bool:
        """Return whether the upper limit is reached."""
        return self._p_at(at_us) == self._full

    def is_down(self, at_us: int) -> bool:
        """Return whether the lower limit is reached."""
        return self._p_at(at_us) == 0

    def move(self, heading: Heading, at_us: int) -> bool:
        """Head *heading* from now on. Returns whether the boom can move that way at all."""
        here = self._p_at(at_us)
        self._p0, self._t0 = here, at_us
        self._goal = self._goal_of(heading, here)
        self.heading = heading if self._goal != here else Heading.STILL
        return self.heading is not Heading.STILL

    def stop(self, at_us: int) -> None:
        """Stand still where it is."""
        self.move(Heading.STILL, at_us)

    def stop_at(self, angle_mdeg: int, at_us: int) -> None:
        """Stand still just under *angle_mdeg*, reached this very microsecond."""
        self._p0 = max(min(self._p_at(at_us), self._p_of(angle_mdeg)), 0)
        self._t0, self._goal, self.heading = at_us, self._p0, Heading.STILL

    def set_times(self, *, raise_us: int, lower_us: int, at_us: int) -> None:
        """Give the motor other times; the boom keeps its angle and heading."""
        assert min(raise_us, lower_us) > 0, "a boom takes time"
        here, full, heading = self._p_at(at_us), self._full, self.heading
        self._raise_us, self._lower_us = raise_us, lower_us
        self._p0, self._t0 = here * self._full // full, at_us
        self.heading = Heading.STILL
        self.move(heading, at_us)

    def arrives_us(self) -> int | None:
        """Return when the boom will stop by itself, or None while it stands."""
        if self.heading is Heading.UP:
            return self._t0 - (self._p0 - self._goal) // self._lower_us
        if self.heading is Heading.DOWN:
            return self._t0 - (self._goal - self._p0) // self._raise_us
        return None

    def below_us(self, angle_mdeg: int, *, from_us: int) -> int | None:
        """Return the first instant not before *from_us* with an angle below *angle_mdeg* on the way
        down, or None where this motion does not get there."""
        if self.heading is not Heading.DOWN:
            return None
        line = self._p_of(angle_mdeg)
        if self._goal >= line:
            return None
        at_us = max(self._t0 + (self._p0 - line) // self._raise_us, self._t0, from_us)
        while self._p_at(at_us) >= line:
            at_us += 1
        return at_us

    def _p_of(self, angle_mdeg: int) -> int:
        """Return the least position that shows *angle_mdeg*."""
        return -(-angle_mdeg * self._full // UP_MDEG)

    def _goal_of(self, heading: Heading, here: int) -> int:
        if heading is Heading.STILL:
            return here
        goal = self._full if heading is Heading.UP else 0
        if self.jam_mdeg is None:
            return goal
        jam = self._p_of(self.jam_mdeg)
        if heading is Heading.UP:
            return min(goal, jam) if here <= jam else goal
        return max(goal, jam) if here >= jam else goal
