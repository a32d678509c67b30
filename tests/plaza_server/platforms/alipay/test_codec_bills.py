"""Asking Alipay for a bill: a signed question, a verified address, a plain download."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from plaza_server.platforms.alipay.codec import AlipayConfig
from plaza_server.platforms.alipay.codec_bills import ASK, AlipayBillCalls
from plaza_server.platforms.bills import BillAt, NotYet
from plaza_server.platforms.calls import HttpAnswer
from plaza_server.platforms.keys import rsa_check, rsa_signer
from tolling.errors import BadInputError

GOLDEN = Path(__file__).parents[3] / "golden"
KEYS = GOLDEN / "alipay_codec"
SIGN = rsa_signer(KEYS / "merchant_private.pem")
PLATFORM_SIGN = rsa_signer(KEYS / "platform_private.pem")
NOW_MS = 1_795_314_605_000
DAY = "2026-11-21"
URL = (
    "http://bills.test/downloadBillFile.resource?bizType=trade&fileType=csv.zip"
    "&downloadFileName=2088_20261121.csv.zip&token=abc"
)
BILL = GOLDEN / "bills" / "alipay" / "20880211096256330156_20261121.csv.zip"


def subject(account: str = "2088021109625633") -> AlipayBillCalls:
    """Return the calls that know the golden keys."""
    return AlipayBillCalls(
        AlipayConfig(gateway_url="https://gateway.test/gateway.do", app_id="2021000000000001"),
        sign=SIGN,
        verify=rsa_check(KEYS / "platform_public.pem"),
        account=account,
    )


def answer(fields: dict[str, str], *, status: int = 200, forge: bool = False) -> HttpAnswer:
    """Return an answer signed by the platform."""
    node = json.dumps(fields, separators=(",", ":")).encode()
    sign = SIGN if forge else PLATFORM_SIGN
    signature = base64.b64encode(sign(node))
    name = b'{"alipay_data_dataservice_bill_downloadurl_query_response":'
    body = name + node + b',"sign":"' + signature + b'"}'
    return HttpAnswer(status=status, headers=(), body=body)


GOOD = {"code": "10000", "msg": "Success", "bill_download_url": URL}


def test_the_question_is_signed_and_names_the_day() -> None:
    """Method and biz_content as the platform's page has them."""
    call = subject().ask(DAY, now_ms=NOW_MS)
    said = dict(parse_qsl(call.body.decode("ascii")))
    assert (call.method, said["method"]) == ("POST", ASK)
    assert json.loads(said["biz_content"]) == {"bill_type": "trade", "bill_date": DAY}
    signature = base64.b64decode(said.pop("sign"))
    text = "&".join(f"{key}={said[key]}" for key in sorted(said)).encode()
    assert rsa_check(KEYS / "merchant_public.pem")(signature, text)


def test_a_verified_address_is_fetched_as_it_is() -> None:
    """No signature of ours goes to it."""
    place = subject().read(DAY, answer(GOOD), now_ms=NOW_MS)
    assert place == BillAt(url=URL, name="2088_20261121.csv.zip")
    assert isinstance(place, BillAt)
    call = subject().fetch(place, now_ms=NOW_MS)
    assert (call.method, call.url, call.headers, call.body) == ("GET", URL, (), b"")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (answer(GOOD, forge=True), "bad_signature"),
        (answer(GOOD, status=502), "http 502"),
        (HttpAnswer(status=200, headers=(), body=b"<html>"), "garbled"),
        (answer({"code": "40004", "sub_code": "isp.bill_not_exist"}), "isp.bill_not_exist"),
        (answer({**GOOD, "bill_download_url": "ftp://x/y"}), "no address"),
        (answer({"code": "10000"}), "10000"),
        (answer({"code": "\u8d26"}), "no code"),
    ],
)
def test_anything_else_is_no_bill_for_now(given: HttpAnswer, why: str) -> None:
    """Forged, broken, refused: the next try may bring it. None of it proves an empty day."""
    assert subject().read(DAY, given, now_ms=NOW_MS) == NotYet(why=why)


def test_the_bill_must_be_the_sellers() -> None:
    """Another account's bill is refused whole."""
    good = subject().parse(BILL.read_bytes(), DAY, name="b.zip")
    assert (good.merchant, subject().name) == ("20880211096256330156", "alipay")
    other = subject("2088000000000000")
    assert other.merchant == "2088000000000000"
    with pytest.raises(BadInputError, match="another merchant"):
        other.parse(BILL.read_bytes(), DAY, name="b.zip")
