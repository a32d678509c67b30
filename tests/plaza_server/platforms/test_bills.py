"""Every platform's bill is read from its true format, and refused whole at its first wrong line."""

from __future__ import annotations

import contextlib
import gzip
import io
import re
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaza_server.platforms import bill_files
from plaza_server.platforms.alipay import bill as alipay
from plaza_server.platforms.unionpay import bill as unionpay
from plaza_server.platforms.wechat import bill as wechat
from plaza_server.rules.bills import Bill, BillKind, BillStatus, BillTotals
from tolling.errors import BadInputError

GOLDEN = Path(__file__).parents[2] / "golden" / "bills"
DAY = "2026-11-21"
ZIP = (GOLDEN / "alipay" / "20880211096256330156_20261121.csv.zip").read_bytes()
DETAIL = (GOLDEN / "alipay" / "detail.csv").read_bytes()
TOTALS = (GOLDEN / "alipay" / "totals.csv").read_bytes()
WECHAT = (GOLDEN / "wechat" / "1900000109All2026-11-21.csv").read_bytes()
WECHAT_GZ = (GOLDEN / "wechat" / "1900000109All2026-11-21.csv.gz").read_bytes()
SHA1 = (GOLDEN / "wechat" / "sha1.txt").read_text(encoding="ascii").strip()
ZM_NAME = "INN26112188ZM_802310048993424"
ZM = (GOLDEN / "unionpay" / ZM_NAME).read_bytes()
UNIONPAY_ZIP = (GOLDEN / "unionpay" / "802310048993424_20261121.zip").read_bytes()


def number(count: int) -> str:
    """Return one of the golden bills' order numbers."""
    return f"330101003001{count:09d}A01"


def packed(detail: bytes = DETAIL, totals: bytes | None = TOTALS) -> bytes:
    """Return an Alipay ZIP of changed files."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as pack:
        pack.writestr("2088_20261121_业务明细.csv", detail)
        if totals is not None:
            pack.writestr("2088_20261121_业务明细(汇总).csv", totals)
    return made.getvalue()


def recoded(data: bytes, old: str, new: str, *, encoding: str) -> bytes:
    """Return *data* with the first *old* replaced."""
    assert old.encode(encoding) in data
    return data.replace(old.encode(encoding), new.encode(encoding), 1)


def refusal(read: Callable[[], Bill]) -> str:
    """Return the words a bill is refused with."""
    with pytest.raises(BadInputError) as caught:
        read()
    return str(caught.value)


# ---- good bills ----


def test_alipay_zip_is_read_whole() -> None:
    """Payments and a refund, with exact fees, numbers without their tabs and Beijing times."""
    subject = alipay.parse_bill(ZIP, day=DAY, merchant="2088021109625633")
    assert subject.merchant == "20880211096256330156"
    assert subject.totals == BillTotals(
        pay_count=3, pay_fen=12190, refund_count=1, refund_fen=1000, fee_fen=67
    )
    first, last = subject.rows[0], subject.rows[-1]
    assert (first.line, first.out_trade_no, first.amount_fen, first.fee_fen) == (
        6,
        number(1),
        2550,
        15,
    )
    assert first.paid_at_ms == 1_795_219_202_000
    assert (last.kind, last.out_refund_no, last.fee_fen) == (
        BillKind.REFUND,
        number(2) + "R01",
        -6,
    )
    assert alipay.parse_bill(DETAIL, day=DAY).rows == subject.rows


def test_wechat_text_and_stream_are_one_bill() -> None:
    """Backticks, byte order mark and gzip make no difference; reversals have no refund number."""
    subject = wechat.parse_bill(WECHAT, day=DAY, merchant="1900000109", sha1=SHA1)
    assert subject == wechat.parse_bill(WECHAT_GZ, day=DAY, sha1=SHA1.upper())
    assert subject.totals == BillTotals(
        pay_count=3, pay_fen=12190, refund_count=2, refund_fen=9640, fee_fen=15
    )
    revoked, refund = subject.rows[3], subject.rows[4]
    assert (revoked.kind, revoked.out_refund_no) == (BillKind.REFUND, None)
    assert (refund.out_refund_no, refund.status) == (number(12) + "R01", BillStatus.PROCESSING)
    assert refund.line == 6


def test_unionpay_file_is_read_by_widths() -> None:
    """A refund names the payment's number and trade; the day begins at 23:00 of the day before."""
    subject = unionpay.parse_bill(UNIONPAY_ZIP, day=DAY, merchant="802310048993424")
    assert subject == unionpay.parse_bill(ZM, day=DAY, name=ZM_NAME)
    pay, night, refund = subject.rows
    assert (pay.out_trade_no, pay.amount_fen, pay.fee_fen) == (number(21), 2550, 10)
    assert night.paid_at_ms < pay.paid_at_ms
    assert (refund.out_trade_no, refund.out_refund_no) == (number(22), number(22) + "R01")
    assert refund.provider_txn_id == night.provider_txn_id
    assert refund.fee_fen == -4
    assert subject.totals.net_fen == 2550 - 10


