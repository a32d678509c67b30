"""What stands on the fee display, held against the money: part of M4, one fact spoilt at a time.

One driver comes to the window at 2 s, pays by phone at 5 s and drives through the boom at 10 s.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from simulator.auditor import (
    AuditedCoupon,
    AuditedDebit,
    CashWord,
    DriverStory,
    Evidence,
    Hindered,
    Hindrance,
    Restart,
    Tapped,
    audit,
)
from simulator.auditor import shown as shown_module
from simulator.auditor.evidence import Blind
from simulator.plant.events import Display, LogEntry, Passage, What
from simulator.plant.vehicles import VehicleId
from tests.simulator.auditor.runs import LANE, S, body, chain, clean_run, edge, road
from tolling.ids import LaneId
from tolling.pictures import DisplayPicture, PictureKind, picture_lines

PAID, NEW_CODE, OFFERED = PictureKind.PAID, PictureKind.NEW_CODE, PictureKind.OTHER_TENDER
DARK = Display(at_us=0, lane=LANE, lines=(), green=False)
BESIDE = DriverStory(
    lane_id="001",
    vehicle_id=2,
    plate="浙B00002",
    phone_fen=0,
    cash_fen=0,
    etc_fen=0,
    gone=True,
    backed_out=False,
)


NEXT = replace(edge(6, What.ON_ROAD, True), vehicle_id=VehicleId(2))
"""Another vehicle drives in."""
BEFORE_IT = replace(edge(9.5, What.AT_WINDOW, True), vehicle_id=VehicleId(2))
"""And stops where the display is read."""


def shows(at_s: float, kind: PictureKind) -> Display:
    """Return a picture coming up."""
    lines = picture_lines(DisplayPicture(kind=kind, toll_fen=2500))
    return Display(at_us=int(at_s * S), lane=LANE, lines=lines, green=kind is PAID)


def dark(at_s: float) -> Display:
    """Return the display going dark."""
    return replace(DARK, at_us=int(at_s * S))


def log(*shown: LogEntry) -> tuple[LogEntry, ...]:
    """Return the road of the one driver, with what the display showed."""
    stands = (
        edge(0.5, What.ON_ROAD, True),
        edge(2, What.AT_WINDOW, True),
        edge(7, What.AT_WINDOW, False),
        edge(13, What.ON_ROAD, False),
    )
    return tuple(sorted((*road(), *stands, *shown), key=lambda entry: entry.at_us))


def run(*shown: LogEntry, **changes: Any) -> Evidence:
    """Return the clean run with what the display showed, and with *changes*."""
    honest = clean_run()
    trades = (replace(honest.trades[0], payer=1),)
    return replace(honest, **{"plant_log": log(*shown), "trades": trades, **changes})


def found(*shown: LogEntry, **changes: Any) -> list[str]:
    """Return what M4 says of the display."""
    findings = audit(run(*shown, **changes)).findings
    return [each.what for each in findings if each.rule == "M4" and each.what.startswith("lane")]


def test_the_phrases_are_those_a_driver_reads() -> None:
    """The auditor's own copy says what the displays say."""
    words = (shown_module.PAID, shown_module.REFUSED, shown_module.OFFERED, shown_module.FREE)
    kinds = (PAID, NEW_CODE, OFFERED, PictureKind.FREE)
    assert words == tuple(shows(0, kind).lines[0] for kind in kinds)


def test_paid_is_shown_to_who_has_paid() -> None:
    """The whole run is clean where the thanks come after the money."""
    assert audit(run(shows(3, PictureKind.TOLL), shows(5.1, PAID))).clean


@pytest.mark.parametrize("at_s", [4.9, 10.5, 14])
def test_paid_is_not_shown_before_the_money_nor_to_the_next_one(at_s: float) -> None:
    """Too early, or when the one who paid is through the boom and another has come."""
    assert found(shows(at_s, PAID), NEXT, BEFORE_IT)


def test_what_an_empty_lane_shows_nobody_reads() -> None:
    """The one who paid is through, and nobody has come since."""
    assert not found(shows(14, PAID))
    assert found(shows(14, PAID), NEXT)


