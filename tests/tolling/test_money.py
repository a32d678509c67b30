"""Money is whole fen, and its text is yuan."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tolling.money import MAX_FEN, ZERO, Money

AMOUNTS = st.integers(0, MAX_FEN - 1)


@given(AMOUNTS)
def test_every_amount_survives_its_text(fen: int) -> None:
    """Every non-negative amount written as yuan reads back as the same amount."""
    subject = Money(fen)
    assert Money.from_yuan_text(subject.yuan_text()) == subject


@pytest.mark.parametrize(
    ("text", "fen"),
    [("0", 0), ("25", 2500), ("25.5", 2550), ("25.50", 2550), ("0.01", 1), ("88.88", 8888)],
)
def test_yuan_text_reads_as_fen(text: str, fen: int) -> None:
    """A figure with none, one or two decimals is its number of fen."""
    assert Money.from_yuan_text(text) == Money(fen)


@pytest.mark.parametrize(
    "text",
    ["", "-1", "+1", "1.", ".5", "1.234", "01", "1e3", " 1", "1\n", "٣", "1,000", "1" * 13, "NaN"],
)
def test_other_text_is_no_amount(text: str) -> None:
    """A sign, exponent, space, third decimal, foreign digit or absurd length is refused."""
    with pytest.raises(ValueError, match="yuan"):
        Money.from_yuan_text(text)


@given(st.integers(-(10**12), 10**12), st.integers(-(10**12), 10**12))
def test_money_adds_like_its_fen(left: int, right: int) -> None:
    """Sum, difference, negation and order are those of the fen."""
    assert Money(left) + Money(right) == Money(left + right)
    assert Money(left) - Money(right) == Money(left - right)
    assert -Money(left) == Money(-left)
    assert (Money(left) < Money(right)) == (left < right)


def test_negative_money_shows_its_sign_once() -> None:
    """A negative amount is written with one sign, also below one yuan."""
    assert str(Money(-5)) == "¥-0.05"
    assert Money(-1234).yuan_text() == "-12.34"
    assert str(ZERO) == "¥0.00"


@pytest.mark.parametrize("fen", [1.0, True, "1", MAX_FEN, -MAX_FEN])
def test_money_is_an_int_within_bounds(fen: object) -> None:
    """A float, a bool, a text or a mistaken unit trips the assertion."""
    with pytest.raises(AssertionError):
        Money(fen)  # type: ignore[arg-type]