def test_a_bill_packed_again_is_the_same_bill() -> None:
    """The digest is over what was packed, not over the packing."""
    again = gzip.compress(WECHAT, mtime=1)
    assert wechat.parse_bill(again, day=DAY).digest == wechat.parse_bill(WECHAT, day=DAY).digest


# ---- bad bills ----

ALIPAY_ROW_3 = "2026112122001400000000000003"
ALIPAY_BAD: dict[str, tuple[str, str, str]] = {
    "formula": ("云岭站", "=云岭站", "line 6: 商品名称 starts like a formula"),
    "plus": ("*司机", "+司机", "line 6: 对方账户 starts like a formula"),
    "formula number": (ALIPAY_ROW_3, "@26112122001400", "line 8: 支付宝交易号 starts like"),
    "missing column": ("服务费（元）,", "", "line 5: column 服务费（元） is missing"),
    "unknown column": ("备注\r", "备注,新列\r", "line 5: column 26 is not known"),
    "doubled column": ("备注\r", "备注,备注\r", "line 5: its columns are doubled"),
    "moved column": ("备注\r", "券名称\r", "line 5: column 备注 is missing"),
    "cells": ("浙A12345 1型", "浙A12345, 1型", "line 6: 26 cells, not 25"),
    "received": ("25.50,25.50", "25.50,25.51", "line 11: 商家实收, fen: it says 12190"),
    "three decimals": ("25.50,25.50", "25.505,25.50", "line 6: 订单金额 is not an amount"),
    "exponent": ("25.50,25.50", "2e1,25.50", "line 6: 订单金额（元） is not an amount"),
    "sign": ("-10.00,-10.00", "10.00,-10.00", "line 9: its amount has the other kind's sign"),
    "sum": ("共121.90元", "共121.91元", "line 11: 商家实收, fen: it says 12191"),
    "count": ("退款合计：1笔", "退款合计：2笔", "line 12: count: it says 2, its rows make 1"),
    "day in its head": ("[2026年11月21日", "[2026年11月20日", "line 3: not the bill of"),
    "day of a row": ("2026-11-21 08:00:02", "2026-11-22 00:00:00", "line 6: its time is not of"),
    "no time": ("2026-11-21 08:00:02", "2026-11-21 24:00:02", "line 6: 完成时间 is not"),
    "merchant": ("[20880211096256330156]", "[20880211096256340156]", "line 2: another merchant"),
    "kind": ("退款,云岭站", "转账,云岭站", "line 9: a kind of business"),
    "doubled row": (ALIPAY_ROW_3, "2026112122001400000000000002", "line 8: the same movement"),
    "title": ("#支付宝业务明细查询", "#微信", "line 1: not Alipay's table"),
    "end": ("业务明细列表结束", "业务明细", "line 10: a line that is neither"),
    "trailer": ("#退款合计：", "#合计：", "line 12: its totals are missing"),
    "row behind": ("#导出时间", "导出时间", "line 13: a row behind the totals"),
}


