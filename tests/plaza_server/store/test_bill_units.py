"""Bills in every kind of store: whole imports, looks that can be run again, the same books."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plaza_server.rules.bill_units import (
    BillImported,
    EndReconciliation,
    ImportBill,
    Looked,
    reconcile_units,
)
from plaza_server.rules.bills import (
    Bill,
    BillKind,
    BillRow,
    BillStatus,
    shift_day,
    window_of,
)
from plaza_server.rules.facts import CancelAsked, PayAnswered, QueryAnswered, RecordSaid
from plaza_server.rules.ledger import Transfer, TransferKind
from plaza_server.rules.orders import Order, new_order
from plaza_server.rules.outcomes import Paid
from plaza_server.rules.reconcile_values import DayReport
from plaza_server.rules.units import AddLane, ApplyFact, Lease, OpenOrder, Sweep
from plaza_server.store import Store, bill_queries, commit_group, open_store, queries, verify_books
from plaza_server.store.claim_tables import claims
from plaza_server.store.work import Work
from tests.plaza_server.bench_platform import EPOCH_MS
from tests.plaza_server.plaza_bench import KEY, LANE, PLAZA, TOLL, code, order_no, request
from tests.plaza_server.rules.values import AT, SILENCE
from tolling.errors import RefusedError
from tolling.ids import BootId
from tolling.orders import OrderState, ReasonCode

DAY = "2026-11-18"
START, END = window_of("alipay", DAY)
ME = BootId("boot1")
LEASE = Lease(owner=ME, until_ms=EPOCH_MS + 90_000, steal=False)
LATER = replace(AT, wall_ms=END + 36_000_000)
ADD_LANE = AddLane(lane_id=LANE, plaza_id=PLAZA, token_hash="0" * 64, now_ms=EPOCH_MS)
FEE = 15
assert START < EPOCH_MS < END - 3_600_000, "the bench's orders are of that day"


def do(store: Store, *units: Any) -> Any:
    """Run units as one commit; return the last result."""
    (result,) = commit_group(store.engine, [units])
    if isinstance(result, Exception):
        raise result
    return result[-1]


def sent(store: Store, number: int) -> Order:
    """Store an order as sent."""
    order = new_order(
        request(number),
        code(number).ref(KEY),
        platform="alipay",
        plaza_name="东站",
        owner=ME,
        lease_until_ms=LEASE.until_ms,
        at=AT,
    )
    opened = do(store, OpenOrder(order=order, turn_down=None, at=AT)).order
    assert isinstance(opened, Order)
    return opened


def learn(store: Store, number: int, fact: Any) -> Order:
    """Apply a fact to an order."""
    unit = ApplyFact(out_trade_no=order_no(number), fact=fact, lease=LEASE, at=AT)
    changed = do(store, unit).order
    assert isinstance(changed, Order)
    return changed


def pays(store: Store, number: int) -> None:
    """Capture an order and name it in its record."""
    outcome = Paid(captured_fen=TOLL, provider_txn_id=f"T{number}", paid_at_ms=EPOCH_MS + number)
    learn(store, number, PayAnswered(outcome=outcome, cancel_out=False))
    learn(store, number, RecordSaid(leg_fen=TOLL))


def row(number: int, **changes: Any) -> BillRow:
    """Return an order's payment as billed."""
    made = BillRow(
        line=5 + number,
        kind=BillKind.PAY,
        out_trade_no=order_no(number),
        out_refund_no=None,
        provider_txn_id=f"T{number}",
        amount_fen=TOLL,
        fee_fen=FEE,
        paid_at_ms=EPOCH_MS + number,
        status=BillStatus.DONE,
    )
    return replace(made, **changes)


def bill(*rows: BillRow, day: str = DAY) -> Bill:
    """Return a bill of these rows."""
    rows = tuple(replace(each, line=line) for line, each in enumerate(rows, start=6))
    digest = hashlib.sha256(repr(rows).encode()).hexdigest()
    return Bill(platform="alipay", day=day, merchant="2088", rows=rows, digest=digest)


def take(store: Store, given: Bill) -> BillImported:
    """Import a bill."""
    unit = ImportBill(bill=given, content=given.digest.encode(), source="file", at=LATER)
    result = do(store, unit)
    assert isinstance(result, BillImported)
    return result


