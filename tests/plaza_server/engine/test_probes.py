"""Probes of platforms: they move no money, and tell at once who is well."""

from __future__ import annotations

import pytest

from plaza_server.engine import CallKind, PlatformProbed
from plaza_server.rules.outcomes import (
    Evidence,
    Misconfigured,
    NotThere,
    PlatformOutcome,
    Unknown,
)
from tests.plaza_server.bench_platform import says
from tests.plaza_server.plaza_bench import Bench, answer
from tolling.orders import OrderState, ReasonCode

REFUSED = Misconfigured(detail="401 SIGN_ERROR")
TIMEOUT = Unknown(evidence=Evidence.TIMEOUT)


@pytest.fixture
def subject() -> Bench:
    """A plaza process on a fresh store."""
    return Bench()


def probed(subject: Bench, outcome: PlatformOutcome, skew_ms: int | None = 0) -> None:
    subject.give(
        PlatformProbed(**subject.moment, platform="alipay", outcome=outcome, skew_ms=skew_ms)
    )
    subject.run(50)


def test_a_platform_that_refuses_us_is_off_before_the_first_car(subject: Bench) -> None:
    """The self-test's refusal is an alarm and another tender at once; a good probe ends both."""
    probed(subject, REFUSED)
    assert subject.standing() == {"platform_suspended"}
    first = subject.pay(1)
    subject.run(50)
    assert answer(subject, first).reason_code is ReasonCode.PLATFORM_OFF
    assert subject.platform.calls == []
    probed(subject, NotThere())
    assert subject.standing() == set()
    second = subject.pay(2)
    subject.run(1_000)
    assert answer(subject, second).state is OrderState.PAID


def test_a_good_probe_brings_a_silent_platform_back(subject: Bench) -> None:
    """After too many payments without an answer the next good probe ends the pause."""
    timeouts = [says(TIMEOUT, 100)] * 10
    subject.platform.script(CallKind.PAY, *timeouts)
    subject.platform.script(CallKind.QUERY, *timeouts * 5)
    number = 0
    while "platform_suspended" not in subject.standing():
        number += 1
        assert number <= 10
        subject.pay(number)
        subject.run(200)
    subject.platform.acts.clear()
    probed(subject, NotThere())
    assert "platform_suspended" not in subject.standing()
    name = subject.pay(11)
    subject.run(1_000)
    assert answer(subject, name).state is OrderState.PAID


@pytest.mark.parametrize("outcome", [REFUSED, TIMEOUT, Unknown(evidence=Evidence.BAD_SIGNATURE)])
def test_probing_does_not_put_off_the_one_payment_that_may_try(
    subject: Bench, outcome: PlatformOutcome
) -> None:
    """However often a platform that is off is probed in vain, its pause ends when it ends."""
    probed(subject, REFUSED)
    assert subject.engine is not None
    until_ns = subject.engine.breaker_of("alipay").until_ns
    for _ in range(20):
        probed(subject, outcome)
    assert subject.engine.breaker_of("alipay").until_ns == until_ns


def test_an_unanswered_probe_alone_takes_nothing_off(subject: Bench) -> None:
    """Silence to a probe is no payment without proof."""
    for _ in range(20):
        probed(subject, TIMEOUT)
    assert subject.standing() == set()
    name = subject.pay(1)
    subject.run(1_000)
    assert answer(subject, name).state is OrderState.PAID


def test_forged_answers_to_probes_are_an_alarm(subject: Bench) -> None:
    """Nobody may answer in the platform's place, also about no order."""
    probed(subject, Unknown(evidence=Evidence.BAD_SIGNATURE))
    assert subject.standing() == {"bad_signature"}
    probed(subject, Unknown(evidence=Evidence.SIGN_TEST))
    probed(subject, NotThere())
    assert subject.standing() == set()


def test_the_platforms_own_test_of_us_is_no_alarm(subject: Bench) -> None:
    """A signature wrong on purpose is refused quietly."""
    probed(subject, Unknown(evidence=Evidence.SIGN_TEST))
    assert subject.standing() == set()


def test_a_probe_compares_the_clocks(subject: Bench) -> None:
    """The skew is known before the first payment."""
    probed(subject, NotThere(), skew_ms=130_000)
    assert subject.standing() == {"clock_bad"}
    probed(subject, NotThere(), skew_ms=100)
    assert subject.standing() == set()
