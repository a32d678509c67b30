"""One byte stream to one device: a serial line or a TCP port, owned by one task.

``run`` opens the line, hands over what arrives, and when the line breaks waits a growing time and
opens it again. What was received before a break is the old connection's business: the owner of the
bytes resets its parser in ``on_up``, so half a frame never meets the other half of another one.

Writes are whole: the bytes of one call reach the line together or the line is closed. A caller that
stops waiting abandons the answer, not the bytes.

The serial library logs received bytes at debug level; they may be pay codes, so its loggers are
held at warning here, where the library is used.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import termios
from collections.abc import Callable
from dataclasses import dataclass

import serialx

from hw.links.backoff import Backoff
from hw.links.urls import SerialUrl, TcpUrl
from tolling.errors import DeviceBusyError, DeviceTimeoutError, DeviceUnavailableError

OPEN_TIMEOUT_S = 1.0
CLOSE_TIMEOUT_S = 0.5
WRITE_TIMEOUT_S = 2.0
"""2 kB at 9600 baud; a line that takes nothing for that long is broken."""
READ_SIZE = 4096
PENDING_BYTES_MAX = 4096
"""Bytes that may wait for a slow line before further writes are refused."""
NODE_CHECK_S = 0.1
"""How soon a device file that has come back is noticed while waiting."""
KEEPALIVE_IDLE_S = 5
STEADY_S = 1.0
"""A line that held this long was good: its next loss is a new one and is tried again at once."""
_LINE_ERRORS = (OSError, termios.error, serialx.SerialException)
"""What an opened or broken line raises: a path that is no terminal gives termios.error, which is no
OSError."""

logging.getLogger("serialx").setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamHandler:
    """What the owner of a stream wants to hear. Called synchronously; must not block or raise."""

    on_up: Callable[[], None]
    """The line is open, nothing was received on it yet."""
    on_down: Callable[[str], None]
    """The line is gone, with a reason for people; once per loss, and once where it was never
    there."""
    on_bytes: Callable[[bytes], None]
    """Bytes as they arrived, 1..4096."""


class StreamLink:
    """A serial line or TCP stream that comes back by itself."""

    def __init__(self, url: SerialUrl | TcpUrl, handler: StreamHandler, backoff: Backoff) -> None:
        self._url = url
        self._handler = handler
        self._backoff = backoff
        self._writer: asyncio.StreamWriter | None = None
        self._down_told = False
        self._drop_reason = ""

    @property
    def is_up(self) -> bool:
        """Whether the line is open."""
        return self._writer is not None

    async def run(self) -> None:
        """Own the line until cancelled."""
        while True:
            try:
                async with asyncio.timeout(OPEN_TIMEOUT_S):
                    reader, writer = await _open(self._url)
            except _LINE_ERRORS as error:
                self._tell_down(_reason(error))
            else:
                await self._serve(reader, writer)
            await self._wait(self._backoff.next_s())

    def write_nowait(self, data: bytes) -> None:
        """Put *data* on the line behind what waits there.

        Raises: DeviceUnavailableError: the line is not open. DeviceBusyError: it takes no more.
        """
        writer = self._writer
        if writer is None or writer.is_closing():
            raise DeviceUnavailableError(where=str(self._url), what="the line is not open")
        if writer.transport.get_write_buffer_size() + len(data) > PENDING_BYTES_MAX:
            raise DeviceBusyError(where=str(self._url), what="the line takes no more bytes")
        try:
            writer.write(data)
        except _LINE_ERRORS as error:
            raise DeviceUnavailableError(where=str(self._url), what=_reason(error)) from None

    async def write(self, data: bytes) -> None:
        """Put *data* on the line; return when the system has taken all of it.

        Raises: DeviceUnavailableError, DeviceBusyError, DeviceTimeoutError (the line is then opened
        anew).
        """
        self.write_nowait(data)
        writer = self._writer
        assert writer is not None
        try:
            async with asyncio.timeout(WRITE_TIMEOUT_S):
                await writer.drain()
        except TimeoutError:
            self.drop("the line takes no bytes")
            raise DeviceTimeoutError(where=str(self._url), what="the line takes no bytes") from None
        except _LINE_ERRORS as error:
            raise DeviceUnavailableError(where=str(self._url), what=_reason(error)) from None

    def drop(self, why: str) -> None:
        """Close the line and open it again; *why* is told to on_down."""
        if self._writer is not None:
            self._drop_reason = why
            self._writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.set_write_buffer_limits(high=0)
        self._writer, self._drop_reason, self._down_told = writer, "", False
        reason = "the other end closed the line"
        clock = asyncio.get_running_loop().time
        opened_at = clock()
        try:
            self._handler.on_up()
            while data := await reader.read(READ_SIZE):
                self._handler.on_bytes(data)
        except _LINE_ERRORS as error:
            reason = _reason(error)
        finally:
            self._writer = None
            if clock() - opened_at >= STEADY_S:
                self._backoff.reset()
            writer.transport.abort()
            with contextlib.suppress(*_LINE_ERRORS):
                async with asyncio.timeout(CLOSE_TIMEOUT_S):
                    await writer.wait_closed()
        self._tell_down(self._drop_reason or reason)

    def _tell_down(self, reason: str) -> None:
        if not self._down_told:
            self._down_told = True
            self._handler.on_down(reason)

    async def _wait(self, seconds: float) -> None:
        """Wait, but not for a device file that has just come back."""
        if not isinstance(self._url, SerialUrl) or os.path.exists(self._url.path):
            await asyncio.sleep(seconds)
            return
        while seconds > 0:
            await asyncio.sleep(min(seconds, NODE_CHECK_S))
            seconds -= NODE_CHECK_S
            if os.path.exists(self._url.path):
                return


async def _open(url: SerialUrl | TcpUrl) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if isinstance(url, SerialUrl):
        return await serialx.open_serial_connection(
            url.path,
            baudrate=url.baud,
            parity=serialx.Parity(url.parity),
            stopbits=serialx.StopBits(url.stop_bits),
            byte_size=url.byte_size,
            exclusive=True,
        )
    reader, writer = await asyncio.open_connection(url.host, url.port)
    connected = writer.get_extra_info("socket")
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_S)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
    return reader, writer


def _reason(error: Exception) -> str:
    """Return what happened to a line, for people; never bytes from it."""
    if not isinstance(error, OSError):
        return "the device file is no serial line or refuses its settings"
    if isinstance(error, TimeoutError):
        return "the line does not open"
    if isinstance(error, FileNotFoundError):
        return "there is no such device file"
    if isinstance(error, ConnectionRefusedError):
        return "the connection was refused"
    text = os.strerror(error.errno) if error.errno else type(error).__name__
    return f"the line broke: {text}"
