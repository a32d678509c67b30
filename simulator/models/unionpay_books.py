"""The gateway's books: transactions by orderId and txnTime, and what each call answers.

UNVERIFIED: from public copies of demo programs and from memory. Pay is accepted (00, or 05 where
the payer must type) and decided behind the answer; only a query tells the end, in origRespCode. A
pair of orderId and txnTime is single-use: the same again is 12 whatever it says. A reversal names
the payment's own pair, works until the end of its settlement day and stops what is not paid or
gives all of it back; a refund is a transaction of its own with a pair of its own.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from simulator.models.platform_values import (
    BuyerBehaviour,
    Charge,
    Randomness,
    RefundView,
    TradeView,
    beijing_moment,
)
from simulator.models.platform_wallets import Card
from simulator.models.platform_wire import NS_PER_MS
from simulator.models.unionpay_values import (
    MAX_AMOUNT_FEN,
    TEXTS,
    Code,
    UnionpayConfig,
    UnionpayState,
    settle_day,
)
from simulator.models.unionpay_wallets import UnionpayWallets
from simulator.models.unionpay_wire import Pairs

Key = tuple[str, str]
"""orderId and txnTime."""
_NUMBER = re.compile(r"[A-Za-z0-9]{8,40}", re.ASCII)
_TIME = re.compile(r"\d{14}", re.ASCII)
_AMOUNT = re.compile(r"[1-9]\d{0,11}", re.ASCII)
_ENDS = {
    BuyerBehaviour.PAYS: Code.OK,
    BuyerBehaviour.CONFIRMS: Code.OK,
    BuyerBehaviour.CLOSES_DIALOG: Code.FAILED,
    BuyerBehaviour.BALANCE_SHORT: Code.BALANCE,
    BuyerBehaviour.RISK_REFUSED: Code.RISK,
}
"""How a payment of such a buyer ends."""
_TYPES = (BuyerBehaviour.CONFIRMS, BuyerBehaviour.CLOSES_DIALOG, BuyerBehaviour.NEVER_CONFIRMS)


@dataclass(slots=True, kw_only=True)
class Payment:
    """One payment; only the books change it."""

    key: Key
    query_id: str
    trace_no: str
    card: Card
    terminal_id: str
    created_at_ns: int
    total_fen: int
    result: Code = Code.LATER
    """origRespCode as far as it is decided."""
    paid_at_ns: int | None = None
    ended_at_ns: int | None = None
    refunds: list[RefundView] = field(default_factory=list)

    @property
    def captured_fen(self) -> int:
        """All money taken, in fen."""
        return 0 if self.paid_at_ns is None else self.total_fen

    @property
    def refunded_fen(self) -> int:
        """All money given back or on its way back, in fen."""
        return sum(refund.amount_fen for refund in self.refunds)

    @property
    def state(self) -> UnionpayState:
        """Where it stands."""
        if self.result is Code.REVERSED:
            return UnionpayState.REVERSED
        if self.result is Code.LATER:
            return UnionpayState.PENDING
        return UnionpayState.PAID if self.paid_at_ns is not None else UnionpayState.FAILED


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """One refund with its payment."""

    key: Key
    query_id: str
    trace_no: str
    payment: Payment
    view: RefundView


class UnionpayBooks:
    """Transactions of one merchant and the calls that change them. Every call answers with pairs
    that hold respCode."""

    def __init__(
        self, *, config: UnionpayConfig, wallets: UnionpayWallets, rng: Randomness
    ) -> None:
        self._config = config
        self._wallets = wallets
        self._rng = rng
        self._payments: dict[Key, Payment] = {}
        self._by_query_id: dict[str, Payment] = {}
        self._refunds: dict[Key, Refund] = {}
        self._due: list[tuple[int, int, Key, Code]] = []
        self._due_no = 0
        self._numbered = 0

    def advance(self, now_ns: int) -> None:
        """Let payments be decided up to *now_ns*, in order of time."""
        while self._due and self._due[0][0] <= now_ns:
            at_ns, _, key, result = heapq.heappop(self._due)
            payment = self._payments[key]
            if payment.result is Code.LATER:
                payment.result = result
                if result is Code.OK:
                    payment.paid_at_ns = at_ns
                else:
                    payment.ended_at_ns = at_ns

    def pay(
        self, said: Pairs, now_ns: int, *, wait_ms: int | None = None, extra_fen: int = 0
    ) -> Pairs:
        """Carry out a consumer-presented payment, 01/06.

        Args:   wait_ms: a fault's password dialog of that length, whatever the wallet would do.
                extra_fen: a fault's surcharge on what was asked.
        """
        key = key_of(said)
        wrong = _wrong(said, key) or self._seen(key)
        if wrong is not None:
            return answer(wrong)
        code = said.get("qrNo", "")
        if not 1 <= len(code) <= 512:
            return answer(Code.MISSING)
        was_used = self._wallets.is_used(code)
        known = self._wallets.knows(code)
        card = self._wallets.take(code, now_ns)
        if card is None:
            gone = Code.CODE_STATE if was_used else Code.CODE_EXPIRED
            return answer(gone if known else Code.CODE_UNKNOWN)
        payment = self._open(said, key, card, now_ns, int(said["txnAmt"]) + extra_fen)
        closes_ns = now_ns + self._config.unpaid_close_ms * NS_PER_MS
        types = wait_ms is not None or card.behaviour in _TYPES
        if wait_ms is not None:
            self._schedule(now_ns + wait_ms * NS_PER_MS, key, Code.OK)
        elif card.behaviour in _ENDS:
            after_ms = card.after_ms if types else self._config.pays_after_ms
            self._schedule(now_ns + after_ms * NS_PER_MS, key, _ENDS[card.behaviour])
        self._schedule(closes_ns, key, Code.FAILED)
        return {**answer(Code.LATER if types else Code.OK), "queryId": payment.query_id}

    def query(self, said: Pairs, now_ns: int) -> Pairs:
        """Carry out a query, 00/00, of a payment or a refund."""
        key = key_of(said)
        payment, refund = self._payments.get(key), self._refunds.get(key)
        if refund is not None:
            view = refund.view
            done = view.done_at_ns is None or now_ns >= view.done_at_ns
            shown = self._shown(refund.payment, refund.query_id, refund.trace_no, view.at_ns)
            return {
                **answer(Code.OK),
                **shown,
                **_original(Code.OK if done else Code.LATER),
                "txnAmt": str(view.amount_fen),
                "txnType": "04",
                "txnSubType": "00",
            }
        if payment is None:
            return answer(Code.NOT_FOUND)
        at_ns = payment.created_at_ns if payment.paid_at_ns is None else payment.paid_at_ns
        return {
            **answer(Code.OK),
            **self._shown(payment, payment.query_id, payment.trace_no, at_ns),
            **_original(payment.result),
            "txnAmt": str(payment.total_fen),
            "txnType": "01",
            "txnSubType": "06",
        }

    def reverse(self, said: Pairs, now_ns: int) -> Pairs:
        """Carry out a reversal, 99/01; a repeated one answers as the first did."""
        payment = self._payments.get(key_of(said))
        if payment is None:
            return answer(Code.NOT_FOUND)
        if payment.state is UnionpayState.REVERSED:
            return self.reversed(said)
        base = self._config.wall_base_ns
        same_day = settle_day(base + payment.created_at_ns) == settle_day(base + now_ns)
        if payment.state is UnionpayState.FAILED or not same_day or payment.refunds:
            return answer(Code.NO_ORIGINAL)
        if payment.paid_at_ns is not None:
            view = RefundView(
                out_request_no=payment.key[0],
                amount_fen=payment.captured_fen,
                at_ns=now_ns,
                by_cancel=True,
                refund_no=self._query_id(now_ns),
            )
            payment.refunds.append(view)
        payment.result = Code.REVERSED
        payment.ended_at_ns = now_ns
        return self.reversed(said)

    def reversed(self, said: Pairs) -> Pairs:
        """Return what a reversal that was carried out answers, without doing anything."""
        payment = self._payments.get(key_of(said))
        known = {} if payment is None else {"queryId": payment.query_id}
        return {**answer(Code.OK), **known}

    def refund(self, said: Pairs, now_ns: int) -> Pairs:
        """Carry out a refund, 04/00."""
        key = key_of(said)
        wrong = _wrong(said, key) or self._seen(key)
        if wrong is not None:
            return answer(wrong)
        payment = self._by_query_id.get(said.get("origQryId", "")) or self._payments.get(
            (said.get("origOrderId", ""), said.get("origTxnTime", ""))
        )
        if payment is None:
            return answer(Code.NO_ORIGINAL)
        if payment.state is UnionpayState.REVERSED:
            return answer(Code.REVERSED)
        if payment.paid_at_ns is None:
            return answer(Code.NO_ORIGINAL)
        amount = int(said["txnAmt"])
        if amount > payment.captured_fen - payment.refunded_fen:
            return answer(Code.NOT_FITTING)
        view = RefundView(
            out_request_no=key[0],
            amount_fen=amount,
            at_ns=now_ns,
            by_cancel=False,
            done_at_ns=now_ns + self._config.refund_takes_ms * NS_PER_MS,
            refund_no=self._query_id(now_ns),
        )
        payment.refunds.append(view)
        self._refunds[key] = Refund(
            key=key, query_id=view.refund_no, trace_no=self._trace(), payment=payment, view=view
        )
        return {**answer(Code.OK), "queryId": view.refund_no}

    def is_refund(self, key: Key) -> bool:
        """Return whether *key* is a refund's."""
        return key in self._refunds

    def payments(self) -> Iterator[Payment]:
        """Give every payment, for the bill."""
        yield from self._payments.values()

    def refunds(self) -> Iterator[Refund]:
        """Give every refund, for the bill."""
        yield from self._refunds.values()

    def views(self) -> tuple[TradeView, ...]:
        """Return every payment, in the order they were made."""
        return tuple(_view(payment) for payment in self._payments.values())

    def charges_of(self, buyer_id: str) -> tuple[Charge, ...]:
        """Return every capture the buyer's phone remembers, in the order of the payments."""
        return tuple(
            Charge(
                out_trade_no=payment.key[0],
                trade_no=payment.query_id,
                amount_fen=payment.total_fen,
                refunded_fen=payment.refunded_fen,
                paid_at_ns=payment.paid_at_ns,
                subject="",
            )
            for payment in self._payments.values()
            if payment.card.buyer_id == buyer_id and payment.paid_at_ns is not None
        )

    def _seen(self, key: Key) -> Code | None:
        return Code.REPEATED if key in self._payments or key in self._refunds else None

    def _open(self, said: Pairs, key: Key, card: Card, now_ns: int, total_fen: int) -> Payment:
        payment = Payment(
            key=key,
            query_id=self._query_id(now_ns),
            trace_no=self._trace(),
            card=card,
            terminal_id=said.get("termId", ""),
            created_at_ns=now_ns,
            total_fen=total_fen,
        )
        self._payments[key] = payment
        self._by_query_id[payment.query_id] = payment
        return payment

    def _query_id(self, now_ns: int) -> str:
        moment = beijing_moment(self._config.wall_base_ns + now_ns).strftime("%Y%m%d%H%M%S")
        self._numbered += 1
        return f"{moment}{self._numbered % 10**7:07d}"

    def _trace(self) -> str:
        return f"{self._rng.randrange(10**6):06d}"

    def _schedule(self, at_ns: int, key: Key, result: Code) -> None:
        self._due_no += 1
        heapq.heappush(self._due, (at_ns, self._due_no, key, result))

    def _shown(self, payment: Payment, query_id: str, trace_no: str, at_ns: int) -> Pairs:
        wall_ns = self._config.wall_base_ns + at_ns
        return {
            "accNo": self._wallets.masked_card(payment.card.buyer_id),
            "currencyCode": "156",
            "payType": "0001",
            "queryId": query_id,
            "settleDate": settle_day(wall_ns)[4:],
            "traceNo": trace_no,
            "traceTime": beijing_moment(wall_ns).strftime("%m%d%H%M%S"),
        }


