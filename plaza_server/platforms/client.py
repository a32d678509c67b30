"""A platform over its network: one session, one request per call, and its outcome.

The client follows no redirect and asks twice in one case only: a query that is silent is asked once
more beside itself, over another connection, at the platform's second address where it has one. It
moves nothing, and the first answer that proves anything counts. Whether any other call may be made
again is the engine's to decide.

A connection that was never made is told apart from an answer that never came: the first sent
nothing. Connections are kept for 60 s after their last use, because a lane's cars come every 12 s
and a new TLS handshake costs a good part of the driver's two seconds; through quiet hours a probe
(``shell/platform_watch.py``) keeps one alive.

A client whose answers nobody could verify yet (WeChat's certificates are still being fetched) is
not ready: it sends nothing at all, so no payment is made in the dark.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

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
from plaza_server.rules.outcomes import NO_ANSWER, Evidence, PlatformOutcome, Unknown
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
    hedge_query_ms: int | None = None
    """A query silent for so long is asked once more beside itself; None: never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """The same platform at two addresses, scheme and host each."""

    first: str
    second: str

    def at_second(self, call: HttpCall) -> HttpCall:
        """Return *call* as it goes to the second address; no signature covers a host."""
        assert call.url.startswith(self.first), "a call of this platform"
        return replace(call, url=self.second + call.url.removeprefix(self.first))


_HEDGED = frozenset({CallKind.QUERY, CallKind.REFUND_QUERY})
MAX_HEDGES = 16
"""Second queries under way at once: a platform that answers nothing is not asked twice as much."""


class HttpPlatformClient:
    """One platform, spoken as its codec says."""

    def __init__(
        self,
        codec: PlatformCodec,
        limits: ClientLimits | None = None,
        *,
        ready: Callable[[], bool] = lambda: True,
        addresses: Addresses | None = None,
    ) -> None:
        """Make the client; no session is opened.

        Args:   ready: whether answers can be verified; while not, no call is sent.
                addresses: where the platform has two; None: a second query goes to the same.
        """
        self._codec = codec
        self._limits = limits or ClientLimits()
        self._ready = ready
        self._session: aiohttp.ClientSession | None = None
        self._skew_ms: int | None = None
        self._last_s: float | None = None
        self._under_way = 0
        self._addresses = addresses
        self._hedges = 0

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
        """Make one call and return what it proves. Once, but for a query that is silent."""
        limit_ms = self._limits.pay_ms if kind is CallKind.PAY else self._limits.other_ms
        if not self._ready():
            return Unknown(evidence=Evidence.NOT_SENT)
        limit_ms = min(limit_ms, budget_ms)
        hedge_ms = self._limits.hedge_query_ms
        if kind in _HEDGED and hedge_ms is not None and hedge_ms < limit_ms:
            return await self._hedged(
                kind, order, now_ms=now_ms, limit_ms=limit_ms, hedge_ms=hedge_ms
            )
        return await self._once(kind, order, code=code, now_ms=now_ms, limit_ms=limit_ms)

    async def _hedged(
        self, kind: CallKind, order: PlatformOrder, *, now_ms: int, limit_ms: int, hedge_ms: int
    ) -> PlatformOutcome:
        """Ask, and ask once more where that is silent; the first answer that proves anything."""
        async with asyncio.TaskGroup() as tasks:
            first = tasks.create_task(
                self._once(kind, order, code=None, now_ms=now_ms, limit_ms=limit_ms),
                name=f"{self.name} {kind.value}",
            )
            await asyncio.wait({first}, timeout=hedge_ms / 1000)
            if first.done() or self._hedges >= MAX_HEDGES:
                return await first
            self._hedges += 1
            try:
                second = tasks.create_task(
                    self._once(
                        kind,
                        order,
                        code=None,
                        now_ms=now_ms + hedge_ms,
                        limit_ms=limit_ms - hedge_ms,
                        at_second=True,
                    ),
                    name=f"{self.name} {kind.value} again",
                )
                return await _first_proof(first, second)
            finally:
                self._hedges -= 1

    async def _once(
        self,
        kind: CallKind,
        order: PlatformOrder,
        *,
        code: PayCode | None,
        now_ms: int,
        limit_ms: int,
        at_second: bool = False,
    ) -> PlatformOutcome:
        call = self._codec.build(kind, order, code=code, now_ms=now_ms)
        if at_second and self._addresses is not None:
            call = self._addresses.at_second(call)
        answer, came_ms = await self.exchange(call, now_ms=now_ms, limit_ms=limit_ms)
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


async def _first_proof(*asked: asyncio.Task[PlatformOutcome]) -> PlatformOutcome:
    """Return the first answer that proves anything, and ask no longer; else what is worth an alarm,
    else that nothing came."""
    waiting = set(asked)
    while waiting:
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in asked:
            if task in done and not isinstance(task.result(), Unknown):
                for other in waiting:
                    other.cancel()
                return task.result()
    told = [task.result() for task in asked]
    heard = (each for each in told if isinstance(each, Unknown) and each.evidence not in NO_ANSWER)
    return next(heard, told[0])


async def _read_capped(response: aiohttp.ClientResponse) -> bytes | None:
    """Return the body, or None where it is longer than any answer of the protocol."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(16 * 1024):
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            return None
    return bytes(body)
