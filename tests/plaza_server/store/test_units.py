"""Units of work on every kind of store: groups, guards, conflicts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import pytest
import sqlalchemy as sa

from plaza_server.rules.facts import CancelAsked, PayAnswered, RecordSaid
from plaza_server.rules.orders import Order, new_order
from plaza_server.rules.units import (
    AddEntry,
    AddLane,
    AddOperator,
    ApplyFact,
    AskCancel,
    Changed,
    EndCommand,
    FindEntry,
    GiveEpoch,
    Lease,
    LogCommand,
    NoteAlarm,
    Opened,
    Opening,
    OpenOrder,
    PutSet,
    ReadOrder,
    Sweep,
    Swept,
    TakeRecords,
    Unit,
)
from plaza_server.store import Store, commit_group, queries, verify_books
from plaza_server.store import tables as t
from plaza_server.store.units import _FUNCTIONS
from plaza_server.store.work import Work
from tests.plaza_server.bench_platform import EPOCH_MS
from tests.plaza_server.plaza_bench import (
    CASH_LEG,
    KEY,
    LANE,
    PLAZA,
    TOLL,
    Chain,
    code,
    order_no,
    phone_leg,
    record,
    request,
)
from tests.plaza_server.rules.values import AT, SILENCE, paid
from tolling.alarms import AlarmCode
from tolling.chain import SealedRecord
from tolling.errors import LedgerConflictError, LedgerError, RefusedError
from tolling.ids import BootId, LaneId
from tolling.messages import EntryFound, EntryQuery
from tolling.orders import OrderState, ReasonCode
from tolling.signed_sets import SetKind, SignedSet
from tolling.tariffs import EntrySource
from tolling.vehicles import VehicleClass

ME = BootId("boot1")
EARNED = "revenue:alipay:310101"
LEASE = Lease(owner=ME, until_ms=EPOCH_MS + 90_000, steal=False)
ADD_LANE = AddLane(lane_id=LANE, plaza_id=PLAZA, token_hash="0" * 64, now_ms=EPOCH_MS)


def do(store: Store, unit: Unit) -> Any:
    """Run one unit by itself."""
    (result,) = commit_group(store.engine, [[unit]])
    if isinstance(result, Exception):
        raise result
    return result[0]


def opening(number: int, attempt: int = 1, *, digits: int | None = None) -> OpenOrder:
    """Return the unit that opens an order."""
    order = new_order(
        request(number, attempt),
        code(digits if digits is not None else number * 100 + attempt).ref(KEY),
        platform="alipay",
        plaza_name="东站",
        owner=ME,
        lease_until_ms=LEASE.until_ms,
        at=AT,
    )
    return OpenOrder(order=order, turn_down=None, at=AT)


def fact(number: int, what: Any, *, lease: Lease = LEASE) -> ApplyFact:
    """Return the unit that applies a fact."""
    return ApplyFact(out_trade_no=order_no(number), fact=what, lease=lease, at=AT)


PAID = PayAnswered(outcome=paid(), cancel_out=False)


@pytest.fixture
def subject(store: Store) -> Store:
    """A store with one lane."""
    do(store, ADD_LANE)
    return store


def books(store: Store) -> list[Any]:
    """Return what is wrong with the books."""
    with store.reading() as connection:
        return verify_books(connection)


def test_a_payment_is_stored_step_by_step(subject: Store) -> None:
    """Commit 2 and commit 3: order, history and transfers, and a row comes back as it went in."""
    opened: Opened = do(subject, opening(1))
    assert opened.opening is Opening.NEW
    assert do(subject, ReadOrder(out_trade_no=order_no(1))) == opened.order
    changed: Changed = do(subject, fact(1, PAID))
    assert changed.order.state is OrderState.PAID
    with subject.reading() as connection:
        assert queries.order(connection, order_no(1)) == changed.order
        history = queries.order_history(connection, order_no(1))
        assert [row.event for row in history] == ["send", "captured"]
        assert queries.balances(connection) == {"clearing:alipay": TOLL, "suspense": -TOLL}
    assert books(subject) == []


def test_a_group_is_one_transaction_with_all_results(subject: Store) -> None:
    """Results come back per commit and per unit, in order."""
    groups: list[list[Unit]] = [
        [opening(1), opening(2)],
        [opening(3)],
        [ReadOrder(out_trade_no=order_no(9))],
    ]
    results = commit_group(subject.engine, groups)
    shapes = [len(result) for result in results if isinstance(result, tuple)]
    assert shapes == [2, 1, 1]
    assert results[2] == (None,)
    assert commit_group(subject.engine, []) == []


def test_one_bad_unit_costs_only_its_own_commit(subject: Store) -> None:
    """The group is rolled back, every commit is run alone, the bad one keeps nothing."""
    groups: list[list[Unit]] = [[opening(1)], [opening(2), fact(99, PAID)], [opening(3)]]
    good, bad, also = commit_group(subject.engine, groups)
    assert isinstance(bad, LedgerError)
    assert isinstance(good, tuple)
    assert isinstance(also, tuple)
    with subject.reading() as connection:
        assert queries.order(connection, order_no(1)) is not None
        assert queries.order(connection, order_no(2)) is None
        assert queries.order(connection, order_no(3)) is not None
    assert books(subject) == []


def test_the_same_code_serves_one_order_whatever_the_group(subject: Store) -> None:
    """M7, within one transaction too."""
    results = commit_group(subject.engine, [[opening(1, digits=5)], [opening(2, digits=5)]])
    first, second = (result[0] for result in results if isinstance(result, tuple))
    assert isinstance(first, Opened)
    assert isinstance(second, Opened)
    assert (first.opening, second.opening) == (Opening.NEW, Opening.TURNED_DOWN)
    assert second.order is not None
    assert second.order.reason is ReasonCode.CODE_USED
    assert books(subject) == []


def test_the_database_refuses_a_second_use_of_a_code(subject: Store) -> None:
    """Two processes that both looked first: the unique column decides."""
    order = do(subject, opening(1, digits=5)).order
    twin = replace(order, out_trade_no=order_no(2))
    with subject.engine.begin() as connection:
        work = Work(connection)
        work.insert_order(twin)
        with pytest.raises(sa.exc.IntegrityError):
            work.flush()


def test_a_stale_update_is_refused(subject: Store) -> None:
    """State and version guard every write: who read before another's write keeps nothing."""
    before: Order = do(subject, opening(1)).order
    do(subject, fact(1, PAID))
    late = replace(before, state=OrderState.CLOSED, version=before.version + 1)
    with subject.engine.begin() as connection:
        work = Work(connection)
        work.update_order(before, late)
        with pytest.raises(LedgerConflictError):
            work.flush()


