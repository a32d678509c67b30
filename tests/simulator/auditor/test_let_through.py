"""Who has paid is let through by the lane itself, and cash is taken: A1, one fact spoilt at a time.

One driver pays by phone at 5 s and stands at the window until 8 s.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from simulator.auditor import (
    AuditedDebit,
    CashWord,
    Evidence,
    Hindered,
    Hindrance,
    Tapped,
    audit,
)
from simulator.auditor.evidence import Blind
from simulator.plant.events import BoomMove, Contact, Heading, Lamp, LogEntry, What
from tests.simulator.auditor.runs import (
    LANE,
    ORDER,
    S,
    body,
    chain,
    clean_run,
    edge,
    pulse,
    road,
)
from tolling.inputs import Output

CORE_FAULT = Tapped(
    at_us=3 * S, channel="toll/330101/001/alarm", text='{"code":"core_fault","raised":true}'
)
SILENT = Blind(lane_id=LANE, from_us=2 * S, until_us=3 * S, dead=False)


def lamp(at_s: float, on: bool) -> Lamp:
    """Return the pass lamp changing."""
    return Lamp(at_us=int(at_s * S), lane=LANE, output=Output.LANE_GREEN, on=on)


def log(
    *, leaves_s: float = 8.0, raised: bool = True, up_s: float = 6.9, green_s: float | None = 6.95
) -> tuple[LogEntry, ...]:
    """Return the road of one who comes to the window, and goes from there."""
    kept = [
        entry
        for entry in road()
        if raised or not isinstance(entry, BoomMove | Contact) or entry.at_us > 7 * S
    ]
    kept += [edge(0.5, What.ON_ROAD, True), edge(2, What.AT_WINDOW, True)]
    kept.append(edge(leaves_s, What.AT_WINDOW, False))
    up = replace(edge(up_s, What.BOOM_UP, True), vehicle_id=None)
    kept += [up, replace(up, at_us=12 * S, on=False)] if raised else []
    kept += [] if green_s is None else [lamp(green_s, True), lamp(11, False)]
    return tuple(sorted(kept, key=lambda entry: entry.at_us))


def run(**changes: Any) -> Evidence:
    """Return the clean run with the road's and the people's words written down."""
    honest = clean_run()
    trades = (replace(honest.trades[0], payer=1),)
    return replace(honest, **{"plant_log": log(), "trades": trades, "hindered": (), **changes})


def stuck(**changes: Any) -> bool:
    """Return whether A1 is broken in a run with *changes*."""
    return any(finding.rule == "A1" for finding in audit(run(**changes)).findings)


def hindered(what: Hindrance, from_s: float, until_s: float | None) -> tuple[Hindered, ...]:
    """Return a while in which the lane could not do something."""
    until_us = None if until_s is None else int(until_s * S)
    return (Hindered(lane_id=LANE, what=what, from_us=int(from_s * S), until_us=until_us),)


def waits(*extra: LogEntry, green_s: float | None = None) -> tuple[LogEntry, ...]:
    """Return the road of one whose boom goes up, and who stands there until 110 s."""
    entries = [
        edge(0.5, What.ON_ROAD, True),
        edge(1, What.LOOP_1, True),
        edge(2, What.AT_WINDOW, True),
        *pulse(6, Output.RAISE, Heading.UP),
        replace(edge(6.9, What.BOOM_UP, True), vehicle_id=None),
        edge(110, What.AT_WINDOW, False),
        *extra,
    ]
    entries += [] if green_s is None else [lamp(green_s, True)]
    return tuple(sorted(entries, key=lambda entry: entry.at_us))


LEFT_ALONE = log(raised=False, leaves_s=110, green_s=None)
RED = waits()


def test_who_paid_and_is_let_through_breaks_nothing() -> None:
    """The whole run is clean, with everything written down."""
    assert audit(run(cash=())).clean


def test_who_paid_and_is_left_to_a_person_breaks_a1() -> None:
    """The boom rose at last, by somebody's hand: the lane never told it to."""
    by_hand = (*LEFT_ALONE, *pulse(109, Output.RAISE, Heading.UP))
    assert stuck(plant_log=LEFT_ALONE)
    assert stuck(plant_log=by_hand)


