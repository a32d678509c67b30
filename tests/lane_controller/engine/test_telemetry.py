"""What pages see of a lane."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lane_controller.core.legs import LegStatus
from lane_controller.core.legs import LegStatus as S
from lane_controller.core.states import EtcPhase, OrderPhase, TagDebit
from lane_controller.engine import telemetry as subject
from tests.lane_controller.engine.rig import Rig
from tolling.orders import OrderState
from tolling.records import Leg, Tender


def test_a_page_sees_vehicle_order_and_alarms() -> None:
    """Toll, plate, order state and how long it has been there."""
    view = Rig().open().arrive().scan().wait(1000).subject.view()
    assert view.arriving is not None
    assert (view.arriving.toll_fen, view.arriving.order_state) == (2500, OrderState.SENT)
    assert view.arriving.since_ms == 1000
    assert view.leaving is None
    assert set(subject._ORDER_STATE) == set(OrderPhase)


def test_a_page_sees_every_leg_and_one_status_for_all() -> None:
    """A coupon held, an order open, then paid: each by itself, and together."""
    rig = Rig().open().arrive().coupon()
    rig.held(500)
    arriving = rig.subject.view().arriving
    assert arriving is not None
    assert (arriving.toll_fen, arriving.settlement) == (2000, "gathering")
    assert legs(rig) == [("coupon", 500, "reserved")]
    rig.scan()
    assert legs(rig) == [("coupon", 500, "reserved"), ("alipay", 2000, "offered")]
    rig.paid()
    assert legs(rig) == [("coupon", 500, "reserved"), ("alipay", 2000, "captured")]
    arriving = rig.subject.view().arriving
    assert arriving is not None
    assert arriving.settlement == "settled"


def tag(status: LegStatus) -> TagDebit:
    """Return a tag's debit of 25 yuan."""
    return TagDebit(tag_id="TAG1", amount_fen=2500, status=status)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"etc": EtcPhase.CHARGING, "debit": tag(S.OFFERED)}, ("etc", 2500, "offered")),
        ({"etc": EtcPhase.REFUSED, "debit": tag(S.RELEASED)}, ("etc", 2500, "released")),
        ({"etc": EtcPhase.PAID, "debit": tag(S.REFUND_DUE)}, ("etc", 2500, "refund_due")),
        (
            {
                "etc": EtcPhase.PAID,
                "debit": tag(S.CAPTURED),
                "legs": (Leg(tender=Tender.ETC, amount_fen=2500),),
            },
            ("etc", 2500, "captured"),
        ),
        ({"legs": (Leg(tender=Tender.CASH, amount_fen=2500),)}, ("cash", 2500, "captured")),
    ],
)
def test_tags_and_cash_are_legs_too(
    changes: dict[str, Any], expected: tuple[str, int, str]
) -> None:
    """A tag that was charged besides what settled the passage is owed back."""
    passage = Rig().open().arrive().subject.state.arriving
    assert passage is not None
    view = subject.passage_view(replace(passage, **changes), "tender", 0)
    assert [(leg.tender, leg.amount_fen, leg.status) for leg in view.legs] == [expected]


def test_a_capture_no_record_will_name_is_owed_back() -> None:
    """A second payment is shown as what it is."""
    passage = Rig().open().arrive().scan().paid().subject.state.arriving
    assert passage is not None
    view = subject.passage_view(replace(passage, legs=()), "released", 0)
    assert (view.legs[0].status, view.settlement) == ("refund_due", "undoing")


def legs(rig: Rig) -> list[tuple[str, int, str]]:
    """Return the legs a page sees."""
    arriving = rig.subject.view().arriving
    assert arriving is not None
    return [(leg.tender, leg.amount_fen, leg.status) for leg in arriving.legs]
