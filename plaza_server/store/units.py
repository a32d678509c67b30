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
from plaza_server.store import admin_units, order_units, record_units
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
    u.AddLane: record_units.add_lane,
    u.GiveEpoch: record_units.give_epoch,
    u.FindEntry: admin_units.find_entry,
    u.NoteAlarm: admin_units.note_alarm,
    u.AddEntry: admin_units.add_entry,
    u.PutSet: admin_units.put_set,
    u.AddOperator: admin_units.add_operator,
    u.LogCommand: admin_units.log_command,
    u.EndCommand: admin_units.end_command,
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


def run_unit(work: Work, unit: u.Unit) -> object:
    """Run one unit in an open transaction and return its result."""
    return _FUNCTIONS[type(unit)](work, unit)


def commit_group(
    engine: sa.Engine, groups: Sequence[Group]
) -> list[tuple[object, ...] | Exception]:
    """Write *groups* durably and return each one's results, or why it was rolled back."""
    if not groups:
        return []
    try:
        return list(_write(engine, groups))
    except _FAULTS:
        return [_alone(engine, group) for group in groups]


def _write(engine: sa.Engine, groups: Sequence[Group]) -> list[tuple[object, ...]]:
    with engine.begin() as connection:
        work = Work(connection)
        results = [tuple(run_unit(work, unit) for unit in group) for group in groups]
        work.flush()
    return results


def _alone(engine: sa.Engine, group: Group) -> tuple[object, ...] | Exception:
    for _ in range(TRIES_MAX - 1):
        try:
            return _write(engine, [group])[0]
        except _MEETINGS:
            continue
        except _FAULTS as error:
            return error
    try:
        return _write(engine, [group])[0]
    except _FAULTS as error:
        return error
