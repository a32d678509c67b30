"""The road, the vehicles, the loops and the booms of a few lanes, with one clock of microseconds.

The plant never reads a clock: ``advance(to_us)`` lets everything happen up to that instant and
returns the edges, each with its own exact time; ``next_edge_us`` says when something may happen
next. A control (arrive, drive on, a pulse) lets everything happen up to the instant it names and
acts then. The same calls in the same order give the same edges and the same log on any machine.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from enum import IntEnum

from simulator.plant.events import (
    BoomMove,
    Contact,
    Display,
    Heading,
    Lamp,
    LogEntry,
    MoveCause,
    Passage,
    PlantEdge,
    Strike,
    StrikeCause,
    What,
)
from simulator.plant.geometry import LaneGeometry, PowerFail
from simulator.plant.lane import MARKS, LaneRoad, LaneView, VehicleView
from simulator.plant.motion import at_rest, millimetres, units
from simulator.plant.traffic import (
    CLOSE_GAP_MM,
    CLOSE_REACTION_US,
    ENTER_RETRY_US,
    RETRY_US,
    SAME_PLACE_MM,
    TRAILER,
    Mark,
    Mover,
)
from simulator.plant.vehicles import Vehicle, VehicleId
from tolling.ids import LaneId
from tolling.inputs import Output, Point


class _Due(IntEnum):
    """What the heap holds; the number orders what falls on one microsecond."""

    BOOM_ARRIVES = 0
    BOOM_BELOW = 1
    FRONT = 2
    REAR = 3
    RESTS = 4
    LEAVES = 5
    THINKS = 6
    ENTERS = 7
    BOOM_TURNS = 8
    BOOM_MENDED = 9


_WHAT = {Mark.LOOP_1: What.LOOP_1, Mark.LOOP_2: What.LOOP_2, Mark.CURTAIN: What.CURTAIN}

_MARKS = {mark + part: mark for mark in MARKS for part in ("", TRAILER)}
"""Which field a part of a vehicle is seen by."""

_Entry = tuple[int, int, int, int, int, str]
"""at_us, lane index, _Due, vehicle id or 0, version, mark or empty."""


class Plant:
    """The simulated outside of one toll plaza."""

    def __init__(self, lanes: Mapping[LaneId, LaneGeometry]) -> None:
        self._lanes = {
            lane: LaneRoad(lane, index, lanes[lane]) for index, lane in enumerate(sorted(lanes))
        }
        self._by_index = list(self._lanes.values())
        self._movers: dict[VehicleId, tuple[LaneRoad, Mover]] = {}
        self._now = 0
        self._heap: list[_Entry] = []
        self._out: list[PlantEdge] = []
        self._log: list[LogEntry] = []
        self._sights: set[LaneId] = set(self._lanes)

    # -- time -------------------------------------------------------------------------------------

    @property
    def now_us(self) -> int:
        """Return the instant everything has been advanced to."""
        return self._now

    @property
    def lanes(self) -> tuple[LaneId, ...]:
        """Return the lanes, sorted."""
        return tuple(self._lanes)

    def advance(self, to_us: int) -> tuple[PlantEdge, ...]:
        """Let everything happen up to and including *to_us* (a past instant means now).

        Returns: all edges since the last call, controls' among them, in order of time.
        """
        self._run_to(max(to_us, self._now))
        out, self._out = tuple(self._out), []
        return out

    def catch_up(self, to_us: int) -> None:
        """Let everything happen up to *to_us* and keep the edges for the next ``advance``."""
        self._run_to(max(to_us, self._now))

    def next_edge_us(self) -> int | None:
        """Return an instant not after the next edge: advance to it. None: nothing moves."""
        if self._out:
            return self._out[0].at_us
        while self._heap and self._void(self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    # -- vehicles ---------------------------------------------------------------------------------

    def arrive(self, lane: LaneId, vehicle: Vehicle, at_us: int) -> None:
        """Bring *vehicle* to the lane: it drives in when there is room and stops at the window."""
        self._run_to(at_us)
        assert vehicle.vehicle_id not in self._movers, "a vehicle is on one road at a time"
        place = self._lanes[lane]
        self._movers[vehicle.vehicle_id] = place, place.traffic.add(vehicle, at_us)
        self._enter(place)

    def drive_on(
        self,
        vehicle_id: VehicleId,
        at_us: int,
        *,
        closely: bool = False,
        stop_at_mm: int | None = None,
    ) -> bool:
        """Let a vehicle drive out of the lane by the front as soon as the one before it lets it.

        Args:   closely: bumper to bumper, as a tailgater does.
                stop_at_mm: stop there on the way (under the boom) until told to drive on again.
        Returns: False where the vehicle is gone or is reversing.
        """
        self._run_to(at_us)
        found = self._movers.get(vehicle_id)
        if found is None or not found[1].motion.forward:
            return False
        place, mover = found
        mover.goal = None if stop_at_mm is None else units(stop_at_mm)
        if closely:
            mover.gap_mm, mover.reaction_us = CLOSE_GAP_MM, CLOSE_REACTION_US
        if mover.on_road:
            self._think(place, mover)
        return True

    def back_out(self, vehicle_id: VehicleId, at_us: int) -> bool:
        """Let a standing vehicle reverse out of the lane.

        Returns: False where it cannot: it is gone, it moves, or another stands behind it.
        """
        self._run_to(at_us)
        found = self._movers.get(vehicle_id)
        if found is None or not found[1].on_road:
            return False
        place, mover = found
        if not place.traffic.reverse(mover, at_us):
            return False
        self._moves(place, mover)
        return True

    def vehicle(self, vehicle_id: VehicleId) -> VehicleView | None:
        """Return where a vehicle is, or None where it is none of this road's any more."""
        found = self._movers.get(vehicle_id)
        if found is None:
            return None
        place, mover = found
        return VehicleView(
            vehicle=mover.vehicle,
            lane=place.lane,
            front_mm=millimetres(mover.motion.x_at(self._now)),
            moving=mover.motion.w_at(self._now) != 0,
            on_road=mover.on_road,
            at_window=mover.at_window,
        )

    def vehicles(self, lane: LaneId) -> tuple[VehicleId, ...]:
        """Return the vehicles of a lane, the foremost first, those waiting outside last."""
        traffic = self._lanes[lane].traffic
        return tuple(m.vehicle.vehicle_id for m in (*traffic.movers, *traffic.waiting))

    # -- boom -------------------------------------------------------------------------------------

    def boom_raise_pulse(self, lane: LaneId, at_us: int) -> None:
        """Close and open the raise contact."""
        self.boom_contact(lane, Output.RAISE, True, at_us)
        self.boom_contact(lane, Output.RAISE, False, at_us)

    def boom_lower_pulse(self, lane: LaneId, at_us: int) -> None:
        """Close and open the lower contact."""
        self.boom_contact(lane, Output.LOWER, True, at_us)
        self.boom_contact(lane, Output.LOWER, False, at_us)

    def boom_contact(self, lane: LaneId, output: Output, closed: bool, at_us: int) -> None:
        """Close or open a contact. The motor takes the closing; raise beats lower."""
        assert output in (Output.RAISE, Output.LOWER), "the boom has two contacts"
        self._run_to(at_us)
        place = self._lanes[lane]
        if closed == (output in place.held):
            return
        (place.held.add if closed else place.held.discard)(output)
        beaten = output is Output.LOWER and Output.RAISE in place.held
        acts = closed and place.power and not beaten
        self._log.append(Contact(at_us=at_us, lane=lane, output=output, closed=closed, acted=acts))
        if acts:
            self._drive_boom(place, Heading.UP if output is Output.RAISE else Heading.DOWN)

    def boom_by_hand(self, lane: LaneId, heading: Heading, at_us: int) -> bool:
        """Move or stop the boom by hand or key. Returns False where it is locked without power."""
        self._run_to(at_us)
        place = self._lanes[lane]
        if not place.power and place.geometry.power_fail is PowerFail.HOLD:
            return False
        self._move_boom(place, heading, MoveCause.HAND)
        return True

    def boom_power(self, lane: LaneId, on: bool, at_us: int) -> None:
        """Cut or return the barrier's power; without it the boom does what its power_fail says."""
        self._run_to(at_us)
        place = self._lanes[lane]
        if place.power == on:
            return
        place.power = on
        if on:
            return
        place.turn_no += 1
        if place.geometry.power_fail is PowerFail.OPEN:
            self._move_boom(place, Heading.UP, MoveCause.SPRING)
        else:
            self._move_boom(place, Heading.STILL, MoveCause.POWER)

    def boom_jam(self, lane: LaneId, at_us: int, *, at_mdeg: int | None = None) -> None:
        """Block the boom at an angle, or where it is now."""
        self._run_to(at_us)
        place = self._lanes[lane]
        here = place.boom.angle_at(at_us)
        place.boom.jam_mdeg = here if at_mdeg is None else at_mdeg
        if place.boom.heading is not Heading.STILL:
            stop = at_mdeg is None
            heading = Heading.STILL if stop else place.boom.heading
            place.turn_no += 1
            self._move_boom(place, heading, MoveCause.JAM)

    def boom_unjam(self, lane: LaneId, at_us: int) -> None:
        """Take the block away; the motor waits for its next pulse."""
        self._run_to(at_us)
        self._lanes[lane].boom.jam_mdeg = None

    def boom_times(self, lane: LaneId, at_us: int, *, raise_us: int, lower_us: int) -> None:
        """Make the motor slower or faster from now on."""
        self._run_to(at_us)
        place = self._lanes[lane]
        place.boom.set_times(raise_us=raise_us, lower_us=lower_us, at_us=at_us)
        self._boom_changed(place)

    # -- what people see --------------------------------------------------------------------------

    def set_level(self, lane: LaneId, output: Output, on: bool, at_us: int) -> None:
        """Switch a lamp or the alarm."""
        self._run_to(at_us)
        place = self._lanes[lane]
        if place.levels.get(output) != on:
            place.levels[output] = on
            self._sights.add(lane)
            self._log.append(Lamp(at_us=at_us, lane=lane, output=output, on=on))

    def show(self, lane: LaneId, lines: tuple[str, ...], green: bool, at_us: int) -> None:
        """Put *lines* on the fee display; *green* is its own pass lamp."""
        self._run_to(at_us)
        place = self._lanes[lane]
        if (place.display, place.display_green) != (lines, green):
            place.display, place.display_green = lines, green
            self._sights.add(lane)
            self._log.append(Display(at_us=at_us, lane=lane, lines=lines, green=green))

    def view(self, lane: LaneId) -> LaneView:
        """Return what a driver at the window sees now."""
        return self._lanes[lane].view(self._now)

    def sight(self, lane: LaneId) -> tuple[tuple[str, ...], bool, bool]:
        """Return what a driver goes by, the part of ``view`` that is asked after every change: the
        display's lines, whether the boom is up, whether the pass lamp is green."""
        return self._lanes[lane].sight()

    def take_sights(self) -> list[LaneId]:
        """Return the lanes whose ``sight`` may have changed since the last call, at first all."""
        changed, self._sights = sorted(self._sights), set()
        return changed

    def inputs(self, lane: LaneId) -> dict[Point, bool]:
        """Return the true state of every point of a lane, without any device's faults."""
        return self._lanes[lane].points()

    # -- the log ----------------------------------------------------------------------------------

    @property
    def log(self) -> tuple[LogEntry, ...]:
        """Return everything that happened so far, in order."""
        return tuple(self._log)

    def log_from(self, index: int) -> tuple[LogEntry, ...]:
        """Return the log's entries from number *index* (0 and up) on."""
        return tuple(self._log[index:])

    def take_log(self) -> tuple[LogEntry, ...]:
        """Return the log so far and forget it: a day of many lanes keeps no more than a window."""
        taken, self._log = tuple(self._log), []
        return taken

    # -- inside -----------------------------------------------------------------------------------

    def _run_to(self, to_us: int) -> None:
        assert to_us >= self._now, "the plant's time never runs backwards"
        while self._heap and self._heap[0][0] <= to_us:
            entry = heapq.heappop(self._heap)
            if not self._void(entry):
                self._now = entry[0]
                self._happen(entry)
        self._now = to_us

    def _void(self, entry: _Entry) -> bool:
        _, index, due, number, version, _ = entry
        if due == _Due.BOOM_ARRIVES or due == _Due.BOOM_BELOW:
            return version != self._by_index[index].boom_version
        if due == _Due.BOOM_TURNS:
            return version != self._by_index[index].turn_no
        if due == _Due.ENTERS or due == _Due.BOOM_MENDED:
            return False
        found = self._movers.get(VehicleId(number))
        return found is None or (due != _Due.THINKS and found[1].version != version)

    def _happen(self, entry: _Entry) -> None:
        _, index, due, number, _, mark = entry
        place = self._by_index[index]
        if due == _Due.BOOM_ARRIVES:
            cause = MoveCause.LIMIT if place.boom.jam_mdeg is None else MoveCause.JAM
            self._move_boom(place, Heading.STILL, cause)
            return
        if due == _Due.ENTERS:
            place.entering = False
            self._enter(place)
            return
        if due == _Due.BOOM_TURNS:
            self._move_boom(place, Heading(mark), MoveCause.PULSE)
            return
        if due == _Due.BOOM_MENDED:
            place.boom.jam_mdeg = None
            return
        mover = self._movers[VehicleId(number)][1]
        if due == _Due.FRONT:
            self._front(place, mover, mark)
        elif due == _Due.REAR:
            self._rear(place, mover, mark)
        elif due == _Due.RESTS:
            self._rests(place, mover)
        elif due == _Due.LEAVES:
            self._leaves(place, mover)
        elif due == _Due.THINKS:
            self._think(place, mover)
        else:
            self._lowered_on(place, mover)

    def _push(self, at_us: int, place: LaneRoad, due: _Due, mover: Mover, mark: str = "") -> None:
        number, version = mover.vehicle.vehicle_id, mover.version
        heapq.heappush(self._heap, (at_us, place.index, due, number, version, mark))

    def _edge(self, place: LaneRoad, what: What, on: bool, mover: Mover | None = None) -> None:
        number = None if mover is None else mover.vehicle.vehicle_id
        edge = PlantEdge(at_us=self._now, lane=place.lane, what=what, on=on, vehicle_id=number)
        self._out.append(edge)
        self._log.append(edge)

    def _enter(self, place: LaneRoad) -> None:
        if place.entering or not place.traffic.waiting:
            return
        mover = place.traffic.enter(self._now)
        if mover is not None:
            self._edge(place, What.ON_ROAD, True, mover)
            self._moves(place, mover)
        if place.traffic.waiting:
            place.entering = True
            at_us = self._now + ENTER_RETRY_US
            heapq.heappush(self._heap, (at_us, place.index, _Due.ENTERS, 0, 0, ""))

    def _think(self, place: LaneRoad, mover: Mover) -> None:
        if not mover.on_road:
            return
        changed = place.traffic.think(mover, self._now)
        if changed:
            self._moves(place, mover)
        elif changed is False:
            self._push(self._now + RETRY_US, place, _Due.THINKS, mover)

    def _moves(self, place: LaneRoad, mover: Mover) -> None:
        """Schedule all that *mover*'s new motion will do, and wake the one behind it."""
        if mover.at_window or mover.stopped:
            self._edge(place, What.AT_WINDOW if mover.at_window else What.STOPPED, False, mover)
            mover.at_window = mover.stopped = False
        motion, forward = mover.motion, mover.motion.forward
        edge = 0 if forward else -1
        for mark in place.marks:
            for name, front, rear in mover.parts[mark]:
                if (name in mover.over_front) != forward:
                    line = place.start[mark] + front + edge
                    at_us = motion.reaches_us(line, from_us=self._now)
                    if at_us is not None:
                        self._push(at_us, place, _Due.FRONT, mover, name)
                if (name in mover.over_rear) != forward:
                    line = place.end[mark] + rear + edge
                    at_us = motion.reaches_us(line, from_us=self._now)
                    if at_us is not None:
                        self._push(at_us, place, _Due.REAR, mover, name)
        if motion.rest_us is not None:
            self._push(max(motion.rest_us, self._now), place, _Due.RESTS, mover)
        leaves = place.traffic.leaves_us(mover, self._now)
        if leaves is not None:
            self._push(leaves, place, _Due.LEAVES, mover)
        _, behind = place.traffic.neighbours(mover)
        if behind is not None:
            self._push(self._now + behind.reaction_us, place, _Due.THINKS, behind)

    def _front(self, place: LaneRoad, mover: Mover, name: str) -> None:
        mark = _MARKS[name]
        before = mover.covers(mark)
        if name == Mark.LOOP_2 and mover.motion.forward:
            mover.nose_green = place.levels.get(Output.LANE_GREEN, False)
        (mover.over_front.add if mover.motion.forward else mover.over_front.discard)(name)
        self._covered(place, mover, mark, before)
        if mark is Mark.BOOM and mover.motion.forward:
            self._nose(place, mover)

    def _rear(self, place: LaneRoad, mover: Mover, name: str) -> None:
        mark = _MARKS[name]
        before = mover.covers(mark)
        (mover.over_rear.add if mover.motion.forward else mover.over_rear.discard)(name)
        self._covered(place, mover, mark, before)
        if mark is not Mark.BOOM:
            return
        if mover.motion.forward:
            self._tail(place, mover)
        else:
            self._under(place, mover)

    def _covered(self, place: LaneRoad, mover: Mover, mark: Mark, before: bool) -> None:
        after = mover.covers(mark)
        if mark is Mark.BOOM or before == after:
            return
        place.occupied[mark] += 1 if after else -1
        if place.occupied[mark] == (1 if after else 0):
            self._edge(place, _WHAT[mark], after, mover)

    def _nose(self, place: LaneRoad, mover: Mover) -> None:
        angle = place.boom.angle_at(self._now)
        mover.nose_us, mover.nose_mdeg, mover.least_mdeg = self._now, angle, angle
        mover.struck = False
        self._under(place, mover)

    def _under(self, place: LaneRoad, mover: Mover) -> None:
        """*mover* has just come under the boom, by the front or, reversing, by the rear."""
        angle = place.boom.angle_at(self._now)
        if angle < mover.vehicle.clear_mdeg:
            self._strike(place, mover, StrikeCause.DROVE_INTO)
            self._bend_boom(place)
        else:
            self._watch(place, mover)

    def _watch(self, place: LaneRoad, mover: Mover) -> None:
        """Schedule the boom's touching *mover* if it is coming down."""
        at_us = place.boom.below_us(mover.vehicle.clear_mdeg, from_us=self._now)
        if at_us is not None:
            number = mover.vehicle.vehicle_id
            entry = (at_us, place.index, _Due.BOOM_BELOW, number, place.boom_version, "")
            heapq.heappush(self._heap, entry)

    def _lowered_on(self, place: LaneRoad, mover: Mover) -> None:
        if not mover.covers(Mark.BOOM):
            return
        self._strike(place, mover, StrikeCause.LOWERED_ON)
        place.boom.stop_at(mover.vehicle.clear_mdeg, self._now)
        self._boom_moved(place, MoveCause.OBSTACLE)

    def _strike(self, place: LaneRoad, mover: Mover, cause: StrikeCause) -> None:
        mover.struck = True
        self._log.append(
            Strike(
                at_us=self._now,
                lane=place.lane,
                vehicle_id=mover.vehicle.vehicle_id,
                cause=cause,
                angle_mdeg=place.boom.angle_at(self._now),
                lowering=place.boom.heading is Heading.DOWN,
            )
        )

    def _tail(self, place: LaneRoad, mover: Mover) -> None:
        plate = mover.vehicle.plate
        self._log.append(
            Passage(
                lane=place.lane,
                vehicle_id=mover.vehicle.vehicle_id,
                plate=None if plate is None else plate.text,
                nose_us=mover.nose_us,
                tail_us=self._now,
                nose_mdeg=mover.nose_mdeg,
                least_mdeg=min(mover.least_mdeg, place.boom.angle_at(self._now)),
                lane_green=mover.nose_green,
                struck=mover.struck,
            )
        )

    def _rests(self, place: LaneRoad, mover: Mover) -> None:
        mover.motion = at_rest(mover.motion.x_at(self._now), at_us=self._now)
        off = abs(mover.motion.x_at(self._now) - place.traffic.stop)
        mover.at_window = off < units(SAME_PLACE_MM)
        mover.stopped = not mover.at_window
        self._edge(place, What.AT_WINDOW if mover.at_window else What.STOPPED, True, mover)
        self._think(place, mover)

    def _leaves(self, place: LaneRoad, mover: Mover) -> None:
        behind = place.traffic.remove(mover)
        del self._movers[mover.vehicle.vehicle_id]
        self._edge(place, What.ON_ROAD, False, mover)
        if behind is not None:
            self._think(place, behind)
        self._enter(place)

    def _move_boom(self, place: LaneRoad, heading: Heading, cause: MoveCause) -> None:
        moved = place.boom.heading
        place.boom.move(heading, self._now)
        if moved is not Heading.STILL or place.boom.heading is not Heading.STILL:
            self._boom_moved(place, cause)

    def _drive_boom(self, place: LaneRoad, heading: Heading) -> None:
        """Let the motor take a pulse: at once, or when a boom that moves the other way has come to
        a stand."""
        place.turn_no += 1
        turn_us = place.geometry.turn_us
        if turn_us == 0 or place.boom.heading in (Heading.STILL, heading):
            self._move_boom(place, heading, MoveCause.PULSE)
            return
        at_us = self._now + turn_us
        entry = (at_us, place.index, _Due.BOOM_TURNS, 0, place.turn_no, heading.value)
        heapq.heappush(self._heap, entry)

    def _bend_boom(self, place: LaneRoad) -> None:
        """A vehicle has driven into the boom: it stands where it is until it is mended."""
        if place.geometry.bent_us == 0:
            return
        place.turn_no += 1
        place.boom.jam_mdeg = place.boom.angle_at(self._now)
        self._move_boom(place, Heading.STILL, MoveCause.JAM)
        at_us = self._now + place.geometry.bent_us
        heapq.heappush(self._heap, (at_us, place.index, _Due.BOOM_MENDED, 0, 0, ""))

    def _boom_moved(self, place: LaneRoad, cause: MoveCause) -> None:
        self._log.append(
            BoomMove(
                at_us=self._now,
                lane=place.lane,
                heading=place.boom.heading,
                cause=cause,
                angle_mdeg=place.boom.angle_at(self._now),
            )
        )
        self._boom_changed(place)

    def _boom_changed(self, place: LaneRoad) -> None:
        """Set limits, and schedule what the boom's new motion will do."""
        place.boom_version += 1
        boom, still = place.boom, place.boom.heading is Heading.STILL
        up = boom.is_up(self._now) and (still or boom.heading is Heading.UP)
        down = boom.is_down(self._now) and (still or boom.heading is Heading.DOWN)
        if up != place.up:
            place.up = up
            self._sights.add(place.lane)
            self._edge(place, What.BOOM_UP, up)
        if down != place.down:
            place.down = down
            self._edge(place, What.BOOM_DOWN, down)
        arrives = boom.arrives_us()
        if arrives is not None:
            at_us = max(arrives, self._now)
            entry = at_us, place.index, _Due.BOOM_ARRIVES, 0, place.boom_version, ""
            heapq.heappush(self._heap, entry)
        angle = boom.angle_at(self._now)
        for mover in place.traffic.movers:
            if mover.covers(Mark.BOOM):
                mover.least_mdeg = min(mover.least_mdeg, angle)
                self._watch(place, mover)
