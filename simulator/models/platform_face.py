"""The part of a simulated platform that is the same for all: faults, pace, memory, late requests.

One verified request passes four stages, each of which a fault may bend: it arrives (or not), the
books act on it (or not), its answer is written and signed (or not), the bytes travel (or not). The
books see a request at the instant it arrives; the delay is the answer's way back. A platform adds
what only it knows: how a request is verified, what its books say, how an answer is written.
Nothing sleeps and nothing keeps a clock, so the same face serves a real HTTP server and a world in
virtual time.
"""

from __future__ import annotations

import heapq
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from simulator.models.faults import Fault, FaultBoard, FaultView, Fired, PlatformFault, Stage
from simulator.models.platform_values import CallView, Charge, Randomness, TradeView
from simulator.models.platform_wire import (
    MAX_BODY_BYTES,
    NS_PER_MS,
    Fields,
    HttpRequest,
    Reply,
    broken,
    framing,
)
from tolling.evolve import quick

MAX_CALLS_KEPT = 100_000
"""Calls kept for the auditor, the oldest fall out; a demo makes a few hundred."""
MAX_LATE = 1_024
"""Requests held by PROCESSED_LATE at once; more are never processed."""

_OWN_ANSWER = frozenset(
    {PlatformFault.BUSINESS_REFUSED, PlatformFault.CANCEL_REFUSED, PlatformFault.CANCEL_LIES}
)
"""Business faults that answer in place of the books."""
_MAY_CARRY_OUT = frozenset({PlatformFault.HTTP_5XX, PlatformFault.GATEWAY_ERROR})
_BURST = (PlatformFault.GATEWAY_ERROR, PlatformFault.BUSINESS_REFUSED, PlatformFault.HTTP_5XX)


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request that was known to be the merchant's."""

    call: str
    """pay, query, cancel, refund, refund_query, or a call only this platform has."""
    method: str
    """What the platform calls it."""
    number: str
    """The order it names, or empty text."""
    fields: Fields = field(repr=False)
    """What it says; a pay code is among it."""
    charset: str = "utf-8"
    signer: str = ""
    """Which key the caller wants the answer signed with, where the platform has several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the platform says, before it is written and signed."""

    fields: Fields
    code: str
    """The platform's code, for the list of calls."""
    sub_code: str = ""
    status: int = 200
    signed: bool = True
    file: bytes | None = None
    """A file instead of members: the body, unsigned."""
    file_type: str = ""
    """Its content type."""


