"""Waiting for a condition that another task or callback makes true."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

LOOK_S = 0.002


async def until(met: Callable[[], bool], *, within_s: float = 5.0) -> None:
    """Return as soon as *met*; fail after *within_s*."""
    async with asyncio.timeout(within_s):
        while not met():  # noqa: ASYNC110 - what is waited for sets no event
            await asyncio.sleep(LOOK_S)


async def until_asked(
    met: Callable[[], Awaitable[bool]], *, within_s: float = 5.0, every_s: float = 0.02
) -> None:
    """Return as soon as the question *met* is answered by True; fail after *within_s*."""
    async with asyncio.timeout(within_s):
        while not await met():  # noqa: ASYNC110 - the answer comes from another process or wire
            await asyncio.sleep(every_s)
