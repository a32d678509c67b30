"""Receipts in the store: built in their record's commit, moved once, never changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from plaza_server.rules.facts import RefundAnswered, RefundStarted
from plaza_server.rules.outcomes import RefundDone
from plaza_server.rules.receipts import (
    MoveReceipt,
    ReceiptEvent,
    ReceiptMoved,
    ReceiptState,
    ReceiptVerdict,
    RefundProgress,
)
from plaza_server.rules.units import TakeRecords
from plaza_server.store import Store, commit_group
from plaza_server.store import tables as t
from plaza_server.store.receipt_tables import receipt_events, receipts
from plaza_server.store.receipt_units import receipt_view
from tests.plaza_server.bench_platform import EPOCH_MS
from tests.plaza_server.plaza_bench import (
    CASH_LEG,
    LANE,
    PLAZA,
    TOLL,
    Chain,
    order_no,
    passage,
    phone_leg,
    record,
)
from tests.plaza_server.rules.values import AT
from tests.plaza_server.store.test_units import ADD_LANE, LEASE, PAID, do, fact, opening
from tests.tolling.test_receipts import KEY, KEY_ID, verify
from tolling.ids import make_out_refund_no
from tolling.receipts import check_receipt, receipt_bytes, receipt_of, sign_receipt

E, S, V = ReceiptEvent, ReceiptState, ReceiptVerdict


@pytest.fixture
def subject(store: Store) -> Store:
    """A store with one lane."""
    do(store, ADD_LANE)
    return store


def take(store: Store, *made: Any, chain: Chain | None = None) -> Any:
    """Seal and take records; return the last sealed one."""
    chain = chain or Chain()
    sealed = [chain.seal(each) for each in made]
    do(store, TakeRecords(lane_id=LANE, records=tuple(sealed), lease=LEASE, at=AT, payee="P1"))
    return sealed[-1]


def paid_by_phone(store: Store) -> None:
    """One car that paid by phone, its record taken."""
    do(store, opening(1))
    do(store, fact(1, PAID))
    take(store, record(1, legs=(phone_leg(order_no(1)),), orders=(order_no(1),)))


def view(store: Store, number: int = 1) -> Any:
    """Return the receipt of a passage."""
    with store.reading() as connection:
        return receipt_view(connection, passage(number))


def move(event: ReceiptEvent, *, who: str = "", now_ms: int = EPOCH_MS) -> MoveReceipt:
    """Return the unit; *event* is none that is signed."""
    return MoveReceipt(receipt_no=passage(1), event=event, who=who, why="because", now_ms=now_ms)


def deliver(store: Store) -> MoveReceipt:
    """Return the unit that delivers."""
    content = view(store).content.encode()
    return MoveReceipt(
        receipt_no=passage(1),
        event=E.DELIVER,
        who="",
        why="",
        now_ms=EPOCH_MS,
        signed=sign_receipt(content, key_id=KEY_ID, sign=KEY.sign),
    )


def test_a_paid_record_brings_its_receipt_in_the_same_commit(subject: Store) -> None:
    """The bytes are those anybody makes of the record."""
    told = record(1, legs=(CASH_LEG,))
    sealed = take(subject, told)
    found = view(subject)
    receipt = receipt_of(sealed, told, payee="P1", issued_ms=AT.wall_ms)
    assert receipt is not None
    assert found.content.encode() == receipt_bytes(receipt)
    assert (found.state, found.signed, found.steps) == (S.ISSUED, None, ())
    assert (found.receipt.payee, found.receipt.toll_fen) == ("P1", TOLL)


def test_a_plaza_without_a_payee_is_its_own(subject: Store) -> None:
    """As its revenue accounts name it."""
    sealed = Chain().seal(record(1, legs=(CASH_LEG,)))
    do(subject, TakeRecords(lane_id=LANE, records=(sealed,), lease=LEASE, at=AT))
    assert view(subject).receipt.payee == PLAZA


def test_no_payment_no_receipt_and_no_record_twice(subject: Store) -> None:
    """A car that backed out has none, a record sent again makes no second."""
    chain = Chain()
    sealed = [chain.seal(record(1)), chain.seal(record(2, legs=(CASH_LEG,)))]
    for _ in range(2):
        do(subject, TakeRecords(lane_id=LANE, records=tuple(sealed), lease=LEASE, at=AT))
    assert view(subject, 1) is None
    with subject.reading() as connection:
        assert connection.execute(sa.select(receipts.c.receipt_no)).scalars().all() == [passage(2)]


def test_a_wild_clock_costs_no_record(subject: Store) -> None:
    """A receipt that no token can hold is kept with its record; only its signing is refused."""
    wild = record(1, legs=(CASH_LEG,))
    wild = replace(wild, sealed=replace(wild.sealed, utc_ms=2**62))
    take(subject, wild)
    assert view(subject).receipt.exited_ms == 2**62


def test_the_first_delivery_keeps_its_signature(subject: Store) -> None:
    """Later ones change nothing."""
    take(subject, record(1, legs=(CASH_LEG,)))
    moved: ReceiptMoved = do(subject, deliver(subject))
    assert (moved.verdict, moved.view.state) == (V.MOVED, S.DELIVERED)
    assert moved.view.signed is not None
    assert check_receipt(moved.view.signed, verify=verify) == moved.view.receipt
    again: ReceiptMoved = do(subject, deliver(subject))
    assert (again.verdict, again.view) == (V.SAME, moved.view)


def test_a_second_reimbursement_is_refused_and_knows_the_first(subject: Store) -> None:
    """When and by whom."""
    take(subject, record(1, legs=(CASH_LEG,)))
    do(subject, deliver(subject))
    first: ReceiptMoved = do(subject, move(E.REIMBURSE, who="ann"))
    assert first.verdict is V.MOVED
    second: ReceiptMoved = do(subject, move(E.REIMBURSE, who="bob", now_ms=EPOCH_MS + 9))
    assert second.verdict is V.REFUSED
    step = second.view.last(E.REIMBURSE)
    assert step is not None
    assert (step.who, step.wall_ms, step.why) == ("ann", EPOCH_MS, "because")
    assert do(subject, move(E.VOID, who="bob")).verdict is V.REFUSED


def test_two_at_once_reimburse_once(subject: Store) -> None:
    """In one group of commits too."""
    take(subject, record(1, legs=(CASH_LEG,)))
    do(subject, deliver(subject))
    results = commit_group(
        subject.engine, [[move(E.REIMBURSE, who="ann")], [move(E.REIMBURSE, who="bob")]]
    )
    moved = [result[0] for result in results if isinstance(result, tuple)]
    assert [each.verdict for each in moved if isinstance(each, ReceiptMoved)] == [
        V.MOVED,
        V.REFUSED,
    ]


def refund(store: Store, refunded_fen: int) -> None:
    """Give back of the phone leg's order, outside of the rules that do it."""
    with store.engine.begin() as connection:
        change = t.orders.update().where(t.orders.c.out_trade_no == order_no(1))
        connection.execute(change.values(refunded_fen=refunded_fen))