@pytest.mark.parametrize("name", sorted(ALIPAY_BAD))
def test_a_changed_alipay_bill_is_refused_at_its_line(name: str) -> None:
    """Each mutation of the table of movements names file and line."""
    old, new, words = ALIPAY_BAD[name]
    bad = packed(recoded(DETAIL, old, new, encoding="gbk"))
    said = refusal(lambda: alipay.parse_bill(bad, day=DAY, merchant="2088021109625633"))
    assert words in said
    assert "2088_20261121_业务明细.csv line " in said


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("111.90,111.90", "111.91,111.90", "line 6: 订单金额（元）: it says 11191"),
        ("111.90,111.90", "111.90,111.89", "line 6: 商家实收（元）: it says 11189"),
        (",3,1,", ",4,1,", "line 6: 交易订单总笔数: it says 4"),
        (",3,1,", ",3,0,", "line 6: 退款订单总笔数: it says 0"),
        ("-0.67", "-0.66", "line 6: 服务费, 1/1000 fen: it says -66000"),
        ("合计,", "总计,", "its line of totals is missing"),
        ("业务汇总列表结束", "业务汇总", "line 6: its end is missing"),
        ("退款订单总笔数,", "", "line 5: column 退款订单总笔数 is missing"),
        ("#支付宝业务汇总查询", "#支付宝", "line 1: not Alipay's table"),
        ("[2026年11月21日", "[2026年11月22日", "line 3: not the bill of"),
    ],
)
def test_totals_that_disagree_refuse_the_bill(old: str, new: str, words: str) -> None:
    """The second file is compared with the rows of the first."""
    bad = packed(totals=recoded(TOTALS, old, new, encoding="gbk"))
    said = refusal(lambda: alipay.parse_bill(bad, day=DAY))
    assert "业务明细(汇总).csv" in said
    assert words in said


def test_a_changed_amount_is_found_by_the_totals_file() -> None:
    """An order's amount stands in no trailer of the first file, only in the second one."""
    bad = packed(recoded(DETAIL, "25.50,25.50", "25.51,25.50", encoding="gbk"))
    assert "订单金额（元）: it says 11190" in refusal(lambda: alipay.parse_bill(bad, day=DAY))


def test_utf8_in_place_of_gbk_is_refused() -> None:
    """The title cannot be read then, or the bytes mean nothing."""
    text = DETAIL.decode("gbk").encode("utf-8")
    said = refusal(lambda: alipay.parse_bill(packed(text), day=DAY))
    assert re.search(r"not Alipay's table, or not in GBK|not GBK text", said)


def test_bytes_that_are_no_gbk_name_their_line() -> None:
    """The first line with such bytes is named."""
    bad = packed(DETAIL.replace("浙A12345".encode("gbk"), b"\xff\xffA12345", 1))
    assert "line 6: not GBK text" in refusal(lambda: alipay.parse_bill(bad, day=DAY))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (ZIP[:-40], "not a whole ZIP"),
        (ZIP[:200] + b"\0\0\0" + ZIP[203:], "not a whole ZIP"),
        (packed(totals=None), "not one table of movements and one of totals"),
        (packed(DETAIL[: DETAIL.index(b"#----", 400)]), "its end is missing"),
        (packed(b"#\n"), "shorter than its own head"),
    ],
)
def test_broken_files_are_refused(data: bytes, words: str) -> None:
    """Cut, damaged and incomplete files."""
    assert words in refusal(lambda: alipay.parse_bill(data, day=DAY))


def test_a_bomb_is_refused_before_it_fills_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """What unpacks to more than any bill is not unpacked further."""
    monkeypatch.setattr(bill_files, "TEXT_MAX", 10_000)
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as pack:
        pack.writestr("a_业务明细.csv", b"\0" * 1_000_000)
    assert "unpacks to more" in refusal(lambda: alipay.parse_bill(bomb.getvalue(), day=DAY))
    stream = gzip.compress(b"\0" * 1_000_000)
    assert "unpacks to more" in refusal(lambda: wechat.parse_bill(stream, day=DAY))
    monkeypatch.setattr(bill_files, "PACKED_MAX", 100)
    assert "larger than" in refusal(lambda: wechat.parse_bill(WECHAT, day=DAY))
    monkeypatch.setattr(bill_files, "PACKED_MAX", 10_000)
    monkeypatch.setattr(bill_files, "ROWS_MAX", 2)
    assert "more than 2 rows" in refusal(lambda: wechat.parse_bill(WECHAT, day=DAY))