def test_a_raise_for_the_one_before_is_none_for_who_stands_there_now() -> None:
    """A contact that closed before the vehicle came to the window is not its own."""
    before = Contact(at_us=S, lane=LANE, output=Output.RAISE, closed=True, acted=True)
    assert stuck(plant_log=(before, *LEFT_ALONE))
    since = replace(before, at_us=3 * S)
    told = tuple(sorted((since, *LEFT_ALONE), key=lambda entry: entry.at_us))
    assert not stuck(plant_log=told)


def test_an_open_boom_without_green_keeps_a_paid_car_waiting() -> None:
    """Nobody drives on at red: a boom that is up for a second and more must say go."""
    assert stuck(plant_log=RED)
    assert not stuck(plant_log=waits(green_s=8.3))
    assert stuck(plant_log=waits(green_s=8.5))


def test_red_is_right_while_somebody_is_under_the_boom() -> None:
    """The one before is seen by the curtain; when it has gone, the lamp must turn green."""
    before = (edge(6.5, What.CURTAIN, True), edge(20, What.CURTAIN, False))
    assert not stuck(plant_log=waits(*before, green_s=21))
    assert stuck(plant_log=waits(*before, green_s=22))


@pytest.mark.parametrize(
    ("excuse", "other"),
    [
        ({"blind": (SILENT,)}, {"blind": (replace(SILENT, lane_id="002"),)}),
        ({"blind": (replace(SILENT, until_us=None),)}, {"blind": (replace(SILENT, until_us=0),)}),
        (
            {"hindered": hindered(Hindrance.DEAF, 4, 9)},
            {"hindered": hindered(Hindrance.DEAF, 1, 4.9)},
        ),
        (
            {"hindered": hindered(Hindrance.RAISE, 4, None)},
            {"hindered": hindered(Hindrance.RAISE, 8, None)},
        ),
        ({"borrowed": ((1, 9),)}, {"borrowed": ((8, 9),)}),
        ({"tapped": (*clean_run().tapped, CORE_FAULT)}, {}),
        ({"hindered": None}, {"hindered": hindered(Hindrance.LIMIT, 0, None)}),
        ({"tapped": ()}, {}),
    ],
    ids=["blind", "dead", "deaf", "contact", "borrowed", "aside", "unwritten", "unanswered"],
)
def test_a_lane_that_could_not_is_not_held_to_it(
    excuse: dict[str, Any], other: dict[str, Any]
) -> None:
    """Each excuse holds for its lane and its time, and for no other."""
    assert not stuck(plant_log=LEFT_ALONE, **excuse)
    assert stuck(plant_log=LEFT_ALONE, **other)


def test_a_sick_limit_switch_or_lamp_excuses_red_and_nothing_else() -> None:
    """A lane that cannot see that its boom is up shows no green; it raises all the same."""
    for what in (Hindrance.LIMIT, Hindrance.LAMP, Hindrance.DETECTOR):
        sick = hindered(what, 4, 20)
        assert not stuck(plant_log=RED, hindered=sick)
        assert stuck(plant_log=LEFT_ALONE, hindered=sick)


def test_an_answer_heard_again_on_a_good_line_counts() -> None:
    """The first was sent while the line was cut; the second one the lane has heard."""
    again = replace(clean_run().tapped[0], at_us=20 * S)
    cut = hindered(Hindrance.DEAF, 4, 15)
    assert not stuck(plant_log=LEFT_ALONE, hindered=cut)
    assert stuck(plant_log=LEFT_ALONE, hindered=cut, tapped=(*clean_run().tapped, again))


