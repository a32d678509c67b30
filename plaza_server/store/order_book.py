"""The orders of one transaction: read ahead for a whole group, written together at its end.

Strategy. A group of payments is many units of a few statements each, and to a database server each
statement is a way there and back. So what the units of a group are about to read is read for all of
them at once, and what became of their orders is kept here until the transaction ends or somebody
else looks at the tables. What a unit sees is what it would have read: rows as they stand, with what
earlier units of the transaction did to them. Two processes that meet are told apart by state and
version, as ever.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from plaza_server.rules.orders import Order
from plaza_server.rules.units import ApplyFact, OpenOrder, Unit
from plaza_server.store import tables as t
from plaza_server.store.prepared import Prepared
from plaza_server.store.rows import CHANGING, order_of, order_row
from tolling.errors import LedgerConflictError
from tolling.ids import LaneId, OutTradeNo, PassageId

READ_AHEAD_FROM = 2
"""Units of payments in a group; a single one is read for itself."""
_c = t.orders.c
_INSERT = Prepared(t.orders.insert())
_UPDATE = Prepared(
    t.orders.update()
    .where(
        _c.out_trade_no == sa.bindparam("was_number"),
        _c.state == sa.bindparam("was_state"),
        _c.version == sa.bindparam("was_version"),
    )
    .values({name: sa.bindparam(f"new_{name}") for name in CHANGING})
)
_ORDER = Prepared(sa.select(t.orders).where(_c.out_trade_no == sa.bindparam("number")))
_RELATED = Prepared(
    sa.select(t.orders).where(
        sa.or_(_c.passage_id == sa.bindparam("passage"), _c.code_hash == sa.bindparam("code"))
    )
)
_LANE = Prepared(
    sa.select(
        t.lanes.c.epoch,
        sa.exists()
        .where(t.records.c.passage_id == sa.bindparam("passage"))
        .correlate(None)
        .label("sealed"),
    ).where(t.lanes.c.lane_id == sa.bindparam("lane"))
)


class _Among:
    """A query for the rows whose column is among a list of texts, which is one value to it."""

    def __init__(self, query: sa.Select[Any], column: sa.Column[Any]) -> None:
        in_sqlite = column.in_(sa.text("SELECT value FROM json_each(:among)"))
        in_postgres = column == sa.text("ANY(:among)")
        self._ways = {
            "sqlite": Prepared(query.where(in_sqlite)),
            "postgresql": Prepared(query.where(in_postgres)),
        }

    def rows(self, connection: sa.Connection, among: Iterable[str]) -> list[dict[str, Any]]:
        dialect, wanted = connection.dialect.name, sorted(among)
        value = json.dumps(wanted) if dialect == "sqlite" else wanted
        return self._ways[dialect].rows(connection, {"among": value})


_BY_NUMBER = _Among(sa.select(t.orders), _c.out_trade_no)
_BY_PASSAGE = _Among(sa.select(t.orders), _c.passage_id)
_BY_CODE = _Among(sa.select(t.orders), _c.code_hash)
_LANES = _Among(sa.select(t.lanes.c.lane_id, t.lanes.c.epoch), t.lanes.c.lane_id)
_SEALED = _Among(sa.select(t.records.c.passage_id), t.records.c.passage_id)


@dataclass(slots=True)
class _Ahead:
    """What was read ahead; an order that is not there is None."""

    orders: dict[str, Order | None] = field(default_factory=dict)
    by_passage: dict[str, set[str]] = field(default_factory=dict)
    """Of every passage that was asked for."""
    by_code: dict[str, set[str]] = field(default_factory=dict)
    epochs: dict[str, int] = field(default_factory=dict)
    sealed: set[str] = field(default_factory=set)

    def note(self, order: Order) -> None:
        self.orders[order.out_trade_no] = order
        if order.passage_id in self.by_passage:
            self.by_passage[order.passage_id].add(order.out_trade_no)
        if order.code_hash in self.by_code:
            self.by_code[order.code_hash].add(order.out_trade_no)


class OrderBook:
    """Reads and writes orders of one open transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._ahead = _Ahead()
        self._new: dict[str, dict[str, Any]] = {}
        self._changed: dict[str, dict[str, Any]] = {}

    def read_ahead(self, units: Sequence[Unit]) -> None:
        """Read what payments among *units* will ask for, all at once."""
        numbers = {unit.out_trade_no for unit in units if isinstance(unit, ApplyFact)}
        opened = [unit.order for unit in units if isinstance(unit, OpenOrder)]
        if len(numbers) + len(opened) < READ_AHEAD_FROM:
            return
        ahead, connection = self._ahead, self._connection
        ahead.orders.update(dict.fromkeys(numbers))
        found = _BY_NUMBER.rows(connection, numbers) if numbers else []
        if opened:
            ahead.by_passage.update((order.passage_id, set()) for order in opened)
            ahead.by_code.update((str(order.code_hash), set()) for order in opened)
            found += _BY_PASSAGE.rows(connection, ahead.by_passage)
            found += _BY_CODE.rows(connection, ahead.by_code)
            lanes = {order.lane_id for order in opened}
            for row in _LANES.rows(connection, lanes):
                ahead.epochs[row["lane_id"]] = row["epoch"]
            for row in _SEALED.rows(connection, ahead.by_passage):
                ahead.sealed.add(row["passage_id"])
        for row in found:
            ahead.note(order_of(row))

    def order(self, number: OutTradeNo) -> Order | None:
        """Return an order as it stands."""
        if number in self._ahead.orders:
            return self._ahead.orders[number]
        self.settle()
        rows = _ORDER.rows(self._connection, {"number": number})
        return order_of(rows[0]) if rows else None

    def related(self, order: Order) -> dict[str, Order]:
        """Return the orders of *order*'s passage, and the one that used its code, by number."""
        ahead, code = self._ahead, str(order.code_hash)
        if order.passage_id in ahead.by_passage and code in ahead.by_code:
            numbers = ahead.by_passage[order.passage_id] | ahead.by_code[code]
            standing = ((number, ahead.orders[number]) for number in sorted(numbers))
            return {number: each for number, each in standing if each is not None}
        self.settle()
        where = {"passage": order.passage_id, "code": order.code_hash}
        rows = _RELATED.rows(self._connection, where)
        return {row["out_trade_no"]: order_of(row) for row in rows}

    def lane(self, lane: LaneId, passage: PassageId) -> tuple[int, bool] | None:
        """Return a lane's epoch and whether *passage* has its record; None: no such lane."""
        if passage in self._ahead.by_passage:
            epoch = self._ahead.epochs.get(lane)
            return None if epoch is None else (epoch, passage in self._ahead.sealed)
        found = _LANE.first(self._connection, {"lane": lane, "passage": passage})
        return None if found is None else (int(found[0]), bool(found[1]))

    def insert(self, order: Order) -> None:
        """Store a new order."""
        if order.out_trade_no in self._new:
            self.settle()
        self._new[order.out_trade_no] = order_row(order)
        self._ahead.note(order)

    def update(self, before: Order, after: Order) -> None:
        """Store what became of an order."""
        number = before.out_trade_no
        if number in self._new or number in self._changed:
            self.settle()
        row = order_row(after)
        values = {f"new_{name}": row[name] for name in CHANGING}
        guard = {
            "was_number": number,
            "was_state": before.state.value,
            "was_version": before.version,
        }
        self._changed[number] = {**values, **guard}
        self._ahead.note(after)

    def settle(self) -> None:
        """Write what was put off.

        Raises: LedgerConflictError: somebody else changed an order since it was read.
        """
        new, self._new = self._new, {}
        changed, self._changed = self._changed, {}
        if new:
            _INSERT.run_many(self._connection, list(new.values()))
        if not changed:
            return
        # In one order in all processes: two that write the same orders wait, and do not lock up.
        if _UPDATE.run_many(self._connection, [changed[each] for each in sorted(changed)]) != len(
            changed
        ):
            raise LedgerConflictError(
                where=f"order {', '.join(changed)}"[:200],
                what="changed by another process meanwhile",
            )

    def forget(self) -> None:
        """Read everything anew: somebody works on the tables themselves."""
        self._ahead = _Ahead()
