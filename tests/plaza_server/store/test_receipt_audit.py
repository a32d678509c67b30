"""The audit of receipts and roots finds every row that was changed behind the database's back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from plaza_server.rules.units import AddLane
from plaza_server.store import Store, open_store
from plaza_server.store.receipt_audit import Counted, audit_receipts, audit_roots
from tests.plaza_server.bench_platform import EPOCH_MS
from tests.plaza_server.plaza_bench import PLAZA, Chain, passage
from tests.plaza_server.store.test_receipt_log import OTHER, close, take
from tests.plaza_server.store.test_units import ADD_LANE, do
from tests.tolling.test_roots import verify

pytestmark = pytest.mark.slow
RECORDS = 260


@pytest.fixture
def store() -> Iterator[Store]:
    """A fresh store in memory: forging needs its triggers by name."""
    opened = open_store("sqlite://")
    yield opened
    opened.close()


@pytest.fixture
def subject(store: Store) -> Store:
    """A store with two lanes, 302 paid passages, and two roots."""
    do(store, ADD_LANE)
    do(store, AddLane(lane_id=OTHER, plaza_id=PLAZA, token_hash="1" * 64, now_ms=EPOCH_MS))
    take(store, Chain(), range(1, RECORDS + 1), at_ms=EPOCH_MS)
    close(store, EPOCH_MS + 1)
    take(store, Chain(OTHER), range(1, 3), lane=OTHER, at_ms=EPOCH_MS + 2)
    close(store, EPOCH_MS + 3)
    return store


def wrong(store: Store) -> tuple[list[str], Counted]:
    """Return what the audit says, and what it found good."""
    counted = Counted()
    with store.reading() as connection:
        said = [*audit_receipts(connection, counted), *audit_roots(connection, verify, counted)]
    return said, counted


def forge(store: Store, statement: str) -> None:
    """Change a row as somebody who owns the database's file could."""
    table = statement.split()[2] if statement.startswith("DELETE") else statement.split()[1]
    with store.engine.begin() as connection:
        for verb in ("update", "delete"):
            connection.exec_driver_sql(f"DROP TRIGGER {table}_no_{verb}")
        connection.exec_driver_sql(statement)


def test_an_honest_store_is_good(subject: Store) -> None:
    """Everything was looked at."""
    said, counted = wrong(subject)
    assert said == []
    assert counted == Counted(receipts=RECORDS + 2, roots=2, leaves=RECORDS + 2)


@pytest.mark.parametrize(
    ("forgery", "found"),
    [
        (
            "UPDATE receipts SET content = replace(content, '2550', '9550') WHERE rowid = 7",
            "not its record's",
        ),
        (f"DELETE FROM receipts WHERE receipt_no = '{passage(7)}'", "missing"),
        ("UPDATE receipts SET content = '{}'", "cannot be read"),
        (f"UPDATE records SET passage_id = NULL WHERE passage_id = '{passage(7)}'", "no record"),
        (f"UPDATE records SET chain_hash = '{'0' * 64}' WHERE seq = 5", "others"),
        ("DELETE FROM records WHERE seq = 260", "others"),
        ("UPDATE log_roots SET content = replace(content, '2026', '2025')", "signature"),
        ("DELETE FROM log_roots WHERE root_no = 1", "missing"),
        ("DELETE FROM log_roots WHERE root_no = 2", "no root covers"),
        (f"UPDATE log_nodes SET node_hash = '{'0' * 64}'", "kept hash 0 of level 8"),
        ("UPDATE log_runs SET last_seq = 259 WHERE first_index = 0", "others"),
        ("DELETE FROM log_runs WHERE first_index = 0", "others"),
    ],
)
def test_every_forgery_is_found(subject: Store, forgery: str, found: str) -> None:
    """Receipts, records, roots, kept hashes, places."""
    forge(subject, forgery)
    said, _ = wrong(subject)
    assert any(found in each for each in said), said


def test_a_store_without_records_is_good(store: Store) -> None:
    """Nothing to prove."""
    assert wrong(store) == ([], Counted())


def test_forged_rows_are_told_as_they_stand(subject: Store) -> None:
    """A receipt without its record names itself."""
    forge(subject, "DELETE FROM records WHERE seq = 2 AND lane_id = '002'")
    with subject.reading() as connection:
        numbers = connection.execute(sa.text("SELECT max(receipt_no) FROM receipts")).scalar_one()
    said, _ = wrong(subject)
    assert f"receipt {numbers}: it has no record" in said
