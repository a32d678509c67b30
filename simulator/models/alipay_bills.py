"""Alipay's daily bill: a ZIP of two GBK tables between lines that begin with ``#``.

``<account>_<day>_业务明细.csv`` lists every payment and refund by the Beijing day it was done on,
``<account>_<day>_业务明细(汇总).csv`` says the sums per shop and over all. Amounts are yuan, of
refunds negative; a service fee the merchant pays is negative, one given back positive; numbers end
with a tab, so that a spreadsheet leaves them alone. A payment that was cancelled stands there as a
payment and a refund. Names in the ZIP are GBK without a mark.
Remembered, not read: everything about the tables but that they are GBK, have ``#`` lines and come
in a ZIP.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from simulator.models.alipay_books import AlipayBooks, Trade
from simulator.models.alipay_values import AlipayConfig, RefundView, beijing_text, yuan_of
from simulator.models.alipay_wallets import Wallets
from simulator.models.platform_values import DAY_NS, BillMistake, beijing_moment, fee_fen
from simulator.models.platform_zip import zip_bytes

DETAIL_HEADER = (
    "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,"
    "对方账户,订单金额（元）,商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,"
    "商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,卡消费金额（元）,"
    "退款批次号/请求号,服务费（元）,分润（元）,备注"
)
TOTALS_HEADER = (
    "门店编号,门店名称,交易订单总笔数,退款订单总笔数,订单金额（元）,商家实收（元）,支付宝优惠（元）,"
    "商家优惠（元）,卡消费金额（元）,服务费（元）,分润（元）,实收净额（元）"
)
NOBODYS = "999999000000000000000A01"
"""An order number of a plaza that never was."""
TOO_MUCH_FEN = 100
_SECOND_NS = 1_000_000_000
_TAB = "\t"
_FENCE = "-" * 40


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    at_ns: int
    """Unix time in ns."""
    trade: Trade
    trade_no: str
    number: str
    """The merchant's."""
    refund: RefundView | None
    amount_fen: int
    """Below 0 for a refund."""
    fee_fen: int
    """Below 0 where the merchant pays it."""


