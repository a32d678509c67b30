"""Bugs in what a lane tells of its degraded modes."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from lane_controller.core import conditions
from lane_controller.core.draft import Draft
from lane_controller.engine import engine as engine_module
from lane_controller.engine import telemetry
from simulator.canaries.planting import replaced, replaced_row
from tolling.alarms import Degraded
from tolling.devices import Device
from tolling.messages import LaneSnapshot

LATE_MS = 3_000


def degraded_mode_shown_late() -> AbstractContextManager[None]:
    """The lane's state shows a degraded mode three seconds after it began, or never."""

    def snapshot(*given: Any, **named: Any) -> LaneSnapshot:
        seen = telemetry.snapshot(*given, **named)
        modes = [mode for mode in seen.degraded if seen.utc_ms >= mode.since_ms + LATE_MS]
        return replace(seen, degraded=tuple(modes))

    return replaced(engine_module, "snapshot", snapshot)


def degraded_mode_without_reason() -> AbstractContextManager[None]:
    """A degraded mode has its name and its start, and nothing says why."""
    honest = Draft.degrade
    return replaced(Draft, "degrade", lambda draft, name, reason: honest(draft, name, ""))


def degraded_mode_beside_another_hidden() -> AbstractContextManager[None]:
    """A lane that is in one degraded mode tells of the next one and takes none."""
    honest = Draft.degrade

    def degrade(draft: Draft, name: Degraded, reason: str) -> None:
        standing = draft.state.degraded
        honest(draft, name, reason)
        draft.put(degraded=standing or draft.state.degraded)

    return replaced(Draft, "degrade", degrade)


def degraded_mode_never_over() -> AbstractContextManager[None]:
    """The lane tells that a degraded mode is over, and stays in it."""
    honest = Draft.restore

    def restore(draft: Draft, name: Degraded) -> None:
        standing = draft.state.degraded
        honest(draft, name)
        draft.put(degraded=standing)

    return replaced(Draft, "restore", restore)


def lost_display_not_a_mode() -> AbstractContextManager[None]:
    """A display that is lost has its alarm, and the lane is in no degraded mode for it."""
    return replaced_row(conditions.DEGRADED_OF, Device.DISPLAY, None)
