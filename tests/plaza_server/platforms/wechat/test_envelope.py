"""What of an answer is believed before anything in it is read."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from plaza_server.platforms.calls import MAX_ANSWER_BYTES, HttpAnswer
from plaza_server.platforms.wechat import envelope as subject
from plaza_server.rules.outcomes import Evidence
from tests.plaza_server.platforms.wechat import golden
from tests.plaza_server.platforms.wechat.golden import NOW_MS

PAID = golden.answer("pay_answer_paid")


def opened(answer: HttpAnswer, now_ms: int = NOW_MS) -> subject.Opened | Evidence:
    return subject.open_answer(answer, verify=golden.verify, now_ms=now_ms)


def signed(body: bytes, status: int = 200) -> HttpAnswer:
    text = subject.signed_text("1795314605", "n", body)
    headers = (
        ("WECHATPAY-TIMESTAMP", "1795314605"),
        ("wechatpay-nonce", "n"),
        ("Wechatpay-Serial", golden.SERIAL),
        ("wEcHaTpAy-SiGnAtUrE", base64.b64encode(golden.PLATFORM_SIGN(text)).decode()),
    )
    return HttpAnswer(status=status, headers=headers, body=body)


def test_a_signed_answer_is_opened_whatever_the_case_of_its_headers() -> None:
    """Proxies write header names as they like."""
    found = opened(signed(b'{"code":"X_1"}', 404))
    assert found == subject.Opened(status=404, fields={"code": "X_1"}, signed=True)
    assert isinstance(found, subject.Opened)
    assert (found.good, found.code) == (False, "X_1")


def test_an_empty_body_is_signed_as_an_empty_line() -> None:
    """204 has fields too: none."""
    assert subject.signed_text("1", "n", b"") == b"1\nn\n\n"
    found = opened(signed(b"", 204))
    assert found == subject.Opened(status=204, fields={}, signed=True)


@pytest.mark.parametrize("missing", range(4))
def test_half_a_signature_is_none(missing: int) -> None:
    """Every one of the four headers is needed; taking one away makes a forgery of it."""
    answer = signed(b"{}")
    headers = tuple(each for at, each in enumerate(answer.headers) if at != missing)
    assert opened(replace(answer, headers=headers)) is Evidence.BAD_SIGNATURE


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WECHATPAY-TIMESTAMP", "1795314605000"),
        ("WECHATPAY-TIMESTAMP", "٠"),
        ("WECHATPAY-TIMESTAMP", "-1"),
        ("wechatpay-nonce", "n\nm"),
        ("wechatpay-nonce", "é"),
        ("wechatpay-nonce", "\udce9"),
        ("Wechatpay-Serial", "../key"),
        ("wEcHaTpAy-SiGnAtUrE", "é"),
    ],
)
def test_a_header_of_another_shape_is_refused(name: str, value: str) -> None:
    """What does not look like the platform's never reaches a key."""
    answer = signed(b"{}")
    headers = tuple((key, value if key == name else kept) for key, kept in answer.headers)
    assert opened(replace(answer, headers=headers)) is Evidence.BAD_SIGNATURE


@pytest.mark.parametrize("status", [100, 199, 300, 304])
def test_a_signed_status_of_no_answer_proves_nothing(status: int) -> None:
    """Redirects are not followed, signed or not."""
    assert opened(signed(b"{}", status)) is Evidence.HTTP_STATUS


@pytest.mark.parametrize("body", [b"[]", b"null", b'"x"', b"{", b'{"a":NaN}', b"\xff", b"[" * 9999])
def test_a_signed_text_that_is_no_object_is_garbled(body: bytes) -> None:
    """Nothing but one JSON object, each field once, is an answer."""
    assert opened(signed(body)) is Evidence.GARBLED
    assert opened(signed(b'{"a":1,"a":1}')) is Evidence.GARBLED


def test_an_endless_body_is_not_even_verified() -> None:
    """Far longer than any answer."""
    assert opened(replace(PAID, body=b" " * (MAX_ANSWER_BYTES + 1))) is Evidence.GARBLED


@pytest.mark.parametrize("away_ms", [-299_999, 0, 299_999])
def test_an_answer_of_now_is_within_five_minutes(away_ms: int) -> None:
    """Genuine and fresh, by our clock."""
    at_ms = 1_795_314_606_000  # what the golden answer is stamped with
    assert isinstance(opened(PAID, at_ms + away_ms), subject.Opened)
    assert opened(PAID, at_ms + 300_000) is Evidence.BAD_SIGNATURE
    assert opened(PAID, at_ms - 300_000) is Evidence.BAD_SIGNATURE
