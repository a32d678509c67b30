"""What each unit of a commit does to the journal: one synchronous function per class.

A commit that failed is sent again as it was. Should the first one be durable after all, its rows
are there already: the same row again is nothing, another row under the same number is an error.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Any

from sqlalchemy import (
    ClauseElement,
    Connection,
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


# As text, made once: an event is written a hundred times a minute, and making its statement costs
# more than running it.
_INSERTS = {
    table: _text(insert(table).prefix_with("OR IGNORE"))
    for table in (segments, events, records, unsealed, notices)
}
_UPLOADED = _higher(uploads, "epoch", "seq", only_up=True)
_COUNTED = _higher(counters, "name", "value", only_up=False)
_DROP_NOTICES = _text(delete(notices).where(notices.c.number <= bindparam("last")))


def apply(connection: Connection, units: Iterable[row.Unit]) -> None:
    """Apply *units* in order inside the caller's transaction.

    Raises: JournalError: a number is taken by another row.
            sqlalchemy.exc.DBAPIError: the database failed.
    """
    for kind, group in groupby(units, key=type):
        _FUNCTIONS[kind](connection, list(group))


def _insert_once(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    result = connection.exec_driver_sql(_INSERTS[table], rows)
    if result.rowcount == len(rows):
        return
    keys = [column.name for column in table.primary_key.columns]
    for wanted in rows:
        found = connection.execute(
            select(table).where(*(table.c[key] == wanted[key] for key in keys))
        ).mappings()
        if dict(found.one()) != wanted:
            number = " ".join(str(wanted[key]) for key in keys)
            raise JournalError(where=f"journal, {table.name} {number}", what="holds another row")


def _open_segment(connection: Connection, units: list[row.OpenSegment]) -> None:
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
    _insert_once(connection, segments, rows)


def _append_events(connection: Connection, units: list[row.AppendEvent]) -> None:
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
    _insert_once(connection, events, rows)


def _append_records(connection: Connection, units: list[row.AppendRecord]) -> None:
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
    _insert_once(connection, records, rows)


def _keep_unsealed(connection: Connection, units: list[row.KeepUnsealed]) -> None:
    rows = [{"number": unit.number, "body": unit.body} for unit in units]
    _insert_once(connection, unsealed, rows)


def _drop_unsealed(connection: Connection, units: list[row.DropUnsealed]) -> None:
    del units
    connection.execute(delete(unsealed))


def _mark_uploaded(connection: Connection, units: list[row.MarkUploaded]) -> None:
    rows = [{"epoch": unit.epoch, "seq": unit.seq} for unit in units]
    connection.exec_driver_sql(_UPLOADED, rows)


def _keep_notices(connection: Connection, units: list[row.KeepNotice]) -> None:
    rows = [{"number": unit.number, "body": canonical_bytes(unit.notice)} for unit in units]
    _insert_once(connection, notices, rows)
    last = max(unit.number for unit in units)
    connection.exec_driver_sql(_COUNTED, {"name": LAST_NOTICE, "value": last})


def _drop_notices(connection: Connection, units: list[row.DropNotice]) -> None:
    last = max(unit.number for unit in units)
    connection.exec_driver_sql(_DROP_NOTICES, {"last": last})


def _prune(connection: Connection, units: list[row.Prune]) -> None:
    before = max(unit.before_utc_ms for unit in units)
    # A segment ends where the next one opens, so the newest old one is still needed.
    newest_old = connection.execute(
        select(func.max(segments.c.segment)).where(segments.c.opened_utc_ms < before)
    ).scalar()
    if newest_old is not None:
        connection.execute(delete(events).where(events.c.segment < newest_old))
        connection.execute(delete(segments).where(segments.c.segment < newest_old))
    last = connection.execute(
        select(records.c.epoch, records.c.seq)
        .order_by(records.c.epoch.desc(), records.c.seq.desc())
        .limit(1)
    ).first()
    if last is None:
        return
    uploaded = select(uploads.c.seq).where(uploads.c.epoch == records.c.epoch).scalar_subquery()
    # The last record is the chain's anchor: it stays for ever.
    connection.execute(
        delete(records).where(
            records.c.sealed_utc_ms < before,
            records.c.seq <= uploaded,
            or_(records.c.epoch != last.epoch, records.c.seq != last.seq),
        )
    )


_FUNCTIONS: dict[type, Callable[[Connection, list[Any]], None]] = {
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
