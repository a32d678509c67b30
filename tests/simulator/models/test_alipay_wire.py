"""The gateway's bytes: where parameters stand, what is signed, and how refusals look."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from simulator.models.alipay import HttpRequest
from simulator.models.alipay_wire import merge_parameters, signing_bytes
from simulator.models.platform_wire import json_text
from tests.simulator.models.alipay_merchant import (
    GOLDEN,
    NUMBER,
    T0,
    Merchant,
    encode,
    make_platform,
    pay_biz,
    post,
)

NAMED = {"out_trade_no": NUMBER}


class FixedChance:
    """Draws the figure the golden request's code is made of."""

    def randrange(self, stop: int, /) -> int:
        """Return the same figure, cut to the range."""
        return 5_000_000_000_000_001 % stop


@pytest.fixture
def subject() -> Merchant:
    """A merchant with a platform of its own."""
    return Merchant()


def golden_platform() -> Merchant:
    """A merchant whose platform knows the golden code 28 5000000000000001."""
    platform = make_platform()
    platform = type(platform)(config=platform.config, keys=platform._keys, rng=FixedChance())
    assert platform.issue_code("driver-1", T0).code_no == 1
    return Merchant(platform=platform)


def test_the_golden_request_is_taken_and_answered_with_the_golden_bytes() -> None:
    """A request signed by the openssl tool is paid; the answer is these bytes and no others."""
    merchant = golden_platform()
    request = post((GOLDEN / "pay_request.form").read_bytes())
    paid = merchant.platform.handle(request, T0)
    assert paid.body == (GOLDEN / "pay_answer_paid.json").read_bytes()
    assert merchant.read(paid.body).verified
    cancelled = merchant.send("cancel", NAMED)
    assert cancelled.body == (GOLDEN / "cancel_answer_refund.json").read_bytes()


def test_the_golden_unsigned_error_is_given_for_a_wrong_app_id() -> None:
    """A foreign app id gets error_response without a sign."""
    merchant = Merchant(app_id="2021000000000009")
    reply = merchant.send("query", NAMED)
    assert reply.body == (GOLDEN / "error_answer_app_id.json").read_bytes()


def test_the_signed_text_is_sorted_raw_and_without_empty_values() -> None:
    """The golden form gives the golden text: sign left out, sign_type in, empties dropped."""
    form = (GOLDEN / "pay_request.form").read_bytes()
    merged = merge_parameters(b"notify_url=", form)
    assert isinstance(merged, dict)
    assert signing_bytes(merged) == (GOLDEN / "pay_string_to_sign.txt").read_bytes()


@pytest.mark.parametrize("in_query", ["all", "all_but_biz", "none"])
def test_parameters_may_stand_in_address_and_body(subject: Merchant, in_query: str) -> None:
    """All in the body, all in the address, or split as one official kit does: one signature."""
    values = subject.parameters("query", NAMED)
    biz = {"biz_content": values.pop("biz_content")}
    system = encode(values)
    requests = {
        "all": HttpRequest(method="GET", path="/gateway.do", query=system + b"&" + encode(biz)),
        "all_but_biz": post(encode(biz), system),
        "none": post(system + b"&" + encode(biz)),
    }
    answer = subject.read(subject.platform.handle(requests[in_query], T0).body)
    assert answer.verified
    assert answer.node["sub_code"] == "ACQ.TRADE_NOT_EXIST"


def test_one_name_with_two_values_is_refused(subject: Merchant) -> None:
    """A value smuggled in beside the signed one is not chosen from."""
    form = subject.request("query", NAMED).body
    reply = subject.platform.handle(post(form, b"method=alipay.trade.cancel"), T0)
    assert b'"isv.invalid-parameter"' in reply.body
    assert b'"sign"' not in reply.body


