"""What is read of bills and reconciliations. Every function takes a connection first and changes
nothing."""

from __future__ import annotations

import sqlalchemy as sa

from plaza_server.rules.bills import BillKind, BillStatus, BillTotals, window_of
from plaza_server.rules.ledger_accounts import REFUND_DUE, clearing
from plaza_server.rules.reconcile import PAY_LATEST_MS
from plaza_server.rules.reconcile_values import BillDifference, DayReport, PayeeSum
from plaza_server.store import bill_tables as b
from plaza_server.store import tables as t
from tolling.orders import OPEN_STATES

_OPEN = tuple(sorted(state.value for state in OPEN_STATES))
_EARLIER_MS = 3_600_000
"""An order may be captured so long after it was made; sixteen minutes, and room."""
DIFFERENCES_MAX = 5_000
"""Rows of one export: more than that is no list for people."""


def numbers_to_look_at(connection: sa.Connection, platform: str, day: str) -> tuple[str, ...]:
    """Return every order number that a reconciliation of a day has to look at, sorted.

    Those of its bill, those our books have on that day, and those an earlier look left something
    for.
    """
    start, end = window_of(platform, day)
    c, o = b.bills.c, t.orders.c
    in_bill = (
        sa.select(b.bill_rows.c.out_trade_no)
        .join(b.bills, c.bill_no == b.bill_rows.c.bill_no)
        .where(c.platform == platform, c.day == day, c.superseded_ms.is_(None))
    )
    paid_ms = sa.func.coalesce(o.paid_at_ms, o.captured_ms)
    undecided = sa.or_(o.state.in_(_OPEN), sa.and_(o.state == "refused", sa.not_(o.proven)))
    ours = sa.select(o.out_trade_no).where(
        o.created_ms >= start - _EARLIER_MS,
        o.created_ms < end + _EARLIER_MS,
        o.platform == platform,
        sa.or_(
            sa.and_(paid_ms >= start, paid_ms < end),
            sa.and_(undecided, o.sent_ms >= start - PAY_LATEST_MS, o.sent_ms < end),
        ),
    )
    # Captures learnt long after their order was made, as the bills themselves teach them.
    refunds = sa.select(t.transfers.c.out_trade_no).where(
        # Written out, so that SQLite sees that its index is for exactly these rows.
        t.transfers.c.debit == sa.literal_column(f"'{REFUND_DUE}'"),
        t.transfers.c.credit == clearing(platform),
        t.transfers.c.wall_ms >= start,
        t.transfers.c.wall_ms < end,
        t.transfers.c.out_trade_no.is_not(None),
    )
    left = [
        sa.select(table.c.out_trade_no).where(table.c.platform == platform, table.c.day == day)
        for table in (b.bill_matches, b.bill_postings, t.differences)
    ]
    query = sa.union(in_bill, ours, refunds, *left)
    return tuple(sorted(connection.execute(query).scalars()))


def bills_in_force(connection: sa.Connection, day: str) -> tuple[str, ...]:
    """Return the platforms whose bill of *day* is here, sorted."""
    c = b.bills.c
    query = sa.select(c.platform).where(c.day == day, c.superseded_ms.is_(None))
    return tuple(connection.execute(query.order_by(c.platform)).scalars())


def day_reports(connection: sa.Connection, day: str) -> tuple[DayReport, ...]:
    """Return the report of every platform whose bill of *day* is here."""
    c, r = b.bills.c, b.reconciliations.c
    query = (
        sa.select(b.bills, r.ran_ms, r.runs, r.bill_no.label("ran_bill"))
        .outerjoin(b.reconciliations, sa.and_(r.platform == c.platform, r.day == c.day))
        .where(c.day == day, c.superseded_ms.is_(None))
        .order_by(c.platform)
    )
    return tuple(_report(connection, row) for row in connection.execute(query).mappings())