@pytest.mark.parametrize("table", ["transfers", "order_events", "records"])
@pytest.mark.parametrize("verb", ["update", "delete"])
def test_history_cannot_be_changed(subject: Store, table: str, verb: str) -> None:
    """The database itself refuses, whoever asks."""
    do(subject, opening(1))
    sealed = Chain().seal(record(2, legs=(CASH_LEG,)))
    do(subject, TakeRecords(lane_id=LANE, records=(sealed,), lease=LEASE, at=AT))
    rows = t.metadata.tables[table]
    change = rows.delete() if verb == "delete" else rows.update().values({rows.c[1].name: "1"})
    refused = pytest.raises(sa.exc.DatabaseError, match="never changed")
    with refused, subject.engine.begin() as connection:
        connection.execute(change)


def test_facts_that_change_nothing_leave_no_history(subject: Store) -> None:
    """Repeated silence does not fill the disk."""
    do(subject, opening(1))
    for _ in range(3):
        do(subject, fact(1, PayAnswered(outcome=SILENCE, cancel_out=False)))
    with subject.reading() as connection:
        assert len(queries.order_history(connection, order_no(1))) == 2


# ---- records ----


def upload(store: Store, *records: SealedRecord, lane: LaneId = LANE) -> Any:
    """Take records."""
    return do(store, TakeRecords(lane_id=lane, records=records, lease=LEASE, at=AT))


def test_records_are_taken_once_and_in_order(subject: Store) -> None:
    """The anchor moves; the same again is a duplicate; the bytes are kept exactly."""
    chain = Chain()
    first, second = (chain.seal(record(n, legs=(CASH_LEG,))) for n in (1, 2))
    taken = upload(subject, first, second)
    assert (taken.taken, taken.refused, taken.anchor) == (2, None, chain.anchor)
    again = upload(subject, first, second)
    assert (again.taken, again.refused, again.anchor) == (0, None, chain.anchor)
    with subject.reading() as connection:
        assert queries.record(connection, LANE, 1, 1) == first
        assert queries.record_of_passage(connection, record(2).passage_id) == second
        assert queries.record(connection, LANE, 1, 3) is None
    assert books(subject) == []


