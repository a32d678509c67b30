"""Files for finance: guarded cells, totals, and a hash over everything before it."""

from __future__ import annotations

import csv
import hashlib
import io

import pytest

from plaza_server.rules.bills import BillTotals
from plaza_server.rules.reconcile_files import cell, differences_csv, settlement_csv
from plaza_server.rules.reconcile_values import BillDifference, PayeeSum


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("T1", "T1"),
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@x", "'@x"),
        ("\tx", "'\tx"),
        ('a,"b"', '"a,""b"""'),
        ("=a,b", '"\'=a,b"'),
    ],
)
def test_a_text_cell_never_runs(text: str, written: str) -> None:
    """Formula signs get an apostrophe, commas and quotes are quoted."""
    assert cell(text) == written


def test_differences_are_written_with_times_and_actions() -> None:
    """One row each; a foreign number that looks like a formula is text."""
    one = BillDifference(
        platform="alipay",
        day="2026-11-21",
        what="LONG",
        out_trade_no="=cmd()",
        key="pay/T1",
        bill_fen=-1050,
        ours_fen=0,
        action="Look it up, then give it back",
        found_ms=1_795_219_202_000,
        healed_ms=None,
    )
    header, row = csv.reader(io.StringIO(differences_csv([one]), newline=""))
    assert header[:4] == ["platform", "day", "what", "out_trade_no"]
    assert row[3:7] == ["'=cmd()", "pay/T1", "-10.50", "0.00"]
    assert row[7:] == ["2026-11-21T08:00:02.000+08:00", "", "Look it up, then give it back"]


def test_a_settlement_adds_up_and_is_hashed() -> None:
    """Only the payee's own rows, a row of totals, and the SHA-256 of all bytes before it."""
    totals = BillTotals(pay_count=3, pay_fen=10000, refund_count=1, refund_fen=100, fee_fen=60)
    sums = [
        PayeeSum(platform="alipay", payee="330101", totals=totals),
        PayeeSum(platform="wechat", payee="330101", totals=totals),
        PayeeSum(platform="wechat", payee="", totals=totals),
    ]
    text = settlement_csv("2026-11-21", "330101", sums)
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert [row[2] for row in rows[1:4]] == ["alipay", "wechat", "total"]
    assert rows[1][3:] == ["3", "100.00", "1", "1.00", "0.60", "98.40"]
    assert rows[3][3:] == ["6", "200.00", "2", "2.00", "1.20", "196.80"]
    body, _, _ = text.rpartition("sha256,")
    assert rows[4] == ["sha256", hashlib.sha256(body.encode()).hexdigest()]