def run(store: Store, day: str = DAY, rate: int | None = None) -> list[Looked]:
    """Reconcile a day."""
    with store.reading() as connection:
        numbers = bill_queries.numbers_to_look_at(connection, "alipay", day)
    done = [
        do(store, unit)
        for unit in reconcile_units("alipay", day, numbers, fee_rate_bp=rate, owner=ME, at=LATER)
    ]
    do(store, EndReconciliation(platform="alipay", day=day, at=LATER))
    return done


def held(store: Store) -> dict[str, int]:
    """Return what accounts hold, without those at zero."""
    with store.reading() as connection:
        assert verify_books(connection) == []
        return {name: fen for name, fen in queries.balances(connection).items() if fen}


def report(store: Store, day: str = DAY) -> DayReport:
    """Return Alipay's report of a day."""
    with store.reading() as connection:
        (found,) = bill_queries.day_reports(connection, day)
    return found


def left(store: Store) -> list[tuple[str, str]]:
    """Return kind and number of what is left for a person."""
    with store.reading() as connection:
        found = bill_queries.bill_differences(connection, DAY, standing=True)
    assert all(each.action for each in found)
    return [(each.what, each.out_trade_no) for each in found]


@pytest.fixture
def plaza(store: Store) -> Store:
    """A store with one lane; orders 1 and 2 are paid, 3 is unknown, 4 waits to be closed."""
    do(store, ADD_LANE)
    for number in (1, 2, 3, 4):
        sent(store, number)
    pays(store, 1)
    pays(store, 2)
    learn(store, 3, PayAnswered(outcome=SILENCE, cancel_out=False))
    learn(store, 4, CancelAsked(reason=ReasonCode.CANCELLED))
    return store


def test_a_bill_is_stored_whole_and_once(plaza: Store) -> None:
    """The same bytes do nothing; other bytes are a new version, and the old one is kept."""
    first = take(plaza, bill(row(1)))
    assert (first.version, first.new) == (1, True)
    assert take(plaza, bill(row(1))) == replace(first, new=False)
    second = take(plaza, bill(row(1), row(2)))
    assert (second.version, second.new) == (2, True)
    assert take(plaza, bill(row(1))) == replace(first, new=False)
    assert report(plaza).version == 2
    assert report(plaza).stale


def test_a_day_closes(plaza: Store) -> None:
    """Two match, the unknown one was paid, the closing one never was; fees leave the clearing."""
    take(plaza, bill(row(1), row(2), row(3)))
    done = run(plaza, rate=60)
    assert sum(each.left for each in done) == 0
    subject = report(plaza)
    assert (subject.matched, subject.healed, subject.left) == (3, 2, 0)
    assert (subject.difference_fen, subject.fee_fen, subject.stale) == (0, 3 * FEE, False)
    with plaza.reading() as connection:
        third = queries.order(connection, order_no(3))
        fourth = queries.order(connection, order_no(4))
    assert third is not None
    assert fourth is not None
    assert (third.state, third.proven) == (OrderState.PAID, True)
    assert fourth.state is OrderState.CLOSED
    assert held(plaza) == {
        "clearing:alipay": 3 * TOLL - 3 * FEE,
        "fees:alipay": 3 * FEE,
        "revenue:alipay:310101": -2 * TOLL,
        "suspense": -TOLL,
    }


def test_running_again_changes_nothing(plaza: Store) -> None:
    """No second transfer, no second difference."""
    take(plaza, bill(row(1), row(9), row(2, amount_fen=TOLL + 1)))
    run(plaza)
    books, list_left = held(plaza), left(plaza)
    assert books["differences:alipay"] == -(TOLL + 1)
    for _ in range(2):
        assert sum(each.healed for each in run(plaza)) == 0
        assert (held(plaza), left(plaza)) == (books, list_left)
    assert report(plaza).runs == 3


def test_a_new_version_changes_only_what_differs(plaza: Store) -> None:
    """A row that was wrong is taken back, one that was missing comes in, the rest stays."""
    take(plaza, bill(row(1), row(9)))
    run(plaza)
    assert ("LONG", order_no(9)) in left(plaza)
    assert ("SHORT", order_no(2)) in left(plaza)
    take(plaza, bill(row(1), row(2)))
    run(plaza)
    assert left(plaza) == []
    assert report(plaza).difference_fen == 0
    books = held(plaza)
    assert "differences:alipay" not in books
    assert books["clearing:alipay"] == 2 * TOLL - 2 * FEE


