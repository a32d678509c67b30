"""What can go wrong at a payment platform: a frozen vocabulary, and which fault fires on which
request.

A fault is armed for the next *n* matching requests, for a span of time, or until it is cleared, and
may fire with a probability. Every fault is counted, so that a run can show that what it armed
really fired. One request takes at most one fault of each stage, in the order they were armed; SLOW
joins any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

MAX_ARMED = 64
"""Faults armed at once; a chaos run arms a handful, more is a loop in the caller."""
MAX_MS = 600_000
"""No fault holds a request longer than ten minutes."""


class FaultDice(Protocol):
    """The one source of chance, handed in; ``random.Random`` fits."""

    def randrange(self, stop: int, /) -> int:
        """Return an integer in 0..stop-1."""
        ...


class PlatformFault(StrEnum):
    """One way a platform misbehaves."""

    DROPPED_BEFORE = "dropped_before"
    """The request is never processed; the connection breaks after ``ms``."""
    PROCESSED_LATE = "processed_late"
    """The request lies in a queue for ``ms`` and is then carried out; its answer never comes."""
    HTTP_5XX = "http_5xx"
    """A proxy answers 502 in its own words; ``carried_out`` says whether the books saw the
    request."""
    HTTP_429 = "http_429"
    """A proxy answers 429; the books never saw the request."""
    GATEWAY_ERROR = "gateway_error"
    """The platform's own signed system error (Alipay 20000, WeChat 500 SYSTEM_ERROR, UnionPay 06);
    ``carried_out`` says whether the books saw the request."""
    ERROR_BURST = "error_burst"
    """In turn two kinds of signed system error (Alipay 20000, then 40004 ACQ.SYSTEM_ERROR) and a
    502, none of them carried out, until the fault is used up; then the platform works again."""
    UNSIGNED_ERROR = "unsigned_error"
    """An unsigned error with ``sub_code`` (Alipay 40002, WeChat 401 SIGN_ERROR): what a wrong
    configuration looks like."""
    BUSINESS_REFUSED = "business_refused"
    """A signed refusal with ``sub_code``; with ``carried_out`` the books did it all the same."""
    CANCEL_REFUSED = "cancel_refused"
    """Cancel (WeChat and UnionPay: reverse) is refused with ``sub_code``, to be tried again;
    nothing is done."""
    CANCEL_LIES = "cancel_lies"
    """Cancel says it closed the trade and does nothing."""
    PASSWORD_WAIT = "password_wait"
    """Pay asks for a password, whatever the wallet would do, and the buyer enters it after
    ``ms``."""
    CHARGED_WRONG = "charged_wrong"
    """Pay takes ``fen`` more than was asked; books and later answers say the wrong amount too."""
    WRONG_AMOUNT = "wrong_amount"
    """The answer names an amount ``fen`` higher than the books; its signature is good."""
    FOREIGN_ORDER = "foreign_order"
    """The answer is rightly signed and names another lane's order: a mix-up, or an answer to
    somebody else put in place of ours. The books are right."""
    AWKWARD_JSON = "awkward_json"
    """A legal answer written with blanks, escapes and a brace inside a text: a verifier that
    re-writes the JSON, or counts braces, calls it forged."""
    BAD_SIGNATURE = "bad_signature"
    """The answer's signature belongs to other bytes."""
    MISSING_SIGNATURE = "missing_signature"
    """The answer carries no signature."""
    DUPLICATE_NODE = "duplicate_node"
    """Behind the signed node stands a second one of the same name that says paid; in an answer that
    is signed whole, members that say paid stand twice and the signature covers the first half."""
    TRUNCATED = "truncated"
    """The body ends in its middle; the HTTP frame round it is whole."""
    HALF_ANSWER = "half_answer"
    """The connection breaks in the middle of the body."""
    ANSWER_LOST = "answer_lost"
    """Carried out; the connection breaks after ``ms`` more without a byte of answer."""
    SLOW = "slow"
    """Carried out at once, answered ``ms`` later than usual."""
    KEY_CHANGED = "key_changed"
    """The platform signs with a key the merchant has not been given yet."""
    SIGNATURE_PROBE = "signature_probe"
    """Carried out, but the answer's signature is a probe that must fail (WeChat: it begins
    ``WECHATPAY/SIGNTEST/``); on the other platforms a signature of other bytes."""
    STALE_ANSWER = "stale_answer"
    """The answer is signed for an instant ``ms`` ago, as a replayed one is (WeChat; the other
    platforms sign no instant, there it does nothing)."""
    CERTIFICATE_EXPIRED = "certificate_expired"
    """The TLS handshake fails: nothing of the request is sent. The simulated gateway speaks plain
    HTTP, so on wires the connection breaks at once."""


