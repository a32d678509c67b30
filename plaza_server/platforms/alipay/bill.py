"""Alipay's daily business bill: a ZIP of two GBK tables, one of movements and one of totals.

``<account>_<yyyyMMdd>_业务明细.csv`` lists every payment and refund between lines that begin with
``#``; its last lines say counts and sums. ``<account>_<yyyyMMdd>_业务明细(汇总).csv`` says the
totals again per shop and over all. Both must agree with the rows, to the fen. Cells of numbers end
with a tab, amounts of refunds are negative, a service fee we paid is negative too. A cancelled
capture stands there as a payment and a refund.

Source: true files in public parsers and their tests (column names, order, marks); the official
text only names the calls (facts: payments 1a). The columns of the totals file are those of public
parsers too; that its sums run over payments and refunds alike is inferred from the signs.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from plaza_server.platforms import bill_files as f
from plaza_server.platforms.bill_files import Place
from plaza_server.rules.bills import (
    Bill,
    BillKind,
    BillRow,
    BillStatus,
    whole_fen,
)

NAME = "alipay"
ENCODING = "gbk"
_TITLE = "#支付宝业务明细查询"
_TOTALS_TITLE = "#支付宝业务汇总查询"
_BEGIN, _END = "业务明细列表", "业务明细列表结束"
_TOTALS_BEGIN, _TOTALS_END = "业务汇总列表", "业务汇总列表结束"
COLUMNS = (
    "支付宝交易号",
    "商户订单号",
    "业务类型",
    "商品名称",
    "创建时间",
    "完成时间",
    "门店编号",
    "门店名称",
    "操作员",
    "终端号",
    "对方账户",
    "订单金额（元）",
    "商家实收（元）",
    "支付宝红包（元）",
    "集分宝（元）",
    "支付宝优惠（元）",
    "商家优惠（元）",
    "券核销金额（元）",
    "券名称",
    "商家红包消费金额（元）",
    "卡消费金额（元）",
    "退款批次号/请求号",
    "服务费（元）",
    "分润（元）",
    "备注",
)
TOTALS_COLUMNS = (
    "门店编号",
    "门店名称",
    "交易订单总笔数",
    "退款订单总笔数",
    "订单金额（元）",
    "商家实收（元）",
    "支付宝优惠（元）",
    "商家优惠（元）",
    "卡消费金额（元）",
    "服务费（元）",
    "分润（元）",
    "实收净额（元）",
)
_KINDS = {"交易": BillKind.PAY, "退款": BillKind.REFUND}
_ACCOUNT = re.compile(r"#账号：\[([0-9]{16,24})\]", re.ASCII)
_DATES = re.compile(
    r"#起始日期：\[([0-9]{4})年([0-9]{2})月([0-9]{2})日 00:00:00\] +"
    r"终止日期：\[[0-9]{4}年[0-9]{2}月[0-9]{2}日 00:00:00\]",
    re.ASCII,
)
_PAID = re.compile(
    r"#交易合计：([0-9]+)笔，商家实收共(-?[0-9.]+)元，商家优惠共(-?[0-9.]+)元", re.ASCII
)
_BACK = re.compile(
    r"#退款合计：([0-9]+)笔，商家实收退款共(-?[0-9.]+)元，商家优惠退款共(-?[0-9.]+)元", re.ASCII
)
_MONEY = COLUMNS[11:18] + COLUMNS[19:21] + COLUMNS[22:24]


@dataclass(frozen=True, slots=True)
class _Line:
    """A row with what only the totals need."""

    row: BillRow
    ordered_fen: int
    """With its sign."""
    received_fen: int
    """With its sign."""
    allowed_fen: int
    """What we gave away, with its sign."""
    fee_parts: int
    """Thousandths of a fen with the file's sign: negative was paid by us."""


