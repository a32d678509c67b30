"""When a payment platform is taken off and tried again. Pure.

Strategy. A platform that refuses us (key, clock, account) is off at once; one that brings no proof,
or unprovable answers, several times in a row is off too, so that its lanes offer another tender at
once instead of after 8 s. Only new payments stop: queries, cancels and refunds go on, and any good
answer to one of them, or to the single payment let through after the pause, puts it on again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from plaza_server.rules.limits import (
    BREAKER_BAD_SIGNATURE_MAX,
    BREAKER_GAPS_MS,
    BREAKER_UNKNOWN_MAX,
)
from plaza_server.rules.outcomes import ALARMING, Misconfigured, PlatformOutcome, Unknown
from tolling.clock import NS_PER_MS
from tolling.evolve import quick


class Suspended(StrEnum):
    """Why a platform is off."""

    MISCONFIGURED = "misconfigured"
    """It refuses us, not the payer."""
    BAD_ANSWERS = "bad_answers"
    """Its answers are not provably its own."""
    NO_ANSWERS = "no_answers"
    """It does not answer, or does not know."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """One platform's standing with this process."""

    unknown_row: int = 0
    """Pay calls without proof in a row."""
    bad_row: int = 0
    """Unprovable answers to any call in a row."""
    why: Suspended | None = None
    detail: str = ""
    until_ns: int = 0
    """When off: from here on one payment may try."""
    times_off: int = 0
    """Suspensions in a row, for the growing pause."""


def may_pay(breaker: Breaker, *, now_ns: int) -> bool:
    """Return whether a new payment may go to the platform now."""
    return breaker.why is None or now_ns >= breaker.until_ns


def pay_sent(breaker: Breaker, *, now_ns: int) -> Breaker:
    """Return the breaker after a payment was let through; while off, the next one waits its
    pause."""
    if breaker.why is None:
        return breaker
    return replace(breaker, until_ns=now_ns + _gap_ns(breaker.times_off))


def heard(breaker: Breaker, outcome: PlatformOutcome, *, is_pay: bool, now_ns: int) -> Breaker:
    """Return the breaker after an answer, or after none."""
    if isinstance(outcome, Misconfigured):
        return _off(breaker, Suspended.MISCONFIGURED, outcome.detail, now_ns)
    if not isinstance(outcome, Unknown):
        return Breaker()
    bad_row = breaker.bad_row + 1 if outcome.evidence in ALARMING else breaker.bad_row
    unknown_row = breaker.unknown_row + 1 if is_pay else breaker.unknown_row
    counted = replace(breaker, bad_row=bad_row, unknown_row=unknown_row)
    if bad_row >= BREAKER_BAD_SIGNATURE_MAX and breaker.why is None:
        return _off(counted, Suspended.BAD_ANSWERS, outcome.evidence, now_ns)
    if unknown_row >= BREAKER_UNKNOWN_MAX and breaker.why is None:
        return _off(counted, Suspended.NO_ANSWERS, outcome.evidence, now_ns)
    if is_pay and breaker.why is not None:
        return _off(counted, breaker.why, outcome.evidence, now_ns)
    return counted


def _off(breaker: Breaker, why: Suspended, detail: str, now_ns: int) -> Breaker:
    return replace(
        breaker,
        why=why,
        detail=detail,
        until_ns=now_ns + _gap_ns(breaker.times_off),
        times_off=breaker.times_off + 1,
    )


def _gap_ns(times_off: int) -> int:
    return BREAKER_GAPS_MS[min(times_off, len(BREAKER_GAPS_MS) - 1)] * NS_PER_MS
