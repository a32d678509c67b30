"""The simulated Alipay in certificate mode: SNs both ways, a changed certificate, its download."""

from __future__ import annotations

import base64
import json
import random
from typing import Any

import pytest

from simulator.models.alipay import AlipayModel
from simulator.models.alipay_values import AlipayConfig
from simulator.models.alipay_wire import AlipayCertificates, Rsa2Keys
from simulator.models.faults import Fault, PlatformFault
from tests.simulator.models.alipay_merchant import (
    APP_KEY,
    NUMBER,
    PLATFORM_KEY,
    T0,
    Merchant,
    pay_biz,
)
from tests.simulator.models.wechat_merchant import private_key

NAMED = {"out_trade_no": NUMBER}
SNS = {"app_cert_sn": "a" * 32, "alipay_root_cert_sn": f"{'b' * 32}_{'c' * 32}"}
NEXT_KEY = private_key("next")


@pytest.fixture
def subject() -> Merchant:
    """A merchant of a platform in certificate mode."""
    app = APP_KEY.public_key()
    certificates = AlipayCertificates(
        app_sn=SNS["app_cert_sn"],
        root_sn=SNS["alipay_root_cert_sn"],
        platform_sn="d" * 32,
        platform_pem=b"the present certificate",
        next_sn="e" * 32,
        next_pem=b"the next certificate",
        next_keys=Rsa2Keys(platform_private=NEXT_KEY, app_public=app),
    )
    keys = Rsa2Keys(platform_private=PLATFORM_KEY, app_public=app)
    model = AlipayModel(
        config=AlipayConfig(), keys=keys, rng=random.Random(1), certificates=certificates
    )
    return Merchant(platform=model)


def pay(subject: Merchant) -> dict[str, str]:
    """Return a payment with a fresh code."""
    return pay_biz(subject.platform.issue_code("d", T0).code)


def sent(subject: Merchant, call: str, biz: Any, **other: str) -> dict[str, Any]:
    """Make a call that names the certificates and return the whole answer."""
    body = subject.send(call, biz, **{**SNS, **other}).body  # type: ignore[arg-type]
    found: dict[str, Any] = json.loads(body)
    return found


def test_answers_name_the_certificate_that_signed_them(subject: Merchant) -> None:
    """alipay_cert_sn stands between the node and its signature, which covers the node alone."""
    body = subject.send("pay", pay(subject), **SNS).body  # type: ignore[arg-type]
    assert list(json.loads(body)) == ["alipay_trade_pay_response", "alipay_cert_sn", "sign"]
    assert json.loads(body)["alipay_cert_sn"] == "d" * 32
    assert subject.read(body).verified


@pytest.mark.parametrize(
    ("change", "code", "sub_code"),
    [
        ({"app_cert_sn": ""}, "40001", "isv.missing-app-cert-sn"),
        ({"app_cert_sn": "f" * 32}, "40002", "isv.invalid-app-cert-sn"),
        ({"alipay_root_cert_sn": ""}, "40001", "isv.missing-alipay-root-cert-sn"),
        ({"alipay_root_cert_sn": "b" * 32}, "40002", "isv.invalid-alipay-root-cert-sn"),
    ],
)
def test_a_request_names_both_certificates(
    subject: Merchant, change: dict[str, str], code: str, sub_code: str
) -> None:
    """Otherwise it is refused, and nobody signs the refusal."""
    node = sent(subject, "pay", pay(subject), **change)
    assert (node["error_response"]["code"], node["error_response"]["sub_code"]) == (code, sub_code)
    assert "sign" not in node
    assert subject.platform.books(T0) == ()


def test_a_changed_certificate_is_named_and_can_be_fetched(subject: Merchant) -> None:
    """Another SN, a good signature by its key, and the download hands it out."""
    subject.platform.inject(Fault(kind=PlatformFault.KEY_CHANGED, calls=("query",)), T0)
    body = subject.send("query", NAMED, **SNS).body  # type: ignore[arg-type]
    assert json.loads(body)["alipay_cert_sn"] == "e" * 32
    assert not subject.read(body).verified
    assert Merchant(public=NEXT_KEY.public_key()).read(body).verified
    method = "alipay.open.app.alipaycert.download"
    asked = sent(subject, "", {"alipay_cert_sn": "e" * 32}, method=method)
    node = asked["alipay_open_app_alipaycert_download_response"]
    assert base64.b64decode(node["alipay_cert_content"]) == b"the next certificate"
    asked = sent(subject, "", {"alipay_cert_sn": "0" * 32}, method=method)
    node = asked["alipay_open_app_alipaycert_download_response"]
    assert node["code"] == "40004"
