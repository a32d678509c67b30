"""Daily bills of the simulated platforms: when they are there, what they say, how they come."""

from __future__ import annotations

import base64
import csv
import gzip
import hashlib
import io
import json
import zipfile
import zlib
from typing import Any
from urllib.parse import urlsplit

import pytest

from simulator.models.platform_values import BillMistake, BuyerBehaviour
from simulator.models.platform_wire import HttpRequest
from tests.simulator.models import alipay_merchant as alipay
from tests.simulator.models import unionpay_merchant as unionpay
from tests.simulator.models import wechat_merchant as wechat

S = 1_000_000_000
T0 = 5 * S
READY = 26 * 3_600 * S
"""10:00 of the next day in Beijing."""
NUMBERS = [f"11010500100100000000{n}A01" for n in range(3)]
BILL_METHOD = "alipay.data.dataservice.bill.downloadurl.query"


def alipay_day(**config: Any) -> alipay.Merchant:
    """Return a merchant after a day: three payments, one refunded in part, one cancelled."""
    subject = alipay.Merchant(platform=alipay.make_platform(**config))
    for number in NUMBERS:
        code = subject.platform.issue_code("d", T0).code
        subject.ask("pay", alipay.pay_biz(code, number, store_id="GY01"))
    part = {"refund_amount": "5.50", "out_request_no": NUMBERS[0] + "R01"}
    subject.ask("refund", {"out_trade_no": NUMBERS[0], **part}, at_ns=T0 + S)
    subject.ask("cancel", {"out_trade_no": NUMBERS[1]}, at_ns=T0 + 2 * S)
    subject.stamp = "2026-11-23 10:00:00"
    return subject


def alipay_bill(subject: alipay.Merchant, at_ns: int = READY, **biz: str) -> dict[str, Any]:
    """Ask for the address of a bill."""
    said = json.dumps({"bill_type": "trade", "bill_date": "2026-11-22", **biz})
    return subject.ask("", {}, at_ns=at_ns, method=BILL_METHOD, biz_content=said)


def fetched(subject: alipay.Merchant, url: str, at_ns: int) -> bytes:
    """Fetch an address."""
    parts = urlsplit(url)
    request = HttpRequest(method="GET", path=parts.path, query=parts.query.encode())
    return subject.platform.handle(request, at_ns).body


def test_alipays_bill_is_a_zip_of_two_gbk_tables() -> None:
    """Names in GBK without a mark, lines with #, one row a movement, sums that agree."""
    subject = alipay_day()
    url = alipay_bill(subject)["bill_download_url"]
    with zipfile.ZipFile(io.BytesIO(fetched(subject, url, READY + S))) as packed:
        assert packed.testzip() is None
        names = [name.encode("cp437").decode("gbk") for name in packed.namelist()]
        tables = [packed.read(name).decode("gbk").split("\r\n") for name in packed.namelist()]
    stem = "20880000000000010156_20261122_业务明细"
    assert names == [f"{stem}.csv", f"{stem}(汇总).csv"]
    detail, totals = tables
    assert detail[1] == "#账号：[20880000000000010156]"
    head, *rows = list(csv.reader(line for line in detail[:-1] if not line.startswith("#")))
    assert len(head) == 25
    kinds = [(row[1].strip(), row[2], row[11], row[22]) for row in rows]
    assert sorted(kinds) == [
        (NUMBERS[0], "交易", "25.50", "-0.10"),
        (NUMBERS[0], "退款", "-5.50", "0.02"),
        (NUMBERS[1], "交易", "25.50", "-0.10"),
        (NUMBERS[1], "退款", "-25.50", "0.10"),
        (NUMBERS[2], "交易", "25.50", "-0.10"),
    ]
    assert "#交易合计：3笔，商家实收共76.50元，商家优惠共0.00元" in detail
    assert "#退款合计：2笔，商家实收退款共-31.00元，商家优惠退款共0.00元" in detail
    assert "合计,,3,2,45.50,45.50,0.00,0.00,0.00,-0.18,0.00,45.32" in totals