def test_who_has_driven_off_or_paid_another_amount_is_not_waited_for() -> None:
    """Who has left needs no boom, and another amount than the toll is given back."""
    assert not stuck(plant_log=log(raised=False, leaves_s=6, green_s=None))
    honest = clean_run()
    short = (replace(honest.orders[0], toll_fen=2600),)
    assert not stuck(plant_log=LEFT_ALONE, orders=short)


# ---- cash ----


def word(at_s: float, *, taken: bool = False, accepted: bool = False) -> CashWord:
    """Return a word about the driver's cash, answered at once."""
    return CashWord(
        lane_id=LANE,
        vehicle_id=1,
        taken=taken,
        at_us=int(at_s * S),
        answered_us=int(at_s * S) + 5_000,
        accepted=accepted,
        reason="" if accepted else "not_now",
    )


NO_PHONE: dict[str, Any] = {"tapped": (), "trades": (), "orders": (), "transfers": ()}
REFUSED = tuple(word(at_s) for at_s in (4, 6, 8, 10, 12, 14, 16))


def test_cash_that_the_lane_took_raises_its_boom() -> None:
    """The lane said that it has the money: then the boom is told to rise."""
    taken = (word(3, accepted=True), word(5, taken=True, accepted=True))
    assert stuck(plant_log=LEFT_ALONE, cash=taken, **NO_PHONE)
    assert not stuck(cash=taken, **NO_PHONE)
    assert not stuck(plant_log=LEFT_ALONE, cash=taken[:1], **NO_PHONE)


def test_cash_that_is_refused_on_and_on_breaks_a1() -> None:
    """Twelve seconds of refusals, to begin or to end it; fewer are a matter of waiting."""
    waits = {"plant_log": LEFT_ALONE, **NO_PHONE}
    assert stuck(cash=REFUSED, **waits)
    assert not stuck(cash=REFUSED[:6], **waits)
    assert not stuck(cash=(*REFUSED[:4], word(11, accepted=True), *REFUSED[4:]), **waits)
    in_till = tuple(replace(each, taken=True) for each in REFUSED)
    assert stuck(cash=(word(3, accepted=True), *in_till), **waits)
    unheard = tuple(replace(each, answered_us=None) for each in REFUSED)
    assert not stuck(cash=unheard, **waits)


def test_cash_is_refused_with_a_reason_from_outside() -> None:
    """Who has paid by phone or by tag, whose boom is up, or whose lane was blind."""
    waits = {"plant_log": LEFT_ALONE, "cash": REFUSED, **NO_PHONE}
    trade = replace(clean_run().trades[0], payer=1, paid_at_us=15 * S)
    debit = AuditedDebit(reference="x", tag_id="t", vehicle_id=1, amount_fen=1, txn_id="1")
    raised = tuple(
        sorted((*LEFT_ALONE, *pulse(9, Output.RAISE, Heading.UP)), key=lambda entry: entry.at_us)
    )
    assert not stuck(**waits | {"trades": (trade,)})
    assert stuck(**waits | {"trades": (replace(trade, paid_at_us=17 * S),)})
    assert not stuck(**waits | {"debits": (debit,)})
    assert stuck(**waits | {"debits": (replace(debit, vehicle_id=2),)})
    assert not stuck(**waits | {"plant_log": raised})
    assert not stuck(**waits | {"blind": (SILENT,)})


def test_an_order_that_is_not_answered_as_paid_raises_nothing() -> None:
    """Waiting, and paid only in the platform's books: the lane cannot know."""
    text = json.dumps({"out_trade_no": ORDER, "state": "waiting", "x": "paid"})
    waiting = Tapped(at_us=5 * S, channel="POST /v1/payments", text=text)
    assert not stuck(plant_log=LEFT_ALONE, tapped=(waiting,))


# ---- tags and coupons ----


