"""Where things lie along one lane. Positions are millimetres, growing in driving direction."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

LOOP_GAP_MAX_MM = 2_500
"""The lane file's bound: the shortest vehicle covers both loops at once on its way through."""
LENGTH_MIN_MM = 2_600
"""The shortest vehicle of the model (micro cars measure about 2.7 m), longer than any loop gap."""
BOOM_MARGIN_MM = 500
"""Loop 2 reaches at least this far to both sides of the boom line (maker's installation rule)."""
CURTAIN_HALF_MM = 25
"""Half the depth of the light curtain's beam field."""


class PowerFail(StrEnum):
    """What a boom does when its power is gone."""

    OPEN = "open"
    """A spring raises it: the usual choice on toll roads."""
    HOLD = "hold"
    """It is locked where it is."""
    FREE = "free"
    """It stays balanced where it is and can be moved by hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of road, start < end, in mm."""

    start_mm: int
    end_mm: int

    def __post_init__(self) -> None:
        assert self.start_mm < self.end_mm, "a span has a length"


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneGeometry:
    """One lane from where its road begins (0) to where a vehicle is out of sight."""

    loop_1: Span = Span(start_mm=28_000, end_mm=30_000)
    stop_mm: int = 30_700
    """Where a vehicle's front stops for the window: on loop 1, not on loop 2."""
    loop_2: Span = Span(start_mm=32_000, end_mm=35_000)
    boom_mm: int = 33_000
    end_mm: int = 45_000
    has_curtain: bool = True
    raise_us: int = 900_000
    """From the lower to the upper limit; toll booms take 0.6 to 1.8 s."""
    lower_us: int = 1_200_000
    """From the upper to the lower limit; slower, as makers set it."""
    power_fail: PowerFail = PowerFail.OPEN
    turn_us: int = 0
    """A moving boom that is told to turn goes on so long before it does: an arm is heavy."""
    bent_us: int = 0
    """A boom that is driven into stands still so long, until somebody has mended it; 0: it gives
    way like a reed and goes on."""
    loop_1_least_percent: int = 20
    loop_2_least_percent: int = 20
    """How little metal, of a car's 100, each loop is set to see: below it a vehicle is missed. Set
    lower, a loop hears the lane beside."""

    def __post_init__(self) -> None:
        gap = self.loop_2.start_mm - self.loop_1.end_mm
        assert 0 <= gap <= LOOP_GAP_MAX_MM, "loop gap: 0..2500 mm"
        assert self.loop_1.start_mm < self.stop_mm < self.loop_2.start_mm, "stop between the loops"
        assert self.stop_mm - LENGTH_MIN_MM < self.loop_1.end_mm, "a stopped car is on loop 1"
        assert self.loop_2.start_mm + BOOM_MARGIN_MM <= self.boom_mm, (
            "boom too near to loop 2's start"
        )
        assert self.boom_mm + BOOM_MARGIN_MM <= self.loop_2.end_mm, "boom too near to loop 2's end"
        assert self.loop_2.end_mm < self.end_mm, "the road goes on behind loop 2"
        assert self.loop_1.start_mm >= 10_000, "a car needs 10 m to brake in"
        assert min(self.raise_us, self.lower_us) > 0, "a boom takes time"
        assert 0 <= self.turn_us <= 500_000, "turning: 0..500000 us"
        assert self.bent_us >= 0, "mending takes time"

    @property
    def curtain(self) -> Span:
        """The light curtain's span, at the boom line."""
        return Span(start_mm=self.boom_mm - CURTAIN_HALF_MM, end_mm=self.boom_mm + CURTAIN_HALF_MM)
