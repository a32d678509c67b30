"""One transaction being written: reads and guarded updates at once, append-only rows in bulk at its
end."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from plaza_server.rules.ledger import Transfer
from plaza_server.rules.limits import LEASE_MS_MAX
from plaza_server.rules.orders import (
    AlarmNote,
    Applied,
    Difference,
    DifferenceKind,
    Moment,
    Order,
    RecordMark,
    Verdict,
)
from plaza_server.rules.units import Lease
from plaza_server.store import tables as t
from plaza_server.store.ledger_rows import append_transfers
from plaza_server.store.order_book import OrderBook
from plaza_server.store.prepared import Prepared
from plaza_server.store.receipt_tables import receipts
from tolling.evolve import evolve
from tolling.ids import OutTradeNo
from tolling.orders import CAPTURED_STATES, OrderState

_APPENDS = {table: Prepared(table.insert()) for table in (t.order_events, receipts)}
_STANDING = Prepared(
    sa.select(t.alarms.c.alarm_no).where(
        t.alarms.c.code == sa.bindparam("b_code"),
        t.alarms.c.subject == sa.bindparam("b_subject"),
        t.alarms.c.cleared_ms.is_(None),
    )
)


class Work:
    """A transaction's connection and the rows to be added before it commits."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self.orders = OrderBook(connection)
        self._added: dict[sa.Table, list[dict[str, Any]]] = {}
        self._streams: dict[str, list[dict[str, Any]]] = {}

    @property
    def connection(self) -> sa.Connection:
        """The transaction itself, with all orders in their table."""
        self.orders.settle()
        self.orders.forget()
        return self._connection

    def add(self, table: sa.Table, row: dict[str, Any]) -> None:
        """Add an append-only row that nothing in this transaction reads."""
        self._added.setdefault(table, []).append(row)

    def flush(self) -> None:
        """Write all that was put off, one statement per table.

        Raises: LedgerConflictError: somebody else changed an order since it was read.
        """
        self.orders.settle()
        streams, self._streams = self._streams, {}
        for stream, rows in streams.items():
            append_transfers(self._connection, stream, rows)
        added, self._added = self._added, {}
        for table, rows in added.items():
            _APPENDS[table].run_many(self._connection, rows)

    # ---- orders ----

    def order(self, number: OutTradeNo) -> Order | None:
        """Return an order."""
        return self.orders.order(number)

    def insert_order(self, order: Order) -> None:
        """Store a new order."""
        self.orders.insert(order)

    def update_order(self, before: Order, after: Order) -> None:
        """Store what became of an order. That somebody else changed it since it was read shows when
        the transaction ends, or before."""
        self.orders.update(before, after)

    def keep(
        self, before: Order, applied: Applied, *, lease: Lease, at: Moment, place: str | None = None
    ) -> tuple[Order, tuple[AlarmNote, ...]]:
        """Store all that a fact did. Returns: the order as stored, and alarms that changed."""
        after = leased(applied.order, lease, at.wall_ms)
        if after != before:
            self.update_order(before, after)
        if applied.verdict is not Verdict.IGNORED:
            self.add_event(before, applied, owner=lease.owner, at=at)
        for transfer in applied.transfers:
            self.add_transfer(transfer, at, owner=lease.owner)
        if applied.difference is not None:
            self.note_difference(applied.difference, at, place)
        arrived = before.state not in CAPTURED_STATES and after.state is OrderState.PAID
        if arrived and before.record is RecordMark.NAMED:
            self.heal_difference(before.out_trade_no, DifferenceKind.NOT_CAPTURED, at)
        changed = tuple(note for note in applied.alarms if self.note_alarm(note, at.wall_ms))
        return after, changed

    def add_event(self, before: Order, applied: Applied, *, owner: str, at: Moment) -> None:
        """Add one row to an order's history."""
        self.add(
            t.order_events,
            {
                "out_trade_no": before.out_trade_no,
                "version": applied.order.version,
                "event": applied.event.value,
                "verdict": applied.verdict.value,
                "from_state": before.state.value,
                "to_state": applied.order.state.value,
                "why": applied.why,
                "owner": owner,
                "at_ns": at.at_ns,
                "wall_ms": at.wall_ms,
            },
        )

    def add_transfer(self, transfer: Transfer, at: Moment, *, owner: str) -> None:
        """Add one transfer to its writer's stream; the same id again breaks the transaction.

        Args:   owner: boot id of the process that writes; nobody else writes its stream.
        """
        self._streams.setdefault(owner, []).append(
            {
                "transfer_id": transfer.transfer_id,
                "kind": transfer.kind.value,
                "debit": transfer.debit,
                "credit": transfer.credit,
                "amount_fen": transfer.amount_fen,
                "out_trade_no": transfer.out_trade_no,
                "pending_id": transfer.pending_id,
                "at_ns": at.at_ns,
                "wall_ms": at.wall_ms,
            }
        )

    # ---- alarms and differences ----

    def note_alarm(self, note: AlarmNote, now_ms: int) -> bool:
        """Raise or clear an alarm. Returns: whether that changed anything."""
        where = {"b_code": note.code.value, "b_subject": note.subject}
        number = _STANDING.run(self.connection, where).scalar_one_or_none()
        if note.raised is (number is not None):
            return False
        if note.raised:
            self.connection.execute(
                t.alarms.insert(),
                {
                    "code": note.code.value,
                    "subject": note.subject,
                    "what": note.what,
                    "raised_ms": now_ms,
                    "cleared_ms": None,
                },
            )
        else:
            clear = t.alarms.update().where(t.alarms.c.alarm_no == number)
            self.connection.execute(clear.values(cleared_ms=now_ms))
        return True

    def note_difference(self, difference: Difference, at: Moment, place: str | None) -> None:
        """Keep a difference, unless the same one stands already."""
        standing = sa.select(t.differences.c.difference_no).where(
            t.differences.c.out_trade_no == difference.out_trade_no,
            t.differences.c.kind == difference.kind.value,
            t.differences.c.healed_ms.is_(None),
        )
        if self.connection.execute(standing).first() is not None:
            return
        self.connection.execute(
            t.differences.insert(),
            {
                "kind": difference.kind.value,
                "out_trade_no": difference.out_trade_no,
                "place": place,
                "said_fen": difference.said_fen,
                "booked_fen": difference.booked_fen,
                "found_ms": at.wall_ms,
                "healed_ms": None,
            },
        )

    def heal_difference(self, number: OutTradeNo, kind: DifferenceKind, at: Moment) -> None:
        """Mark a difference as healed, where one stands."""
        heal = t.differences.update().where(
            t.differences.c.out_trade_no == number,
            t.differences.c.kind == kind.value,
            t.differences.c.healed_ms.is_(None),
        )
        self.connection.execute(heal.values(healed_ms=at.wall_ms))


def leased(order: Order, lease: Lease, now_ms: int) -> Order:
    """Return *order* under *lease*, unless another process holds it and may keep it."""
    free = order.owner == lease.owner or not now_ms < order.lease_until_ms <= now_ms + LEASE_MS_MAX
    if not (free or lease.steal):
        return order
    if order.owner == lease.owner and order.lease_until_ms == lease.until_ms:
        return order
    return with_lease(order, lease)


def with_lease(order: Order, lease: Lease) -> Order:
    """Return *order* as *lease*'s owner's; its version stays, because nothing of it changed."""
    return evolve(order, owner=lease.owner, lease_until_ms=lease.until_ms)
