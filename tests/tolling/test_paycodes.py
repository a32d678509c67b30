"""Pay codes are told apart strictly and never show their text."""

from __future__ import annotations

import base64
import copy
import json
import pickle
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tolling.canonical import canonical_bytes
from tolling.paycodes import MAX_PAY_CODE_LENGTH, NotAPayCode, PayCode, Wallet, classify

ALIPAY = "287634438256643942"
# The sample of the consumer-presented format, 124 bytes.
EMVCO = (
    "hQVDUFYwMWETTwegAAAAVVVVUAhQcm9kdWN0MWETTwegAAAAZmZmUAhQcm9kdWN0MmJJWggSNFZ4kBI0WF8gDkNBUkRI"
    "T0xERVIvRU1WXy0IcnVlc2RlZW5kIZ8QBwYBCgMAAACfJghYT9OF+iNLzJ82AgABnzcEbVjvEw=="
)
KEY = b"0123456789abcdef"


def emvco(*items: bytes) -> bytes:
    """Return base64 of the format indicator and *items*."""
    return base64.b64encode(b"\x85\x05CPV01" + b"".join(items))


@pytest.mark.parametrize(
    ("scanned", "wallet"),
    [
        *((f"{prefix}" + "4" * 16, Wallet.WECHAT) for prefix in range(10, 16)),
        *((f"{prefix}" + "4" * 14, Wallet.ALIPAY) for prefix in range(25, 31)),
        (ALIPAY, Wallet.ALIPAY),
        ("30" + "4" * 22, Wallet.ALIPAY),
        ("62" + "4" * 17, Wallet.UNIONPAY),
        (EMVCO, Wallet.EMVCO),
        (emvco(b"\x61\x00").decode(), Wallet.EMVCO),
        (emvco(b"\x61\x81\x81" + b"x" * 0x81).decode(), Wallet.EMVCO),
    ],
)
def test_a_wallets_code_is_that_wallets(scanned: str, wallet: Wallet) -> None:
    """Every prefix and length of a wallet's row is that wallet's pay code, unchanged."""
    subject = classify(scanned.encode())
    assert isinstance(subject, PayCode)
    assert subject.wallet is wallet
    assert subject.reveal() == scanned


@pytest.mark.parametrize(
    ("scanned", "why"),
    [
        (b"", NotAPayCode.EMPTY),
        ("二维码".encode(), NotAPayCode.NOT_ASCII),
        (b"28763443825664394\t2", NotAPayCode.NOT_ASCII),
        (b"28763443825664394\x7f", NotAPayCode.NOT_ASCII),
        (b"28" + b"1" * 13, NotAPayCode.WRONG_LENGTH),
        (b"28" + b"1" * 23, NotAPayCode.WRONG_LENGTH),
        (ALIPAY.encode() * 2, NotAPayCode.WRONG_LENGTH),
        (b"13" + b"4" * 15, NotAPayCode.WRONG_LENGTH),
        (b"13" + b"4" * 17, NotAPayCode.WRONG_LENGTH),
        (b"62" + b"4" * 16, NotAPayCode.WRONG_LENGTH),
        (b"62" + b"4" * 18, NotAPayCode.WRONG_LENGTH),
        (b"1" * (MAX_PAY_CODE_LENGTH + 1), NotAPayCode.WRONG_LENGTH),
        (EMVCO[:84].encode(), NotAPayCode.WRONG_LENGTH),
        (EMVCO[:-1].encode(), NotAPayCode.WRONG_LENGTH),
        (EMVCO[:-4].encode(), NotAPayCode.WRONG_LENGTH),
        (EMVCO.encode() * 2, NotAPayCode.WRONG_LENGTH),
        (emvco(b"\x61\x00", b"\x85\x05CPV01\x61\x00"), NotAPayCode.WRONG_LENGTH),
        (emvco(b"\x62\x00"), NotAPayCode.WRONG_LENGTH),
        (emvco(b"\x61"), NotAPayCode.WRONG_LENGTH),
        (emvco(b"\x61\x81"), NotAPayCode.WRONG_LENGTH),
        (emvco(b"\x61\x82\x00\x01x"), NotAPayCode.WRONG_LENGTH),
        (emvco(b"\x5f\x20\x00"), NotAPayCode.WRONG_LENGTH),
        (base64.b64encode(b"\x85\x05CPV02\x61\x00"), NotAPayCode.UNKNOWN_FORMAT),
        (b"TX02ABCDEF", NotAPayCode.RIDE_CODE),
        (b"01" + b"4" * 17, NotAPayCode.UNKNOWN_FORMAT),
        (b"16" + b"4" * 16, NotAPayCode.UNKNOWN_FORMAT),
        (b"24" + b"4" * 16, NotAPayCode.UNKNOWN_FORMAT),
        (b"31" + b"4" * 16, NotAPayCode.UNKNOWN_FORMAT),
        (b"61" + b"4" * 17, NotAPayCode.UNKNOWN_FORMAT),
        (b"https://example.com/ticket", NotAPayCode.UNKNOWN_FORMAT),
        (b" " + ALIPAY.encode(), NotAPayCode.UNKNOWN_FORMAT),
        (base64.b64encode(bytes(range(3, 133))), NotAPayCode.UNKNOWN_FORMAT),
    ],
)
def test_anything_else_is_refused_with_its_reason(scanned: bytes, why: NotAPayCode) -> None:
    """Half, glued, foreign and unreadable texts are refused, each with its own reason."""
    assert classify(scanned) is why