def test_a_zip_of_many_or_equal_names_is_refused() -> None:
    """A bill has two files."""
    many = io.BytesIO()
    with zipfile.ZipFile(many, "w") as pack:
        for count in range(9):
            pack.writestr(f"{count}.csv", b"x")
    assert "a ZIP of 9 files" in refusal(lambda: alipay.parse_bill(many.getvalue(), day=DAY))
    twice = io.BytesIO()
    with zipfile.ZipFile(twice, "w") as pack:
        pack.writestr("a.csv", b"x")
        with pytest.warns(UserWarning, match="Duplicate name"):
            pack.writestr("a.csv", b"y")
    assert "one name twice" in refusal(lambda: alipay.parse_bill(twice.getvalue(), day=DAY))


WECHAT_BAD: dict[str, tuple[str, str, str]] = {
    "formula": ("`云岭站", "`=云岭站", "line 2: 商品名称 starts like a formula"),
    "minus": ("`003,", "`-003,", "line 2: 设备号 starts like a formula"),
    "missing column": ("退款状态,", "", "line 1: column 退款状态 is missing"),
    "unknown column": ("费率备注\r", "费率备注,新列\r", "line 1: column 28 is not known"),
    "no backtick": (",`SUCCESS", ",SUCCESS", "line 2: 26 values behind backticks, not 27"),
    "first backtick": ("`2026-11-21 08", "2026-11-21 08", "line 2: its values are not behind"),
    "amount": ("`25.50", "`25.51", "line 8: 应结订单总金额, 1/1000 fen"),
    "negative": ("`25.50", "`-25.50", "line 2: a negative amount"),
    "fee": ("`0.15000", "`0.16000", "line 8: 手续费总金额, 1/1000 fen: it says 15000"),
    "fee decimals": ("`0.15000", "`0.150001", "line 2: 手续费 is not an amount in yuan with at"),
    "count": ("`5,`121.90", "`4,`121.90", "line 8: 总交易单数: it says 4, its rows make 5"),
    "sum": ("`5,`121.90", "`5,`121.91", "line 8: 应结订单总金额"),
    "state": ("`REVOKED", "`CLOSED", "line 5: 交易状态 is neither"),
    "refund state": ("`PROCESSING", "`MAYBE", "line 6: 退款状态 is neither"),
    "currency": ("`CNY", "`USD", "line 2: 货币种类 is not CNY"),
    "merchant": ("`1900000109", "`1900000110", "line 2: another merchant's row"),
    "day": ("`2026-11-21 08", "`2026-11-20 08", "line 2: its time is not of 2026-11-21"),
    "doubled row": ("0000000012,", "0000000011,", "line 3: the same movement stands in line 2"),
    "long number": ("`" + number(11), "`" + "9" * 65, "line 2: 商户订单号 is not 1 to 64"),
    "no number": ("`" + number(11), "`", "line 2: 商户订单号 is not 1 to 64"),
    "totals": ("总交易单数", "单数", "line 7: column 总交易单数 is missing"),
}


@pytest.mark.parametrize("name", sorted(WECHAT_BAD))
def test_a_changed_wechat_bill_is_refused_at_its_line(name: str) -> None:
    """Each mutation of the text names file and line."""
    old, new, words = WECHAT_BAD[name]
    bad = recoded(WECHAT, old, new, encoding="utf-8")
    said = refusal(lambda: wechat.parse_bill(bad, day=DAY, merchant="1900000109", name="all.csv"))
    assert said.startswith("all.csv ")
    assert words in said


def test_a_wechat_bill_must_be_the_one_that_was_signed_for() -> None:
    """One changed byte is another SHA-1, packed or not."""
    bad = recoded(WECHAT, "浙A12345", "浙A12346", encoding="utf-8")
    for data in (bad, gzip.compress(bad)):
        said = refusal(partial(wechat.parse_bill, data, day=DAY, sha1=SHA1))
        assert "another SHA-1" in said
    assert wechat.parse_bill(bad, day=DAY).rows