@pytest.mark.parametrize(
    ("change", "verdict", "alarm"),
    [
        ({"seq": 3}, "forged", True),
        ({"chain_hash": "f" * 64}, "forged", True),
        ({"body": "{}"}, "forged", True),
        ({"body": "\ud800"}, "forged", True),
        ({"lane_id": LaneId("002")}, "foreign", False),
        ({"epoch": 2}, "foreign", False),
    ],
)
def test_records_that_do_not_fit_are_refused(
    subject: Store, change: dict[str, Any], verdict: str, alarm: bool
) -> None:
    """Wrong hash or place: refused, the lane keeps them and all behind; forgeries are an alarm."""
    chain = Chain()
    first = chain.seal(record(1, legs=(CASH_LEG,)))
    second = replace(chain.seal(record(2, legs=(CASH_LEG,))), **change)
    third = chain.seal(record(3, legs=(CASH_LEG,)))
    taken = upload(subject, first, second, third)
    assert (taken.taken, taken.refused, taken.anchor.seq) == (1, verdict, 1)
    assert [note.code for note in taken.alarms] == [AlarmCode.CHAIN_BROKEN] * alarm
    assert books(subject) == []


def test_a_gap_and_a_fork_are_refused(subject: Store) -> None:
    """Missing records: gap. Another history under a taken number: fork and alarm, later cleared."""
    chain, twin = Chain(), Chain()
    first = chain.seal(record(1, legs=(CASH_LEG,)))
    second = chain.seal(record(2, legs=(CASH_LEG,)))
    assert upload(subject, second).refused == "gap"
    assert upload(subject, first).taken == 1
    other = twin.seal(record(9, legs=(CASH_LEG,)))
    forked = upload(subject, other)
    assert forked.refused == "fork"
    assert forked.alarms[0].raised
    healed = upload(subject, second)
    assert [(note.code, note.raised) for note in healed.alarms] == [(AlarmCode.CHAIN_BROKEN, False)]


@pytest.mark.parametrize(
    "body", [b"not json", b"[" * 100_000, b'{"a":"\x00"}', b"\xf0\x9f\x98\x80"]
)
def test_bad_content_is_quarantined_and_the_chain_goes_on(subject: Store, body: bytes) -> None:
    """Right hash, no record: kept raw, alarm, and the next one is taken."""
    chain = Chain()
    bad, good = chain.seal(body), chain.seal(record(2, legs=(CASH_LEG,)))
    taken = upload(subject, bad, good)
    assert (taken.taken, taken.refused) == (2, None)
    assert [note.code for note in taken.alarms] == [AlarmCode.RECORD_QUARANTINED]
    with subject.reading() as connection:
        assert queries.record(connection, LANE, 1, 1) == bad
        assert connection.execute(sa.select(t.quarantine.c.seq)).scalars().all() == [1]
    assert books(subject) == []


def test_a_second_record_of_a_passage_is_quarantined(subject: Store) -> None:
    """One passage, one record: the money is not moved twice."""
    chain = Chain()
    legs = (CASH_LEG,)
    taken = upload(subject, chain.seal(record(1, legs=legs)), chain.seal(record(1, legs=legs)))
    assert [note.code for note in taken.alarms] == [AlarmCode.RECORD_QUARANTINED]
    with subject.reading() as connection:
        assert queries.balances(connection)["cash_lane:001"] == TOLL


def test_a_record_settles_its_orders_in_its_own_commit(subject: Store) -> None:
    """Named: revenue; the other: refund_due."""
    for attempt in (1, 2):
        do(subject, opening(1, attempt))
        unit = ApplyFact(out_trade_no=order_no(1, attempt), fact=PAID, lease=LEASE, at=AT)
        do(subject, unit)
    made = record(1, legs=(phone_leg(order_no(1, 2)),), orders=(order_no(1), order_no(1, 2)))
    taken = upload(subject, Chain().seal(made))
    assert [order.state for order in taken.orders] == [OrderState.REFUND_DUE, OrderState.PAID]
    with subject.reading() as connection:
        held = queries.balances(connection)
    assert (held[EARNED], held["refund_due"], held["suspense"]) == (-TOLL, -TOLL, 0)
    assert books(subject) == []


