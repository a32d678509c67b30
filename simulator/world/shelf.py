"""Where a world's stores lie: in memory, or as files of a folder for a run of any length.

The files are opened by the production functions, then told not to wait for the disk: a simulated
kill drops an object and never the machine, so a commit is there when it returns either way. How
long a commit takes in world time is the world's own disk's matter.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from lane_controller.store.database import connect
from plaza_server.store import Store, open_store
from tolling.ids import LaneId

PLAZA_CACHE_KIB = 16 * 1_024
LANE_CACHE_KIB = 128
"""Of a journal's pages; two hundred lanes have one each."""


class Shelf:
    """The stores of one world; they are closed with ``close``."""

    def __init__(self, folder: Path | None) -> None:
        """Lay them into *folder*, which is empty; None: into memory."""
        self._folder = folder
        self._open: list[Engine | Store] = []

    def plaza(self) -> Store:
        """Return the plaza's store."""
        if self._folder is None:
            return open_store("sqlite://")
        store = open_store(f"sqlite:///{self._folder / 'plaza.db'}")
        store.engine.dispose()  # What opening has used was not told yet.

        def prepare(connection: Any, _record: object) -> None:
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute(f"PRAGMA cache_size = -{PLAZA_CACHE_KIB}")

        event.listen(store.engine, "connect", prepare)
        self._open.append(store)
        return store

    def journal(self, lane_id: LaneId) -> Engine:
        """Return the journal of a lane."""
        if self._folder is None:
            return connect(None)
        engine = connect(self._folder / f"lane-{lane_id}.db")
        raw = engine.raw_connection()
        try:
            cursor = raw.cursor()
            # One file for each lane, not three: a journal has this one connection.
            cursor.execute("PRAGMA locking_mode = EXCLUSIVE")
            cursor.execute("PRAGMA journal_mode = MEMORY")
            cursor.execute("PRAGMA synchronous = OFF")
            cursor.execute(f"PRAGMA cache_size = -{LANE_CACHE_KIB}")
        finally:
            raw.close()
        self._open.append(engine)
        return engine

    def close(self) -> None:
        """Close what lies in files."""
        for each in self._open:
            if isinstance(each, Engine):
                each.dispose()
            else:
                each.close()
        self._open.clear()
