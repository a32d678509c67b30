"""A TCP server on loopback whose connections end with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

LOOPBACK = "127.0.0.1"
"""Emulated devices are for this machine; nothing listens on another address."""
CONNECTIONS_MAX = 16
LINE_MAX = 4_096
Peer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(peer: Peer, *, port: int = 0) -> AsyncIterator[int]:
    """Serve each connection with *peer* while the block runs; give the port (0 takes a free one).

    Args:   peer: may raise OSError, which ends its connection.
    Raises: OSError: somebody else has *port*.
    """
    writers: set[asyncio.StreamWriter] = set()
    idle = asyncio.Event()
    idle.set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(writers) >= CONNECTIONS_MAX:
            writer.close()
            return
        writers.add(writer)
        idle.clear()
        try:
            await peer(reader, writer)
        except OSError:
            # The lane hung up in the middle of something: the same as hanging up after it.
            pass
        finally:
            writer.close()
            writers.discard(writer)
            if not writers:
                idle.set()

    server = await asyncio.start_server(serve, LOOPBACK, port, limit=LINE_MAX)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for writer in tuple(writers):
            writer.transport.abort()
        await idle.wait()
        await server.wait_closed()
