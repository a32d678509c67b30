"""One feed of rows for every open page: what changed goes out five times a second, also nothing.

The beat is what lets a page say that it is frozen: a page that hears nothing for 3 s marks itself
stale, whatever it shows. Times are milliseconds of this server's monotonic clock; a page counts on
from the last one it got, so its own clock does not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nicegui import Event

BEAT_S = 0.2
"""Five times a second: geometry never needs more, and ten cost half as much again when measured."""
STALE_S = 3.0
"""A page, or a lane's row, older than this is marked; a lane reports once a second."""
ROWS_MAX = 1000
"""Lane numbers have three digits."""

Row = dict[str, Any]


class Feed:
    """Rows by id, and the facts about the feed itself."""

    def __init__(self, *, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._rows: dict[str, Row] = {}
        self._dirty: set[str] = set()
        self._facts: Row = {}
        self.seq = 0
        """Number of the last beat; a page that missed one asks for a snapshot."""
        self.changed: Event[[int, int, Row, list[Row]]] = Event()
        """Emitted at every beat: (seq, now_ms, facts, changed rows)."""

    def put(self, row_id: str, row: Mapping[str, Any]) -> None:
        """Replace one row. Raises: ValueError: more rows than a plaza can have."""
        if row_id not in self._rows and len(self._rows) >= ROWS_MAX:
            raise ValueError(f"more than {ROWS_MAX} rows")
        self._rows[row_id] = {**row, "id": row_id}
        self._dirty.add(row_id)

    def tell(self, **facts: object) -> None:
        """Set facts about the feed itself: is its source there, is this a simulation."""
        self._facts.update(facts)

    def beat(self) -> None:
        """Send what changed since the last beat, to everybody at once."""
        rows = [self._rows[row_id] for row_id in sorted(self._dirty)]
        self._dirty.clear()
        self.seq += 1
        self.changed.emit(self.seq, self._now_ms(), dict(self._facts), rows)

    def snapshot(self) -> tuple[int, int, Row, list[Row]]:
        """Return everything, as a page needs it to begin or to catch up."""
        rows = [self._rows[row_id] for row_id in sorted(self._rows)]
        return self.seq, self._now_ms(), dict(self._facts), rows
