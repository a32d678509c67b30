"""plaza-server roots and receipt, on a plaza that does not run."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from plaza_server.rules.units import AddLane, TakeRecords
from plaza_server.store import Store, commit_group, open_store
from tests.plaza_server.api.receipt_rig import told
from tests.plaza_server.plaza_process import LANE, PLAZA, command, made
from tests.plaza_server.rules.values import AT
from tests.plaza_server.store.test_units import LEASE
from tolling.canonical import canonical_bytes
from tolling.chain import genesis, seal
from tolling.ids import LaneId, PlazaId
from tolling.roots import DAY_MS, beijing_day

pytestmark = [pytest.mark.asyncio, pytest.mark.wire, pytest.mark.slow]


@contextmanager
def store_of(home: Path) -> Iterator[Store]:
    """Give the plaza's store."""
    store = open_store(f"sqlite:///{home}/plaza.db")
    try:
        yield store
    finally:
        store.close()


async def plaza_with_records(home: Path, *times_ms: int) -> str:
    """Make a plaza whose lane sealed one record at each time; return the config's path."""
    said = await made(home, "http://127.0.0.1:9/gateway.do")
    lane, plaza = LaneId(LANE), PlazaId(PLAZA)
    anchor = genesis(plaza, lane, 1)
    with store_of(home) as store:
        units: list[Any] = [
            AddLane(lane_id=lane, plaza_id=plaza, token_hash="0" * 64, now_ms=times_ms[0])
        ]
        for number, at_ms in enumerate(times_ms, start=1):
            sealed = seal(anchor, canonical_bytes(told(f"{PLAZA}{LANE}001{number:09d}")))
            at = replace(AT, wall_ms=at_ms)
            units.append(TakeRecords(lane_id=lane, records=(sealed,), lease=LEASE, at=at))
            anchor = replace(anchor, seq=number, chain_hash=sealed.chain_hash)
        (result,) = commit_group(store.engine, [units])
        assert isinstance(result, tuple), result
    return str(said["config"])


async def test_days_are_closed_exported_and_proven(tmp_path: Path) -> None:
    """Two whole days, then today so far; every root adds to the one before."""
    now_ms = time.time_ns() // 1_000_000
    times = (now_ms - 3 * DAY_MS, now_ms - 2 * DAY_MS, now_ms - 1)
    config = await plaza_with_records(tmp_path, *times)
    code, out, errors = await command("roots", "close", "--config", config, "--json")
    assert code == 0, errors
    closed = json.loads(out.splitlines()[-1])["closed"]
    days = [each["head"]["day"] for each in closed]
    # Yesterday too, but for its last five minutes.
    assert days[:2] == [beijing_day(at_ms) for at_ms in times[:2]]
    today = beijing_day(time.time_ns() // 1_000_000)
    code, out, _ = await command("roots", "close", "--config", config, "--day", today, "--json")
    (root,) = json.loads(out.splitlines()[-1])["closed"]
    assert (code, root["head"]["size"]) == (0, 3)
    code, out, _ = await command("roots", "close", "--config", config, "--day", "2026-01-01")
    assert (code, out) == (0, "nothing to close\n")
    code, out, errors = await command("roots", "check", "--config", config, "--json")
    assert code == 0, errors
    found = json.loads(out.splitlines()[-1])
    assert found == {"wrong": None, "receipts": 3, "roots": len(closed) + 1, "leaves": 3}
    code, out, errors = await command("roots", "export", "--config", config, "--since", "1")
    assert code == 0, errors
    roots = tmp_path / "roots.jsonl"
    roots.write_text(out)
    key = str(tmp_path / "keys" / "plaza_public.json")
    code, out, errors = await command("receipt", "verify", str(roots), "--public-key", key)
    assert (code, "good" in out) == (0, True), errors
    lines = roots.read_text().splitlines()
    roots.write_text("\n".join([lines[0], *lines[2:]]))
    code, out, _ = await command("receipt", "verify", str(roots), "--public-key", key)
    assert (code, "NOT VALID" in out) == (1, True)


@pytest.mark.parametrize("day", ["yesterday", "2026-13-01", "2099-01-01"])
async def test_a_day_that_is_none_or_to_come_is_refused(tmp_path: Path, day: str) -> None:
    """Exit 2 and one line."""
    said = await made(tmp_path, "http://127.0.0.1:9/gateway.do")
    code, out, errors = await command("roots", "close", "--config", said["config"], "--day", day)
    assert (code, out, errors.count("\n")) == (2, "", 1)
    assert "--day" in errors


async def test_a_running_plaza_keeps_its_store(tmp_path: Path) -> None:
    """Closing is refused while another has it, exporting is not."""
    said = await made(tmp_path, "http://127.0.0.1:9/gateway.do")
    with store_of(tmp_path):
        code, _, errors = await command("roots", "close", "--config", said["config"])
        assert (code, "another plaza process" in errors) == (2, True)
        code, out, errors = await command("roots", "export", "--config", said["config"])
        assert (code, out) == (0, ""), errors


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("none.json", None),
        ("a.json", "no json"),
        ("a.json", "[]"),
        ("a.json", "{}"),
        ("a.json", '{"content": "{}", "key_id": "0", "signature": ""}'),
        ("a.json", '[{"head": {}}]'),
        ("a.json", "[" * 100_000),
        ("http://plaza/r/1?c=2", None),
    ],
)
async def test_what_is_no_receipt_is_bad_input(
    tmp_path: Path, source: str, text: str | None
) -> None:
    """Exit 2 and one line, never a trace."""
    said = await made(tmp_path, "http://127.0.0.1:9/gateway.do")
    if text is not None:
        (tmp_path / source).write_text(text)
    where = source if source.startswith("http") else str(tmp_path / source)
    key = str(said["public_file"])
    code, out, errors = await command("receipt", "verify", where, "--public-key", key)
    assert (code, out, errors.count("\n")) == (2, "", 1), errors
    assert errors.startswith("plaza-server: ")