def test_a_difference_is_kept_once_and_healed_by_the_capture(subject: Store) -> None:
    """The record names it first, the capture is learnt later."""
    do(subject, opening(1))
    made = record(1, legs=(phone_leg(order_no(1)),), orders=(order_no(1),))
    taken = upload(subject, Chain().seal(made))
    assert [note.code for note in taken.alarms] == [AlarmCode.ILLEGAL_EVENT]
    do(subject, fact(1, RecordSaid(leg_fen=None)))
    with subject.reading() as connection:
        (row,) = queries.differences(connection)
        assert (row.kind, row.place, row.said_fen) == ("not_captured", "001/001/1", TOLL)
    do(subject, fact(1, PAID))
    with subject.reading() as connection:
        assert queries.differences(connection) == []
        assert len(queries.differences(connection, standing=False)) == 1
        assert queries.balances(connection)[EARNED] == -TOLL
    assert books(subject) == []


def test_a_leg_of_an_unknown_order_is_a_difference(subject: Store) -> None:
    """The plaza never had the order the record names."""
    made = record(1, legs=(phone_leg(order_no(1)),), orders=(order_no(1),))
    taken = upload(subject, Chain().seal(made))
    assert [note.subject for note in taken.alarms] == [order_no(1)]
    with subject.reading() as connection:
        assert [row.out_trade_no for row in queries.differences(connection)] == [order_no(1)]


# ---- lanes, epochs, leases ----


def test_a_fresh_lane_never_gets_a_used_epoch(subject: Store) -> None:
    """Unused: the same again. An order or a record in it: the next one."""
    first = do(subject, GiveEpoch(lane_id=LANE, fresh=True, now_ms=EPOCH_MS))
    assert first.epoch == 1
    do(subject, opening(1))
    assert do(subject, GiveEpoch(lane_id=LANE, fresh=False, now_ms=EPOCH_MS)).epoch == 1
    assert do(subject, GiveEpoch(lane_id=LANE, fresh=True, now_ms=EPOCH_MS)).epoch == 2
    assert do(subject, GiveEpoch(lane_id=LANE, fresh=True, now_ms=EPOCH_MS)).epoch == 2
    upload(subject, Chain(epoch=2).seal(record(1, epoch=2, legs=(CASH_LEG,))))
    assert do(subject, GiveEpoch(lane_id=LANE, fresh=True, now_ms=EPOCH_MS)).epoch == 3
    nobody = GiveEpoch(lane_id=LaneId("009"), fresh=True, now_ms=EPOCH_MS)
    assert do(subject, nobody) is None
    assert books(subject) == []


def test_epochs_can_run_out(subject: Store) -> None:
    """The last one used: a clear refusal, no number twice."""
    with subject.engine.begin() as connection:
        connection.execute(t.lanes.update().values(epoch=999, seq=5))
    with pytest.raises(RefusedError, match="epochs"):
        do(subject, GiveEpoch(lane_id=LANE, fresh=True, now_ms=EPOCH_MS))


def test_a_lane_keeps_its_chain_under_a_new_token(subject: Store) -> None:
    """Registered again: same anchor, other token."""
    upload(subject, Chain().seal(record(1, legs=(CASH_LEG,))))
    anchor = do(subject, replace(ADD_LANE, token_hash="1" * 64))
    assert anchor.seq == 1
    with subject.reading() as connection:
        found = queries.lane_by_token(connection, "1" * 64)
        assert found is not None
        assert found.anchor == anchor
        assert queries.lane_by_token(connection, "0" * 64) is None
        assert [row.lane_id for row in queries.lanes(connection)] == [LANE]


def sweep(owner: str, *, now_ms: int = EPOCH_MS, steal: bool = False, limit: int = 10) -> Sweep:
    """Return a sweep of another process."""
    lease = Lease(owner=BootId(owner), until_ms=now_ms + 90_000, steal=steal)
    return Sweep(lease=lease, limit=limit, at=replace(AT, wall_ms=now_ms))