class Stage(StrEnum):
    """Where in a request's way a fault acts."""

    ARRIVAL = "arrival"
    """Before the books."""
    BUSINESS = "business"
    """What the books do."""
    ANSWER = "answer"
    """What the answer says or how it is signed."""
    TRANSPORT = "transport"
    """Whether the answer's bytes arrive."""
    PACE = "pace"
    """When they arrive."""


STAGES: dict[PlatformFault, Stage] = {
    PlatformFault.DROPPED_BEFORE: Stage.ARRIVAL,
    PlatformFault.PROCESSED_LATE: Stage.ARRIVAL,
    PlatformFault.HTTP_5XX: Stage.ARRIVAL,
    PlatformFault.HTTP_429: Stage.ARRIVAL,
    PlatformFault.GATEWAY_ERROR: Stage.ARRIVAL,
    PlatformFault.ERROR_BURST: Stage.ARRIVAL,
    PlatformFault.UNSIGNED_ERROR: Stage.ARRIVAL,
    PlatformFault.BUSINESS_REFUSED: Stage.BUSINESS,
    PlatformFault.CANCEL_REFUSED: Stage.BUSINESS,
    PlatformFault.CANCEL_LIES: Stage.BUSINESS,
    PlatformFault.PASSWORD_WAIT: Stage.BUSINESS,
    PlatformFault.CHARGED_WRONG: Stage.BUSINESS,
    PlatformFault.WRONG_AMOUNT: Stage.ANSWER,
    PlatformFault.FOREIGN_ORDER: Stage.ANSWER,
    PlatformFault.AWKWARD_JSON: Stage.ANSWER,
    PlatformFault.BAD_SIGNATURE: Stage.ANSWER,
    PlatformFault.MISSING_SIGNATURE: Stage.ANSWER,
    PlatformFault.DUPLICATE_NODE: Stage.ANSWER,
    PlatformFault.TRUNCATED: Stage.TRANSPORT,
    PlatformFault.HALF_ANSWER: Stage.TRANSPORT,
    PlatformFault.ANSWER_LOST: Stage.TRANSPORT,
    PlatformFault.SLOW: Stage.PACE,
    PlatformFault.KEY_CHANGED: Stage.ANSWER,
    PlatformFault.SIGNATURE_PROBE: Stage.ANSWER,
    PlatformFault.STALE_ANSWER: Stage.ANSWER,
    PlatformFault.CERTIFICATE_EXPIRED: Stage.ARRIVAL,
}

