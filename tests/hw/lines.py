"""Line fakes for driver tests: ptys and TCP servers that script bytes, by the wire's own rules."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import struct
import termios
import time
import tty
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from hw.ports import Runs


async def until(condition: Callable[[], bool], *, within_s: float = 5.0) -> None:
    """Wait until *condition* holds; fail after *within_s*."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - the other end is bytes, not an event
            await asyncio.sleep(0.002)


def no_jitter() -> float:
    """The jitter of tests."""
    return 0.0


clock = time.monotonic_ns


@contextlib.asynccontextmanager
async def running(*ports: Runs) -> AsyncIterator[None]:
    """Run ports while the block lasts; the first ones outlive the later ones."""
    async with contextlib.AsyncExitStack() as stack:
        for port in ports:
            await stack.enter_async_context(_one(port))
        yield


@contextlib.asynccontextmanager
async def _one(port: Runs) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(port.run(), name=f"run {type(port).__name__}")
        await asyncio.sleep(0)
        try:
            yield
        finally:
            task.cancel()


class Pty:
    """A device on a pseudo terminal behind a stable link."""

    def __init__(self, link: Path) -> None:
        self.link = link
        self.received = bytearray()
        self._fds: tuple[int, int] | None = None

    def plug(self) -> None:
        """Put the device on its line."""
        master, slave = pty.openpty()
        tty.setraw(slave, termios.TCSANOW)
        os.set_blocking(master, False)
        self._fds = (master, slave)
        fresh = self.link.with_suffix(".new")
        fresh.symlink_to(os.ttyname(slave))
        fresh.replace(self.link)
        asyncio.get_running_loop().add_reader(master, self._read, master)

    def _read(self, master: int) -> None:
        with contextlib.suppress(OSError):
            self.received += os.read(master, 4096)

    def send(self, data: bytes) -> None:
        """Say *data*."""
        assert self._fds is not None
        os.write(self._fds[0], data)

    def unplug(self) -> None:
        """Pull the plug."""
        if self._fds is not None:
            master, slave = self._fds
            asyncio.get_running_loop().remove_reader(master)
            self.link.unlink()
            os.close(slave)
            os.close(master)
            self._fds = None


class TcpPeer:
    """A device behind a TCP port; one connection at a time is looked at."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.connections = 0
        self.port = 0
        self._writer: asyncio.StreamWriter | None = None
        self._server: asyncio.Server | None = None
        self._serving = 0

    async def __aenter__(self) -> TcpPeer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._server is not None
        self._server.close()
        self.hang_up()
        await until(lambda: self._serving == 0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.connections += 1
        self._serving += 1
        with contextlib.suppress(OSError):
            while data := await reader.read(4096):
                self.received += data
        writer.close()
        self._serving -= 1

    def send(self, data: bytes) -> None:
        """Say *data*."""
        assert self._writer is not None
        self._writer.write(data)

    def hang_up(self) -> None:
        """Close the connection."""
        if self._writer is not None:
            self._writer.transport.abort()


def crc16(data: bytes) -> bytes:
    """Return the Modbus CRC, low byte first."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return struct.pack("<H", crc)


class IoBox:
    """An I/O module as tables of bits: what it answers to one request's PDU. No library of the
    driver's.
    """

    def __init__(self) -> None:
        self.coils: dict[int, int] = {}
        self.discretes: dict[int, int] = {}
        self.log: list[tuple[int, int, int]] = []
        """(function, address, value or count) of every request."""
        self.exception: int | None = None

    @property
    def writes(self) -> list[tuple[int, int]]:
        """(address, value) of every FC 05."""
        return [(address, value) for function, address, value in self.log if function == 5]

    def answer(self, pdu: bytes) -> bytes:
        """Return the answer's PDU."""
        function, address, value = struct.unpack(">BHH", pdu[:5])
        self.log.append((function, address, value))
        if self.exception is not None:
            return bytes([function | 0x80, self.exception])
        if function == 5:
            if value in (0xFF00, 0):
                self.coils[address] = int(value == 0xFF00)
            return pdu[:5]
        table = self.coils if function == 1 else self.discretes
        bits = [table.get(address + offset, 0) for offset in range(value)]
        packed = bytearray((value + 7) // 8)
        for number, bit in enumerate(bits):
            packed[number // 8] |= bit << (number % 8)
        return bytes([function, len(packed)]) + bytes(packed)


class ModbusTcpBox:
    """IoBox behind Modbus/TCP; silent on wish."""

    def __init__(self, box: IoBox) -> None:
        self.box = box
        self.silent = False
        self.swallow: Callable[[bytes], bool] = lambda pdu: False
        """Requests that are carried out but not answered."""
        self.port = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> ModbusTcpBox:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await until(lambda: not self._writers)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readexactly(7)
                pdu = await reader.readexactly(struct.unpack(">H", head[4:6])[0] - 1)
                if self.silent:
                    continue
                answer = self.box.answer(pdu)
                if self.swallow(pdu):
                    continue
                writer.write(head[:4] + struct.pack(">H", len(answer) + 1) + head[6:] + answer)
        writer.close()
        self._writers.discard(writer)
