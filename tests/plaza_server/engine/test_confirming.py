"""When confirming queries go: off every driver's path, within a minute."""

from __future__ import annotations

import pytest

from plaza_server.engine import CallKind
from plaza_server.rules.limits import CONFIRM_AT_ONCE_MAX
from tests.plaza_server.plaza_bench import Bench, order_no


@pytest.fixture
def subject() -> Bench:
    """A plaza process on a fresh store."""
    return Bench()


def is_asked(bench: Bench, number: int) -> bool:
    return (CallKind.QUERY, order_no(number)) in bench.platform.calls


def test_on_a_quiet_plaza_the_query_goes_after_five_seconds(subject: Bench) -> None:
    """Nobody else pays: nothing to put it off for."""
    subject.pay(1)
    subject.run(5_200)
    assert not is_asked(subject, 1)
    subject.run(800)
    assert is_asked(subject, 1)
    assert subject.order(1).proven


def test_while_drivers_pay_the_query_waits_and_comes_within_the_minute(subject: Bench) -> None:
    """A pay every half second: put off for 45 s, then it goes all the same."""
    subject.pay(1)
    for each in range(2, 91):
        subject.run(500)
        subject.pay(each)
    assert subject.platform.count(CallKind.QUERY) == 0
    for each in range(91, 96):
        subject.run(500)
        subject.pay(each)
    assert is_asked(subject, 1)
    assert subject.order(1).proven


def test_once_it_is_quiet_all_are_asked_about_a_few_at_once(subject: Bench) -> None:
    """Forty payments in a moment: their queries never crowd the platform, and all are proven."""
    most = 0
    call = subject.platform.call

    def counting(kind: CallKind, order: object) -> object:
        nonlocal most
        if kind is CallKind.QUERY:
            began = [at for at in sent if at > subject.now_ns - 290_000_000]
            sent.append(subject.now_ns)
            most = max(most, len(began) + 1)
        return call(kind, order)

    sent: list[int] = []
    subject.platform.call = counting  # type: ignore[method-assign,assignment]
    for each in range(1, 41):
        subject.pay(each)
    subject.run(20_000)
    assert all(subject.order(each).proven for each in range(1, 41))
    assert 0 < most <= CONFIRM_AT_ONCE_MAX


def test_a_restart_asks_about_what_was_put_off(subject: Bench) -> None:
    """What waits for a quiet moment is in memory only; the next process finds it in the store."""
    subject.pay(1)
    for each in range(2, 20):
        subject.run(500)
        subject.pay(each)
    assert not is_asked(subject, 1)
    subject.crash()
    subject.start()
    subject.run(30_000)
    assert subject.order(1).proven
