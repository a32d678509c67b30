"""The self-audit of the books: the proof row by row, and behind it plain SQL.

The SQL reads rows, not rules: the same questions an auditor with a SQL prompt would ask. An empty
answer is good.
"""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from plaza_server.rules.verify import BadRow
from plaza_server.store.verify import Proved, Tell, prove

_CHECKS: tuple[tuple[str, str, str, str], ...] = (
    (
        "M1",
        "orders",
        "a paid order was named by a record, and its revenue is not its capture",
        """
        SELECT o.out_trade_no
        FROM orders o
        LEFT JOIN transfers r ON r.transfer_id = o.out_trade_no || '/revenue'
        WHERE o.state = 'paid' AND o.record = 'named' AND (r.amount_fen IS NULL OR r.amount_fen
        <> o.captured_fen)
        """,
    ),
    (
        "M1",
        "orders",
        "revenue was booked for an order no record names",
        """
        SELECT r.out_trade_no
        FROM transfers r JOIN orders o ON o.out_trade_no = r.out_trade_no
        WHERE r.credit LIKE 'revenue:%' AND (o.record <> 'named' OR o.state <> 'paid')
        """,
    ),
    (
        "M1",
        "orders",
        "a captured order its passage's record left out is not being given back",
        """
        SELECT out_trade_no
        FROM orders
        WHERE record = 'omitted' AND captured_fen > 0 AND state NOT IN
        ('refund_due','refunding','refunded','mismatch','refund_stuck')
        """,
    ),
    (
        "M1",
        "orders",
        "the record of its passage is there, and the order does not know it",
        """
        SELECT o.out_trade_no
        FROM orders o JOIN records r ON r.passage_id = o.passage_id
        WHERE o.record = 'none' AND o.request_digest <> ''
        """,
    ),
    (
        "M4",
        "orders",
        "an undecided order holds money or has ended its pending transfer",
        """
        SELECT o.out_trade_no
        FROM orders o
        LEFT JOIN transfers e ON e.pending_id = o.out_trade_no || '/capture'
        WHERE o.state IN ('created','sent','waiting','unknown','closing') AND (o.captured_fen <>
        0 OR e.transfer_id IS NOT NULL)
        """,
    ),
    (
        "M4",
        "orders",
        "a closed or refused order holds money",
        """
        SELECT out_trade_no
        FROM orders
        WHERE state IN ('closed','refused') AND (captured_fen <> 0 OR pending)
        """,
    ),
    (
        "M5",
        "orders",
        "more was given back than captured, or a refunded order is not whole",
        """
        SELECT out_trade_no
        FROM orders
        WHERE refunded_fen > captured_fen OR (state = 'refunded' AND refunded_fen <>
        captured_fen)
        """,
    ),
    (
        "M5",
        "transfers",
        "a post or void has no pending transfer of the same accounts and amount",
        """
        SELECT e.transfer_id
        FROM transfers e
        LEFT JOIN transfers p ON p.transfer_id = e.pending_id AND p.kind = 'pending' AND p.debit
        = e.debit AND p.credit = e.credit AND p.amount_fen = e.amount_fen
        WHERE e.kind IN ('post','void') AND p.transfer_id IS NULL
        """,
    ),
    (
        "M5",
        "orders",
        "an order and its pending transfer disagree whether it stands",
        """
        SELECT o.out_trade_no
        FROM orders o
        LEFT JOIN transfers p ON p.transfer_id = o.out_trade_no || '/capture'
        LEFT JOIN transfers e ON e.pending_id = p.transfer_id
        WHERE o.pending <> (p.transfer_id IS NOT NULL AND e.transfer_id IS NULL)
        """,
    ),
    (
        "M5",
        "orders",
        "an order's captures and refunds are not its transfers",
        """
        SELECT o.out_trade_no
        FROM orders o
        LEFT JOIN (SELECT out_trade_no, SUM(CASE WHEN credit = 'suspense' THEN amount_fen ELSE 0
        END) AS taken, SUM(CASE WHEN debit = 'refund_due' THEN amount_fen ELSE 0 END) AS
        returned
        FROM transfers
        WHERE kind IN ('posted','post') AND transfer_id LIKE out_trade_no || '/%'
        GROUP BY out_trade_no) s ON s.out_trade_no =
        o.out_trade_no
        WHERE o.captured_fen <> COALESCE(s.taken, 0) OR o.refunded_fen <> COALESCE(s.returned,
        0)
        """,
    ),
    (
        "M7",
        "orders",
        "an order's code is not kept as a hash of 32 hex digits",
        """
        SELECT out_trade_no
        FROM orders
        WHERE code_hash IS NOT NULL AND length(code_hash) <> 32
        """,
    ),
    (
        "M7",
        "orders",
        "pay was sent for an order without a code of its own",
        """
        SELECT out_trade_no
        FROM orders
        WHERE sent_ms IS NOT NULL AND code_hash IS NULL
        """,
    ),
)


def audit_books(
    connection: sa.Connection, proved: Proved, tell: Tell = lambda _table, _rows: None
) -> Iterator[BadRow]:
    """Yield everything in the books that must not be; the longer the books, the longer it takes.

    Fills *proved* on the way; *tell* hears of every batch of rows.
    """
    yield from prove(connection, proved, tell)
    for rule, table, what, query in _CHECKS:
        for row in connection.execute(sa.text(query)):
            yield BadRow(rule=rule, table=table, key=str(row[0]), what=what)


def verify_books(connection: sa.Connection) -> list[BadRow]:
    """Return everything in the books that must not be."""
    return list(audit_books(connection, Proved()))
