"""Bugs in what a lane does with its boom and tells of it."""

from __future__ import annotations

from contextlib import AbstractContextManager

from lane_controller.core import commands as cmd
from lane_controller.core import interlock
from lane_controller.core.draft import Draft
from lane_controller.engine import effects as fx
from lane_controller.engine.engine import LaneEngine
from simulator.canaries.planting import both, replaced
from tolling.alarms import AlarmCode, Degraded
from tolling.ids import BootId
from tolling.inputs import Output

_BOOM_FAULTS = frozenset({AlarmCode.BOOM_LIMITS, AlarmCode.BOOM_NOT_UP, AlarmCode.BOOM_NOT_DOWN})


def raise_held_on() -> AbstractContextManager[None]:
    """The contact for raising is closed like a lamp's, and nobody opens it."""

    def hold(engine: LaneEngine, command: cmd.RaiseBoom) -> None:
        level = cmd.SetOutput(output=Output.RAISE, on=True)
        engine._out.append(fx.DeviceCall(command=level))

    return replaced(LaneEngine, "_raise", hold)


def boom_fault_not_told() -> AbstractContextManager[None]:
    """A boom that reaches no limit, or both at once, is no fault."""
    alarm, degrade = Draft.alarm, Draft.degrade

    def told(draft: Draft, code: AlarmCode, subject: str, what: str) -> None:
        if code not in _BOOM_FAULTS:
            alarm(draft, code, subject, what)

    def degraded(draft: Draft, name: Degraded, reason: str) -> None:
        if name is not Degraded.BARRIER_FAULT:
            degrade(draft, name, reason)

    return both(replaced(Draft, "alarm", told), replaced(Draft, "degrade", degraded))


def last_limit_believed() -> AbstractContextManager[None]:
    """A boom is where it was last seen until another limit is reached."""
    return replaced(interlock, "_left_limits", lambda draft: None)


def lifted_boom_not_told() -> AbstractContextManager[None]:
    """A boom that somebody lifts by hand is nobody's business."""
    alarm = Draft.alarm

    def told(draft: Draft, code: AlarmCode, subject: str, what: str) -> None:
        if code is not AlarmCode.BOOM_MOVED:
            alarm(draft, code, subject, what)

    return replaced(Draft, "alarm", told)


def unrecorded_once_blind() -> AbstractContextManager[None]:
    """A lane that could not read its inputs records nobody who comes later."""
    honest = LaneEngine._route
    blind: set[BootId | None] = set()

    def route(engine: LaneEngine, command: cmd.Command) -> None:
        boot_id = engine.state.boot_id
        if any(mode.name is Degraded.NO_INPUTS for mode in engine.state.degraded):
            blind.add(boot_id)
        if not (isinstance(command, cmd.SealPassage) and boot_id in blind):
            honest(engine, command)

    return replaced(LaneEngine, "_route", route)
