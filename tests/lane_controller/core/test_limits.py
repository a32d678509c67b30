"""Bounds keep their relations."""

from __future__ import annotations

import pytest

from lane_controller.core.limits import Limits


def test_the_given_limits_hold() -> None:
    """The defaults are consistent."""
    assert Limits().second_tender_ms == 8_000


def test_limits_out_of_relation_are_refused() -> None:
    """A lane file cannot offer other tenders after the order is cancelled."""
    with pytest.raises(AssertionError):
        Limits(second_tender_ms=50_000)
