"""Asking WeChat for a bill: a signed question, a verified SHA-1, a signed download."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import pytest

from plaza_server.platforms.bills import BillAt, NoBill, NotYet
from plaza_server.platforms.calls import HttpAnswer, HttpCall
from plaza_server.platforms.wechat.codec import Pen
from plaza_server.platforms.wechat.codec_bills import WechatBillCalls
from tests.plaza_server.platforms.wechat.golden import (
    CONFIG,
    MERCHANT_CHECK,
    MERCHANT_SERIAL,
    NONCE,
    NOW_MS,
    PLATFORM_SIGN,
    SERIAL,
    SIGN,
    verify,
)
from tolling.errors import BadInputError

BILLS = Path(__file__).parents[3] / "golden" / "bills" / "wechat"
CONTENT = (BILLS / "1900000109All2026-11-21.csv.gz").read_bytes()
SHA1 = (BILLS / "sha1.txt").read_text(encoding="ascii").strip()
DAY = "2026-11-21"
URL = "https://files.wechat.test/v3/billdownload/file?token=abc%2Bd&tartype=gzip"
SUBJECT = WechatBillCalls(
    CONFIG, Pen(sign=SIGN, serial=MERCHANT_SERIAL, nonce=lambda: NONCE), verify=verify
)
GOOD = {"download_url": URL, "hash_type": "SHA1", "hash_value": SHA1}


def answer(fields: dict[str, str], *, status: int = 200, forge: bool = False) -> HttpAnswer:
    """Return an answer signed by the platform."""
    body = json.dumps(fields).encode()
    text = f"{NOW_MS // 1000}\nabc\n".encode() + body + b"\n"
    signature = base64.b64encode((SIGN if forge else PLATFORM_SIGN)(text)).decode("ascii")
    headers = (
        ("Wechatpay-Timestamp", str(NOW_MS // 1000)),
        ("Wechatpay-Nonce", "abc"),
        ("Wechatpay-Signature", signature),
        ("Wechatpay-Serial", SERIAL),
        ("Wechatpay-Signature-Type", "WECHATPAY2-SHA256-RSA2048"),
    )
    return HttpAnswer(status=status, headers=headers, body=body)


def is_signed(call: HttpCall, path: str) -> bool:
    """Return whether our signature covers that path."""
    said = dict(call.headers)["Authorization"]
    found = re.search(r'signature="([^"]+)"', said)
    assert found is not None
    text = f"GET\n{path}\n{NOW_MS // 1000}\n{NONCE}\n\n".encode()
    return MERCHANT_CHECK(base64.b64decode(found[1]), text)


def test_the_question_asks_for_everything_packed() -> None:
    """Type ALL, one day, gzip; signed over path and query."""
    call = SUBJECT.ask(DAY, now_ms=NOW_MS)
    path = f"/v3/bill/tradebill?bill_date={DAY}&bill_type=ALL&tar_type=GZIP"
    assert (call.method, call.url) == ("GET", f"https://wechat.test{path}")
    assert is_signed(call, path)
    assert (SUBJECT.name, SUBJECT.merchant) == ("wechat", "1900000109")


def test_the_download_is_signed_over_the_address_that_was_told() -> None:
    """Host and token as the platform says them, escapes untouched."""
    place = SUBJECT.read(DAY, answer(GOOD), now_ms=NOW_MS)
    assert place == BillAt(url=URL, name="wechat_2026-11-21.csv.gz", sha1=SHA1)
    assert isinstance(place, BillAt)
    call = SUBJECT.fetch(place, now_ms=NOW_MS)
    assert call.url == URL
    assert is_signed(call, "/v3/billdownload/file?token=abc%2Bd&tartype=gzip")
    bill = SUBJECT.parse(CONTENT, DAY, name=place.name, sha1=place.sha1)
    assert len(bill.rows) == 5
    with pytest.raises(BadInputError, match="another SHA-1"):
        SUBJECT.parse(CONTENT, DAY, name=place.name, sha1="0" * 40)


def test_a_signed_word_that_nothing_happened_is_a_bill_without_rows() -> None:
    """The same word without a signature proves nothing."""
    said = {"code": "NO_STATEMENT_EXIST", "message": "none"}
    assert SUBJECT.read(DAY, answer(said, status=400), now_ms=NOW_MS) == NoBill()
    bare = HttpAnswer(status=400, headers=(), body=json.dumps(said).encode())
    assert SUBJECT.read(DAY, bare, now_ms=NOW_MS) == NotYet(why="NO_STATEMENT_EXIST")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (answer({"code": "STATEMENT_CREATING"}, status=400), "STATEMENT_CREATING"),
        (answer(GOOD, forge=True), "bad_signature"),
        (HttpAnswer(status=200, headers=(), body=json.dumps(GOOD).encode()), "bad_signature"),
        (HttpAnswer(status=502, headers=(), body=b"<html>"), "http_status"),
        (answer({**GOOD, "hash_type": "MD5"}), "garbled"),
        (answer({**GOOD, "hash_value": "12"}), "garbled"),
        (answer({**GOOD, "download_url": "http://files.wechat.test/x?token=1"}), "garbled"),
        (answer({**GOOD, "download_url": "https://a@evil.test/x?token=1"}), "garbled"),
        (answer({"hash_type": "SHA1"}), "garbled"),
    ],
)
def test_anything_else_is_no_bill_for_now(given: HttpAnswer, why: str) -> None:
    """Not made yet, forged, broken, or an address our signature must not go to."""
    assert SUBJECT.read(DAY, given, now_ms=NOW_MS) == NotYet(why=why)