def test_a_payment_at_midnight_heals_with_the_neighbour_bill(plaza: Store) -> None:
    """DAY: it waits for that bill, and no money stands in differences meanwhile."""
    sent(plaza, 5)
    late = replace(AT, wall_ms=END - 1_000)
    outcome = Paid(captured_fen=TOLL, provider_txn_id="T5", paid_at_ms=None)
    fact = PayAnswered(outcome=outcome, cancel_out=False)
    do(plaza, ApplyFact(out_trade_no=order_no(5), fact=fact, lease=LEASE, at=late))
    take(plaza, bill(row(1), row(2)))
    run(plaza)
    assert left(plaza) == [("DAY", order_no(5))]
    assert report(plaza).difference_fen == 0
    next_day = shift_day(DAY, 1)
    take(plaza, bill(row(5, paid_at_ms=END + 1_000), day=next_day))
    run(plaza, next_day)
    run(plaza)
    assert left(plaza) == []
    with plaza.reading() as connection:
        healed = queries.order(connection, order_no(5))
    assert healed is not None
    assert healed.paid_at_ms == END + 1_000


def test_a_capture_that_the_record_left_out_is_owed_after_the_bill(plaza: Store) -> None:
    """It is refund_due in the commit that learns of it, and wants work."""
    learn(plaza, 4, RecordSaid(leg_fen=None))
    take(plaza, bill(row(1), row(2), row(4)))
    (looked,) = run(plaza)
    owed = next(each for each in looked.orders if each.out_trade_no == order_no(4))
    assert owed.state is OrderState.REFUND_DUE
    assert held(plaza)["refund_due"] == -TOLL
    other = Lease(owner=BootId("boot2"), until_ms=LATER.wall_ms + 90_000, steal=False)
    swept = do(plaza, Sweep(lease=other, limit=10, at=LATER))
    assert order_no(4) in {each.out_trade_no for each in swept.taken}


def test_a_look_without_a_bill_is_refused(plaza: Store) -> None:
    """Nothing proves anything then."""
    units = list(
        reconcile_units("alipay", DAY, [order_no(1)], fee_rate_bp=None, owner=ME, at=LATER)
    )
    with pytest.raises(RefusedError, match="no bill of that day"):
        do(plaza, *units)


def test_payees_get_what_the_platform_pays_for_them(plaza: Store) -> None:
    """Rows no order explains have no payee."""
    take(plaza, bill(row(1), row(2), row(9)))
    with plaza.reading() as connection:
        nobody, ours = bill_queries.payee_sums(connection, DAY)
    assert (nobody.payee, nobody.totals.pay_fen) == ("", TOLL)
    assert (ours.payee, ours.totals.net_fen) == ("310101", 2 * (TOLL - FEE))


def test_a_claims_refund_is_known_by_its_number(plaza: Store) -> None:
    """Under way by the claim's row, given back by its transfer: the row matches either way."""
    claim = {
        "claim_id": "3101010010010000000001C01",
        "request_id": "q1",
        "request_digest": "d",
        "passage_id": "310101001001000000001",
        "lane_id": LANE,
        "leg": 1,
        "out_trade_no": order_no(1),
        "platform": "alipay",
        "revenue": "revenue:alipay:310101",
        "amount_fen": 300,
        "reason": "r",
        "asked_by": "a",
        "asked_ms": EPOCH_MS,
        "decided_by": "b",
        "decided_ms": EPOCH_MS,
        "decision": "",
        "paid_by": None,
        "ended_ms": None,
        "out_refund_no": f"{order_no(1)}R02",
        "state": "sending",
        "owner": ME,
        "lease_until_ms": 0,
        "version": 1,
        "work": True,
    }
    with plaza.engine.begin() as connection:
        connection.execute(claims.insert(), claim)
    back = row(
        1, kind=BillKind.REFUND, out_refund_no=f"{order_no(1)}R02", amount_fen=300, fee_fen=0
    )
    take(plaza, bill(row(1), row(2), back))
    run(plaza)
    assert (left(plaza), report(plaza).matched) == ([], 3)
    given = Transfer(
        transfer_id=f"claim/{claim['claim_id']}/back",
        kind=TransferKind.POSTED,
        debit="refund_due",
        credit="clearing:alipay",
        amount_fen=300,
        out_trade_no=order_no(1),
    )
    with plaza.engine.begin() as connection:
        connection.execute(claims.update().values(state="refunded", work=False))
        work = Work(connection)
        work.add_transfer(given, AT, owner=ME)
        work.flush()
    run(plaza)
    assert (left(plaza), report(plaza).matched) == ([], 3)


