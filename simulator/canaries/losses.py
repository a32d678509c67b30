"""Bugs in how a lane notices what it has lost, and in what it does with a disk that is full."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from lane_controller.core import conditions, interlock, presence, tables
from lane_controller.core import events as ev
from lane_controller.core import lane as lane_core
from lane_controller.core.draft import Draft
from lane_controller.core.limits import Limits
from lane_controller.core.states import LaneMode
from lane_controller.engine import effects as fx
from lane_controller.engine import engine as engine_module
from lane_controller.engine import inputs as inp
from lane_controller.engine.calls import Calls, request_of
from lane_controller.engine.engine import LaneEngine
from simulator.canaries.planting import replaced, replaced_row
from tolling.alarms import AlarmCode
from tolling.devices import Health
from tolling.inputs import Point, Reading

MINUTE_MS = 60_000


def _conditions(fact: type[ev.Fact], handler: tables.Handler) -> AbstractContextManager[None]:
    """Let the lane's condition take such a fact by *handler*."""
    table: Any = tables.TABLES[tables.Machine.CONDITIONS]
    rows: Mapping[Any, Any] = table[fact]
    changed = {mode: replace(row, handler=handler) for mode, row in rows.items()}
    return replaced_row(table, fact, changed)


def lost_device_taken_for_well() -> AbstractContextManager[None]:
    """A device that does not answer any more is taken for as well as it was."""

    def device_changed(draft: Draft) -> None:
        fact = draft.event.fact
        assert isinstance(fact, ev.DeviceChanged)
        if fact.health is not Health.LOST:
            conditions.device_changed(draft)

    return _conditions(ev.DeviceChanged, device_changed)


def lost_inputs_not_a_mode() -> AbstractContextManager[None]:
    """An input that cannot be read has its alarm, and the lane is in no degraded mode for it."""

    def input_alarm(draft: Draft, point: Point, reading: Reading) -> None:
        if reading is Reading.UNKNOWN:
            draft.alarm(AlarmCode.INPUT_FAULT, point.value, f"input {point} cannot be read")
        else:
            draft.clear(AlarmCode.INPUT_FAULT, point.value)

    return replaced(interlock, "_input_alarm", input_alarm)


def silent_plaza_noticed_late() -> AbstractContextManager[None]:
    """A lane waits a minute until it takes a silent plaza for gone."""
    return replaced(engine_module, "LINK_LOST_MS", MINUTE_MS)


def slow_commit_not_a_mode() -> AbstractContextManager[None]:
    """A commit may take a minute until a lane says that its disk is slow."""
    return replaced(engine_module, "COMMIT_SLOW_MS", MINUTE_MS)


def full_disk_taken_for_slow() -> AbstractContextManager[None]:
    """A disk that refuses a commit for want of space is taken for one that is slow."""
    honest = LaneEngine._commit_failed

    def commit_failed(engine: LaneEngine, given: inp.CommitFailed) -> None:
        honest(engine, replace(given, why=inp.CommitTrouble.FAILED))

    return replaced(LaneEngine, "_commit_failed", commit_failed)


def full_disk_leaves_lane_open() -> AbstractContextManager[None]:
    """A lane says that its disk is full, and takes whoever comes."""

    def store_changed(draft: Draft) -> None:
        before = draft.state
        conditions.store_changed(draft)
        draft.put(mode=before.mode, mode_reason=before.mode_reason)

    return _conditions(ev.StoreChanged, store_changed)


def full_disk_takes_the_next() -> AbstractContextManager[None]:
    """A lane that was closed for its full disk serves whoever drives in as if it were open."""
    honest = presence.begin_presence

    def begin_presence(draft: Draft) -> bool:
        closed = draft.state.mode is LaneMode.CLOSED
        if not closed or draft.state.store is not ev.StoreState.FULL:
            return honest(draft)
        draft.put(mode=LaneMode.OPEN)
        begun = honest(draft)
        draft.put(mode=LaneMode.CLOSED)
        return begun

    rules = tuple(begin_presence if rule is honest else rule for rule in lane_core.JOINT_RULES)
    return replaced(lane_core, "JOINT_RULES", rules)


def order_asked_without_pause() -> AbstractContextManager[None]:
    """An order that waits for the driver is asked about again and again, as fast as the line
    goes."""

    def asked(command: Calls, limits: Limits) -> fx.PlazaRequest:
        request = request_of(command, limits)
        return replace(request, wait_ms=0) if isinstance(request, fx.GetPayment) else request

    return replaced(engine_module, "request_of", asked)
