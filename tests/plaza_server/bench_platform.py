"""A payment platform of the bench: does what it is told, and else what an honest one does."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from plaza_server.engine import CallKind
from plaza_server.rules.orders import Order
from plaza_server.rules.outcomes import (
    CancelDone,
    Closed,
    Evidence,
    NotThere,
    Paid,
    PlatformOutcome,
    RefundDone,
    RefundRefused,
    Unknown,
    Waiting,
)

EPOCH_MS = 1_795_000_000_000
TIMEOUT = Unknown(evidence=Evidence.TIMEOUT)


@dataclass
class Trade:
    """What the platform knows of one order number."""

    amount_fen: int
    state: str
    """waiting | paid | closed"""
    refunded_fen: int = 0
    refunds: dict[str, int] = field(default_factory=dict)

    def under(self, number: str) -> int:
        """Return what was given back under a refund number; a cancel has none of its own."""
        return self.refunds.get(number, 0 if self.refunds else self.refunded_fen)


Move = tuple[PlatformOutcome, int]
"""An answer and after how many milliseconds it arrives; past the deadline it is lost."""
Act = Callable[["Platform", Any], Move]


@dataclass
class Platform:
    """A platform that does what it is told, and else what an honest one does."""

    acts: dict[CallKind, deque[Act]] = field(default_factory=dict)
    always: dict[CallKind, Act] = field(default_factory=dict)
    trades: dict[str, Trade] = field(default_factory=dict)
    calls: list[tuple[CallKind, str]] = field(default_factory=list)
    delay_ms: int = 300

    def script(self, kind: CallKind, *acts: Act) -> None:
        """Append acts for the next calls of *kind*."""
        self.acts.setdefault(kind, deque()).extend(acts)

    def call(self, kind: CallKind, order: Any) -> Move:
        """Carry out one call."""
        self.calls.append((kind, order.out_trade_no))
        waiting = self.acts.get(kind)
        if waiting:
            return waiting.popleft()(self, order)
        if kind in self.always:
            return self.always[kind](self, order)
        return self.honest(kind, order), self.delay_ms

    def honest(self, kind: CallKind, order: Any) -> PlatformOutcome:
        """Return an honest platform's answer, and do what it says."""
        trade = self.trades.get(order.out_trade_no)
        match kind:
            case CallKind.PAY:
                assert trade is None, "pay was sent twice"
                self.trades[order.out_trade_no] = Trade(order.toll_fen, "paid")
                return self.paid(order)
            case CallKind.QUERY:
                return NotThere() if trade is None else self.query(order, trade)
            case CallKind.CANCEL:
                if trade is None:
                    return NotThere()
                gave = trade.state == "paid"
                if gave:
                    trade.refunded_fen = trade.amount_fen
                trade.state = "closed"
                return CancelDone(gave_back=gave)
            case CallKind.REFUND:
                assert trade is not None
                assert trade.state == "paid"
                trade.refunds[str(order.out_refund_no)] = order.refund_fen
                trade.refunded_fen = total = sum(trade.refunds.values())
                assert total <= trade.amount_fen, "more given back than taken"
                return RefundDone(refunded_total_fen=total)
            case CallKind.REFUND_QUERY:
                assert trade is not None
                under = trade.under(str(order.out_refund_no))
                none = RefundRefused(detail="no_such_refund", final=False)
                return RefundDone(refunded_total_fen=under) if under else none

    def paid(self, order: Order) -> Paid:
        """Return a capture as it stands in the platform's books."""
        trade = self.trades[order.out_trade_no]
        return Paid(
            captured_fen=trade.amount_fen,
            provider_txn_id=f"T{order.out_trade_no}",
            paid_at_ms=EPOCH_MS,
            refunded_fen=trade.refunded_fen,
        )

    def query(self, order: Order, trade: Trade) -> PlatformOutcome:
        """Return what a query says of a trade."""
        if trade.state == "waiting":
            return Waiting()
        if trade.state == "closed":
            return Closed(refunded_fen=trade.refunded_fen)
        return self.paid(order)

    def count(self, kind: CallKind) -> int:
        """Return how many calls of *kind* there were."""
        return sum(1 for each, _ in self.calls if each is kind)

    @property
    def net_fen(self) -> int:
        """What this platform holds for us."""
        return sum(
            trade.amount_fen - trade.refunded_fen
            for trade in self.trades.values()
            if trade.state == "paid" or trade.refunded_fen
        )


def says(outcome: PlatformOutcome, after_ms: int = 300) -> Act:
    """Answer *outcome* and do nothing."""
    return lambda platform, order: (outcome, after_ms)


def waits(platform: Platform, order: Order) -> Move:
    """Begin to wait for the payer's password."""
    platform.trades[order.out_trade_no] = Trade(order.toll_fen, "waiting")
    return Waiting(), 300


def charges_silently(platform: Platform, order: Order) -> Move:
    """Charge, and lose the answer."""
    platform.trades[order.out_trade_no] = Trade(order.toll_fen, "paid")
    return TIMEOUT, 60_000


def charges(amount_fen: int) -> Act:
    """Charge another amount and say so."""

    def act(platform: Platform, order: Order) -> Move:
        platform.trades[order.out_trade_no] = Trade(amount_fen, "paid")
        return platform.paid(order), 300

    return act
