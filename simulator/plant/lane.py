"""One lane's moving parts, and what people see of them."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.plant.boom import Boom
from simulator.plant.geometry import LaneGeometry
from simulator.plant.motion import units
from simulator.plant.traffic import Mark, Traffic
from simulator.plant.vehicles import Vehicle
from tolling.evolve import quick
from tolling.ids import LaneId
from tolling.inputs import Output, Point

FIELDS = (Mark.LOOP_1, Mark.CURTAIN, Mark.LOOP_2)
MARKS = (*FIELDS, Mark.BOOM)


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class LaneView:
    """What a person at the window sees of the lane."""

    at_us: int
    angle_mdeg: int
    boom_up: bool
    lane_green: bool
    canopy_green: bool
    alarm: bool
    display: tuple[str, ...]
    display_green: bool


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class VehicleView:
    """Where one vehicle is."""

    vehicle: Vehicle
    lane: LaneId
    front_mm: int
    moving: bool
    on_road: bool
    at_window: bool


class LaneRoad:
    """One lane's moving parts."""

    def __init__(self, lane: LaneId, index: int, geometry: LaneGeometry) -> None:
        self.lane = lane
        self.index = index
        self.geometry = geometry
        self.traffic = Traffic(geometry)
        self.boom = Boom(raise_us=geometry.raise_us, lower_us=geometry.lower_us)
        self.boom_version = 0
        self.turn_no = 0
        """Counts pulses; what an earlier one had the boom turn to is void."""
        self.power = True
        self.held: set[Output] = set()
        self.occupied: dict[Mark, int] = dict.fromkeys(FIELDS, 0)
        self.up, self.down = False, True
        self.levels: dict[Output, bool] = {}
        self.display: tuple[str, ...] = ()
        self.display_green = False
        self.entering = False
        curtain = geometry.curtain
        self.start = {
            Mark.LOOP_1: units(geometry.loop_1.start_mm),
            Mark.LOOP_2: units(geometry.loop_2.start_mm),
            Mark.CURTAIN: units(curtain.start_mm),
            Mark.BOOM: units(geometry.boom_mm),
        }
        self.end = {
            Mark.LOOP_1: units(geometry.loop_1.end_mm),
            Mark.LOOP_2: units(geometry.loop_2.end_mm),
            Mark.CURTAIN: units(curtain.end_mm),
            Mark.BOOM: units(geometry.boom_mm),
        }
        self.marks = MARKS if geometry.has_curtain else tuple(m for m in MARKS if m != Mark.CURTAIN)

    def view(self, now_us: int) -> LaneView:
        """Return what a driver at the window sees at *now_us*."""
        return LaneView(
            at_us=now_us,
            angle_mdeg=self.boom.angle_at(now_us),
            boom_up=self.up,
            lane_green=self.levels.get(Output.LANE_GREEN, False),
            canopy_green=self.levels.get(Output.CANOPY_GREEN, False),
            alarm=self.levels.get(Output.ALARM, False),
            display=self.display,
            display_green=self.display_green,
        )

    def sight(self) -> tuple[tuple[str, ...], bool, bool]:
        """Return the display's lines, whether the boom is up and the pass lamp green."""
        return self.display, self.up, self.levels.get(Output.LANE_GREEN, False)

    def points(self) -> dict[Point, bool]:
        """Return the true state of every point of this lane."""
        points = {
            Point.BOOM_UP: self.up,
            Point.BOOM_DOWN: self.down,
            Point.LOOP_1: self.occupied[Mark.LOOP_1] > 0,
            Point.LOOP_2: self.occupied[Mark.LOOP_2] > 0,
        }
        if self.geometry.has_curtain:
            points[Point.CURTAIN] = self.occupied[Mark.CURTAIN] > 0
        return points