def test_money_of_another_vehicle_or_none_at_all_shows_nobody_paid() -> None:
    """Captured from who is not in the lane, or not captured."""
    trade = run().trades[0]
    for trades in ((replace(trade, payer=9),), (replace(trade, captured_fen=0),), ()):
        assert found(shows(6, PAID), trades=trades)


def test_a_nameless_or_borrowed_wallet_pays_for_who_is_there() -> None:
    """Nobody knows whose wallet it was, or the code was another's."""
    trade = run().trades[0]
    assert not found(shows(6, PAID), trades=(replace(trade, payer=None),))
    assert found(shows(4, PAID), trades=(replace(trade, payer=None),))
    other_lane = replace(trade, payer=None, out_trade_no=f"330101002{trade.out_trade_no[9:]}")
    assert found(shows(6, PAID), trades=(other_lane,))
    lent = (replace(trade, payer=9),)
    assert not found(shows(6, PAID), trades=lent, borrowed=((1, 9),))
    assert found(shows(6, PAID), trades=lent, borrowed=((2, 9),))


def test_who_took_a_vehicles_place_while_the_lane_was_blind_may_be_thanked_for_it() -> None:
    """No lane can tell the two apart, so the first one's money stands for both."""
    blind = Blind(lane_id=LANE, from_us=6 * S, until_us=9 * S, dead=True)
    second = tuple(
        replace(each, vehicle_id=VehicleId(2))
        for each in (edge(14, What.ON_ROAD, True), edge(14.1, What.LOOP_1, True))
    )
    beside = replace(blind, lane_id="002")
    for seen, broken in (((blind,), False), ((beside,), True), ((), True)):
        assert bool(found(*second, shows(14.5, PAID), blind=seen)) is broken


def test_who_follows_so_closely_that_loops_see_one_vehicle_is_thanked_for_it() -> None:
    """Half a second between the two on both loops, or more than one and they are told apart."""
    for gap_s, broken in ((0.5, False), (1.5, True)):
        first = (edge(9, What.LOOP_1, False), edge(10, What.LOOP_2, False))
        second = (
            edge(6, What.ON_ROAD, True),
            edge(9 + gap_s, What.LOOP_1, True),
            edge(10 + gap_s, What.LOOP_2, True),
        )
        through = next(entry for entry in road() if isinstance(entry, Passage))
        other = [replace(each, vehicle_id=VehicleId(2)) for each in second]
        passed = replace(through, vehicle_id=VehicleId(2), nose_us=14 * S, tail_us=16 * S)
        assert bool(found(*first, *other, shows(11.6, PAID), passed)) is broken


def test_cash_counts_from_the_moment_it_is_in_the_till() -> None:
    """By the people's words; where nobody wrote them down, who gave cash gave it."""
    word = CashWord(
        lane_id=LANE,
        vehicle_id=1,
        taken=True,
        at_us=4 * S,
        answered_us=None,
        accepted=False,
        reason="",
    )
    no_phone: dict[str, Any] = {"trades": (), "tapped": ()}
    assert not found(shows(4.1, PAID), cash=(word,), **no_phone)
    assert found(shows(3.9, PAID), cash=(word,), **no_phone)
    assert found(shows(4.1, PAID), cash=(replace(word, taken=False),), **no_phone)
    assert found(shows(4.1, PAID), cash=(replace(word, vehicle_id=2),), **no_phone)
    driver = replace(run().drivers[0], cash_fen=2500)
    assert not found(shows(4.1, PAID), drivers=(driver,), **no_phone)
    assert found(shows(4.1, PAID), drivers=(driver,), cash=(), **no_phone)


def test_a_tag_or_a_coupon_pays_as_well() -> None:
    """The reader's books name the vehicle, the record of the coupon its plate or none."""
    no_phone: dict[str, Any] = {"trades": (), "tapped": ()}
    debit = AuditedDebit(reference="x", tag_id="t", vehicle_id=1, amount_fen=1, txn_id="1")
    assert not found(shows(4, PAID), debits=(debit,), **no_phone)
    assert found(shows(4, PAID), debits=(replace(debit, vehicle_id=2),), **no_phone)
    for plate, broken in (("浙A12345", False), ("浙B00002", True), (None, False)):
        leg = {"tender": "coupon", "amount_fen": 2500, "coupon_no": "c"}
        sealed = chain(body(legs=[leg], plate=plate and {"text": plate}))
        drivers = (*run().drivers, BESIDE)
        seen = {"lane_records": sealed, "drivers": drivers, **no_phone}
        assert bool(found(shows(4, PAID), **seen)) is broken


