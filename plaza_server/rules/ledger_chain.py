"""The hash chain over transfers. Pure.

Strategy. Every process writes a stream of its own, named by its boot id, so that several processes
on one database never wait for each other. In a stream rows are numbered from 1 without a gap and
each row's hash covers the hash before it and the row itself. The head of each stream (next number,
last hash) is kept beside them and moved in the same transaction, so that rows cut off its end show
too. Whoever reads the table can recompute it: the hash is SHA-256 over the previous hash, a line
feed, and the row as one JSON list without white space, non-ASCII escaped, in the order of FIELDS.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tolling.evolve import quick

FIELDS = (
    "stream",
    "stream_no",
    "transfer_id",
    "kind",
    "debit",
    "credit",
    "amount_fen",
    "out_trade_no",
    "pending_id",
    "at_ns",
    "wall_ms",
)
"""Columns of ``transfers`` that are hashed, in this order: all but the hash itself."""

_write = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class StreamHead:
    """The end of one stream."""

    next_no: int
    """Number its next row gets: 1 where it has none."""
    head_hash: str
    """Hash of its last row, 64 hex digits."""


def stream_start(stream: str) -> StreamHead:
    """Return the head of a stream without rows."""
    text = f"open-toll-lane ledger {stream}"
    return StreamHead(next_no=1, head_hash=hashlib.sha256(text.encode()).hexdigest())


def row_hash(previous_hash: str, row: Mapping[str, Any]) -> str:
    """Return the hash (64 hex digits) of a row of ``transfers`` behind *previous_hash*."""
    body = _write([row[name] for name in FIELDS])
    return hashlib.sha256(f"{previous_hash}\n{body}".encode("ascii")).hexdigest()


def link(head: StreamHead, stream: str, row: dict[str, Any]) -> StreamHead:
    """Fill stream, stream_no and chain_hash into *row* as the next of its stream, and return its
    new head."""
    row["stream"] = stream
    row["stream_no"] = head.next_no
    digest = row_hash(head.head_hash, row)
    row["chain_hash"] = digest
    return StreamHead(next_no=head.next_no + 1, head_hash=digest)