def test_wechat_files_that_are_cut_or_not_utf8_are_refused() -> None:
    """GBK text, half a stream, bytes behind a stream, a page of something else."""
    gbk = WECHAT.removeprefix(b"\xef\xbb\xbf").decode("utf-8").encode("gbk")
    assert "line 1: not UTF-8 text" in refusal(lambda: wechat.parse_bill(gbk, day=DAY))
    for data in (WECHAT_GZ[:-9], WECHAT_GZ + b"x", b"\x1f\x8bxxxx"):
        said = refusal(partial(wechat.parse_bill, data, day=DAY))
        assert "not a whole gzip stream" in said
    assert "shorter than" in refusal(lambda: wechat.parse_bill(b"<html>", day=DAY))


def zm(line: int, field: int, value: str) -> bytes:
    """Return the golden ZM file with one field of one line changed."""
    lines = ZM.split(b"\r\n")
    widths = unionpay.WIDTHS
    start = sum(widths[: field - 1]) + field - 1
    end = start + widths[field - 1]
    text = value.encode("gbk").ljust(widths[field - 1])
    lines[line - 1] = lines[line - 1][:start] + text + lines[line - 1][end:]
    return b"\r\n".join(lines)


@pytest.mark.parametrize(
    ("line", "field", "value", "words"),
    [
        (1, 7, "000000002551", "line 1: what is settled is not what was asked less the fee"),
        (1, 16, "D000000000011", "line 1: what is settled"),
        (1, 16, "X000000000010", "line 1: field 16 is not C or D"),
        (1, 17, "C00000000254A", "line 1: field 17 is not 12 digits"),
        (2, 20, "99", "line 2: field 20 (txnType) is neither"),
        (2, 28, "802310048993425", "line 2: another merchant's row"),
        (2, 5, "1120220500", "line 2: its time is not of 2026-11-21"),
        (2, 5, "1120250000", "line 2: field 5 (txnTime) is not MMddHHmmss"),
        (2, 5, "0101120000", "line 2: field 5 (txnTime) is not MMddHHmmss"),
        (3, 41, "", "line 3: field 41 is not 1 to 64"),
        (1, 30, "=1", "line 1: field 30 starts like a formula"),
        (2, 10, "202611210800011906248", "line 2: the same movement stands in line 1"),
    ],
)
def test_a_changed_unionpay_file_is_refused_at_its_line(
    line: int, field: int, value: str, words: str
) -> None:
    """Each mutation of a field names file and line."""
    said = refusal(lambda: unionpay.parse_bill(zm(line, field, value), day=DAY, name=ZM_NAME))
    assert said.startswith(ZM_NAME)
    assert words in said


def test_unionpay_names_and_widths_are_checked() -> None:
    """Day and merchant stand in the name; a line of another length is no line."""

    def read(data: bytes = ZM, name: str = ZM_NAME, day: str = DAY, merchant: str = "") -> str:
        return refusal(lambda: unionpay.parse_bill(data, day=day, name=name, merchant=merchant))

    assert "not the bill of 2026-11-20" in read(day="2026-11-20")
    assert "another merchant's bill" in read(merchant="1")
    assert "line 1: 1 bytes, not" in read(b"x")
    assert "line 2: " in read(ZM.replace(b"\r\n", b"x\r\n", 2).replace(b"x\r\n", b"\r\n", 1))
    assert "field 1 is wider" in read(b"S223" + ZM[4:])
    assert "not exactly one ZM file" in read(packed())
    assert "line 1: not GBK text" in read(b"\xff" + ZM[1:])


@pytest.mark.slow
@given(st.data())
def test_any_changed_bytes_are_a_bill_or_a_refusal(data: st.DataObject) -> None:
    """Whatever was cut, turned or put in: a whole bill or BadInputError, nothing else."""
    read, good = data.draw(
        st.sampled_from(
            [
                (alipay.parse_bill, DETAIL),
                (alipay.parse_bill, ZIP),
                (wechat.parse_bill, WECHAT),
                (wechat.parse_bill, WECHAT_GZ),
                (unionpay.parse_bill, ZM),
                (unionpay.parse_bill, UNIONPAY_ZIP),
            ]
        )
    )
    start = data.draw(st.integers(0, len(good)))
    end = data.draw(st.integers(start, min(len(good), start + 40)))
    bad = good[:start] + data.draw(st.binary(max_size=8)) + good[end:]
    bill = None
    with contextlib.suppress(BadInputError):
        bill = read(bad, day=DAY)
    assert bill is None or bill.day == DAY