class PlatformFace(ABC):
    """One platform with one merchant. Every call names its instant; instants never go backwards."""

    def __init__(
        self, *, rng: Randomness, wall_base_ns: int, latency_ms: int, jitter_ms: int
    ) -> None:
        self._rng = rng
        self._wall_base_ns = wall_base_ns
        self._faults = FaultBoard(dice=rng)
        self._latency_ms = latency_ms
        self._jitter_ms = jitter_ms
        self._calls: deque[CallView] = deque(maxlen=MAX_CALLS_KEPT)
        self._late: list[tuple[int, int, Asked]] = []
        self._late_no = 0
        self._now_ns = 0

    @property
    def latency_ms(self) -> tuple[int, int]:
        """The present latency and its jitter."""
        return self._latency_ms, self._jitter_ms

    def set_latency_ms(self, latency_ms: int, jitter_ms: int = 0) -> None:
        """Answer every later request after *latency_ms* plus 0..*jitter_ms*, both 0..600,000."""
        assert 0 <= latency_ms <= 600_000, "latency: 0..600000 ms"
        assert 0 <= jitter_ms <= 600_000, "jitter: 0..600000 ms"
        self._latency_ms, self._jitter_ms = latency_ms, jitter_ms

    def calls(self) -> tuple[CallView, ...]:
        """Return the requests that came to the platform, oldest first, without codes or keys."""
        return tuple(self._calls)

    def inject(self, fault: Fault, now_ns: int) -> int:
        """Arm *fault* and return its number."""
        return self._faults.inject(fault, now_ns)

    def clear_fault(self, fault_id: int | None = None) -> bool:
        """Disarm one fault, or all. Returns False where the number is unknown."""
        return self._faults.clear(fault_id)

    def faults(self, now_ns: int) -> tuple[FaultView, ...]:
        """Return every fault still known with its counts."""
        return self._faults.views(now_ns)

    def handle(self, request: HttpRequest, now_ns: int) -> Reply:
        """Take one HTTP request at *now_ns* and return what happens to its connection."""
        self._advance(now_ns)
        if len(request.body) > MAX_BODY_BYTES:
            return self._plain(413, b"Request Entity Too Large\n")
        return self._take(request)

    @abstractmethod
    def books(self, now_ns: int) -> tuple[TradeView, ...]:
        """Return every trade as the books stand at *now_ns*, in the order they were made."""

    @abstractmethod
    def charges_of(self, buyer_id: str, now_ns: int) -> tuple[Charge, ...]:
        """Return what the buyer's phone remembers of having paid."""

    @abstractmethod
    def buyers(self) -> tuple[str, ...]:
        """Return every buyer that ever held a code."""

    @abstractmethod
    def _take(self, request: HttpRequest) -> Reply:
        """Find out what is asked and by whom; ``_serve`` it, or refuse it."""

    @abstractmethod
    def _bring_books_to(self, now_ns: int) -> None:
        """Let happen what is due in the books up to *now_ns*."""

    @abstractmethod
    def _ask_books(self, asked: Asked, now_ns: int, fault: Fault | None) -> Answer:
        """Carry a call out; *fault* may be PASSWORD_WAIT or CHARGED_WRONG."""

    @abstractmethod
    def _refused(self, asked: Asked, fault: Fault) -> Answer:
        """Return the signed refusal that BUSINESS_REFUSED or CANCEL_REFUSED speaks of."""

    @abstractmethod
    def _cancel_lie(self, asked: Asked) -> Answer:
        """Return what a cancel that was carried out would answer."""

    @abstractmethod
    def _error(self, asked: Asked, kind: PlatformFault, sub_code: str) -> Answer:
        """Return the answer of GATEWAY_ERROR, BUSINESS_REFUSED (a system error in the business
        layer) or UNSIGNED_ERROR."""

    @abstractmethod
    def _write(self, asked: Asked, answer: Answer, fired: Fired | None, delay_ns: int) -> Reply:
        """Write and sign an answer, bent by a fault of the answer stage."""

    def _advance(self, now_ns: int) -> None:
        """Bring the books up to *now_ns*, requests held back included, in order of time."""
        assert now_ns >= self._now_ns, "time goes forward"
        while self._late and self._late[0][0] <= now_ns:
            at_ns, _, asked = heapq.heappop(self._late)
            self._bring_books_to(at_ns)
            self._now_ns = at_ns
            answer = self._ask_books(asked, at_ns, None)
            self._note(asked, (), answer, carried_out=True)
        self._bring_books_to(now_ns)
        self._now_ns = now_ns

    def _serve(self, asked: Asked) -> Reply:
        """Let a verified request pass all stages."""
        drawn = self._faults.draw(asked.call, self._now_ns)
        kinds = tuple(fired.fault.kind.value for fired in drawn.values())
        arrival = drawn.get(Stage.ARRIVAL)
        delay_ns = self._delay_ns(drawn)
        if arrival is not None:
            return self._arrival(asked, arrival, delay_ns, kinds)
        business = drawn[Stage.BUSINESS].fault if Stage.BUSINESS in drawn else None
        untouched = business is not None and _keeps_from_books(business)
        answer = self._carry_out(asked, business)
        self._note(asked, kinds, answer, carried_out=not untouched)
        reply = self._write(asked, answer, drawn.get(Stage.ANSWER), delay_ns)
        return _transport(reply, drawn.get(Stage.TRANSPORT))

    def _arrival(self, asked: Asked, fired: Fired, delay_ns: int, kinds: tuple[str, ...]) -> Reply:
        """Return what a fault before the books makes of a request."""
        fault = fired.fault
        kind = fault.kind
        if kind is PlatformFault.ERROR_BURST:
            kind = _BURST[(fired.count - 1) % len(_BURST)]
        carried_out = fault.carried_out and fault.kind in _MAY_CARRY_OUT
        if carried_out:
            self._ask_books(asked, self._now_ns, None)
        answer: Answer | None = None
        reply = broken(fault.ms * NS_PER_MS)
        if kind is PlatformFault.PROCESSED_LATE:
            self._hold(asked, fault.ms)
        elif kind is PlatformFault.HTTP_5XX:
            reply = self._plain(502, b"<html><h1>502 Bad Gateway</h1></html>\n", delay_ns=delay_ns)
        elif kind is PlatformFault.HTTP_429:
            retry = ("Retry-After", "1")
            reply = self._plain(429, b"Too Many Requests\n", retry, delay_ns=delay_ns)
        elif kind is PlatformFault.CERTIFICATE_EXPIRED:
            reply = replace(broken(0), unsent=True)
        elif kind is not PlatformFault.DROPPED_BEFORE:
            answer = self._error(asked, kind, fault.sub_code)
            reply = self._write(asked, answer, None, delay_ns)
        self._note(asked, kinds, answer, carried_out=carried_out)
        return reply

    def _carry_out(self, asked: Asked, fault: Fault | None) -> Answer:
        """Let the books do what the call asks, bent by a business fault."""
        if fault is None or fault.kind not in _OWN_ANSWER:
            return self._ask_books(asked, self._now_ns, fault)
        if not _keeps_from_books(fault):
            self._ask_books(asked, self._now_ns, None)
        if fault.kind is PlatformFault.CANCEL_LIES:
            return self._cancel_lie(asked)
        return self._refused(asked, fault)

    def _hold(self, asked: Asked, ms: int) -> None:
        if len(self._late) >= MAX_LATE:
            return
        self._late_no += 1
        heapq.heappush(self._late, (self._now_ns + ms * NS_PER_MS, self._late_no, asked))

    def _plain(
        self, status: int, body: bytes, *more: tuple[str, str], delay_ns: int | None = None
    ) -> Reply:
        """Return what a proxy says in its own words, unsigned."""
        delay = self._delay_ns({}) if delay_ns is None else delay_ns
        headers = (*framing("text/html", len(body), self._wall_ns), *more)
        return Reply(status=status, headers=headers, body=body, delay_ns=delay)

    @property
    def _wall_ns(self) -> int:
        """The platform's own wall clock, unix time in ns."""
        return self._wall_base_ns + self._now_ns

    def _delay_ns(self, drawn: dict[Stage, Fired]) -> int:
        jitter = self._rng.randrange(self._jitter_ms + 1) if self._jitter_ms else 0
        slow = drawn.get(Stage.PACE)
        extra = 0 if slow is None else slow.fault.ms
        return (self._latency_ms + jitter + extra) * NS_PER_MS

    def _note(
        self, asked: Asked, kinds: tuple[str, ...], answer: Answer | None, *, carried_out: bool
    ) -> None:
        view = CallView(
            at_ns=self._now_ns,
            method=asked.method,
            out_trade_no=asked.number,
            carried_out=carried_out,
            code="" if answer is None else answer.code,
            sub_code="" if answer is None else answer.sub_code,
            faults=kinds,
        )
        self._calls.append(view)


