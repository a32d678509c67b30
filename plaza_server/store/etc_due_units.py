"""Debits of tags that settled nothing: noted with their record, ended by an issuer's word."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import sqlalchemy as sa

from plaza_server.rules.etc_dues import (
    LATE_MS,
    MOVES,
    OPEN_STATES,
    SAID,
    EtcDue,
    EtcDueState,
    SayEtcOutcome,
    dues_of,
    first_bookings,
    late_note,
    outcome_bookings,
)
from plaza_server.rules.orders import AlarmNote, Moment
from plaza_server.store.etc_due_tables import etc_dues
from plaza_server.store.prepared import Prepared
from plaza_server.store.work import Work
from tolling.errors import LedgerConflictError, RefusedError
from tolling.ids import BootId, LaneId, PassageId
from tolling.records import PassageRecord

_c = etc_dues.c
_LATE = Prepared(
    sa.select(_c.passage_id).where(
        sa.or_(*(_c.state == state.value for state in sorted(OPEN_STATES))),
        _c.noted_ms <= sa.bindparam("before"),
    )
)


def note_dues(work: Work, record: PassageRecord, *, owner: BootId, at: Moment) -> None:
    """Note and book what a record names as owed back, in its commit."""
    for due in dues_of(record, at.wall_ms):
        row = asdict(due) | {"state": due.state.value}
        work.connection.execute(etc_dues.insert(), row)
        for transfer in first_bookings(due):
            work.add_transfer(transfer, at, owner=owner)


def say_outcome(work: Work, unit: SayEtcOutcome) -> EtcDue:
    """Take a person's word for what an issuer said; the same word again changes nothing."""
    where = f"tag debit {unit.passage_id}"
    due = due_of(work.connection, unit.passage_id)
    if due is None:
        raise RefusedError(where=where, what="no record names one as owed back")
    state = MOVES.get((due.state, unit.outcome))
    if state is None:
        if due.state is SAID[unit.outcome]:
            return due
        raise RefusedError(where=where, what=f"it is {due.state}: {unit.outcome} cannot be said")
    said = {
        "state": state.value,
        "said_by": unit.by,
        "said_ms": unit.at.wall_ms,
        "issuer_ref": unit.issuer_ref or due.issuer_ref,
    }
    move = etc_dues.update().where(_c.passage_id == unit.passage_id, _c.state == due.state.value)
    if work.connection.execute(move.values(**said)).rowcount != 1:
        raise LedgerConflictError(where=where, what="changed by another process meanwhile")
    for transfer in outcome_bookings(due, unit.outcome):
        work.add_transfer(transfer, unit.at, owner=unit.owner)
    return replace(
        due,
        state=state,
        said_by=unit.by,
        said_ms=unit.at.wall_ms,
        issuer_ref=unit.issuer_ref or due.issuer_ref,
    )


def sweep_dues(work: Work, at: Moment) -> tuple[AlarmNote, ...]:
    """Raise the alarm while a debit is open for too long, clear it once none is."""
    late = _LATE.first(work.connection, {"before": at.wall_ms - LATE_MS})
    note = late_note(raised=late is not None)
    return (note,) if work.note_alarm(note, at.wall_ms) else ()


def due_of(connection: sa.Connection, passage: PassageId) -> EtcDue | None:
    """Return a passage's debit that settled nothing."""
    query = sa.select(etc_dues).where(_c.passage_id == passage)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else _due(row)


def dues_in(connection: sa.Connection, states: tuple[EtcDueState, ...], limit: int) -> list[EtcDue]:
    """Return debits in these states (all, where none is given), the oldest first."""
    query = sa.select(etc_dues).order_by(_c.noted_ms, _c.passage_id).limit(limit)
    if states:
        query = query.where(_c.state.in_([state.value for state in states]))
    return [_due(row) for row in connection.execute(query).mappings()]


def _due(row: Any) -> EtcDue:
    named = dict(row)
    return EtcDue(
        **named
        | {
            "passage_id": PassageId(row["passage_id"]),
            "lane_id": LaneId(row["lane_id"]),
            "state": EtcDueState(row["state"]),
        }
    )