@pytest.mark.parametrize(
    ("change", "code", "sub_code"),
    [
        ({"app_id": ""}, "40001", "isv.missing-app-id"),
        ({"app_id": "2021000000000009"}, "40002", "isv.invalid-app-id"),
        ({"method": ""}, "40001", "isv.missing-method"),
        ({"sign": ""}, "40001", "isv.missing-signature"),
        ({"sign": "AAAA"}, "40002", "isv.invalid-signature"),
        ({"sign": "no base64!"}, "40002", "isv.invalid-signature"),
        ({"sign_type": ""}, "40001", "isv.missing-signature-type"),
        ({"sign_type": "MD5"}, "40002", "isv.invalid-signature-type"),
        ({"charset": "latin-1"}, "40002", "isv.invalid-charset"),
        ({"charset": ""}, "40002", "isv.invalid-charset"),
        ({"charset": "x" * 11}, "40002", "isv.invalid-parameter"),
    ],
)
def test_a_request_of_nobody_is_refused_without_a_sign(
    subject: Merchant, change: dict[str, str], code: str, sub_code: str
) -> None:
    """Until the signature is verified refusals are an unsigned error_response."""
    body = json.loads(subject.send("query", NAMED, **change).body)
    assert list(body) == ["error_response"]
    node = body["error_response"]
    assert (node["code"], node["sub_code"]) == (code, sub_code)


@pytest.mark.parametrize(
    ("method", "biz", "change", "code", "sub_code"),
    [
        ("query", NAMED, {"timestamp": ""}, "40001", "isv.missing-timestamp"),
        ("query", NAMED, {"timestamp": "2026-11-22T08:00:05"}, "40002", "isv.invalid-timestamp"),
        ("query", NAMED, {"timestamp": "2026-11-22 00:00:05"}, "40002", "isv.invalid-timestamp"),
        ("query", NAMED, {"timestamp": "2026-13-22 08:00:05"}, "40002", "isv.invalid-timestamp"),
        ("query", NAMED, {"version": ""}, "40001", "isv.missing-version"),
        ("query", NAMED, {"version": "2.0"}, "40002", "isv.invalid-parameter"),
        ("query", NAMED, {"format": "XML"}, "40002", "isv.invalid-format"),
        ("query", "{", {}, "40002", "isv.invalid-parameter"),
        ("query", "[" * 20_000, {}, "40002", "isv.invalid-parameter"),
        ("query", "[]", {}, "40002", "isv.invalid-parameter"),
        ("query", "", {}, "40002", "isv.invalid-parameter"),
        ("query", {}, {}, "40004", "ACQ.INVALID_PARAMETER"),
        ("wish", NAMED, {}, "40002", "isv.invalid-method"),
        (
            "query",
            {"bill_type": "signcustomer", "bill_date": "2026-11-21"},
            {"method": "alipay.data.dataservice.bill.downloadurl.query"},
            "40006",
            "isv.insufficient-isv-permissions",
        ),
    ],
)
def test_a_wrong_request_of_the_merchant_is_refused_signed(
    subject: Merchant, method: str, biz: Any, change: dict[str, str], code: str, sub_code: str
) -> None:
    """Once the signature is verified the refusal stands in the method's own node, signed."""
    reply = subject.send(method, biz, **change)
    answer = subject.read(reply.body)
    asked = change.get("method", f"alipay.trade.{method}")
    assert answer.verified
    assert answer.name == asked.replace(".", "_") + "_response"
    assert (answer.node["code"], answer.node["sub_code"]) == (code, sub_code)


def test_a_method_name_never_breaks_the_answer(subject: Merchant) -> None:
    """A signed request with quotes in its method gets whole JSON."""
    reply = subject.send("query", NAMED, method='x","sign":"')
    assert list(json.loads(reply.body)) == ["error_response", "sign"]


def test_another_application_key_is_refused() -> None:
    """The right app id with somebody else's key is an invalid signature."""
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    reply = Merchant(key=stranger).send("query", NAMED)
    assert b'"isv.invalid-signature"' in reply.body