def charged_extra_fen(fault: Fault | None) -> int:
    """Return what CHARGED_WRONG takes beyond what was asked."""
    return fault.fen if fault and fault.kind is PlatformFault.CHARGED_WRONG else 0


def password_wait_ms(fault: Fault | None) -> int | None:
    """Return how long PASSWORD_WAIT lets the buyer type, or None where it did not fire."""
    return fault.ms if fault and fault.kind is PlatformFault.PASSWORD_WAIT else None


_NUMBERS = ("out_trade_no", "orderId", "out_refund_no", "out_request_no")
"""Where the platforms' answers name what they are about."""
_LANE = slice(6, 9)
"""Of one of our numbers: its lane's digits."""
_OTHER_LANE = ("999", "998")


def foreign(fields: Mapping[str, object], fired: Fired | None) -> Fields:
    """Return an answer's fields, FOREIGN_ORDER's naming the same order of another lane."""
    said = dict(fields)
    if fired is None or fired.fault.kind is not PlatformFault.FOREIGN_ORDER:
        return said
    for name in _NUMBERS:
        number = said.get(name)
        if isinstance(number, str) and number:
            other = next(lane for lane in _OTHER_LANE if lane != number[_LANE])
            said[name] = number[: _LANE.start] + other + number[_LANE.stop :]
    return said


def _keeps_from_books(fault: Fault) -> bool:
    if fault.kind is PlatformFault.BUSINESS_REFUSED:
        return not fault.carried_out
    return fault.kind in (PlatformFault.CANCEL_REFUSED, PlatformFault.CANCEL_LIES)


def _transport(reply: Reply, fired: Fired | None) -> Reply:
    kind = None if fired is None else fired.fault.kind
    half = reply.body[: len(reply.body) // 2]
    if fired is not None and kind is PlatformFault.ANSWER_LOST:
        return broken(reply.delay_ns + fired.fault.ms * NS_PER_MS)
    if kind is PlatformFault.HALF_ANSWER:
        return replace(reply, body=half, dropped=True)
    if kind is PlatformFault.TRUNCATED:
        whole = [pair for pair in reply.headers if pair[0] != "Content-Length"]
        return replace(reply, body=half, headers=(*whole, ("Content-Length", str(len(half)))))
    return reply
