"""Finding, verifying and only then parsing the signed part of a gateway answer."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaza_server.platforms.alipay import envelope as subject
from plaza_server.platforms.calls import MAX_ANSWER_BYTES
from plaza_server.rules.outcomes import Evidence

NODE = "alipay_trade_pay_response"


def check(signature: bytes, message: bytes) -> bool:
    """A transparent stand-in for a key: the signature is the message itself."""
    return signature == message


def body_of(value: str, *, signed: str | None = None, node: str = NODE) -> bytes:
    sign = base64.b64encode((value if signed is None else signed).encode()).decode()
    return f'{{"{node}":{value},"sign":"{sign}"}}'.encode()


def opened(body: bytes) -> subject.Opened | Evidence:
    return subject.open_answer(body, node=NODE, verify=check)


VALUES = st.recursive(
    st.text(alphabet='ab"\\{}[]:,中\n') | st.integers() | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@pytest.mark.slow
@given(fields=st.dictionaries(st.text(max_size=4), VALUES, max_size=4), ascii_only=st.booleans())
def test_any_object_is_found_byte_for_byte(fields: dict[str, object], ascii_only: bool) -> None:
    """Brackets, quotes and escapes inside strings never move the ends of the signed text."""
    value = json.dumps(fields, ensure_ascii=ascii_only)
    if NODE in value:
        return
    got = opened(body_of(value))
    assert got == subject.Opened(node=NODE, fields=fields, signed=True)


def test_numbers_with_a_point_stay_text() -> None:
    """An amount never becomes a float."""
    got = opened(body_of('{"a":88.88,"b":1e3}'))
    assert isinstance(got, subject.Opened)
    assert got.fields == {"a": "88.88", "b": "1e3"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"<html></html>",
        b'{"a":1}',
        b'{"a":1,}',
        b'{"a" 1}',
        b'{"a":1}x',
        b'{"a":}',
        b'{"a":[}',
        b'{"a":{]}',
        b'{"a":"x}',
        b"{a:1}",
        b'{"\\q":1}',
        b'{"\xff":1}',
        b"\xef\xbb\xbf{}",
        body_of('"encrypted"'),
        body_of("[1]"),
        body_of("1"),
        body_of('{"a":1,"a":2}'),
        body_of('{"a":NaN}'),
        body_of('{"a":tru}'),
        body_of("{" * 3),
        body_of('{"a":' + "[" * 40 + "]" * 40 + "}"),
        body_of('{"a":' + "9" * 5000 + "}"),
        body_of('{"a":"' + "x" * MAX_ANSWER_BYTES + '"}'),
        b"{" + b",".join(b'"k%d":0' % n for n in range(40)) + b"}",
    ],
)
def test_what_is_not_the_protocol_is_garbled(body: bytes) -> None:
    """Other texts, encrypted bodies and absurd sizes and depths are all refused the same way."""
    assert opened(body) is Evidence.GARBLED


@pytest.mark.parametrize(
    "tail",
    [
        '"sign":1',
        '"sign":null',
        '"sign":"not base64!"',
        '"sign":"e30="',
        '"sign":"\\ud800"',
        '"x":1',
    ],
)
def test_a_signature_that_is_none_is_a_bad_one(tail: str) -> None:
    """Missing, of another type, undecodable or of other bytes: not believed."""
    assert opened(f'{{"{NODE}":{{"code":"1"}},{tail}}}'.encode()) is Evidence.BAD_SIGNATURE


def test_two_signatures_are_no_signature() -> None:
    """A body that offers a choice is refused."""
    good = body_of("{}").decode()
    assert opened((good[:-1] + ',"sign":"e30="}').encode()) is Evidence.BAD_SIGNATURE


def test_a_signed_node_beside_an_error_node_is_refused() -> None:
    """An answer is one or the other."""
    good = body_of("{}").decode()
    both = good[:-1] + ',"error_response":{}}'
    assert opened(both.encode()) is Evidence.BAD_SIGNATURE


@pytest.mark.parametrize("place", ["before", "after"])
def test_the_node_name_anywhere_outside_is_refused(place: str) -> None:
    """The platform's own rule: a repeated root node name is an injection, in a value as well."""
    good = body_of("{}").decode()
    extra = f'"note":"{NODE}"'
    body = f"{{{extra},{good[1:]}" if place == "before" else f"{good[:-1]},{extra}}}"
    assert opened(body.encode()) is Evidence.BAD_SIGNATURE


def test_an_unsigned_error_is_opened_as_unsigned() -> None:
    """The gateway cannot sign for an application it does not know."""
    got = opened(b'{"error_response":{"code":"40002"},"sign":""}')
    assert got == subject.Opened(node="error_response", fields={"code": "40002"}, signed=False)


def test_a_badly_signed_error_is_refused() -> None:
    """An error that claims a signature must keep it."""
    body = b'{"error_response":{"code":"40002"},"sign":"AAAA"}'
    assert opened(body) is Evidence.BAD_SIGNATURE
