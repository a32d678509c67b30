"""A serial code scanner on a line: codes out with their suffix, trigger commands in.

Honeywell: ``16 54 0D`` starts, ``16 55 0D`` stops; other menu commands (``16 4D 0D ... .``) are
answered with ACK. Newland: ``01 54 04`` starts, ``7E 01 30 30 30 30 # SCNTRG0 ; 03`` stops and is
answered in kind. Plain: reads whatever it sees. Bytes take their time by the baud rate: a delivery
is on the line when its last byte is.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from enum import StrEnum
from functools import partial

from simulator.emulators.modbus_frames import line_ns
from simulator.emulators.pty_line import PtyLine
from simulator.models.device_faults import DeviceTrouble
from simulator.models.scanner import Delivery, ScannerModel

BUFFER_MAX = 512
OnDelivered = Callable[[bool], None]
"""Called when a delivery's last byte is on the line; whether it was whole."""
_HONEYWELL = re.compile(rb"\x16([TU])\r|\x16M\r([ -~]{1,64}?)([.!])", re.DOTALL)
_NEWLAND = re.compile(rb"(\x01T\x04)|\x7e\x010000([@#])([ -~]{1,64}?);\x03", re.DOTALL)


class Family(StrEnum):
    """Whose commands the scanner understands."""

    PLAIN = "plain"
    HONEYWELL = "honeywell"
    NEWLAND = "newland"


class SerialScanner:
    """One scanner on one line."""

    def __init__(
        self,
        model: ScannerModel,
        line: PtyLine,
        now_ns: Callable[[], int],
        *,
        family: Family = Family.PLAIN,
        baud: int = 9_600,
    ) -> None:
        self.model = model
        self.line = line
        self._now_ns = now_ns
        self._family = family
        self._baud = baud
        self._buffer = b""
        self._handles: set[asyncio.TimerHandle] = set()
        self.on_delivered: OnDelivered = lambda _whole: None
        self.commands = 0
        """Commands understood so far."""
        line.on_bytes = self._feed

    def present(self, code: bytes, *, twice: bool = False, half: bool = False) -> tuple[bytes, ...]:
        """Hold *code* before the scanner now. Returns the codes it will deliver, as its faults have
        made them."""
        deliveries = self.model.present(code, self._now_ns(), twice=twice, half=half)
        self._send(deliveries)
        return tuple(each.data.removesuffix(self.model.suffix) for each in deliveries)

    def inject(self, trouble: DeviceTrouble) -> int:
        """Arm a fault; an unplugged scanner leaves its line at once."""
        fault_id = self.model.inject(trouble, self._now_ns())
        self.follow_plug()
        if trouble.for_ms is not None:
            ends_ns = self._now_ns() + trouble.for_ms * 1_000_000
            self._later(ends_ns, self.follow_plug)
        return fault_id

    def clear(self, fault_id: int | None = None) -> bool:
        """Disarm one fault, or all; a plug that is in again brings the line back."""
        found = self.model.clear(fault_id)
        self.follow_plug()
        return found

    def follow_plug(self) -> None:
        """Bring the line in step with the model's plug."""
        if self.model.plugged(self._now_ns()):
            self.line.plug()
        else:
            self.line.unplug()

    def close(self) -> None:
        """Forget what is still to be sent and take the line away."""
        for handle in self._handles:
            handle.cancel()
        self._handles.clear()
        self.line.unplug()

    def _send(self, deliveries: tuple[Delivery, ...]) -> None:
        for delivery in deliveries:
            done_ns = delivery.at_ns + line_ns(len(delivery.data), self._baud)
            self._later(done_ns, partial(self._put, delivery))

    def _put(self, delivery: Delivery) -> None:
        self.line.write(delivery.data)
        self.on_delivered(delivery.whole)

    def _later(self, at_ns: int, call: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        delay_s = max(at_ns - self._now_ns(), 0) / 1e9

        def run() -> None:
            self._handles.discard(handle)
            call()

        handle = loop.call_later(delay_s, run)
        self._handles.add(handle)

    def _feed(self, data: bytes) -> None:
        self._buffer = (self._buffer + data)[-BUFFER_MAX:]
        if self._family is Family.HONEYWELL:
            self._commands(_HONEYWELL, self._honeywell)
        elif self._family is Family.NEWLAND:
            self._commands(_NEWLAND, self._newland)

    def _commands(
        self, pattern: re.Pattern[bytes], take: Callable[[re.Match[bytes]], None]
    ) -> None:
        while (found := pattern.search(self._buffer)) is not None:
            self._buffer = self._buffer[found.end() :]
            self.commands += 1
            take(found)

    def _honeywell(self, found: re.Match[bytes]) -> None:
        trigger, menu, end = found.groups()
        if trigger is not None:
            self._trigger(trigger == b"T")
        else:
            self.line.write(menu + b"\x06" + end)

    def _newland(self, found: re.Match[bytes]) -> None:
        start, kind, command = found.groups()
        if start is not None:
            self._trigger(True)
            return
        if command in (b"SCNTRG0", b"SCNTRG1"):
            self._trigger(command == b"SCNTRG1")
        self.line.write(b"\x02\x010000" + kind + command + b"\x06;\x03")

    def _trigger(self, on: bool) -> None:
        self._send(self.model.set_trigger(on, self._now_ns()))
