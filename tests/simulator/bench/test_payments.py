"""Durable payments, measured small: both sides carry a load and write the same rows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from simulator.bench import payments as subject

pytestmark = [pytest.mark.wire, pytest.mark.long]


@pytest.mark.timeout(900)
@pytest.mark.asyncio
async def test_a_store_is_measured_at_one_caller(tmp_path: Path) -> None:
    """Real plaza, bare handler, bare commits: each has its rate, and the rows name an order."""
    told: list[str] = []
    (store,) = await subject.payments_bench(
        tmp_path / "bench", seconds=1.0, stores=("sqlite",), callers=(1,), tell=told.append
    )
    (point,) = store.points
    assert (store.store, point.callers) == ("sqlite", 1)
    assert point.ours.payments >= 1
    assert point.floor.payments >= 1
    assert point.rows_per_s > 0
    assert point.times_floor > 0
    assert "sqlite, 1 callers" in told[-1]
    rows = json.loads((tmp_path / "bench" / "sqlite" / "rows.json").read_text())
    statements = [statement for part in ("before", "after") for statement, _ in rows[part]]
    assert any(each.startswith('INSERT INTO "orders"') for each in statements)
    assert any(each.startswith('UPDATE "orders"') for each in statements)
    assert sum("transfers" in each for each in statements) == 2
