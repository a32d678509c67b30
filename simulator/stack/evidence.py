"""Gathers what the auditor may see of a run in real processes: the outside's own answers, the
stores by plain SQL, the taps, and every file as bytes.

It knows the stores' tables by their names alone and asks nothing of the code under test.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row
from pydantic import TypeAdapter

from simulator.auditor import (
    AuditedClaim,
    AuditedDebit,
    AuditedOrder,
    AuditedRecord,
    AuditedTariff,
    AuditedTransfer,
    CapturedTrade,
    CouponRow,
    DriverStory,
    EtcDueRow,
    Evidence,
    Restart,
    Tapped,
    TextSource,
)
from simulator.plant import events
from tolling.tariffs import TariffSet

BUSY_S = 5.0
BUYER = "driver-"
"""A driver's wallet at the platform, before the vehicle's number."""
TAG = "TAG"
"""What every tag's id begins with on the site; the vehicle's number follows."""
TENDERS = ("alipay", "wechat", "unionpay", "cash", "etc")
_ENTRIES: dict[str, TypeAdapter[events.LogEntry]] = {
    "plant_edge": TypeAdapter(events.PlantEdge),
    "strike": TypeAdapter(events.Strike),
    "boom_move": TypeAdapter(events.BoomMove),
    "contact": TypeAdapter(events.Contact),
    "lamp": TypeAdapter(events.Lamp),
    "display": TypeAdapter(events.Display),
    "passage": TypeAdapter(events.Passage),
}
_LANE_RECORDS = (
    "SELECT plaza_id, lane_id, epoch, seq, previous_hash, chain_hash, body FROM records"
    " ORDER BY epoch, seq"
)
_PLAZA_RECORDS = (
    "SELECT l.plaza_id, r.lane_id, r.epoch, r.seq, r.previous_hash, r.chain_hash, r.body"
    " FROM records r JOIN lanes l ON l.lane_id = r.lane_id ORDER BY r.lane_id, r.epoch, r.seq"
)
_ORDERS = (
    "SELECT out_trade_no, state, toll_fen, captured_fen, refunded_fen FROM orders"
    " ORDER BY out_trade_no"
)
_TRANSFERS = (
    "SELECT transfer_id, debit, credit, amount_fen, kind, pending_id, out_trade_no FROM transfers"
    " ORDER BY transfer_id"
)
_CLAIMS = "SELECT claim_id, out_trade_no, amount_fen, state FROM claims ORDER BY claim_id"

_COUPONS = "SELECT coupon_no, state FROM coupons ORDER BY coupon_no"
_ETC_DUES = "SELECT passage_id, amount_fen, state FROM etc_dues ORDER BY passage_id"
_UNREAD = "SELECT lane_id, epoch, seq FROM quarantine WHERE released_ms IS NULL"
_ALARMS = "SELECT code, subject, what, raised_ms, cleared_ms FROM alarms ORDER BY alarm_no"

Store = Path | str
"""A SQLite file, or the URL of a PostgreSQL database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What road, platform and drivers told, asked while they still ran."""

    log: tuple[events.LogEntry, ...]
    trades: tuple[CapturedTrade, ...]
    drivers: tuple[DriverStory, ...]
    codes: tuple[str, ...]
    borrowed: tuple[tuple[int, int], ...]
    timings: tuple[dict[str, Any], ...]
    debits: tuple[AuditedDebit, ...]


def outside_of(
    *,
    log: Sequence[Mapping[str, Any]],
    books: Mapping[str, Iterable[Mapping[str, Any]]],
    memories: Iterable[Mapping[str, Any]],
    codes: Mapping[str, Any],
    timings: Iterable[Mapping[str, Any]] = (),
    charges: Iterable[Mapping[str, Any]] = (),
) -> Outside:
    """Return the outside by the control APIs' JSON.

    Args:   books: every platform's trades, by its name. codes: the answer of GET /codes whole.
            charges: of every lane's ETC reader, by its own books.
    """
    lane_of = {
        entry["vehicle_id"]: entry["lane"]
        for entry in log
        if entry["kind"] == "plant_edge" and entry["what"] == "on_road"
    }
    return Outside(
        log=tuple(log_entry(entry) for entry in log),
        trades=tuple(_trade(name, trade) for name, trades in books.items() for trade in trades),
        drivers=tuple(_driver(memory, lane_of) for memory in memories),
        codes=tuple(codes["codes"]),
        borrowed=tuple(_borrowed(codes["borrowed"])),
        timings=tuple(dict(timing) for timing in timings),
        debits=tuple(_debit(charge) for charge in charges if charge["txn_id"] is not None),
    )


def gather(
    outside: Outside,
    *,
    plaza_store: Store,
    journals: Iterable[Path],
    tapped: Iterable[Tapped],
    restarts: Iterable[Restart],
    texts: Iterable[TextSource],
    at_rest: bool,
    misread_plates: bool,
    tariffs: Iterable[TariffSet] = (),
) -> Evidence:
    """Return the evidence of a run.

    Raises: sqlite3.Error, psycopg.Error: a store cannot be read.
    """
    return Evidence(
        at_rest=at_rest,
        plant_log=outside.log,
        trades=outside.trades,
        drivers=outside.drivers,
        lane_records=tuple(record for path in journals for record in lane_records(path)),
        plaza_records=tuple(plaza_records(plaza_store)),
        orders=tuple(AuditedOrder(**row) for row in rows(plaza_store, _ORDERS)),
        transfers=tuple(AuditedTransfer(**row) for row in rows(plaza_store, _TRANSFERS)),
        claims=tuple(AuditedClaim(**row) for row in rows(plaza_store, _CLAIMS)),
        tapped=tuple(tapped),
        texts=texts,
        codes=outside.codes,
        borrowed=outside.borrowed,
        restarts=tuple(restarts),
        misread_plates=misread_plates,
        tariffs=tuple(map(_tariff, tariffs)),
        coupon_rows=tuple(CouponRow(**row) for row in rows(plaza_store, _COUPONS)),
        debits=outside.debits,
        etc_dues=tuple(EtcDueRow(**row) for row in rows(plaza_store, _ETC_DUES)),
        unread=frozenset(
            (row["lane_id"], row["epoch"], row["seq"]) for row in rows(plaza_store, _UNREAD)
        ),
    )


def _tariff(tariff: TariffSet) -> AuditedTariff:
    """Return a version of the tariff. When lanes heard of it nobody writes down here, so its time
    says nothing."""
    rows = tuple(
        (row.entry_station, int(row.vehicle_class), row.toll_fen, row.distance_m)
        for row in tariff.rows
    )
    return AuditedTariff(version=tariff.version, from_us=None, rows=rows)


# ---- stores ----


def rows(store: Store, sql: str) -> list[dict[str, Any]]:
    """Return the rows of a query, opened to be read only; none where a SQLite file is not there
    yet.

    Raises: sqlite3.Error, psycopg.Error.
    """
    if isinstance(store, str):
        with psycopg.connect(store, row_factory=dict_row, connect_timeout=int(BUSY_S)) as server:
            server.read_only = True
            return list(server.execute(sql.encode()))
    if not store.exists():
        return []
    where = f"{store.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(where, uri=True, timeout=BUSY_S)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(sql)]


def lane_records(journal: Path) -> Iterator[AuditedRecord]:
    """Yield the sealed records of a lane's journal."""
    for row in rows(journal, _LANE_RECORDS):
        yield _record(row)


