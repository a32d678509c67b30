"""Tests of simulator.bench.floor.side: the bare programs on real wires."""

from __future__ import annotations

from pathlib import Path

import pysqlite3.dbapi2 as sqlite
import pytest

from simulator.bench.floor.side import FloorSide
from simulator.bench.road import BenchRoad, StuckError


@pytest.mark.wire
@pytest.mark.slow
@pytest.mark.asyncio
async def test_each_scan_is_paid_and_raises_once(tmp_path: Path) -> None:
    """Four scans over two lanes: four paid orders with both transfers, and every time is a time."""
    (tmp_path / "wires").mkdir()
    road = BenchRoad(("901", "902"), tmp_path / "wires")
    async with road.running():
        subject = FloorSide(road, ("901", "902"), tmp_path / "floor")
        async with subject.running():
            found = await subject.block(4)
    assert len(found) == 4
    assert all(0 < us < 5_000_000 for us in found)
    books = sqlite.connect(str(tmp_path / "floor" / "plaza.db"))
    assert books.execute("SELECT state, COUNT(*) FROM orders GROUP BY 1").fetchall() == [
        ("paid", 4)
    ]
    assert books.execute("SELECT COUNT(*) FROM transfers").fetchone() == (8,)
    books.close()


@pytest.mark.wire
@pytest.mark.slow
@pytest.mark.asyncio
async def test_a_lane_that_does_not_raise_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody listens to the scanner: the error names the lane."""
    monkeypatch.setattr("simulator.bench.road.RAISE_S", 0.2)
    (tmp_path / "wires").mkdir()
    road = BenchRoad(("901",), tmp_path / "wires")
    async with road.running():
        with pytest.raises(StuckError, match="lane 901"):
            await road.scan("901", "281234567890123456")
