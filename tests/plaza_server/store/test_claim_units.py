"""Claims in the store: their books, their leases, and what two processes do to one receipt."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import sqlalchemy as sa

from plaza_server.engine import SWEEP_TIMER, CallKind, Wakeup
from plaza_server.rules.claims import Claim, ClaimState
from plaza_server.rules.claims_units import Decision
from plaza_server.rules.receipts import RefundProgress
from plaza_server.store import claim_units, open_store
from plaza_server.store.receipt_units import claim_refunds
from tests.plaza_server.bench_platform import says
from tests.plaza_server.engine.test_claims import (
    SILENCE,
    approve,
    ask,
    decide,
    earned,
    now,
)
from tests.plaza_server.plaza_bench import Bench, passage
from tests.plaza_server.store.test_verify import changed, found
from tolling.errors import RefusedError

S = ClaimState


@pytest.fixture(scope="module")
def books() -> tuple[Bench, Claim, Claim]:
    """Books with a refunded phone claim and a cash claim that was handed out."""
    bench = earned()
    phone = approve(bench, ask(bench))
    cash = ask(bench, 2)
    approve(bench, cash)
    decide(bench, cash, Decision.PAID_OUT, "li")
    bench.run(10_000)
    return bench, now(bench, phone), now(bench, cash)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ("DELETE FROM transfers WHERE transfer_id = 'claim/{0}/due'", "{0}"),
        ("DELETE FROM transfers WHERE transfer_id = 'claim/{0}/back'", "{0}"),
        ("UPDATE transfers SET amount_fen = 9 WHERE transfer_id = 'claim/{0}/back'", "{0}"),
        (
            "UPDATE transfers SET credit = 'cash_safe' WHERE transfer_id = 'claim/{1}/back'",
            "{1}",
        ),
        ("UPDATE claims SET state = 'sending' WHERE claim_id = '{0}'", "claim/{0}/back"),
        ("UPDATE claims SET state = 'refused' WHERE claim_id = '{1}'", "claim/{1}/back"),
        ("DELETE FROM claims WHERE claim_id = '{0}'", "claim/{0}/back"),
        ("UPDATE claims SET amount_fen = 1 WHERE claim_id = '{0}'", "{0}"),
        ("UPDATE claims SET revenue = 'revenue:alipay:x' WHERE claim_id = '{0}'", "{0}"),
        ("UPDATE claims SET platform = 'wechat' WHERE claim_id = '{0}'", "{0}"),
    ],
)
def test_a_claim_and_its_transfers_call_for_each_other(
    books: tuple[Bench, Claim, Claim], change: str, key: str
) -> None:
    """The proof names the claim whose money is not booked, or the transfer nothing calls for."""
    bench, phone, cash = books
    assert bench.problems() == []
    names = (phone.claim_id, cash.claim_id)
    with changed(bench, change.format(*names)) as connection:
        bad = found(connection)
    assert bad.key == key.format(*names)
    assert bad.table == ("transfers" if "/" in key else "claims")


def test_claims_beyond_the_capture_are_found(books: tuple[Bench, Claim, Claim]) -> None:
    """Also where each is booked rightly by itself."""
    bench, phone, _ = books
    with changed(
        bench,
        "INSERT INTO claims SELECT claim_id || 'x', request_id || 'x', request_digest, passage_id,"
        " lane_id, leg, out_trade_no, platform, revenue, 2000, reason, asked_by, asked_ms,"
        " NULL, NULL, decision, NULL, NULL, NULL, 'asked', owner, lease_until_ms, version, work"
        f" FROM claims WHERE claim_id = '{phone.claim_id}'",
    ) as connection:
        assert found(connection).table == "claims"


def test_the_driver_reads_what_became_of_a_claim(books: tuple[Bench, Claim, Claim]) -> None:
    """By the receipt: tender, amount and how far it is."""
    bench, phone, cash = books
    with bench.store.reading() as connection:
        assert claim_units.claims_of(connection, passage(1)) == [phone]
        assert claim_units.claims_in(connection, (S.PAID_OUT,)) == [cash]
        assert {each.claim_id for each in claim_units.claims_in(connection)} == {
            phone.claim_id,
            cash.claim_id,
        }
        (line,) = claim_refunds(connection, passage(1))
        (coins,) = claim_refunds(connection, passage(2))
    assert (line.tender, line.amount_fen, line.progress) == ("alipay", 1_000, RefundProgress.DONE)
    assert (coins.tender, coins.progress, coins.of_toll) == ("cash", RefundProgress.DONE, True)


@pytest.mark.postgres
@pytest.mark.slow
def test_another_process_ends_a_claim_whose_sender_died(migrated_postgres: str) -> None:
    """Its lease runs out; the same refund number is sent again and moves no more money."""
    subject = earned(store=open_store(migrated_postgres))
    subject.platform.always[CallKind.REFUND_QUERY] = says(SILENCE)
    claim = approve(subject, ask(subject))
    subject.run(2_000)
    assert now(subject, claim).state is S.SENDING
    subject.crash()
    other = Bench(open_store(migrated_postgres), name="other", now_ns=subject.now_ns)
    other.platform = subject.platform
    subject.platform.always.clear()
    other.run(30_000)
    assert now(other, claim).state is S.SENDING, "the lease of the dead process still runs"
    other.run(180_000)
    assert now(other, claim).state is S.REFUNDED
    assert subject.platform.count(CallKind.REFUND) == 2
    assert subject.platform.trades[str(claim.out_trade_no)].refunded_fen == 1_000
    other.check()
    subject.store.close()
    other.store.close()


@pytest.mark.postgres
@pytest.mark.slow
def test_two_processes_never_grant_the_same_money(migrated_postgres: str) -> None:
    """Two ask for more than half at the same time: one of them is refused."""
    subject = earned(store=open_store(migrated_postgres))
    other = Bench(open_store(migrated_postgres), name="other", now_ns=subject.now_ns)
    results: list[Any] = []
    start = threading.Barrier(2)

    def run(bench: Bench, name: str) -> None:
        start.wait()
        try:
            results.append(ask(bench, request_id=name, amount_fen=2_000))
        except RefusedError as error:
            results.append(error)

    for turn in range(5):
        results.clear()
        threads = [
            threading.Thread(target=run, args=(bench, f"request-{name}-{turn}"))
            for bench, name in ((subject, "one"), (other, "two"))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        made = [each for each in results if isinstance(each, Claim)]
        assert len(made) == 1, results
        decide(subject, made[0], Decision.REFUSE, "wang")
    subject.store.close()
    other.store.close()


def test_a_sweep_without_claims_asks_for_nothing_else() -> None:
    """What nobody asked for costs one count."""
    subject = earned()
    statements: list[str] = []
    sa.event.listen(
        subject.store.engine,
        "before_cursor_execute",
        lambda _c, _cursor, statement, *_: statements.append(statement),
    )
    subject.give(Wakeup(timer_id=SWEEP_TIMER, **subject.moment))
    subject.run(1_000)
    assert not any("claims" in statement for statement in statements)