def plaza_records(store: Store) -> Iterator[AuditedRecord]:
    """Yield the sealed records of the plaza's store."""
    for row in rows(store, _PLAZA_RECORDS):
        yield _record(row)


def plaza_alarms(store: Store, plaza_id: str, at_us: Callable[[int], int]) -> Iterator[Tapped]:
    """Yield the alarms of the plaza itself, raised and cleared: the lanes' are on the broker, the
    plaza's own are in its store, where its API finds them.

    Args:   at_us: UTC milliseconds -> the plant's time.
    """
    for row in rows(store, _ALARMS):
        told = {key: row[key] for key in ("code", "subject", "what")}
        for raised, at_ms in ((True, row["raised_ms"]), (False, row["cleared_ms"])):
            if at_ms is not None:
                text = json.dumps({**told, "raised": raised}, ensure_ascii=False)
                channel = f"toll/{plaza_id}/plaza/alarm"
                yield Tapped(at_us=at_us(at_ms), channel=channel, text=text)


def settled_by(journal: Path, passage_id: str) -> str | None:
    """Return by which tender a lane's sealed record says a passage was paid, "none" where it was
    not, None before it is sealed: the list an attendant looks at when the customer is gone."""
    for record in lane_records(journal):
        body = json.loads(record.body)
        if body["passage_id"] == passage_id:
            return str(body["legs"][-1]["tender"]) if body["legs"] else "none"
    return None


