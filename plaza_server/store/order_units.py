"""Units of work about orders: read, apply the pure rule, write."""

from __future__ import annotations

import sqlalchemy as sa

from plaza_server.rules.facts import CancelAsked, SendPay, TakeOver, TurnDown
from plaza_server.rules.limits import LEASE_MS_MAX, OPEN_ORDERS_PER_PASSAGE_MAX
from plaza_server.rules.orders import Applied, Order, Verdict, apply, tombstone
from plaza_server.rules.units import (
    ApplyFact,
    AskCancel,
    Changed,
    Lease,
    Opened,
    Opening,
    OpenOrder,
    ReadOrder,
    Sweep,
    Swept,
)
from plaza_server.store import tables as t
from plaza_server.store.claim_units import sweep_claims
from plaza_server.store.coupon_units import sweep_coupons
from plaza_server.store.etc_due_units import sweep_dues
from plaza_server.store.prepared import Prepared
from plaza_server.store.record_units import next_unread
from plaza_server.store.rows import order_of
from plaza_server.store.work import Work, with_lease
from tolling.errors import LedgerError
from tolling.evolve import evolve
from tolling.ids import OutTradeNo, parse_out_trade_no, parse_passage_id
from tolling.orders import NextStep, ReasonCode

_c = t.orders.c
_MINE = sa.and_(_c.work, _c.owner == sa.bindparam("me"))
_RENEW = Prepared(
    t.orders.update().where(_MINE).values(lease_until_ms=sa.bindparam("new_until_ms"))
)
_OWN = Prepared(sa.select(_c.out_trade_no, _c.version).where(_MINE).order_by(_c.out_trade_no))
_THEIRS = (
    sa.select(t.orders)
    .where(_c.work, _c.owner != sa.bindparam("me"))
    .order_by(_c.created_ms)
    .limit(sa.bindparam("most"))
)
_ORPHANS = Prepared(_THEIRS)
_RUN_OUT = Prepared(
    _THEIRS.where(
        sa.or_(
            _c.lease_until_ms <= sa.bindparam("now_ms"), _c.lease_until_ms > sa.bindparam("far_ms")
        )
    )
)


def open_order(work: Work, unit: OpenOrder) -> Opened:
    """Store a new order as sent or turned down, or say why not: commit 2."""
    asked = unit.order
    related = work.orders.related(asked)
    standing = related.get(asked.out_trade_no)
    if standing is not None:
        same = standing.is_tombstone or standing.request_digest == asked.request_digest
        return Opened(opening=Opening.SAME if same else Opening.CONFLICT, order=standing)
    lane = work.orders.lane(asked.lane_id, asked.passage_id)
    if lane is None:
        return Opened(opening=Opening.NO_LANE, order=None)
    epoch, is_sealed = lane
    if parse_passage_id(asked.passage_id).epoch != epoch:
        return Opened(opening=Opening.WRONG_EPOCH, order=None)
    if is_sealed:
        # The lane is done with this vehicle, so a late POST must never reach a platform.
        closed = tombstone(asked.out_trade_no, asked.lane_id, owner=asked.owner, at=unit.at)
        work.insert_order(closed)
        return Opened(opening=Opening.SEALED, order=closed)
    ours = [order for order in related.values() if order.passage_id == asked.passage_id]
    if sum(order.is_open for order in ours) >= OPEN_ORDERS_PER_PASSAGE_MAX:
        return Opened(opening=Opening.TOO_MANY, order=None)
    turn_down = unit.turn_down
    if any(order.code_hash == asked.code_hash for order in related.values()):
        turn_down = TurnDown(reason=ReasonCode.CODE_USED, next=NextStep.NEW_CODE)
    return _store_new(work, unit, turn_down)


def _store_new(work: Work, unit: OpenOrder, turn_down: TurnDown | None) -> Opened:
    applied = apply(unit.order, turn_down or SendPay(), at=unit.at)
    assert applied.verdict is Verdict.MOVED, "a new order is sent or turned down"
    work.insert_order(applied.order)
    work.add_event(unit.order, applied, owner=unit.order.owner, at=unit.at)
    for transfer in applied.transfers:
        work.add_transfer(transfer, unit.at, owner=unit.order.owner)
    opening = Opening.NEW if turn_down is None else Opening.TURNED_DOWN
    return Opened(opening=opening, order=applied.order)


def apply_fact(work: Work, unit: ApplyFact) -> Changed:
    """Apply a fact to an order as it stands: commit 3, and every later one."""
    before = work.order(unit.out_trade_no)
    if before is None:
        raise LedgerError(where=f"order {unit.out_trade_no}", what="not in the store")
    applied = apply(before, unit.fact, at=unit.at)
    after, alarms = work.keep(before, applied, lease=unit.lease, at=unit.at)
    return Changed(order=after, alarms=alarms)


def ask_cancel(work: Work, unit: AskCancel) -> Changed | None:
    """Ask for an order's end; an unknown number is kept closed, so that a late POST goes
    nowhere."""
    before = work.order(unit.out_trade_no)
    if before is None:
        passage, _ = parse_out_trade_no(unit.out_trade_no)
        known = sa.select(t.lanes.c.lane_id).where(t.lanes.c.lane_id == unit.lane_id)
        if parse_passage_id(passage).lane_id != unit.lane_id:
            return None
        if work.connection.execute(known).first() is None:
            return None
        closed = tombstone(unit.out_trade_no, unit.lane_id, owner=unit.lease.owner, at=unit.at)
        work.insert_order(closed)
        return Changed(order=closed)
    if before.lane_id != unit.lane_id:
        return None
    applied = apply(before, CancelAsked(reason=unit.reason), at=unit.at)
    after, alarms = work.keep(before, applied, lease=unit.lease, at=unit.at)
    return Changed(order=after, alarms=alarms)


def read_order(work: Work, unit: ReadOrder) -> Order | None:
    """Read an order behind everything committed before."""
    return work.order(unit.out_trade_no)


# ---- leases ----


def sweep(work: Work, unit: Sweep) -> Swept:
    """Renew this process's leases, and take over what nobody works on any more."""
    lease, connection = unit.lease, work.connection
    if not lease.steal:
        _RENEW.write(connection, {"me": lease.owner, "new_until_ms": lease.until_ms})
    found = _OWN.run(connection, {"me": lease.owner}).all()
    own = tuple((OutTradeNo(row.out_trade_no), row.version) for row in found)
    who = {"me": lease.owner, "most": unit.limit}
    if lease.steal:
        orphans = _ORPHANS.run(connection, who)
    else:
        now_ms = unit.at.wall_ms
        bounds = {"now_ms": now_ms, "far_ms": now_ms + LEASE_MS_MAX}
        orphans = _RUN_OUT.run(connection, {**who, **bounds})
    rows = orphans.mappings().all()
    taken = tuple(_take_over(work, order_of(row), lease, unit) for row in rows)
    alarms = (*sweep_coupons(work, unit.at), *sweep_dues(work, unit.at))
    return Swept(
        taken=taken,
        own=own,
        claims=sweep_claims(work, unit),
        alarms=alarms,
        unread=next_unread(work, unit.unread_after),
    )


def _take_over(work: Work, before: Order, lease: Lease, unit: Sweep) -> Order:
    applied: Applied = apply(before, TakeOver(), at=unit.at)
    owned = evolve(applied, order=with_lease(applied.order, lease))
    after, _ = work.keep(before, owned, lease=lease, at=unit.at)
    return after
