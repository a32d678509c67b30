"""Asking UnionPay for a settlement file: the file comes in the signed answer itself."""

from __future__ import annotations

import base64
import hashlib
import zlib
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from plaza_server.platforms.bills import BillAt, BillHere, NotYet
from plaza_server.platforms.calls import HttpAnswer
from plaza_server.platforms.certificates import chain_check
from plaza_server.platforms.keys import rsa_signer
from plaza_server.platforms.unionpay.codec import UnionpayConfig
from plaza_server.platforms.unionpay.codec_bills import UnionpayBillCalls

GOLDEN = Path(__file__).parents[3] / "golden"
KEYS = GOLDEN / "unionpay_codec"
PLATFORM_SIGN = rsa_signer(KEYS / "platform_private.pem")
CERTIFICATE = (KEYS / "platform_cert.pem").read_text(encoding="ascii")
NOW_MS = 1_795_314_605_000
DAY = "2026-11-21"
MERCHANT = "802310048993424"
PACKED = (GOLDEN / "bills" / "unionpay" / f"{MERCHANT}_20261121.zip").read_bytes()
SUBJECT = UnionpayBillCalls(
    UnionpayConfig(
        gateway_url="https://gateway.test/pay",
        query_url="https://gateway.test/query",
        merchant_id=MERCHANT,
        certificate_id="69597475696",
    ),
    file_url="https://files.test/",
    sign=rsa_signer(KEYS / "merchant_private.pem"),
    verify=chain_check(
        root=KEYS / "root_cert.pem",
        middle=KEYS / "middle_cert.pem",
        owner="中国银联股份有限公司",
        wall_ms=lambda: NOW_MS,
    ),
)
GOOD = {
    "version": "5.1.0",
    "encoding": "UTF-8",
    "signMethod": "01",
    "merId": MERCHANT,
    "txnType": "76",
    "respCode": "00",
    "settleDate": "1121",
    "fileContent": base64.b64encode(zlib.compress(PACKED)).decode("ascii"),
    "signPubKeyCert": CERTIFICATE,
}


def answer(**changes: str) -> HttpAnswer:
    """Return an answer signed by the platform."""
    pairs = {**GOOD, **changes}
    text = "&".join(f"{name}={pairs[name]}" for name in sorted(pairs))
    digest = hashlib.sha256(text.encode()).hexdigest().encode("ascii")
    pairs["signature"] = base64.b64encode(PLATFORM_SIGN(digest)).decode("ascii")
    body = "&".join(f"{name}={value}" for name, value in pairs.items())
    return HttpAnswer(status=200, headers=(), body=body.encode())


def test_the_question_is_a_signed_file_transfer() -> None:
    """76/01, file type 00, the settlement day as MMdd."""
    call = SUBJECT.ask(DAY, now_ms=NOW_MS)
    said = dict(parse_qsl(call.body.decode("ascii")))
    assert (call.url, said["txnType"], said["txnSubType"]) == ("https://files.test/", "76", "01")
    assert (said["settleDate"], said["fileType"], said["merId"]) == ("1121", "00", MERCHANT)
    assert said["txnTime"] == "20261122103005"
    assert said["signature"]


def test_the_file_comes_with_the_answer() -> None:
    """Base64 of a deflated ZIP, read like one a person brings."""
    found = SUBJECT.read(DAY, answer(), now_ms=NOW_MS)
    assert isinstance(found, BillHere)
    assert found.content == PACKED
    assert len(SUBJECT.parse(found.content, DAY, name=found.name).rows) == 3
    assert (SUBJECT.name, SUBJECT.merchant) == ("unionpay", MERCHANT)
    with pytest.raises(AssertionError, match="no address"):
        SUBJECT.fetch(BillAt(url="x", name="y"), now_ms=NOW_MS)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (answer(respCode="98"), "98"),
        (answer(respCode=""), "no code"),
        (answer(merId="802310048993425"), "foreign"),
        (answer(settleDate="1120"), "foreign"),
        (answer(fileContent="!!"), "garbled"),
        (answer(fileContent=base64.b64encode(b"no deflate").decode()), "garbled"),
        (answer(fileContent=base64.b64encode(zlib.compress(PACKED)[:-9]).decode()), "garbled"),
        (HttpAnswer(status=500, headers=(), body=b""), "http 500"),
        (HttpAnswer(status=200, headers=(), body=b"respCode=00"), "bad_signature"),
    ],
)
def test_anything_else_is_no_bill_for_now(given: HttpAnswer, why: str) -> None:
    """No file, another's file, half a file, no signature."""
    assert SUBJECT.read(DAY, given, now_ms=NOW_MS) == NotYet(why=why)
