"""Finding, verifying and only then believing the pairs of a gateway answer."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaza_server.platforms.calls import MAX_ANSWER_BYTES
from plaza_server.platforms.unionpay import envelope as subject
from plaza_server.rules.outcomes import Evidence

CERTIFICATE = b"-----BEGIN CERTIFICATE-----\r\nMII+/=\r\n-----END CERTIFICATE-----"
BASE = {b"version": b"5.1.0", b"signMethod": b"01", b"signPubKeyCert": CERTIFICATE}


def check(certificate: bytes, signature: bytes, message: bytes) -> bool:
    """A transparent stand-in for keys: the signature is the message itself."""
    return certificate == CERTIFICATE and signature == message


def body_of(fields: dict[bytes, bytes]) -> bytes:
    """Return an answer signed over *fields*, in the order given."""
    text = b"&".join(name + b"=" + fields[name] for name in sorted(fields))
    message = hashlib.sha256(text).hexdigest().encode()
    pairs = [name + b"=" + value for name, value in fields.items()]
    return b"&".join([*pairs, b"signature=" + base64.b64encode(message)])


def opened(body: bytes) -> dict[str, bytes] | Evidence:
    return subject.open_answer(body, verify=check)


NAMES = st.from_regex(rb"[A-Za-z][A-Za-z0-9_]{0,8}", fullmatch=True).filter(
    lambda name: name not in BASE and name != b"signature"
)
VALUES = st.binary(max_size=20).filter(lambda value: not set(value) & set(b"&{[\r\n"))


@pytest.mark.slow
@given(fields=st.dictionaries(NAMES, VALUES, max_size=6))
def test_any_pairs_come_back_byte_for_byte(fields: dict[bytes, bytes]) -> None:
    """Equal signs, percent signs and any bytes in a value stay as they came."""
    got = opened(body_of(fields | BASE))
    assert isinstance(got, dict)
    assert {name.encode(): value for name, value in got.items() if name != "signature"} == (
        fields | BASE
    )


@pytest.mark.parametrize("value", [b"{a=1&b=2}", b"[x&y=z]", b"{[&}&]"[:4], b"{a=[&}x"])
def test_brackets_keep_their_ampersands(value: bytes) -> None:
    """A value in brackets holds pairs of its own."""
    got = opened(body_of(BASE | {b"reqReserved": value, b"respCode": b"00"}))
    assert isinstance(got, dict)
    assert (got["reqReserved"], got["respCode"]) == (value, b"00")


def test_a_bracket_that_never_closes_hides_the_signature() -> None:
    """What is behind it is part of a value; nothing is proven."""
    body = body_of(BASE | {b"reqReserved": b"{a"})
    assert opened(body) == Evidence.BAD_SIGNATURE


def test_a_request_is_signed_without_blanks_and_without_its_signature() -> None:
    """Blank values are left out, as the platform's kits leave them out."""
    text = b"a=1&b=2"
    expected = hashlib.sha256(text).hexdigest().encode()
    assert subject.text_to_sign({"b": "2", "a": "1", "c": "", "signature": "x"}) == expected


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"Invalid request.",
        b"\xff\xfe",
        b"=1",
        b"a b=1",
        b"1a=1",
        b"a=1&",
        b"a=1&&b=2",
        b"a" * 65 + b"=1",
        b"&".join(b"a%d=1" % n for n in range(subject.MAX_FIELDS + 1)),
        b"a=" + b"x" * MAX_ANSWER_BYTES,
    ],
)
def test_what_is_no_list_of_pairs_is_garbled(body: bytes) -> None:
    """Pages, noise and floods are not the protocol."""
    assert opened(body) == Evidence.GARBLED


@pytest.mark.parametrize("name", sorted(BASE))
def test_an_answer_needs_version_method_and_certificate(name: bytes) -> None:
    """Without any of them nobody vouches for it."""
    left = {key: value for key, value in BASE.items() if key != name}
    assert opened(body_of(left)) == Evidence.BAD_SIGNATURE


@pytest.mark.parametrize("signature", [b"", b"****", b"QUJD"])
def test_a_missing_or_strange_signature_is_bad(signature: bytes) -> None:
    """Empty, no base64, or of something else."""
    body = body_of(BASE).partition(b"&signature=")[0] + b"&signature=" + signature
    assert opened(body) == Evidence.BAD_SIGNATURE


def test_a_field_named_twice_is_refused() -> None:
    """Two values for one name: one of them is not the signed one."""
    assert opened(body_of(BASE) + b"&version=5.1.0") == Evidence.BAD_SIGNATURE