def test_a_lease_is_taken_over_only_when_it_has_run_out(subject: Store) -> None:
    """Live: left alone. Run out, or its owner surely gone: taken, and a sent pay is unknown."""
    do(subject, opening(1))
    swept: Swept = do(subject, sweep("other"))
    assert swept == Swept(taken=(), own=())
    mine: Swept = do(subject, sweep(ME, now_ms=EPOCH_MS + 60_000))
    assert [number for number, _ in mine.own] == [order_no(1)]
    assert do(subject, sweep("other", now_ms=EPOCH_MS + 100_000)).taken == ()
    taken = do(subject, sweep("other", now_ms=EPOCH_MS + 150_000)).taken
    assert [(o.owner, o.state) for o in taken] == [("other", OrderState.UNKNOWN)]
    stolen = do(subject, sweep("third", now_ms=EPOCH_MS + 150_001, steal=True)).taken
    assert [order.owner for order in stolen] == ["third"]


def test_a_lease_by_a_wrong_clock_is_nobodys(subject: Store) -> None:
    """A process whose clock was a day ahead dies: its orders do not rest for that day."""
    do(subject, opening(1))
    a_day_ago = EPOCH_MS - 86_400_000
    waiting = PayAnswered(outcome=SILENCE, cancel_out=False)
    mine = Lease(owner=BootId("other"), until_ms=a_day_ago + 90_000, steal=False)
    heard = replace(fact(1, waiting, lease=mine), at=replace(AT, wall_ms=a_day_ago))
    assert do(subject, heard).order.owner == "other"
    do(subject, opening(2))
    taken = do(subject, sweep("third", now_ms=a_day_ago)).taken
    assert [order.out_trade_no for order in taken] == [order_no(2)]


def test_a_sweep_takes_at_most_its_limit(subject: Store) -> None:
    """The rest comes with the next one."""
    commit_group(subject.engine, [[opening(n)] for n in range(1, 6)])
    first = do(subject, sweep("other", steal=True, limit=3))
    second = do(subject, sweep("other", steal=True, limit=3))
    assert (len(first.taken), len(second.taken), len(second.own)) == (3, 2, 3)


def test_a_fact_does_not_take_anothers_order(subject: Store) -> None:
    """The result is stored, the lease stays with who holds it; a cancel takes it at once."""
    do(subject, opening(1))
    other = Lease(owner=BootId("other"), until_ms=EPOCH_MS + 95_000, steal=False)
    waiting = PayAnswered(outcome=SILENCE, cancel_out=False)
    assert do(subject, fact(1, waiting, lease=other)).order.owner == ME
    ask = AskCancel(
        out_trade_no=order_no(1),
        lane_id=LANE,
        reason=ReasonCode.CANCELLED,
        lease=replace(other, steal=True),
        at=AT,
    )
    done = do(subject, ask)
    assert (done.order.owner, done.order.state) == ("other", OrderState.CLOSING)
    assert do(subject, replace(ask, lane_id=LaneId("002"))) is None


def test_a_tombstone_needs_a_lane_that_may_have_the_number(subject: Store) -> None:
    """A stranger cannot close numbers of others."""
    ask = AskCancel(
        out_trade_no=order_no(7),
        lane_id=LANE,
        reason=ReasonCode.CANCELLED,
        lease=LEASE,
        at=AT,
    )
    assert do(subject, replace(ask, lane_id=LaneId("002"))) is None
    assert do(subject, ask).order.is_tombstone
    assert do(subject, opening(7)).opening is Opening.SAME
    assert do(subject, fact(7, CancelAsked(reason=ReasonCode.CANCELLED))).order.is_tombstone


# ---- the rest ----


def test_entries_are_found_by_medium_then_by_plate(subject: Store) -> None:
    """The latest one counts; an entry is stored once."""
    base = AddEntry(
        entry_id="w1",
        plate="沪A12345",
        medium_id="card-7",
        entry_station="west",
        entered_ms=1_000,
        vehicle_class=VehicleClass.CAR_1,
    )
    assert do(subject, base)
    assert not do(subject, base)
    newer = replace(base, entry_id="e1", entry_station="east", entered_ms=2_000, medium_id=None)
    assert do(subject, newer)
    by_plate: EntryFound = do(subject, FindEntry(query=EntryQuery(plate="沪A12345")))
    assert (by_plate.entry_station, by_plate.source) == ("east", EntrySource.PLATE)
    both = EntryQuery(plate="沪A12345", medium_id="card-7")
    by_medium: EntryFound = do(subject, FindEntry(query=both))
    assert (by_medium.entry_station, by_medium.source) == ("west", EntrySource.MEDIUM)
    unknown_card = EntryQuery(plate="沪A12345", medium_id="card-8")
    assert do(subject, FindEntry(query=unknown_card)).source is EntrySource.PLATE
    assert do(subject, FindEntry(query=EntryQuery(plate="沪B00000"))) is None


