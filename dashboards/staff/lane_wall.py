"""The wall of lanes as one element: a snapshot at its start, then only what changed."""

from __future__ import annotations

from nicegui.element import Element

from dashboards.shared.feed import STALE_S, Feed, Row
from dashboards.shared.texts import texts


class LaneWall(Element, component="lane_wall.js"):
    """All lanes of one plaza in one language."""

    def __init__(
        self, feed: Feed, *, language: str, plaza_id: str, other_path: str, money_path: str
    ) -> None:
        """Show *feed*; *other_path* is this page in the other language, *money_path* that of the
        money that waits (empty: there is none)."""
        super().__init__()
        self._feed = feed
        self._props |= {
            "texts": texts(language),
            "plaza": plaza_id,
            "other": other_path,
            "money": money_path,
            "limit": STALE_S,
        }
        self.on("resync", self._send_all)
        self._send_all()
        # Subscribed inside a page, so NiceGUI ends it with the page.
        feed.changed.subscribe(self._send_changes)

    def _send_all(self) -> None:
        self.run_method("snapshot", *self._feed.snapshot())

    def _send_changes(self, seq: int, now_ms: int, facts: Row, rows: list[Row]) -> None:
        self.run_method("delta", seq, now_ms, facts, rows)
