"""Modbus on wires: TCP, RTU over TCP and RTU on a pty, with several units behind one line.

Requests are carried out when they arrive and answered when the line and the faults let them: a slow
unit answers each request late, under its own transaction; nothing sleeps. On a serial line bytes
take their time by the baud rate and a unit that is not there says nothing; a TCP device says "no
answer".
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from enum import StrEnum

from simulator.emulators.modbus_frames import (
    BrokenStreamError,
    Request,
    RtuFramer,
    TcpFramer,
    line_ns,
)
from simulator.emulators.modbus_pdu import GATEWAY_NO_ANSWER, answer, is_write, refusal
from simulator.emulators.modbus_units import IoUnit
from simulator.emulators.pty_line import PtyLine
from simulator.emulators.tcp_server import serving
from simulator.models.io_modules import IoModules

BROADCAST = 0
TURNAROUND_NS = 2_000_000
"""What a serial module takes to think."""
SILENCE_S = 0.05
"""Bytes farther apart belong to two frames; generous, for a pty's reader is not a UART."""
CHUNK = 4_096
Write = Callable[[bytes], None]


class Wire(StrEnum):
    """How a lane reaches its modules."""

    TCP = "modbus+tcp"
    RTU = "modbus+rtu"
    RTU_TCP = "rtu+tcp"


class ModbusHub:
    """The units on one line of one lane."""

    def __init__(
        self,
        io: IoModules,
        units: Mapping[int, IoUnit],
        now_ns: Callable[[], int],
        *,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._io = io
        self._units = dict(units)
        self._now_ns = now_ns
        self._changed = changed
        self.requests = 0

    def take(self, request: Request, *, serial: bool) -> tuple[bytes | None, int, bool]:
        """Carry out one request. Returns: answer or None, delay in ns, whether it gets
        corrupted."""
        self.requests += 1
        if serial and request.device_id == BROADCAST:
            self._broadcast(request)
            return None, 0, False
        unit = self._units.get(request.device_id)
        if unit is None:
            return (None if serial else refusal(request.pdu, GATEWAY_NO_ANSWER)), 0, False
        fate = self._io.transfer(unit.module, self._now_ns())
        if not fate.arrives:
            return None, 0, False
        pdu = answer(request.pdu, unit)
        if is_write(request.pdu):
            self._changed()
        return (pdu if fate.answered else None), fate.delay_ns, fate.corrupted

    def _broadcast(self, request: Request) -> None:
        if not is_write(request.pdu):
            return
        for unit in self._units.values():
            if self._io.transfer(unit.module, self._now_ns()).arrives:
                answer(request.pdu, unit)
        self._changed()


class _TcpPeer:
    """One TCP connection, with TCP or RTU framing."""

    def __init__(self, hub: ModbusHub, write: Write, *, rtu: bool) -> None:
        self._hub = hub
        self._write = write
        self._rtu = rtu
        self._framer: TcpFramer | RtuFramer = RtuFramer() if rtu else TcpFramer()

    def feed(self, data: bytes) -> None:
        """Answer what *data* asks. Raises: BrokenStreamError."""
        loop = asyncio.get_running_loop()
        for request in self._framer.feed(data):
            pdu, delay_ns, corrupted = self._hub.take(request, serial=self._rtu)
            if pdu is None:
                continue
            frame = self._framer.frame(request, pdu)
            if corrupted:
                frame = corrupt(frame, rtu=self._rtu)
            if delay_ns:
                loop.call_later(delay_ns / 1e9, self._write, frame)
            else:
                self._write(frame)


def corrupt(frame: bytes, *, rtu: bool) -> bytes:
    """Return *frame* with one byte wrong: on RTU the CRC shows it, on TCP another transaction."""
    at = len(frame) - 1 if rtu else 1
    return frame[:at] + bytes([frame[at] ^ 0xFF]) + frame[at + 1 :]


@asynccontextmanager
async def serving_tcp(hub: ModbusHub, *, rtu: bool = False, port: int = 0) -> AsyncIterator[int]:
    """Serve *hub* on loopback while the block runs; give its port. Raises: OSError: port taken."""

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def write(data: bytes) -> None:
            if not writer.is_closing():
                writer.write(data)

        lane = _TcpPeer(hub, write, rtu=rtu)
        while data := await reader.read(CHUNK):
            try:
                lane.feed(data)
            except BrokenStreamError:
                return

    async with serving(peer, port=port) as bound:
        yield bound


class RtuLine:
    """RTU units on a pty: one request after the other, paced by the line's baud rate."""

    def __init__(self, hub: ModbusHub, line: PtyLine, *, baud: int = 9_600) -> None:
        self._hub = hub
        self._line = line
        self._baud = baud
        self._framer = RtuFramer()
        self._heard_at = 0.0
        self._free_at = 0.0
        line.on_bytes = self._feed

    @property
    def bad_frames(self) -> int:
        """Return how many frames came with a wrong CRC, or cut off."""
        return self._framer.bad_frames

    def _feed(self, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        if now - self._heard_at > SILENCE_S:
            self._framer.silence()
        self._heard_at = now
        for request in self._framer.feed(data):
            pdu, delay_ns, corrupted = self._hub.take(request, serial=True)
            if pdu is None:
                continue
            frame = self._framer.frame(request, pdu)
            if corrupted:
                frame = corrupt(frame, rtu=True)
            # A pty is as fast as memory; a line is not: the request's own bytes took their time,
            # and the answer is there when its last byte is.
            wire_ns = line_ns(len(request.pdu) + 3 + len(frame), self._baud)
            self._free_at = max(self._free_at, now) + (wire_ns + TURNAROUND_NS + delay_ns) / 1e9
            loop.call_at(self._free_at, self._line.write, frame)
