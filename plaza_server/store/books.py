"""The self-audit of the books: recomputes what must hold from the tables, in plain SQL.

It reads rows, not rules: the same questions an auditor with a SQL prompt would ask. An empty answer
is good.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from plaza_server.store import tables as t
from plaza_server.store.queries import balances, sealed_of
from tolling.chain import ChainVerdict, check_next, genesis
from tolling.ids import LaneId, PlazaId

_BATCH = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BookProblem:
    """One thing that must not be."""

    rule: str
    """M1, M4, M5, M6 or M7 of the design."""
    subject: str
    what: str


_CHECKS: tuple[tuple[str, str, str], ...] = (
    (
        "M1",
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
        "revenue was booked for an order no record names",
        """
        SELECT r.out_trade_no
        FROM transfers r JOIN orders o ON o.out_trade_no = r.out_trade_no
        WHERE r.credit = 'revenue' AND (o.record <> 'named' OR o.state <> 'paid')
        """,
    ),
    (
        "M1",
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
        "the record of its passage is there, and the order does not know it",
        """
        SELECT o.out_trade_no
        FROM orders o JOIN records r ON r.passage_id = o.passage_id
        WHERE o.record = 'none' AND o.request_digest <> ''
        """,
    ),
    (
        "M4",
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
        "a closed or refused order holds money",
        """
        SELECT out_trade_no
        FROM orders
        WHERE state IN ('closed','refused') AND (captured_fen <> 0 OR pending)
        """,
    ),
    (
        "M5",
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
        "an order's captures and refunds are not its transfers",
        """
        SELECT o.out_trade_no
        FROM orders o
        LEFT JOIN (SELECT out_trade_no, SUM(CASE WHEN credit = 'suspense' THEN amount_fen ELSE 0
        END) AS taken, SUM(CASE WHEN debit = 'refund_due' THEN amount_fen ELSE 0 END) AS
        returned
        FROM transfers
        WHERE kind IN ('posted','post') GROUP BY out_trade_no) s ON s.out_trade_no =
        o.out_trade_no
        WHERE o.captured_fen <> COALESCE(s.taken, 0) OR o.refunded_fen <> COALESCE(s.returned,
        0)
        """,
    ),
    (
        "M7",
        "an order's code is not kept as a hash of 32 hex digits",
        """
        SELECT out_trade_no
        FROM orders
        WHERE code_hash IS NOT NULL AND length(code_hash) <> 32
        """,
    ),
    (
        "M7",
        "pay was sent for an order without a code of its own",
        """
        SELECT out_trade_no
        FROM orders
        WHERE sent_ms IS NOT NULL AND code_hash IS NULL
        """,
    ),
)


def verify_books(connection: sa.Connection) -> list[BookProblem]:
    """Return everything in the books that must not be; the longer the books, the longer it
    takes."""
    problems = [
        BookProblem(rule=rule, subject=str(row[0]), what=what)
        for rule, what, query in _CHECKS
        for row in connection.execute(sa.text(query))
    ]
    problems.extend(_sums(connection))
    problems.extend(_chains(connection))
    return problems


def _sums(connection: sa.Connection) -> list[BookProblem]:
    """Compare what accounts hold with what orders and records say they should."""
    held = balances(connection)
    c = t.orders.c

    def total(*where: sa.ColumnElement[bool]) -> int:
        net = sa.func.coalesce(sa.func.sum(c.captured_fen - c.refunded_fen), 0)
        return int(connection.execute(sa.select(net).where(*where)).scalar_one())

    suspense = total(c.state == "paid", c.record == "none")
    owed = total(c.state.in_(("refund_due", "refunding", "mismatch", "refund_stuck")))
    wanted = {"suspense": -suspense, "refund_due": -owed}
    for (platform,) in connection.execute(sa.select(c.platform).where(c.platform != "").distinct()):
        wanted[f"clearing:{platform}"] = total(c.platform == platform)
    phone = total(c.state == "paid", c.record == "named")
    wanted["revenue"] = -(phone + held.get("cash", 0) + held.get("etc", 0))
    problems = [
        BookProblem(
            rule="M5", subject=name, what=f"holds {held.get(name, 0)} fen, orders say {amount}"
        )
        for name, amount in sorted(wanted.items())
        if held.get(name, 0) != amount
    ]
    if sum(held.values()) != 0:
        problems.append(BookProblem(rule="M5", subject="ledger", what="does not sum to zero"))
    return problems


def _chains(connection: sa.Connection) -> list[BookProblem]:
    """Walk every lane's chain over the exact bytes, up to its anchor."""
    problems: list[BookProblem] = []
    heads = {row.lane_id: row for row in connection.execute(sa.select(t.lanes))}
    ends: dict[tuple[str, int], tuple[int, str]] = {}
    query = (
        sa.select(t.records, t.lanes.c.plaza_id)
        .join(t.lanes, t.lanes.c.lane_id == t.records.c.lane_id)
        .order_by(t.records.c.lane_id, t.records.c.epoch, t.records.c.seq)
        .execution_options(yield_per=_BATCH)
    )
    for row in connection.execute(query).mappings():
        sealed = sealed_of(row)
        place = (row["lane_id"], row["epoch"])
        start = genesis(PlazaId(row["plaza_id"]), LaneId(row["lane_id"]), row["epoch"])
        seq, digest = ends.get(place, (start.seq, start.chain_hash))
        anchor = type(start)(
            plaza_id=start.plaza_id,
            lane_id=start.lane_id,
            epoch=start.epoch,
            seq=seq,
            chain_hash=digest,
        )
        verdict = check_next(anchor, sealed)
        if verdict is not ChainVerdict.NEXT:
            subject = f"{row['lane_id']}/{row['epoch']:03d}/{row['seq']}"
            problems.append(BookProblem(rule="M6", subject=subject, what=f"stored, but {verdict}"))
        ends[place] = (sealed.seq, sealed.chain_hash)
    for lane, head in sorted(heads.items()):
        start = genesis(PlazaId(head.plaza_id), LaneId(lane), head.epoch)
        if ends.get((lane, head.epoch), (0, start.chain_hash)) != (head.seq, head.chain_hash):
            what = "its anchor is not the end of its chain"
            problems.append(BookProblem(rule="M6", subject=f"lane {lane}", what=what))
    return problems
