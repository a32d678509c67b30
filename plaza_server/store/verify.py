"""Proves a store's books row by row: chains, pairs, balances, orders, records, causes.

Strategy. Every table is walked in the order of a key, a batch at a time, in one transaction that
only reads and sees one moment of the database. The judges are pure (``rules/verify.py``); this
module brings them the rows. Walking goes on after a bad row, so a caller may take the first or all.
A transfer without an order of its own needs another cause: a leg of a record, or what its topic
(the text before the first ``/`` of its id) stands for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from plaza_server.rules.coupons import coupon_bookings
from plaza_server.rules.etc_dues import dues_of, first_bookings
from plaza_server.rules.ledger import Transfer, TransferKind
from plaza_server.rules.ledger_chain import StreamHead, stream_start
from plaza_server.rules.records import local_legs, open_record, place_of
from plaza_server.rules.verify import (
    BadRow,
    head_after,
    judge_legs,
    judge_link,
    judge_order,
    judge_transfer,
)
from plaza_server.store import tables as t
from plaza_server.store.ledger_tables import ledger_streams
from plaza_server.store.queries import balances, sealed_of
from plaza_server.store.verify_causes import CAUSES
from tolling.canonical import from_canonical
from tolling.chain import Anchor, ChainVerdict, SealedRecord, anchor_of, check_next, genesis
from tolling.errors import BadInputError
from tolling.ids import LaneId, PlazaId
from tolling.records import PassageRecord

_BATCH = 1_000
_Row = dict[str, Any]
Tell = Callable[[str, int], None]
"""Hears how many more rows of a table were read."""


@dataclass(slots=True, kw_only=True)
class Proved:
    """What was walked so far. Counts of rows."""

    transfers: int = 0
    streams: int = 0
    pending_ended: int = 0
    pending_open: int = 0
    orders: int = 0
    records: int = 0
    legs: int = 0
    quarantined: int = 0
    balances_fen: dict[str, int] = field(default_factory=dict)


def sizes(connection: sa.Connection) -> dict[str, int]:
    """Return how many rows each walked table has."""
    tables = (t.transfers, t.orders, t.records)
    count = sa.func.count()
    return {
        table.name: connection.execute(sa.select(count).select_from(table)).scalar_one()
        for table in tables
    }


def prove(
    connection: sa.Connection, proved: Proved, tell: Tell = lambda _table, _rows: None
) -> Iterator[BadRow]:
    """Yield everything in the books that must not be, and fill *proved* on the way."""
    yield from _streams(connection, proved, tell)
    yield from _pairs(connection, proved)
    yield from _orders(connection, proved, tell)
    yield from _records(connection, proved, tell)
    yield from _causes(connection)


def _rows(connection: sa.Connection, query: sa.Select[Any]) -> list[_Row]:
    return [dict(row._mapping) for row in connection.execute(query)]


def _pages(
    connection: sa.Connection, query: sa.Select[Any], *keys: sa.ColumnElement[Any]
) -> Iterator[list[_Row]]:
    """Yield the rows of *query* by *keys*, a batch at a time; the columns of keys are selected."""
    after: tuple[Any, ...] | None = None
    place = sa.tuple_(*keys)
    query = query.order_by(*keys).limit(_BATCH)
    while True:
        page = query if after is None else query.where(place > sa.tuple_(*after))
        rows = _rows(connection, page)
        if rows:
            yield rows
        if len(rows) < _BATCH:
            return
        after = tuple(rows[-1][key.name] for key in keys if isinstance(key, sa.Column))


# ---- the ledger by itself ----


def _streams(connection: sa.Connection, proved: Proved, tell: Tell) -> Iterator[BadRow]:
    """Walk every stream from its first row to its head; sum what its rows move."""
    heads = {row.stream: row for row in connection.execute(sa.select(ledger_streams))}
    ends: dict[str, StreamHead] = {}
    sums: dict[str, int] = {}
    c = t.transfers.c
    for rows in _pages(connection, sa.select(t.transfers), c.stream, c.stream_no):
        for row in rows:
            head = ends.get(row["stream"]) or stream_start(row["stream"])
            for what in (judge_transfer(row), judge_link(head, row)):
                if what is not None:
                    yield _bad_transfer(row["transfer_id"], what)
            ends[row["stream"]] = head_after(row)
            if row["kind"] in ("posted", "post"):
                sums[row["debit"]] = sums.get(row["debit"], 0) + row["amount_fen"]
                sums[row["credit"]] = sums.get(row["credit"], 0) - row["amount_fen"]
        proved.transfers += len(rows)
        tell("transfers", len(rows))
    for stream in sorted(heads.keys() | ends.keys()):
        end = ends.get(stream) or stream_start(stream)
        stored = heads.get(stream)
        if stored is None:
            yield BadRow(rule="M5", table="ledger_streams", key=stream, what="has no head")
        elif (stored.next_no, stored.head_hash) != (end.next_no, end.head_hash):
            what = f"its head is number {stored.next_no - 1}, its last row {end.next_no - 1}"
            yield BadRow(rule="M5", table="ledger_streams", key=stream, what=what)
    proved.streams = len(ends)
    proved.balances_fen = {name: sums[name] for name in sorted(sums)}
    yield from _balances(sums, balances(connection))


def _balances(sums: Mapping[str, int], told: Mapping[str, int]) -> Iterator[BadRow]:
    for name in sorted(sums.keys() | told.keys()):
        if sums.get(name, 0) != told.get(name, 0):
            what = f"is told as {told.get(name, 0)} fen, its transfers sum to {sums.get(name, 0)}"
            yield BadRow(rule="M5", table="balances", key=name, what=what)
    if sum(sums.values()) != 0:
        yield BadRow(rule="M5", table="balances", key="all", what="do not sum to zero")


def _bad_transfer(key: str, what: str) -> BadRow:
    return BadRow(rule="M5", table="transfers", key=key, what=what)


def _pairs(connection: sa.Connection, proved: Proved) -> Iterator[BadRow]:
    """Compare each post or void with the pending transfer it ends: at most one per pending row."""
    one, other = t.transfers.alias("ending"), t.transfers.alias("pending")
    same = sa.and_(
        other.c.kind == "pending",
        other.c.debit == one.c.debit,
        other.c.credit == one.c.credit,
        other.c.amount_fen == one.c.amount_fen,
    )
    ends = one.c.kind.in_(("post", "void"))
    joined = one.outerjoin(other, sa.and_(other.c.transfer_id == one.c.pending_id, same))
    alone = sa.select(one.c.transfer_id).select_from(joined).where(ends)
    lost = alone.where(other.c.transfer_id.is_(None)).order_by(one.c.transfer_id)
    for name in connection.execute(lost).scalars():
        what = "ends a pending transfer of the same accounts and amount that is not there"
        yield _bad_transfer(name, what)
    times = sa.func.count()
    twice = sa.select(one.c.pending_id).where(ends).group_by(one.c.pending_id).having(times > 1)
    for name in connection.execute(twice).scalars():
        yield _bad_transfer(name, "is ended more than once")
    kinds = sa.select(one.c.kind, times).group_by(one.c.kind)
    counted = {kind: int(number) for kind, number in connection.execute(kinds)}
    proved.pending_ended = counted.get("post", 0) + counted.get("void", 0)
    proved.pending_open = counted.get("pending", 0) - proved.pending_ended


# ---- orders ----


def _orders(connection: sa.Connection, proved: Proved, tell: Tell) -> Iterator[BadRow]:
    """Compare every order with its own transfers, and every such transfer with its order."""
    c = t.orders.c
    after = ""
    for rows in _pages(connection, sa.select(t.orders), c.out_trade_no):
        last = rows[-1]["out_trade_no"]
        theirs = _own_transfers(connection, after, last)
        for order in rows:
            wrong = judge_order(order, theirs.pop(order["out_trade_no"], []))
            if wrong is not None:
                key, what = wrong
                table = "orders" if key == order["out_trade_no"] else "transfers"
                yield BadRow(rule="M5", table=table, key=key, what=what)
        yield from _orphans(theirs)
        proved.orders += len(rows)
        tell("orders", len(rows))
        after = last
    yield from _orphans(_own_transfers(connection, after, None))


def _own_transfers(
    connection: sa.Connection, after: str, last: str | None
) -> dict[str, list[_Row]]:
    """Return transfers about orders' own life, by order; numbers in (after, last]."""
    c = t.transfers.c
    query = sa.select(t.transfers).where(c.out_trade_no > after)
    if last is not None:
        query = query.where(c.out_trade_no <= last)
    found: dict[str, list[_Row]] = {}
    for row in _rows(connection, query.order_by(c.transfer_id)):
        if row["transfer_id"].partition("/")[0] == row["out_trade_no"]:
            found.setdefault(row["out_trade_no"], []).append(row)
    return found


