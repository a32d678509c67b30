"""The lane's I/O modules: contacts and relays between the lane controller and the plant.

An input is a current: *energised* or not. Detectors are wired energised = free, limits energised =
reached, so a cut wire reads occupied and not reached. Outputs are relays; the barrier acts on the
closing of its raise and lower contacts, lamps follow their relay. A module may time a pulse by
itself (flash-on): whoever drives the model calls ``tick`` at ``due_ns``.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

from simulator.models.device_faults import DeviceFault, DeviceTrouble, TroubleBoard, TroubleView
from simulator.plant import Plant
from tolling.evolve import quick
from tolling.ids import LaneId
from tolling.inputs import DETECTORS, PULSE_OUTPUTS, InputSample, Output, Point, Reading

DEFAULT_MODULE = "io"
CHATTER_MS = 50
"""Period of a chattering input where the fault names none."""
_FAULTS = frozenset(
    {
        DeviceFault.CUT_WIRE,
        DeviceFault.STUCK_1,
        DeviceFault.STUCK_0,
        DeviceFault.CHATTER,
        DeviceFault.OUTPUT_DEAD,
        DeviceFault.SILENT,
        DeviceFault.SLOW,
        DeviceFault.DROPPED,
        DeviceFault.CORRUPTED,
        DeviceFault.ANSWER_LOST,
        DeviceFault.REBOOT,
        DeviceFault.CROSSTALK,
    }
)


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """What becomes of one request to a module."""

    arrives: bool
    """The module gets it and does it."""
    answered: bool
    corrupted: bool
    delay_ns: int
    """How much later than usual the answer comes."""


_WELL = Transfer(arrives=True, answered=True, corrupted=False, delay_ns=0)
_READ = {False: Reading.OFF, True: Reading.ON}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """Which module holds which point and output; all on one module unless said otherwise."""

    points: dict[Point, str] = field(default_factory=dict)
    outputs: dict[Output, str] = field(default_factory=dict)
    energised_occupied: frozenset[Point] = frozenset()
    """Points wired the wrong way round (energised = occupied), for a lane file that must be
    refused."""

    def module_of(self, where: Point | Output) -> str:
        """Return the module that holds *where*."""
        if isinstance(where, Point):
            return self.points.get(where, DEFAULT_MODULE)
        return self.outputs.get(where, DEFAULT_MODULE)


class IoModules:
    """All modules of one lane, with their faults."""

    def __init__(
        self,
        plant: Plant,
        lane: LaneId,
        *,
        wiring: Wiring | None = None,
        beside: LaneId | None = None,
    ) -> None:
        """Wire the lane. *beside*: the lane next to it, whose vehicles CROSSTALK lets it see."""
        self._plant = plant
        self.lane = lane
        self.beside = beside
        self.wiring = Wiring() if wiring is None else wiring
        self._board = TroubleBoard(_FAULTS)
        self._relays: dict[Output, bool] = dict.fromkeys(Output, False)
        self._pulse_no: dict[Output, int] = dict.fromkeys(Output, 0)
        self._pulses: list[tuple[int, Output, int]] = []

    # -- faults -----------------------------------------------------------------------------------

    def inject(self, trouble: DeviceTrouble, now_ns: int) -> int:
        """Arm a fault and return its number. Raises: ValueError: not a fault of I/O modules."""
        fault_id = self._board.inject(trouble, now_ns)
        if trouble.kind is DeviceFault.REBOOT:
            self.drop_relays(now_ns, module=trouble.where)
        return fault_id

    def clear(self, fault_id: int | None = None) -> bool:
        """Disarm one fault, or all. Returns False where the number is unknown."""
        return self._board.clear(fault_id)

    def faults(self, now_ns: int) -> tuple[TroubleView, ...]:
        """Return all faults and their counts."""
        return self._board.views(now_ns)

    # -- inputs -----------------------------------------------------------------------------------

    def answers(self, module: str, now_ns: int) -> bool:
        """Return whether *module* answers at all; ask once for each request, it is counted."""
        if self._board.standing(DeviceFault.SILENT, now_ns, where=module):
            return False
        return not self._board.standing(DeviceFault.REBOOT, now_ns, where=module)

    def transfer(self, module: str, now_ns: int) -> Transfer:
        """Return what becomes of one request to *module*, sent now."""
        if self._board.untouched:
            return _WELL
        draw = self._board.standing
        arrives = self.answers(module, now_ns)
        arrives = arrives and not draw(DeviceFault.DROPPED, now_ns, where=module)
        answered = arrives and not draw(DeviceFault.ANSWER_LOST, now_ns, where=module)
        corrupted = answered and draw(DeviceFault.CORRUPTED, now_ns, where=module)
        delay = self._board.delay_ns(now_ns, where=module) if answered else 0
        return Transfer(arrives=arrives, answered=answered, corrupted=corrupted, delay_ns=delay)

    def energised(self, point: Point, now_ns: int) -> bool:
        """Return the current on *point*'s input as its module sees it."""
        self._plant.catch_up(now_ns // 1_000)
        return self._level(point, self._plant.inputs(self.lane).get(point, False), now_ns)

    def _level(self, point: Point, on: bool, now_ns: int) -> bool:
        """Return the current on an input whose point is truly *on*."""
        if not on and self.hears_beside(point, now_ns):
            assert self.beside is not None, "crosstalk comes from a lane"
            on = self._plant.inputs(self.beside).get(point, False)
        free_is_live = point in DETECTORS and point not in self.wiring.energised_occupied
        level = on != free_is_live
        if self._board.standing(DeviceFault.CUT_WIRE, now_ns, where=point):
            level = False
        if self._board.standing(DeviceFault.STUCK_0, now_ns, where=point):
            level = False
        if self._board.standing(DeviceFault.STUCK_1, now_ns, where=point):
            level = True
        chatter = self._board.draw(DeviceFault.CHATTER, now_ns, where=point)
        if chatter is not None and now_ns // ((chatter.ms or CHATTER_MS) * 1_000_000) % 2:
            level = not level
        return level

    def hears_beside(self, point: Point, now_ns: int) -> bool:
        """Return whether *point* also sees the vehicles of the lane beside."""
        if self.beside is None:
            return False
        return self._board.standing(DeviceFault.CROSSTALK, now_ns, where=point)

    def reading(self, point: Point, now_ns: int) -> Reading:
        """Return what a driver makes of *point*: UNKNOWN where its module does not answer."""
        self._plant.catch_up(now_ns // 1_000)
        return self._reading(point, self._plant.inputs(self.lane).get(point, False), now_ns)

    def _reading(self, point: Point, on: bool, now_ns: int) -> Reading:
        if not self.answers(self.wiring.module_of(point), now_ns):
            return Reading.UNKNOWN
        level = self._level(point, on, now_ns)
        live_is_off = point in DETECTORS
        return Reading.OFF if level == live_is_off else Reading.ON

    def samples(self, now_ns: int) -> tuple[InputSample, ...]:
        """Return all points of the lane, read at *now_ns*, in order of name."""
        self._plant.catch_up(now_ns // 1_000)
        truth = sorted(self._plant.inputs(self.lane).items())
        if self._board.untouched and not self.wiring.energised_occupied:
            return tuple(
                [
                    InputSample(point=point, reading=_READ[on], read_at_ns=now_ns)
                    for point, on in truth
                ]
            )
        return tuple(
            [
                InputSample(
                    point=point, reading=self._reading(point, on, now_ns), read_at_ns=now_ns
                )
                for point, on in truth
            ]
        )

    def next_change_ns(self, now_ns: int) -> int | None:
        """Return when a reading may change next without an edge of the plant, or None."""
        if self._board.untouched:
            return None
        changes = []
        ends = self._board.next_change_ns(now_ns)
        if ends is not None:
            changes.append(ends)
        for point in self._plant.inputs(self.lane):
            chatter = self._board.holds(DeviceFault.CHATTER, now_ns, where=point)
            if chatter is not None:
                period = (chatter.ms or CHATTER_MS) * 1_000_000
                changes.append((now_ns // period + 1) * period)
        return min(changes) if changes else None

    # -- outputs ----------------------------------------------------------------------------------

    def relay(self, output: Output) -> bool:
        """Return whether the relay is drawn, as a module's coil reads back."""
        return self._relays[output]

    def write(self, output: Output, on: bool, now_ns: int) -> None:
        """Draw or drop a relay; a running timed pulse of it ends."""
        self.tick(now_ns)
        self._pulse_no[output] += 1
        self._set(output, on, now_ns)

    def pulse(self, output: Output, ms: int, now_ns: int) -> None:
        """Draw a relay for *ms* (1..60,000), timed by the module."""
        assert 1 <= ms <= 60_000, "a timed pulse: 1..60000 ms"
        self.tick(now_ns)
        self._pulse_no[output] += 1
        self._set(output, True, now_ns)
        entry = (now_ns + ms * 1_000_000, output, self._pulse_no[output])
        heapq.heappush(self._pulses, entry)

    def drop_relays(self, now_ns: int, *, module: str = "") -> None:
        """Drop every relay of *module* (empty = all), as a module without power does."""
        self.tick(now_ns)
        for output in Output:
            if module in ("", self.wiring.module_of(output)):
                self._pulse_no[output] += 1
                self._set(output, False, now_ns)

    def due_ns(self) -> int | None:
        """Return when ``tick`` must be called next, or None."""
        return self._pulses[0][0] if self._pulses else None

    def tick(self, now_ns: int) -> None:
        """End the timed pulses that are over, each at its own instant."""
        while self._pulses and self._pulses[0][0] <= now_ns:
            at_ns, output, number = heapq.heappop(self._pulses)
            if number == self._pulse_no[output]:
                self._set(output, False, at_ns)

    def _set(self, output: Output, on: bool, now_ns: int) -> None:
        self._relays[output] = on
        if on and self._board.standing(DeviceFault.OUTPUT_DEAD, now_ns, where=output):
            return
        at_us = max(now_ns // 1_000, self._plant.now_us)
        if output in PULSE_OUTPUTS:
            self._plant.boom_contact(self.lane, output, on, at_us)
        else:
            self._plant.set_level(self.lane, output, on, at_us)