def test_a_picture_that_comes_back_after_the_dark_is_nobodys() -> None:
    """The display shows what it showed before; a new picture the lane has put there."""
    first = shows(5.1, PAID)
    assert not found(first, dark(6), shows(14, PAID), NEXT)
    assert found(first, dark(6), shows(7, PictureKind.WELCOME), shows(14, PAID), NEXT)
    assert found(shows(3, PictureKind.TOLL), dark(4), shows(4.5, PAID))


def test_a_picture_of_the_dark_was_written_for_who_was_there_then() -> None:
    """One who paid and is through by the time it can be read; nobody's where nobody had paid
    (seed 1313)."""
    assert not found(shows(3, PictureKind.TOLL), dark(4.5), shows(11, PAID), NEXT)
    assert found(shows(3, PictureKind.TOLL), dark(10.5), shows(11, PAID), NEXT, BEFORE_IT)
    assert found(shows(3, PictureKind.TOLL), dark(4.5), shows(11, PAID), NEXT, trades=())
    assert found(dark(4.5), shows(10.2, PictureKind.TOLL), shows(11, PAID), NEXT, BEFORE_IT)
    assert not found(shows(3, PictureKind.TOLL), dark(4), shows(6, NEW_CODE)), "of an older code"


def test_who_is_only_just_through_may_be_thanked_by_his_plate() -> None:
    """A slow disk held the thanks back, and the next one is on his way (seed 3713); not long after,
    nor by another's plate."""

    def thanks(at_s: float, plate: str) -> Display:
        return replace(shows(at_s, PAID), lines=(*shows(at_s, PAID).lines[:3], plate))

    assert not found(thanks(11.9, "浙A12345"), NEXT, BEFORE_IT)
    assert found(thanks(12.1, "浙A12345"), NEXT)
    assert found(thanks(11.9, "浙B00002"), NEXT)
    assert not found(thanks(11.9, ""), NEXT), "his was not read (seed 6697)"
    assert found(thanks(11.9, ""), NEXT, BEFORE_IT)
    assert not found(thanks(11.9, ""), NEXT, replace(BEFORE_IT, what=What.LOOP_1))
    assert found(thanks(12.1, ""), NEXT)


@pytest.mark.parametrize(("fixed_fen", "broken"), [(9_900, False), (2_499, True), (0, True)])
def test_a_coupon_held_for_one_who_backs_out_has_paid_where_it_is_worth_the_toll(
    fixed_fen: int, broken: bool
) -> None:
    """He is thanked, reverses, and his record names no coupon (seed 1135)."""
    told = {"state": "reserved", "passage_id": "p1", "coupon_no": "c1"}
    seen: dict[str, Any] = {
        "trades": (),
        "tapped": (Tapped(at_us=3 * S, channel="POST /v1/coupons/reserve", text=json.dumps(told)),),
        "coupons": (AuditedCoupon(coupon_no="c1", fixed_fen=fixed_fen, off_rate=0, good=True),),
        "lane_records": chain(body(legs=[], end="backed_out", passage_id="p1")),
    }
    assert bool(found(shows(4, PAID), **seen)) is broken
    assert found(shows(4, PAID), **{**seen, "tapped": ()})


# ---- refused ----


def test_another_code_is_not_asked_for_when_the_order_was_paid() -> None:
    """Before the money it may be; from then on the only order is the one that was paid."""
    assert found(shows(5.5, NEW_CODE))
    assert not found(shows(4.9, NEW_CODE))
    assert not found(shows(8, NEW_CODE)), "nobody stands at the window"
    assert not found(shows(4.8, NEW_CODE), dark(4.9), shows(5.5, NEW_CODE))


