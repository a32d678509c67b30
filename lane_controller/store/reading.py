"""What the journal holds: the image of a start, records to upload, segments to replay."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, select
from sqlalchemy.dialects.sqlite import dialect

from lane_controller.core.journalled import AppendEvent, JournalImage, OpenSegment
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
from tolling.canonical import from_canonical
from tolling.chain import Anchor, SealedRecord, anchor_of
from tolling.ids import LaneId, PlazaId
from tolling.messages import AlarmNotice, LaneNotice


def _text(statement: Select[Any]) -> str:
    """Return a statement as SQLite's own text, made once: every passage's record is read by one
    for its upload, and a start makes none of its statements anew."""
    return str(statement.compile(dialect=dialect(paramstyle="named")))


_BEHIND = (
    select(records)
    .where(records.c.epoch == bindparam("epoch"), records.c.seq > bindparam("after_seq"))
    .order_by(records.c.seq)
)
_RECORDS_AFTER = f"{_text(_BEHIND)} LIMIT :most"
_SEGMENTS = _text(select(segments.c.segment).order_by(segments.c.segment))
_SEGMENT = _text(select(segments).where(segments.c.segment == bindparam("number")))
_EVENTS = _text(
    select(events).where(events.c.segment == bindparam("number")).order_by(events.c.number)
)
_LAST_EPOCH = _text(select(func.max(records.c.epoch)))
_LAST_SEQ = _text(select(func.max(records.c.seq)).where(records.c.epoch == bindparam("epoch")))
_UPLOADED = _text(select(uploads.c.seq).where(uploads.c.epoch == bindparam("epoch")))
_COUNTER = _text(select(counters.c.value).where(counters.c.name == bindparam("counter")))
_UNSEALED = _text(select(unsealed.c.number, unsealed.c.body).order_by(unsealed.c.number))
_NOTICES = _text(select(notices.c.number, notices.c.body).order_by(notices.c.number))


def read_segments(connection: Connection) -> tuple[int, ...]:
    """Return the numbers of the segments held, oldest first."""
    return tuple(connection.exec_driver_sql(_SEGMENTS).scalars())


def read_segment(connection: Connection, number: int) -> OpenSegment | None:
    """Return how a segment began, None where the journal does not hold it."""
    row = connection.exec_driver_sql(_SEGMENT, {"number": number}).first()
    if row is None:
        return None
    return OpenSegment(
        segment=row.segment,
        core_version=row.core_version,
        config_hash=row.config_hash,
        opened_utc_ms=row.opened_utc_ms,
        snapshot=row.snapshot,
    )


def read_events(connection: Connection, segment: int) -> tuple[AppendEvent, ...]:
    """Return the events of a segment in order."""
    rows = connection.exec_driver_sql(_EVENTS, {"number": segment})
    return tuple(
        AppendEvent(
            segment=row.segment,
            number=row.number,
            at_ns=row.at_ns,
            body=row.body,
            digest=row.digest,
            aside=bool(row.aside),
        )
        for row in rows
    )


def last_at_ns(connection: Connection) -> int:
    """Return the moment of the last event on the lane's base; 0 where there is none."""
    newest = events.c.segment.desc(), events.c.number.desc()
    return connection.execute(select(events.c.at_ns).order_by(*newest).limit(1)).scalar() or 0


def records_after(
    connection: Connection, epoch: int, after_seq: int, limit: int
) -> tuple[SealedRecord, ...]:
    """Return at most *limit* sealed records of *epoch* behind *after_seq*, in order."""
    bounds = {"epoch": epoch, "after_seq": after_seq, "most": limit}
    rows = connection.exec_driver_sql(_RECORDS_AFTER, bounds)
    return tuple(
        SealedRecord(
            plaza_id=PlazaId(row.plaza_id),
            lane_id=LaneId(row.lane_id),
            epoch=row.epoch,
            seq=row.seq,
            previous_hash=row.previous_hash,
            chain_hash=row.chain_hash,
            body=row.body,
        )
        for row in rows
    )


def _anchor(connection: Connection) -> Anchor | None:
    epoch = connection.exec_driver_sql(_LAST_EPOCH).scalar()
    if epoch is None:
        return None
    seq = connection.exec_driver_sql(_LAST_SEQ, {"epoch": epoch}).scalar_one()
    (last,) = records_after(connection, epoch, seq - 1, 1)
    return anchor_of(last)


def read_image(connection: Connection) -> JournalImage:
    """Return what a start recovers from.

    Raises: BadInputError: a notice in the journal is none.
    """
    numbers = read_segments(connection)
    anchor = _anchor(connection)
    uploaded = None
    if anchor is not None:
        uploaded = connection.exec_driver_sql(_UPLOADED, {"epoch": anchor.epoch}).scalar()
    last_notice = connection.exec_driver_sql(_COUNTER, {"counter": LAST_NOTICE}).scalar()
    return JournalImage(
        segment=read_segment(connection, numbers[-1]) if numbers else None,
        events=read_events(connection, numbers[-1]) if numbers else (),
        anchor=anchor,
        uploaded_seq=uploaded or 0,
        unsealed=tuple((row.number, row.body) for row in connection.exec_driver_sql(_UNSEALED)),
        notices=tuple(
            (row.number, from_canonical(LaneNotice | AlarmNotice, row.body))
            for row in connection.exec_driver_sql(_NOTICES)
        ),
        last_notice=last_notice or 0,
    )
