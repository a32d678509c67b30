"""Units of work about bills: imports, and looks at order numbers.

Strategy. A look reads all that is known of its numbers in a few statements, lets the pure rule
(rules/reconcile.py) say what has to stand, and writes what is not there yet: matches, differences,
and for each cause in the ledger the transfer that brings its sum to what it has to be. So any unit
can be run again, in any order, before or behind any version of a bill: only the last say counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa

from plaza_server.rules.bill_units import (
    BillImported,
    EndReconciliation,
    ImportBill,
    LookAtNumbers,
    Looked,
    posting_transfer,
)
from plaza_server.rules.bills import BillKind, BillRow, BillStatus
from plaza_server.rules.ledger_accounts import REFUND_DUE, clearing
from plaza_server.rules.orders import Order, apply
from plaza_server.rules.reconcile import look
from plaza_server.rules.reconcile_values import (
    Finding,
    Frame,
    Known,
    Look,
    OurRefund,
    Posting,
    Sighting,
)
from plaza_server.rules.units import Lease
from plaza_server.store import bill_tables as b
from plaza_server.store import tables as t
from plaza_server.store.claim_tables import claims
from plaza_server.store.rows import order_of
from plaza_server.store.work import Work
from tolling.errors import RefusedError

LOOKS_MAX = 3
"""Facts one look may ask for before it is taken as it is; a capture and its refund are two."""


# ---- imports ----


def import_bill(work: Work, unit: ImportBill) -> BillImported:
    """Store a bill as the version in force of its platform and day; known bytes change nothing."""
    bill, c = unit.bill, b.bills.c
    of_day = sa.and_(c.platform == bill.platform, c.day == bill.day)
    known = work.connection.execute(
        sa.select(c.bill_no, c.version).where(of_day, c.digest == bill.digest)
    ).one_or_none()
    if known is not None:
        return BillImported(bill_no=known.bill_no, version=known.version, new=False)
    last = work.connection.execute(sa.select(sa.func.max(c.version)).where(of_day)).scalar()
    mark = b.bills.update().where(of_day, c.superseded_ms.is_(None))
    work.connection.execute(mark.values(superseded_ms=unit.at.wall_ms))
    totals = bill.totals
    version = (last or 0) + 1
    made = work.connection.execute(
        b.bills.insert().returning(c.bill_no),
        {
            "platform": bill.platform,
            "day": bill.day,
            "version": version,
            "digest": bill.digest,
            "merchant": bill.merchant,
            "source": unit.source,
            "content": unit.content,
            "pay_count": totals.pay_count,
            "pay_fen": totals.pay_fen,
            "refund_count": totals.refund_count,
            "refund_fen": totals.refund_fen,
            "fee_fen": totals.fee_fen,
            "imported_ms": unit.at.wall_ms,
            "superseded_ms": None,
        },
    )
    bill_no = int(made.scalar_one())
    if bill.rows:
        rows = [_row_of(bill_no, row) for row in bill.rows]
        work.connection.execute(b.bill_rows.insert(), rows)
    return BillImported(bill_no=bill_no, version=version, new=True)


def _row_of(bill_no: int, row: BillRow) -> dict[str, Any]:
    return {
        "bill_no": bill_no,
        "line": row.line,
        "row_key": row.key,
        "kind": row.kind.value,
        "out_trade_no": row.out_trade_no,
        "out_refund_no": row.out_refund_no,
        "provider_txn_id": row.provider_txn_id,
        "amount_fen": row.amount_fen,
        "fee_fen": row.fee_fen,
        "paid_at_ms": row.paid_at_ms,
        "status": row.status.value,
    }


def bill_row_of(row: sa.RowMapping) -> BillRow:
    """Return the bill's row of a row of ``bill_rows``."""
    return BillRow(
        line=row["line"],
        kind=BillKind(row["kind"]),
        out_trade_no=row["out_trade_no"],
        out_refund_no=row["out_refund_no"],
        provider_txn_id=row["provider_txn_id"],
        amount_fen=row["amount_fen"],
        fee_fen=row["fee_fen"],
        paid_at_ms=row["paid_at_ms"],
        status=BillStatus(row["status"]),
    )


# ---- looks ----


@dataclass(slots=True)
class _Tally:
    matched: int = 0
    healed: int = 0
    left: int = 0
    orders: list[Order] = field(default_factory=list)


