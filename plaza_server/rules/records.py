"""What a sealed record does to orders and ledger: it alone says how a passage was settled. Pure.

Strategy. The chain is checked first, over the exact bytes and before anything is parsed. A record
that fits the chain is taken whatever it says: content that is no record of this lane is kept raw in
quarantine and the chain goes on. A good one is applied in the commit that takes it: the orders its
legs name go to revenue, every other order of the passage is given back or cancelled, cash and ETC
legs are booked, and what a tag gave beside them is owed back (etc_dues.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from plaza_server.rules.facts import RecordSaid
from plaza_server.rules.ledger import LOCAL_TENDERS, Transfer, leg_to_revenue
from plaza_server.rules.orders import (
    AlarmNote,
    Applied,
    Difference,
    DifferenceKind,
    Moment,
    Order,
    apply,
)
from tolling.alarms import AlarmCode
from tolling.canonical import from_canonical
from tolling.chain import SealedRecord
from tolling.errors import BadInputError
from tolling.ids import OutTradeNo, parse_out_trade_no, parse_passage_id
from tolling.money import MAX_FEN
from tolling.records import PassageRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What one good record did."""

    applied: tuple[Applied, ...]
    """One per order of the passage, in the order of their numbers."""
    transfers: tuple[Transfer, ...]
    """Of cash and ETC legs; those of orders are in *applied*."""
    unbooked: tuple[Difference, ...]
    """Legs that name an order this plaza never had."""
    alarms: tuple[AlarmNote, ...]
    """About those; the alarms of orders are in *applied*."""


def place_of(sealed: SealedRecord) -> str:
    """Return the record's place as one text: lane/epoch/seq."""
    return f"{sealed.lane_id}/{sealed.epoch:03d}/{sealed.seq}"


def open_record(sealed: SealedRecord) -> PassageRecord:
    """Return the record inside *sealed*, whose hash was found right before.

    Raises: BadInputError: no record, or not one of this lane: quarantine.
    """
    record = from_canonical(PassageRecord, sealed.body.encode("utf-8"))
    assert isinstance(record, PassageRecord)
    where = f"record {place_of(sealed)}"
    said = (record.plaza_id, record.lane_id, record.epoch)
    if said != (sealed.plaza_id, sealed.lane_id, sealed.epoch):
        raise BadInputError(where=where, what="its plaza, lane or epoch is not its seal's")
    try:
        parts = parse_passage_id(record.passage_id)
        passages = {parse_out_trade_no(number)[0] for number in record.orders}
    except ValueError as error:
        raise BadInputError(where=where, what=str(error)) from error
    if (parts.plaza_id, parts.lane_id) != (sealed.plaza_id, sealed.lane_id):
        raise BadInputError(where=where, what="its passage_id is another lane's")
    if not passages <= {record.passage_id}:
        raise BadInputError(where=where, what="it names an order of another passage")
    amounts = [leg.amount_fen for leg in record.legs]
    if any(fen >= MAX_FEN for fen in (*amounts, *(owed.amount_fen for owed in record.owed_back))):
        raise BadInputError(where=where, what="a leg is beyond any toll")
    return record


def settle(
    record: PassageRecord,
    *,
    place: str,
    orders: Sequence[Order],
    at: Moment,
    payee: str | None = None,
) -> Settled:
    """Return what *record*, at *place* in its chain, does.

    Args:   orders: every order the plaza has of this passage, named by the record or not.
            payee: whose toll cash and ETC legs are; None: the plaza's own.
    """
    named: dict[OutTradeNo, int] = {
        leg.out_trade_no: leg.amount_fen for leg in record.legs if leg.out_trade_no is not None
    }
    known = sorted(orders, key=lambda order: order.out_trade_no)
    assert all(order.passage_id == record.passage_id for order in known)
    applied = tuple(
        apply(order, RecordSaid(leg_fen=named.get(order.out_trade_no)), at=at) for order in known
    )
    missing = sorted(set(named) - {order.out_trade_no for order in known})
    unbooked, alarms = [], []
    for number in missing:
        unbooked.append(
            Difference(
                kind=DifferenceKind.NOT_CAPTURED,
                out_trade_no=number,
                said_fen=named[number],
                booked_fen=0,
            )
        )
        alarms.append(
            AlarmNote(
                code=AlarmCode.ILLEGAL_EVENT,
                raised=True,
                subject=number,
                what=f"record {place} names an order this plaza never had. Compare the bill",
            )
        )
    return Settled(
        applied=applied,
        transfers=local_legs(record, place, payee or record.plaza_id),
        unbooked=tuple(unbooked),
        alarms=tuple(alarms),
    )


def local_legs(record: PassageRecord, place: str, payee: str) -> tuple[Transfer, ...]:
    """Return the transfers of the legs that no order stands for."""
    return tuple(
        leg_to_revenue(place, number, leg, lane=record.lane_id, payee=payee)
        for number, leg in enumerate(record.legs, start=1)
        if leg.tender in LOCAL_TENDERS
    )
