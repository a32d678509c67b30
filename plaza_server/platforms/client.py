"""A platform over its network: one session, one request per call, and its outcome.

The client never asks twice and follows no redirect: whether a call may be made again is the
engine's to decide. A connection that was never made is told apart from an answer that never came:
the first sent nothing. Connections are kept for 60 s after their last use, because a lane's cars
come every 12 s and a new TLS handshake costs a good part of the driver's two seconds; through
quiet hours a probe (``shell/platform_watch.py``) keeps one alive.

A client whose answers nobody could verify yet (WeChat's certificates are still being fetched) is
not ready: it sends nothing at all, so no payment is made in the dark.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp

from plaza_server.platforms.calls import (
    MAX_ANSWER_BYTES,
    HttpAnswer,
    HttpCall,
    PlatformOrder,
    skew_of,
)
from plaza_server.platforms.ports import PlatformCodec
from plaza_server.rules.calls import CallKind
from plaza_server.rules.outcomes import Evidence, PlatformOutcome, Unknown
from tolling.paycodes import PayCode

KEEP_ALIVE_S = 60
DNS_CACHE_S = 300
MAX_CONNECTIONS = 64
"""More calls at once than a plaza of 30 lanes and its resolver make."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientLimits:
    """How long a call may take. Milliseconds."""

    connect_ms: int = 500
    """Past this the platform is not reachable: nothing was sent."""
    pay_ms: int = 2500
    """Past this a pay is unknown and queried: the driver waits."""
    other_ms: int = 10_000
    """Query, cancel and refund are off the driver's path or repeated; the engine's own deadline is
    mostly shorter."""


class HttpPlatformClient:
    """One platform, spoken as its codec says."""

    def __init__(
        self,
        codec: PlatformCodec,
        limits: ClientLimits | None = None,
        *,
        ready: Callable[[], bool] = lambda: True,
    ) -> None:
        """Make the client; no session is opened.

        Args:   ready: whether answers can be verified; while not, no call is sent.
        """
        self._codec = codec
        self._limits = limits or ClientLimits()
        self._ready = ready
        self._session: aiohttp.ClientSession | None = None
        self._skew_ms: int | None = None
        self._last_s: float | None = None
        self._under_way = 0

    @property
    def name(self) -> str:
        """The platform's name."""
        return self._codec.name

    @property
    def skew_ms(self) -> int | None:
        """Platform clock minus ours by the last answer's Date header; None where it had none."""
        return self._skew_ms

    @property
    def ready(self) -> bool:
        """Whether answers can be verified, so that calls are sent."""
        return self._ready()

    @property
    def idle_s(self) -> float | None:
        """Seconds since a whole answer came, over a connection that may still be open; 0 while one
        is awaited; None where there was none, or the last call had none."""
        if self._under_way:
            return 0.0
        if self._last_s is None:
            return None
        return asyncio.get_running_loop().time() - self._last_s

    async def start(self) -> None:
        """Open the session; no connection is made yet."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=MAX_CONNECTIONS, keepalive_timeout=KEEP_ALIVE_S, ttl_dns_cache=DNS_CACHE_S
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept-Encoding": "identity", "User-Agent": "open-toll-lane"},
            auto_decompress=False,
            trust_env=False,
        )

    async def close(self) -> None:
        """Close the session and its connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def call(
        self,
        kind: CallKind,
        order: PlatformOrder,
        *,
        code: PayCode | None,
        now_ms: int,
        budget_ms: int,
    ) -> PlatformOutcome:
        """Make one call, once, and return what it proves."""
        limit_ms = self._limits.pay_ms if kind is CallKind.PAY else self._limits.other_ms
        if not self._ready():
            return Unknown(evidence=Evidence.NOT_SENT)
        call = self._codec.build(kind, order, code=code, now_ms=now_ms)
        answer, came_ms = await self.exchange(
            call, now_ms=now_ms, limit_ms=min(limit_ms, budget_ms)
        )
        if isinstance(answer, Evidence):
            return Unknown(evidence=answer)
        return self._codec.read(kind, order, answer, now_ms=came_ms)

    async def probe(self, *, now_ms: int) -> PlatformOutcome:
        """Ask about no order: keeps a connection warm, and tells whether key and clock are good."""
        if not self._ready():
            return Unknown(evidence=Evidence.NOT_SENT)
        call = self._codec.probe(now_ms=now_ms)
        answer, came_ms = await self.exchange(call, now_ms=now_ms)
        if isinstance(answer, Evidence):
            return Unknown(evidence=answer)
        return self._codec.read_probe(answer, now_ms=came_ms)

    async def exchange(
        self, call: HttpCall, *, now_ms: int, limit_ms: int | None = None
    ) -> tuple[HttpAnswer | Evidence, int]:
        """Send one request, once; return the whole answer or why there is none, and when it came.

        Ready or not: this is also how what makes a client ready is fetched.

        Args:   now_ms: UTC wall clock as it begins. limit_ms: None: as for calls other than pay.
        """
        began_s = asyncio.get_running_loop().time()
        self._under_way += 1
        try:
            answer = await self._send(
                call, limit_ms=self._limits.other_ms if limit_ms is None else limit_ms
            )
        finally:
            self._under_way -= 1
        ended_s = asyncio.get_running_loop().time()
        came_ms = now_ms + int((ended_s - began_s) * 1000)
        if isinstance(answer, HttpAnswer):
            self._skew_ms = skew_of(answer, now_ms=came_ms)
        self._last_s = ended_s if isinstance(answer, HttpAnswer) else None
        return answer, came_ms

    async def _send(self, call: HttpCall, *, limit_ms: int) -> HttpAnswer | Evidence:
        """Return the whole answer, or why there is none. One attempt."""
        if self._session is None or limit_ms <= 0:
            return Evidence.NOT_SENT
        timeout = aiohttp.ClientTimeout(
            total=limit_ms / 1000, connect=min(self._limits.connect_ms, limit_ms) / 1000
        )
        try:
            async with self._session.request(
                call.method,
                call.url,
                data=call.body or None,
                headers=dict(call.headers),
                timeout=timeout,
                allow_redirects=False,
            ) as response:
                body = await _read_capped(response)
                headers = tuple((k, v) for k, v in response.headers.items())
                status = response.status
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            return Evidence.NOT_SENT
        except (aiohttp.ClientError, TimeoutError, OSError):
            # Also a connection that died under a request: it may have arrived.
            return Evidence.TIMEOUT
        if body is None:
            return Evidence.GARBLED
        return HttpAnswer(status=status, headers=headers, body=body)


async def _read_capped(response: aiohttp.ClientResponse) -> bytes | None:
    """Return the body, or None where it is longer than any answer of the protocol."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(16 * 1024):
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            return None
    return bytes(body)
