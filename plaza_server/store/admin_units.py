"""Units of work about entries, signed sets, alarms, people and their commands."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from plaza_server.rules.orders import AlarmNote
from plaza_server.rules.units import (
    AddEntry,
    AddOperator,
    EndCommand,
    FindEntry,
    LogCommand,
    NoteAlarm,
    PutSet,
)
from plaza_server.store import tables as t
from plaza_server.store.prepared import Prepared
from plaza_server.store.work import Work
from tolling.errors import LedgerConflictError
from tolling.messages import EntryFound
from tolling.tariffs import EntrySource
from tolling.vehicles import VehicleClass


def _latest(column: sa.Column[Any]) -> Prepared:
    newest = t.entries.c.entered_ms.desc()
    found = sa.select(t.entries).where(column == sa.bindparam("value"))
    return Prepared(found.order_by(newest).limit(1))


_LATEST_BY_MEDIUM = _latest(t.entries.c.medium_id)
_LATEST_BY_PLATE = _latest(t.entries.c.plate)


def find_entry(work: Work, unit: FindEntry) -> EntryFound | None:
    """Return where a vehicle entered last: by what it carries, else by its plate."""
    query = unit.query
    ways = (
        (_LATEST_BY_MEDIUM, query.medium_id, EntrySource.MEDIUM),
        (_LATEST_BY_PLATE, query.plate, EntrySource.PLATE),
    )
    for latest, value, source in ways:
        if value is None:
            continue
        row = latest.run(work.connection, {"value": value}).one_or_none()
        if row is not None:
            return EntryFound(
                entry_station=row.entry_station,
                entered_ms=row.entered_ms,
                vehicle_class=VehicleClass(row.vehicle_class),
                source=source,
            )
    return None


def add_entry(work: Work, unit: AddEntry) -> bool:
    """Store an entry once."""
    known = sa.select(t.entries.c.entry_id).where(t.entries.c.entry_id == unit.entry_id)
    if work.connection.execute(known).first() is not None:
        return False
    work.connection.execute(
        t.entries.insert(),
        {
            "entry_id": unit.entry_id,
            "plate": unit.plate,
            "medium_id": unit.medium_id,
            "entry_station": unit.entry_station,
            "entered_ms": unit.entered_ms,
            "vehicle_class": int(unit.vehicle_class),
        },
    )
    return True


def put_set(work: Work, unit: PutSet) -> bool:
    """Store a version of a signed set once.

    Raises: LedgerConflictError: this version is there with other content.
    """
    new, c = unit.envelope, t.signed_sets.c
    standing = work.connection.execute(
        sa.select(c.content_hash, c.effective_from_ms).where(
            c.kind == new.kind.value, c.set_id == new.set_id, c.version == new.version
        )
    ).one_or_none()
    if standing is not None:
        if tuple(standing) != (new.content_hash, new.effective_from_ms):
            raise LedgerConflictError(
                where=f"{new.kind} set {new.set_id} version {new.version}",
                what="stored already with other content",
                do="Publish it under the next version",
            )
        return False
    work.connection.execute(
        t.signed_sets.insert(),
        {
            "kind": new.kind.value,
            "set_id": new.set_id,
            "version": new.version,
            "made_at_ms": new.made_at_ms,
            "effective_from_ms": new.effective_from_ms,
            "row_count": new.row_count,
            "content": new.content,
            "content_hash": new.content_hash,
            "key_id": new.key_id,
            "signature": new.signature,
            "stored_ms": unit.now_ms,
        },
    )
    return True


def note_alarm(work: Work, unit: NoteAlarm) -> bool:
    """Raise or clear an alarm of the engine's own."""
    note = AlarmNote(code=unit.code, raised=unit.raised, subject=unit.subject, what=unit.what)
    return work.note_alarm(note, unit.now_ms)


def add_operator(work: Work, unit: AddOperator) -> None:
    """Register a person, or give them a new name, role and token."""
    values = {"name": unit.name, "role": unit.role, "token_hash": unit.token_hash}
    update = t.operators.update().where(t.operators.c.operator_id == unit.operator_id)
    if work.connection.execute(update.values(**values)).rowcount == 0:
        row = {"operator_id": unit.operator_id, "added_ms": unit.now_ms, **values}
        work.connection.execute(t.operators.insert(), row)


def log_command(work: Work, unit: LogCommand) -> bool:
    """Store a command before it goes to its lane; its id makes it happen once."""
    known = sa.select(t.commands.c.command_id).where(t.commands.c.command_id == unit.command_id)
    if work.connection.execute(known).first() is not None:
        return False
    work.connection.execute(
        t.commands.insert(),
        {
            "command_id": unit.command_id,
            "lane_id": unit.lane_id,
            "operator": unit.operator,
            "action": unit.action,
            "reason": unit.reason,
            "body": unit.body,
            "asked_ms": unit.now_ms,
            "outcome": None,
            "outcome_reason": None,
            "ended_ms": None,
        },
    )
    return True


def end_command(work: Work, unit: EndCommand) -> bool:
    """Store how a command ended, once."""
    end = t.commands.update().where(
        t.commands.c.command_id == unit.command_id, t.commands.c.ended_ms.is_(None)
    )
    done = work.connection.execute(
        end.values(outcome=unit.outcome, outcome_reason=unit.reason, ended_ms=unit.now_ms)
    )
    return done.rowcount == 1