def _orphans(theirs: Mapping[str, list[_Row]]) -> Iterator[BadRow]:
    for number in sorted(theirs):
        yield _bad_transfer(theirs[number][0]["transfer_id"], f"there is no order {number}")


# ---- records ----


def _records(connection: sa.Connection, proved: Proved, tell: Tell) -> Iterator[BadRow]:
    """Walk every lane's chain over the exact bytes up to its anchor, and every leg's booking."""
    ends: dict[tuple[str, int], Anchor] = {}
    c = t.records.c
    query = sa.select(t.records, t.lanes.c.plaza_id).join(
        t.lanes, t.lanes.c.lane_id == c.lane_id, isouter=True
    )
    for rows in _pages(connection, query, c.lane_id, c.epoch, c.seq):
        good: list[tuple[SealedRecord, str]] = []
        for row in rows:
            what, sealed = _judge_record(ends, row)
            if what is not None:
                key = f"{row['lane_id']}/{row['epoch']:03d}/{row['seq']}"
                yield BadRow(rule="M6", table="records", key=key, what=what)
            elif sealed is not None and row["passage_id"] is not None:
                good.append((sealed, row["passage_id"]))
            else:
                proved.quarantined += 1
        yield from _legs(connection, good, proved)
        proved.records += len(rows)
        tell("records", len(rows))
    for lane in connection.execute(sa.select(t.lanes).order_by(t.lanes.c.lane_id)):
        start = genesis(PlazaId(lane.plaza_id), LaneId(lane.lane_id), lane.epoch)
        end = ends.get((lane.lane_id, lane.epoch), start)
        if (end.seq, end.chain_hash) != (lane.seq, lane.chain_hash):
            what = f"its anchor is record {lane.seq}, its chain ends with {end.seq}"
            yield BadRow(rule="M6", table="lanes", key=lane.lane_id, what=what)