def parse_bill(data: bytes, *, day: str, merchant: str = "", name: str = "bill") -> Bill:
    """Return Alipay's bill of *day*, or refuse the whole file.

    Args:   data: the ZIP, or its table of movements alone. day: yyyy-MM-dd. merchant: the
            account it must be of (its first digits do); empty takes any. name: for refusals.
    Raises: BadInputError: names the file and the first wrong line.
    """
    whole = Place(file=name)
    f.check_size(data, whole)
    files, totals_name = {name: data}, ""
    if data.startswith(b"PK"):
        files = f.unzip(data, whole)
        name, totals_name = _two_files(files, whole)
    account, lines = _movements(files[name], day, merchant, name)
    if totals_name:
        _check_totals_file(files[totals_name], lines, account, day, totals_name)
    rows = tuple(line.row for line in lines)
    f.check_doubles(rows, name)
    digest = hashlib.sha256(b"".join(files[key] for key in sorted(files))).hexdigest()
    return Bill(platform=NAME, day=day, merchant=account, rows=rows, digest=digest)


def _two_files(files: dict[str, bytes], whole: Place) -> tuple[str, str]:
    totals = [each for each in files if "汇总" in each]
    details = [each for each in files if each.endswith(".csv") and each not in totals]
    if len(details) != 1 or len(totals) != 1 or len(files) != 2:
        raise whole.refuse("not one table of movements and one of totals")
    return details[0], totals[0]


def _head(lines: list[str], title: str, begin: str, day: str, merchant: str, file: str) -> str:
    """Check a table's five lines before its rows. Returns: whose it is."""
    if len(lines) < 5:
        raise Place(file=file).refuse("shorter than its own head", "Fetch it again")
    if lines[0] != title:
        raise Place(file=file, line=1).refuse("not Alipay's table, or not in GBK")
    account = _ACCOUNT.fullmatch(lines[1])
    if account is None or not account[1].startswith(merchant):
        raise Place(file=file, line=2).refuse("another merchant's bill")
    dates = _DATES.fullmatch(lines[2])
    if dates is None or f"{dates[1]}-{dates[2]}-{dates[3]}" != day:
        raise Place(file=file, line=3).refuse(f"not the bill of {day}")
    if not lines[3].startswith("#-") or lines[3].strip("#-") != begin:
        raise Place(file=file, line=4).refuse("no begin of its list")
    return account[1]


def _movements(data: bytes, day: str, merchant: str, file: str) -> tuple[str, list[_Line]]:
    lines = f.lines_of(f.decode(data, ENCODING, Place(file=file)))
    account = _head(lines, _TITLE, _BEGIN, day, merchant, file)
    f.columns(_cells(lines[4]), COLUMNS, Place(file=file, line=5))
    found: list[_Line] = []
    for number, text in enumerate(lines[5:], start=6):
        if text.startswith("#"):
            _check_tail(lines, number, found, file)
            return account, found
        place = Place(file=file, line=number)
        f.check_rows(len(found), place)
        found.append(_movement(_cells(text), day, place))
    raise Place(file=file, line=len(lines)).refuse("its end is missing", "Fetch it again")


def _cells(line: str) -> list[str]:
    return [cell.strip("\t ") for cell in line.split(",")]


def _movement(cells: list[str], day: str, place: Place) -> _Line:
    if len(cells) != len(COLUMNS):
        raise place.refuse(f"{len(cells)} cells, not {len(COLUMNS)}")
    cell = dict(zip(COLUMNS, cells, strict=True))
    kind = _KINDS.get(cell["业务类型"])
    if kind is None:
        raise place.refuse("a kind of business that is neither 交易 nor 退款")
    for column in COLUMNS[3:4] + COLUMNS[6:11] + COLUMNS[18:19] + COLUMNS[24:]:
        f.text_cell(cell[column], column, place)
    for column in _MONEY:
        f.fee_cell(cell[column], column, place)
    f.time_cell(cell["创建时间"], "创建时间", place)
    moment = f.time_cell(cell["完成时间"], "完成时间", place)
    f.check_window(moment, NAME, day, place)
    ordered = f.yuan_cell(cell["订单金额（元）"], "订单金额", place)
    if ordered < 0 if kind is BillKind.PAY else ordered > 0:
        raise place.refuse("its amount has the other kind's sign")
    refund_no = cell["退款批次号/请求号"]
    if refund_no:
        f.number_cell(refund_no, "退款批次号/请求号", place)
    fee = f.fee_cell(cell["服务费（元）"], "服务费", place)
    row = BillRow(
        line=place.line,
        kind=kind,
        out_trade_no=f.number_cell(cell["商户订单号"], "商户订单号", place),
        out_refund_no=(refund_no or None) if kind is BillKind.REFUND else None,
        provider_txn_id=f.number_cell(cell["支付宝交易号"], "支付宝交易号", place),
        amount_fen=abs(ordered),
        fee_fen=whole_fen(-fee),
        paid_at_ms=moment,
        status=BillStatus.DONE,
    )
    return _Line(
        row=row,
        ordered_fen=ordered,
        received_fen=f.yuan_cell(cell["商家实收（元）"], "商家实收", place),
        allowed_fen=f.yuan_cell(cell["商家优惠（元）"], "商家优惠", place),
        fee_parts=fee,
    )


