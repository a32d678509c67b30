"""Runs units of work: many commits' units in one transaction, each unit one synchronous function.

Strategy. A group is written in one transaction and made durable once; only then is any of its
results given back. If one unit raises, the whole transaction is rolled back and every commit of the
group is run alone, so that one bad unit costs the others only time. A unit reads inside its
transaction before it writes, so running it again is right whatever became of the first try.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from plaza_server.rules import units as u
from plaza_server.rules.bill_units import EndReconciliation, ImportBill, LookAtNumbers
from plaza_server.rules.claims_units import ApplyClaim, AskRefund, DecideClaim
from plaza_server.rules.coupons import ImportCoupons, ReleaseByHand, ReleaseCoupon, ReserveCoupon
from plaza_server.rules.etc_dues import SayEtcOutcome
from plaza_server.rules.merkle_log import AddRoot
from plaza_server.rules.receipts import MoveReceipt
from plaza_server.store import (
    admin_units,
    bill_units,
    claim_units,
    coupon_units,
    etc_due_units,
    order_units,
    receipt_log,
    receipt_units,
    record_units,
)
from plaza_server.store.work import Work
from tolling.errors import LedgerConflictError, TollError

TRIES_MAX = 3
"""Tries of one commit alone: two processes on one PostgreSQL may meet at a row, a third meeting is
no accident."""

_FUNCTIONS: dict[type[Any], Callable[[Work, Any], object]] = {
    u.OpenOrder: order_units.open_order,
    u.ApplyFact: order_units.apply_fact,
    u.AskCancel: order_units.ask_cancel,
    u.ReadOrder: order_units.read_order,
    u.Sweep: order_units.sweep,
    u.TakeRecords: record_units.take_records,
    u.ReadAgain: record_units.read_again,
    u.AddLane: record_units.add_lane,
    u.GiveEpoch: record_units.give_epoch,
    u.FindEntry: admin_units.find_entry,
    u.NoteAlarm: admin_units.note_alarm,
    u.AddEntry: admin_units.add_entry,
    u.PutSet: admin_units.put_set,
    u.AddOperator: admin_units.add_operator,
    u.LogCommand: admin_units.log_command,
    u.EndCommand: admin_units.end_command,
    ImportBill: bill_units.import_bill,
    LookAtNumbers: bill_units.look_at_numbers,
    EndReconciliation: bill_units.end_reconciliation,
    AskRefund: claim_units.ask_refund,
    DecideClaim: claim_units.decide_claim,
    ApplyClaim: claim_units.apply_to_claim,
    ReserveCoupon: coupon_units.reserve_coupon,
    ReleaseCoupon: coupon_units.release_coupon,
    ReleaseByHand: coupon_units.release_by_hand,
    ImportCoupons: coupon_units.import_coupons,
    SayEtcOutcome: etc_due_units.say_outcome,
    MoveReceipt: receipt_units.move_receipt,
    AddRoot: receipt_log.add_root,
}

_FAULTS = (
    SQLAlchemyError,
    TollError,
    ArithmeticError,
    AssertionError,
    LookupError,
    TypeError,
    ValueError,
)
"""What a unit or the database may raise; anything else is no fault of one unit and ends the
process."""
_MEETINGS = (sa.exc.IntegrityError, sa.exc.OperationalError, LedgerConflictError)
"""What may go well on the next try."""

Group = Sequence[u.Unit]
Place = sa.Engine | sa.Connection


def run_unit(work: Work, unit: u.Unit) -> object:
    """Run one unit in an open transaction and return its result."""
    return _FUNCTIONS[type(unit)](work, unit)


def commit_group(place: Place, groups: Sequence[Group]) -> list[tuple[object, ...] | Exception]:
    """Write *groups* durably and return each one's results, or why it was rolled back.

    Args:   place: the store's engine, or one connection to it, kept by who commits all the time:
            taking one takes longer than a small commit in memory.
    """
    if not groups:
        return []
    try:
        return list(_write(place, groups))
    except _FAULTS:
        return [_alone(place, group) for group in groups]


class GroupWriter:
    """Commits groups over one connection it keeps: whoever commits all the time need not take one
    from the pool, and have it tried and reset, for every group."""

    def __init__(self, engine: sa.Engine) -> None:
        """Connect with the first group."""
        self._engine = engine
        self._kept: sa.Connection | None = None

    def __call__(self, groups: Sequence[Group]) -> list[tuple[object, ...] | Exception]:
        """Write *groups* as ``commit_group`` does. One thread at a time."""
        if not groups:
            return []
        try:
            if self._kept is None:
                self._kept = self._engine.connect()
            return list(_write(self._kept, groups))
        except _FAULTS:
            # The connection may be gone with its server: the next one is tried before it is used.
            self.close()
        return commit_group(self._engine, groups)

    def close(self) -> None:
        """Give the connection up; the next group makes another."""
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.invalidate()
            kept.close()


def _write(place: Place, groups: Sequence[Group]) -> list[tuple[object, ...]]:
    if isinstance(place, sa.Engine):
        with place.connect() as connection:
            return _write(connection, groups)
    with place.begin():
        work = Work(place)
        work.orders.read_ahead([unit for group in groups for unit in group])
        results = [tuple([run_unit(work, unit) for unit in group]) for group in groups]
        work.flush()
    return results


def _alone(place: Place, group: Group) -> tuple[object, ...] | Exception:
    for _ in range(TRIES_MAX - 1):
        try:
            return _write(place, [group])[0]
        except _MEETINGS:
            continue
        except _FAULTS as error:
            return error
    try:
        return _write(place, [group])[0]
    except _FAULTS as error:
        return error
