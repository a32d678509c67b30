"""The log of all records: closed from what was taken, provable for every record."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from plaza_server.rules.merkle_log import AddRoot, RootPlan
from plaza_server.rules.records import open_record
from plaza_server.rules.units import AddLane, GiveEpoch, TakeRecords
from plaza_server.store import Store, commit_group, receipt_log
from plaza_server.store.receipt_tables import log_nodes, log_roots, log_runs
from tests.plaza_server.bench_platform import EPOCH_MS
from tests.plaza_server.plaza_bench import CASH_LEG, LANE, PLAZA, Chain, passage, record
from tests.plaza_server.rules.values import AT
from tests.plaza_server.store.test_units import ADD_LANE, LEASE, do
from tests.tolling.test_roots import signed, verify
from tolling import merkle
from tolling.chain import SealedRecord
from tolling.ids import LaneId
from tolling.roots import (
    check_growth,
    check_inclusion,
    check_root,
    day_end_ms,
    is_grown,
    record_leaf,
)

OTHER = LaneId("002")


@pytest.fixture
def subject(store: Store) -> Store:
    """A store with two lanes."""
    do(store, ADD_LANE)
    do(store, AddLane(lane_id=OTHER, plaza_id=PLAZA, token_hash="1" * 64, now_ms=EPOCH_MS))
    return store


def take(
    store: Store, chain: Chain, numbers: range, *, lane: LaneId = LANE, at_ms: int
) -> list[Any]:
    """Seal and take one record per number; return them."""
    epoch = chain.anchor.epoch
    sealed = [
        chain.seal(record(number, legs=(CASH_LEG,), lane=lane, epoch=epoch)) for number in numbers
    ]
    at = replace(AT, wall_ms=at_ms)
    do(store, TakeRecords(lane_id=lane, records=tuple(sealed), lease=LEASE, at=at))
    return sealed


def planned(store: Store, until_ms: int) -> RootPlan | None:
    """Return the next root, unsigned."""
    with store.reading() as connection:
        return receipt_log.plan(connection, PLAZA, until_ms)


def unit_of(plan: RootPlan) -> AddRoot:
    """Return it signed."""
    root = signed(plan.head, plan.consistency)
    return AddRoot(root=root, runs=plan.runs, nodes=plan.nodes, now_ms=EPOCH_MS)


def close(store: Store, until_ms: int) -> Any:
    """Close a root and return it."""
    plan = planned(store, until_ms)
    assert plan is not None
    unit = unit_of(plan)
    assert do(store, unit) is True
    return unit.root


def leaf(sealed: SealedRecord) -> bytes:
    """Return a record's leaf."""
    return record_leaf(
        plaza_id=sealed.plaza_id,
        lane_id=sealed.lane_id,
        epoch=sealed.epoch,
        seq=sealed.seq,
        chain_hash=sealed.chain_hash,
    )


@pytest.mark.slow
def test_every_record_is_provable_under_the_newest_root(subject: Store) -> None:
    """Of every lane, epoch and day, also when its day was closed long ago; roots only grow."""
    first, second = Chain(), Chain(OTHER)
    sealed = take(subject, first, range(1, 4), at_ms=EPOCH_MS)
    roots = [close(subject, EPOCH_MS + 1)]
    sealed += take(subject, second, range(1, 301), lane=OTHER, at_ms=EPOCH_MS + 2)
    sealed += take(subject, first, range(4, 6), at_ms=EPOCH_MS + 2)
    roots.append(close(subject, EPOCH_MS + 3))
    do(subject, GiveEpoch(lane_id=LANE, fresh=True, now_ms=EPOCH_MS))
    sealed += take(subject, Chain(epoch=2), range(1, 3), at_ms=EPOCH_MS + 4)
    roots.append(close(subject, EPOCH_MS + 5))
    assert [root.head.size for root in roots] == [3, 305, 307]
    for before, after in itertools.pairwise(roots):
        check_growth(before.head, after)
    with subject.reading() as connection:
        assert receipt_log.roots(connection) == roots
        assert receipt_log.roots(connection, 3) == roots[2:]
        for each in [*sealed[:3], *sealed[250:]]:
            number = open_record(each).passage_id
            proof = receipt_log.inclusion(connection, number)
            assert proof is not None
            assert check_inclusion(leaf(each), proof, verify=verify) == roots[-1].head
        grown = receipt_log.consistency(connection, 1, 3)
        assert grown is not None
        old, new, path = grown
        assert (old, new) == (roots[0].head, roots[2])
        assert is_grown(old.root, old.size, new.head, path)
        nodes = connection.execute(sa.select(log_nodes.c.level, log_nodes.c.number)).all()
    assert [tuple(row) for row in nodes] == [(8, 0)]


