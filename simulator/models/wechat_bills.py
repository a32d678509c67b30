"""WeChat Pay's daily trade bill: CSV, every field behind a back-tick, a totals line at its end.

A payment stands in the bill of the Beijing day it was paid on, a refund or a reversal in that of
the day it was asked for; a payment that was reversed is there with its order number all the same,
an order that was never paid is not. Amounts are yuan. Fields are not quoted: a comma inside a text
is only told from a separator by the back-tick behind it. The text begins with a byte order mark
and ends its lines with CR LF.
Remembered, not read: the columns, the byte order mark, the fee's five decimals and its sign on
refunds, the state REVOKED of a reversal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from simulator.models.platform_values import RefundView, beijing_text, fee_fen
from simulator.models.wechat_books import Trade, WechatBooks
from simulator.models.wechat_values import WechatConfig
from simulator.models.wechat_wallets import WechatWallets

DETAIL_HEADER = (
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,"
    "付款银行,货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,"
    "退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注"
)
TOTALS_HEADER = (
    "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"
)
BILL_TYPES = ("ALL", "SUCCESS", "REFUND")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    at_ns: int
    trade: Trade
    refund: RefundView | None
    fee_fen: int
    """Below 0 where a fee is given back."""


class WechatBills:
    """Bills written from the books; nothing is stored, a past day does not change."""

    def __init__(self, *, config: WechatConfig, books: WechatBooks, wallets: WechatWallets) -> None:
        self._config = config
        self._books = books
        self._wallets = wallets

    def bill(self, begins_ns: int, ends_ns: int, bill_type: str) -> bytes | None:
        """Return the bill of one day as UTF-8, or None where nothing happened.

        Args:   begins_ns, ends_ns: the Beijing day as unix time in ns, end excluded.
                bill_type: ALL, SUCCESS (payments) or REFUND (refunds and reversals).
        """
        rows = sorted(self._rows(begins_ns, ends_ns, bill_type), key=_order)
        if not rows:
            return None
        paid = sum(row.trade.total_fen for row in rows if row.refund is None)
        back = sum(row.refund.amount_fen for row in rows if row.refund is not None)
        fee = sum(row.fee_fen for row in rows)
        totals = (
            str(len(rows)),
            _yuan(paid),
            _yuan(back),
            _yuan(0),
            _fee(fee),
            _yuan(paid),
            _yuan(back),
        )
        lines = [
            DETAIL_HEADER,
            *(_ticked(self._fields(row)) for row in rows),
            TOTALS_HEADER,
            _ticked(totals),
        ]
        return ("\ufeff" + "\r\n".join(lines) + "\r\n").encode("utf-8")

    def _rows(self, begins_ns: int, ends_ns: int, bill_type: str) -> Iterator[_Row]:
        base = self._config.wall_base_ns
        for trade in self._books.trades():
            if trade.paid_at_ns is None:
                continue
            at_ns = base + trade.paid_at_ns
            if begins_ns <= at_ns < ends_ns and bill_type != "REFUND":
                fee = fee_fen(trade.total_fen, self._config.fee_permyriad)
                yield _Row(at_ns=at_ns, trade=trade, refund=None, fee_fen=fee)
            for refund in trade.refunds:
                at_ns = base + refund.at_ns
                if begins_ns <= at_ns < ends_ns and bill_type != "SUCCESS":
                    fee = -fee_fen(refund.amount_fen, self._config.fee_permyriad)
                    yield _Row(at_ns=at_ns, trade=trade, refund=refund, fee_fen=fee)

    def _fields(self, row: _Row) -> tuple[str, ...]:
        config, trade, refund = self._config, row.trade, row.refund
        order = trade.order
        paid = 0 if refund else trade.total_fen
        back = refund.amount_fen if refund else 0
        state = "SUCCESS"
        if refund is not None:
            state = "REVOKED" if refund.by_cancel else "REFUND"
        by_call = refund is not None and not refund.by_cancel
        return (
            beijing_text(row.at_ns),
            config.app_id,
            config.merchant_id,
            "0",
            order.device_id,
            trade.transaction_id,
            order.out_trade_no,
            self._wallets.open_id(trade.card.buyer_id),
            "MICROPAY",
            state,
            "OTHERS",
            "CNY",
            _yuan(paid),
            _yuan(0),
            refund.refund_no if refund else "0",
            refund.out_request_no if refund and by_call else "0",
            _yuan(back),
            _yuan(0),
            "ORIGINAL" if refund else "",
            "SUCCESS" if refund else "",
            order.description,
            order.attach,
            _fee(row.fee_fen),
            f"{config.fee_permyriad // 100}.{config.fee_permyriad % 100:02d}%",
            _yuan(paid),
            _yuan(back),
            "",
        )


def _order(row: _Row) -> tuple[int, str, bool]:
    return row.at_ns, row.trade.transaction_id, row.refund is not None


def _ticked(fields: tuple[str, ...]) -> str:
    return ",".join("`" + field for field in fields)


def _yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"


def _fee(fen: int) -> str:
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100}.{abs(fen) % 100:02d}000"