@pytest.mark.postgres
def test_two_processes_may_reconcile_one_day_at_once(migrated_postgres: str) -> None:
    """Whoever comes second finds what stands: no transfer twice, the same books."""
    store = open_store(migrated_postgres)
    try:
        do(store, ADD_LANE)
        count = 40
        for number in range(1, count + 1):
            sent(store, number)
            if number % 2:
                pays(store, number)
        take(store, bill(*(row(number) for number in range(1, count + 1)), row(99)))
        with store.reading() as connection:
            numbers = bill_queries.numbers_to_look_at(connection, "alipay", DAY)

        def process(name: str) -> None:
            for start in range(0, len(numbers), 4):
                some = numbers[start : start + 4]
                units = list(
                    reconcile_units(
                        "alipay", DAY, some, fee_rate_bp=None, owner=BootId(name), at=LATER
                    )
                )
                for _ in range(5):
                    (result,) = commit_group(store.engine, [units])
                    if not isinstance(result, Exception):
                        break
                assert not isinstance(result, Exception), result

        with ThreadPoolExecutor(2) as both:
            for done in [both.submit(process, name) for name in ("boot1", "boot2")]:
                done.result()
        do(store, EndReconciliation(platform="alipay", day=DAY, at=LATER))
        subject = report(store)
        assert (subject.matched, subject.left) == (count, 1)
        assert (subject.difference_fen, subject.fee_fen) == (TOLL, (count + 1) * FEE)
        assert held(store)["fees:alipay"] == (count + 1) * FEE
    finally:
        store.close()


# ---- any sequence, twice ----

ROWS: Sequence[BillRow] = (
    row(1),
    row(2),
    row(3),
    row(4, amount_fen=TOLL + 5),
    row(9),
    row(1, provider_txn_id="T1b"),
    row(2, kind=BillKind.REFUND, out_refund_no="HAND", amount_fen=300, fee_fen=-2),
    row(3, kind=BillKind.REFUND, fee_fen=-FEE),
)
bills_of_day = st.lists(st.sampled_from(ROWS), unique_by=lambda each: each.key, max_size=6)
steps = st.lists(st.one_of(bills_of_day.map(tuple), st.just("run")), min_size=1, max_size=6)


def books_after(sequence: Sequence[Any]) -> tuple[Any, ...]:
    """Return books, differences and states after a sequence of imports and runs and a last run."""
    store = open_store("sqlite://")
    try:
        do(store, ADD_LANE)
        for number in (1, 2, 3, 4):
            sent(store, number)
        pays(store, 1)
        pays(store, 2)
        for step in sequence:
            if step != "run":
                take(store, bill(*step))
            elif _imported(store):
                run(store)
        if _imported(store):
            run(store)
        with store.reading() as connection:
            states = tuple(
                order.state
                for number in (1, 2, 3, 4)
                if (order := queries.order(connection, order_no(number))) is not None
            )
        return held(store), left(store), states
    finally:
        store.close()


def _imported(store: Store) -> bool:
    with store.reading() as connection:
        return bool(bill_queries.bills_in_force(connection, DAY))


@pytest.mark.slow
@settings(max_examples=max(25, settings().max_examples // 5))
@given(steps)
def test_any_sequence_run_twice_gives_the_same_books(sequence: list[Any]) -> None:
    """Imports and runs, each of them twice in a row: books, open points and states agree."""
    doubled = [step for step in sequence for _ in range(2)]
    assert books_after(doubled) == books_after(sequence)


def test_an_absent_order_is_closed_by_the_bill_and_not_by_a_query_it_never_got(
    plaza: Store,
) -> None:
    """A later lie of a query about a closed order is believed only as a capture."""
    take(plaza, bill(row(1), row(2)))
    run(plaza)
    late = QueryAnswered(
        outcome=Paid(captured_fen=TOLL, provider_txn_id="T3", paid_at_ms=EPOCH_MS + 3),
        since_sent_ms=90_000_000,
        absent_before=True,
        cancelled=True,
        gave_back=False,
        cancel_out=False,
    )
    assert learn(plaza, 3, late).state is OrderState.PAID
    run(plaza)
    assert left(plaza) == [("SHORT", order_no(3))]
