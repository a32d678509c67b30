"""The bills the simulated platforms write are read by the plaza's own bill calls, to the fen."""

from __future__ import annotations

import random
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from plaza_server.platforms.alipay.codec import AlipayConfig
from plaza_server.platforms.alipay.codec_bills import AlipayBillCalls
from plaza_server.platforms.bills import BillAt, BillCalls, BillHere, NoBill, NotYet
from plaza_server.platforms.calls import HttpAnswer, HttpCall, SignatureCheck, Signer
from plaza_server.platforms.certificates import chain_check
from plaza_server.platforms.unionpay.codec import UnionpayConfig
from plaza_server.platforms.unionpay.codec_bills import UnionpayBillCalls
from plaza_server.platforms.wechat.codec import Pen, WechatConfig
from plaza_server.platforms.wechat.codec_bills import WechatBillCalls
from plaza_server.rules.bills import Bill, BillKind, BillTotals
from simulator.models.alipay import AlipayModel
from simulator.models.platform_wire import HttpRequest
from simulator.models.unionpay import FILE_PATH, UnionpayModel
from simulator.models.wechat import WechatModel
from tests.simulator.models import alipay_merchant, unionpay_merchant, wechat_merchant
from tests.simulator.models.wechat_merchant import DAY, NUMBER, T0, S
from tolling.errors import BadInputError

TODAY = "2026-11-22"
TOMORROW_NOON = DAY + 4 * 3_600 * S
"""2026-11-23 12:00 in Beijing: the worlds begin at 08:00."""
WALL_MS = wechat_merchant.WALL_BASE_S * 1_000
FEE = 10
"""38 hundredths of a percent of 25.50 yuan."""


def signer(key: rsa.RSAPrivateKey) -> Signer:
    """Return what signs with a test-only key."""
    return lambda message: key.sign(message, padding.PKCS1v15(), hashes.SHA256())


def check(key: rsa.RSAPublicKey) -> SignatureCheck:
    """Return what verifies with a test-only key."""

    def verify(signature: bytes, message: bytes) -> bool:
        try:
            key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
        except Exception:  # noqa: BLE001 - any failure is a bad signature
            return False
        return True

    return verify


Platform = AlipayModel | WechatModel | UnionpayModel


def send(platform: Platform, call: HttpCall, now_ns: int) -> HttpAnswer:
    """Carry one call to a model and its answer back."""
    parts = urlsplit(call.url)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    request = HttpRequest(method=call.method, path=path, headers=call.headers, body=call.body)
    reply = platform.handle(request, now_ns)
    return HttpAnswer(status=reply.status, headers=reply.headers, body=reply.body)


def bill_of(platform: Platform, calls: BillCalls, *, late_ns: int = 0) -> Bill:
    """Return a day's bill as the plaza would come by it the next noon."""
    now_ms = WALL_MS + TOMORROW_NOON // 1_000_000
    answer = send(platform, calls.ask(TODAY, now_ms=now_ms), TOMORROW_NOON)
    found = calls.read(TODAY, answer, now_ms=now_ms)
    if isinstance(found, BillHere):
        return calls.parse(found.content, TODAY, name=found.name)
    assert isinstance(found, BillAt), found
    fetched = send(platform, calls.fetch(found, now_ms=now_ms), TOMORROW_NOON + late_ns)
    assert fetched.status == 200, fetched
    return calls.parse(fetched.body, TODAY, name=found.name, sha1=found.sha1)


def alipay() -> tuple[alipay_merchant.Merchant, AlipayBillCalls]:
    """Return a merchant of the simulated Alipay and our calls to it."""
    merchant = alipay_merchant.Merchant()
    calls = AlipayBillCalls(
        AlipayConfig(gateway_url="https://a.test/gateway.do", app_id=merchant.app_id),
        sign=signer(alipay_merchant.APP_KEY),
        verify=check(alipay_merchant.PLATFORM_KEY.public_key()),
        account=merchant.platform.config.seller_id,
    )
    return merchant, calls


def wechat() -> tuple[wechat_merchant.Merchant, WechatBillCalls]:
    """Return a merchant of the simulated WeChat Pay and our calls to it."""
    merchant = wechat_merchant.Merchant()
    dice = random.Random(1)

    def verify(serial: str, signature: bytes, message: bytes) -> bool:
        key = wechat_merchant.PLATFORM_KEYS.get(serial)
        return key is not None and check(key.public_key())(signature, message)

    calls = WechatBillCalls(
        WechatConfig(
            base_url="https://api.mch.weixin.qq.com",
            mchid=wechat_merchant.MERCHANT_ID,
            appid=wechat_merchant.APP_ID,
        ),
        Pen(
            sign=signer(wechat_merchant.MERCHANT_KEY),
            serial=wechat_merchant.MERCHANT_SERIAL,
            nonce=lambda: f"{dice.getrandbits(128):032X}",
        ),
        verify=verify,
    )
    return merchant, calls


