"""The plaza's process dies at every commit and every call; nothing is lost or charged twice."""

from __future__ import annotations

import pytest

from plaza_server.engine import CallKind
from plaza_server.store import queries, record_units
from tests.plaza_server.bench_platform import TIMEOUT, charges, charges_silently, says, waits
from tests.plaza_server.plaza_bench import CASH_LEG, TOLL, Bench, order_no, phone_leg
from tolling.chain import SealedRecord
from tolling.errors import BadInputError
from tolling.orders import OPEN_STATES
from tolling.records import PassageRecord

QUARTER_MS = 900_000
SCRIPTS = ("paid", "lost", "never", "waits", "mismatch", "cancelled", "left_out")
KINDS = ("before", "after", "unsent", "call")
STEPS_MAX = 12
STATES_LEFT = {state.value for state in OPEN_STATES} | {"refund_due", "refunding", "mismatch"}


def drive(subject: Bench, script: str, number: int) -> None:
    """Begin one payment as *script* says."""
    if script == "lost":
        subject.platform.script(CallKind.PAY, charges_silently)
    elif script == "never":
        subject.platform.script(CallKind.PAY, says(TIMEOUT, 60_000))
    elif script in {"waits", "cancelled"}:
        subject.platform.script(CallKind.PAY, waits)
    elif script == "mismatch":
        subject.platform.script(CallKind.PAY, charges(1))
    subject.pay(number)
    subject.run(4_000)
    if script == "cancelled" and subject.engine is not None:
        subject.cancel(number)
    if script == "left_out" and subject.engine is not None:
        subject.seal_and_upload(number)
    subject.run(20_000)


def settle(subject: Bench, number: int) -> None:
    """Do what the lane does in the end: upload its record, or upload it again."""
    if subject.sealed is not None:
        subject.upload(subject.sealed)
    elif subject.stored_state(number) == "paid":
        subject.seal_and_upload(number, phone_leg(order_no(number)))
    else:
        subject.seal_and_upload(number, CASH_LEG)
    subject.sealed = None
    subject.run(QUARTER_MS)


EARNED = "revenue:alipay:310101"


def as_an_older_plaza(sealed: SealedRecord) -> PassageRecord:
    """Refuse a record as a plaza that does not know one of its members."""
    raise BadInputError(where=f"record {sealed.seq}", what="unknown member: tomorrow")


def unread(subject: Bench) -> int:
    """Return how many records in quarantine the plaza has told of."""
    with subject.store.reading() as connection:
        return [row.code for row in queries.alarms(connection)].count("record_quarantined")


@pytest.fixture
def upgraded(monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Lanes were upgraded before their plaza: it could not read records 1 and 2, and nobody can
    read the third."""
    subject = Bench()
    subject.run(10)
    with monkeypatch.context() as older:
        older.setattr(record_units, "open_record", as_an_older_plaza)
        for number in (1, 2):
            subject.pay(number)
            subject.run(4_000)
            subject.seal_and_upload(number, phone_leg(order_no(number)))
            subject.run(10)
        subject.upload(subject.chain.seal(b"no record of anybody's"))
        subject.run(10)
    assert unread(subject) == 3
    assert subject.balances()["suspense"] != 0
    return subject


@pytest.mark.slow
def test_a_start_reads_again_what_the_version_before_could_not(upgraded: Bench) -> None:
    """Each record does all it says, once; one that nobody can read stays, and stops nothing."""
    for _ in range(2):
        upgraded.start()
        upgraded.run(QUARTER_MS)
        assert unread(upgraded) == 1
        assert "suspense" not in upgraded.balances()
        assert upgraded.balances()[EARNED] == -2 * TOLL
        upgraded.check()


@pytest.mark.slow
def test_a_record_whose_reading_fails_is_left_for_the_next_start(upgraded: Bench) -> None:
    """It costs no sweep and none of the others."""
    upgraded.start()
    upgraded.run(3)
    upgraded.failing = 1
    upgraded.run(QUARTER_MS)
    assert (upgraded.failing, unread(upgraded)) == (0, 2)
    assert upgraded.balances()[EARNED] == -TOLL
    upgraded.start()
    upgraded.run(QUARTER_MS)
    assert (upgraded.balances()[EARNED], unread(upgraded)) == (-2 * TOLL, 1)
    upgraded.check()


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS)
def test_a_crash_anywhere_costs_nobody_money(script: str) -> None:
    """The next process ends the order without pay; books, orders and platform agree."""
    subject = Bench()
    subject.run(10)
    number = 0
    for kind in KINDS:
        for step in range(1, STEPS_MAX):
            number += 1
            calls = len(subject.platform.calls)
            done = subject.commits if kind in {"before", "after"} else calls
            subject.platform.acts.clear()
            subject.crash_at = (kind, done + step)
            drive(subject, script, number)
            died = subject.engine is None
            subject.crash_at = None
            if died:
                pays = subject.platform.count(CallKind.PAY)
                subject.start()
                subject.run(QUARTER_MS)
                assert subject.platform.count(CallKind.PAY) == pays, "pay after a restart"
            settle(subject, number)
            assert subject.stored_state(number) not in STATES_LEFT, (kind, step)
            assert {"refund_due", "suspense"}.isdisjoint(subject.balances()), (kind, step)
            subject.check()
            if not died:
                assert step > 1, f"no crash {kind} happened"
                break
