"""Collects what the auditor may see of a run in real processes: outside, stores, wires, files."""

from __future__ import annotations

import dataclasses
import sqlite3
import types
import typing
from collections.abc import Iterator, Mapping
from contextlib import closing
from enum import Enum
from pathlib import Path
from typing import Any

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
from simulator.demo.files import Layout, all_files
from simulator.demo.http import Api, SiteApi
from simulator.plant import events

_KINDS: dict[str, type[Any]] = {
    "plant_edge": events.PlantEdge,
    "strike": events.Strike,
    "boom_move": events.BoomMove,
    "contact": events.Contact,
    "lamp": events.Lamp,
    "display": events.Display,
    "passage": events.Passage,
}
_RECORDS = (
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
    "SELECT transfer_id, debit, credit, amount_fen, kind, pending_id FROM transfers"
    " ORDER BY transfer_id"
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What the site told, asked while it still ran."""

    log: tuple[events.LogEntry, ...]
    trades: tuple[CapturedTrade, ...]
    drivers: tuple[DriverStory, ...]
    codes: tuple[str, ...]
    timings: tuple[dict[str, Any], ...]


async def ask_outside(
    site: SiteApi, platform: Api, lanes_of_vehicles: Mapping[int, str]
) -> Outside:
    """Ask road, platform and drivers for all they know.

    Args:   lanes_of_vehicles: which lane each vehicle was sent to.
    Raises: CallFailedError: the site does not answer.
    """
    memories = await site.memories()
    trades = (await platform.call("GET", "/trades"))["trades"]
    return Outside(
        log=tuple(log_entry(entry) for entry in await site.log()),
        trades=tuple(_trade(trade) for trade in trades),
        drivers=tuple(_driver(memory, lanes_of_vehicles) for memory in memories),
        codes=tuple((await site.call("GET", "/codes"))["codes"]),
        timings=tuple(await site.timings()),
    )


def gather(
    layout: Layout,
    outside: Outside,
    *,
    tapped: tuple[Tapped, ...],
    restarts: tuple[Restart, ...],
    at_rest: bool,
) -> Evidence:
    """Return the evidence of a run whose lanes and plaza have ended.

    Raises: sqlite3.Error: a store cannot be read.
    """
    store = layout.plaza_store
    return Evidence(
        at_rest=at_rest,
        plant_log=outside.log,
        trades=outside.trades,
        drivers=outside.drivers,
        lane_records=tuple(
            AuditedRecord(**_with_text(row))
            for lane in layout.lanes
            for row in rows(layout.journal(lane), _RECORDS)
        ),
        plaza_records=tuple(
            AuditedRecord(**_with_text(row)) for row in rows(store, _PLAZA_RECORDS)
        ),
        orders=tuple(AuditedOrder(**row) for row in rows(store, _ORDERS)),
        transfers=tuple(AuditedTransfer(**row) for row in rows(store, _TRANSFERS)),
        tapped=tapped,
        texts=_texts(layout.root),
        codes=outside.codes,
        restarts=restarts,
        misread_plates=False,
    )


def rows(store: Path, sql: str) -> list[dict[str, Any]]:
    """Return the rows of one query over a SQLite file, read only."""
    with closing(sqlite3.connect(f"{store.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(sql)]


def log_entry(entry: Mapping[str, Any]) -> events.LogEntry:
    """Return one entry of the road's log from the site's JSON."""
    kind = _KINDS[entry["kind"]]
    hints = typing.get_type_hints(kind)
    fields = {
        field.name: _typed(hints[field.name], entry[field.name])
        for field in dataclasses.fields(kind)
    }
    return typing.cast(events.LogEntry, kind(**fields))


def _typed(hint: Any, value: Any) -> Any:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        if value is None:
            return None
        (hint,) = (part for part in typing.get_args(hint) if part is not type(None))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint(value)
    return tuple(value) if isinstance(value, list) else value


def _trade(trade: Mapping[str, Any]) -> CapturedTrade:
    paid_at_ns = trade["paid_at_ns"]
    return CapturedTrade(
        platform="alipay",
        out_trade_no=trade["out_trade_no"],
        captured_fen=trade["captured_fen"],
        refunded_fen=trade["refunded_fen"],
        paid_at_us=None if paid_at_ns is None else paid_at_ns // 1000,
        code_no=trade["code_no"],
    )


def _driver(memory: Mapping[str, Any], lanes_of_vehicles: Mapping[int, str]) -> DriverStory:
    paid = {"phone": 0, "cash": 0, "etc": 0}
    for money in memory["taken"]:
        paid[money["by"]] += money["amount_fen"]
    return DriverStory(
        lane_id=lanes_of_vehicles.get(memory["vehicle_id"], ""),
        vehicle_id=memory["vehicle_id"],
        plate=memory["plate"],
        phone_fen=paid["phone"],
        cash_fen=paid["cash"],
        etc_fen=paid["etc"],
        gone=memory["gone_us"] is not None,
        backed_out=memory["backed_out"],
    )


def _with_text(row: dict[str, Any]) -> dict[str, Any]:
    body = row["body"]
    return {**row, "body": body if isinstance(body, str) else bytes(body).decode("utf-8")}


def _texts(root: Path) -> Iterator[TextSource]:
    """Yield every file of the run as bytes: journals, stores, logs, the broker's own files."""
    for path in all_files(root):
        yield TextSource(name=str(path.relative_to(root)), data=path.read_bytes())
