"""What becomes of captures behind each commit of a plaza, read by plain SQL as it happens.

At rest every sum is where it belongs, however many commits it took: that money no record names is
due in the very commit that learns of it shows only while the plaza runs. The store is looked into
behind each commit, and only at orders that have a new event or whose passage has a new record.
"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection

from simulator.auditor.evidence import CaptureStood
from simulator.world.clock import us
from simulator.world.heap import Heap

PAID = "paid"
_NEWEST = (
    "SELECT (SELECT coalesce(max(event_no), 0) FROM order_events),"
    " (SELECT coalesce(max(rowid), 0) FROM records)"
)
_STANDING = (
    "SELECT o.out_trade_no, o.state, o.toll_fen, o.captured_fen, r.body,"
    " (SELECT coalesce(sum(amount_fen), 0) FROM transfers t WHERE t.out_trade_no = o.out_trade_no"
    " AND t.debit = 'suspense' AND t.credit = 'refund_due')"
    " FROM orders o LEFT JOIN records r ON r.passage_id = o.passage_id"
    " WHERE o.captured_fen > 0"
    " AND (o.out_trade_no IN (SELECT out_trade_no FROM order_events WHERE event_no > ?)"
    " OR o.passage_id IN (SELECT passage_id FROM records WHERE rowid > ?))"
    " ORDER BY o.out_trade_no"
)


class CaptureWatch:
    """Writes down how captures stood that no record names."""

    def __init__(self, heap: Heap) -> None:
        self._heap = heap
        self._newest = 0, 0
        self._looked: tuple[Any, int] = None, 0
        """By which connection of the driver, and how many rows it had changed by then."""
        self.stood: list[CaptureStood] = []

    def look(self, connection: Connection) -> None:
        """Look at what was committed since the last look; *connection* is in no transaction."""
        # By the driver: SQLAlchemy would begin one, and this is asked behind every commit.
        driver: Any = connection.connection.driver_connection
        looked = driver, driver.total_changes
        if looked == self._looked:
            return  # Most commits only read.
        self._looked = looked
        newest = driver.execute(_NEWEST).fetchone()
        if newest == self._newest:
            return
        for row in driver.execute(_STANDING, self._newest).fetchall():
            self._note(*row)
        self._newest = newest

    def _note(
        self, number: str, state: str, toll_fen: int, captured_fen: int, body: Any, due_fen: int
    ) -> None:
        named = _names(body, number)
        if named or (named is None and state == PAID):
            return
        self.stood.append(
            CaptureStood(
                at_us=us(self._heap.now_ns),
                out_trade_no=number,
                state=state,
                toll_fen=toll_fen,
                captured_fen=captured_fen,
                due_fen=due_fen,
                recorded=named is not None,
            )
        )


def _names(body: Any, number: str) -> bool | None:
    """Return whether a record's bytes name an order; None where there is no record."""
    if body is None:
        return None
    return any(leg.get("out_trade_no") == number for leg in json.loads(bytes(body))["legs"])