def test_a_whole_refund_voids_before_anything_else_is_done(subject: Store) -> None:
    """No reimbursement of money that has gone back."""
    paid_by_phone(subject)
    do(subject, deliver(subject))
    refund(subject, TOLL)
    moved: ReceiptMoved = do(subject, move(E.REIMBURSE, who="ann"))
    assert (moved.verdict, moved.view.state) == (V.REFUSED, S.VOIDED)
    assert [step.event for step in moved.view.steps] == [E.DELIVER, E.REFUND]
    assert do(subject, move(E.REIMBURSE, who="ann")).view.steps == moved.view.steps


def test_a_refund_after_a_reimbursement_voids_and_keeps_what_was(subject: Store) -> None:
    """Who was paid out can be asked for it."""
    paid_by_phone(subject)
    do(subject, deliver(subject))
    do(subject, move(E.REIMBURSE, who="ann"))
    refund(subject, TOLL)
    found: ReceiptMoved = do(subject, deliver(subject))
    assert found.view.state is S.VOIDED
    assert [step.event for step in found.view.steps] == [E.DELIVER, E.REIMBURSE, E.REFUND]


def test_a_refund_in_part_leaves_it_good(subject: Store) -> None:
    """And is told."""
    paid_by_phone(subject)
    refund(subject, TOLL - 1)
    assert (view(subject).refunded_fen, view(subject).refunded_whole) == (TOLL - 1, False)
    do(subject, deliver(subject))
    assert do(subject, move(E.REIMBURSE, who="ann")).verdict is V.MOVED


def test_a_receipt_voided_unseen_is_still_signed_when_asked_for(subject: Store) -> None:
    """It is handed out as what it is."""
    take(subject, record(1, legs=(CASH_LEG,)))
    do(subject, move(E.VOID, who="ann"))
    moved: ReceiptMoved = do(subject, deliver(subject))
    assert (moved.verdict, moved.view.state) == (V.SAME, S.VOIDED)
    assert moved.view.signed is not None


def test_no_receipt_is_none(subject: Store) -> None:
    """Nothing is made up."""
    assert do(subject, move(E.VOID, who="ann")) is None
    assert view(subject) is None


@pytest.mark.parametrize("table", [receipts, receipt_events])
def test_history_is_never_changed(subject: Store, table: sa.Table) -> None:
    """The database itself refuses."""
    take(subject, record(1, legs=(CASH_LEG,)))
    do(subject, deliver(subject))
    for statement in (table.update().values(receipt_no="x"), table.delete()):
        with (
            pytest.raises(sa.exc.DBAPIError, match="never changed"),
            subject.engine.begin() as connection,
        ):
            connection.execute(statement)


def test_a_payment_too_many_is_told_and_is_no_refund_of_the_toll(subject: Store) -> None:
    """On its way back, then back; the receipt stays what it is."""
    do(subject, opening(1))
    do(subject, fact(1, PAID))
    take(subject, record(1, legs=(CASH_LEG,), orders=(order_no(1),)))

    def told() -> Any:
        (line,) = view(subject).refunds
        return line.amount_fen, line.progress, line.of_toll

    assert told() == (TOLL, RefundProgress.UNDER_WAY, False)
    do(subject, fact(1, RefundStarted(out_refund_no=make_out_refund_no(order_no(1), 1))))
    done = RefundAnswered(outcome=RefundDone(refunded_total_fen=TOLL), by_query=True)
    do(subject, fact(1, done))
    assert told() == (TOLL, RefundProgress.DONE, False)
    assert view(subject).refunded_fen == 0
