"""A TCP proxy that can be a bad line: cut, hung, slow, narrow, or gone after so many bytes.

Strategy: one proxy stands on one line between two processes and keeps its port for its whole life,
so that nobody's file has to change when the process behind it comes back elsewhere. What the line
does now is one value (``Manners``); it holds for connections that are open already too. Bytes
arrive in order or not at all: a connection that lost some is reset before anybody could take the
rest for whole.

All of it runs in one asyncio loop; nothing here may be called from another thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol

LOOPBACK = "127.0.0.1"
CHUNK = 65_536
UNDER_WAY_MAX = 64
"""Pieces of one direction that may be on a slow line; whoever sends more has to wait."""
PIECES_A_SECOND = 20
"""A narrow line hands its bytes on in pieces of a twentieth of a second."""
BACKLOG = 128
_NO_LINGER = struct.pack("ii", 1, 0)
"""Linux: closing sends a reset in place of a goodbye. Source: socket(7)."""


class Cut(StrEnum):
    """How a line is cut."""

    REFUSE = "refuse"
    """Nothing listens: a connection is refused, as by a machine whose process is gone."""
    RESET = "reset"
    """A connection is taken and reset, as by a firewall."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One direction of a line."""

    delay_ms: int = 0
    """How much later every byte arrives."""
    jitter_ms: int = 0
    """Drawn anew for each piece, 0..jitter_ms; pieces never overtake each other."""
    bytes_per_s: int = 0
    """0: as fast as it goes."""

    def __post_init__(self) -> None:
        assert self.delay_ms >= 0, "delay_ms: 0 and up"
        assert self.jitter_ms >= 0, "jitter_ms: 0 and up"
        assert self.bytes_per_s >= 0, "bytes_per_s: 0 and up"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """What a line does."""

    cut: Cut | None = None
    hang: bool = False
    """Connections are accepted and every byte is swallowed; nobody is told."""
    to_server: Way = Way()
    to_client: Way = Way()
    drop_after_bytes: int | None = None
    """A connection is reset once it has carried so many bytes, both directions together."""


GOOD = Manners()
"""Everything passes as it comes."""


class Listener(Protocol):
    """Hears the bytes of one connection as they are handed on."""

    def asked(self, data: bytes) -> None:
        """Bytes went to the server."""
        ...

    def answered(self, data: bytes) -> None:
        """Bytes went to the client."""
        ...


class _Deaf:
    def asked(self, data: bytes) -> None:
        del data

    def answered(self, data: bytes) -> None:
        del data


@dataclass(slots=True, eq=False)
class _Talk:
    """One connection through the proxy."""

    near: asyncio.StreamWriter
    listener: Listener
    far: asyncio.StreamWriter | None = None
    carried: int = 0
    swallowed: bool = False
    """Bytes were lost: the connection cannot go on when the line is good again."""

    closed: bool = False
    """It ended well."""

    def close(self) -> None:
        """End it once all is written."""
        self.closed = True
        for end in (self.near, self.far):
            if end is not None:
                end.close()

    def reset(self) -> None:
        """End it at once, without a goodbye: the other end reads a reset."""
        for end in (self.near, self.far):
            if end is not None:
                held = end.get_extra_info("socket")
                with contextlib.suppress(OSError):
                    held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
                end.transport.abort()


@dataclass(slots=True)
class Counts:
    """What a line has seen."""

    connections: int = 0
    refused: int = 0
    """Connections accepted and reset, or whose server took none."""
    bytes_to_server: int = 0
    bytes_to_client: int = 0
    swallowed: int = 0


@dataclass(slots=True)
class _State:
    target: tuple[str, int] | None = None
    manners: Manners = GOOD
    talks: set[_Talk] = field(default_factory=set)


