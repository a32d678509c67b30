"""What each unit of a commit does to the journal: one synchronous function per class.

A commit that failed is sent again as it was. Should the first one be durable after all, its rows
are there already: the same row again is nothing, another row under the same number is an error.

Strategy. Statements are made by SQLAlchemy once, as SQLite's own text, and run on the driver's
cursor: an event is written a hundred times a minute, and what SQLAlchemy does around a statement
takes ten times as long as the statement.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Any

from pysqlite3 import dbapi2
from sqlalchemy import (
    ClauseElement,
    Table,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
)
from sqlalchemy.dialects.sqlite import dialect
from sqlalchemy.dialects.sqlite import insert as upsert

from lane_controller.core import journalled as row
from lane_controller.store.schema import (
    LAST_NOTICE,
    counters,
    events,
    notices,
    records,
    segments,
    unsealed,
    uploads,
)
from tolling.canonical import canonical_bytes
from tolling.errors import JournalError


def _text(statement: ClauseElement) -> str:
    """Return a statement as SQLite's own text with named parameters."""
    return str(statement.compile(dialect=dialect(paramstyle="named")))


def _higher(table: Table, key: str, value: str, *, only_up: bool) -> str:
    made = upsert(table)
    new = made.excluded[value]
    return _text(
        made.on_conflict_do_update(
            index_elements=[table.c[key]],
            set_={value: new},
            where=new > table.c[value] if only_up else None,
        )
    )


_INSERTS = {
    table: _text(insert(table).prefix_with("OR IGNORE"))
    for table in (segments, events, records, unsealed, notices)
}
_UPLOADED = _higher(uploads, "epoch", "seq", only_up=True)
_COUNTED = _higher(counters, "name", "value", only_up=False)
_DROP_NOTICES = _text(delete(notices).where(notices.c.number <= bindparam("last")))
_DROP_UNSEALED = _text(delete(unsealed))


def _held(table: Table) -> str:
    keys = table.primary_key.columns
    return _text(select(table).where(*(key == bindparam(key.name) for key in keys)))


_HELD = {table: _held(table) for table in _INSERTS}
_NEWEST_OLD = _text(
    select(func.max(segments.c.segment)).where(segments.c.opened_utc_ms < bindparam("before"))
)
_DROP_OLD = tuple(
    _text(delete(table).where(table.c.segment < bindparam("newest")))
    for table in (events, segments)
)
_LAST_RECORD = _text(
    select(records.c.epoch, records.c.seq).order_by(records.c.epoch.desc(), records.c.seq.desc())
)
_UPLOADED_SEQ = select(uploads.c.seq).where(uploads.c.epoch == records.c.epoch).scalar_subquery()
# The last record is the chain's anchor: it stays for ever.
_DROP_RECORDS = _text(
    delete(records).where(
        records.c.sealed_utc_ms < bindparam("before"),
        records.c.seq <= _UPLOADED_SEQ,
        or_(records.c.epoch != bindparam("last_epoch"), records.c.seq != bindparam("last_seq")),
    )
)


def apply(cursor: dbapi2.Cursor, units: Iterable[row.Unit]) -> None:
    """Apply *units* in order inside the caller's transaction.

    Raises: JournalError: a number is taken by another row. dbapi2.Error: the database failed.
    """
    for kind, group in groupby(units, key=type):
        _FUNCTIONS[kind](cursor, list(group))


def _insert_once(cursor: dbapi2.Cursor, table: Table, rows: list[dict[str, Any]]) -> None:
    cursor.executemany(_INSERTS[table], rows)
    if cursor.rowcount == len(rows):
        return
    keys = [column.name for column in table.primary_key.columns]
    names = [column.name for column in table.columns]
    for wanted in rows:
        found = cursor.execute(_HELD[table], {key: wanted[key] for key in keys}).fetchone()
        if dict(zip(names, found, strict=True)) != wanted:
            number = " ".join(str(wanted[key]) for key in keys)
            raise JournalError(where=f"journal, {table.name} {number}", what="holds another row")


