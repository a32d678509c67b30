"""An ETC reader over the line-based JSON of docs/devices/etc.md.

A charge that ends without an answer is never assumed to have failed: the error says that it is not
known, and ``query`` asks. The reader makes a reference charge once, so asking and charging again
are both safe.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import assert_never

from hw.etc.codec_json import (
    ChargeAnswer,
    ChargeState,
    ErrorAnswer,
    Heartbeat,
    LineSplitter,
    TagSeen,
    Unknown,
    charge_line,
    parse_line,
    query_line,
)
from hw.links.backoff import Backoff, Jitter
from hw.links.health import HealthTracker
from hw.links.stream import StreamHandler, StreamLink
from hw.links.urls import TcpUrl
from hw.ports import OnEtcTag, OnHealth
from tolling.devices import Device, EtcOutcome, Health
from tolling.errors import (
    DeviceBusyError,
    DeviceError,
    DeviceProtocolError,
    DeviceUnavailableError,
)

SILENCE_S = 5.0
"""Heartbeats come every 2 s; two lost ones and a bit."""
PENDING_MAX = 8
VISITS_KEPT = 64
"""Visits remembered so that a repeated notice is reported once; a window holds one or two tags."""
REQUEST_ID_MAX = 1 << 31
_WHERE = "ETC reader"


class JsonEtcReader:
    """An ETC reader. Implements EtcReaderPort."""

    def __init__(
        self, url: TcpUrl, *, on_tag: OnEtcTag, on_health: OnHealth, jitter: Jitter
    ) -> None:
        self._on_tag = on_tag
        self._health = HealthTracker(Device.ETC, on_health)
        self._splitter = LineSplitter()
        self._pending: dict[int, tuple[str, asyncio.Future[ChargeAnswer]]] = {}
        self._visits: deque[str] = deque(maxlen=VISITS_KEPT)
        self._request_id = 0
        self._silence: asyncio.TimerHandle | None = None
        handler = StreamHandler(on_up=self._up, on_down=self._down, on_bytes=self._bytes)
        self._link = StreamLink(url, handler, Backoff(jitter))

    async def run(self) -> None:
        """Own the line until cancelled."""
        self._health.set(Health.CONNECTING, "not heard of yet")
        try:
            await self._link.run()
        finally:
            self._stop_timer()
            self._fail_pending("the reader's line was closed")

    async def charge(self, *, reference: str, tag_id: str, amount_fen: int) -> EtcOutcome:
        """Charge a tag once per reference.

        Raises: DeviceError: it is not known whether it was charged; ask by query.
        """

        def line(request_id: int) -> bytes:
            return charge_line(
                request_id=request_id, reference=reference, tag_id=tag_id, amount_fen=amount_fen
            )

        answer = await self._ask(reference, line)
        if answer.state is ChargeState.NONE:
            raise DeviceProtocolError(
                where=_WHERE, what="a charge was answered as if it were a query"
            )
        if answer.state is ChargeState.CHARGED and answer.charged_fen != amount_fen:
            raise DeviceProtocolError(
                where=_WHERE, what="another amount was charged than asked for"
            )
        return _outcome(answer)

    async def query(self, reference: str) -> EtcOutcome | None:
        """Return how a charge ended, None where it never began. Raises: DeviceError: not known."""
        answer = await self._ask(
            reference, lambda number: query_line(request_id=number, reference=reference)
        )
        return None if answer.state is ChargeState.NONE else _outcome(answer)

    async def _ask(self, reference: str, line: Callable[[int], bytes]) -> ChargeAnswer:
        if len(self._pending) >= PENDING_MAX:
            raise DeviceBusyError(where=_WHERE, what=f"{PENDING_MAX} requests are open")
        self._request_id = self._request_id % REQUEST_ID_MAX + 1
        number = self._request_id
        answer: asyncio.Future[ChargeAnswer] = asyncio.get_running_loop().create_future()
        self._pending[number] = (reference, answer)
        try:
            self._link.write_nowait(line(number))
            return await answer
        finally:
            self._pending.pop(number, None)

    def _up(self) -> None:
        self._splitter = LineSplitter()
        self._listen()

    def _down(self, why: str) -> None:
        self._stop_timer()
        self._fail_pending("the line broke; it is not known whether the tag was charged")
        self._health.set(Health.LOST, why)

    def _bytes(self, data: bytes) -> None:
        self._listen()
        try:
            for line in self._splitter.feed(data):
                self._take(line)
        except DeviceProtocolError as error:
            self._health.set(Health.DEGRADED, error.what)
            self._link.drop(error.what)

    def _take(self, line: bytes) -> None:
        """Act on one line. Raises: DeviceProtocolError."""
        message = parse_line(line)
        match message:
            case TagSeen():
                if message.visit not in self._visits:
                    self._visits.append(message.visit)
                    self._on_tag(message.tag)
            case ChargeAnswer():
                self._answer(message)
            case ErrorAnswer():
                refused = DeviceProtocolError(where=_WHERE, what="the reader refused the request")
                self._fail(message.request_id, refused)
            case Heartbeat() | Unknown():
                pass
            case _:
                assert_never(message)
        self._health.set(Health.OK, "answers")

    def _answer(self, message: ChargeAnswer) -> None:
        reference, answer = self._pending.get(message.request_id, ("", None))
        if answer is None or answer.done():
            return
        if reference != message.reference:
            raise DeviceProtocolError(where=_WHERE, what="an answer names another reference")
        answer.set_result(message)

    def _fail(self, number: int | None, error: DeviceError) -> None:
        _, answer = self._pending.get(number or 0, ("", None))
        if answer is not None and not answer.done():
            answer.set_exception(error)

    def _fail_pending(self, what: str) -> None:
        for number in tuple(self._pending):
            self._fail(number, DeviceUnavailableError(where=_WHERE, what=what))

    def _listen(self) -> None:
        """Start the 5 s after which silence means that the reader is gone."""
        self._stop_timer()
        loop = asyncio.get_running_loop()
        self._silence = loop.call_later(SILENCE_S, self._link.drop, "no line for 5 s")

    def _stop_timer(self) -> None:
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None


def _outcome(answer: ChargeAnswer) -> EtcOutcome:
    """Return an ended charge. Raises: DeviceBusyError, DeviceProtocolError: it has not ended so."""
    if answer.state is ChargeState.BUSY:
        raise DeviceBusyError(where=_WHERE, what="the charge is under way; ask again")
    if answer.state is ChargeState.CONFLICT:
        raise DeviceProtocolError(
            where=_WHERE, what="the reference was used for another tag or amount"
        )
    return EtcOutcome(
        reference=answer.reference,
        charged_fen=answer.charged_fen,
        txn_id=answer.txn_id,
        reason=answer.reason,
    )