def test_alipays_address_dies_after_30_seconds() -> None:
    """Then it shows a page that is no ZIP; another one can be asked for."""
    subject = alipay_day()
    url = alipay_bill(subject)["bill_download_url"]
    assert fetched(subject, url, READY + 30 * S - 1).startswith(b"PK")
    assert "下载超时" in fetched(subject, url, READY + 30 * S).decode("gbk")
    again = alipay_bill(subject, READY + 31 * S)["bill_download_url"]
    assert fetched(subject, again, READY + 32 * S).startswith(b"PK")


@pytest.mark.parametrize(
    ("at_ns", "stamp", "biz", "sub_code"),
    [
        (READY - S, "2026-11-23 09:59:59", {}, "isp.bill_not_exist"),
        (READY, "2026-11-23 10:00:00", {"bill_date": "2026-11-21"}, "isp.bill_not_exist"),
        (READY, "2026-11-23 10:00:00", {"bill_date": "22/11"}, "isv.invalid-arguments"),
        (
            READY,
            "2026-11-23 10:00:00",
            {"bill_type": "signcustomer"},
            "isv.insufficient-isv-permissions",
        ),
    ],
)
def test_alipay_says_why_there_is_no_bill(
    at_ns: int, stamp: str, biz: dict[str, str], sub_code: str
) -> None:
    """Too early, nothing happened, no date, not granted."""
    subject = alipay_day()
    subject.stamp = stamp
    assert alipay_bill(subject, at_ns, **biz)["sub_code"] == sub_code


def rows_of(subject: alipay.Merchant, at_ns: int, day: str) -> list[tuple[str, str, str]]:
    """Return number, amount and time of a bill's rows, in its order."""
    url = alipay_bill(subject, at_ns, bill_date=day)["bill_download_url"]
    with zipfile.ZipFile(io.BytesIO(fetched(subject, url, at_ns))) as packed:
        detail = packed.read(packed.namelist()[0]).decode("gbk").split("\r\n")
    _, *rows = list(csv.reader(line for line in detail[:-1] if not line.startswith("#")))
    return [(row[1].strip(), row[11], row[5][:10]) for row in rows]


def mistaken(*mistakes: BillMistake) -> tuple[alipay.Merchant, int]:
    """Return a merchant whose bill of a day with five payments was written the same evening."""
    subject = alipay.Merchant(platform=alipay.make_platform())
    for number in range(5):
        at_ns = T0 + number * S
        code = subject.platform.issue_code("d", at_ns).code
        biz = alipay.pay_biz(code, f"1101050010010000000{number:02d}A01")
        subject.ask("pay", biz, at_ns=at_ns)
    now_ns = T0 + 5 * S
    day, _ = subject.platform.write_bill(None, now_ns, mistakes)
    assert day == "2026-11-22"
    return subject, now_ns


def test_a_bill_can_be_written_before_its_day_is_over() -> None:
    """As the books stand; what is paid later is not in it, also the next day."""
    subject, now_ns = mistaken()
    assert len(rows_of(subject, now_ns, "2026-11-22")) == 5
    code = subject.platform.issue_code("d", now_ns).code
    subject.ask("pay", alipay.pay_biz(code, NUMBERS[0]), at_ns=now_ns)
    subject.stamp = "2026-11-23 10:00:00"
    assert len(rows_of(subject, READY, "2026-11-22")) == 5


def test_each_mistake_is_in_a_payment_of_its_own() -> None:
    """Beside one a stranger's, one missing, one with a yuan more, one twice, one a day early."""
    subject, now_ns = mistaken(*BillMistake)
    rows = rows_of(subject, now_ns, "2026-11-22")
    numbers = [f"1101050010010000000{number:02d}A01" for number in range(5)]
    found = sorted((number, amount) for number, amount, _ in rows)
    assert found == sorted(
        [
            (numbers[0], "25.50"),
            ("999999000000000000000A01", "25.50"),
            (numbers[2], "26.50"),
            (numbers[3], "25.50"),
            (numbers[3], "25.50"),
        ]
    )
    assert rows_of(subject, now_ns, "2026-11-21") == [(numbers[4], "25.50", "2026-11-21")]


