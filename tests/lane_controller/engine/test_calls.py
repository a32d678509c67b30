"""Calls to the plaza: numbered, bounded in time."""

from __future__ import annotations

from lane_controller.engine import effects as fx
from lane_controller.engine import limits
from lane_controller.engine.calls import CallBook, deadline_of
from tolling.ids import OutTradeNo

NO = OutTradeNo("x")


def test_every_call_has_a_deadline() -> None:
    """A long-poll gets its wait, a cancel the platform's time, the heartbeat less than 3 s."""
    assert deadline_of(fx.GetPayment(out_trade_no=NO, wait_ms=5000)) == 7000
    assert deadline_of(fx.PostCancel(out_trade_no=NO)) == limits.CANCEL_DEADLINE_MS
    assert deadline_of(fx.GetEnrolment(fresh=False)) < limits.LINK_LOST_MS
    assert deadline_of(fx.GetTariffs()) == limits.CALL_DEADLINE_MS


def test_a_call_is_closed_once_and_the_book_has_a_bound() -> None:
    """A second answer finds nothing."""
    subject = CallBook()
    numbers = [subject.open(fx.GetTariffs()) for _ in range(limits.CALLS_MAX)]
    assert subject.full
    assert subject.close(numbers[0]) == fx.GetTariffs()
    assert subject.close(numbers[0]) is None
    assert not subject.full
