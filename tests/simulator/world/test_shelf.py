"""A world's stores as files: opened as in production, closed and removed whatever ends the run."""

from __future__ import annotations

import os
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from lane_controller.store.database import connect
from plaza_server.store import open_for_reading, open_store
from simulator.world.arrivals import PROFILES
from simulator.world.build import WorldConfig, build_world
from simulator.world.day import WINDOW_S, run_day
from simulator.world.evidence import rows_of
from simulator.world.shelf import Shelf
from tolling.errors import RefusedError
from tolling.ids import LaneId

pytestmark = pytest.mark.simulation
LANE = LaneId("001")
_OPEN = Path("/proc/self/fd")


def open_in(folder: Path) -> list[str]:
    """Return the files of a folder this process has open."""
    found = []
    for each in _OPEN.iterdir():
        try:
            found.append(os.readlink(each))
        except OSError:
            continue  # What listing it had opened itself.
    return [name for name in found if name.startswith(f"{folder}/")]


def test_a_journal_of_the_shelf_is_one_a_lane_can_open(tmp_path: Path) -> None:
    """What is written into it is there for the lane's own way of opening a journal."""
    with closing(Shelf(tmp_path)) as subject, subject.journal(LANE).begin() as connection:
        connection.exec_driver_sql("CREATE TABLE told (word TEXT)")
        connection.exec_driver_sql("INSERT INTO told VALUES ('kept')")
    (file,) = tmp_path.glob("lane-001*")
    journal = connect(file, read_only=True)
    try:
        assert [row["word"] for row in rows_of(journal, "SELECT word FROM told")] == ["kept"]
    finally:
        journal.dispose()


def test_a_plaza_of_the_shelf_is_one_a_plaza_can_open(tmp_path: Path) -> None:
    """It has a plaza's tables and its lock; no commit of it waits for the disk."""
    url = f"sqlite:///{tmp_path / 'plaza.db'}"
    with closing(Shelf(tmp_path)) as subject:
        store = subject.plaza()
        with pytest.raises(RefusedError):
            open_store(url)
        with store.engine.begin() as connection:
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 0
    with closing(open_for_reading(url)) as again:
        assert rows_of(again.engine, "SELECT * FROM orders") == []


def test_a_closed_shelf_holds_no_file_open(tmp_path: Path) -> None:
    """A whole world's stores are files of the folder, and closing lets go of all."""
    with closing(Shelf(tmp_path)) as subject:
        build_world(1, WorldConfig(lanes=2, vehicles=0), shelf=subject)
        names = {Path(name).name for name in open_in(tmp_path)}
        assert {"lane-001.db", "lane-002.db", "plaza.db"} <= names
    assert open_in(tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize("ending", [None, KeyboardInterrupt, MemoryError])
def test_a_day_leaves_no_file_behind(
    ending: type[BaseException] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its folder is there while it runs and gone afterwards, also where it is broken off."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    seen: list[set[str]] = []

    def on_window(world_ms: int, vehicles: int) -> None:
        del world_ms, vehicles
        seen.append({each.name for each in tmp_path.rglob("*.db")})
        if ending is not None:
            raise ending

    def go() -> None:
        length_ms = WINDOW_S * 1_000
        run_day(1, PROFILES["day_2017"], lanes=1, hours_ms=length_ms, on_window=on_window)

    if ending is None:
        go()
    else:
        with pytest.raises(ending):
            go()
    assert seen[0] == {"lane-001.db", "plaza.db", "debits.db"}
    assert (list(tmp_path.iterdir()), open_in(tmp_path)) == ([], [])
