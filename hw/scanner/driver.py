"""A code scanner on a serial line or TCP port.

What is scanned is handed on and nowhere else: no log line, health text or error of this file holds
a byte of it. Repeats are handed on too; whether a code is new is for the lane to judge.
"""

from __future__ import annotations

import asyncio
import contextlib

from hw.links.backoff import Backoff, Jitter
from hw.links.health import HealthTracker
from hw.links.stream import StreamHandler, StreamLink
from hw.links.urls import SerialUrl, TcpUrl
from hw.ports import OnHealth, OnScan
from hw.scanner.codec import Code, Dialect, Dropped, ScanEvent, ScanParser, trigger
from tolling.devices import Device, Health
from tolling.errors import DeviceError

FRAGMENT_S = 0.3
"""Silence after which bytes without a terminator are dropped: 290 bytes at 9600 baud would fit in
it."""
GAP_S = 0.05
"""Silence that ends a code of a scanner without suffix, at 9600 baud about 48 bytes."""
RETRIGGER_S = 3.0
"""Scanners stop decoding after a read or their own time-out; a wanted trigger is sent again."""


class SerialScanner:
    """A scanner. Implements ScannerPort."""

    def __init__(
        self,
        url: SerialUrl | TcpUrl,
        *,
        dialect: Dialect,
        gap_framing: bool,
        on_scan: OnScan,
        on_health: OnHealth,
        jitter: Jitter,
    ) -> None:
        self._dialect = dialect
        self._gap_framing = gap_framing
        self._on_scan = on_scan
        self._health = HealthTracker(Device.SCANNER, on_health)
        self._parser = ScanParser(gap_framing=gap_framing)
        self._silence: asyncio.TimerHandle | None = None
        self._triggered = False
        handler = StreamHandler(on_up=self._up, on_down=self._down, on_bytes=self._bytes)
        self._link = StreamLink(url, handler, Backoff(jitter))

    async def run(self) -> None:
        """Own the line until cancelled."""
        self._health.set(Health.CONNECTING, "not heard of yet")
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._link.run(), name="scanner line")
                if trigger(self._dialect, on=True):
                    tasks.create_task(self._retrigger(), name="scanner trigger")
        finally:
            self._stop_timer()

    async def set_trigger(self, on: bool) -> None:
        """Start or stop decoding; kept and sent again when the line comes back. Raises:
        DeviceError."""
        self._triggered = on
        command = trigger(self._dialect, on=on)
        if command:
            await self._link.write(command)

    def _up(self) -> None:
        self._parser = ScanParser(gap_framing=self._gap_framing)
        self._health.set(Health.ASSUMED, "the line is open; nothing was read yet")
        if self._triggered:
            self._send_trigger()

    def _down(self, why: str) -> None:
        self._stop_timer()
        self._health.set(Health.LOST, why)

    def _bytes(self, data: bytes) -> None:
        self._handle(self._parser.feed(data))
        self._stop_timer()
        if self._parser.pending:
            wait_s = GAP_S if self._gap_framing else FRAGMENT_S
            loop = asyncio.get_running_loop()
            self._silence = loop.call_later(wait_s, self._was_silent)

    def _was_silent(self) -> None:
        self._silence = None
        self._handle(self._parser.silence())

    def _handle(self, events: list[ScanEvent]) -> None:
        for event in events:
            if isinstance(event, Dropped):
                self._health.set(Health.DEGRADED, event.why)
                continue
            self._health.set(Health.OK, "answers")
            if isinstance(event, Code):
                self._on_scan(event.data)
                if self._triggered:
                    self._send_trigger()

    def _send_trigger(self) -> None:
        with contextlib.suppress(DeviceError):
            self._link.write_nowait(trigger(self._dialect, on=True))

    async def _retrigger(self) -> None:
        while True:
            await asyncio.sleep(RETRIGGER_S)
            if self._triggered and self._link.is_up:
                self._send_trigger()

    def _stop_timer(self) -> None:
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None
