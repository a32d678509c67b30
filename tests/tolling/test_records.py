"""A record's legs sum to its toll, or it says why not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from tests.tolling.words import passage_records
from tolling.clock import ClockQuality, WallTime
from tolling.ids import BootId, LaneId, OutTradeNo, PassageId, PlazaId
from tolling.records import (
    AuthorisedBy,
    Leg,
    PassageEnd,
    PassageRecord,
    Tender,
    UnpaidReason,
)
from tolling.vehicles import VehicleClass, VehicleKind

PASSAGE = PassageId("510001003001000000042")
ORDER = OutTradeNo(f"{PASSAGE}A01")
NOW = WallTime(utc_ms=0, quality=ClockQuality.SYNCED)
PHONE = Leg(tender=Tender.ALIPAY, amount_fen=2500, out_trade_no=ORDER)
CASH = Leg(tender=Tender.CASH, amount_fen=2500)
PAID = PassageRecord(
    plaza_id=PlazaId("510001"),
    lane_id=LaneId("003"),
    epoch=1,
    passage_id=PASSAGE,
    boot_id=BootId("b"),
    arrived=NOW,
    sealed=NOW,
    dwell_ms=4000,
    end=PassageEnd.PASSED,
    authorised_by=AuthorisedBy.TENDER,
    unpaid_reason=None,
    plate=None,
    plate_read=None,
    vehicle_class=VehicleClass.CAR_1,
    vehicle_kind=VehicleKind.NORMAL,
    quote=None,
    toll_due_fen=2500,
    legs=(PHONE,),
    orders=(ORDER,),
    attended=True,
    degraded=(),
    remarks=(),
    operator=None,
    operator_reason=None,
)


@given(passage_records())
def test_legs_sum_or_the_reason_is_told(record: PassageRecord) -> None:
    """Whatever record can be built, its money is told."""
    applied = sum(leg.amount_fen for leg in record.legs)
    assert applied == record.toll_due_fen or record.unpaid_reason is not None


@pytest.mark.parametrize(
    "change",
    [
        {"legs": (CASH,)},
        {"legs": (CASH,), "orders": ()},
        {"legs": (), "unpaid_reason": UnpaidReason.VIOLATION},
        {"legs": (), "toll_due_fen": 0},
    ],
)
def test_settled_and_explained_records_are_taken(change: dict[str, Any]) -> None:
    """Cash after a phone order, a toll of nothing, and an explained lack are records."""
    assert replace(PAID, **change).passage_id == PASSAGE


@pytest.mark.parametrize(
    "change",
    [
        {"legs": ()},
        {"legs": (PHONE, CASH)},
        {"legs": (PHONE, PHONE), "toll_due_fen": 5000},
        {"orders": ()},
        {"toll_due_fen": -1, "unpaid_reason": UnpaidReason.VIOLATION},
    ],
)
def test_money_that_does_not_fit_is_no_record(change: dict[str, Any]) -> None:
    """Missing money, doubled money, a foreign order or a negative toll trips the assertion."""
    with pytest.raises(AssertionError):
        replace(PAID, **change)


@pytest.mark.parametrize(
    "change",
    [
        {"amount_fen": 0},
        {"amount_fen": -1},
        {"out_trade_no": None},
        {"tender": Tender.CASH},
        {"tender": Tender.ETC},
    ],
)
def test_a_leg_moves_money_and_only_phone_legs_name_orders(change: dict[str, Any]) -> None:
    """A leg of nothing, a phone leg without an order, or cash with one trips the assertion."""
    with pytest.raises(AssertionError):
        replace(PHONE, **change)
