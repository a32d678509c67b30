"""What one platform wants otherwise than the others: times of its cancel, and its clock. Data.

The order table and the schedule are the same for all platforms; what differs is here, one row each.
A platform without a row is treated as the general one.
"""

from __future__ import annotations

from dataclasses import dataclass

from plaza_server.rules.limits import (
    HEDGE_QUERY_MS,
    POLL_GAPS_MS,
    QUERY_DEADLINE_MS,
    WAITING_LIMIT_MS,
    WECHAT_CANCEL_FROM_MS,
    WECHAT_REVOKES_AFTER_MS,
)

SKEW_ALARM_MS = 120_000
"""Clocks further apart than this are an alarm; half of what the strictest platform bears."""

SKEW_GOOD_MS = 60_000
"""A comparison of clocks keeps a platform off for so long; clocks are set right meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformPolicy:
    """One platform's own times. Milliseconds."""

    cancel_from_ms: int = 0
    """No cancel earlier than this after pay was sent: the platform refuses it, or carries it out
    while the payment is still under way."""
    revokes_after_ms: int | None = None
    """An unpaid order is ended by the platform itself so long after pay; None: minutes later, as
    the request says. We give up before that."""
    skew_off_ms: int | None = None
    """With clocks further apart no new payment is sent: the platform is about to refuse every call.
    None: it does not compare clocks that strictly."""
    poll_gaps_ms: tuple[int, ...] = POLL_GAPS_MS
    """Between queries of a waiting or unknown order; the last repeats."""
    hedge_query_ms: int | None = HEDGE_QUERY_MS
    """A query that is silent for so long is asked once more beside it, over another connection; the
    first answer that proves anything counts. Only queries: they move nothing, however often.
    None: never."""

    def __post_init__(self) -> None:
        assert list(self.poll_gaps_ms) == sorted(self.poll_gaps_ms), "gaps grow"
        assert self.cancel_from_ms >= 0, "a time after pay"
        if self.revokes_after_ms is not None:
            assert self.revokes_after_ms > WAITING_LIMIT_MS, "we give up first"
        if self.skew_off_ms is not None:
            assert self.skew_off_ms > SKEW_ALARM_MS, "the alarm comes first"
        if self.hedge_query_ms is not None:
            assert 0 < self.hedge_query_ms < QUERY_DEADLINE_MS, "there is time for its answer"


GENERAL = PlatformPolicy()
POLICIES: dict[str, PlatformPolicy] = {
    # Its own flow cancels right behind the last query (facts: payments 1a).
    "alipay": GENERAL,
    # No reverse in the first 15 s, revoked at 45 s; 401 from five minutes of skew on (facts:
    # payments 1b, official timings and request signature).
    "wechat": PlatformPolicy(
        cancel_from_ms=WECHAT_CANCEL_FROM_MS,
        revokes_after_ms=WECHAT_REVOKES_AFTER_MS,
        skew_off_ms=240_000,
        # It asks for 3-5 s between queries of one order and limits who asks more; the first two are
        # sooner, because the driver of a paid but unheard order stands there.
        poll_gaps_ms=(1_000, 2_000, 3_000, 5_000),
    ),
    # Remembered, not read: a reversal while the payment is under way is answered as in progress.
    "unionpay": GENERAL,
}
"""By platform name."""


def is_skewed(skew_ms: int | None) -> bool:
    """Return whether two clocks are too far apart, or nobody knows how far."""
    return skew_ms is None or abs(skew_ms) > SKEW_ALARM_MS


def policy_of(platform: str) -> PlatformPolicy:
    """Return a platform's own times."""
    return POLICIES.get(platform, GENERAL)


assert all(each.cancel_from_ms < WAITING_LIMIT_MS for each in POLICIES.values())
