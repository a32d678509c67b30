"""The platform's books: trades by out_trade_no, refunds, and what each call answers.

A trade goes WAIT_BUYER_PAY -> TRADE_SUCCESS (the buyer confirms) or -> TRADE_CLOSED (time, dialog
closed, cancel); a paid one stays TRADE_SUCCESS through partial refunds, turns TRADE_CLOSED when all
is back and TRADE_FINISHED when it is old. A refused pay call makes no trade but uses its number and
its code up. Nothing happens by itself: every call first brings the books up to its own instant, in
order of the instants at which buyers confirm and trades close.
Remembered, not read: the action of a cancel for a paid or an unknown trade, the refund answer's
fields, ACQ.TRADE_STATUS_ERROR, ACQ.DISCORDANT_REPEAT_REQUEST, and that the same pay call twice
answers twice.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field

from simulator.models.alipay_orders import (
    INVALID,
    PayOrder,
    named_trade,
    parse_pay,
    parse_refund,
    request_no_of,
)
from simulator.models.alipay_values import (
    NS_PER_MS,
    AlipayConfig,
    BuyerBehaviour,
    Charge,
    Randomness,
    RefundView,
    TradeState,
    TradeView,
    beijing_text,
    yuan_of,
)
from simulator.models.alipay_wallets import Card, Wallets
from simulator.models.alipay_wire import MSGS
from simulator.models.platform_wire import Fields

SUB_MSGS = {
    "ACQ.SYSTEM_ERROR": "系统异常",
    "ACQ.INVALID_PARAMETER": "参数无效",
    "ACQ.TOTAL_FEE_EXCEED": "订单金额超过限额",
    "ACQ.PAYMENT_AUTH_CODE_INVALID": "支付失败,请顾客刷新付款码后重新收款",
    "ACQ.CONTEXT_INCONSISTENT": "交易信息被篡改",
    "ACQ.TRADE_HAS_SUCCESS": "交易已被支付",
    "ACQ.TRADE_HAS_CLOSE": "交易已经关闭",
    "ACQ.BUYER_BALANCE_NOT_ENOUGH": "买家余额不足",
    "ACQ.PAYMENT_REQUEST_HAS_RISK": "支付有风险",
    "ACQ.TRADE_NOT_EXIST": "交易不存在",
    "ACQ.TRADE_HAS_FINISHED": "交易已结束",
    "ACQ.TRADE_STATUS_ERROR": "交易状态不合法",
    "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL": "退款金额超限",
    "ACQ.DISCORDANT_REPEAT_REQUEST": "同一退款号的退款金额不一致",
    "ACQ.SELLER_BALANCE_NOT_ENOUGH": "卖家余额不足",
}
_REFUSALS = {
    BuyerBehaviour.BALANCE_SHORT: "ACQ.BUYER_BALANCE_NOT_ENOUGH",
    BuyerBehaviour.RISK_REFUSED: "ACQ.PAYMENT_REQUEST_HAS_RISK",
}
_ZEROS: Fields = {
    "buyer_pay_amount": "0.00",
    "invoice_amount": "0.00",
    "point_amount": "0.00",
    "receipt_amount": "0.00",
}


@dataclass(slots=True, kw_only=True)
class Trade:
    """One trade; only the books change it."""

    order: PayOrder
    trade_no: str
    card: Card
    created_at_ns: int
    total_fen: int
    waiting: bool = True
    paid_at_ns: int | None = None
    closed_at_ns: int | None = None
    refunds: list[RefundView] = field(default_factory=list)

    @property
    def refunded_fen(self) -> int:
        """All money given back so far, in fen."""
        return sum(refund.amount_fen for refund in self.refunds)

    @property
    def captured_fen(self) -> int:
        """All money taken, in fen."""
        return 0 if self.paid_at_ns is None else self.total_fen


def business_failed(sub_code: str, **more: object) -> Fields:
    """Return a 40004 node with *sub_code*."""
    return {
        "code": "40004",
        "msg": MSGS["40004"],
        "sub_code": sub_code,
        "sub_msg": SUB_MSGS.get(sub_code, "业务处理失败"),
        **more,
    }


def _success(**more: object) -> Fields:
    return {"code": "10000", "msg": MSGS["10000"], **more}


class AlipayBooks:
    """Trades of one merchant and the calls that change them."""

    def __init__(self, *, config: AlipayConfig, wallets: Wallets, rng: Randomness) -> None:
        self._config = config
        self._wallets = wallets
        self._rng = rng
        self._trades: dict[str, Trade] = {}
        self._by_trade_no: dict[str, Trade] = {}
        self._refused: dict[str, tuple[str, str]] = {}
        self._never: set[str] = set()
        self._due: list[tuple[int, int, str, bool]] = []
        self._due_no = 0

    def advance(self, now_ns: int) -> None:
        """Let buyers confirm and trades close up to *now_ns*, in order of time."""
        while self._due and self._due[0][0] <= now_ns:
            at_ns, _, number, pays = heapq.heappop(self._due)
            trade = self._trades[number]
            if trade.waiting:
                trade.waiting = False
                if pays:
                    trade.paid_at_ns = at_ns
                else:
                    trade.closed_at_ns = at_ns

    def pay(
        self, biz: Fields, now_ns: int, *, wait_ms: int | None = None, extra_fen: int = 0
    ) -> Fields:
        """Carry out alipay.trade.pay.

        Args:   wait_ms: a fault's password dialog of that length, whatever the wallet would do.
                extra_fen: a fault's surcharge on what was asked.
        """
        order = parse_pay(biz, config=self._config, now_ns=now_ns)
        if isinstance(order, str):
            return business_failed(order, **_ZEROS)
        again = self._again(order, now_ns)
        if again is not None:
            return again
        card = self._wallets.take(order.auth_code, now_ns)
        if card is None:
            return self._refuse(order, "ACQ.PAYMENT_AUTH_CODE_INVALID")
        if wait_ms is None and card.behaviour in _REFUSALS:
            return self._refuse(order, _REFUSALS[card.behaviour])
        trade = self._open(order, card, now_ns, order.amount_fen + extra_fen)
        if wait_ms is not None:
            self._schedule(now_ns + wait_ms * NS_PER_MS, trade, pays=True)
        elif card.behaviour is BuyerBehaviour.PAYS:
            trade.waiting = False
            trade.paid_at_ns = now_ns
        elif card.behaviour is BuyerBehaviour.CONFIRMS:
            self._schedule(now_ns + card.after_ms * NS_PER_MS, trade, pays=True)
        elif card.behaviour is BuyerBehaviour.CLOSES_DIALOG:
            self._schedule(now_ns + card.after_ms * NS_PER_MS, trade, pays=False)
        self._schedule(order.closes_at_ns, trade, pays=False)
        return self._pay_answer(trade)

    def query(self, biz: Fields, now_ns: int) -> Fields:
        """Carry out alipay.trade.query."""
        trade = self._find(biz)
        if isinstance(trade, str):
            return business_failed(trade, **_ZEROS)
        fields = self._amounts(trade)
        if trade.paid_at_ns is not None:
            fields["send_pay_date"] = self._stamp(trade.paid_at_ns)
        for name in ("store_id", "terminal_id"):
            if getattr(trade.order, name):
                fields[name] = getattr(trade.order, name)
        return _success(**fields, trade_status=self._state(trade, now_ns).value)

    def cancel(self, biz: Fields, now_ns: int) -> Fields:
        """Carry out alipay.trade.cancel; a repeated cancel answers as the first did."""
        trade = self._find(biz)
        if isinstance(trade, str):
            return self._cancel_unknown(biz, trade)
        if self._state(trade, now_ns) is TradeState.TRADE_FINISHED:
            return business_failed("ACQ.TRADE_HAS_FINISHED", retry_flag="N")
        if trade.paid_at_ns is None:
            trade.waiting = False
            if trade.closed_at_ns is None:
                trade.closed_at_ns = now_ns
            return self.cancel_answer(biz, "close")
        rest = trade.captured_fen - trade.refunded_fen
        if rest > 0:
            # The refund a cancel makes can be asked for under the order's own number (remembered).
            number = trade.order.out_trade_no
            self._refund(trade, rest, number, now_ns, by_cancel=True)
        return self.cancel_answer(biz, "refund")

    def cancel_answer(self, biz: Fields, action: str) -> Fields:
        """Return the success answer of a cancel without doing anything."""
        named = named_trade(biz)
        trade = self._find(biz)
        fields: Fields = {"action": action} if action else {}
        fields["out_trade_no"] = (
            (named[0] if named else "") if isinstance(trade, str) else trade.order.out_trade_no
        )
        fields["retry_flag"] = "N"
        if not isinstance(trade, str):
            fields["trade_no"] = trade.trade_no
        return _success(**fields)

    def refund(self, biz: Fields, now_ns: int) -> Fields:
        """Carry out alipay.trade.refund; out_request_no makes it happen once."""
        trade, order = self._find(biz), parse_refund(biz)
        if isinstance(order, str):
            return business_failed(order)
        if isinstance(trade, str):
            return business_failed(trade)
        if trade.paid_at_ns is None:
            return business_failed("ACQ.TRADE_STATUS_ERROR")
        number = order.out_request_no or trade.order.out_trade_no
        done = next((r for r in trade.refunds if r.out_request_no == number), None)
        if done is not None and done.amount_fen != order.amount_fen:
            return business_failed("ACQ.DISCORDANT_REPEAT_REQUEST")
        if done is None:
            if self._state(trade, now_ns) is TradeState.TRADE_FINISHED:
                return business_failed("ACQ.TRADE_HAS_FINISHED")
            if not order.out_request_no and order.amount_fen != trade.captured_fen:
                return business_failed(INVALID)
            if order.amount_fen > trade.captured_fen - trade.refunded_fen:
                return business_failed("ACQ.REFUND_AMT_NOT_EQUAL_TOTAL")
            self._refund(trade, order.amount_fen, number, now_ns, by_cancel=False)
        latest = next(r for r in trade.refunds if r.out_request_no == number)
        return _success(
            **self._buyer(trade),
            fund_change="N" if done is not None else "Y",
            gmt_refund_pay=self._stamp(latest.at_ns),
            out_trade_no=trade.order.out_trade_no,
            refund_detail_item_list=[
                {"amount": yuan_of(latest.amount_fen), "fund_channel": "ALIPAYACCOUNT"}
            ],
            refund_fee=yuan_of(trade.refunded_fen),
            send_back_fee=yuan_of(latest.amount_fen if done is None else 0),
            trade_no=trade.trade_no,
        )

    def refund_query(self, biz: Fields, now_ns: int) -> Fields:
        """Carry out alipay.trade.fastpay.refund.query; a refund that never was answers bare
        success."""
        trade, number = self._find(biz), request_no_of(biz)
        if isinstance(trade, str):
            return business_failed(trade)
        if not number:
            return business_failed(INVALID)
        found = next((r for r in trade.refunds if r.out_request_no == number), None)
        if found is None:
            return _success()
        return _success(
            gmt_refund_pay=self._stamp(found.at_ns),
            out_request_no=number,
            out_trade_no=trade.order.out_trade_no,
            refund_amount=yuan_of(found.amount_fen),
            refund_status="REFUND_SUCCESS",
            total_amount=yuan_of(trade.total_fen),
            trade_no=trade.trade_no,
        )

    def views(self, now_ns: int) -> tuple[TradeView, ...]:
        """Return every trade, in the order they were made."""
        return tuple(self._view(trade, now_ns) for trade in self._trades.values())

    def trades(self) -> Iterator[Trade]:
        """Give every trade, for the bill."""
        yield from self._trades.values()

    def charges_of(self, buyer_id: str) -> tuple[Charge, ...]:
        """Return every capture the buyer's phone remembers, in the order of the trades."""
        return tuple(
            Charge(
                out_trade_no=trade.order.out_trade_no,
                trade_no=trade.trade_no,
                amount_fen=trade.total_fen,
                refunded_fen=trade.refunded_fen,
                paid_at_ns=trade.paid_at_ns,
                subject=trade.order.subject,
            )
            for trade in self._trades.values()
            if trade.card.buyer_id == buyer_id and trade.paid_at_ns is not None
        )

    def _again(self, order: PayOrder, now_ns: int) -> Fields | None:
        """Return the answer to a number that was seen before, or None where it is new."""
        number = order.out_trade_no
        if number in self._never:
            return business_failed("ACQ.TRADE_HAS_CLOSE", **_ZEROS)
        if number in self._refused:
            digest, sub_code = self._refused[number]
            if digest != order.digest:
                sub_code = "ACQ.CONTEXT_INCONSISTENT"
            return business_failed(sub_code, out_trade_no=number, **_ZEROS)
        trade = self._trades.get(number)
        if trade is None:
            return None
        if self._state(trade, now_ns) is TradeState.TRADE_CLOSED:
            return business_failed("ACQ.TRADE_HAS_CLOSE", out_trade_no=number, **_ZEROS)
        if trade.order.digest == order.digest:
            return self._pay_answer(trade)
        rescan = trade.order.digest_without_code == order.digest_without_code
        if rescan and trade.paid_at_ns is not None:
            return business_failed("ACQ.TRADE_HAS_SUCCESS", out_trade_no=number, **_ZEROS)
        return business_failed("ACQ.CONTEXT_INCONSISTENT", out_trade_no=number, **_ZEROS)

    def _refuse(self, order: PayOrder, sub_code: str) -> Fields:
        self._refused[order.out_trade_no] = (order.digest, sub_code)
        return business_failed(sub_code, out_trade_no=order.out_trade_no, **_ZEROS)

    def _open(self, order: PayOrder, card: Card, now_ns: int, total_fen: int) -> Trade:
        day = self._stamp(now_ns)[:10].replace("-", "")
        number = f"{len(self._trades) + 1:09d}"
        trade = Trade(
            order=order,
            trade_no=f"{day}22001{self._rng.randrange(10**6):06d}{number}",
            card=card,
            created_at_ns=now_ns,
            total_fen=total_fen,
        )
        self._trades[order.out_trade_no] = trade
        self._by_trade_no[trade.trade_no] = trade
        return trade

    def _schedule(self, at_ns: int, trade: Trade, *, pays: bool) -> None:
        self._due_no += 1
        heapq.heappush(self._due, (at_ns, self._due_no, trade.order.out_trade_no, pays))

    def _find(self, biz: Fields) -> Trade | str:
        """Return the trade a call names (trade_no wins), or the sub code that refuses it."""
        named = named_trade(biz)
        if named is None:
            return INVALID
        number, trade_no = named
        found = self._by_trade_no.get(trade_no) if trade_no else self._trades.get(number)
        return "ACQ.TRADE_NOT_EXIST" if found is None else found

    def _cancel_unknown(self, biz: Fields, sub_code: str) -> Fields:
        if sub_code == INVALID:
            return business_failed(INVALID, retry_flag="N")
        named = named_trade(biz)
        assert named is not None, "a trade without a name is INVALID"
        if named[1]:
            return business_failed(sub_code, retry_flag="N")
        if self._config.cancel_closes_unknown:
            self._never.add(named[0])
        return self.cancel_answer(biz, "")

    def _refund(
        self, trade: Trade, amount_fen: int, number: str, now_ns: int, *, by_cancel: bool
    ) -> None:
        refund = RefundView(
            out_request_no=number, amount_fen=amount_fen, at_ns=now_ns, by_cancel=by_cancel
        )
        trade.refunds.append(refund)
        assert trade.refunded_fen <= trade.captured_fen, "more given back than taken"
        if trade.refunded_fen == trade.captured_fen:
            trade.closed_at_ns = now_ns

    def _state(self, trade: Trade, now_ns: int) -> TradeState:
        if trade.waiting:
            return TradeState.WAIT_BUYER_PAY
        if trade.closed_at_ns is not None or trade.paid_at_ns is None:
            return TradeState.TRADE_CLOSED
        if now_ns >= trade.paid_at_ns + self._config.finish_after_ms * NS_PER_MS:
            return TradeState.TRADE_FINISHED
        return TradeState.TRADE_SUCCESS

    def _pay_answer(self, trade: Trade) -> Fields:
        fields = self._amounts(trade)
        if trade.paid_at_ns is None:
            return {"code": "10003", "msg": MSGS["10003"], **fields}
        return _success(**fields, gmt_payment=self._stamp(trade.paid_at_ns))

    def _amounts(self, trade: Trade) -> Fields:
        paid = yuan_of(trade.captured_fen)
        fields: Fields = {
            **self._buyer(trade),
            "buyer_pay_amount": paid,
            "invoice_amount": paid,
            "out_trade_no": trade.order.out_trade_no,
            "point_amount": "0.00",
            "receipt_amount": paid,
            "total_amount": yuan_of(trade.total_fen),
            "trade_no": trade.trade_no,
        }
        if trade.paid_at_ns is not None:
            fields["fund_bill_list"] = [{"amount": paid, "fund_channel": "ALIPAYACCOUNT"}]
        return fields

    def _buyer(self, trade: Trade) -> Fields:
        buyer = trade.card.buyer_id
        return {
            "buyer_logon_id": self._wallets.logon_id(buyer),
            "buyer_user_id": self._wallets.user_id(buyer),
        }

    def _view(self, trade: Trade, now_ns: int) -> TradeView:
        return TradeView(
            out_trade_no=trade.order.out_trade_no,
            trade_no=trade.trade_no,
            buyer_id=trade.card.buyer_id,
            code_no=trade.card.code_no,
            state=self._state(trade, now_ns),
            total_fen=trade.total_fen,
            captured_fen=trade.captured_fen,
            refunded_fen=trade.refunded_fen,
            created_at_ns=trade.created_at_ns,
            paid_at_ns=trade.paid_at_ns,
            closed_at_ns=trade.closed_at_ns,
            subject=trade.order.subject,
            store_id=trade.order.store_id,
            operator_id=trade.order.operator_id,
            terminal_id=trade.order.terminal_id,
            refunds=tuple(trade.refunds),
        )

    def _stamp(self, at_ns: int) -> str:
        return beijing_text(self._config.wall_base_ns + at_ns)