def test_gbk_requests_are_answered_in_gbk(subject: Merchant) -> None:
    """The charset a request names is that of its signed text and of its answer."""
    code = subject.platform.issue_code("driver-1", T0).code
    reply = subject.send("pay", pay_biz(code), charset="gbk")
    assert dict(reply.headers)["Content-Type"] == "text/html;charset=gbk"
    assert subject.read(reply.body, "gbk").node["code"] == "10000"
    refused = subject.send("pay", pay_biz(code, number="A1"), charset="gbk")
    assert "付款码" in subject.read(refused.body, "gbk").node["sub_msg"]
    assert subject.platform.books(T0)[0].subject == "广园站 粤A12345 一型车"


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/", b"", 404),
        ("PUT", "/gateway.do", b"", 405),
        ("POST", "/gateway.do", b"x" * 65_537, 413),
    ],
)
def test_what_is_no_gateway_call_gets_an_http_error(
    subject: Merchant, method: str, path: str, body: bytes, status: int
) -> None:
    """Wrong path, wrong method and too much body never reach the books."""
    reply = subject.platform.handle(HttpRequest(method=method, path=path, body=body), T0)
    assert reply.status == status


def test_a_body_that_is_no_form_is_not_read(subject: Merchant) -> None:
    """JSON posted to the gateway carries no parameter."""
    headers = (("content-type", "application/json"),)
    body = subject.request("query", NAMED).body
    request = HttpRequest(method="POST", path="/gateway.do", headers=headers, body=body)
    assert b"isv.missing-app-id" in subject.platform.handle(request, T0).body


@pytest.mark.parametrize(
    "change",
    [
        {"out_trade_no": ""},
        {"out_trade_no": "a-b"},
        {"out_trade_no": "a" * 65},
        {"scene": "wave_code"},
        {"auth_code": ""},
        {"auth_code": "2" * 33},
        {"subject": ""},
        {"subject": "x" * 257},
        {"product_code": "FAST_INSTANT_TRADE_PAY"},
        {"total_amount": ""},
        {"total_amount": "0.00"},
        {"total_amount": "1.234"},
        {"total_amount": "-1.00"},
        {"total_amount": "1e2"},
        {"timeout_express": "0m"},
        {"timeout_express": "16d"},
        {"timeout_express": "1.5h"},
        {"time_expire": "2026-11-22 07:59:00"},
        {"terminal_id": "x" * 33},
    ],
)
def test_a_wrong_payment_is_refused_before_the_code_is_spent(
    subject: Merchant, change: dict[str, str]
) -> None:
    """Wrong content is ACQ.INVALID_PARAMETER and leaves code and number usable."""
    biz = pay_biz(subject.platform.issue_code("driver-1", T0).code)
    assert subject.ask("pay", {**biz, **change})["sub_code"] == "ACQ.INVALID_PARAMETER"
    assert subject.ask("pay", biz)["code"] == "10000"


@pytest.mark.parametrize(("written", "fen"), [(88.88, 8888), (7, 700), ("7.5", 750)])
def test_an_amount_may_be_a_json_figure(subject: Merchant, written: object, fen: int) -> None:
    """Official samples write figures without quotes; not a fen is lost on them."""
    biz: dict[str, Any] = pay_biz(subject.platform.issue_code("driver-1", T0).code)
    assert subject.ask("pay", {**biz, "total_amount": written})["code"] == "10000"
    assert subject.platform.books(T0)[0].captured_fen == fen


def test_an_awkward_node_is_the_same_value_in_other_bytes() -> None:
    """Blanks, escapes and a brace in a text change the bytes, not what they say."""
    fields: dict[str, object] = {"code": "10000", "msg": "成功/好"}
    awkward = json_text(fields, awkward="store_name")
    assert awkward != json_text(fields)
    assert json.loads(awkward).items() >= fields.items()
