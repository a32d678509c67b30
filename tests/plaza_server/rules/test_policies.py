"""What each platform wants otherwise, and what the schedule makes of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from plaza_server.rules import schedule
from plaza_server.rules.limits import WAITING_LIMIT_MS
from plaza_server.rules.outcomes import Waiting
from plaza_server.rules.policies import GENERAL, POLICIES, SKEW_ALARM_MS, is_skewed, policy_of
from plaza_server.rules.schedule import Step
from tests.plaza_server.rules.values import order_in
from tolling.clock import NS_PER_MS
from tolling.orders import OrderState as S

S15 = 15_000


def test_wechat_takes_no_reverse_in_its_first_fifteen_seconds() -> None:
    """The query comes as ever, its cancel only from 15 s on; Alipay's follows at once."""
    for platform, from_ms in (("alipay", 0), ("wechat", S15), ("unionpay", 0)):
        order = replace(order_in(S.CLOSING), platform=platform)
        trail = schedule.new_trail(order, now_ns=0, taken_over=False)
        for now_ms in (0, 9_000, S15 - 1, S15):
            now_ns = now_ms * NS_PER_MS
            wanted = schedule.wants_cancel(order, trail, Waiting(), now_ns=now_ns)
            assert wanted is (now_ms >= from_ms), (platform, now_ms)


def test_a_query_is_due_at_the_very_moment_a_cancel_is_taken() -> None:
    """However far the gaps have grown, the driver's lane does not wait longer than it must."""
    order = replace(order_in(S.CLOSING), platform="wechat")
    trail = schedule.new_trail(order, now_ns=0, taken_over=False)
    last_ns = 14_000 * NS_PER_MS
    trail = replace(trail, tries=7, last_ns=last_ns)
    planned = schedule.plan(order, trail, now_ns=last_ns, wall_ms=0)
    assert planned is not None
    assert (planned.step, planned.after_ms) == (Step.QUERY, 1_000)


def test_an_order_is_given_up_before_its_platform_revokes_it() -> None:
    """We cancel first; the platform's own revoking is a safety net."""
    assert POLICIES["wechat"].revokes_after_ms == 45_000
    for policy in POLICIES.values():
        if policy.revokes_after_ms is not None:
            assert policy.revokes_after_ms > WAITING_LIMIT_MS


def test_a_platform_nobody_wrote_a_row_for_is_the_general_one() -> None:
    """A fourth platform works before its own times are known."""
    assert policy_of("citypay") is GENERAL


@pytest.mark.parametrize(
    ("skew_ms", "bad"),
    [(0, False), (SKEW_ALARM_MS, False), (-SKEW_ALARM_MS, False), (-SKEW_ALARM_MS - 1, True)],
)
def test_clocks_more_than_two_minutes_apart_are_skewed(skew_ms: int, bad: bool) -> None:
    """Both ways, and where nobody knows."""
    assert is_skewed(skew_ms) is bad
    assert is_skewed(None)


def test_wechat_is_asked_less_often_than_the_others() -> None:
    """It asks for seconds between the queries of one order; the first still comes soon."""
    gaps = {}
    for platform in ("alipay", "wechat", "unionpay"):
        order = replace(order_in(S.UNKNOWN), platform=platform)
        trail = schedule.new_trail(order, now_ns=0, taken_over=False)
        gaps[platform] = [
            schedule.plan(order, replace(trail, tries=tries), now_ns=0, wall_ms=0)
            for tries in range(3)
        ]
    after = {name: [each.after_ms for each in found if each] for name, found in gaps.items()}
    assert after["alipay"] == after["unionpay"] == [600, 600, 800]
    assert after["wechat"] == [1_000, 2_000, 3_000]