def _judge_record(
    ends: dict[tuple[str, int], Anchor], row: _Row
) -> tuple[str | None, SealedRecord | None]:
    if row["plaza_id"] is None:
        return "there is no such lane", None
    try:
        sealed = sealed_of(row)
    except UnicodeDecodeError:
        return "its bytes are no text", None
    place = (row["lane_id"], row["epoch"])
    start = genesis(PlazaId(row["plaza_id"]), LaneId(row["lane_id"]), row["epoch"])
    verdict = check_next(ends.get(place, start), sealed)
    ends[place] = anchor_of(sealed)
    return (None if verdict is ChainVerdict.NEXT else f"stored, but {verdict}"), sealed


def _legs(
    connection: sa.Connection, good: list[tuple[SealedRecord, str]], proved: Proved
) -> Iterator[BadRow]:
    """Compare the legs of a batch of records with the transfers that book them.

    Args:   good: each with the passage it is kept under.
    """
    opened = []
    for sealed, passage in good:
        place = place_of(sealed)
        try:
            record = open_record(sealed)
        except BadInputError as error:
            yield BadRow(rule="M6", table="records", key=place, what=error.what)
            continue
        if record.passage_id != passage:
            what = f"it is kept under passage {passage}, which it does not speak of"
            yield BadRow(rule="M6", table="records", key=place, what=what)
        opened.append((place, record))
    legs = {
        place: local_legs(record, place, record.plaza_id)
        + coupon_bookings(record, record.plaza_id)
        + _owed_back(record)
        for place, record in opened
    }
    named: dict[str, dict[str, int]] = {
        place: {leg.out_trade_no: leg.amount_fen for leg in record.legs if leg.out_trade_no}
        for place, record in opened
    }
    numbers = [number for each in named.values() for number in each]
    excused = _with_difference(connection, numbers)
    wanted = [leg.transfer_id for each in legs.values() for leg in each]
    booked = _by_id(connection, wanted + [f"{number}/revenue" for number in numbers])
    for place, _ in opened:
        due = {n: fen for n, fen in named[place].items() if n not in excused}
        wrong = judge_legs(legs[place], due, booked)
        if wrong is not None:
            key, what = wrong
            table = "orders" if key in due else "transfers"
            yield BadRow(rule="M1", table=table, key=key, what=f"record {place}: {what}")
        proved.legs += len(legs[place]) + len(due)


