"""The fee display on a line: what its frames say is put before the drivers' eyes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from simulator.emulators.ffdc import FfdcDecoder
from simulator.emulators.pty_line import PtyLine
from simulator.models.device_faults import DeviceTrouble
from simulator.models.display import FeeDisplayModel

LATER_S = 0.001
"""A fault's time is looked at just after it is up."""


class SerialDisplay:
    """One display on one line. It never answers."""

    def __init__(
        self,
        model: FeeDisplayModel,
        line: PtyLine,
        now_ns: Callable[[], int],
        *,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.model = model
        self.line = line
        self.decoder = FfdcDecoder()
        self._now_ns = now_ns
        self._changed = changed
        self._timers: list[asyncio.TimerHandle] = []
        line.on_bytes = self._feed

    def inject(self, trouble: DeviceTrouble) -> int:
        """Arm a fault; an unplugged display leaves its line at once."""
        fault_id = self.model.inject(trouble, self._now_ns())
        self.follow_plug()
        if trouble.for_ms is not None:
            loop = asyncio.get_running_loop()
            self._timers.append(loop.call_later(trouble.for_ms / 1e3 + LATER_S, self.follow_plug))
        return fault_id

    def clear(self, fault_id: int | None = None) -> bool:
        """Disarm one fault, or all."""
        found = self.model.clear(fault_id, now_ns=self._now_ns())
        self.follow_plug()
        return found

    def follow_plug(self) -> None:
        """Bring line and picture in step with the model's faults."""
        if self.model.plugged(self._now_ns()):
            self.line.plug()
        else:
            self.line.unplug()
        self.model.refresh(self._now_ns())
        self._changed()

    def close(self) -> None:
        """Take the line away."""
        for timer in self._timers:
            timer.cancel()
        self.line.unplug()

    def _feed(self, data: bytes) -> None:
        if self.decoder.feed(data):
            face = self.decoder.face
            self.model.show(face.lines, face.green, self._now_ns())
            self._changed()