def test_a_record_of_an_open_day_has_no_proof_yet(subject: Store) -> None:
    """And a root covers nothing that came after its instant."""
    chain = Chain()
    take(subject, chain, range(1, 2), at_ms=EPOCH_MS)
    take(subject, chain, range(2, 3), at_ms=EPOCH_MS + 10)
    with subject.reading() as connection:
        assert receipt_log.inclusion(connection, passage(1)) is None
    assert close(subject, EPOCH_MS + 10).head.size == 1
    with subject.reading() as connection:
        assert receipt_log.inclusion(connection, passage(1)) is not None
        assert receipt_log.inclusion(connection, passage(2)) is None
        assert receipt_log.inclusion(connection, passage(3)) is None
        assert receipt_log.consistency(connection, 1, 2) is None


def test_a_clock_that_went_back_leaves_no_record_out(subject: Store) -> None:
    """A chain goes in without a gap."""
    chain = Chain()
    take(subject, chain, range(1, 2), at_ms=EPOCH_MS + 100)
    take(subject, chain, range(2, 3), at_ms=EPOCH_MS)
    assert close(subject, EPOCH_MS + 10).head.size == 2


def test_an_instant_is_closed_once(subject: Store) -> None:
    """Nor an earlier one after it; a later one closes an empty day too."""
    take(subject, Chain(), range(1, 2), at_ms=EPOCH_MS)
    root = close(subject, EPOCH_MS + 10)
    assert planned(subject, EPOCH_MS + 10) is None
    assert planned(subject, EPOCH_MS + 9) is None
    again = close(subject, EPOCH_MS + 11)
    assert (again.head.size, again.head.root) == (1, root.head.root)


def test_of_two_that_close_at_once_one_is_kept(subject: Store) -> None:
    """The other plan is dropped whole."""
    take(subject, Chain(), range(1, 3), at_ms=EPOCH_MS)
    mine, theirs = planned(subject, EPOCH_MS + 10), planned(subject, EPOCH_MS + 11)
    assert mine is not None
    assert theirs is not None
    assert commit_group(subject.engine, [[unit_of(mine)], [unit_of(theirs)]]) == [(True,), (False,)]
    with subject.reading() as connection:
        assert [root.head for root in receipt_log.roots(connection)] == [mine.head]
        assert len(connection.execute(sa.select(log_runs)).all()) == 1


def test_the_next_day_due_follows_records_and_roots(subject: Store) -> None:
    """None before the first record."""

    def due() -> int | None:
        with subject.reading() as connection:
            return receipt_log.due(connection)

    assert due() is None
    take(subject, Chain(), range(1, 2), at_ms=EPOCH_MS)
    end_ms = due()
    assert end_ms == day_end_ms(EPOCH_MS)
    close(subject, end_ms)
    assert due() == day_end_ms(end_ms)


def test_a_root_names_the_ends_of_the_ledgers_chains_that_grew(subject: Store) -> None:
    """Each once, until it grows again."""
    chain = Chain()
    take(subject, chain, range(1, 3), at_ms=EPOCH_MS)
    (end,) = close(subject, EPOCH_MS + 1).head.ledger
    assert (end.stream, end.position) == (LEASE.owner, 2)
    assert close(subject, EPOCH_MS + 2).head.ledger == ()
    take(subject, chain, range(3, 4), at_ms=EPOCH_MS + 3)
    (later,) = close(subject, EPOCH_MS + 4).head.ledger
    assert (later.position, later.chain_hash == end.chain_hash) == (3, False)


def test_an_empty_log_has_a_root(subject: Store) -> None:
    """Of nothing, and what comes later is added to it."""
    root = close(subject, EPOCH_MS)
    assert (root.head.size, root.head.root) == (0, merkle.EMPTY_ROOT.hex())
    take(subject, Chain(), range(1, 2), at_ms=EPOCH_MS + 1)
    after = close(subject, EPOCH_MS + 2)
    check_root(after, verify=verify)
    check_growth(root.head, after)


def test_roots_are_never_changed(subject: Store) -> None:
    """The database itself refuses."""
    take(subject, Chain(), range(1, 2), at_ms=EPOCH_MS)
    close(subject, EPOCH_MS + 1)
    for table in (log_roots, log_runs):
        for statement in (table.update().values(root_no=9), table.delete()):
            with (
                pytest.raises(sa.exc.DBAPIError, match="never changed"),
                subject.engine.begin() as connection,
            ):
                connection.execute(statement)
