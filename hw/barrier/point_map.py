"""What is wired where: a lane's inputs and outputs on its I/O modules, and what a map must hold.

A map is checked before a lane starts. The rules of wiring that keep a boom off a roof are here, as
data a person can read: detectors are energised = free (a cut wire reads occupied), movement is by
pulses that a barrier's own logic latches (never by holding a contact), and nothing moves when power
or a module comes back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from hw.links.tables import Table
from hw.links.urls import ModbusUrl
from tolling.inputs import (
    DETECTORS,
    PULSE_OUTPUTS,
    REQUIRED_OUTPUTS,
    REQUIRED_POINTS,
    Output,
    Point,
    Reading,
)

PULSE_MS_MIN = 100
PULSE_MS_MAX = 2000
"""Longest on-time of a movement contact; barriers want 200 to 1000 ms."""
PULSE_MS_USUAL = 250
"""What a common lane board gives its barrier."""
TIMED_STEP_MS = 100
"""Unit of a module's own timed pulse."""
ALARM_MS_USUAL = 10_000
"""How long a toll lane's alarm sounds at most."""
ALARM_MS_MAX = 60_000
READ_SPAN_MAX = 120
"""A module's inputs lie within this many addresses, so that one read takes them all."""


class Polarity(StrEnum):
    """What an energised input says."""

    ENERGISED_FREE = "energised_free"
    """Detector: current flows while nothing is there. A cut wire reads occupied."""
    ENERGISED_OCCUPIED = "energised_occupied"
    """Detector: current flows while something is there. Refused: a cut wire would read free."""
    ACTIVE_HIGH = "active_high"
    """Limit switch: closed where the limit is reached. A cut wire reads not reached."""
    ACTIVE_LOW = "active_low"
    """Limit switch: open where the limit is reached."""


class Action(StrEnum):
    """How an output is driven."""

    PULSE = "pulse"
    """On, a time, off; the on-time is kept by this program and ended whatever happens."""
    TIMED = "timed"
    """The module itself ends the pulse (Waveshare flash-on)."""
    LEVEL = "level"
    """Stays as set: lamps, alarm."""
    HOLD = "hold"
    """Held for as long as the boom should stay up. Refused: the boom falls when this program
    dies."""


class PowerFail(StrEnum):
    """What the boom does without power; told to people, never acted on here."""

    OPEN = "open"
    """A spring raises it."""
    HOLD = "hold"
    """It stays where it is."""
    FREE = "free"
    """It can be moved by hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IoModule:
    """One I/O module on a bus."""

    name: str
    """As the lane file names it."""
    url: ModbusUrl
    device_id: int
    """Modbus unit, 1..247."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputWire:
    """One input."""

    point: Point
    module: str
    table: Table
    address: int
    polarity: Polarity
    bit: int = 0
    """0..15 within a word of a holding or input register; 0 for bits."""

    def reading(self, energised: bool) -> Reading:
        """Return what the input says."""
        on_when = self.polarity in (Polarity.ENERGISED_OCCUPIED, Polarity.ACTIVE_HIGH)
        return Reading.ON if energised is on_when else Reading.OFF


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputWire:
    """One output, always a coil."""

    output: Output
    module: str
    address: int
    action: Action
    on_ms: int = PULSE_MS_USUAL
    """Length of a pulse, or the longest on-time of a level; 0 = a level without limit."""
    timed_address: int | None = None
    """Where a timed pulse is written, as on_ms / 100."""
    inverted: bool = False
    """A level whose coil is off where the output is on (a lamp on the resting contact)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PointMap:
    """Everything wired to a lane's modules."""

    modules: tuple[IoModule, ...]
    inputs: tuple[InputWire, ...]
    outputs: tuple[OutputWire, ...]
    under_boom: frozenset[Point]
    """Detectors that must all be free before a lower."""
    power_fail: PowerFail = PowerFail.OPEN

    def module_inputs(self, name: str) -> tuple[InputWire, ...]:
        """Return the inputs of one module."""
        return tuple(wire for wire in self.inputs if wire.module == name)

    def output(self, output: Output) -> OutputWire | None:
        """Return where an output is wired, None where it is not."""
        return next((wire for wire in self.outputs if wire.output is output), None)


def check_point_map(point_map: PointMap) -> list[str]:
    """Return what is wrong with a map, each as a sentence for people; empty where it may be
    used."""
    problems = _missing(point_map)
    for wire in point_map.inputs:
        problems += _input_problems(wire)
    for output in point_map.outputs:
        problems += _output_problems(output)
    problems += _under_boom_problems(point_map)
    problems += _shared_problems(point_map)
    problems += _span_problems(point_map)
    return problems


def _missing(point_map: PointMap) -> list[str]:
    inputs = {wire.point for wire in point_map.inputs}
    outputs = {wire.output for wire in point_map.outputs}
    modules = {module.name for module in point_map.modules}
    used = [(wire.point.value, wire.module) for wire in point_map.inputs]
    used += [(wire.output.value, wire.module) for wire in point_map.outputs]
    return (
        [
            f"input {point} is not wired; a lane needs it"
            for point in sorted(REQUIRED_POINTS - inputs)
        ]
        + [
            f"output {out} is not wired; a lane needs it"
            for out in sorted(REQUIRED_OUTPUTS - outputs)
        ]
        + [
            f"{name} is on module {where}, which is not there"
            for name, where in used
            if where not in modules
        ]
    )