def look_at_numbers(work: Work, unit: LookAtNumbers) -> Looked:
    """Reconcile some numbers of a day: facts to orders, transfers to the ledger, the rest noted.

    Raises: RefusedError: no bill of that platform and day is here.
    """
    frame = _frame(work, unit)
    before = _Stored(work, unit)
    tally = _Tally()
    for known in _known(work, unit, frame):
        healed: list[Finding] = []
        seen = _settle(work, unit, frame, known, healed, tally)
        before.keep_matches(seen)
        before.keep_postings(seen, known)
        before.keep_findings(known.number, seen, healed)
        tally.matched += len(seen.matches)
    before.write(tally)
    return Looked(
        matched=tally.matched, healed=tally.healed, left=tally.left, orders=tuple(tally.orders)
    )


def _frame(work: Work, unit: LookAtNumbers) -> Frame:
    c = b.bills.c
    days = sa.select(c.day).where(c.platform == unit.platform, c.superseded_ms.is_(None))
    imported = frozenset(work.connection.execute(days).scalars())
    if unit.day not in imported:
        raise RefusedError(
            where=f"{unit.platform} {unit.day}",
            what="no bill of that day is here",
            do="Import it first",
        )
    return Frame(
        platform=unit.platform, day=unit.day, imported=imported, fee_rate_bp=unit.fee_rate_bp
    )


def _known(work: Work, unit: LookAtNumbers, frame: Frame) -> list[Known]:
    """Return all that is known of the unit's numbers, sorted by number."""
    here: dict[str, list[BillRow]] = defaultdict(list)
    there: dict[str, list[Sighting]] = defaultdict(list)
    c, r = b.bills.c, b.bill_rows.c
    query = (
        sa.select(b.bill_rows, c.day)
        .join(b.bills, c.bill_no == r.bill_no)
        .where(
            r.out_trade_no.in_(unit.numbers),
            c.platform == frame.platform,
            c.superseded_ms.is_(None),
        )
        .order_by(c.day, r.line)
    )
    for row in work.connection.execute(query).mappings():
        found = bill_row_of(row)
        if row["day"] == frame.day:
            here[found.out_trade_no].append(found)
        else:
            there[found.out_trade_no].append(Sighting(day=row["day"], row=found))
    orders_query = sa.select(t.orders).where(t.orders.c.out_trade_no.in_(unit.numbers))
    rows = work.connection.execute(orders_query).mappings()
    orders = {row["out_trade_no"]: order_of(row) for row in rows}
    refunds = _refunds(work, frame.platform, orders)
    return [
        Known(
            number=number,
            rows=tuple(here[number]),
            elsewhere=tuple(there[number]),
            order=orders.get(number),
            refunds=tuple(refunds[number]),
        )
        for number in sorted(set(unit.numbers))
    ]


def _refunds(work: Work, platform: str, orders: dict[str, Order]) -> dict[str, list[OurRefund]]:
    """Return the refunds the ledger holds as given back and the claims under way, by number."""
    found: dict[str, list[OurRefund]] = defaultdict(list)
    q = claims.c
    asked = sa.select(
        q.claim_id, q.out_trade_no, q.out_refund_no, q.amount_fen, q.decided_ms, q.work
    )
    numbers: dict[str, str | None] = {}
    for row in work.connection.execute(asked.where(q.out_trade_no.in_(sorted(orders)))):
        numbers[row.claim_id] = row.out_refund_no
        if row.work:
            found[row.out_trade_no].append(
                OurRefund(
                    out_refund_no=row.out_refund_no,
                    amount_fen=row.amount_fen,
                    at_ms=row.decided_ms,
                    booked=False,
                )
            )
    c = t.transfers.c
    query = (
        sa.select(c.out_trade_no, c.transfer_id, c.amount_fen, c.wall_ms)
        .where(
            c.out_trade_no.in_(sorted(orders)),
            c.debit == REFUND_DUE,
            c.credit == clearing(platform),
        )
        .order_by(c.transfer_id)
    )
    for given in work.connection.execute(query):
        topic, _, rest = given.transfer_id.partition("/")
        number: str | None = orders[given.out_trade_no].out_refund_no
        if topic == "claim":
            number = numbers[rest.partition("/")[0]]
        found[given.out_trade_no].append(
            OurRefund(out_refund_no=number, amount_fen=given.amount_fen, at_ms=given.wall_ms)
        )
    return found