def _owed_back(record: PassageRecord) -> tuple[Transfer, ...]:
    """Return the transfers of a tag's debit the record owes back, and is sure of."""
    rows = (each for due in dues_of(record, 0) for each in first_bookings(due))
    return tuple(row for row in rows if row.kind is TransferKind.POSTED)


def _with_difference(connection: sa.Connection, numbers: list[str]) -> set[str]:
    """Return which of these orders a record does not agree with: that is kept and told already."""
    c = t.differences.c
    ours = sa.select(c.out_trade_no).where(c.out_trade_no.in_(numbers), c.platform.is_(None))
    found = connection.execute(ours)
    return set(found.scalars())


def _by_id(connection: sa.Connection, names: list[str]) -> dict[str, _Row]:
    found: dict[str, _Row] = {}
    for start in range(0, len(names), _BATCH):
        some = names[start : start + _BATCH]
        query = sa.select(t.transfers).where(t.transfers.c.transfer_id.in_(some))
        found |= {row["transfer_id"]: row for row in _rows(connection, query)}
    return found


# ---- causes ----


def _causes(connection: sa.Connection) -> Iterator[BadRow]:
    """Look for a cause of every transfer that is not about its own order's capture or refund."""
    for topic, cause in sorted(CAUSES.items()):
        for name in connection.execute(cause.without_cause).scalars():
            yield _bad_transfer(name, f"nothing in {cause.table} causes a {topic} transfer")
        for name in connection.execute(cause.not_booked).scalars():
            what = "its transfers are missing or say something else"
            yield BadRow(rule="M5", table=cause.table, key=str(name), what=what)
    c = t.transfers.c
    other = sa.select(c.transfer_id, c.out_trade_no).where(
        sa.or_(c.out_trade_no.is_(None), ~c.transfer_id.startswith(c.out_trade_no + "/"))
    )
    for rows in _pages(connection, other, c.transfer_id):
        legs: dict[str, tuple[LaneId, int, int, int]] = {}
        for row in rows:
            name = row["transfer_id"]
            if name.partition("/")[0] in CAUSES:
                continue
            leg = _leg_of(name)
            if leg is None:
                yield _bad_transfer(name, "nothing that the plaza knows of causes it")
            else:
                legs[name] = leg
        known = _legs_there(connection, sorted({leg[:3] for leg in legs.values()}))
        for name, (lane, epoch, seq, number) in legs.items():
            if not 1 <= number <= known.get((lane, epoch, seq), 0):
                yield _bad_transfer(name, f"record {lane}/{epoch:03d}/{seq} has no leg {number}")


def _legs_there(
    connection: sa.Connection, places: list[tuple[LaneId, int, int]]
) -> dict[tuple[LaneId, int, int], int]:
    """Return how many legs each of these records has; one that is not there has none."""
    c = t.records.c
    query = sa.select(c.lane_id, c.epoch, c.seq, c.body).where(
        sa.tuple_(c.lane_id, c.epoch, c.seq).in_(places), c.passage_id.is_not(None)
    )
    found = {}
    for lane, epoch, seq, body in connection.execute(query):
        try:
            record = from_canonical(PassageRecord, bytes(body))
        except BadInputError:
            continue
        assert isinstance(record, PassageRecord)
        found[LaneId(lane), epoch, seq] = len(record.legs)
    return found


def _leg_of(name: str) -> tuple[LaneId, int, int, int] | None:
    parts = name.split("/")
    if len(parts) != 5 or parts[3] != "leg":
        return None
    digits = (parts[0], parts[1], parts[2], parts[4])
    if not all(part.isascii() and part.isdigit() and len(part) < 19 for part in digits):
        return None
    lane, epoch, seq, number = digits
    return LaneId(lane), int(epoch), int(seq), int(number)
