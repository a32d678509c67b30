"""What a lane feels and moves, and the one predicate that lets a boom come down.

Inputs are wired energised = free: a cut wire, a silent module and a stale reading all read as
occupied. ``may_lower`` is used by the barrier driver on fresh reads just before the pulse and, the
same function, by the simulated world's stand-in for that driver.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from tolling.clock import NS_PER_MS
from tolling.evolve import quick


class Point(StrEnum):
    """An input of the lane, by its meaning."""

    BOOM_UP = "boom_up"
    """The upper limit switch is reached."""
    BOOM_DOWN = "boom_down"
    """The lower limit switch is reached."""
    LOOP_1 = "loop_1"
    """A vehicle stands at the window, before the boom."""
    LOOP_2 = "loop_2"
    """A vehicle is under or just behind the boom."""
    CURTAIN = "curtain"
    """The light curtain in the boom's plane is broken."""


class Output(StrEnum):
    """An output of the lane, by its meaning."""

    RAISE = "raise"
    """Pulse: raise the boom."""
    LOWER = "lower"
    """Pulse: lower the boom."""
    LANE_GREEN = "lane_green"
    """Level: the lane's pass lamp shows green, else red."""
    CANOPY_GREEN = "canopy_green"
    """Level: the lamp over the lane shows open, else closed."""
    ALARM = "alarm"
    """Level with a longest on-time: sound and light for people near the lane."""


PULSE_OUTPUTS = frozenset({Output.RAISE, Output.LOWER})
REQUIRED_POINTS = frozenset({Point.BOOM_UP, Point.BOOM_DOWN, Point.LOOP_1, Point.LOOP_2})
REQUIRED_OUTPUTS = frozenset({Output.RAISE, Output.LOWER, Output.LANE_GREEN})
DETECTORS = frozenset({Point.LOOP_1, Point.LOOP_2, Point.CURTAIN})


class Reading(StrEnum):
    """The state of one input. Fault, stale and never read are UNKNOWN."""

    ON = "on"
    """Occupied, or the limit is reached."""
    OFF = "off"
    """Free, or the limit is not reached."""
    UNKNOWN = "unknown"
    """No trustworthy reading: a detector counts as occupied, a limit as not reached."""

    @property
    def occupied(self) -> bool:
        """Return whether a detector with this reading must be taken as occupied."""
        return self is not Reading.OFF


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class InputSample:
    """One input, read once."""

    point: Point
    reading: Reading
    read_at_ns: int
    """When the read ended, on this machine's monotonic clock."""


class LowerRefusal(StrEnum):
    """Why the boom was not lowered."""

    OCCUPIED = "occupied"
    """A detector under the boom is occupied, faulty or unreadable."""
    MISSING = "missing"
    """A detector under the boom was not read."""
    STALE = "stale"
    """A read ended too long before the pulse."""


READ_AGE_MAX_MS = 100
"""Every detector is read at most this long before the lower pulse: at 5 km/h a car moves 14 cm."""


def may_lower(
    samples: Iterable[InputSample], *, under_boom: frozenset[Point], now_ns: int
) -> LowerRefusal | None:
    """Return None where the boom may be lowered now, else why not.

    Args:   samples: fresh readings of each detector (other points are ignored). Where one was read
                twice, both readings count: one that says occupied is enough.
            under_boom: the detectors under the boom, never empty.
            now_ns: the moment of the pulse on the clock of the samples.
    """
    assert under_boom, "a boom without a detector under it is never lowered"
    seen = [sample for sample in samples if sample.point in under_boom]
    if {sample.point for sample in seen} != under_boom:
        return LowerRefusal.MISSING
    ages = [now_ns - sample.read_at_ns for sample in seen]
    if any(age < 0 or age > READ_AGE_MAX_MS * NS_PER_MS for age in ages):
        return LowerRefusal.STALE
    if any(sample.reading.occupied for sample in seen):
        return LowerRefusal.OCCUPIED
    return None