@given(st.text("0123456", min_size=1, max_size=30))
def test_digits_are_judged_by_the_published_patterns(text: str) -> None:
    """A text of digits is a pay code exactly where one of the published patterns says so."""
    patterns = (r"1[0-5]\d{16}", r"(2[5-9]|30)\d{14,22}", r"62\d{17}")
    expected = any(re.fullmatch(pattern, text) for pattern in patterns)
    assert isinstance(classify(text.encode()), PayCode) == expected


@given(st.binary(max_size=600))
def test_any_bytes_get_a_verdict(scanned: bytes) -> None:
    """No bytes make the classifier fail."""
    assert isinstance(classify(scanned), (PayCode, NotAPayCode))


@given(st.integers(1, len(EMVCO) - 1))
def test_no_part_of_an_emvco_code_is_one(length: int) -> None:
    """A code cut anywhere is refused."""
    assert isinstance(classify(EMVCO[:length].encode()), NotAPayCode)


@pytest.mark.parametrize(
    "shown",
    [repr, str, "{}".format, "{!r}".format, "{0!s:>40}".format, lambda code: f"{[code]}"],
)
def test_a_pay_code_never_shows_its_text(shown: Callable[[Any], str]) -> None:
    """No way of printing a code shows its text."""
    subject = PayCode(ALIPAY, Wallet.ALIPAY)
    assert ALIPAY not in shown(subject)
    assert shown(subject)


@pytest.mark.parametrize(
    "stored",
    [pickle.dumps, copy.copy, copy.deepcopy, json.dumps, canonical_bytes, vars],
)
def test_a_pay_code_cannot_be_stored(stored: Callable[[Any], object]) -> None:
    """Pickling, copying and writing as JSON fail, with an error that does not hold the text."""
    with pytest.raises(TypeError) as failure:
        stored(PayCode(ALIPAY, Wallet.ALIPAY))
    assert ALIPAY not in str(failure.value)


def test_equal_texts_are_equal_codes() -> None:
    """Codes compare by text, with nothing else, and are no dictionary keys."""
    subject = PayCode(ALIPAY, Wallet.ALIPAY)
    assert subject == PayCode(ALIPAY, Wallet.ALIPAY)
    assert subject != PayCode(ALIPAY[:-1] + "0", Wallet.ALIPAY)
    assert subject != ALIPAY
    with pytest.raises(TypeError):
        hash(subject)


def test_a_reference_tells_codes_apart_without_the_text() -> None:
    """The reference has wallet, length and a hash under the machine's own key."""
    subject = PayCode(ALIPAY, Wallet.ALIPAY).ref(KEY)
    assert (subject.wallet, subject.length) == (Wallet.ALIPAY, 18)
    assert re.fullmatch("[0-9a-f]{32}", subject.keyed_hash)
    assert subject != PayCode(ALIPAY, Wallet.ALIPAY).ref(KEY[::-1])
    assert ALIPAY not in repr(subject)
    with pytest.raises(AssertionError):
        PayCode(ALIPAY, Wallet.ALIPAY).ref(b"short")