def unionpay() -> tuple[unionpay_merchant.Merchant, UnionpayBillCalls]:
    """Return a merchant of the simulated UnionPay and our calls to it."""
    merchant = unionpay_merchant.Merchant()
    golden = unionpay_merchant.GOLDEN
    calls = UnionpayBillCalls(
        UnionpayConfig(
            gateway_url="https://u.test/pay",
            query_url="https://u.test/query",
            merchant_id="777290058110097",
            certificate_id="68759663125",
        ),
        file_url=f"https://u.test{FILE_PATH}",
        sign=signer(unionpay_merchant.MERCHANT_KEY),
        verify=chain_check(
            root=golden / "TEST_ONLY_root_certificate.pem",
            middle=golden / "TEST_ONLY_middle_certificate.pem",
            owner="中国银联股份有限公司",
            wall_ms=lambda: WALL_MS,
        ),
    )
    return merchant, calls


ONE_AND_BACK = BillTotals(pay_count=1, pay_fen=2550, refund_count=1, refund_fen=2550, fee_fen=0)


def numbers(bill: Bill) -> list[tuple[BillKind, str, str | None]]:
    """Return what each row is about."""
    return [(row.kind, row.out_trade_no, row.out_refund_no) for row in bill.rows]


def test_alipays_bill_lists_payment_and_refund() -> None:
    """Amounts, fees, numbers, and the seller's account."""
    merchant, calls = alipay()
    code = merchant.platform.issue_code("driver-1", T0).code
    merchant.ask("pay", alipay_merchant.pay_biz(code))
    back = {"out_trade_no": NUMBER, "refund_amount": "25.50", "out_request_no": f"{NUMBER}R01"}
    merchant.ask("refund", back, at_ns=T0 + S)
    subject = bill_of(merchant.platform, calls)
    assert subject.totals == ONE_AND_BACK
    assert numbers(subject) == [
        (BillKind.PAY, NUMBER, None),
        (BillKind.REFUND, NUMBER, f"{NUMBER}R01"),
    ]
    assert [row.fee_fen for row in subject.rows] == [FEE, -FEE]


def test_wechats_bill_lists_payment_and_reversal() -> None:
    """Under one number, the reversal without a refund number; its SHA-1 holds."""
    merchant, calls = wechat()
    code = merchant.platform.issue_code("driver-1", T0).code
    merchant.pay(code)
    status, _ = merchant.reverse(at_ns=T0 + 20 * S)
    assert status == 200
    subject = bill_of(merchant.platform, calls)
    assert subject.totals == ONE_AND_BACK
    assert numbers(subject) == [(BillKind.PAY, NUMBER, None), (BillKind.REFUND, NUMBER, None)]


def test_unionpays_file_lists_payment_and_refund() -> None:
    """By settlement day, the refund under its own number with the payment's beside it."""
    merchant, calls = unionpay()
    number = unionpay_merchant.NUMBER
    code = merchant.platform.issue_code("driver-1", T0).code
    merchant.pay(code)
    assert merchant.query(at_ns=T0 + 5 * S)["origRespCode"] == "00"
    merchant.refund(at_ns=T0 + 60 * S)
    subject = bill_of(merchant.platform, calls)
    assert subject.totals == ONE_AND_BACK
    assert numbers(subject) == [
        (BillKind.PAY, number, None),
        (BillKind.REFUND, number, f"{number}R01"),
    ]


def test_a_day_on_which_nothing_happened_is_told_by_wechat_alone() -> None:
    """The others say the same before a bill is made and on an empty day: no proof."""
    now_ms = WALL_MS + TOMORROW_NOON // 1_000_000
    merchant, calls = wechat()
    answer = send(merchant.platform, calls.ask(TODAY, now_ms=now_ms), TOMORROW_NOON)
    assert calls.read(TODAY, answer, now_ms=now_ms) == NoBill()
    shop, theirs = alipay()
    answer = send(shop.platform, theirs.ask(TODAY, now_ms=now_ms), TOMORROW_NOON)
    assert theirs.read(TODAY, answer, now_ms=now_ms) == NotYet(why="isp.bill_not_exist")


def test_a_bill_is_not_there_before_ten() -> None:
    """The next try brings it."""
    merchant, calls = wechat()
    merchant.pay(merchant.platform.issue_code("driver-1", T0).code)
    early = DAY - 2 * 3_600 * S  # 06:00
    now_ms = WALL_MS + early // 1_000_000
    answer = send(merchant.platform, calls.ask(TODAY, now_ms=now_ms), early)
    assert calls.read(TODAY, answer, now_ms=now_ms) == NotYet(why="STATEMENT_CREATING")


def test_an_address_that_died_gives_no_bill() -> None:
    """Alipay answers with a page: it is refused as a bill, not read as an empty one."""
    merchant, calls = alipay()
    code = merchant.platform.issue_code("driver-1", T0).code
    merchant.ask("pay", alipay_merchant.pay_biz(code))
    with pytest.raises(BadInputError, match="shorter than its own head"):
        bill_of(merchant.platform, calls, late_ns=31 * S)
