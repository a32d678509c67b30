"""Durations are read and written exactly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.scenarios.amounts import SPAN_MAX_US, parse_span, span_text


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("12s", 12_000_000),
        ("800ms", 800_000),
        ("2min", 120_000_000),
        ("1.5s", 1_500_000),
        ("0", 0),
        ("-5s", -5_000_000),
        ("7us", 7),
        ("1h", 3_600_000_000),
        ("0.0000001s", None),
        ("12", None),
        ("s", None),
        ("1 s", None),
        ("1e3s", None),
        ("１s", None),
        ("9999999d", None),
    ],
)
def test_a_duration_is_read_in_its_unit(text: str, us: int | None) -> None:
    """A number needs its unit, and more exactness than a microsecond is refused."""
    assert parse_span(text) == us


@given(st.integers(min_value=-SPAN_MAX_US, max_value=SPAN_MAX_US))
def test_a_written_duration_reads_back(us: int) -> None:
    """No duration changes on its way through a file."""
    assert parse_span(span_text(us)) == us
