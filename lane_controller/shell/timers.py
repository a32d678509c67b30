"""The engine's timers on the loop's clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

TIMERS_MAX = 256
"""Far beyond what one lane asks for; more is a fault of ours."""


class Timers:
    """Calls *due* with the id of each timer that is due; the same id again moves it."""

    def __init__(self, due: Callable[[str], None]) -> None:
        self._due = due
        self._set: dict[str, asyncio.TimerHandle] = {}

    def wake(self, timer_id: str, after_ms: int) -> None:
        """Set or move a timer."""
        self.cancel(timer_id)
        assert len(self._set) < TIMERS_MAX, "too many timers"
        loop = asyncio.get_running_loop()
        when = loop.time() + after_ms / 1000
        self._set[timer_id] = loop.call_at(when, self._fire, timer_id)

    def cancel(self, timer_id: str) -> None:
        """Forget a timer."""
        timer = self._set.pop(timer_id, None)
        if timer is not None:
            timer.cancel()

    def close(self) -> None:
        """Forget all."""
        for timer_id in list(self._set):
            self.cancel(timer_id)

    def _fire(self, timer_id: str) -> None:
        self._set.pop(timer_id, None)
        self._due(timer_id)