_ONLY_ON: dict[PlatformFault, str] = {
    PlatformFault.CANCEL_REFUSED: "cancel",
    PlatformFault.CANCEL_LIES: "cancel",
    PlatformFault.PASSWORD_WAIT: "pay",
    PlatformFault.CHARGED_WRONG: "pay",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault to arm."""

    kind: PlatformFault
    calls: tuple[str, ...] = ()
    """Which calls it hits: pay, query, cancel (reverse), refund, refund_query, certificates, bill,
    bill_file; empty = all it can hit."""
    skip: int = 0
    """Requests it could hit that go by before it fires at all."""
    times: int | None = 1
    """How often it fires before it is used up; None = until cleared."""
    for_ms: int | None = None
    """How long it stays armed; None = no limit of time."""
    permille: int = 1000
    """Chance of firing on a matching request, in thousandths, 1..1000."""
    ms: int = 0
    """Duration the kind speaks of, 0..600,000."""
    fen: int = 1
    """Amount the kind speaks of, 1 and up."""
    sub_code: str = ""
    """Sub code the kind speaks of; empty = the kind's usual one."""
    carried_out: bool = False
    """Whether the books see the request all the same, where the kind leaves it open."""

    def __post_init__(self) -> None:
        assert self.skip >= 0, "skip: 0 and up"
        assert self.times is None or self.times >= 1, "times: 1 and up, or none"
        assert self.for_ms is None or self.for_ms >= 1, "for_ms: 1 and up, or none"
        assert 1 <= self.permille <= 1000, "permille: 1..1000"
        assert 0 <= self.ms <= MAX_MS, "ms: 0..600000"
        assert self.fen >= 1, "fen: 1 and up"

    def hits(self, call: str) -> bool:
        """Return whether a request of *call* is one this fault speaks of."""
        only = _ONLY_ON.get(self.kind)
        if only is not None and call != only:
            return False
        return not self.calls or call in self.calls


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultView:
    """One armed or used-up fault and its counts."""

    fault_id: int
    fault: Fault
    armed: bool
    """Whether it may still fire."""
    seen: int
    """Requests it could have hit while armed."""
    fired: int
    """Requests it did hit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fired:
    """One fault that acts on the request in hand."""

    fault: Fault
    count: int
    """How often it has fired, this time included."""


@dataclass(slots=True, kw_only=True)
class _Armed:
    fault_id: int
    fault: Fault
    until_ns: int | None
    cleared: bool = False
    seen: int = 0
    fired: int = 0

    def armed(self, now_ns: int) -> bool:
        if self.cleared or (self.until_ns is not None and now_ns >= self.until_ns):
            return False
        return self.fault.times is None or self.fired < self.fault.times


class FaultBoard:
    """The faults of one platform."""

    def __init__(self, *, dice: FaultDice) -> None:
        self._dice = dice
        self._board: dict[int, _Armed] = {}
        self._next_id = 1

    def inject(self, fault: Fault, now_ns: int) -> int:
        """Arm *fault* and return its number; used-up ones make room, oldest first."""
        live = sum(entry.armed(now_ns) for entry in self._board.values())
        assert live < MAX_ARMED, f"{MAX_ARMED} faults are armed already: clear some"
        for fault_id in [k for k, entry in self._board.items() if not entry.armed(now_ns)]:
            if len(self._board) < MAX_ARMED:
                break
            del self._board[fault_id]
        until = None if fault.for_ms is None else now_ns + fault.for_ms * 1_000_000
        entry = _Armed(fault_id=self._next_id, fault=fault, until_ns=until)
        self._board[entry.fault_id] = entry
        self._next_id += 1
        return entry.fault_id

    def clear(self, fault_id: int | None = None) -> bool:
        """Disarm one fault, or all; counts stay. Returns False where the number is unknown."""
        if fault_id is None:
            for entry in self._board.values():
                entry.cleared = True
            return True
        found = self._board.get(fault_id)
        if found is None:
            return False
        found.cleared = True
        return True

    def views(self, now_ns: int) -> tuple[FaultView, ...]:
        """Return every fault still known, in the order they were armed."""
        return tuple(
            FaultView(
                fault_id=entry.fault_id,
                fault=entry.fault,
                armed=entry.armed(now_ns),
                seen=entry.seen,
                fired=entry.fired,
            )
            for entry in self._board.values()
        )

    def draw(self, call: str, now_ns: int) -> dict[Stage, Fired]:
        """Return the faults that act on a request of *call*, at most one a stage; counts them."""
        drawn: dict[Stage, Fired] = {}
        for entry in self._board.values():
            stage = STAGES[entry.fault.kind]
            if stage in drawn or not entry.armed(now_ns) or not entry.fault.hits(call):
                continue
            entry.seen += 1
            if entry.seen <= entry.fault.skip:
                continue
            if entry.fault.permille < 1000 and self._dice.randrange(1000) >= entry.fault.permille:
                continue
            entry.fired += 1
            drawn[stage] = Fired(fault=entry.fault, count=entry.fired)
        return drawn
