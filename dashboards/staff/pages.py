"""The pages: each registered once per language, so that the language of everything follows."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from nicegui import ui

from dashboards.shared.feed import Feed
from dashboards.shared.html import PAGE_CSS
from dashboards.shared.texts import PATHS, text
from dashboards.staff.lane_wall import LaneWall

_CSS = PAGE_CSS + (Path(__file__).parent / "lane_wall.css").read_text(encoding="utf-8")


def install(feed: Feed, *, plaza_id: str, with_money: bool) -> None:
    """Register the wall of lanes under ``/zh/`` and ``/en/``.

    Args:   with_money: the pages of money are there too; the wall leads to them.
    """
    for path, language in PATHS.items():
        other = next(each for each in PATHS if each != path)
        money_path = f"/{path}/money" if with_money else ""
        builder = partial(_wall, feed, language, plaza_id, f"/{other}/", money_path)
        title = text(language, "ui.title")
        ui.page(f"/{path}/", language=language, title=title)(builder)  # type: ignore[arg-type]


def _wall(feed: Feed, language: str, plaza_id: str, other_path: str, money_path: str) -> None:
    ui.add_css(_CSS)
    LaneWall(
        feed, language=language, plaza_id=plaza_id, other_path=other_path, money_path=money_path
    )
