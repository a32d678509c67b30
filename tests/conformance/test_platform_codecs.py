"""Every platform's codec passes the same checks."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from plaza_server.platforms.alipay.codec import PROBE_NO as ALIPAY_PROBE_NO
from plaza_server.platforms.alipay.codec import AlipayCodec
from plaza_server.platforms.calls import HttpAnswer, HttpCall, PlatformOrder
from plaza_server.platforms.keys import rsa_signer
from plaza_server.platforms.ports import PlatformCodec
from plaza_server.platforms.unionpay.codec import PROBE_NO as UNIONPAY_PROBE_NO
from plaza_server.rules.calls import CallKind
from plaza_server.rules.outcomes import Closed, Misconfigured, PlatformOutcome, Unknown
from tests.conformance import platform_codecs as checks
from tests.conformance.platform_codecs import CHECKS, Candidate, Check, Sample
from tests.plaza_server.platforms.alipay import test_codec as alipay
from tests.plaza_server.platforms.unionpay import test_codec as unionpay
from tests.plaza_server.platforms.wechat import golden as wechat_golden
from tests.plaza_server.platforms.wechat import test_codec as wechat
from tolling.ids import OutRefundNo, OutTradeNo
from tolling.paycodes import PayCode, Wallet

PLATFORMS = Path(__file__).parents[2] / "plaza_server" / "platforms"
OTHER = OutTradeNo("330101001001000000008A01")
OTHER_REFUND = OutRefundNo(f"{OTHER}R01")


def samples_of(
    answers: dict[str, PlatformOutcome], load: Callable[[str], HttpAnswer]
) -> tuple[Sample, ...]:
    """Return the golden answers that prove something; the rest are their own tests' affair."""
    return tuple(
        Sample(
            kind=CallKind(name.split("_answer_", maxsplit=1)[0]), answer=load(name), outcome=outcome
        )
        for name, outcome in sorted(answers.items())
        if not isinstance(outcome, (Unknown, Misconfigured))
    )


def alipay_candidate() -> Candidate:
    def load(name: str) -> HttpAnswer:
        body = (alipay.GOLDEN / f"{name}.json").read_bytes()
        return HttpAnswer(status=200, headers=(), body=body)

    fields = {
        "code": "40004",
        "sub_code": "ACQ.TRADE_NOT_EXIST",
        "out_trade_no": ALIPAY_PROBE_NO,
    }
    return Candidate(
        codec=AlipayCodec(alipay.CONFIG, sign=alipay.SIGN, verify=alipay.VERIFY),
        order=alipay.ORDER,
        other=replace(alipay.ORDER, out_trade_no=OTHER, out_refund_no=OTHER_REFUND),
        code=PayCode(alipay.CODE, Wallet.ALIPAY),
        now_ms=alipay.NOW_MS,
        samples=samples_of(alipay.ANSWERS, load),
        probe_answer=HttpAnswer(
            status=200, headers=(), body=alipay.signed_answer("query", dict(fields))
        ),
    )


def unionpay_candidate() -> Candidate:
    order = unionpay.CAPTURED
    # Read for an order that is captured, as refunds need it.
    answers = unionpay.ANSWERS | {"query_answer_reversed": Closed(refunded_fen=2550)}
    return Candidate(
        codec=unionpay.CODEC,
        order=order,
        other=replace(order, out_trade_no=OTHER, out_refund_no=OTHER_REFUND),
        code=PayCode(unionpay.CODE, Wallet.UNIONPAY),
        now_ms=unionpay.NOW_MS,
        samples=samples_of(answers, lambda name: unionpay.answered(unionpay.golden(name))),
        probe_answer=unionpay.answered(unionpay_probe()),
    )


def unionpay_probe() -> bytes:
    """Return "no such order" about the probe's number, signed as the platform does."""
    certificate = (unionpay.GOLDEN / "platform_cert.pem").read_text().strip()
    fields = {
        "version": "5.1.0",
        "signMethod": "01",
        "merId": "777290058110048",
        "orderId": UNIONPAY_PROBE_NO,
        "txnType": "00",
        "respCode": "34",
        "signPubKeyCert": certificate,
    }
    text = "&".join(f"{name}={fields[name]}" for name in sorted(fields))
    digest = hashlib.sha256(text.encode()).hexdigest().encode()
    sign = rsa_signer(unionpay.GOLDEN / "platform_private.pem")
    return f"{text}&signature={base64.b64encode(sign(digest)).decode()}".encode()


def wechat_candidate() -> Candidate:
    order = wechat_golden.ORDER
    return Candidate(
        codec=wechat_golden.codec(),
        order=order,
        other=replace(order, out_trade_no=OTHER, out_refund_no=OTHER_REFUND),
        code=PayCode(wechat_golden.CODE, Wallet.WECHAT),
        now_ms=wechat_golden.NOW_MS,
        samples=samples_of(wechat.ANSWERS, wechat_golden.answer),
        probe_answer=wechat_golden.answer("query_answer_not_there"),
    )


CANDIDATES: dict[str, Callable[[], Candidate]] = {
    "alipay": cache(alipay_candidate),
    "unionpay": cache(unionpay_candidate),
    "wechat": cache(wechat_candidate),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(CANDIDATES))
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_a_platform_codec_keeps_the_common_rules(name: str, check: Check) -> None:
    """One port, several wires, the same promises."""
    check(CANDIDATES[name]())


def test_every_platform_of_the_plaza_is_a_candidate() -> None:
    """A platform without its place here is not judged."""
    folders = {path.parent.name for path in PLATFORMS.glob("*/codec.py")}
    assert folders == set(CANDIDATES)


class _NumberBlind:
    """Alipay's codec, but every answer is taken for one about the order that was asked for."""

    def __init__(self, honest: PlatformCodec, order: PlatformOrder) -> None:
        self._honest = honest
        self._order = order

    @property
    def name(self) -> str:
        return self._honest.name

    def build(
        self, kind: CallKind, order: PlatformOrder, *, code: PayCode | None, now_ms: int
    ) -> HttpCall:
        return self._honest.build(kind, order, code=code, now_ms=now_ms)

    def read(
        self, kind: CallKind, order: PlatformOrder, answer: HttpAnswer, *, now_ms: int
    ) -> PlatformOutcome:
        del order
        return self._honest.read(kind, self._order, answer, now_ms=now_ms)

    def probe(self, *, now_ms: int) -> HttpCall:
        return self._honest.probe(now_ms=now_ms)

    def read_probe(self, answer: HttpAnswer, *, now_ms: int) -> PlatformOutcome:
        return self._honest.read_probe(answer, now_ms=now_ms)


def gullible() -> Candidate:
    """Return Alipay with a check that believes every signature."""
    honest = alipay_candidate()
    codec = AlipayCodec(alipay.CONFIG, sign=alipay.SIGN, verify=lambda signature, message: True)
    return replace(honest, codec=codec)


def number_blind() -> Candidate:
    """Return Alipay without a look at whose answer it is."""
    honest = alipay_candidate()
    return replace(honest, codec=_NumberBlind(honest.codec, honest.order))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("broken", "check"),
    [
        (gullible, checks.check_a_changed_byte_makes_nothing_else_of_an_answer),
        (number_blind, checks.check_an_answer_about_another_order_proves_nothing),
    ],
)
def test_a_broken_codec_is_caught(broken: Callable[[], Candidate], check: Check) -> None:
    """The checks check something."""
    with pytest.raises(AssertionError):
        check(broken())