def test_another_code_is_asked_for_with_a_reason() -> None:
    """Another order, another tender offered, another amount taken, another's wallet."""
    order = run().orders[0]
    second = replace(order, out_trade_no=f"{order.out_trade_no[:-2]}02", state="refused")
    second = replace(second, captured_fen=0)
    assert not found(shows(5.5, NEW_CODE), orders=(order, second))
    elsewhere = replace(second, out_trade_no=f"330101001001000000009{order.out_trade_no[21:]}")
    assert found(shows(5.5, NEW_CODE), orders=(order, elsewhere))
    assert not found(shows(4, OFFERED), shows(5.5, NEW_CODE))
    assert found(shows(1.5, OFFERED), shows(5.5, NEW_CODE))
    assert not found(shows(5.5, NEW_CODE), orders=(replace(order, toll_fen=2600),))
    assert not found(shows(5.5, NEW_CODE), borrowed=((1, 9),))
    trade = run().trades[0]
    assert not found(shows(5.5, NEW_CODE), trades=(replace(trade, payer=2),))
    assert not found(shows(5.5, NEW_CODE), trades=(replace(trade, paid_at_us=S),))


def answer(at_s: float, state: str, channel: str = "POST /v1/payments") -> Tapped:
    """Return an answer of the plaza about the one order."""
    text = json.dumps({"out_trade_no": run().orders[0].out_trade_no, "state": state})
    return Tapped(at_us=int(at_s * S), channel=channel, text=text)


WAITS, PAID_NOW = answer(4, "waiting"), answer(5, "paid")


def test_another_code_is_not_asked_for_while_the_order_is_waited_for() -> None:
    """The lane knew that the driver was asked for his password, and he gave it."""
    heard: dict[str, Any] = {"hindered": (), "tapped": (WAITS, PAID_NOW)}
    assert found(shows(4.5, NEW_CODE), **heard)
    assert not found(shows(3.9, NEW_CODE), **heard)
    assert not found(shows(4.5, NEW_CODE), **heard | {"hindered": None})


@pytest.mark.parametrize(
    "changes",
    [
        {"tapped": (answer(4, "unknown"), PAID_NOW)},
        {"tapped": (answer(1.9, "waiting"), PAID_NOW)},
        {"tapped": (WAITS, answer(4.2, "refused"), PAID_NOW)},
        {"tapped": (answer(3.9, "closing"), WAITS, PAID_NOW)},
        {"tapped": (answer(4, "waiting", "toll/330101/001/event"), PAID_NOW)},
        {"restarts": (Restart(at_us=9 * S, process="plaza", lane_id=None),)},
        {"blind": (Blind(lane_id=LANE, from_us=30 * S, until_us=31 * S, dead=True),)},
        {"hindered": (Hindered(lane_id=LANE, what=Hindrance.DEAF, from_us=0, until_us=S),)},
    ],
)
def test_a_lane_that_may_not_have_heard_that_it_waits_may_ask(changes: dict[str, Any]) -> None:
    """It was told otherwise, or nobody knows what reached it."""
    heard: dict[str, Any] = {"hindered": (), "tapped": (WAITS, PAID_NOW)}
    assert not found(shows(4.5, NEW_CODE), **heard | changes)


# ---- free ----


def test_nobody_who_has_to_pay_is_shown_that_it_is_free() -> None:
    """The record of the plate that stood there says it paid its toll; a person, an exemption or
    nothing due lets it through free, and a plate of no record is nobody's."""
    lines = picture_lines(DisplayPicture(kind=PictureKind.FREE, plate="浙A12345"))
    free = Display(at_us=4 * S, lane=LANE, lines=lines, green=True)
    assert len(found(free)) == 1
    for plain in (
        body(authorised_by="attendant"),
        body(legs=[], toll_due_fen=0),
        body(plate={"text": "浙B00002"}),
        body(plate=None),
    ):
        assert not found(free, lane_records=chain(plain))
    assert not found(free, lane_records=chain(body(), body(authorised_by="exempt")))
    assert not found(replace(free, lane=LaneId("002")))
    assert not found(replace(free, lines=picture_lines(DisplayPicture(kind=PictureKind.FREE))))


def test_an_unfinished_run_says_nothing_of_the_display() -> None:
    """Who paid with what is known when all is at rest."""
    assert not found(shows(3, PAID), at_rest=False)
