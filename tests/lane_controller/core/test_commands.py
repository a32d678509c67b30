"""Each command says how long it may wait for the disk."""

from __future__ import annotations

import pytest

from lane_controller.core import commands as subject
from tolling.ids import OutTradeNo


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (subject.RaiseBoom(reason=subject.RaiseReason.SAFETY, passage_id=None), "safety"),
        (subject.CancelWakeup(timer_id="x"), "safety"),
        (subject.CancelOrder(out_trade_no=OutTradeNo("x")), "promise"),
        (subject.SetScanner(on=True), "group"),
        (subject.LowerIfClear(), "group"),
    ],
)
def test_class_of(command: subject.Command, expected: str) -> None:
    """Safety never waits, a promise waits for its commit."""
    assert subject.class_of(command) == expected
