"""Amounts, Beijing times and pay codes of the simulated Alipay."""

from __future__ import annotations

import random

import pytest

from simulator.models.alipay_values import (
    BuyerBehaviour,
    beijing_ns,
    beijing_text,
    end_of_beijing_day_ns,
    fen_of,
    yuan_of,
)
from simulator.models.alipay_wallets import Wallets

S = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "fen"),
    [("25.50", 2550), ("25.5", 2550), ("25", 2500), ("0.01", 1), ("100000000.00", 10**10)],
)
def test_yuan_texts_are_read_as_fen(text: str, fen: int) -> None:
    """Every usual way of writing an amount gives whole fen."""
    assert fen_of(text) == fen


@pytest.mark.parametrize("text", ["", "1.234", "-1", "+1", "1e2", " 1", "1,00", ".5", "１"])
def test_what_is_no_amount_is_none(text: str) -> None:
    """Signs, exponents, blanks and a third decimal are no amount."""
    assert fen_of(text) is None


def test_fen_are_written_as_yuan_with_two_decimals() -> None:
    """Amounts on the wire always show two decimals."""
    assert [yuan_of(fen) for fen in (0, 1, 10, 2550)] == ["0.00", "0.01", "0.10", "25.50"]


def test_beijing_time_is_eight_hours_ahead() -> None:
    """Unix 1,795,305,600 is midnight UTC and 8 in the morning in Beijing."""
    assert beijing_text(1_795_305_600 * S + 999) == "2026-11-22 08:00:00"
    assert beijing_ns("2026-11-22 08:00:00") == 1_795_305_600 * S
    assert beijing_ns("2026-02-30 08:00:00") is None
    assert beijing_text(end_of_beijing_day_ns(1_795_305_600 * S)) == "2026-11-23 00:00:00"


@pytest.mark.parametrize("prefix", range(25, 31))
@pytest.mark.parametrize("length", [16, 18, 24])
def test_codes_have_the_prefix_and_length_asked_for(prefix: int, length: int) -> None:
    """Every code a real wallet may show can be shown here."""
    subject = Wallets(rng=random.Random(3), code_ttl_ms=60_000)
    issued = subject.issue(
        "d", 0, BuyerBehaviour.PAYS, after_ms=0, prefix=prefix, length=length, ttl_ms=None
    )
    assert issued.code.isdigit()
    assert issued.code.startswith(str(prefix))
    assert len(issued.code) == length
    assert issued.expires_at_ns == 60 * S


def test_a_taken_code_is_gone() -> None:
    """A code is given out once, whatever comes of it."""
    subject = Wallets(rng=random.Random(3), code_ttl_ms=60_000)
    issued = subject.issue(
        "d", 0, BuyerBehaviour.BALANCE_SHORT, after_ms=0, prefix=28, length=18, ttl_ms=None
    )
    assert subject.take(issued.code, 0) is not None
    assert subject.take(issued.code, 0) is None
