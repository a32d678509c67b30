"""WeChat Pay's daily trade bill (type ALL): UTF-8, every value behind a backtick, totals at the
end.

One header, one row per payment, refund or reversal, one header of totals and one row of totals. A
refund stands under the day it was asked for, with the state it had when the bill was made. A
payment that was reversed later stands there twice, as SUCCESS and as REVOKED, under one number. The
platform tells the SHA-1 of the unpacked text in its signed answer; the file itself is not signed,
so that hash is what makes it the platform's.

Source: the platform's page on the bill's format (columns, states, backtick); rows in public tests
(amounts of refunds stand in their own columns, the totals are the sums of the columns).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from plaza_server.platforms import bill_files as f
from plaza_server.platforms.bill_files import Place
from plaza_server.rules.bills import Bill, BillKind, BillRow, BillStatus, whole_fen

NAME = "wechat"
_GZIP = b"\x1f\x8b"
_BOM = "\ufeff"
COLUMNS = (
    "交易时间",
    "公众账号ID",
    "商户号",
    "特约商户号",
    "设备号",
    "微信订单号",
    "商户订单号",
    "用户标识",
    "交易类型",
    "交易状态",
    "付款银行",
    "货币种类",
    "应结订单金额",
    "代金券金额",
    "微信退款单号",
    "商户退款单号",
    "退款金额",
    "充值券退款金额",
    "退款类型",
    "退款状态",
    "商品名称",
    "商户数据包",
    "手续费",
    "费率",
    "订单金额",
    "申请退款金额",
    "费率备注",
)
TOTALS_COLUMNS = (
    "总交易单数",
    "应结订单总金额",
    "退款总金额",
    "充值券退款总金额",
    "手续费总金额",
    "订单总金额",
    "申请退款总金额",
)
_SUMMED = ("应结订单金额", "退款金额", "充值券退款金额", "手续费", "订单金额", "申请退款金额")
"""Columns whose sums the totals give, in their order."""
_KINDS = {"SUCCESS": BillKind.PAY, "REFUND": BillKind.REFUND, "REVOKED": BillKind.REFUND}
_STATES = {
    "SUCCESS": BillStatus.DONE,
    "PROCESSING": BillStatus.PROCESSING,
    "FAIL": BillStatus.FAILED,
}
_TEXTS = (
    "公众账号ID",
    "特约商户号",
    "设备号",
    "用户标识",
    "交易类型",
    "付款银行",
    "微信退款单号",
    "商户退款单号",
    "退款类型",
    "商品名称",
    "商户数据包",
    "费率",
    "费率备注",
)


@dataclass(frozen=True, slots=True)
class _Line:
    row: BillRow
    parts: tuple[int, ...]
    """The summed columns as the file has them, in thousandths of a fen."""


def parse_bill(
    data: bytes, *, day: str, merchant: str = "", name: str = "bill", sha1: str = ""
) -> Bill:
    """Return WeChat's bill of *day*, or refuse the whole file.

    Args:   data: the text, or its gzip stream. day: yyyy-MM-dd. merchant: the mchid every row must
            carry; empty takes the first row's. name: for refusals. sha1: of the unpacked text, by
            the platform's signed answer, 40 hex digits; empty for a file a person brought.
    Raises: BadInputError: names the file and the first wrong line.
    """
    whole = Place(file=name)
    f.check_size(data, whole)
    raw = f.gunzip(data, whole) if data.startswith(_GZIP) else data
    if sha1 and hashlib.sha1(raw, usedforsecurity=False).hexdigest() != sha1.lower():
        raise whole.refuse("not the file the platform signed for: another SHA-1", "Fetch it again")
    lines = f.lines_of(f.decode(raw, "utf-8", whole).removeprefix(_BOM))
    if len(lines) < 3:
        raise whole.refuse("shorter than its own head and totals", "Fetch it again")
    f.columns(lines[0].split(","), COLUMNS, Place(file=name, line=1))
    head, last = len(lines) - 1, len(lines)
    f.check_rows(len(lines) - 3, whole)
    merchant_of = merchant
    found: list[_Line] = []
    for number, text in enumerate(lines[1:-2], start=2):
        place = Place(file=name, line=number)
        cells = dict(zip(COLUMNS, _values(text, len(COLUMNS), place), strict=True))
        merchant_of = merchant_of or cells["商户号"]
        if cells["商户号"] != merchant_of:
            raise place.refuse("another merchant's row")
        found.append(_movement(cells, day, place))
    f.columns(lines[head - 1].split(","), TOTALS_COLUMNS, Place(file=name, line=head))
    _check_totals(lines[last - 1], found, Place(file=name, line=last))
    rows = tuple(each.row for each in found)
    f.check_doubles(rows, name)
    digest = hashlib.sha256(raw).hexdigest()
    return Bill(platform=NAME, day=day, merchant=merchant_of, rows=rows, digest=digest)


def _values(text: str, count: int, place: Place) -> list[str]:
    """Return a row's values without their backticks."""
    if not text.startswith("`"):
        raise place.refuse("its values are not behind backticks")
    cells = text[1:].split(",`")
    # A comma inside a text has no backtick behind it.
    if len(cells) != count:
        raise place.refuse(f"{len(cells)} values behind backticks, not {count}")
    return cells


