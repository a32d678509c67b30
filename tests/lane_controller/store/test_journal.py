"""The lane's journal: what is committed is there, whole, in order, for one process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lane_controller.core import journalled as row
from lane_controller.core.events import InputChanged
from lane_controller.engine.recovery import recover
from lane_controller.store import LaneStore, StoreFullError, open_journal
from tests.lane_controller.journals import (
    CONFIG,
    LANE,
    PLAZA,
    UTC_MS,
    drive,
    event_row,
    notice,
    record,
    segment_row,
)
from tolling.canonical import canonical_bytes
from tolling.chain import SealedRecord, anchor_of, genesis, seal
from tolling.errors import JournalError
from tolling.inputs import Point, Reading

SMALL = 1 << 16
"""Ballast of the tests: 64 KiB instead of 64 MiB."""


@pytest.fixture(params=["file", "memory"])
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LaneStore]:
    """A new journal, on a file and in memory."""
    url = "sqlite://" if request.param == "memory" else f"sqlite:///{tmp_path / 'lane.db'}"
    store = open_journal(url, ballast_bytes=SMALL)
    yield store
    store.close()


def sealed(count: int, epoch: int = 1, utc_ms: int = UTC_MS) -> list[SealedRecord]:
    """Return a chain of records."""
    anchor, chain = genesis(PLAZA, LANE, epoch), []
    for number in range(1, count + 1):
        chain.append(seal(anchor, canonical_bytes(record(number, utc_ms))))
        anchor = anchor_of(chain[-1])
    return chain


def test_empty_journal_gives_an_empty_image(subject: LaneStore) -> None:
    """A new journal has no segment, no anchor and no notice."""
    image = subject.image()

    assert (image.segment, image.events, image.anchor) == (None, (), None)
    assert (image.uploaded_seq, image.unsealed, image.notices, image.last_notice) == (0, (), (), 0)
    assert subject.last_at_ns() == 0


def test_image_holds_what_was_committed(subject: LaneStore) -> None:
    """Every kind of unit comes back as it was given."""
    chain = sealed(2)
    subject.commit(
        [
            segment_row(1),
            event_row(1),
            segment_row(2),
            event_row(1, segment=2, at_ns=50),
            event_row(2, segment=2, at_ns=60),
            *(row.AppendRecord(record=each) for each in chain),
            row.MarkUploaded(epoch=1, seq=1),
            row.KeepUnsealed(number=4, body=b"u"),
            row.KeepNotice(number=1, notice=notice(1)),
            row.KeepNotice(number=2, notice=notice(2)),
            row.DropNotice(number=1),
        ]
    )

    image = subject.image()

    assert image.segment == segment_row(2)
    assert image.events == (event_row(1, 2, 50), event_row(2, 2, 60))
    assert image.anchor == anchor_of(chain[-1])
    assert image.uploaded_seq == 1
    assert image.unsealed == ((4, b"u"),)
    assert image.notices == ((2, notice(2)),)
    assert image.last_notice == 2
    assert subject.last_at_ns() == 60
    assert subject.records_after(1, 0, 1) == (chain[0],)
    assert subject.records_after(1, 1, 9) == (chain[1],)


def test_last_notice_is_remembered_when_all_are_gone(subject: LaneStore) -> None:
    """A notice's number is never given twice, also when none is left."""
    subject.commit([row.KeepNotice(number=7, notice=notice(7))])
    subject.commit([row.DropNotice(number=7)])

    assert subject.image().notices == ()
    assert subject.image().last_notice == 7


def test_upload_mark_never_goes_back(subject: LaneStore) -> None:
    """An older mark that comes late changes nothing."""
    subject.commit([*(row.AppendRecord(record=each) for each in sealed(3))])
    subject.commit([row.MarkUploaded(epoch=1, seq=3), row.MarkUploaded(epoch=1, seq=2)])

    assert subject.image().uploaded_seq == 3


def test_commit_sent_twice_is_one(subject: LaneStore) -> None:
    """The same units again change nothing: the first answer may have been lost."""
    units = [segment_row(1), event_row(1), row.AppendRecord(record=sealed(1)[0])]
    subject.commit(units)

    subject.commit(units)

    assert len(subject.image().events) == 1
    assert len(subject.records_after(1, 0, 9)) == 1


def test_number_taken_by_another_row_is_refused_whole(subject: LaneStore) -> None:
    """A record that would take another one's place is an error, and its commit leaves nothing."""
    first = sealed(1)[0]
    subject.commit([row.AppendRecord(record=first)])
    other = replace(first, chain_hash="f" * 64)

    with pytest.raises(JournalError, match="records 1 1"):
        subject.commit([event_row(1), row.AppendRecord(record=other)])

    assert subject.records_after(1, 0, 9) == (first,)
    assert subject.last_at_ns() == 0