def _check_tail(lines: list[str], number: int, found: list[_Line], file: str) -> None:
    """Check a table of movements from its end mark in line *number* on."""
    if lines[number - 1].strip("#-") != _END:
        raise Place(file=file, line=number).refuse("a line that is neither a row nor the end")
    for kind, pattern, line in (
        (BillKind.PAY, _PAID, number + 1),
        (BillKind.REFUND, _BACK, number + 2),
    ):
        place = Place(file=file, line=line)
        said = pattern.fullmatch(lines[line - 1]) if line <= len(lines) else None
        if said is None:
            raise place.refuse("its totals are missing")
        of_kind = [each for each in found if each.row.kind is kind]
        f.check_total(len(of_kind), int(said[1]), "count", place)
        received = sum(each.received_fen for each in of_kind)
        f.check_total(received, f.yuan_cell(said[2], "sum", place), "商家实收, fen", place)
        allowed = sum(each.allowed_fen for each in of_kind)
        f.check_total(allowed, f.yuan_cell(said[3], "sum", place), "商家优惠, fen", place)
    for extra in range(number + 3, len(lines) + 1):
        if not lines[extra - 1].startswith("#"):
            raise Place(file=file, line=extra).refuse("a row behind the totals")


def _check_totals_file(data: bytes, found: list[_Line], account: str, day: str, file: str) -> None:
    """Compare the totals of the second file with the rows of the first."""
    lines = f.lines_of(f.decode(data, ENCODING, Place(file=file)))
    _head(lines, _TOTALS_TITLE, _TOTALS_BEGIN, day, account, file)
    f.columns(_cells(lines[4]), TOTALS_COLUMNS, Place(file=file, line=5))
    last = next((n for n, text in enumerate(lines, 1) if text.startswith("合计")), 0)
    place = Place(file=file, line=last)
    cells = _cells(lines[last - 1]) if last else []
    if len(cells) != len(TOTALS_COLUMNS):
        raise place.refuse("its line of totals is missing or has another count of cells")
    after = lines[last] if last < len(lines) else ""
    if not after.startswith("#-") or after.strip("#-") != _TOTALS_END:
        raise place.refuse("its end is missing", "Fetch it again")
    said = dict(zip(TOTALS_COLUMNS, cells, strict=True))
    pays = sum(each.row.kind is BillKind.PAY for each in found)
    for column, count in (("交易订单总笔数", pays), ("退款订单总笔数", len(found) - pays)):
        f.check_total(count, f.count_cell(said[column], column, place), column, place)
    for column, amount in (
        ("订单金额（元）", sum(each.ordered_fen for each in found)),
        ("商家实收（元）", sum(each.received_fen for each in found)),
        ("商家优惠（元）", sum(each.allowed_fen for each in found)),
    ):
        f.check_total(amount, f.yuan_cell(said[column], column, place), column, place)
    fees = f.fee_cell(said["服务费（元）"], "服务费", place)
    f.check_total(sum(each.fee_parts for each in found), fees, "服务费, 1/1000 fen", place)
