"""Instants are written in Beijing time."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tolling.clock import BEIJING, NS_PER_MS, NS_PER_S, beijing_digits, iso_beijing


@pytest.mark.parametrize(
    ("utc_ms", "iso", "digits"),
    [
        (0, "1970-01-01T08:00:00.000+08:00", "19700101080000"),
        (1_795_313_999_007, "2026-11-22T10:19:59.007+08:00", "20261122101959"),
        (-1, "1970-01-01T07:59:59.999+08:00", "19700101075959"),
    ],
)
def test_instants_are_written_in_beijing_time(utc_ms: int, iso: str, digits: str) -> None:
    """An instant has one text for people and one for the platforms, eight hours east of UTC."""
    assert iso_beijing(utc_ms) == iso
    assert beijing_digits(utc_ms) == digits


@given(st.integers(-(10**12), 10**13))
def test_an_instant_survives_its_text(utc_ms: int) -> None:
    """The ISO text names the instant to the millisecond."""
    subject = datetime.fromisoformat(iso_beijing(utc_ms))
    assert subject.utcoffset() == BEIJING.utcoffset(None)
    whole = int(subject.replace(microsecond=0).timestamp())
    assert whole * 1000 + subject.microsecond // 1000 == utc_ms


def test_units_fit_each_other() -> None:
    """A second has a thousand milliseconds."""
    assert NS_PER_S == 1000 * NS_PER_MS
