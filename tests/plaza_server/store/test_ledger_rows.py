"""Transfers are written into streams that hang together whatever is rolled back."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from plaza_server.rules.ledger_chain import row_hash, stream_start
from plaza_server.store import Store, commit_group
from plaza_server.store import tables as t
from plaza_server.store.ledger_rows import append_transfers
from plaza_server.store.ledger_tables import ledger_streams
from tests.plaza_server.rules.test_ledger_chain import row
from tests.plaza_server.store.test_units import ADD_LANE, PAID, do, fact, opening
from tolling.errors import LedgerConflictError


@pytest.fixture
def subject(store: Store) -> Store:
    """A store with one lane."""
    do(store, ADD_LANE)
    return store


def stream(store: Store, name: str = "boot1") -> list[dict[str, Any]]:
    """Return a stream's rows in order, and see that each hangs on the one before it."""
    c = t.transfers.c
    query = sa.select(t.transfers).where(c.stream == name).order_by(c.stream_no)
    with store.reading() as connection:
        rows = [dict(each._mapping) for each in connection.execute(query)]
        found = sa.select(ledger_streams).where(ledger_streams.c.stream == name)
        head = connection.execute(found).one_or_none()
    previous = stream_start(name).head_hash
    for number, each in enumerate(rows, start=1):
        assert each["stream_no"] == number
        assert each["chain_hash"] == row_hash(previous, each)
        previous = each["chain_hash"]
    if rows:
        assert head is not None
        assert (head.next_no, head.head_hash) == (len(rows) + 1, previous)
    else:
        assert head is None
    return rows


def test_every_group_goes_on_where_the_last_one_ended(subject: Store) -> None:
    """Two commits in one group, then one more: one stream of three rows."""
    commit_group(subject.engine, [[opening(1)], [opening(2)]])
    do(subject, fact(1, PAID))
    assert [each["kind"] for each in stream(subject)] == ["pending", "pending", "post"]


def test_a_group_that_is_rolled_back_leaves_no_gap(subject: Store) -> None:
    """One bad unit: the group is run one by one, and numbers go on without a hole."""
    bad = fact(9, PAID)
    done = commit_group(subject.engine, [[opening(1)], [opening(3), bad], [opening(2)]])
    assert [isinstance(each, Exception) for each in done] == [False, True, False]
    assert len(stream(subject)) == 2


def test_two_writers_have_two_streams(subject: Store) -> None:
    """Each goes on by itself, also when both write in one transaction."""
    with subject.engine.begin() as connection:
        append_transfers(connection, "one", [row("a"), row("b")])
        append_transfers(connection, "two", [row("c")])
    with subject.engine.begin() as connection:
        append_transfers(connection, "one", [row("d")])
    names = [[each["transfer_id"] for each in stream(subject, name)] for name in ("one", "two")]
    assert names == [["a", "b", "d"], ["c"]]


def test_a_transfer_is_written_once(subject: Store) -> None:
    """The same id again breaks the transaction, and the stream stands as it stood."""
    with subject.engine.begin() as connection:
        append_transfers(connection, "one", [row("a")])
    with pytest.raises(sa.exc.IntegrityError), subject.engine.begin() as connection:
        append_transfers(connection, "one", [row("b"), row("a")])
    assert len(stream(subject, "one")) == 1


@pytest.mark.postgres
@pytest.mark.parametrize("store", ["postgres"], indirect=True)
def test_two_processes_in_one_stream_are_noticed(subject: Store) -> None:
    """Nobody else writes a stream; if somebody does, the later one is rolled back whole."""
    with subject.engine.begin() as connection:
        append_transfers(connection, "one", [row("a")])
    late = subject.engine.execution_options(isolation_level="REPEATABLE READ").connect()
    late.begin()
    assert late.execute(sa.select(ledger_streams.c.next_no)).scalar_one() == 2
    with subject.engine.begin() as connection:
        append_transfers(connection, "one", [row("b")])
    with pytest.raises(sa.exc.DBAPIError):
        append_transfers(late, "one", [row("c")])
    late.close()
    assert [each["transfer_id"] for each in stream(subject, "one")] == ["a", "b"]


def test_a_head_that_moved_meanwhile_breaks_the_transaction(subject: Store) -> None:
    """The guard of the update, where no unique number was in the way."""
    do(subject, opening(1))
    moves = "UPDATE ledger_streams SET next_no = next_no + 7"
    with subject.engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(
                "CREATE FUNCTION moves() RETURNS trigger LANGUAGE plpgsql AS"
                f" $$ BEGIN {moves}; RETURN NEW; END $$"
            )
            act = "FOR EACH ROW EXECUTE FUNCTION moves()"
        else:
            act = f"BEGIN {moves}; END"
        connection.exec_driver_sql(f"CREATE TRIGGER meanwhile BEFORE INSERT ON transfers {act}")
    (done,) = commit_group(subject.engine, [[opening(2)]])
    assert isinstance(done, LedgerConflictError)
    assert len(stream(subject)) == 1


@pytest.mark.parametrize("change", ["UPDATE transfers SET amount_fen = 1", "DELETE FROM transfers"])
def test_the_database_refuses_to_change_a_transfer(subject: Store, change: str) -> None:
    """Also after the migration that added the chain."""
    do(subject, opening(1))
    with pytest.raises(sa.exc.DBAPIError, match="never changed"), subject.engine.begin() as c:
        c.exec_driver_sql(change)
    assert len(stream(subject)) == 1
