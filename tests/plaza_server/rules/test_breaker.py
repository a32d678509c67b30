"""When a platform is taken off and tried again."""

from __future__ import annotations

from plaza_server.rules.breaker import Breaker, Suspended, heard, may_pay, pay_sent
from plaza_server.rules.limits import (
    BREAKER_BAD_SIGNATURE_MAX,
    BREAKER_GAPS_MS,
    BREAKER_UNKNOWN_MAX,
)
from plaza_server.rules.outcomes import Evidence, Misconfigured, NotThere, Unknown, Waiting
from tolling.clock import NS_PER_MS

WRONG = Misconfigured(detail="isv.invalid-signature")
SILENT = Unknown(evidence=Evidence.TIMEOUT)
FORGED = Unknown(evidence=Evidence.BAD_SIGNATURE)


def test_a_refusal_of_ourselves_takes_it_off_at_once() -> None:
    """Key, clock or account: no payment until the pause is over, then one."""
    subject = heard(Breaker(), WRONG, is_pay=True, now_ns=0)
    assert (subject.why, subject.detail) == (Suspended.MISCONFIGURED, WRONG.detail)
    end = BREAKER_GAPS_MS[0] * NS_PER_MS
    assert not may_pay(subject, now_ns=end - 1)
    assert may_pay(subject, now_ns=end)
    tried = pay_sent(subject, now_ns=end)
    assert not may_pay(tried, now_ns=end + 1)


def test_silence_of_several_payments_takes_it_off() -> None:
    """Queries do not count: they repeat by themselves."""
    subject = Breaker()
    for _ in range(BREAKER_UNKNOWN_MAX - 1):
        subject = heard(subject, SILENT, is_pay=True, now_ns=0)
        subject = heard(subject, SILENT, is_pay=False, now_ns=0)
    assert subject.why is None
    subject = heard(subject, SILENT, is_pay=True, now_ns=0)
    assert subject.why is Suspended.NO_ANSWERS


def test_unprovable_answers_in_a_row_take_it_off() -> None:
    """Whatever they answer: somebody or something stands between."""
    subject = Breaker()
    for _ in range(BREAKER_BAD_SIGNATURE_MAX):
        assert subject.why is None
        subject = heard(subject, FORGED, is_pay=False, now_ns=0)
    assert subject.why is Suspended.BAD_ANSWERS


def test_any_good_answer_puts_it_on() -> None:
    """Also one to a query of an old order."""
    off = heard(Breaker(), WRONG, is_pay=True, now_ns=0)
    for good in (Waiting(), NotThere()):
        assert heard(off, good, is_pay=False, now_ns=1) == Breaker()


def test_pauses_grow_to_a_limit() -> None:
    """Each failed try makes the next pause longer, up to the last one."""
    subject, now, pauses = Breaker(), 0, []
    for outcome in (WRONG, *[SILENT] * 5):
        subject = heard(subject, outcome, is_pay=True, now_ns=now)
        pauses.append((subject.until_ns - now) // NS_PER_MS)
        now = subject.until_ns
    assert tuple(pauses[:4]) == BREAKER_GAPS_MS
    assert pauses[4:] == [BREAKER_GAPS_MS[-1]] * 2
    assert subject.why is Suspended.MISCONFIGURED


def test_a_platform_that_is_on_is_not_counted_for_payments_sent() -> None:
    """pay_sent matters only while it is off."""
    assert pay_sent(Breaker(), now_ns=5) == Breaker()