def _input_problems(wire: InputWire) -> list[str]:
    problems = []
    if wire.point in DETECTORS and wire.polarity is not Polarity.ENERGISED_FREE:
        problems.append(
            f"input {wire.point} is a safety input and must be energised_free: "
            f"with {wire.polarity} a cut wire would read free"
        )
    if wire.point not in DETECTORS and wire.polarity not in (
        Polarity.ACTIVE_HIGH,
        Polarity.ACTIVE_LOW,
    ):
        problems.append(
            f"input {wire.point} is a limit switch: its polarity is active_high or active_low"
        )
    if wire.bit and not wire.table.words:
        problems.append(f"input {wire.point} names a bit of a table of bits")
    return problems


def _output_problems(wire: OutputWire) -> list[str]:
    name = f"output {wire.output}"
    if wire.action is Action.HOLD:
        return [f"{name} is hold-to-open wiring: the boom would fall when the lane controller dies"]
    if wire.output in PULSE_OUTPUTS:
        return _pulse_problems(wire, name)
    if wire.action is not Action.LEVEL:
        return [f"{name} is a level, not a pulse"]
    if wire.output is Output.ALARM and not 0 < wire.on_ms <= ALARM_MS_MAX:
        return [f"{name} needs a longest on-time of 1..{ALARM_MS_MAX} ms"]
    return []


def _pulse_problems(wire: OutputWire, name: str) -> list[str]:
    problems = []
    if wire.action is Action.LEVEL:
        problems.append(f"{name} must be a pulse: a level would hold the contact")
    if wire.inverted:
        problems.append(
            f"{name} must not be inverted: the boom would move when power comes or goes"
        )
    if not PULSE_MS_MIN <= wire.on_ms <= PULSE_MS_MAX:
        problems.append(
            f"{name} has a pulse of {wire.on_ms} ms, not {PULSE_MS_MIN}..{PULSE_MS_MAX}"
        )
    if wire.action is Action.TIMED and wire.timed_address is None:
        problems.append(f"{name} is timed, but its module has no timed pulse")
    if wire.action is Action.TIMED and wire.on_ms % TIMED_STEP_MS:
        problems.append(f"{name} is timed by its module in steps of {TIMED_STEP_MS} ms")
    return problems


def _under_boom_problems(point_map: PointMap) -> list[str]:
    wired = {wire.point for wire in point_map.inputs}
    problems = [
        f"under_boom names {point}, which is no detector"
        for point in sorted(point_map.under_boom - DETECTORS)
    ]
    problems += [
        f"under_boom names {point}, which is not wired"
        for point in sorted((point_map.under_boom & DETECTORS) - wired)
    ]
    needed = {Point.LOOP_2} | (wired & {Point.CURTAIN})
    problems += [
        f"under_boom leaves out {point}, which lies under the boom"
        for point in sorted(needed - point_map.under_boom)
    ]
    return problems


def _shared_problems(point_map: PointMap) -> list[str]:
    """Two meanings on one contact, or one meaning twice."""
    names = [f"input {wire.point}" for wire in point_map.inputs]
    names += [f"output {wire.output}" for wire in point_map.outputs]
    contacts = [(wire.module, wire.table, wire.address, wire.bit) for wire in point_map.inputs]
    contacts += [(wire.module, Table.COIL, wire.address, 0) for wire in point_map.outputs]
    users: dict[tuple[str, Table, int, int], list[str]] = {}
    for name, contact in zip(names, contacts, strict=True):
        users.setdefault(contact, []).append(name)
    return [
        f"{name} is wired more than once" for name in sorted(set(names)) if names.count(name) > 1
    ] + [
        f"{' and '.join(sharing)} share one contact"
        for sharing in users.values()
        if len(sharing) > 1
    ]


def _span_problems(point_map: PointMap) -> list[str]:
    """A module's inputs are read by one request, so that one moment is read."""
    problems = []
    for module in point_map.modules:
        wires = point_map.module_inputs(module.name)
        if not wires:
            continue
        _, count = read_span(wires)
        if len({wire.table for wire in wires}) > 1:
            problems.append(f"module {module.name} has inputs in more than one table")
        if count > READ_SPAN_MAX:
            problems.append(f"module {module.name} has inputs over {READ_SPAN_MAX} addresses")
    return problems


def read_span(wires: tuple[InputWire, ...]) -> tuple[int, int]:
    """Return first address and count of the one read that takes all of *wires* (not empty)."""
    assert wires, "a module without inputs is not read"
    first = min(wire.address for wire in wires)
    return first, max(wire.address for wire in wires) - first + 1


def readings(
    wires: tuple[InputWire, ...], first: int, values: tuple[int, ...]
) -> Mapping[Point, Reading]:
    """Return what the values of one read (from address *first* on) say about each of *wires*."""
    return {
        wire.point: wire.reading(bool(values[wire.address - first] >> wire.bit & 1))
        for wire in wires
    }
