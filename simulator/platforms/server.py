"""An HTTP server on loopback for a platform's face, and the control API beside it.

The face says what happens to a connection and when; this server does it: it waits, writes, writes
half, or breaks the connection. Connections are kept alive.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

LOOPBACK = "127.0.0.1"
"""The control API hands out money, so nothing here listens on any other address."""
KEEP_ALIVE_S = 75.0
"""Longer than the 60 s a merchant's client keeps a connection, so that the client closes first."""
SHUTDOWN_S = 0.25
"""Answers still waiting for their delay when the server ends are dropped after this long."""


class PortTakenError(Exception):
    """The port asked for cannot be bound."""


@asynccontextmanager
async def serving(app: web.Application, *, port: int = 0) -> AsyncIterator[int]:
    """Serve *app* on loopback while the block runs; give its port. *port* 0 takes a free one.

    Raises: PortTakenError: somebody else has *port*.
    """
    # A caller that hangs up ends the wait for its answer; what it asked for is done already.
    runner = web.AppRunner(
        app,
        access_log=None,
        handler_cancellation=True,
        keepalive_timeout=KEEP_ALIVE_S,
        shutdown_timeout=SHUTDOWN_S,
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, LOOPBACK, port)
        try:
            await site.start()
        except OSError as error:
            raise PortTakenError(
                f"{LOOPBACK}:{port}: {error.strerror}; name another port, or 0 for a free one"
            ) from error
        bound = runner.addresses[0]
        yield int(bound[1])
    finally:
        async with asyncio.timeout(SHUTDOWN_S + 5):
            await runner.cleanup()