class AlipayBills:
    """Bills written from the books. A past day does not change, so nothing is stored but what was
    written before its time or with mistakes."""

    def __init__(self, *, config: AlipayConfig, books: AlipayBooks, wallets: Wallets) -> None:
        self._config = config
        self._books = books
        self._wallets = wallets
        self._written: dict[int, bytes] = {}

    @property
    def account(self) -> str:
        """The merchant's account as bills name it: the seller's id and ``0156``."""
        return f"{self._config.seller_id}0156"

    def packed(self, begins_ns: int) -> bytes | None:
        """Return the ZIP of the Beijing day that begins at unix time *begins_ns*, or None where
        nothing happened."""
        if begins_ns in self._written:
            return self._written[begins_ns]
        rows = self._sorted(self._rows(begins_ns))
        return self._zip(rows, begins_ns) if rows else None

    def is_written(self, begins_ns: int) -> bool:
        """Return whether the bill of a day was written by ``write``: it is given out at once."""
        return begins_ns in self._written

    def write(self, begins_ns: int, mistakes: Sequence[BillMistake] = ()) -> int:
        """Write the bill of a day as the books stand, for good, and return how many rows it has.

        Args:   mistakes: one each into the day's payments that were not given back, in their order.
                DAY writes the bill of the day before as well.
        Raises: ValueError: the day has fewer such payments than *mistakes*, or none at all.
        """
        rows = self._sorted(self._rows(begins_ns))
        plain = [row for row in rows if row.refund is None and not row.trade.refunds]
        if not rows or len(mistakes) > len(plain):
            raise ValueError(f"{len(plain)} payments for {len(mistakes)} mistakes")
        before = list(self._rows(begins_ns - DAY_NS))
        for row, mistake in zip(plain, mistakes, strict=False):
            place = rows.index(row)
            match mistake:
                case BillMistake.LONG:
                    rows.append(replace(row, trade_no=f"8{row.trade_no[1:]}", number=NOBODYS))
                case BillMistake.SHORT:
                    del rows[place]
                case BillMistake.AMOUNT:
                    rows[place] = self._costing(row, row.amount_fen + TOO_MUCH_FEN)
                case BillMistake.DUP:
                    rows.append(replace(row, trade_no=f"9{row.trade_no[1:]}"))
                case BillMistake.DAY:
                    before.append(replace(rows.pop(place), at_ns=begins_ns - _SECOND_NS))
        self._written[begins_ns] = self._zip(self._sorted(rows), begins_ns)
        if BillMistake.DAY in mistakes:
            yesterday = begins_ns - DAY_NS
            self._written[yesterday] = self._zip(self._sorted(before), yesterday)
        return len(rows)

    def _costing(self, row: _Row, amount_fen: int) -> _Row:
        fee = -fee_fen(amount_fen, self._config.fee_permyriad)
        return replace(row, amount_fen=amount_fen, fee_fen=fee)

    def _sorted(self, rows: Iterator[_Row] | list[_Row]) -> list[_Row]:
        return sorted(rows, key=lambda row: (row.at_ns, row.trade_no))

    def _zip(self, rows: list[_Row], begins_ns: int) -> bytes:
        stem = f"{self.account}_{beijing_moment(begins_ns).strftime('%Y%m%d')}_业务明细"
        files = {
            f"{stem}.csv": self._detail(rows, begins_ns),
            f"{stem}(汇总).csv": self._totals(rows, begins_ns),
        }
        return zip_bytes(
            {name.encode("gbk"): text.encode("gbk", "replace") for name, text in files.items()}
        )

    def _rows(self, begins_ns: int) -> Iterator[_Row]:
        base, rate = self._config.wall_base_ns, self._config.fee_permyriad
        days = range(begins_ns, begins_ns + DAY_NS)
        for trade in self._books.trades():
            if trade.paid_at_ns is None:
                continue
            at_ns = base + trade.paid_at_ns
            if at_ns in days:
                yield _Row(
                    at_ns=at_ns,
                    trade=trade,
                    trade_no=trade.trade_no,
                    number=trade.order.out_trade_no,
                    refund=None,
                    amount_fen=trade.total_fen,
                    fee_fen=-fee_fen(trade.total_fen, rate),
                )
            for refund in trade.refunds:
                if base + refund.at_ns in days:
                    yield _Row(
                        at_ns=base + refund.at_ns,
                        trade=trade,
                        trade_no=trade.trade_no,
                        number=trade.order.out_trade_no,
                        refund=refund,
                        amount_fen=-refund.amount_fen,
                        fee_fen=fee_fen(refund.amount_fen, rate),
                    )

    def _detail(self, rows: list[_Row], begins_ns: int) -> str:
        paid = [row.amount_fen for row in rows if row.refund is None]
        back = [row.amount_fen for row in rows if row.refund is not None]
        lines = [
            *self._head("#支付宝业务明细查询", "业务明细列表", begins_ns),
            DETAIL_HEADER,
            *(",".join(self._cells(row)) for row in rows),
            f"#{_FENCE}业务明细列表结束{_FENCE}",
            f"#交易合计：{len(paid)}笔，商家实收共{_yuan(sum(paid))}元，商家优惠共0.00元",
            f"#退款合计：{len(back)}笔，商家实收退款共{_yuan(sum(back))}元，商家优惠退款共0.00元",
            self._made(begins_ns),
        ]
        return "\r\n".join(lines) + "\r\n"

    def _totals(self, rows: list[_Row], begins_ns: int) -> str:
        shops = sorted({row.trade.order.store_id for row in rows} - {""})
        by_shop = [
            _sums(shop + _TAB, [row for row in rows if row.trade.order.store_id == shop])
            for shop in shops
        ]
        lines = [
            *self._head("#支付宝业务汇总查询", "业务汇总列表", begins_ns),
            TOTALS_HEADER,
            *by_shop,
            _sums("合计", rows),
            f"#{_FENCE}业务汇总列表结束{_FENCE}",
            self._made(begins_ns),
        ]
        return "\r\n".join(lines) + "\r\n"

    def _head(self, title: str, listed: str, begins_ns: int) -> tuple[str, ...]:
        begins, ends = (_day(begins_ns + days * DAY_NS) for days in (0, 1))
        return (
            title,
            f"#账号：[{self.account}]",
            f"#起始日期：[{begins} 00:00:00]   终止日期：[{ends} 00:00:00]",
            f"#{_FENCE}{listed}{_FENCE}",
        )

    def _made(self, begins_ns: int) -> str:
        made_ns = begins_ns + DAY_NS + self._config.bill_ready_ms * 1_000_000
        moment = beijing_moment(made_ns).strftime("%H:%M:%S")
        return f"#导出时间：[{_day(made_ns)} {moment}]"

    def _cells(self, row: _Row) -> tuple[str, ...]:
        trade, order = row.trade, row.trade.order
        amount = _yuan(row.amount_fen)
        buyer = self._wallets.logon_id(trade.card.buyer_id)
        return (
            row.trade_no + _TAB,
            row.number + _TAB,
            "退款" if row.refund else "交易",
            order.subject.replace(",", " "),
            beijing_text(min(self._config.wall_base_ns + trade.created_at_ns, row.at_ns)),
            beijing_text(row.at_ns),
            order.store_id + _TAB,
            "",
            order.operator_id + _TAB,
            order.terminal_id + _TAB,
            f"*司机({buyer})" + _TAB,
            amount,
            amount,
            *("0.00",) * 5,
            "",
            "0.00",
            "0.00",
            (row.refund.out_request_no if row.refund else "") + _TAB,
            _yuan(row.fee_fen),
            "0.00",
            "",
        )


def _sums(shop: str, rows: list[_Row]) -> str:
    paid = sum(row.refund is None for row in rows)
    amount = sum(row.amount_fen for row in rows)
    fee = sum(row.fee_fen for row in rows)
    cells = (
        shop,
        "",
        str(paid),
        str(len(rows) - paid),
        _yuan(amount),
        _yuan(amount),
        "0.00",
        "0.00",
        "0.00",
        _yuan(fee),
        "0.00",
        _yuan(amount + fee),
    )
    return ",".join(cells)


def _day(wall_ns: int) -> str:
    return beijing_moment(wall_ns).strftime("%Y年%m月%d日")


def _yuan(fen: int) -> str:
    return ("-" if fen < 0 else "") + yuan_of(abs(fen))
