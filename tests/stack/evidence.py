"""Gathers what the auditor may see of a stack: the site's control API, the platform's books, the
stores by plain SQL, the tap, and every file as bytes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from pysqlite3 import dbapi2 as sqlite

from simulator.auditor import (
    AuditedOrder,
    AuditedRecord,
    AuditedTransfer,
    CapturedTrade,
    DriverStory,
    Evidence,
    Restart,
    Tapped,
    TextSource,
)
from simulator.plant import (
    BoomMove,
    Contact,
    Display,
    Lamp,
    LogEntry,
    Passage,
    PlantEdge,
    Strike,
)
from tests.stack.site_client import SiteClient
from tests.stack.wires import Heard

_ENTRIES = {
    "plant_edge": TypeAdapter[LogEntry](PlantEdge),
    "strike": TypeAdapter[LogEntry](Strike),
    "boom_move": TypeAdapter[LogEntry](BoomMove),
    "contact": TypeAdapter[LogEntry](Contact),
    "lamp": TypeAdapter[LogEntry](Lamp),
    "display": TypeAdapter[LogEntry](Display),
    "passage": TypeAdapter[LogEntry](Passage),
}
_CHAIN = "r.lane_id, r.epoch, r.seq, r.previous_hash, r.chain_hash, r.body"


def rows(path: Path, sql: str) -> list[dict[str, Any]]:
    """Return the rows of a query on a SQLite file, opened to be read only; none where it is not
    there yet."""
    if not path.exists():
        return []
    connection = sqlite.connect(f"file:{path}?mode=ro", uri=True, timeout=5)
    try:
        connection.row_factory = sqlite.Row
        return [dict(row) for row in connection.execute(sql)]
    finally:
        connection.close()


def gather(
    site: SiteClient,
    *,
    plaza_store: Path,
    journals: list[Path],
    heard: list[Heard],
    restarts: list[Restart],
    folders: list[Path],
    misread_plates: bool,
) -> Evidence:
    """Return the evidence of a run that is at rest."""
    return Evidence(
        at_rest=True,
        plant_log=tuple(_entry(plain) for plain in site.log()),
        trades=tuple(_trades(site)),
        drivers=tuple(_drivers(site)),
        lane_records=tuple(record for path in journals for record in lane_records(path)),
        plaza_records=tuple(plaza_records(plaza_store)),
        orders=tuple(AuditedOrder(**row) for row in rows(plaza_store, _ORDERS)),
        transfers=tuple(AuditedTransfer(**row) for row in rows(plaza_store, _TRANSFERS)),
        tapped=tuple(
            Tapped(at_us=one.at_us, channel=one.channel, text=one.body.decode("utf-8", "replace"))
            for one in heard
        ),
        texts=_texts(folders),
        codes=tuple(site.ask("GET", "/codes")["codes"]),
        restarts=tuple(restarts),
        misread_plates=misread_plates,
    )


_ORDERS = "SELECT out_trade_no, state, toll_fen, captured_fen, refunded_fen FROM orders"
_TRANSFERS = "SELECT transfer_id, debit, credit, amount_fen, kind, pending_id FROM transfers"


def lane_records(journal: Path) -> Iterator[AuditedRecord]:
    """Yield the sealed records of a lane's journal."""
    for row in rows(journal, f"SELECT r.plaza_id, {_CHAIN} FROM records r ORDER BY epoch, seq"):
        yield _record(row)


def plaza_records(store: Path) -> Iterator[AuditedRecord]:
    """Yield the sealed records of the plaza's store."""
    sql = f"SELECT l.plaza_id, {_CHAIN} FROM records r JOIN lanes l ON l.lane_id = r.lane_id"
    for row in rows(store, f"{sql} ORDER BY r.lane_id, r.epoch, r.seq"):
        yield _record(row)


def _record(row: dict[str, Any]) -> AuditedRecord:
    body = row["body"]
    text = body if isinstance(body, str) else bytes(body).decode("utf-8")
    return AuditedRecord(**{**row, "body": text})


def _entry(plain: dict[str, Any]) -> LogEntry:
    fields = {key: value for key, value in plain.items() if key != "kind"}
    return _ENTRIES[plain["kind"]].validate_python(fields)


def _trades(site: SiteClient) -> Iterator[CapturedTrade]:
    for trade in site.trades():
        paid_ns = trade["paid_at_ns"]
        yield CapturedTrade(
            platform="alipay",
            out_trade_no=trade["out_trade_no"],
            captured_fen=trade["captured_fen"],
            refunded_fen=trade["refunded_fen"],
            paid_at_us=None if paid_ns is None else paid_ns // 1_000,
            code_no=trade["code_no"],
        )


def _drivers(site: SiteClient) -> Iterator[DriverStory]:
    lanes = {}
    for entry in site.log():
        if entry["kind"] == "plant_edge" and entry["what"] == "on_road":
            lanes[entry["vehicle_id"]] = entry["lane"]
    for memory in site.ask("GET", "/memories")["memories"]:
        paid = dict.fromkeys(("phone", "cash", "etc"), 0)
        for money in memory["taken"]:
            paid[money["by"]] += money["amount_fen"]
        yield DriverStory(
            lane_id=lanes[memory["vehicle_id"]],
            vehicle_id=memory["vehicle_id"],
            plate=memory["plate"],
            phone_fen=paid["phone"],
            cash_fen=paid["cash"],
            etc_fen=paid["etc"],
            gone=memory["gone_us"] is not None,
            backed_out=memory["backed_out"],
        )


def _texts(folders: list[Path]) -> Iterator[TextSource]:
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.name.endswith(".ballast"):
                yield TextSource(name=str(path.relative_to(folder.parent)), data=path.read_bytes())
