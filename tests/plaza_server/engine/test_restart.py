"""The plaza's process dies at every commit and every call; nothing is lost or charged twice."""

from __future__ import annotations

import pytest

from plaza_server.engine import CallKind
from tests.plaza_server.bench_platform import TIMEOUT, charges, charges_silently, says, waits
from tests.plaza_server.plaza_bench import CASH_LEG, Bench, order_no, phone_leg
from tolling.orders import OPEN_STATES

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
