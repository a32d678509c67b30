"""The vehicles of one lane: who is behind whom, who may move, and along which motion.

A vehicle plans from where it is to where it wants to stop, or out of the lane, and takes the plan
only if it keeps its distance to the vehicles before and behind along both whole motions. Otherwise
it keeps the motion it has, which was checked when it was taken, and thinks again. Vehicles outside
wait in order.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum

from simulator.plant.geometry import LaneGeometry
from simulator.plant.motion import (
    Motion,
    at_rest,
    drive_off,
    drive_to,
    least_gap,
    reverse_off,
    units,
)
from simulator.plant.vehicles import Vehicle

RETRY_US = 250_000
"""A vehicle whose plan did not fit looks again after this long."""
ENTER_RETRY_US = 500_000
SAME_PLACE_MM = 100
"""Targets nearer than this to one another are one place."""
REVERSE_MM_S = 1_500
"""People reverse at walking pace."""
CLOSE_GAP_MM = 800
CLOSE_REACTION_US = 200_000
"""How a tailgater drives: bumper to bumper, foot on the pedal."""
MAX_WAITING = 10_000
"""Vehicles waiting outside one lane; more is a loop in the caller."""


TRAILER = "#2"
"""Marks the part behind a drawbar."""


class Mark(StrEnum):
    """A line or field on the road a vehicle runs over."""

    LOOP_1 = "loop_1"
    LOOP_2 = "loop_2"
    CURTAIN = "curtain"
    BOOM = "boom"
    """The boom line itself."""
    END = "end"
    """The end of the lane."""


Part = tuple[str, int, int]
"""One stretch of a vehicle as one field sees it: its name, and how far its front and its rear are
behind the vehicle's front, in position units."""


@dataclass(slots=True, kw_only=True, eq=False)
class Mover:
    """One vehicle with its present motion and what it wants."""

    vehicle: Vehicle
    motion: Motion
    goal: int | None
    """Where it wants to stop, in position units; None = out of the lane."""
    gap_mm: int
    reaction_us: int
    version: int = 0
    """Counts motions; what was scheduled for an older one is void."""
    on_road: bool = False
    parts: dict[Mark, tuple[Part, ...]]
    """What each field sees of it, the foremost part first; nothing where it is missed."""
    over_front: set[str] = field(default_factory=set)
    """Parts whose front has passed."""
    over_rear: set[str] = field(default_factory=set)
    at_window: bool = False
    stopped: bool = False
    nose_us: int = 0
    nose_mdeg: int = 0
    least_mdeg: int = 0
    nose_green: bool = False
    struck: bool = False

    @property
    def length(self) -> int:
        """Return the length in position units."""
        return units(self.vehicle.length_mm)

    def covers(self, mark: Mark) -> bool:
        """Return whether the vehicle is over *mark*."""
        for name, _, _ in self.parts[mark]:
            if name in self.over_front and name not in self.over_rear:
                return True
        return False


def parts_of(vehicle: Vehicle, geometry: LaneGeometry) -> dict[Mark, tuple[Part, ...]]:
    """Return what each field of a lane sees of *vehicle*. The boom's line knows no gaps."""
    whole: dict[Mark, tuple[Part, ...]] = {
        mark: ((mark.value, 0, units(vehicle.length_mm)),)
        for mark in (Mark.LOOP_1, Mark.CURTAIN, Mark.LOOP_2, Mark.BOOM)
    }
    bar = vehicle.drawbar
    if bar is not None:
        blind = [Mark.LOOP_1, Mark.LOOP_2]
        if not vehicle.drawbar_breaks_curtain:
            blind.append(Mark.CURTAIN)
        for mark in blind:
            whole[mark] = (
                (mark.value, 0, units(bar.start_mm)),
                (mark.value + TRAILER, units(bar.end_mm), units(vehicle.length_mm)),
            )
    if vehicle.metal_percent < geometry.loop_1_least_percent:
        whole[Mark.LOOP_1] = ()
    if vehicle.metal_percent < geometry.loop_2_least_percent:
        whole[Mark.LOOP_2] = ()
    return whole


