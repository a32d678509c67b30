"""Replay of a journal: exact for the core that wrote it, else the first difference by name."""

from __future__ import annotations

from pathlib import Path

import pytest
from pysqlite3 import dbapi2

from lane_controller.core.events import InputChanged
from lane_controller.engine.recovery import command_digest
from lane_controller.shell.replaying import Explained, replay_segments
from lane_controller.store import LaneStore, open_journal
from tests.lane_controller.journals import drive
from tolling.errors import JournalError
from tolling.inputs import Point, Reading

CAR = tuple(
    InputChanged(point=point, reading=reading)
    for point, reading in (
        (Point.BOOM_DOWN, Reading.ON),
        (Point.BOOM_UP, Reading.OFF),
        (Point.LOOP_1, Reading.OFF),
        (Point.LOOP_2, Reading.OFF),
        (Point.LOOP_1, Reading.ON),
    )
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal of two starts."""
    path = tmp_path / "lane.db"
    store = open_journal(f"sqlite:///{path}", ballast_bytes=4096)
    drive(store, *CAR)
    drive(store, *CAR, boot="b2")
    store.close()
    return path


def reader(path: Path) -> LaneStore:
    """Return the journal for reading."""
    return open_journal(f"sqlite:///{path}", read_only=True)


def change(path: Path, statement: str) -> None:
    """Change the journal behind the program's back."""
    raw = dbapi2.connect(str(path))
    with raw:
        raw.execute(statement)
    raw.close()


def explained(path: Path) -> Explained:
    """Return what is said of the second segment's difference."""
    store = reader(path)
    found = replay_segments(store, 2)[0].explained
    store.close()
    assert found is not None
    return found


@pytest.mark.slow
def test_same_core_gives_the_same_commands(path: Path) -> None:
    """Every event of every segment gives the digest that was journalled."""
    store = reader(path)
    results = replay_segments(store)
    one = replay_segments(store, 2)
    store.close()

    assert [each.segment for each in results] == [1, 2]
    assert all(each.difference is None and each.same_core for each in results)
    assert results[0].events > len(CAR)
    assert one == results[1:]


def test_first_difference_is_named(path: Path) -> None:
    """An event that gives other commands is named by number and fact, the first one only."""
    change(path, "UPDATE events SET digest = 'x' WHERE segment = 2 AND number >= 4")
    store = reader(path)
    first, second = replay_segments(store)
    store.close()

    assert first.difference is None
    assert second.difference is not None
    assert second.difference.number == 4
    assert second.difference.fact == "InputChanged"
    assert "first difference at event 4 (InputChanged)" in second.text()


def test_a_difference_is_explained_to_people(path: Path) -> None:
    """Event, moment, what this core does, and what it usually means, in words and as JSON."""
    digest = "0" * 64
    change(path, f"UPDATE events SET digest = '{digest}' WHERE segment = 1 AND number = 6")
    store = reader(path)
    (subject,) = replay_segments(store, 1)
    store.close()

    text = subject.text()
    assert "event     6: input loop_1 reads on" in text
    assert "0.050 s into the segment" in text
    assert f"journal   commands with digest {digest}" in text
    assert "does Note: name vehicle_arrived" in text
    assert "changed without a new CORE_VERSION" in text
    plain = subject.plain()["first_difference"]
    assert isinstance(plain, dict)
    assert (plain["expected_digest"], plain["number"]) == (digest, 6)
    assert plain["given_digest"] != digest
    assert plain["utc"].startswith("2026-")


def test_a_command_that_came_in_since_is_named(path: Path) -> None:
    """Where the journal's digest is that of the commands less one, the one is told."""
    nothing = command_digest(())
    change(path, f"UPDATE events SET digest = '{nothing}' WHERE segment = 2 AND number = 6")
    assert explained(path).compared == "then nothing was done on this event"


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE events SET digest = 'x' WHERE segment = 2 AND number = 4", "digest is none"),
        (
            "UPDATE events SET at_ns = at_ns + 1, digest = 'x' WHERE segment = 2 AND number = 4",
            "does not agree with itself",
        ),
        (
            (
                "DELETE FROM events WHERE segment = 2 AND number = 3;"
                "UPDATE events SET digest = 'x' WHERE segment = 2 AND number = 4"
            ),
            "event 3 is missing before it",
        ),
        (
            (
                "UPDATE segments SET config_hash = 'c' WHERE segment = 2;"
                "UPDATE events SET digest = 'x' WHERE segment = 2 AND number = 4"
            ),
            "the config hash is another",
        ),
        (
            "UPDATE events SET digest = 'fault: no' WHERE segment = 2 AND number = 4",
            "it is repaired",
        ),
        (
            (
                "UPDATE segments SET core_version = '0' WHERE segment = 2;"
                "UPDATE events SET digest = 'x' WHERE segment = 2 AND number = 4"
            ),
            "another core wrote it (0, this is",
        ),
    ],
)
def test_what_a_difference_usually_means_is_told(path: Path, statement: str, words: str) -> None:
    """Damage, another lane file and another core are told apart."""
    for each in statement.split(";"):
        change(path, each)
    assert any(words in meaning for meaning in explained(path).means)


def test_a_missing_event_is_told_also_where_nothing_else_differs(path: Path) -> None:
    """A journal with a hole is not the same, whatever its other events give."""
    change(path, "DELETE FROM events WHERE segment = 2 AND number = 3")
    store = reader(path)
    (subject,) = replay_segments(store, 2)
    store.close()
    assert (subject.difference, subject.missing, subject.same) == (None, (3,), False)
    assert "without event 3 (rows were deleted)" in subject.text()
    assert subject.plain()["missing_events"] == [3]


def test_other_core_is_named(path: Path) -> None:
    """A segment of another core version says so."""
    change(path, "UPDATE segments SET core_version = '0' WHERE segment = 1")
    store = reader(path)
    first, _ = replay_segments(store)
    store.close()

    assert not first.same_core
    assert "core 0 (this is core" in first.text()
    assert first.plain()["core_version"] == "0"


def test_unreadable_row_is_an_error(path: Path) -> None:
    """A row that is no event of this core is named with its segment; a missing segment too."""
    change(path, "UPDATE events SET body = x'7b7d' WHERE segment = 1 AND number = 2")
    store = reader(path)
    with pytest.raises(JournalError, match=r"segment 1: cannot be read by core \S+: event 2: "):
        replay_segments(store)
    with pytest.raises(JournalError, match="no segment 9"):
        replay_segments(store, 9)
    store.close()
