"""Who has paid, and when the lane knew, by what can be seen from outside it: the first half of A1.

By phone from the plaza's answer on, in cash from the lane's own word, by a tag from the reader's
answer, with a coupon that is worth the whole toll from the plaza's answer on. Nobody is listed
whose lane may not have heard it, and nobody of whom it is not certain which vehicle it was.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from simulator.auditor.evidence import Evidence, Hindrance

RAISES_US = 2_000_000
"""From the plaza's answer, or the lane's word that it has the cash, to the closed contact. Three
requests to a module that does not answer are 0.9 s; an answer that its caller had just given up is
asked for again after 0.5 s. Without a fault it takes 5 ms."""
LANE_DIGITS = slice(6, 9)
"""Of an order's and of a passage's number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """A vehicle that has paid, and when its lane knew."""

    vehicle_id: int
    at_us: int
    how: str
    as_it_came: bool = False
    """It may have paid before it stood at the window, and the boom have gone up by then."""


def payers(seen: Evidence) -> Iterator[Paid]:
    """Yield everybody who has paid, at each word that told the lane so."""
    yield from _by_phone(seen)
    yield from _in_cash(seen)
    if not seen.misread_plates:
        settled = dict(_settled(seen))
        yield from _by_tag(seen, settled)
        yield from _by_coupon(seen, settled)


def hindered(seen: Evidence, lane: str, from_us: int, until_us: int, by: set[Hindrance]) -> bool:
    """Return whether something of this kind hindered a lane meanwhile."""
    return any(
        each.lane_id == lane
        and each.what in by
        and each.from_us <= until_us
        and (each.until_us is None or from_us <= each.until_us)
        for each in seen.hindered or ()
    )


def _by_phone(seen: Evidence) -> Iterator[Paid]:
    """Yield who paid by phone, at each answer that told the lane so.

    Nobody's whose wallet others held up, and no order of which another amount was taken.
    """
    due = {order.out_trade_no: order.toll_fen for order in seen.orders}
    shared = {vehicle for pair in seen.borrowed for vehicle in pair}
    by_number = {
        trade.out_trade_no: trade.payer
        for trade in seen.trades
        if trade.payer is not None
        and trade.payer not in shared
        and trade.captured_fen
        and trade.captured_fen == due.get(trade.out_trade_no)
    }
    for at_us, body in answers(seen, "/v1/payments", "paid"):
        number = str(body.get("out_trade_no"))
        payer = by_number.get(number)
        if payer is not None and _heard(seen, number, at_us):
            yield Paid(vehicle_id=payer, at_us=at_us, how=f"order {number}")


def answers(seen: Evidence, path: str, state: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield each of the plaza's answers on a path that tells a state."""
    quoted = f'"{state}"'
    for tap in seen.tapped:
        if path not in tap.channel or quoted not in tap.text:
            continue
        try:
            body = json.loads(tap.text)
        except ValueError:
            continue
        if isinstance(body, dict) and body.get("state") == state:
            yield tap.at_us, body


def _heard(seen: Evidence, number: str, at_us: int) -> bool:
    """Return whether the line to an order's lane was good as the answer was sent."""
    return not hindered(seen, number[LANE_DIGITS], at_us, at_us + RAISES_US, {Hindrance.DEAF})


def _in_cash(seen: Evidence) -> Iterator[Paid]:
    for word in seen.cash or ():
        if word.taken and word.accepted and word.answered_us is not None:
            yield Paid(vehicle_id=word.vehicle_id, at_us=word.answered_us, how="in cash")


# ---- without a scan, or with one that costs nothing ----


def _settled(seen: Evidence) -> Iterator[tuple[str, tuple[str, int]]]:
    """Yield passage -> (tender, vehicle) of every record that one leg, of a tag or a coupon, pays.

    The vehicle is the one of the record's plate.
    """
    by_plate = {driver.plate: driver.vehicle_id for driver in seen.drivers if driver.plate}
    for record in seen.lane_records:
        try:
            body = json.loads(record.body)
        except ValueError:
            continue
        legs = body.get("legs", [])
        vehicle = by_plate.get(str((body.get("plate") or {}).get("text")))
        if vehicle is None or len(legs) != 1 or legs[0]["tender"] not in ("etc", "coupon"):
            continue
        if legs[0]["amount_fen"] == body["toll_due_fen"]:
            yield str(body.get("passage_id")), (legs[0]["tender"], vehicle)


def _by_tag(seen: Evidence, settled: dict[str, tuple[str, int]]) -> Iterator[Paid]:
    """Yield whose own tag paid the toll, unless its lane's reader was sick at any time."""
    sick = {each.lane_id for each in seen.hindered or () if each.what is Hindrance.READER}
    for debit in seen.debits:
        own = settled.get(debit.reference) == ("etc", debit.vehicle_id)
        if own and debit.at_us is not None and debit.reference[LANE_DIGITS] not in sick:
            yield Paid(
                vehicle_id=debit.vehicle_id,
                at_us=debit.at_us,
                how=f"by tag {debit.tag_id}",
                as_it_came=True,
            )


def _by_coupon(seen: Evidence, settled: dict[str, tuple[str, int]]) -> Iterator[Paid]:
    """Yield whose coupon paid the toll, at the last answer that told the lane so: one that its
    caller had just given up is not asked for again, the driver holds the coupon up once more."""
    last = {
        str(body.get("passage_id")): (at_us, body.get("coupon_no"))
        for at_us, body in answers(seen, "/v1/coupons/reserve", "reserved")
    }
    for passage, (at_us, coupon_no) in last.items():
        tender, vehicle = settled.get(passage, ("", 0))
        if tender == "coupon" and _heard(seen, passage, at_us):
            yield Paid(vehicle_id=vehicle, at_us=at_us, how=f"by coupon {coupon_no}")