def _movement(cell: dict[str, str], day: str, place: Place) -> _Line:
    kind = _KINDS.get(cell["交易状态"])
    if kind is None:
        raise place.refuse("交易状态 is neither SUCCESS, REFUND nor REVOKED")
    if cell["货币种类"] != "CNY":
        raise place.refuse("货币种类 is not CNY")
    for column in _TEXTS:
        f.text_cell(cell[column], column, place)
    moment = f.time_cell(cell["交易时间"], "交易时间", place)
    f.check_window(moment, NAME, day, place)
    money = {name: f.yuan_cell(cell[name], name, place) for name in _SUMMED if name != "手续费"}
    f.yuan_cell(cell["代金券金额"], "代金券金额", place)
    fee = f.fee_cell(cell["手续费"], "手续费", place)
    if min(money.values()) < 0:
        raise place.refuse("a negative amount")
    back = kind is BillKind.REFUND
    status = _STATES.get(cell["退款状态"]) if back else BillStatus.DONE
    if status is None:
        raise place.refuse("退款状态 is neither SUCCESS, PROCESSING nor FAIL")
    row = BillRow(
        line=place.line,
        kind=kind,
        out_trade_no=f.number_cell(cell["商户订单号"], "商户订单号", place),
        out_refund_no=_refund_no(cell["商户退款单号"], place) if back else None,
        provider_txn_id=f.number_cell(cell["微信订单号"], "微信订单号", place),
        amount_fen=money["申请退款金额" if back else "订单金额"],
        fee_fen=whole_fen(fee),
        paid_at_ms=moment,
        status=status,
    )
    parts = tuple(fee if name == "手续费" else money[name] * 1_000 for name in _SUMMED)
    return _Line(row=row, parts=parts)


def _refund_no(text: str, place: Place) -> str | None:
    """Return a refund's number; ``0`` and nothing stand for a reversal."""
    return None if text in {"", "0"} else f.number_cell(text, "商户退款单号", place)


def _check_totals(text: str, found: list[_Line], place: Place) -> None:
    said = _values(text, len(TOTALS_COLUMNS), place)
    count = f.count_cell(said[0], TOTALS_COLUMNS[0], place)
    f.check_total(len(found), count, TOTALS_COLUMNS[0], place)
    for index, name in enumerate(TOTALS_COLUMNS[1:]):
        total = sum(each.parts[index] for each in found)
        claimed = f.fee_cell(said[index + 1], name, place)
        f.check_total(total, claimed, f"{name}, 1/1000 fen", place)