def test_more_mistakes_than_payments_are_refused() -> None:
    """Nothing is written then."""
    subject, now_ns = mistaken()
    with pytest.raises(ValueError, match="5 payments for 6 mistakes"):
        subject.platform.write_bill(None, now_ns, [BillMistake.LONG] * 6)
    with pytest.raises(ValueError, match="no day of the calendar"):
        subject.platform.write_bill("2026-02-30", now_ns)


def wechat_day() -> wechat.Merchant:
    """Return a merchant after a day: three payments, one refunded in part, one reversed."""
    subject = wechat.Merchant()
    for number in NUMBERS:
        code = subject.platform.issue_code("d", T0).code
        subject.pay(code, number=number, description="广园站 粤A12345")
    unpaid = subject.platform.issue_code("d", T0, BuyerBehaviour.NEVER_CONFIRMS).code
    subject.pay(unpaid, number="UNPAID")
    part = {"amount": {"refund": 550, "total": 2550, "currency": "CNY"}}
    named = {"out_trade_no": NUMBERS[0], "out_refund_no": NUMBERS[0] + "R01"}
    subject.ask("POST", wechat.REFUNDS, {**named, **part}, at_ns=T0 + S)
    reverse = wechat.REVERSE.replace(wechat.NUMBER, NUMBERS[1])
    assert subject.ask("POST", reverse, wechat.OWNER, at_ns=T0 + 20 * S)[0] == 200
    return subject


def wechat_bill(
    subject: wechat.Merchant, more: str = "", at_ns: int = READY, day: str = "2026-11-22"
) -> tuple[int, dict[str, Any]]:
    """Ask for the address of a bill."""
    return subject.ask("GET", f"/v3/bill/tradebill?bill_date={day}{more}", at_ns=at_ns)


def test_wechats_bill_is_back_ticked_and_adds_up() -> None:
    """A byte order mark, 27 columns, a row a movement, a totals line, its SHA-1 in the answer."""
    subject = wechat_day()
    status, told = wechat_bill(subject)
    assert (status, told["hash_type"]) == (200, "SHA1")
    path = told["download_url"].removeprefix("https://api.mch.weixin.qq.com")
    body = subject.send("GET", path, at_ns=READY + S).body
    assert hashlib.sha1(body, usedforsecurity=False).hexdigest() == told["hash_value"]
    head, *rows, totals_head, totals = body.decode("utf-8-sig").removesuffix("\r\n").split("\r\n")
    cells = [row.removeprefix("`").split(",`") for row in rows]
    assert len(head.split(",")) == 27
    assert {len(row) for row in cells} == {27}
    shown = sorted((row[6], row[9], row[12], row[16], row[22]) for row in cells)
    assert shown == [
        (NUMBERS[0], "REFUND", "0.00", "5.50", "-0.02000"),
        (NUMBERS[0], "SUCCESS", "25.50", "0.00", "0.10000"),
        (NUMBERS[1], "REVOKED", "0.00", "25.50", "-0.10000"),
        (NUMBERS[1], "SUCCESS", "25.50", "0.00", "0.10000"),
        (NUMBERS[2], "SUCCESS", "25.50", "0.00", "0.10000"),
    ]
    assert totals_head.startswith("总交易单数,")
    assert totals == "`5,`76.50,`31.00,`0.00,`0.18000,`76.50,`31.00"


def test_wechats_packed_bill_has_the_hash_of_the_text() -> None:
    """The SHA-1 is over what is inside; the address dies after five minutes."""
    subject = wechat_day()
    told = wechat_bill(subject, "&tar_type=GZIP")[1]
    path = told["download_url"].removeprefix("https://api.mch.weixin.qq.com")
    packed = subject.send("GET", path, at_ns=READY + 299 * S).body
    text = gzip.decompress(packed)
    assert hashlib.sha1(text, usedforsecurity=False).hexdigest() == told["hash_value"]
    assert subject.send("GET", path, at_ns=READY + 300 * S).status == 404


@pytest.mark.parametrize(
    ("more", "rows"), [("&bill_type=SUCCESS", 3), ("&bill_type=REFUND", 2), ("&bill_type=ALL", 5)]
)
def test_wechats_bill_comes_in_kinds(more: str, rows: int) -> None:
    """Payments, refunds, or both."""
    subject = wechat_day()
    path = wechat_bill(subject, more)[1]["download_url"].removeprefix(
        "https://api.mch.weixin.qq.com"
    )
    body = subject.send("GET", path, at_ns=READY + S).body
    assert body.count(b"\r\n`") - 1 == rows


