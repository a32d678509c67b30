"""What a page shows of one passage: record, orders, reservations, tag debits and claims, read
together."""

from __future__ import annotations

import sqlalchemy as sa

from plaza_server.rules.passages import Passage, passage_of
from plaza_server.store.claim_units import claims_of
from plaza_server.store.coupon_units import holds_of
from plaza_server.store.etc_due_units import due_of
from plaza_server.store.queries import orders_by_passage, record_of_passage
from tolling.canonical import from_canonical
from tolling.ids import PassageId, parse_passage_id
from tolling.records import PassageRecord


def passage(connection: sa.Connection, number: PassageId) -> Passage | None:
    """Return a passage; None where nothing of it is here."""
    sealed = record_of_passage(connection, number)
    orders = orders_by_passage(connection, number)
    holds = holds_of(connection, number)
    if sealed is None and not orders and not holds:
        return None
    record = None
    if sealed is not None:
        record = from_canonical(PassageRecord, sealed.body.encode("utf-8"))
        assert isinstance(record, PassageRecord)
    due = due_of(connection, number)
    return passage_of(
        number,
        parse_passage_id(number).lane_id,
        record=record,
        orders=orders,
        holds=holds,
        dues=() if due is None else (due,),
        claims=claims_of(connection, number),
    )
