"""A long run's money, read lane by lane, so that a day's rows are never in memory at once.

Every passage, order, record, tag debit and transfer belongs to one lane by its number, so each
lane's are judged by themselves with the auditor's own checks. Where one row does not, all are
judged in one piece: a claim, a coupon (it may be held up in another lane than the first), a row of
no lane, a trade of no lane, a record that names a passage or an order of another lane.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from sqlalchemy import RowMapping

from simulator.auditor.evidence import (
    AuditedDebit,
    AuditedOrder,
    AuditedRecord,
    AuditedTransfer,
    CapturedTrade,
    EtcDueRow,
    Evidence,
)
from simulator.auditor.money import bodies
from simulator.world.evidence import (
    debit_of,
    frame,
    gather,
    record_of,
    rows_of,
    trades_of,
    unread_of,
)
from simulator.world.world import World
from tolling.ids import LaneId

_BEHIND = "~"
"""Behind every character of a number."""
_KEYS = {
    "orders": ("out_trade_no", ("{head}",)),
    "transfers": ("transfer_id", ("{head}", "etc/{head}", "{lane}/")),
    "etc_dues": ("passage_id", ("{head}",)),
}
"""Table of the plaza -> its key, and what the keys of a lane's rows begin with: the plaza's and the
lane's number; of a transfer also behind ``etc/``, or the lane and a record's place."""
_RECORD = "plaza_id, lane_id, epoch, seq, previous_hash, chain_hash, body"
_RECORD_AT_PLAZA = "l.plaza_id, r.lane_id, r.epoch, r.seq, r.previous_hash, r.chain_hash, r.body"
_AT_PLAZA = "records r JOIN lanes l ON l.lane_id = r.lane_id"


class Slices:
    """What stores, platforms and readers hold of a run, lane by lane."""

    def __init__(self, world: World, path: Path) -> None:
        """Keep the readers' closed books of *world* in a file at *path*, which is new."""
        self._world = world
        self._heads = {self._head(lane_id): lane_id for lane_id in world.lanes}
        self._books = sqlite3.connect(path, isolation_level=None)
        self._books.execute("PRAGMA synchronous = OFF")
        self._books.execute(
            "CREATE TABLE debits (lane_id TEXT, reference TEXT, tag_id TEXT, vehicle_id INTEGER,"
            " amount_fen INTEGER, txn_id TEXT)"
        )
        self._books.execute("CREATE INDEX debits_by_lane ON debits (lane_id)")

    def close(self) -> None:
        """Close the file."""
        self._books.close()

    def take_debits(self, before_ns: int) -> None:
        """Take what the readers debited before an instant out of their books, into the file."""
        rows = []
        for lane_id in sorted(self._world.models):
            for charge in self._world.models[lane_id].etc.close_books(before_ns):
                if charge.txn_id is not None:
                    each = debit_of(charge)
                    kept = each.reference, each.tag_id, each.vehicle_id, each.amount_fen
                    rows.append((lane_id, *kept, each.txn_id))
        self._books.execute("BEGIN")
        self._books.executemany("INSERT INTO debits VALUES (?, ?, ?, ?, ?, ?)", rows)
        self._books.execute("COMMIT")

    def cut(self, *, at_rest: bool) -> Iterator[Evidence]:
        """Yield what is to be judged of each lane, or all at once where it cannot be cut."""
        trades: dict[str, list[CapturedTrade]] = defaultdict(list)
        for trade in trades_of(self._world):
            trades[self._lane_of(trade.out_trade_no)].append(trade)
        lanes = sorted(self._world.lanes)
        if not trades.keys() <= set(lanes) or self._entangled():
            yield self.whole(at_rest=at_rest)
            return
        unread = frozenset(unread_of(self._world))
        rest = replace(frame(self._world, at_rest=at_rest), unread=unread)
        for lane_id in lanes:
            heard = tuple(each for each in rest.tariffs_heard if each[0] == lane_id)
            stood = self._world.captures.stood
            yield replace(
                rest,
                trades=tuple(trades[lane_id]),
                lane_records=tuple(self._lane_records(lane_id)),
                plaza_records=tuple(self._plaza_records(lane_id)),
                orders=tuple(AuditedOrder(**row) for row in self._orders(lane_id)),
                transfers=tuple(AuditedTransfer(**row) for row in self._transfers(lane_id)),
                debits=tuple(self._debits(lane_id)),
                etc_dues=tuple(EtcDueRow(**row) for row in self._etc_dues(lane_id)),
                tariffs_heard=heard,
                captures=tuple(e for e in stood if self._lane_of(e.out_trade_no) == lane_id),
            )

    def whole(self, *, at_rest: bool) -> Evidence:
        """Return all of it in one piece."""
        everything = gather(self._world, at_rest=at_rest)
        debits = tuple(each for lane in sorted(self._world.lanes) for each in self._debits(lane))
        return replace(
            everything, debits=debits, drivers=(), borrowed=(), plant_log=(), tapped=(), texts=()
        )

    # ---- what cannot be cut ----

    def _entangled(self) -> bool:
        """Return whether some row belongs to no lane, or to more than one."""
        lanes = sorted(self._world.lanes)
        if self._world.site.coupons.issued or self._count("claims") or self._count("coupons"):
            return True
        for table in _KEYS:
            of_lanes = (self._of_lane(table, "count(*) AS found", lane) for lane in lanes)
            if self._count(table) != sum(int(rows[0]["found"]) for rows in of_lanes):
                return True
        found = self._plaza(f"SELECT DISTINCT r.lane_id FROM {_AT_PLAZA}")  # noqa: S608
        return not {row["lane_id"] for row in found} <= set(lanes) or any(map(self._strays, lanes))

    def _strays(self, lane_id: LaneId) -> bool:
        """Return whether a record of a lane names a passage or an order that is not the lane's."""
        records = (*self._lane_records(lane_id), *self._plaza_records(lane_id))
        head = self._head(lane_id)
        for _, body in bodies(records):
            orders = (leg.get("out_trade_no") for leg in body.get("legs", []))
            for number in (body.get("passage_id"), *(each for each in orders if each is not None)):
                if not str(number).startswith(head):
                    return True
        return False

    # ---- rows ----

    def _head(self, lane_id: LaneId) -> str:
        """Return what the numbers of a lane's passages and orders begin with."""
        return f"{self._world.lanes[lane_id].config.plaza_id}{lane_id}"

    def _lane_of(self, number: str) -> str:
        """Return the lane of an order's number; empty where it is of none here."""
        return self._heads.get(number[: len(min(self._heads))], "")

    def _count(self, table: str) -> int:
        return int(self._plaza(f"SELECT count(*) AS found FROM {table}")[0]["found"])  # noqa: S608

    def _plaza(self, sql: str, **values: str) -> list[RowMapping]:
        return rows_of(self._world.plaza_store.engine, sql, **values)

    def _of_lane(self, table: str, what: str, lane_id: LaneId) -> list[RowMapping]:
        """Return *what* of a lane's rows in one of ``_KEYS``, by their key."""
        key, begin = _KEYS[table]
        values: dict[str, str] = {}
        parts = []
        for number, form in enumerate(begin):
            head = form.format(head=self._head(lane_id), lane=lane_id)
            values |= {f"from_{number}": head, f"to_{number}": head + _BEHIND}
            parts.append(f"({key} > :from_{number} AND {key} < :to_{number})")
        sql = f"SELECT {what} FROM {table} WHERE {' OR '.join(parts)} ORDER BY {key}"  # noqa: S608
        return self._plaza(sql, **values)

    def _orders(self, lane_id: LaneId) -> list[RowMapping]:
        what = "out_trade_no, state, toll_fen, captured_fen, refunded_fen"
        return self._of_lane("orders", what, lane_id)

    def _transfers(self, lane_id: LaneId) -> list[RowMapping]:
        what = "transfer_id, debit, credit, amount_fen, kind, pending_id, out_trade_no"
        return self._of_lane("transfers", what, lane_id)

    def _etc_dues(self, lane_id: LaneId) -> list[RowMapping]:
        return self._of_lane("etc_dues", "passage_id, amount_fen, state", lane_id)

    def _lane_records(self, lane_id: LaneId) -> Iterator[AuditedRecord]:
        sql = f"SELECT {_RECORD} FROM records ORDER BY epoch, seq"  # noqa: S608
        return map(record_of, rows_of(self._world.journals[lane_id], sql))

    def _plaza_records(self, lane_id: LaneId) -> Iterator[AuditedRecord]:
        sql = (
            f"SELECT {_RECORD_AT_PLAZA} FROM {_AT_PLAZA}"  # noqa: S608
            " WHERE r.lane_id = :lane ORDER BY r.epoch, r.seq"
        )
        return map(record_of, self._plaza(sql, lane=lane_id))

    def _debits(self, lane_id: LaneId) -> Iterator[AuditedDebit]:
        """Yield what a lane's reader took, by its closed books and its open ones."""
        sql = (
            "SELECT reference, tag_id, vehicle_id, amount_fen, txn_id FROM debits"
            " WHERE lane_id = ? ORDER BY rowid"
        )
        for row in self._books.execute(sql, (lane_id,)):
            reference, tag_id, vehicle_id, amount_fen, txn_id = row
            yield AuditedDebit(
                reference=reference,
                tag_id=tag_id,
                vehicle_id=vehicle_id,
                amount_fen=amount_fen,
                txn_id=txn_id,
            )
        yield from map(debit_of, self._world.site.tag_charges(lane_id))