def settled(tender: str) -> dict[str, Any]:
    """Return a run whose one record is paid by one leg of a tag or a coupon."""
    leg = {"tender": tender, "amount_fen": 2500, "provider_txn_id": "1"}
    records = chain(body(passage_id=PASSAGE, legs=[leg]))
    return NO_PHONE | {"lane_records": records, "plaza_records": records}


PASSAGE = ORDER[:21]
DEBIT = AuditedDebit(
    reference=PASSAGE, tag_id="t", vehicle_id=1, amount_fen=2500, txn_id="1", at_us=S
)
BY_TAG = settled("etc") | {"debits": (DEBIT,)}
RESERVED = Tapped(
    at_us=3 * S,
    channel="POST /v1/coupons/reserve",
    text=json.dumps({"passage_id": PASSAGE, "state": "reserved", "coupon_no": "c"}),
)
BY_COUPON = settled("coupon") | {"tapped": (RESERVED,)}


@pytest.mark.parametrize("paid", [BY_TAG, BY_COUPON], ids=["tag", "coupon"])
def test_whose_tag_or_coupon_paid_is_let_through_too(paid: dict[str, Any]) -> None:
    """The lane knew, and left it to a person; or it raised within two seconds."""
    assert stuck(plant_log=LEFT_ALONE, **paid)
    early = Contact(at_us=int(3.5 * S), lane=LANE, output=Output.RAISE, closed=True, acted=True)
    raised = tuple(sorted((early, *LEFT_ALONE), key=lambda entry: entry.at_us))
    assert not stuck(plant_log=raised, **paid)


def test_the_boom_may_go_up_for_a_tag_before_it_stands_at_the_window() -> None:
    """But not before it paid; and its two seconds begin at the window."""
    for at_s, broken in ((0.9, True), (1.5, False), (3.9, False), (4.1, True)):
        up = Contact(at_us=int(at_s * S), lane=LANE, output=Output.RAISE, closed=True, acted=True)
        raised = tuple(sorted((up, *LEFT_ALONE), key=lambda entry: entry.at_us))
        assert stuck(plant_log=raised, **BY_TAG) is broken, at_s


@pytest.mark.parametrize(
    ("paid", "changes"),
    [
        (BY_TAG, {"hindered": hindered(Hindrance.READER, 50, 60)}),
        (BY_TAG, {"misread_plates": True}),
        (BY_TAG, {"debits": (replace(DEBIT, at_us=None),)}),
        (BY_TAG, {"debits": (replace(DEBIT, vehicle_id=2),)}),
        (BY_TAG, {"lane_records": chain(body(passage_id=PASSAGE))}),
        (BY_TAG, {"lane_records": chain(body(passage_id=PASSAGE, legs=[{"tender": "etc"}] * 2))}),
        (BY_COUPON, {"hindered": hindered(Hindrance.DEAF, 3, 5)}),
        (BY_COUPON, {"misread_plates": True}),
        (BY_COUPON, {"tapped": (replace(RESERVED, text=RESERVED.text.replace("res", "ref")),)}),
        (BY_COUPON, {"lane_records": chain(body(passage_id=PASSAGE, legs=[], toll_due_fen=0))}),
    ],
)
def test_a_tag_or_coupon_nobody_is_sure_of_holds_no_lane(
    paid: dict[str, Any], changes: dict[str, Any]
) -> None:
    """A sick reader, a deaf lane, a plate that may be another's, a part of the toll."""
    assert not stuck(plant_log=LEFT_ALONE, **paid | changes)


def test_a_coupon_pays_with_the_last_answer_about_it() -> None:
    """The first one came too late for its caller; the coupon was held up once more."""
    again = replace(RESERVED, at_us=6 * S)
    up = Contact(at_us=7 * S, lane=LANE, output=Output.RAISE, closed=True, acted=True)
    raised = tuple(sorted((up, *LEFT_ALONE), key=lambda entry: entry.at_us))
    assert stuck(plant_log=raised, **BY_COUPON)
    assert not stuck(plant_log=raised, **BY_COUPON | {"tapped": (RESERVED, again)})
