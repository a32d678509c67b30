"""What pages and API read from the store. Every function takes a connection first and changes
nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from plaza_server.rules.ledger import MOVING
from plaza_server.rules.orders import Order
from plaza_server.store import tables as t
from plaza_server.store.prepared import Prepared
from plaza_server.store.rows import order_of
from tolling.chain import Anchor, SealedRecord
from tolling.ids import LaneId, OutTradeNo, PassageId, PlazaId
from tolling.orders import OPEN_STATES, OWED_STATES
from tolling.signed_sets import SetKind, SignedSet

_OPEN = tuple(sorted(state.value for state in OPEN_STATES))
_OWED = tuple(sorted(state.value for state in OWED_STATES))
ROWS_MAX = 1_000
"""No query gives more rows than a page can show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneRow:
    """A registered lane and the end of its chain here."""

    lane_id: LaneId
    plaza_id: PlazaId
    anchor: Anchor


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """One step of an order's history."""

    event: str
    verdict: str
    from_state: str
    to_state: str
    why: str
    version: int
    wall_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmRow:
    """One alarm, standing or cleared."""

    code: str
    subject: str
    what: str
    raised_ms: int
    cleared_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorRow:
    """A registered person."""

    operator_id: str
    name: str
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferenceRow:
    """Something that does not agree."""

    kind: str
    out_trade_no: str
    place: str | None
    said_fen: int
    booked_fen: int
    found_ms: int
    healed_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRow:
    """One command of a person and how it ended."""

    command_id: str
    lane_id: str
    operator: str
    action: str
    reason: str
    asked_ms: int
    outcome: str | None
    outcome_reason: str | None
    ended_ms: int | None


# ---- orders ----


def order(connection: sa.Connection, number: OutTradeNo) -> Order | None:
    """Return an order."""
    query = sa.select(t.orders).where(t.orders.c.out_trade_no == number)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else order_of(row)


def orders_by_passage(connection: sa.Connection, passage: PassageId) -> list[Order]:
    """Return a passage's orders by attempt."""
    c = t.orders.c
    query = sa.select(t.orders).where(c.passage_id == passage).order_by(c.out_trade_no)
    return [order_of(row) for row in connection.execute(query).mappings()]


def open_orders(connection: sa.Connection, *, limit: int = ROWS_MAX) -> list[Order]:
    """Return undecided orders, oldest first."""
    c = t.orders.c
    query = sa.select(t.orders).where(c.work, c.state.in_(_OPEN)).order_by(c.created_ms)
    rows = connection.execute(query.limit(min(limit, ROWS_MAX))).mappings()
    return [order_of(row) for row in rows]


def unsettled_orders(connection: sa.Connection, *, limit: int = ROWS_MAX) -> list[Order]:
    """Return orders that are undecided, or whose money is to be given back, oldest first."""
    c = t.orders.c
    query = sa.select(t.orders).where(c.work, c.state.in_((*_OPEN, *_OWED))).order_by(c.created_ms)
    rows = connection.execute(query.limit(min(limit, ROWS_MAX))).mappings()
    return [order_of(row) for row in rows]


def count_open_orders(connection: sa.Connection) -> int:
    """Return how many orders are undecided."""
    c = t.orders.c
    query = sa.select(sa.func.count()).select_from(t.orders).where(c.work, c.state.in_(_OPEN))
    return int(connection.execute(query).scalar_one())


def count_by_state(connection: sa.Connection) -> dict[str, int]:
    """Return how many orders are in each state; states nobody is in are missing."""
    query = sa.select(t.orders.c.state, sa.func.count()).group_by(t.orders.c.state)
    return {state: int(count) for state, count in connection.execute(query)}


def order_history(connection: sa.Connection, number: OutTradeNo) -> list[EventRow]:
    """Return what happened to an order, oldest first."""
    c = t.order_events.c
    query = sa.select(
        c.event, c.verdict, c.from_state, c.to_state, c.why, c.version, c.wall_ms
    ).where(c.out_trade_no == number)
    rows = connection.execute(query.order_by(c.event_no).limit(ROWS_MAX)).mappings()
    return [EventRow(**row) for row in rows]


# ---- lanes, people, sets ----


def _lane(row: sa.RowMapping) -> LaneRow:
    lane, plaza = LaneId(row["lane_id"]), PlazaId(row["plaza_id"])
    anchor = Anchor(
        plaza_id=plaza,
        lane_id=lane,
        epoch=row["epoch"],
        seq=row["seq"],
        chain_hash=row["chain_hash"],
    )
    return LaneRow(lane_id=lane, plaza_id=plaza, anchor=anchor)


def lanes(connection: sa.Connection) -> list[LaneRow]:
    """Return all lanes by number."""
    query = sa.select(t.lanes).order_by(t.lanes.c.lane_id)
    return [_lane(row) for row in connection.execute(query).mappings()]


def lane_by_token(connection: sa.Connection, token_hash: str) -> LaneRow | None:
    """Return the lane whose token has this hash."""
    query = sa.select(t.lanes).where(t.lanes.c.token_hash == token_hash)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else _lane(row)


def operator_by_token(connection: sa.Connection, token_hash: str) -> OperatorRow | None:
    """Return the person whose token has this hash."""
    c = t.operators.c
    query = sa.select(c.operator_id, c.name, c.role).where(c.token_hash == token_hash)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else OperatorRow(**row)


def operator_by_id(connection: sa.Connection, operator: str) -> OperatorRow | None:
    """Return a registered person."""
    c = t.operators.c
    query = sa.select(c.operator_id, c.name, c.role).where(c.operator_id == operator)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else OperatorRow(**row)