def _open_segment(cursor: dbapi2.Cursor, units: list[row.OpenSegment]) -> None:
    rows = [
        {
            "segment": unit.segment,
            "core_version": unit.core_version,
            "config_hash": unit.config_hash,
            "opened_utc_ms": unit.opened_utc_ms,
            "snapshot": unit.snapshot,
        }
        for unit in units
    ]
    _insert_once(cursor, segments, rows)


def _append_events(cursor: dbapi2.Cursor, units: list[row.AppendEvent]) -> None:
    rows = [
        {
            "segment": unit.segment,
            "number": unit.number,
            "at_ns": unit.at_ns,
            "body": unit.body,
            "digest": unit.digest,
            "aside": unit.aside,
        }
        for unit in units
    ]
    _insert_once(cursor, events, rows)


def _append_records(cursor: dbapi2.Cursor, units: list[row.AppendRecord]) -> None:
    rows = [
        {
            "epoch": unit.record.epoch,
            "seq": unit.record.seq,
            "plaza_id": unit.record.plaza_id,
            "lane_id": unit.record.lane_id,
            "previous_hash": unit.record.previous_hash,
            "chain_hash": unit.record.chain_hash,
            "sealed_utc_ms": json.loads(unit.record.body)["sealed"]["utc_ms"],
            "body": unit.record.body,
        }
        for unit in units
    ]
    _insert_once(cursor, records, rows)


def _keep_unsealed(cursor: dbapi2.Cursor, units: list[row.KeepUnsealed]) -> None:
    rows = [{"number": unit.number, "body": unit.body} for unit in units]
    _insert_once(cursor, unsealed, rows)


def _drop_unsealed(cursor: dbapi2.Cursor, units: list[row.DropUnsealed]) -> None:
    del units
    cursor.execute(_DROP_UNSEALED)


def _mark_uploaded(cursor: dbapi2.Cursor, units: list[row.MarkUploaded]) -> None:
    rows = [{"epoch": unit.epoch, "seq": unit.seq} for unit in units]
    cursor.executemany(_UPLOADED, rows)


def _keep_notices(cursor: dbapi2.Cursor, units: list[row.KeepNotice]) -> None:
    rows = [{"number": unit.number, "body": canonical_bytes(unit.notice)} for unit in units]
    _insert_once(cursor, notices, rows)
    last = max(unit.number for unit in units)
    cursor.execute(_COUNTED, {"name": LAST_NOTICE, "value": last})


def _drop_notices(cursor: dbapi2.Cursor, units: list[row.DropNotice]) -> None:
    last = max(unit.number for unit in units)
    cursor.execute(_DROP_NOTICES, {"last": last})


def _prune(cursor: dbapi2.Cursor, units: list[row.Prune]) -> None:
    before = max(unit.before_utc_ms for unit in units)
    # A segment ends where the next one opens, so the newest old one is still needed.
    (newest,) = cursor.execute(_NEWEST_OLD, {"before": before}).fetchone()
    if newest is not None:
        for drop in _DROP_OLD:
            cursor.execute(drop, {"newest": newest})
    last = cursor.execute(_LAST_RECORD).fetchone()
    if last is not None:
        epoch, seq = last
        cursor.execute(_DROP_RECORDS, {"before": before, "last_epoch": epoch, "last_seq": seq})


_FUNCTIONS: dict[type, Callable[[dbapi2.Cursor, list[Any]], None]] = {
    row.OpenSegment: _open_segment,
    row.AppendEvent: _append_events,
    row.AppendRecord: _append_records,
    row.KeepUnsealed: _keep_unsealed,
    row.DropUnsealed: _drop_unsealed,
    row.MarkUploaded: _mark_uploaded,
    row.KeepNotice: _keep_notices,
    row.DropNotice: _drop_notices,
    row.Prune: _prune,
}
