"""The auditor's taps: every message at the broker, every answer of the plaza to a lane.

The lanes of a judged run reach the plaza through a small reverse proxy on loopback that keeps the
answers' bodies; requests are passed on and not kept (one of them holds a pay code). When the plaza
is away the lane's connection breaks, as it would without the proxy.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
import aiomqtt
from aiohttp import web

from simulator.auditor import Tapped
from simulator.platforms.server import serving

KEPT_MAX = 200_000
"""Messages kept; a judged run of 1,000 vehicles makes some 50,000."""
RETRY_S = 0.2
LONGEST_CALL_S = 90.0
"""A lane's own deadlines are all shorter."""
BODY_MAX = 4 << 20
_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "te", "upgrade", "content-length", "host"}
)


class Tap:
    """What was seen, in order."""

    def __init__(self, now_us: Callable[[], int]) -> None:
        """*now_us*: the plant's clock."""
        self._now_us = now_us
        self.seen: list[Tapped] = []
        self.listening = asyncio.Event()
        """Set while the broker holds the tap's subscription."""

    def note(self, channel: str, data: bytes) -> None:
        """Keep one message or answer. The auditor reads it as text."""
        assert len(self.seen) < KEPT_MAX, "a judged run is bounded"
        text = data.decode("utf-8", errors="replace")
        self.seen.append(Tapped(at_us=self._now_us(), channel=channel, text=text))

    async def listen(self, *, host: str, port: int, user: str, password: str) -> None:
        """Hear every topic until cancelled; connect again whenever the broker is back."""
        while True:
            try:
                async with aiomqtt.Client(
                    host,
                    port,
                    username=user,
                    password=password,
                    protocol=aiomqtt.ProtocolVersion.V311,
                    keepalive=5,
                    timeout=5,
                ) as client:
                    await client.subscribe("toll/#", qos=1)
                    self.listening.set()
                    async for message in client.messages:
                        if isinstance(message.payload, bytes | bytearray):
                            self.note(str(message.topic), bytes(message.payload))
            except aiomqtt.MqttError:
                pass
            self.listening.clear()
            await asyncio.sleep(RETRY_S)


class PlazaProxy:
    """Stands between lanes and plaza and hands the answers to a tap."""

    def __init__(self, tap: Tap, session: aiohttp.ClientSession, target: str) -> None:
        """*target*: the plaza's address."""
        self._tap = tap
        self._session = session
        self._target = target

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Serve while the block runs; give the address for the lanes."""
        app = web.Application(client_max_size=BODY_MAX)
        app.router.add_route("*", "/{rest:.*}", self._pass_on)
        async with serving(app) as port:
            yield f"http://127.0.0.1:{port}"

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        kept = {k: v for k, v in request.headers.items() if k.lower() not in _HOP_BY_HOP}
        try:
            async with self._session.request(
                request.method,
                self._target + request.raw_path,
                data=body or None,
                headers=kept,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=LONGEST_CALL_S),
            ) as answer:
                told = await answer.read()
        except (aiohttp.ClientError, TimeoutError):
            if request.transport is not None:
                request.transport.abort()
            raise web.HTTPBadGateway from None
        self._tap.note(f"{request.method} {request.path} {answer.status}", told)
        back = {k: v for k, v in answer.headers.items() if k.lower() not in _HOP_BY_HOP}
        return web.Response(status=answer.status, body=told, headers=back)