@pytest.mark.parametrize(
    ("at_ns", "day", "code"),
    [
        (READY - S, "2026-11-22", "STATEMENT_CREATING"),
        (READY, "2026-11-21", "NO_STATEMENT_EXIST"),
        (READY, "2026-11-23", "INVALID_REQUEST"),
        (READY, "2026-02-01", "INVALID_REQUEST"),
        (READY, "2026-13-01", "PARAM_ERROR"),
    ],
)
def test_wechat_says_why_there_is_no_bill(at_ns: int, day: str, code: str) -> None:
    """Too early, nothing happened, today, too old, no date."""
    status, told = wechat_bill(wechat_day(), at_ns=at_ns, day=day)
    assert (status, told["code"]) == (400, code)


def unionpay_day(**config: Any) -> unionpay.Merchant:
    """Return a merchant after a day: three payments, one refunded in part, one reversed."""
    subject = unionpay.Merchant(platform=unionpay.make_platform(**config))
    for number in NUMBERS:
        code = subject.platform.issue_code("d", T0).code
        subject.pay(code, orderId=number)
    own = {"orderId": NUMBERS[0] + "R01", "origOrderId": NUMBERS[0]}
    assert subject.refund(at_ns=T0 + S, fen=550, **own)["respCode"] == "00"
    assert subject.ask("99/01", at_ns=T0 + 2 * S, orderId=NUMBERS[1])["respCode"] == "00"
    return subject


def unionpay_file(
    subject: unionpay.Merchant, day: str = "1122", at_ns: int = READY
) -> dict[str, str]:
    """Ask for a settlement file."""
    own = {"txnTime": "20261123100000", "settleDate": day, "fileType": "00", "orderId": ""}
    return subject.ask("76/01", path="/", at_ns=at_ns, **own)


def lines_of(told: dict[str, str]) -> list[bytes]:
    """Return the lines of the ZM file in an answer."""
    packed = zlib.decompress(base64.b64decode(told["fileContent"]))
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        names = archive.namelist()
        assert names == ["INN26112288ZM_777290058110097", "INN26112288ZME_777290058110097"]
        return archive.read(names[0]).split(b"\r\n")[:-1]


def test_unionpays_file_has_fields_of_fixed_width() -> None:
    """42 fields a line, amounts of 12 digits, settled is asked less the fee."""
    told = unionpay_file(unionpay_day())
    assert (told["respCode"], told["fileName"]) == ("00", "777290058110097_20261122.zip")
    lines = lines_of(told)
    assert {len(line) for line in lines} == {607}
    shown = sorted(
        (line[112:144].strip(), line[66:78], line[166:179], line[180:193]) for line in lines
    )
    paid = (b"000000002550", b"D000000000010", b"C000000002540")
    assert shown == [
        (NUMBERS[0].encode(), *paid),
        (NUMBERS[0].encode() + b"R01", b"000000000550", b"C000000000002", b"D000000000548"),
        (NUMBERS[1].encode(), b"000000002550", b"C000000000010", b"D000000002540"),
        (NUMBERS[1].encode(), *paid),
        (NUMBERS[2].encode(), *paid),
    ]


def test_unionpays_file_may_leave_out_what_was_reversed() -> None:
    """The other reading: neither the payment nor what took it back."""
    assert len(lines_of(unionpay_file(unionpay_day(bill_lists_reversed=False)))) == 3


def test_unionpays_day_ends_at_23() -> None:
    """What is paid at 23:00 belongs to the next file."""
    subject = unionpay.Merchant()
    late = 15 * 3_600 * S
    subject.pay(subject.platform.issue_code("d", late).code, at_ns=late)
    assert unionpay_file(subject)["respCode"] == "98"
    assert unionpay_file(subject, "1123", 2 * READY)["respCode"] == "00"


def test_unionpays_file_is_not_there_before_ten() -> None:
    """98 until it is ready."""
    assert unionpay_file(unionpay_day(), at_ns=READY - S)["respCode"] == "98"
