"""Bare group commit: durable when told so, and several in one transaction."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pysqlite3.dbapi2 as sqlite
import pytest

from simulator.bench.floor import groups as subject

INSERT = "INSERT INTO t VALUES (?)"


def made(tmp_path: Path) -> Path:
    path = tmp_path / "t.db"
    with sqlite.connect(str(path)) as connection:
        connection.execute("CREATE TABLE t (n INTEGER PRIMARY KEY)")
    return path


@pytest.mark.asyncio
async def test_what_waits_goes_in_one_commit(tmp_path: Path) -> None:
    """Every unit is there when its writer goes on; there are fewer commits than units."""
    path = made(tmp_path)
    groups = subject.Groups(f"{subject.SQLITE}{path}")
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        for number in range(200):
            tasks.create_task(groups.write([(INSERT, (number,))]), name="writer")
    with sqlite.connect(str(path)) as connection:
        (count,) = connection.execute("SELECT count(*) FROM t").fetchone()
    assert count == 200
    assert 1 <= groups.commits < 200


@pytest.mark.asyncio
async def test_a_row_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """A floor that silently loses rows would be no floor."""
    groups = subject.Groups(f"{subject.SQLITE}{made(tmp_path)}")
    await groups.write([(INSERT, (1,))])
    with pytest.raises(sqlite.IntegrityError):
        await groups.write([(INSERT, (1,))])
