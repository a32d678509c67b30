"""What happens on the road: edges for the inputs and the drivers' eyes, the log for the auditor."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from simulator.plant.vehicles import VehicleId
from tolling.evolve import quick
from tolling.ids import LaneId
from tolling.inputs import Output, Point


class What(StrEnum):
    """What an edge is about; *on* says which way it went."""

    BOOM_UP = "boom_up"
    """The upper limit switch."""
    BOOM_DOWN = "boom_down"
    """The lower limit switch."""
    LOOP_1 = "loop_1"
    LOOP_2 = "loop_2"
    CURTAIN = "curtain"
    AT_WINDOW = "at_window"
    """A vehicle stands at the stop line; off when it moves again."""
    ON_ROAD = "on_road"
    """A vehicle drives into the lane; off when it has left by the front or the back."""
    STOPPED = "stopped"
    """A vehicle came to rest anywhere else: in the queue, under the boom."""


_POINTS = {
    What.BOOM_UP: Point.BOOM_UP,
    What.BOOM_DOWN: Point.BOOM_DOWN,
    What.LOOP_1: Point.LOOP_1,
    What.LOOP_2: Point.LOOP_2,
    What.CURTAIN: Point.CURTAIN,
}


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class PlantEdge:
    """One change on the road, timed exactly."""

    at_us: int
    lane: LaneId
    what: What
    on: bool
    vehicle_id: VehicleId | None = None
    """The vehicle that did it; None for the boom."""

    @property
    def point(self) -> Point | None:
        """The lane's input this edge turns, or None where only people see it."""
        return _POINTS.get(self.what)


class StrikeCause(StrEnum):
    """How boom and vehicle met."""

    LOWERED_ON = "lowered_on"
    """The boom came down on a vehicle that was under it."""
    DROVE_INTO = "drove_into"
    """The vehicle drove into a boom that was not up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """The boom touched a vehicle: ground truth for invariant B1."""

    at_us: int
    lane: LaneId
    vehicle_id: VehicleId
    cause: StrikeCause
    angle_mdeg: int
    lowering: bool
    """Whether the boom was on its way down."""


class MoveCause(StrEnum):
    """What set the boom moving or stopped it."""

    PULSE = "pulse"
    HAND = "hand"
    """By hand or key."""
    SPRING = "spring"
    """The power went and a spring raises it."""
    POWER = "power"
    """The power went and the motor stopped."""
    JAM = "jam"
    OBSTACLE = "obstacle"
    """It lies on a vehicle."""
    LIMIT = "limit"
    """It reached a limit."""


class Heading(StrEnum):
    """Which way the boom moves."""

    UP = "up"
    DOWN = "down"
    STILL = "still"


@dataclass(frozen=True, slots=True, kw_only=True)
class BoomMove:
    """The boom began or ceased to move."""

    at_us: int
    lane: LaneId
    heading: Heading
    cause: MoveCause
    angle_mdeg: int


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """A contact of the barrier closed (a pulse began) or opened."""

    at_us: int
    lane: LaneId
    output: Output
    """RAISE or LOWER."""
    closed: bool
    acted: bool
    """Whether the motor took it: a lower under a held raise, or without power, does nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lamp:
    """A level output as people see or hear it."""

    at_us: int
    lane: LaneId
    output: Output
    on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Display:
    """What the fee display shows from now on."""

    at_us: int
    lane: LaneId
    lines: tuple[str, ...]
    green: bool
    """The display's own pass lamp."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """One vehicle went through the boom line in driving direction."""

    lane: LaneId
    vehicle_id: VehicleId
    plate: str | None
    nose_us: int
    """Its front reached the boom line."""
    tail_us: int
    """Its rear left the boom line."""
    nose_mdeg: int
    """Boom angle when its front was there."""
    least_mdeg: int
    """Least boom angle while it was under the boom."""
    lane_green: bool
    """Whether the pass lamp was green when its front came onto loop 2: behind that nobody sees
    it."""
    struck: bool

    @property
    def at_us(self) -> int:
        """When the entry was made."""
        return self.tail_us


LogEntry = PlantEdge | Strike | BoomMove | Contact | Lamp | Display | Passage
"""All a log holds, in the order it happened."""