def _settle(
    work: Work,
    unit: LookAtNumbers,
    frame: Frame,
    known: Known,
    healed: list[Finding],
    tally: _Tally,
) -> Look:
    """Apply the facts a number asks for, and return the look at what stands then."""
    lease = Lease(owner=unit.owner, until_ms=0, steal=False)
    for _ in range(LOOKS_MAX):
        seen = look(known, frame)
        order = known.order
        if seen.fact is None or order is None:
            return seen
        applied = apply(order, seen.fact, at=unit.at)
        if applied.order == order:
            return replace(seen, fact=None)
        after, _ = work.keep(order, applied, lease=lease, at=unit.at)
        healed.extend(each for each in seen.findings if not each.action)
        tally.orders.append(after)
        refunds = known.refunds
        if after.refunded_fen > order.refunded_fen:
            given = after.refunded_fen - order.refunded_fen
            number = after.out_refund_no
            new = OurRefund(out_refund_no=number, amount_fen=given, at_ms=unit.at.wall_ms)
            refunds = (*refunds, new)
        known = replace(known, order=after, refunds=refunds)
    return replace(look(known, frame), fact=None)


class _Stored:
    """What an earlier look left behind for the same numbers, and what changes of it."""

    def __init__(self, work: Work, unit: LookAtNumbers) -> None:
        self._work = work
        self._unit = unit
        self._matches = self._read(b.bill_matches, "row_key")
        self._lines: dict[str, int] = {k: row["line"] for k, row in self._matches.items()}
        self._held: dict[str, int] = defaultdict(int)
        self._count: dict[str, int] = defaultdict(int)
        self._owner_of: dict[str, tuple[str, bool]] = {}
        for row in self._rows(b.bill_postings):
            self._held[row["posting_key"]] += row["clearing_fen"]
            self._count[row["posting_key"]] += 1
            self._owner_of[row["posting_key"]] = (row["out_trade_no"], bool(row["fee"]))
        self._differences: dict[tuple[str, str], sa.RowMapping] = {}
        for row in self._rows(t.differences):
            self._differences[row["kind"], row["row_key"]] = row
        self._wanted_matches: dict[str, dict[str, Any]] = {}
        self._wanted: dict[str, Posting] = {}
        self._postings: list[dict[str, Any]] = []
        self._orders: dict[str, str | None] = {}
        self._standing: dict[tuple[str, str], Finding] = {}
        self._healed: dict[tuple[str, str], Finding] = {}

    def _rows(self, table: sa.Table) -> Sequence[sa.RowMapping]:
        c, unit = table.c, self._unit
        where = sa.and_(
            c.platform == unit.platform,
            c.day == unit.day,
            c.out_trade_no.in_(unit.numbers),
        )
        return self._work.connection.execute(sa.select(table).where(where)).mappings().all()

    def _read(self, table: sa.Table, key: str) -> dict[str, sa.RowMapping]:
        return {row[key]: row for row in self._rows(table)}

    # ---- what has to stand ----

    def keep_matches(self, seen: Look) -> None:
        """Note the rows that agree."""
        for each in seen.matches:
            self._wanted_matches[each.key] = {
                "platform": self._unit.platform,
                "day": self._unit.day,
                "row_key": each.key,
                "out_trade_no": each.number,
                "line": each.line,
                "matched_ms": self._unit.at.wall_ms,
            }

    def keep_postings(self, seen: Look, known: Known) -> None:
        """Note what the ledger has to hold."""
        ours = None if known.order is None else known.number
        for each in seen.postings:
            self._wanted[each.key] = each
            self._owner_of[each.key] = (known.number, each.fee)
        self._orders[known.number] = ours

    def keep_findings(self, number: str, seen: Look, healed: Iterable[Finding]) -> None:
        """Note what stands and what a rule has healed."""
        assert all(each.number == number for each in (*seen.findings, *healed))
        for each in (*healed, *seen.findings):
            place = self._healed if not each.action else self._standing
            place[each.what.value, each.key] = each

    # ---- writing ----

    def write(self, tally: _Tally) -> None:
        """Store what differs from what an earlier look left."""
        self._write_matches()
        for key in sorted(set(self._wanted) | set(self._held)):
            self._write_posting(key)
        if self._postings:
            self._work.connection.execute(b.bill_postings.insert(), self._postings)
        self._write_differences(tally)

    def _write_matches(self) -> None:
        c, run = b.bill_matches.c, self._work.connection.execute
        wanted = {key: row["line"] for key, row in self._wanted_matches.items()}
        gone = [key for key, line in self._lines.items() if wanted.get(key) != line]
        if gone:
            mine = sa.and_(c.platform == self._unit.platform, c.day == self._unit.day)
            run(b.bill_matches.delete().where(mine, c.row_key.in_(gone)))
        new = [
            row for key, row in self._wanted_matches.items() if self._lines.get(key) != row["line"]
        ]
        if new:
            run(b.bill_matches.insert(), new)

    def _write_posting(self, key: str) -> None:
        unit = self._unit
        number, fee = self._owner_of[key]
        posting = self._wanted.get(key, Posting(key=key, fee=fee, clearing_fen=0))
        delta = posting.clearing_fen - self._held[key]
        if delta == 0:
            return
        count = self._count[key] + 1
        transfer = posting_transfer(
            posting,
            delta,
            platform=unit.platform,
            day=unit.day,
            number=count,
            order=self._orders.get(number),
        )
        self._work.add_transfer(transfer, unit.at, owner=unit.owner)
        self._postings.append(
            {
                "platform": unit.platform,
                "day": unit.day,
                "posting_key": key,
                "posting_no": count,
                "out_trade_no": number,
                "fee": fee,
                "clearing_fen": delta,
                "transfer_id": transfer.transfer_id,
                "posted_ms": unit.at.wall_ms,
            }
        )

    def _write_differences(self, tally: _Tally) -> None:
        tally.left += len(self._standing)
        for place, finding in sorted(self._standing.items()):
            row = self._differences.get(place)
            if row is None:
                self._insert(finding, healed=False)
            elif row["healed_ms"] is not None or row["booked_fen"] != finding.ours_fen:
                self._update(row, finding, healed=False)
        for place, finding in sorted(self._healed.items()):
            if place in self._standing:
                continue
            row = self._differences.get(place)
            if row is None:
                self._insert(finding, healed=True)
                tally.healed += 1
            elif row["healed_ms"] is None:
                self._update(row, finding, healed=True)
                tally.healed += 1
        for place, row in sorted(self._differences.items()):
            gone = place not in self._standing and place not in self._healed
            if gone and row["healed_ms"] is None:
                self._update(row, None, healed=True)
                tally.healed += 1

    def _insert(self, finding: Finding, *, healed: bool) -> None:
        now = self._unit.at.wall_ms
        self._work.connection.execute(
            t.differences.insert(),
            {
                "kind": finding.what.value,
                "out_trade_no": finding.number,
                "place": None,
                "said_fen": finding.bill_fen,
                "booked_fen": finding.ours_fen,
                "found_ms": now,
                "healed_ms": now if healed else None,
                "platform": self._unit.platform,
                "day": self._unit.day,
                "row_key": finding.key,
                "action": finding.action,
            },
        )

    def _update(self, row: sa.RowMapping, finding: Finding | None, *, healed: bool) -> None:
        c = t.differences.c
        values: dict[str, Any] = {"healed_ms": self._unit.at.wall_ms if healed else None}
        if finding is not None:
            values |= {"said_fen": finding.bill_fen, "booked_fen": finding.ours_fen}
            values |= {"action": finding.action}
        update = t.differences.update().where(c.difference_no == row["difference_no"])
        self._work.connection.execute(update.values(**values))


# ---- runs ----


def end_reconciliation(work: Work, unit: EndReconciliation) -> None:
    """Note that every number of a day was looked at, against the bill in force."""
    c, r = b.bills.c, b.reconciliations.c
    in_force = sa.select(c.bill_no).where(
        c.platform == unit.platform, c.day == unit.day, c.superseded_ms.is_(None)
    )
    bill_no = work.connection.execute(in_force).scalar_one()
    mine = sa.and_(r.platform == unit.platform, r.day == unit.day)
    done = work.connection.execute(
        b.reconciliations.update()
        .where(mine)
        .values(bill_no=bill_no, ran_ms=unit.at.wall_ms, runs=r.runs + 1)
    )
    if done.rowcount == 0:
        row = {"platform": unit.platform, "day": unit.day, "bill_no": bill_no}
        work.connection.execute(
            b.reconciliations.insert(), {**row, "ran_ms": unit.at.wall_ms, "runs": 1}
        )
