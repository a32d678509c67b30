"""Orders to rows and back."""

from __future__ import annotations

from dataclasses import fields
from operator import attrgetter
from typing import Any

from sqlalchemy import RowMapping

from plaza_server.rules.orders import Order, RecordMark, needs_work
from tolling.orders import NextStep, OrderState, ReasonCode
from tolling.paycodes import Wallet
from tolling.vehicles import VehicleClass

_FIELDS = tuple(field.name for field in fields(Order))
_values_of = attrgetter(*_FIELDS)
_WORDS = ("wallet", "vehicle_class", "state", "reason", "next", "record")
"""Fields that hold a member of an enum, or None."""
FIXED = frozenset(
    {
        "out_trade_no",
        "passage_id",
        "attempt",
        "lane_id",
        "platform",
        "payee",
        "wallet",
        "toll_fen",
        "tariff_id",
        "tariff_version",
        "tariff_row",
        "vehicle_class",
        "plate",
        "subject",
        "txn_time",
        "code_hash",
        "request_digest",
        "created_at_ns",
        "created_ms",
        "sent_at_ns",
        "sent_ms",
    }
)
"""Columns that never change once an order is stored."""
CHANGING = tuple(name for name in (*_FIELDS, "work") if name not in FIXED)
"""Columns that may change."""


def order_row(order: Order) -> dict[str, Any]:
    """Return *order* as a row of ``orders``."""
    row = dict(zip(_FIELDS, _values_of(order), strict=True))
    for name in _WORDS:
        word = row[name]
        row[name] = None if word is None else word.value
    row["work"] = needs_work(order)
    return row


def order_of(row: RowMapping | dict[str, Any]) -> Order:
    """Return the order of a row of ``orders``."""
    values = {name: row[name] for name in _FIELDS}
    wallet, vehicle_class = row["wallet"], row["vehicle_class"]
    values["wallet"] = None if wallet is None else Wallet(wallet)
    values["vehicle_class"] = None if vehicle_class is None else VehicleClass(vehicle_class)
    values["state"] = OrderState(row["state"])
    values["reason"] = ReasonCode(row["reason"])
    values["next"] = NextStep(row["next"])
    values["record"] = RecordMark(row["record"])
    values["proven"] = bool(row["proven"])
    values["pending"] = bool(row["pending"])
    return Order(**values)