def test_prune_keeps_the_anchor_and_what_is_not_uploaded(subject: LaneStore) -> None:
    """Old uploaded records and closed segments go; the last record and unsent ones stay."""
    chain = sealed(4)
    subject.commit(
        [
            segment_row(1, UTC_MS - 3_000),
            event_row(1),
            segment_row(2, UTC_MS - 2_000),
            event_row(1, segment=2),
            segment_row(3, UTC_MS),
            *(row.AppendRecord(record=each) for each in chain),
            row.MarkUploaded(epoch=1, seq=2),
        ]
    )

    subject.commit([row.Prune(before_utc_ms=UTC_MS - 1_000)])
    assert subject.segments() == (2, 3)
    assert [each.seq for each in subject.records_after(1, 0, 9)] == [1, 2, 3, 4]

    subject.commit([row.Prune(before_utc_ms=UTC_MS + 1_000)])
    assert subject.segments() == (3,)
    assert [each.seq for each in subject.records_after(1, 0, 9)] == [3, 4]

    subject.commit([row.MarkUploaded(epoch=1, seq=4), row.Prune(before_utc_ms=UTC_MS + 1_000)])
    assert subject.image().anchor == anchor_of(chain[-1])


def test_full_store_refuses_whole_and_goes_on_when_there_is_space(subject: LaneStore) -> None:
    """A commit that does not fit leaves nothing behind; with space again it is taken as it was."""
    subject.set_max_pages(subject.pages())
    units = [event_row(number) for number in range(1, 2_000)]

    with pytest.raises(StoreFullError, match="disk is full"):
        subject.commit(units)
    assert subject.last_at_ns() == 0

    subject.set_max_pages()
    subject.commit(units)
    assert subject.last_at_ns() == 1_999


def test_engine_driven_twice_goes_on_from_its_journal(subject: LaneStore) -> None:
    """A second start on the same journal takes up the first one's state and opens a segment."""
    first = drive(subject, InputChanged(point=Point.LOOP_1, reading=Reading.OFF))

    recovered = recover(CONFIG, subject.image())
    drive(subject, boot="b2")

    assert recovered.state == first.state
    assert recovered.difference is None
    assert subject.segments() == (1, 2)


def test_second_process_is_refused(tmp_path: Path) -> None:
    """One journal belongs to one process; reading it for a replay is allowed."""
    url = f"sqlite:///{tmp_path / 'lane.db'}"
    subject = open_journal(url, ballast_bytes=SMALL)
    subject.commit([segment_row(1)])

    with pytest.raises(JournalError, match="another process holds it"):
        open_journal(url)

    reader = open_journal(url, read_only=True)
    assert reader.segments() == (1,)
    with pytest.raises(JournalError):
        reader.commit([segment_row(2)])
    reader.close()
    subject.close()
    open_journal(url, ballast_bytes=SMALL).close()


@pytest.mark.parametrize(
    ("content", "what"),
    [(b"not a database, but long enough to be looked at" * 99, "failed"), (None, "no such")],
)
def test_file_that_is_no_journal_is_named(tmp_path: Path, content: bytes | None, what: str) -> None:
    """A wrong file is refused with its name."""
    path = tmp_path / "lane.db"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(JournalError, match=f"lane.db: .*{what}"):
        open_journal(f"sqlite:///{path}", read_only=content is None)


def test_other_schema_is_refused(tmp_path: Path) -> None:
    """A journal of another schema is not touched."""
    from pysqlite3 import dbapi2

    path = tmp_path / "lane.db"
    open_journal(f"sqlite:///{path}", ballast_bytes=SMALL).close()
    raw = dbapi2.connect(str(path))
    raw.execute("PRAGMA user_version = 99")
    raw.close()

    with pytest.raises(JournalError, match="schema 99"):
        open_journal(f"sqlite:///{path}")


def test_journal_files_are_private(tmp_path: Path) -> None:
    """Nobody but the lane's user reads the journal."""
    subject = open_journal(f"sqlite:///{tmp_path / 'lane.db'}", ballast_bytes=SMALL)
    subject.close()

    assert {path.stat().st_mode & 0o077 for path in tmp_path.iterdir()} == {0}


_WRITER = """
import sys
from lane_controller.store import open_journal
from tests.lane_controller.journals import event_row, segment_row
store = open_journal(sys.argv[1], ballast_bytes=65536)
store.commit([segment_row(1)])
number = 0
while True:
    number += 1
    store.commit([event_row(number)])
    print(number, flush=True)
"""


@pytest.mark.kill
def test_killed_writer_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
    """After kill -9 at any moment every acknowledged commit is there, in order."""
    url = f"sqlite:///{tmp_path / 'lane.db'}"
    seen = 0
    for enough in (3, 40):
        path = tmp_path / f"lane-{enough}.db"
        url = f"sqlite:///{path}"
        command = [sys.executable, "-c", _WRITER, url]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            for line in writer.stdout:
                seen = int(line)
                if seen == enough:
                    os.kill(writer.pid, signal.SIGKILL)
                    break
            rest = writer.stdout.read().split()
        acknowledged = int(rest[-1]) if rest else seen

        store = open_journal(url, ballast_bytes=SMALL)
        events = store.image().events
        store.close()
        assert [each.number for each in events] == list(range(1, len(events) + 1))
        assert len(events) >= acknowledged >= enough