def _report(connection: sa.Connection, row: sa.RowMapping) -> DayReport:
    platform, day = row["platform"], row["day"]
    d, p = t.differences.c, b.bill_postings.c
    of_day = sa.and_(d.platform == platform, d.day == day)
    healed = sa.func.count(d.healed_ms)
    counts = connection.execute(sa.select(sa.func.count(), healed).where(of_day)).one()
    sums = {
        bool(fee): int(total)
        for fee, total in connection.execute(
            sa.select(p.fee, sa.func.sum(p.clearing_fen))
            .where(p.platform == platform, p.day == day)
            .group_by(p.fee)
        )
    }
    matches = sa.select(sa.func.count()).where(
        b.bill_matches.c.platform == platform, b.bill_matches.c.day == day
    )
    return DayReport(
        platform=platform,
        day=day,
        version=row["version"],
        imported_ms=row["imported_ms"],
        ran_ms=row["ran_ms"],
        runs=row["runs"] or 0,
        stale=row["ran_bill"] != row["bill_no"],
        bill=BillTotals(
            pay_count=row["pay_count"],
            pay_fen=row["pay_fen"],
            refund_count=row["refund_count"],
            refund_fen=row["refund_fen"],
            fee_fen=row["fee_fen"],
        ),
        matched=int(connection.execute(matches).scalar_one()),
        healed=int(counts[1]),
        left=int(counts[0]) - int(counts[1]),
        difference_fen=sums.get(False, 0),
        fee_fen=-sums.get(True, 0),
    )


def bill_differences(
    connection: sa.Connection, day: str, *, standing: bool = False
) -> tuple[BillDifference, ...]:
    """Return a day's differences by platform; *standing*: only those left for a person."""
    d = t.differences.c
    query = sa.select(t.differences).where(d.day == day, d.platform.is_not(None))
    if standing:
        query = query.where(d.healed_ms.is_(None))
    query = query.order_by(d.platform, d.difference_no).limit(DIFFERENCES_MAX)
    return tuple(
        BillDifference(
            platform=row["platform"],
            day=row["day"],
            what=row["kind"],
            out_trade_no=row["out_trade_no"],
            key=row["row_key"],
            bill_fen=row["said_fen"],
            ours_fen=row["booked_fen"],
            action=row["action"] if row["healed_ms"] is None else "",
            found_ms=row["found_ms"],
            healed_ms=row["healed_ms"],
        )
        for row in connection.execute(query).mappings()
    )


def payee_sums(connection: sa.Connection, day: str) -> tuple[PayeeSum, ...]:
    """Return what each platform's bill of *day* holds for each payee, by platform and payee."""
    c, r, o = b.bills.c, b.bill_rows.c, t.orders.c
    payee = sa.func.coalesce(sa.case((o.platform == c.platform, o.payee), else_=""), "")
    query = (
        sa.select(
            c.platform,
            payee.label("payee"),
            r.kind,
            sa.func.count().label("rows"),
            sa.func.sum(r.amount_fen).label("amount_fen"),
            sa.func.sum(r.fee_fen).label("fee_fen"),
        )
        .join(b.bill_rows, r.bill_no == c.bill_no)
        .outerjoin(t.orders, o.out_trade_no == r.out_trade_no)
        .where(c.day == day, c.superseded_ms.is_(None), r.status != BillStatus.FAILED.value)
        .group_by(c.platform, payee, r.kind)
    )
    found: dict[tuple[str, str], dict[str, int]] = {}
    for row in connection.execute(query):
        sums = found.setdefault((row.platform, row.payee), {"fee_fen": 0})
        prefix = "pay" if row.kind == BillKind.PAY.value else "refund"
        sums[f"{prefix}_count"] = int(row.rows)
        sums[f"{prefix}_fen"] = int(row.amount_fen)
        sums["fee_fen"] += int(row.fee_fen)
    return tuple(
        PayeeSum(platform=platform, payee=payee_name, totals=BillTotals(**sums))
        for (platform, payee_name), sums in sorted(found.items())
    )
