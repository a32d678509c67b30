"""Platforms that are taken off and come back, in virtual time."""

from __future__ import annotations

import pytest

from plaza_server.engine import CallKind
from plaza_server.rules.outcomes import (
    Evidence,
    Misconfigured,
    Unknown,
)
from tests.plaza_server.bench_platform import says
from tests.plaza_server.plaza_bench import Bench, answer
from tolling.orders import NextStep, OrderState, ReasonCode
from tolling.paycodes import Wallet

HOUR_MS = 3_600_000


@pytest.fixture
def subject() -> Bench:
    """A plaza process on a fresh store."""
    return Bench()


def test_a_misconfigured_platform_is_suspended_and_comes_back(subject: Bench) -> None:
    """The order is unknown, new ones are turned away at once; a good answer puts it on again."""
    subject.platform.script(CallKind.PAY, says(Misconfigured(detail="isv.invalid-app-id")))
    first = subject.pay(1)
    subject.run(500)
    said = answer(subject, first)
    assert (said.state, said.reason_code) == (OrderState.UNKNOWN, ReasonCode.MERCHANT_TROUBLE)
    assert said.next is NextStep.OTHER_TENDER
    assert "platform_suspended" in subject.standing()
    second = subject.pay(2)
    subject.run(50)
    turned = answer(subject, second)
    assert (turned.state, turned.reason_code) == (OrderState.REFUSED, ReasonCode.PLATFORM_OFF)
    assert turned.next is NextStep.OTHER_TENDER
    subject.run(5_000)
    assert subject.standing() == set()
    third = subject.pay(3)
    subject.run(1_000)
    assert answer(subject, third).state is OrderState.PAID


def test_a_code_turned_away_unsent_may_be_used_later(subject: Bench) -> None:
    """No platform saw it, so it is not used up."""
    subject.platform.script(CallKind.PAY, says(Misconfigured(detail="x")))
    subject.pay(1)
    subject.run(500)
    subject.pay(2, digits=9)
    subject.run(10_000)
    name = subject.pay(3, digits=9)
    subject.run(1_000)
    assert answer(subject, name).state is OrderState.PAID


def test_a_wallet_nobody_takes_is_turned_away(subject: Bench) -> None:
    """No platform for it here: other tender, stored, nothing sent."""
    name = subject.pay(1, wallet=Wallet.WECHAT)
    subject.run(100)
    assert answer(subject, name).reason_code is ReasonCode.PLATFORM_OFF
    subject.check()


def test_a_bad_signature_is_unknown_and_an_alarm(subject: Bench) -> None:
    """An unprovable answer is never paid; the truth is asked for."""
    subject.platform.script(CallKind.PAY, says(Unknown(evidence=Evidence.BAD_SIGNATURE)))
    name = subject.pay(1)
    subject.run(400)
    said = answer(subject, name)
    assert (said.state, said.reason_code) == (OrderState.UNKNOWN, ReasonCode.BAD_ANSWER)
    assert "bad_signature" in subject.standing()


def test_clocks_two_minutes_apart_are_an_alarm_until_they_agree(subject: Bench) -> None:
    """Payments go on; the alarm names whose clock it was compared with, and goes by itself."""
    subject.skew_ms = -120_001
    name = subject.pay(1)
    subject.run(1_000)
    assert answer(subject, name).state is OrderState.PAID
    assert subject.standing() == {"clock_bad"}
    subject.skew_ms = 119_000
    subject.pay(2)
    subject.run(1_000)
    assert subject.standing() == set()


def test_an_answer_without_its_time_is_an_alarm(subject: Bench) -> None:
    """Nobody knows the skew then: something stands between, or the platform changed."""
    subject.skew_ms = None
    subject.pay(1)
    subject.run(1_000)
    assert subject.standing() == {"clock_bad"}


def test_silence_says_nothing_about_clocks(subject: Bench) -> None:
    """A call without an answer neither raises nor clears the clock's alarm."""
    subject.skew_ms = None
    subject.platform.script(CallKind.PAY, says(Unknown(evidence=Evidence.TIMEOUT)))
    subject.platform.script(CallKind.QUERY, says(Unknown(evidence=Evidence.TIMEOUT)))
    subject.pay(1)
    subject.run(400)
    assert "clock_bad" not in subject.standing()


def test_wechat_is_off_before_its_clock_check_refuses_every_call() -> None:
    """Four minutes apart: no new payment of that wallet; the others go on, and it comes back."""
    subject = Bench(platforms=((Wallet.ALIPAY, "alipay"), (Wallet.WECHAT, "wechat")))
    subject.skew_ms = 240_001
    subject.pay(1, wallet=Wallet.WECHAT)
    subject.run(5_000)
    off = subject.pay(2, wallet=Wallet.WECHAT)
    on = subject.pay(3)
    subject.run(1_000)
    assert answer(subject, off).reason_code is ReasonCode.PLATFORM_OFF
    assert answer(subject, on).state is OrderState.PAID
    assert subject.engine.suspended == ("wechat",)
    assert Wallet.WECHAT in subject.engine.wallets_off
    assert Wallet.ALIPAY not in subject.engine.wallets_off
    subject.skew_ms = 0
    subject.run(70_000)
    again = subject.pay(4, wallet=Wallet.WECHAT)
    subject.run(1_000)
    assert answer(subject, again).state is OrderState.PAID