def key_of(said: Pairs) -> Key:
    """Return which transaction a request names."""
    return said.get("orderId", ""), said.get("txnTime", "")


def answer(code: str) -> Pairs:
    """Return respCode and respMsg."""
    return {"respCode": str(code), "respMsg": TEXTS.get(code, TEXTS[Code.FAILED])}


def _original(result: Code) -> Pairs:
    return {"origRespCode": result.value, "origRespMsg": TEXTS[result]}


def _wrong(said: Pairs, key: Key) -> Code | None:
    """Return the code that refuses what a payment or refund says."""
    if _NUMBER.fullmatch(key[0]) is None or _TIME.fullmatch(key[1]) is None:
        return Code.BAD_TEXT
    if _AMOUNT.fullmatch(said.get("txnAmt", "")) is None or said.get("currencyCode") != "156":
        return Code.BAD_TEXT
    return None if int(said["txnAmt"]) <= MAX_AMOUNT_FEN else Code.BAD_TEXT


def _view(payment: Payment) -> TradeView:
    return TradeView(
        out_trade_no=payment.key[0],
        trade_no=payment.query_id,
        buyer_id=payment.card.buyer_id,
        code_no=payment.card.code_no,
        state=payment.state,
        total_fen=payment.total_fen,
        captured_fen=payment.captured_fen,
        refunded_fen=payment.refunded_fen,
        created_at_ns=payment.created_at_ns,
        paid_at_ns=payment.paid_at_ns,
        closed_at_ns=payment.ended_at_ns,
        subject="",
        store_id="",
        operator_id="",
        terminal_id=payment.terminal_id,
        refunds=tuple(payment.refunds),
    )