class Proxy:
    """One line. ``serving`` opens it; ``lead_to`` and ``behave`` change it at any time."""

    def __init__(
        self,
        name: str,
        *,
        seed: int = 0,
        listen: Callable[[], Listener] = _Deaf,
    ) -> None:
        """Make it; nobody stands behind it yet, so connections are refused.

        Args:   seed: of the jitter. listen: makes the listener of each new connection.
        """
        self.name = name
        self.counts = Counts()
        self._listen = listen
        self._dice = random.Random(f"{seed}/line/{name}")
        self._state = _State()
        self._tasks: asyncio.TaskGroup | None = None
        self._carrying: set[asyncio.Task[None]] = set()
        self._holder: socket.socket | None = None
        self._door: socket.socket | None = None
        self.port = 0

    @property
    def manners(self) -> Manners:
        """Return what the line does now."""
        return self._state.manners

    @property
    def connections(self) -> int:
        """Return how many connections are open."""
        return len(self._state.talks)

    def lead_to(self, target: tuple[str, int] | None) -> None:
        """The server is at (host, port) from now on; None: there is none, and connections are
        refused."""
        if target != self._state.target:
            self._state.target = target
            self._reset(lambda talk: True)
        self._follow()

    def behave(self, manners: Manners) -> None:
        """The line does this from now on."""
        before, self._state.manners = self._state.manners, manners
        if manners.cut is not None:
            self._reset(lambda talk: True)
        elif before.hang and not manners.hang:
            self._reset(lambda talk: talk.swallowed or talk.far is None)
        self._follow()

    def also(self, **changes: object) -> None:
        """Change a part of what the line does, by the names of ``Manners``."""
        self.behave(replace(self.manners, **changes))  # type: ignore[arg-type]

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Proxy]:
        """Hold the line's port while the block runs. Raises: OSError: there is none to be had."""
        assert self._holder is None, "one line is opened once"
        self._holder = _bound(0)
        self.port = int(self._holder.getsockname()[1])
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                self._follow()
                try:
                    yield self
                finally:
                    self._shut()
                    self._reset(lambda talk: True)
                    self._tasks = None
                    for task in self._carrying:
                        task.cancel()
        finally:
            self._holder.close()
            self._holder = None

    # ---- the door ----

    def _follow(self) -> None:
        """Listen only while somebody could answer: a dead server refuses, it does not hang up."""
        state = self._state
        open_now = state.manners.cut is not Cut.REFUSE and (
            state.target is not None or state.manners.hang or state.manners.cut is Cut.RESET
        )
        if self._tasks is None or not open_now:
            self._shut()
        elif self._door is None:
            # The holder keeps the port bound, so that nobody takes it while it is refused.
            door = _bound(self.port)
            door.listen(BACKLOG)
            door.setblocking(False)
            self._door = door
            asyncio.get_running_loop().add_reader(door, self._knock, door)

    def _shut(self) -> None:
        if self._door is not None:
            asyncio.get_running_loop().remove_reader(self._door)
            self._door.close()
            self._door = None

    def _knock(self, door: socket.socket) -> None:
        try:
            connection, _ = door.accept()
        except OSError:
            return  # Whoever knocked has gone again.
        connection.setblocking(False)
        assert self._tasks is not None, "the door is shut before the tasks end"
        task = self._tasks.create_task(self._carry(connection), name=f"{self.name} connection")
        self._carrying.add(task)
        task.add_done_callback(self._carrying.discard)
        self.counts.connections += 1

    def _reset(self, chosen: Callable[[_Talk], bool]) -> None:
        for talk in [talk for talk in self._state.talks if chosen(talk)]:
            talk.reset()

    # ---- one connection ----

    async def _carry(self, connection: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=connection)
        talk = _Talk(near=writer, listener=self._listen())
        self._state.talks.add(talk)
        try:
            state = self._state
            if state.manners.cut is not None:
                self.counts.refused += 1
                return
            if state.manners.hang:
                await self._swallow(reader)
                return
            far_reader = await self._reach(talk)
            if far_reader is None:
                self.counts.refused += 1
                return
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(reader, talk, True), name=f"{self.name} there")
                both.create_task(self._pump(far_reader, talk, False), name=f"{self.name} back")
            talk.close()
        finally:
            self._state.talks.discard(talk)
            if not talk.closed:
                talk.reset()

    async def _reach(self, talk: _Talk) -> asyncio.StreamReader | None:
        """Connect to the server; None where it takes nobody."""
        if self._state.target is None:
            return None
        try:
            reader, talk.far = await asyncio.open_connection(*self._state.target)
        except OSError:
            return None
        return reader

    async def _swallow(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(CHUNK):
                self.counts.swallowed += len(data)

    async def _pump(self, reader: asyncio.StreamReader, talk: _Talk, there: bool) -> None:
        """Carry one direction until it ends. A goodbye is handed on; anything else is a reset."""
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(UNDER_WAY_MAX)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._hand_on(under_way, talk, there), name="hand on")
                due_s = 0.0
                while data := await self._read(reader, there):
                    due_s = max(due_s, time.monotonic() + self._later_s(there))
                    await under_way.put((due_s, data))
                await under_way.put((due_s, b""))
        except* ConnectionError:
            talk.reset()

    async def _read(self, reader: asyncio.StreamReader, there: bool) -> bytes:
        speed = self._way(there).bytes_per_s
        return await reader.read(max(1, speed // PIECES_A_SECOND) if speed else CHUNK)

    def _way(self, there: bool) -> Way:
        manners = self._state.manners
        return manners.to_server if there else manners.to_client

    def _later_s(self, there: bool) -> float:
        way = self._way(there)
        jitter = self._dice.randrange(way.jitter_ms + 1) if way.jitter_ms else 0
        return (way.delay_ms + jitter) / 1_000

    async def _hand_on(
        self, under_way: asyncio.Queue[tuple[float, bytes]], talk: _Talk, there: bool
    ) -> None:
        writer = talk.far if there else talk.near
        assert writer is not None, "both ends are there"
        while True:
            due_s, data = await under_way.get()
            wait_s = due_s - time.monotonic()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            if not data:
                break
            if self._state.manners.hang or talk.swallowed:
                talk.swallowed = True
                self.counts.swallowed += len(data)
                continue
            await self._deliver(writer, talk, data, there)
            speed = self._way(there).bytes_per_s
            if speed:
                await asyncio.sleep(len(data) / speed)
        if not writer.transport.is_closing():
            with contextlib.suppress(OSError):
                writer.write_eof()

    async def _deliver(
        self, writer: asyncio.StreamWriter, talk: _Talk, data: bytes, there: bool
    ) -> None:
        """Write what the line still lets through."""
        most = self._state.manners.drop_after_bytes
        if most is not None:
            data = data[: max(0, most - talk.carried)]
        if data and not writer.transport.is_closing():
            talk.carried += len(data)
            if there:
                self.counts.bytes_to_server += len(data)
            else:
                self.counts.bytes_to_client += len(data)
            writer.write(data)
            (talk.listener.asked if there else talk.listener.answered)(data)
            await writer.drain()
        if most is not None and talk.carried >= most:
            talk.swallowed = True
            talk.reset()


def _bound(port: int) -> socket.socket:
    held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind((LOOPBACK, port))
    except OSError:
        held.close()
        raise
    return held
