"""Calls to the plaza: numbered, bounded in time."""

from __future__ import annotations

import pytest

from lane_controller.core import events as ev
from lane_controller.engine import effects as fx
from lane_controller.engine import inputs as inp
from lane_controller.engine import limits
from lane_controller.engine.calls import CallBook, deadline_of, unanswered
from tests.lane_controller.core.playbook import tariff
from tolling.coupons import CouponRequest
from tolling.ids import LaneId, OutTradeNo, PassageId
from tolling.tariffs import EntrySource
from tolling.tariffs import quote as quoted
from tolling.vehicles import VehicleClass

NO = OutTradeNo("x")


def test_every_call_has_a_deadline() -> None:
    """A long-poll gets its wait, a cancel the platform's time, the heartbeat less than 3 s."""
    assert deadline_of(fx.GetPayment(out_trade_no=NO, wait_ms=5000)) == 7000
    assert deadline_of(fx.PostCancel(out_trade_no=NO)) == limits.CANCEL_DEADLINE_MS
    assert deadline_of(fx.GetEnrolment(fresh=False)) < limits.LINK_LOST_MS
    assert deadline_of(reserving()) == 1234
    assert deadline_of(fx.GetTariffs()) == limits.CALL_DEADLINE_MS


def test_a_call_is_closed_once_and_the_book_has_a_bound() -> None:
    """A second answer finds nothing."""
    subject = CallBook()
    numbers = [subject.open(fx.GetTariffs()) for _ in range(limits.CALLS_MAX)]
    assert subject.full
    assert subject.close(numbers[0]) == fx.GetTariffs()
    assert subject.close(numbers[0]) is None
    assert not subject.full


def reserving() -> fx.PostCouponReserve:
    """Return a call that reserves a coupon."""
    quote = quoted(
        tariff(),
        entry_station="E1",
        entry_source=EntrySource.PLATE,
        vehicle_class=VehicleClass.CAR_1,
    )
    request = CouponRequest(
        passage_id=PassageId("440301007001000000001"),
        attempt=2,
        lane_id=LaneId("007"),
        quote=quote,
    )
    return fx.PostCouponReserve(request=request, keyed_hash="k", deadline_ms=1234)


@pytest.mark.parametrize("why", list(inp.PlazaTrouble))
def test_what_failed_is_told_of_whom_it_was_about(why: inp.PlazaTrouble) -> None:
    """An order by its number, a coupon by passage and attempt."""
    order = unanswered(fx.PostCancel(out_trade_no=NO), why)
    assert isinstance(order, ev.OrderUnanswered)
    coupon = unanswered(reserving(), why)
    assert isinstance(coupon, ev.CouponUnanswered)
    assert (coupon.attempt, coupon.why) == (2, order.why)
