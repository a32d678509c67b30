"""WeChat Pay's books: code orders by out_trade_no, refunds, and what each call answers.

An order goes USERPAYING -> SUCCESS (the buyer types the password) or -> PAYERROR (the dialog is
closed, no money) and, unpaid, to REVOKED by itself 45 s after its creation. A paid one turns REFUND
with its first refund and REVOKED when it is reversed, which gives all of it back. A reverse is
refused for the first 15 s, and while somebody types a password; of a number the books never saw it
says yes and does nothing, as in the field. An order number is single-use for good: the same call
again answers as the order stands, another call is OUT_TRADE_NO_USED (other code) or INVALID_REQUEST
(other content).
Remembered, not read: what a query says of a refused pay call (PAYERROR where the money was short,
ORDER_NOT_EXIST where the code was bad), that reversed orders are REVOKED, that refunds take a
while, and most codes' HTTP statuses.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from simulator.models.platform_values import (
    BuyerBehaviour,
    Charge,
    Randomness,
    RefundView,
    TradeView,
    beijing_moment,
)
from simulator.models.platform_wallets import Card
from simulator.models.platform_wire import NS_PER_MS, Fields
from simulator.models.wechat_orders import CodeOrder, RefundOrder, owner, parse_pay, parse_refund
from simulator.models.wechat_values import (
    STATE_TEXTS,
    No,
    WaitingAnswer,
    WechatConfig,
    WechatState,
    refused,
    rfc3339,
)
from simulator.models.wechat_wallets import WechatWallets

_REFUSALS = {
    BuyerBehaviour.BALANCE_SHORT: refused("NOT_ENOUGH"),
    BuyerBehaviour.RISK_REFUSED: refused("RULE_LIMIT"),
}
_TYPING = (BuyerBehaviour.PAYS, BuyerBehaviour.CONFIRMS, BuyerBehaviour.CLOSES_DIALOG)
"""Buyers who are at their phones while the dialog is open."""


class _Due(StrEnum):
    PAYS = "pays"
    FAILS = "fails"
    REVOKED = "revoked"


@dataclass(slots=True, kw_only=True)
class Trade:
    """One order; only the books change it."""

    order: CodeOrder
    transaction_id: str
    card: Card
    created_at_ns: int
    total_fen: int
    waiting: bool = True
    typing: bool = False
    """Whether somebody is at the password dialog: then a reverse is refused."""
    refusal: No | None = None
    """What the pay call was refused with; the order is there all the same."""
    paid_at_ns: int | None = None
    revoked_at_ns: int | None = None
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
    def state(self) -> WechatState:
        """trade_state."""
        if self.revoked_at_ns is not None:
            return WechatState.REVOKED
        if self.paid_at_ns is not None:
            return WechatState.REFUND if self.refunds else WechatState.SUCCESS
        return WechatState.USERPAYING if self.waiting else WechatState.PAYERROR


class WechatBooks:
    """Orders of one merchant and the calls that change them. A call answers with an HTTP status and
    the body's members, or with a ``No``."""

    def __init__(self, *, config: WechatConfig, wallets: WechatWallets, rng: Randomness) -> None:
        self._config = config
        self._wallets = wallets
        self._rng = rng
        self._trades: dict[str, Trade] = {}
        self._by_transaction: dict[str, Trade] = {}
        self._refunds: dict[str, tuple[Trade, RefundView]] = {}
        self._refused: dict[str, tuple[str, No]] = {}
        self._never: set[str] = set()
        self._due: list[tuple[int, int, str, _Due]] = []
        self._due_no = 0

    def advance(self, now_ns: int) -> None:
        """Let buyers act and orders be revoked up to *now_ns*, in order of time."""
        while self._due and self._due[0][0] <= now_ns:
            at_ns, _, number, due = heapq.heappop(self._due)
            trade = self._trades[number]
            if trade.paid_at_ns is not None or trade.revoked_at_ns is not None:
                continue
            if due is _Due.REVOKED:
                trade.revoked_at_ns = at_ns
                trade.waiting = trade.typing = False
            elif trade.waiting:
                trade.waiting = trade.typing = False
                trade.paid_at_ns = at_ns if due is _Due.PAYS else None

    def pay(
        self, said: Fields, now_ns: int, *, wait_ms: int | None = None, extra_fen: int = 0
    ) -> tuple[int, Fields] | No:
        """Carry out codepay.

        Args:   wait_ms: a fault's password dialog of that length, whatever the wallet would do.
                extra_fen: a fault's surcharge on what was asked.
        """
        order = parse_pay(said, self._config)
        if isinstance(order, No):
            return order
        again = self._again(order)
        if again is not None:
            return again
        used = self._wallets.is_used(order.auth_code)
        card = self._wallets.take(order.auth_code, now_ns)
        if card is None:
            text = "每个二维码仅限使用一次，请刷新再试" if used else "付款码已过期，请退出重试"
            no = refused("AUTH_CODE_INVALID", text)
            self._refused[order.out_trade_no] = (order.digest, no)
            return no
        trade = self._open(order, card, now_ns, order.amount_fen + extra_fen)
        self._begin(trade, now_ns, wait_ms)
        revoked_ns = now_ns + self._config.unpaid_revoke_ms * NS_PER_MS
        self._schedule(revoked_ns, trade, _Due.REVOKED)
        return trade.refusal or self._pay_answer(trade)

    def query(self, number: str, transaction_id: str = "") -> tuple[int, Fields] | No:
        """Carry out a query by either number."""
        trade = self._by_transaction.get(transaction_id) or self._trades.get(number)
        if trade is None or (transaction_id and trade.paid_at_ns is None):
            return refused("ORDER_NOT_EXIST")
        return 200, self._order_fields(trade)

    def reverse(self, number: str, said: Fields, now_ns: int) -> tuple[int, Fields] | No:
        """Carry out a reverse; a repeated one answers as the first did."""
        wrong = owner(said, self._config)
        if wrong is not None:
            return wrong
        trade = self._trades.get(number)
        if trade is None:
            if self._config.reverse_closes_unknown:
                self._never.add(number)
            return 200, self.reverse_fields(number)
        if trade.state is WechatState.REVOKED:
            return 200, self.reverse_fields(number)
        if now_ns < trade.created_at_ns + self._config.no_reverse_ms * NS_PER_MS:
            return refused("INVALID_REQUEST", "支付后15秒内不能发起撤销")
        if trade.typing:
            return refused("USERPAYING", "正在支付中不能发起撤销")
        if trade.paid_at_ns is not None:
            if trade.refunds:
                return refused("INVALID_REQUEST", "订单已发生退款，不能撤销")
            if now_ns > trade.paid_at_ns + self._config.reverse_within_ms * NS_PER_MS:
                return refused("REVERSE_EXPIRE")
            self._give_back(trade, trade.captured_fen, number, now_ns, by_cancel=True)
        trade.waiting = False
        trade.revoked_at_ns = now_ns
        return 200, self.reverse_fields(number)

    def reverse_fields(self, number: str) -> Fields:
        """Return the success answer of a reverse without doing anything."""
        config = self._config
        return {"appid": config.app_id, "mchid": config.merchant_id, "out_trade_no": number}

    def refund(self, said: Fields, now_ns: int) -> tuple[int, Fields] | No:
        """Carry out a refund; out_refund_no makes it happen once."""
        order = parse_refund(said)
        if isinstance(order, No):
            return order
        trade = self._by_transaction.get(order.transaction_id) or (
            self._trades.get(order.out_trade_no)
        )
        done = self._refunds.get(order.out_refund_no)
        if done is not None:
            same = trade is done[0] and order.refund_fen == done[1].amount_fen
            if not same or order.total_fen != done[0].total_fen:
                return refused("INVALID_REQUEST", "订单金额或退款金额与之前请求不一致")
            return 200, self._refund_fields(*done, now_ns)
        if trade is None:
            return refused("RESOURCE_NOT_EXISTS", "订单不存在")
        no = self._no_refund(trade, order, now_ns)
        if no is not None:
            return no
        refund = self._give_back(
            trade, order.refund_fen, order.out_refund_no, now_ns, by_cancel=False
        )
        return 200, self._refund_fields(trade, refund, now_ns)

    def refund_query(self, out_refund_no: str, now_ns: int) -> tuple[int, Fields] | No:
        """Carry out a refund query."""
        found = self._refunds.get(out_refund_no)
        if found is None:
            return refused("RESOURCE_NOT_EXISTS", "退款单不存在")
        return 200, self._refund_fields(*found, now_ns)

    def views(self) -> tuple[TradeView, ...]:
        """Return every order, in the order they were made."""
        return tuple(self._view(trade) for trade in self._trades.values())

    def trades(self) -> Iterator[Trade]:
        """Give every order, for the bill."""
        yield from self._trades.values()

    def charges_of(self, buyer_id: str, now_ns: int) -> tuple[Charge, ...]:
        """Return every capture the buyer's phone remembers, in the order of the orders; money on
        its way back is not there yet."""
        return tuple(
            Charge(
                out_trade_no=trade.order.out_trade_no,
                trade_no=trade.transaction_id,
                amount_fen=trade.total_fen,
                refunded_fen=sum(r.amount_fen for r in trade.refunds if _done(r, now_ns)),
                paid_at_ns=trade.paid_at_ns,
                subject=trade.order.description,
            )
            for trade in self._trades.values()
            if trade.card.buyer_id == buyer_id and trade.paid_at_ns is not None
        )

    def _begin(self, trade: Trade, now_ns: int, wait_ms: int | None) -> None:
        """Let the buyer do what the wallet says."""
        behaviour = trade.card.behaviour
        if wait_ms is None:
            trade.refusal = _REFUSALS.get(behaviour)
        if trade.refusal is not None:
            trade.waiting = False
            return
        needs_password = trade.total_fen > self._config.password_over_fen
        if wait_ms is None and behaviour is BuyerBehaviour.PAYS and not needs_password:
            trade.waiting = False
            trade.paid_at_ns = now_ns
            return
        trade.typing = wait_ms is not None or behaviour in _TYPING
        if wait_ms is None:
            at_once = behaviour is BuyerBehaviour.PAYS
            wait_ms = self._config.password_ms if at_once else trade.card.after_ms
        elif behaviour not in _TYPING:
            behaviour = BuyerBehaviour.CONFIRMS
        if trade.typing:
            closes = behaviour is BuyerBehaviour.CLOSES_DIALOG
            due = _Due.FAILS if closes else _Due.PAYS
            self._schedule(now_ns + wait_ms * NS_PER_MS, trade, due)

    def _again(self, order: CodeOrder) -> tuple[int, Fields] | No | None:
        """Return the answer to a number that was seen before, or None where it is new."""
        number = order.out_trade_no
        if number in self._never:
            return refused("ORDER_REVERSED")
        if number in self._refused:
            digest, no = self._refused[number]
            return no if digest == order.digest else refused("OUT_TRADE_NO_USED")
        trade = self._trades.get(number)
        if trade is None:
            return None
        if trade.order.digest_without_code != order.digest_without_code:
            return refused("INVALID_REQUEST", "201 商户订单号重复")
        if trade.order.digest != order.digest:
            return refused("OUT_TRADE_NO_USED")
        if trade.state is WechatState.REVOKED:
            return refused("ORDER_REVERSED")
        return trade.refusal or self._pay_answer(trade)

    def _open(self, order: CodeOrder, card: Card, now_ns: int, total_fen: int) -> Trade:
        day = beijing_moment(self._config.wall_base_ns + now_ns).strftime("%Y%m%d")
        number = f"{len(self._trades) + 1:010d}"
        trade = Trade(
            order=order,
            transaction_id=f"42000{self._rng.randrange(10**5):05d}{day}{number}",
            card=card,
            created_at_ns=now_ns,
            total_fen=total_fen,
        )
        self._trades[order.out_trade_no] = trade
        self._by_transaction[trade.transaction_id] = trade
        return trade

    def _schedule(self, at_ns: int, trade: Trade, due: _Due) -> None:
        self._due_no += 1
        heapq.heappush(self._due, (at_ns, self._due_no, trade.order.out_trade_no, due))

    def _no_refund(self, trade: Trade, order: RefundOrder, now_ns: int) -> No | None:
        if trade.paid_at_ns is None or trade.state is WechatState.REVOKED:
            return refused("INVALID_REQUEST", "订单状态错误，不能退款")
        if order.out_trade_no not in ("", trade.order.out_trade_no):
            return refused("INVALID_REQUEST", "微信订单号与商户订单号不匹配")
        if order.total_fen != trade.total_fen:
            return refused("INVALID_REQUEST", "订单金额不一致")
        if order.refund_fen > trade.captured_fen - trade.refunded_fen:
            return refused("INVALID_REQUEST", "申请退款金额大于订单剩余可退金额")
        if now_ns > trade.paid_at_ns + self._config.refund_within_ms * NS_PER_MS:
            return refused("TRADE_OVERDUE")
        return None

    def _give_back(
        self, trade: Trade, amount_fen: int, number: str, now_ns: int, *, by_cancel: bool
    ) -> RefundView:
        day = beijing_moment(self._config.wall_base_ns + now_ns).strftime("%Y%m%d")
        takes_ms = 0 if by_cancel else self._config.refund_takes_ms
        refund = RefundView(
            out_request_no=number,
            amount_fen=amount_fen,
            at_ns=now_ns,
            by_cancel=by_cancel,
            done_at_ns=now_ns + takes_ms * NS_PER_MS,
            refund_no=f"50000{self._rng.randrange(10**5):05d}{day}{trade.transaction_id[-8:]}"
            f"{len(trade.refunds) + 1:02d}",
        )
        trade.refunds.append(refund)
        assert trade.refunded_fen <= trade.captured_fen, "more given back than taken"
        if not by_cancel:
            self._refunds[number] = (trade, refund)
        return refund

    def _pay_answer(self, trade: Trade) -> tuple[int, Fields] | No:
        style = self._config.waiting_answer
        if trade.state is WechatState.USERPAYING and style is not WaitingAnswer.STATE:
            no = refused("USERPAYING")
            return no if style is WaitingAnswer.REFUSED else (202, no.fields())
        return 200, self._order_fields(trade)

    def _order_fields(self, trade: Trade) -> Fields:
        config, order = self._config, trade.order
        state = trade.state
        fields: Fields = {
            "amount": {"currency": "CNY", "payer_currency": "CNY", "total": trade.total_fen},
            "appid": config.app_id,
            "mchid": config.merchant_id,
            "out_trade_no": order.out_trade_no,
            "promotion_detail": [],
            "scene_info": {"device_id": order.device_id},
            "trade_state": state.value,
            "trade_state_desc": STATE_TEXTS[state],
        }
        if trade.paid_at_ns is None:
            return fields
        return {
            **fields,
            "amount": {
                "currency": "CNY",
                "payer_currency": "CNY",
                "payer_total": trade.total_fen,
                "total": trade.total_fen,
            },
            "attach": order.attach,
            "bank_type": "OTHERS",
            "payer": {"openid": self._wallets.open_id(trade.card.buyer_id)},
            "success_time": rfc3339(config.wall_base_ns + trade.paid_at_ns),
            "trade_type": "MICROPAY",
            "transaction_id": trade.transaction_id,
        }

    def _refund_fields(self, trade: Trade, refund: RefundView, now_ns: int) -> Fields:
        assert refund.done_at_ns is not None, "every refund here has its end"
        base = self._config.wall_base_ns
        fields: Fields = {
            "amount": {
                "currency": "CNY",
                "discount_refund": 0,
                "from": [],
                "payer_refund": refund.amount_fen,
                "payer_total": trade.total_fen,
                "refund": refund.amount_fen,
                "settlement_refund": refund.amount_fen,
                "settlement_total": trade.total_fen,
                "total": trade.total_fen,
            },
            "channel": "ORIGINAL",
            "create_time": rfc3339(base + refund.at_ns),
            "funds_account": "AVAILABLE",
            "out_refund_no": refund.out_request_no,
            "out_trade_no": trade.order.out_trade_no,
            "promotion_detail": [],
            "refund_id": refund.refund_no,
            "status": "SUCCESS" if _done(refund, now_ns) else "PROCESSING",
            "transaction_id": trade.transaction_id,
            "user_received_account": "支付用户零钱",
        }
        if _done(refund, now_ns):
            fields["success_time"] = rfc3339(base + refund.done_at_ns)
        return fields

    def _view(self, trade: Trade) -> TradeView:
        return TradeView(
            out_trade_no=trade.order.out_trade_no,
            trade_no=trade.transaction_id,
            buyer_id=trade.card.buyer_id,
            code_no=trade.card.code_no,
            state=trade.state,
            total_fen=trade.total_fen,
            captured_fen=trade.captured_fen,
            refunded_fen=trade.refunded_fen,
            created_at_ns=trade.created_at_ns,
            paid_at_ns=trade.paid_at_ns,
            closed_at_ns=trade.revoked_at_ns,
            subject=trade.order.description,
            store_id=trade.order.store_id,
            operator_id="",
            terminal_id=trade.order.device_id,
            refunds=tuple(trade.refunds),
        )


def _done(refund: RefundView, now_ns: int) -> bool:
    return refund.done_at_ns is None or now_ns >= refund.done_at_ns
