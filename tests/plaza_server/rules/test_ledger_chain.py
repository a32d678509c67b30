"""The chain over transfers."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from plaza_server.rules import ledger_chain as subject


def row(name: str = "a", **changes: Any) -> dict[str, Any]:
    """Return a row of transfers as it is before it gets its place."""
    return {
        "transfer_id": name,
        "kind": "posted",
        "debit": "clearing:alipay",
        "credit": "suspense",
        "amount_fen": 100,
        "out_trade_no": None,
        "pending_id": None,
        "at_ns": 1,
        "wall_ms": 2,
        **changes,
    }


def test_rows_are_numbered_from_one_and_hang_together() -> None:
    """Number, stream and hash are filled in; the head says what comes next."""
    start = subject.stream_start("boot")
    one, two = row("a"), row("b")
    middle = subject.link(start, "boot", one)
    end = subject.link(middle, "boot", two)
    assert [(each["stream"], each["stream_no"]) for each in (one, two)] == [
        ("boot", 1),
        ("boot", 2),
    ]
    assert (start.next_no, middle.next_no, end.next_no) == (1, 2, 3)
    assert (middle.head_hash, end.head_hash) == (one["chain_hash"], two["chain_hash"])
    assert subject.row_hash(middle.head_hash, two) == two["chain_hash"]
    assert subject.stream_start("other").head_hash != start.head_hash


def test_a_hash_can_be_recomputed_with_nothing_of_ours() -> None:
    """SHA-256 over the previous hash, a line feed and the row as a JSON list."""
    start = subject.stream_start("boot")
    one = row("é")
    subject.link(start, "boot", one)
    text = '["boot",1,"\\u00e9","posted","clearing:alipay","suspense",100,null,null,1,2]'
    assert json.loads(text)[2] == "é"
    before = hashlib.sha256(b"open-toll-lane ledger boot").hexdigest()
    wanted = hashlib.sha256(f"{before}\n{text}".encode()).hexdigest()
    assert one["chain_hash"] == wanted


@pytest.mark.parametrize("name", subject.FIELDS)
def test_every_column_is_in_the_hash(name: str) -> None:
    """Whatever is changed in a row changes its hash."""
    start = subject.stream_start("boot")
    one = row()
    subject.link(start, "boot", one)
    changed = {**one, name: "changed"}
    assert subject.row_hash(start.head_hash, changed) != one["chain_hash"]
    assert set(subject.FIELDS) == set(one) - {"chain_hash"}