def by_tender(bodies: Iterable[str | bytes]) -> dict[str, int]:
    """Return how many passages each tender settled, by the sealed records."""
    counts = dict.fromkeys(TENDERS, 0)
    for body in bodies:
        for tender in {leg["tender"] for leg in json.loads(body).get("legs", [])}:
            counts[tender] = counts.get(tender, 0) + 1
    return counts


def _record(row: dict[str, Any]) -> AuditedRecord:
    body = row["body"]
    text = body if isinstance(body, str) else bytes(body).decode("utf-8")
    return AuditedRecord(**{**row, "body": text})


# ---- the outside ----


def log_entry(plain: Mapping[str, Any]) -> events.LogEntry:
    """Return one entry of the road's log from the site's JSON."""
    fields = {key: value for key, value in plain.items() if key != "kind"}
    return _ENTRIES[plain["kind"]].validate_python(fields)


def _trade(platform: str, trade: Mapping[str, Any]) -> CapturedTrade:
    paid_at_ns = trade["paid_at_ns"]
    return CapturedTrade(
        platform=platform,
        out_trade_no=trade["out_trade_no"],
        captured_fen=trade["captured_fen"],
        refunded_fen=trade["refunded_fen"],
        paid_at_us=None if paid_at_ns is None else paid_at_ns // 1_000,
        code_no=trade["code_no"],
        payer=_vehicle_of(str(trade.get("buyer_id", ""))),
    )


def _debit(charge: Mapping[str, Any]) -> AuditedDebit:
    return AuditedDebit(
        reference=charge["reference"],
        tag_id=charge["tag_id"],
        vehicle_id=int(charge["tag_id"].removeprefix(TAG)),
        amount_fen=charge["amount_fen"],
        txn_id=charge["txn_id"],
    )


def _vehicle_of(buyer: str) -> int | None:
    """Return which vehicle's driver has that wallet, None where it is nobody's on the road."""
    number = buyer.removeprefix(BUYER)
    return int(number) if buyer.startswith(BUYER) and number.isdecimal() else None


def _borrowed(pairs: Iterable[Sequence[str]]) -> Iterator[tuple[int, int]]:
    """Yield the vehicles of (buyer, owner)."""
    for buyer, owner in pairs:
        vehicle, other = _vehicle_of(buyer), _vehicle_of(owner)
        if vehicle is not None and other is not None:
            yield vehicle, other


def _driver(memory: Mapping[str, Any], lane_of: Mapping[int, str]) -> DriverStory:
    paid = dict.fromkeys(("phone", "cash", "etc"), 0)
    for money in memory["taken"]:
        paid[money["by"]] += money["amount_fen"]
    return DriverStory(
        lane_id=lane_of.get(memory["vehicle_id"], ""),
        vehicle_id=memory["vehicle_id"],
        plate=memory["plate"],
        phone_fen=paid["phone"],
        cash_fen=paid["cash"],
        etc_fen=paid["etc"],
        gone=memory["gone_us"] is not None,
        backed_out=memory["backed_out"],
    )


# ---- files ----


def texts_below(*folders: Path) -> Iterator[TextSource]:
    """Yield every file below folders as bytes: journals, stores, logs, the broker's own files."""
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            # A ballast is zeros; what the kernel calls no file (sockets, links) holds nothing.
            plain = path.is_file() and not path.is_symlink()
            if plain and not path.name.endswith(".ballast"):
                try:
                    data = path.read_bytes()
                except FileNotFoundError:
                    continue  # Whoever still runs may take a file away.
                yield TextSource(name=str(path.relative_to(folder.parent)), data=data)
