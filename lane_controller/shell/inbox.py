"""The one bounded queue in front of the engine.

Answers, timers and commits are bounded by what the engine asked for. Devices are not: scans, plates
and tags beyond the bound are dropped and counted, and of inputs only the newest reading of a point
is kept, so a chattering loop can neither fill memory nor be forgotten.
"""

from __future__ import annotations

import asyncio
from collections import deque

from lane_controller.core.events import (
    CodeScanned,
    CouponScanned,
    DeviceChanged,
    InputChanged,
    NotCodeScanned,
    PlateRead,
    TagRead,
)
from lane_controller.engine.inputs import Input

QUEUE_SOFT_MAX = 512
"""From here on devices' news is dropped or merged; a lane has a handful waiting."""
QUEUE_MAX = 4_096
"""Nothing bounded comes near this; past it the program is broken."""

_DROPPABLE = (CodeScanned, CouponScanned, NotCodeScanned, PlateRead, TagRead)


class Inbox:
    """Inputs in order of arrival."""

    def __init__(self) -> None:
        self._queue: deque[Input] = deque()
        self._late: dict[tuple[type, str], InputChanged | DeviceChanged] = {}
        self._some = asyncio.Event()
        self.dropped = 0
        """How many were dropped since the start."""

    def __len__(self) -> int:
        return len(self._queue) + len(self._late)

    def put(self, given: Input) -> None:
        """Queue one input. Never blocks."""
        if len(self._queue) >= QUEUE_SOFT_MAX:
            if isinstance(given, _DROPPABLE):
                self.dropped += 1
                return
            if isinstance(given, InputChanged):
                self._late[InputChanged, given.point.value] = given
                return
            if isinstance(given, DeviceChanged):
                self._late[DeviceChanged, given.device.value] = given
                return
        assert len(self._queue) < QUEUE_MAX, "the engine does not keep up"
        self._queue.append(given)
        self._some.set()

    async def get(self) -> Input:
        """Return the next input; waits for one."""
        while not self._queue:
            self._some.clear()
            await self._some.wait()
        first = self._queue.popleft()
        if not self._queue and self._late:
            # In order of points: each is a fact of its own, and only its newest reading counts.
            self._queue.extend(self._late.values())
            self._late.clear()
        return first
