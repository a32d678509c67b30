"""A line between two processes passes bytes as they come, or is as bad as it is told to be."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from simulator.stack.proxy import GOOD, Cut, Manners, Proxy, Way
from tests.simulator.waiting import until

pytestmark = [pytest.mark.wire, pytest.mark.asyncio]


class Echo:
    """A server that says everything back."""

    def __init__(self) -> None:
        self.heard = b""
        self.ended = 0
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Echo one connection."""
        try:
            while data := await reader.read(4_096):
                self.heard += data
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            self.ended += 1
            writer.close()


@asynccontextmanager
async def line() -> AsyncIterator[tuple[Proxy, Echo]]:
    """Give a good line to an echo."""
    echo = Echo()
    server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
    echo.port = server.sockets[0].getsockname()[1]
    subject = Proxy("a line")
    subject.lead_to(("127.0.0.1", echo.port))
    async with server, subject.serving():
        yield subject, echo


@asynccontextmanager
async def talk(subject: Proxy) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Give a connection through the line."""
    reader, writer = await asyncio.open_connection("127.0.0.1", subject.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def is_over(reader: asyncio.StreamReader) -> bool:
    """Return whether the connection ends without another byte."""
    try:
        async with asyncio.timeout(5):
            return await reader.read(100) == b""
    except ConnectionError:
        return True


async def test_a_good_line_passes_everything_both_ways_and_hands_a_goodbye_on() -> None:
    """A megabyte comes back whole; the end of one side is told to the other."""
    sent = bytes(range(256)) * 4_096
    async with line() as (subject, echo), talk(subject) as (reader, writer):
        writer.write(sent)
        writer.write_eof()
        assert await reader.readexactly(len(sent)) == sent
        assert await reader.read() == b""
        assert echo.heard == sent
        assert subject.counts.bytes_to_server == subject.counts.bytes_to_client == len(sent)


@pytest.mark.parametrize("cut", list(Cut))
async def test_a_cut_line_breaks_what_is_open_and_takes_nobody(cut: Cut) -> None:
    """An open connection ends, a new one is refused or reset; a mended line carries again."""
    async with line() as (subject, echo):
        async with talk(subject) as (reader, writer):
            writer.write(b"before")
            assert await reader.readexactly(6) == b"before"
            subject.behave(Manners(cut=cut))
            assert await is_over(reader)
        if cut is Cut.REFUSE:
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", subject.port)
        else:
            async with talk(subject) as (reader, _):
                assert await is_over(reader)
        subject.behave(GOOD)
        async with talk(subject) as (reader, writer):
            writer.write(b"after")
            assert await reader.readexactly(5) == b"after"
        await until(lambda: echo.ended == 2)


async def test_a_dead_server_refuses_and_the_next_one_is_found_on_the_same_port() -> None:
    """Nobody behind the line: refused, as the dead process would; its successor is led to."""
    async with line() as (subject, echo):
        port = subject.port
        subject.lead_to(None)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        subject.lead_to(("127.0.0.1", echo.port))
        async with talk(subject) as (reader, writer):
            writer.write(b"x")
            assert await reader.readexactly(1) == b"x"
        assert subject.port == port


async def test_a_hung_line_takes_and_swallows_and_resets_when_it_is_good_again() -> None:
    """Nothing comes and nobody is told; what lost bytes is never taken for whole."""
    async with line() as (subject, echo), talk(subject) as (reader, writer):
        writer.write(b"before")
        assert await reader.readexactly(6) == b"before"
        subject.behave(Manners(hang=True))
        async with talk(subject) as (new_reader, new_writer):
            writer.write(b"old connection")
            new_writer.write(b"new connection")
            await until(lambda: subject.counts.swallowed == 28)
            subject.behave(GOOD)
            assert await is_over(reader)
            assert await is_over(new_reader)
        assert echo.heard == b"before"


async def test_each_direction_is_late_by_its_own_time() -> None:
    """60 ms there and 120 ms back: the answer takes both, in order."""
    late = Manners(to_server=Way(delay_ms=60), to_client=Way(delay_ms=120, jitter_ms=5))
    async with line() as (subject, _), talk(subject) as (reader, writer):
        subject.behave(late)
        began_s = time.monotonic()
        for number in range(5):
            writer.write(b"%d" % number)
            await writer.drain()
        assert await reader.readexactly(5) == b"01234"
        assert time.monotonic() - began_s >= 0.18


async def test_a_narrow_line_carries_so_many_bytes_a_second() -> None:
    """2,000 bytes at 10,000 a second, there and back at once, take 0.2 s at least."""
    narrow = Way(bytes_per_s=10_000)
    async with line() as (subject, _), talk(subject) as (reader, writer):
        subject.behave(Manners(to_server=narrow, to_client=narrow))
        began_s = time.monotonic()
        writer.write(b"n" * 2_000)
        assert await reader.readexactly(2_000) == b"n" * 2_000
        assert time.monotonic() - began_s >= 0.15


async def test_a_line_drops_a_connection_after_so_many_bytes() -> None:
    """Both directions count; the byte after the last is not carried."""
    async with line() as (subject, echo), talk(subject) as (reader, writer):
        subject.behave(Manners(drop_after_bytes=10))
        writer.write(b"0123456")
        try:
            assert len(await reader.read(100)) <= 3
            assert await is_over(reader)
        except ConnectionError:
            pass  # A reset may overtake what was under way.
        assert echo.heard == b"0123456"
        carried = subject.counts.bytes_to_server + subject.counts.bytes_to_client
        assert carried == 10


async def test_a_reset_line_leaves_no_connection_behind() -> None:
    """Twenty talks in the middle of their bytes end with the line."""
    async with line() as (subject, echo):
        talks = [await asyncio.open_connection("127.0.0.1", subject.port) for _ in range(20)]
        for _, writer in talks:
            writer.write(b"x" * 1_000)
        await until(lambda: len(echo.heard) == 20_000)
        subject.behave(Manners(cut=Cut.RESET))
        await until(lambda: subject.connections == 0 and echo.ended == 20)
        for _, writer in talks:
            writer.transport.abort()