def test_a_version_of_a_set_is_published_once(subject: Store) -> None:
    """Same content: already there; other content: refused."""
    envelope = SignedSet(
        kind=SetKind.TARIFF,
        set_id="S1",
        version=1,
        made_at_ms=0,
        effective_from_ms=1_000,
        row_count=1,
        content="{}",
        content_hash="a" * 64,
        key_id="k",
        signature="",
    )
    assert do(subject, PutSet(envelope=envelope, now_ms=1))
    assert not do(subject, PutSet(envelope=envelope, now_ms=2))
    with pytest.raises(LedgerConflictError, match="next version"):
        do(subject, PutSet(envelope=replace(envelope, content_hash="b" * 64), now_ms=3))
    later = replace(envelope, version=2, effective_from_ms=9_000)
    old = replace(envelope, set_id="S0", effective_from_ms=0)
    for each in (later, old):
        do(subject, PutSet(envelope=each, now_ms=4))
    with subject.reading() as connection:
        now = queries.current_sets(connection, SetKind.TARIFF, 5_000)
        assert [(each.set_id, each.version) for each in now] == [("S1", 1), ("S1", 2)]
        assert queries.signed_set(connection, SetKind.TARIFF, "S1") == later
        assert queries.signed_set(connection, SetKind.TARIFF, "S1", 1) == envelope
        assert queries.signed_set(connection, SetKind.TARIFF, "S1", 3) is None


def test_an_alarm_is_raised_and_cleared_in_pairs(subject: Store) -> None:
    """Raising a standing one, or clearing none, changes nothing."""
    up = NoteAlarm(
        code=AlarmCode.PLATFORM_SUSPENDED, raised=True, subject="alipay", what="w", now_ms=1
    )
    down = replace(up, raised=False, now_ms=2)
    assert [do(subject, unit) for unit in (down, up, up, down, down, up)] == [
        False,
        True,
        False,
        True,
        False,
        True,
    ]
    with subject.reading() as connection:
        assert len(queries.alarms(connection)) == 1
        assert len(queries.alarms(connection, standing=False)) == 2


def test_commands_are_logged_before_and_after(subject: Store) -> None:
    """An id happens once; its end is written once."""
    log = LogCommand(
        command_id="c1",
        lane_id=LANE,
        operator="li",
        action="raise",
        reason="ambulance",
        body="{}",
        now_ms=1,
    )
    end = EndCommand(command_id="c1", outcome="confirmed", reason="", now_ms=2)
    assert [do(subject, unit) for unit in (end, log, log, end, end)] == [
        False,
        True,
        False,
        True,
        False,
    ]
    with subject.reading() as connection:
        (row,) = queries.commands(connection, LANE)
    assert (row.operator, row.outcome, row.ended_ms) == ("li", "confirmed", 2)


def test_a_person_is_found_by_token_only(subject: Store) -> None:
    """Registered again: new token, old one gone."""
    add = AddOperator(operator_id="li", name="Li", role="attendant", token_hash="a", now_ms=1)
    do(subject, add)
    do(subject, replace(add, token_hash="b", role="leader"))
    with subject.reading() as connection:
        assert queries.operator_by_token(connection, "a") is None
        found = queries.operator_by_token(connection, "b")
    assert found is not None
    assert found.role == "leader"


def test_queries_show_what_is_open(subject: Store) -> None:
    """Counts and lists of undecided orders."""
    commit_group(subject.engine, [[opening(1)], [opening(2)]])
    do(subject, fact(2, PAID))
    with subject.reading() as connection:
        assert [o.out_trade_no for o in queries.open_orders(connection)] == [order_no(1)]
        assert queries.count_open_orders(connection) == 1
        assert queries.count_by_state(connection) == {"sent": 1, "paid": 1}
        both = queries.orders_by_passage(connection, record(1).passage_id)
        assert [o.attempt for o in both] == [1]


def test_every_unit_has_its_function() -> None:
    """No unit can be asked for that the store does not know."""
    assert set(_FUNCTIONS) == set(get_args(Unit))