def role_of(connection: sa.Connection, operator: str) -> str | None:
    """Return what a person may do; None for nobody."""
    found = operator_by_id(connection, operator)
    return None if found is None else found.role


def _signed(row: sa.RowMapping) -> SignedSet:
    values = {key: value for key, value in row.items() if key not in {"kind", "stored_ms"}}
    return SignedSet(kind=SetKind(row["kind"]), **values)


def signed_set(
    connection: sa.Connection, kind: SetKind, set_id: str, version: int | None = None
) -> SignedSet | None:
    """Return one version of a set, or its newest."""
    c = t.signed_sets.c
    query = sa.select(t.signed_sets).where(c.kind == kind.value, c.set_id == set_id)
    if version is not None:
        query = query.where(c.version == version)
    row = connection.execute(query.order_by(c.version.desc()).limit(1)).mappings().one_or_none()
    return None if row is None else _signed(row)


def _current() -> Prepared:
    c = t.signed_sets.c
    kind: sa.BindParameter[Any] = sa.bindparam("of_kind")
    now_ms: sa.BindParameter[Any] = sa.bindparam("now_ms")
    begin = (
        sa.select(sa.func.max(c.effective_from_ms))
        .where(c.kind == kind, c.effective_from_ms <= now_ms)
        .scalar_subquery()
    )
    return Prepared(
        sa.select(t.signed_sets)
        .where(c.kind == kind, c.effective_from_ms >= sa.func.coalesce(begin, 0))
        .order_by(c.effective_from_ms, c.version)
        .limit(ROWS_MAX)
    )


_CURRENT = _current()
"""Every lane asks for it twice a minute."""


def current_sets(connection: sa.Connection, kind: SetKind, now_ms: int) -> list[SignedSet]:
    """Return what lanes hold: the newest set in force and all that are to come, by start."""
    found = _CURRENT.run(connection, {"of_kind": kind.value, "now_ms": now_ms})
    return [_signed(row) for row in found.mappings()]


# ---- records ----


def record(connection: sa.Connection, lane: LaneId, epoch: int, seq: int) -> SealedRecord | None:
    """Return one sealed record as it came, quarantined or not."""
    c = t.records.c
    query = (
        sa.select(t.records, t.lanes.c.plaza_id)
        .join(t.lanes, t.lanes.c.lane_id == c.lane_id)
        .where(c.lane_id == lane, c.epoch == epoch, c.seq == seq)
    )
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else sealed_of(row)


def record_of_passage(connection: sa.Connection, passage: PassageId) -> SealedRecord | None:
    """Return a passage's sealed record."""
    c = t.records.c
    query = (
        sa.select(t.records, t.lanes.c.plaza_id)
        .join(t.lanes, t.lanes.c.lane_id == c.lane_id)
        .where(c.passage_id == passage)
    )
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else sealed_of(row)


def sealed_of(row: Mapping[str, Any] | sa.RowMapping) -> SealedRecord:
    """Return the sealed record of a row of ``records`` with its lane's plaza_id."""
    return SealedRecord(
        plaza_id=PlazaId(row["plaza_id"]),
        lane_id=LaneId(row["lane_id"]),
        epoch=row["epoch"],
        seq=row["seq"],
        previous_hash=row["previous_hash"],
        chain_hash=row["chain_hash"],
        body=bytes(row["body"]).decode("utf-8"),
    )


# ---- money, alarms, audit ----


def balances(connection: sa.Connection) -> dict[str, int]:
    """Return debit less credit of every account in fen: the sum of posted transfers."""
    moving = t.transfers.c.kind.in_(sorted(kind.value for kind in MOVING))
    sums: dict[str, int] = {}
    for column, sign in ((t.transfers.c.debit, 1), (t.transfers.c.credit, -1)):
        query = sa.select(column, sa.func.sum(t.transfers.c.amount_fen)).where(moving)
        for account, amount in connection.execute(query.group_by(column)):
            sums[account] = sums.get(account, 0) + sign * int(amount)
    return sums


def alarms(connection: sa.Connection, *, standing: bool = True) -> list[AlarmRow]:
    """Return alarms, newest first; *standing*: only those not cleared."""
    c = t.alarms.c
    query = sa.select(c.code, c.subject, c.what, c.raised_ms, c.cleared_ms)
    if standing:
        query = query.where(c.cleared_ms.is_(None))
    rows = connection.execute(query.order_by(c.alarm_no.desc()).limit(ROWS_MAX)).mappings()
    return [AlarmRow(**row) for row in rows]


def differences(connection: sa.Connection, *, standing: bool = True) -> list[DifferenceRow]:
    """Return differences, newest first; *standing*: only those not healed."""
    c = t.differences.c
    query = sa.select(
        c.kind, c.out_trade_no, c.place, c.said_fen, c.booked_fen, c.found_ms, c.healed_ms
    )
    if standing:
        query = query.where(c.healed_ms.is_(None))
    rows = connection.execute(query.order_by(c.difference_no.desc()).limit(ROWS_MAX)).mappings()
    return [DifferenceRow(**row) for row in rows]


def commands(connection: sa.Connection, lane: LaneId, *, limit: int = 100) -> list[CommandRow]:
    """Return a lane's commands, newest first."""
    c = t.commands.c
    columns = [column for column in t.commands.columns if column.name != "body"]
    query = sa.select(*columns).where(c.lane_id == lane).order_by(c.asked_ms.desc())
    rows = connection.execute(query.limit(min(limit, ROWS_MAX))).mappings()
    return [CommandRow(**row) for row in rows]