class Traffic:
    """Queue and motions of one lane; knows nothing of booms and detectors."""

    def __init__(self, geometry: LaneGeometry) -> None:
        self._geometry = geometry
        self.stop = units(geometry.stop_mm)
        self.movers: list[Mover] = []
        """On the road, the foremost first."""
        self.waiting: deque[Mover] = deque()
        """Outside, the next to come first."""

    def add(self, vehicle: Vehicle, at_us: int) -> Mover:
        """Queue *vehicle* outside the lane; it means to stop at the window."""
        assert len(self.waiting) < MAX_WAITING, f"{MAX_WAITING} vehicles wait outside already"
        mover = Mover(
            vehicle=vehicle,
            motion=at_rest(0, at_us=at_us),
            goal=self.stop,
            gap_mm=vehicle.gap_mm,
            reaction_us=vehicle.reaction_us,
            parts=parts_of(vehicle, self._geometry),
        )
        self.waiting.append(mover)
        return mover

    def enter(self, now_us: int) -> Mover | None:
        """Let the first one waiting drive in if there is room. Returns it, or None."""
        if not self.waiting:
            return None
        mover = self.waiting[0]
        ahead = self.movers[-1] if self.movers else None
        speed = units(mover.vehicle.speed_mm_s) // 2_000_000
        motion = self._plan(mover, ahead, 0, speed, now_us)
        if motion is None or not self._apart(ahead, None, mover, motion, now_us):
            return None
        self.waiting.popleft()
        self.movers.append(mover)
        mover.on_road, mover.motion = True, motion
        mover.version += 1
        return mover

    def think(self, mover: Mover, now_us: int) -> bool | None:
        """Give *mover* a better motion if it wants one.

        Returns: True: it has a new motion; False: it wants one and must think again; None: content.
        """
        if not mover.motion.forward:
            return None
        ahead, behind = self.neighbours(mover)
        x, w = mover.motion.x_at(now_us), mover.motion.w_at(now_us)
        if self._content(mover, ahead, x):
            return None
        motion = self._plan(mover, ahead, x, w, now_us)
        if motion is None or not self._apart(ahead, behind, mover, motion, now_us):
            return False
        mover.motion = motion
        mover.version += 1
        return True

    def reverse(self, mover: Mover, now_us: int) -> bool:
        """Let *mover* reverse out of the lane. Returns False: it moves, or another is behind it."""
        if self.movers[-1] is not mover or mover.motion.w_at(now_us) != 0:
            return False
        mover.motion = reverse_off(
            x=mover.motion.x_at(now_us),
            at_us=now_us,
            accel=mover.vehicle.accel_mm_s2,
            speed_max=REVERSE_MM_S,
        )
        mover.version += 1
        return True

    def remove(self, mover: Mover) -> Mover | None:
        """Take *mover* off the road. Returns the vehicle that was behind it."""
        _, behind = self.neighbours(mover)
        self.movers.remove(mover)
        mover.on_road = False
        return behind

    def neighbours(self, mover: Mover) -> tuple[Mover | None, Mover | None]:
        """Return the vehicles on the road before and behind *mover*."""
        at = self.movers.index(mover)
        ahead = self.movers[at - 1] if at > 0 else None
        behind = self.movers[at + 1] if at + 1 < len(self.movers) else None
        return ahead, behind

    def leaves_us(self, mover: Mover, now_us: int) -> int | None:
        """Return when *mover* is out of the lane, by front or back, or None where it stays."""
        if mover.motion.forward:
            out = units(self._geometry.end_mm) + mover.length
            return mover.motion.reaches_us(out, from_us=now_us)
        return mover.motion.reaches_us(0, from_us=now_us)

    def _target(self, mover: Mover, ahead: Mover | None) -> int | None:
        """Return where *mover* would stop now, or None where nothing holds it in the lane."""
        rest = None if ahead is None else ahead.motion.rest_x
        if ahead is None or rest is None:
            return mover.goal
        limit = rest - ahead.length - units(mover.gap_mm)
        return limit if mover.goal is None else min(mover.goal, limit)

    def _content(self, mover: Mover, ahead: Mover | None, x: int) -> bool:
        target, rest = self._target(mover, ahead), mover.motion.rest_x
        if target is None:
            return rest is None
        if target - x < units(SAME_PLACE_MM):
            return True
        return rest is not None and abs(rest - target) < units(SAME_PLACE_MM)

    def _plan(
        self, mover: Mover, ahead: Mover | None, x: int, w: int, now_us: int
    ) -> Motion | None:
        target, vehicle = self._target(mover, ahead), mover.vehicle
        if target is None:
            return drive_off(
                x=x, w=w, at_us=now_us, accel=vehicle.accel_mm_s2, speed_max=vehicle.speed_mm_s
            )
        return drive_to(
            target,
            x=x,
            w=w,
            at_us=now_us,
            accel=vehicle.accel_mm_s2,
            decel=vehicle.decel_mm_s2,
            speed_max=vehicle.speed_mm_s,
        )

    def _apart(
        self,
        ahead: Mover | None,
        behind: Mover | None,
        mover: Mover,
        motion: Motion,
        now_us: int,
    ) -> bool:
        """Return whether *motion* keeps *mover* away from both neighbours."""
        if ahead is not None:
            until = self.leaves_us(ahead, now_us)
            gap = least_gap(ahead.motion, ahead.length, motion, from_us=now_us, until_us=until)
            if gap is None or gap < units(mover.gap_mm) // 2:
                return False
        if behind is not None:
            gap = least_gap(motion, mover.length, behind.motion, from_us=now_us, until_us=None)
            # A vehicle behind that drives out of the lane is only ever closing on one that stops.
            return gap is not None and gap >= units(behind.gap_mm) // 2
        return True
