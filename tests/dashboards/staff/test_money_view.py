"""Amounts, ages, times and words of the pages of money."""

from __future__ import annotations

import pytest

from dashboards.staff.money_view import DAY_MS, HOUR_MS, MINUTE_MS, View, beijing, yuan

NOW_MS = 1_795_314_605_000


def view(path: str = "en", **changes: object) -> View:
    """Return the view of a stranger."""
    values: dict[str, object] = {
        "path": path,
        "rest": "/sign-in",
        "plaza_id": "330101",
        "simulation": False,
        "now_ms": NOW_MS,
        "session": None,
    }
    return View(**(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fen", "words"), [(0, "¥0.00"), (5, "¥0.05"), (123_450, "¥1,234.50"), (100, "¥1.00")]
)
def test_amounts_are_yuan_and_two_digits(fen: int, words: str) -> None:
    """Whole fen, no rounding."""
    assert yuan(fen) == words


@pytest.mark.parametrize(
    ("past_ms", "words"),
    [
        (-5, "0 min"),
        (HOUR_MS - 1, "59 min"),
        (HOUR_MS, "1 h"),
        (DAY_MS - MINUTE_MS, "23 h"),
        (4 * DAY_MS, "4 d"),
    ],
)
def test_ages_are_whole_units(past_ms: int, words: str) -> None:
    """The largest that fits; a clock that is ahead makes nothing negative."""
    assert view().age(NOW_MS - past_ms) == words


def test_times_are_beijings() -> None:
    """Whatever this machine's zone is."""
    assert beijing(NOW_MS) == "2026-11-22 10:30:05"


def test_a_word_newer_than_the_page_is_shown_as_it_is() -> None:
    """The plaza may be a version ahead."""
    assert view().word("leg", "consumed") == "used for this toll"
    assert view().word("leg", "brand_new") == "brand_new"


@pytest.mark.parametrize(("path", "other"), [("zh", "en"), ("en", "zh")])
def test_a_page_is_whole_in_its_language(path: str, other: str) -> None:
    """Its language, the way to the other one, and the band of a simulation."""
    found = view(path, simulation=True).page("T<", "body<")
    assert found.startswith("<!doctype html><html lang=")
    assert f'href="/{other}/sign-in"' in found
    assert "SIMULATION" in found
    assert "T&lt;" in found
    assert "body&lt;" in found
    assert "SIMULATION" not in view(path).page("T")
