"""A coupon's text is told from pay codes and shown by nothing."""

from __future__ import annotations

import pickle

import pytest

from tolling.coupons import (
    COUPON_LENGTH,
    CouponCode,
    classify_scan,
    read_coupon,
)
from tolling.paycodes import NotAPayCode, PayCode

TEXT = "TLC1" + "ABCDEFGHIJKLMNOPQRSTUVWX2345"
KEY = b"0123456789abcdef"


def code() -> CouponCode:
    """Return the coupon of these tests."""
    found = read_coupon(TEXT)
    assert found is not None
    return found


def test_a_coupon_is_told_by_its_beginning() -> None:
    """No pay code begins so, and a coupon is never asked of a platform."""
    assert classify_scan(TEXT.encode()) == code()
    assert isinstance(classify_scan(b"280123456789012345"), PayCode)
    assert classify_scan(b"hello") is NotAPayCode.UNKNOWN_FORMAT
    assert len(TEXT) == COUPON_LENGTH


@pytest.mark.parametrize(
    "scanned",
    [TEXT[:-1], TEXT + "A", TEXT.lower(), TEXT + TEXT, "TLC1", TEXT[:-1] + "1", TEXT[:-1] + "\xff"],
)
def test_half_and_glued_coupons_are_none(scanned: str) -> None:
    """The length and letters are exact; a beginning alone is no coupon."""
    found = classify_scan(scanned.encode("latin-1"))
    assert isinstance(found, NotAPayCode)
    assert read_coupon(scanned) is None


def test_nothing_shows_its_text() -> None:
    """Not its repr, not a pickle; only what reserves it reveals it."""
    assert TEXT not in repr(code())
    with pytest.raises(TypeError):
        pickle.dumps(code())
    with pytest.raises(TypeError):
        hash(code())
    assert code().reveal() == TEXT


def test_lane_and_plaza_know_it_by_different_hashes() -> None:
    """The lane's is keyed with a key of its own; neither holds the text."""
    ref = code().ref(KEY)
    assert len(ref.keyed_hash) == 32
    assert len(code().token_hash()) == 64
    assert code().ref(b"another key of 16").keyed_hash != ref.keyed_hash
    assert ref.keyed_hash not in code().token_hash()
