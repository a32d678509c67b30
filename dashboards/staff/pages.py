"""The pages: each registered once per language, so that the language of everything follows."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from nicegui import ui

from dashboards.shared.feed import Feed
from dashboards.shared.texts import PATHS, text
from dashboards.staff.lane_wall import LaneWall

_CSS = (Path(__file__).parent / "lane_wall.css").read_text(encoding="utf-8")


def install(feed: Feed, *, plaza_id: str) -> None:
    """Register the wall of lanes under ``/zh/`` and ``/en/``."""
    for path, language in PATHS.items():
        other = next(each for each in PATHS if each != path)
        builder = partial(_wall, feed, language, plaza_id, f"/{other}/")
        title = text(language, "ui.title")
        ui.page(f"/{path}/", language=language, title=title)(builder)  # type: ignore[arg-type]


def _wall(feed: Feed, language: str, plaza_id: str, other_path: str) -> None:
    ui.add_css(_CSS)
    LaneWall(feed, language=language, plaza_id=plaza_id, other_path=other_path)
