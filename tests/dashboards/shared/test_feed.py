"""The feed: what changed, once, to everybody; a beat also when nothing did."""

from __future__ import annotations

from typing import Any

import pytest

from dashboards.shared.feed import ROWS_MAX, Feed

Beat = tuple[int, int, dict[str, Any], list[dict[str, Any]]]


@pytest.fixture
def subject() -> Feed:
    """A feed at 5000 ms of its clock."""
    return Feed(now_ms=lambda: 5000)


def beats(feed: Feed) -> list[Beat]:
    """All beats from now on."""
    heard: list[Beat] = []
    feed.changed.subscribe(lambda *beat: heard.append(beat), expect_args=True)
    return heard


def test_a_beat_tells_only_what_changed(subject: Feed) -> None:
    """A row goes out once; the next beat is empty, and has the next number."""
    heard = beats(subject)
    subject.put("002", {"mode": "open"})
    subject.put("001", {"mode": "closed"})
    subject.beat()
    subject.beat()
    rows = [{"mode": "closed", "id": "001"}, {"mode": "open", "id": "002"}]
    assert heard == [(1, 5000, {}, rows), (2, 5000, {}, [])]


def test_a_snapshot_holds_everything(subject: Feed) -> None:
    """Also what went out long ago, with the number of the last beat and the facts."""
    subject.put("001", {"mode": "open"})
    subject.tell(broker=True)
    subject.beat()
    assert subject.snapshot() == (1, 5000, {"broker": True}, [{"mode": "open", "id": "001"}])


def test_a_plaza_has_a_bounded_number_of_rows(subject: Feed) -> None:
    """Made-up lane numbers cannot fill the memory; known rows still change."""
    for number in range(ROWS_MAX):
        subject.put(str(number), {})
    with pytest.raises(ValueError, match="rows"):
        subject.put("one more", {})
    subject.put("0", {"mode": "open"})
