"""A platform over its network: one session, one request per call, and its outcome.

The client never asks twice and follows no redirect: whether a call may be made again is the
engine's to decide. A connection that was never made is told apart from an answer that never came:
the first sent nothing. One connection is kept warm (60 s) because a lane's cars come every 12 s
and a new TLS handshake costs a good part of the driver's two seconds.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import aiohttp

from plaza_server.platforms.calls import MAX_ANSWER_BYTES, HttpAnswer, HttpCall, PlatformOrder
from plaza_server.platforms.ports import PlatformCodec
from plaza_server.rules.calls import CallKind
from plaza_server.rules.outcomes import Evidence, PlatformOutcome, Unknown
from tolling.paycodes import PayCode

KEEP_ALIVE_S = 60
DNS_CACHE_S = 300
MAX_CONNECTIONS = 64
"""More calls at once than a plaza of 30 lanes and its resolver make."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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

    def __init__(self, codec: PlatformCodec, limits: ClientLimits | None = None) -> None:
        self._codec = codec
        self._limits = limits or ClientLimits()
        self._session: aiohttp.ClientSession | None = None
        self._skew_ms: int | None = None

    @property
    def name(self) -> str:
        """The platform's name."""
        return self._codec.name

    @property
    def skew_ms(self) -> int | None:
        """Platform clock minus ours by the last Date header; None before the first answer."""
        return self._skew_ms

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
        call = self._codec.build(kind, order, code=code, now_ms=now_ms)
        answer = await self._send(call, now_ms=now_ms, limit_ms=min(limit_ms, budget_ms))
        if isinstance(answer, Evidence):
            return Unknown(evidence=answer)
        return self._codec.read(kind, order, answer, now_ms=now_ms)

    async def probe(self, *, now_ms: int) -> PlatformOutcome:
        """Ask about no order: keeps a connection warm, and tells whether key and clock are good."""
        call = self._codec.probe(now_ms=now_ms)
        answer = await self._send(call, now_ms=now_ms, limit_ms=self._limits.other_ms)
        if isinstance(answer, Evidence):
            return Unknown(evidence=answer)
        return self._codec.read_probe(answer, now_ms=now_ms)

    async def _send(self, call: HttpCall, *, now_ms: int, limit_ms: int) -> HttpAnswer | Evidence:
        """Return the whole answer, or why there is none. One attempt."""
        if self._session is None or limit_ms <= 0:
            return Evidence.NOT_SENT
        timeout = aiohttp.ClientTimeout(
            total=limit_ms / 1000, connect=min(self._limits.connect_ms, limit_ms) / 1000
        )
        loop = asyncio.get_running_loop()
        started = loop.time()
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
        elapsed_ms = int((loop.time() - started) * 1000)
        self._note_skew(headers, now_ms + elapsed_ms)
        return HttpAnswer(status=status, headers=headers, body=body)

    def _note_skew(self, headers: tuple[tuple[str, str], ...], now_ms: int) -> None:
        for name, value in headers:
            if name.lower() != "date":
                continue
            try:
                said = parsedate_to_datetime(value)
            except ValueError:
                return
            if said.tzinfo is None:
                return
            # The header drops the part under a second, half a second on average.
            self._skew_ms = (said - _EPOCH) // timedelta(milliseconds=1) + 500 - now_ms
            return


async def _read_capped(response: aiohttp.ClientResponse) -> bytes | None:
    """Return the body, or None where it is longer than any answer of the protocol."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(16 * 1024):
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            return None
    return bytes(body)
