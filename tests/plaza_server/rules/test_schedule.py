"""When the resolver asks, cancels and gives back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from plaza_server.rules import limits, schedule
from plaza_server.rules.orders import Order, RecordMark, needs_work
from plaza_server.rules.outcomes import (
    CancelAgain,
    CancelDone,
    Closed,
    NotThere,
    RefundDone,
    RefundRefused,
    Waiting,
)
from plaza_server.rules.schedule import Phase, Planned, Step, Trail
from tests.plaza_server.bench_platform import EPOCH_MS
from tests.plaza_server.plaza_bench import TOLL
from tests.plaza_server.rules.values import SILENCE, S, order_in, paid
from tolling.clock import NS_PER_MS
from tolling.orders import OrderState


def at(ms: int) -> int:
    """Return milliseconds as nanoseconds."""
    return ms * NS_PER_MS


def trail_of(order: Order, *, taken_over: bool = False) -> Trail:
    """Return a new trail at time 0."""
    return schedule.new_trail(order, now_ns=0, taken_over=taken_over)


def planned(order: Order, trail: Trail, ms: int = 0) -> Planned | None:
    """Return the next step at *ms*."""
    return schedule.plan(order, trail, now_ns=at(ms), wall_ms=EPOCH_MS + ms)


def polled(trail: Trail, ms: int) -> Trail:
    """Return the trail after a query that proved nothing."""
    return schedule.queried(trail, SILENCE, counts=True, now_ns=at(ms))


@pytest.mark.parametrize("state", list(OrderState))
@pytest.mark.parametrize("record", list(RecordMark))
def test_every_unfinished_order_has_a_next_step(state: OrderState, record: RecordMark) -> None:
    """What needs work is planned from its stored state alone; only pay is waited for (M2)."""
    for proven in (False, True):
        order = order_in(state, record=record, proven=proven)
        trail = trail_of(order, taken_over=True)
        step = planned(order, trail)
        if trail.phase is Phase.PAY:
            assert step is None
        else:
            assert (step is not None) is needs_work(order)


def test_polls_follow_the_lane_timings() -> None:
    """0.6, 1.2, 2.0, 3.0 s, then every 2 s, up to the limit of an unknown order."""
    order = order_in(S.UNKNOWN)
    trail, now, times = trail_of(order), 0, []
    while (step := planned(order, trail, now)) is not None and step.step is Step.QUERY:
        now += step.after_ms
        times.append(now)
        trail = polled(trail, now)
    assert times == [600, 1_200, 2_000, 3_000, 5_000, 7_000]
    assert step == Planned(step=Step.GIVE_UP, after_ms=limits.UNKNOWN_LIMIT_MS - 7_000)


def test_a_waiting_order_has_longer() -> None:
    """40 s for a password."""
    order = order_in(S.WAITING)
    step = planned(order, polled(trail_of(order), 39_500), 39_500)
    assert step == Planned(step=Step.GIVE_UP, after_ms=500)


def test_a_closing_order_is_asked_at_once_then_with_growing_gaps() -> None:
    """First query at once; nothing proven: the gaps of the table, up to an hour."""
    order = order_in(S.CLOSING)
    trail, now, gaps = trail_of(order), 0, []
    for _ in range(14):
        step = planned(order, trail, now)
        assert step is not None
        gaps.append(step.after_ms)
        now += step.after_ms
        trail = polled(trail, now)
    assert gaps[0] == 0
    assert tuple(gaps[1:11]) == limits.CLOSING_GAPS_MS
    assert gaps[11:] == [3_600_000] * 3


def test_a_settled_close_waits_for_the_second_query() -> None:
    """Cancelled and not there: nothing to ask until 60 s after pay was sent."""
    order = order_in(S.CLOSING)
    trail = schedule.queried(trail_of(order), NotThere(), counts=True, now_ns=at(9_000))
    trail = schedule.cancel_ended(trail, NotThere(), now_ns=at(9_200))
    assert schedule.is_settled(trail)
    assert planned(order, trail, 9_200) == Planned(step=Step.QUERY, after_ms=50_800)
    late = planned(order, trail, 61_000)
    assert late is not None
    assert late.after_ms == 0


@pytest.mark.parametrize(
    ("state", "outcome", "wanted"),
    [
        (S.CLOSING, Waiting(), True),
        (S.CLOSING, NotThere(), True),
        (S.CLOSING, Closed(), False),
        (S.CLOSING, SILENCE, False),
        (S.CLOSING, paid(), False),
        (S.REFUSED, Waiting(), True),
        (S.REFUSED, NotThere(), False),
        (S.WAITING, Waiting(), False),
        (S.PAID, Waiting(), False),
    ],
)
def test_a_cancel_follows_only_where_it_is_needed(
    state: OrderState, outcome: Any, wanted: bool
) -> None:
    """Behind a query that shows the order unpaid; never behind silence or a capture."""
    order = order_in(state)
    trail = schedule.queried(trail_of(order), outcome, counts=True, now_ns=0)
    assert schedule.wants_cancel(order, trail, outcome, now_ns=0) is wanted


def test_a_cancel_is_not_repeated_once_it_is_settled() -> None:
    """Not there, and the cancel said so too."""
    order = order_in(S.CLOSING)
    trail = schedule.cancel_ended(trail_of(order), NotThere(), now_ns=0)
    trail = schedule.queried(trail, NotThere(), counts=True, now_ns=0)
    assert not schedule.wants_cancel(order, trail, NotThere(), now_ns=0)


def test_a_waiting_answer_disproves_an_earlier_cancel() -> None:
    """It said done and was not carried out: cancelled again."""
    order = order_in(S.CLOSING)
    trail = schedule.cancel_ended(trail_of(order), CancelDone(gave_back=False), now_ns=0)
    trail = schedule.queried(trail, Waiting(), counts=True, now_ns=0)
    assert not trail.cancelled
    assert schedule.wants_cancel(order, trail, Waiting(), now_ns=0)


@pytest.mark.parametrize(
    ("outcome", "out"),
    [
        (None, True),
        (SILENCE, True),
        (CancelDone(gave_back=False), True),
        (CancelAgain(), False),
        (NotThere(), False),
    ],
)
def test_a_cancel_may_undo_a_capture_until_it_is_settled(outcome: Any, out: bool) -> None:
    """Sent, silent or only accepted: for 60 s; refused for now or nothing there: not at all."""
    trail = schedule.cancel_sent(trail_of(order_in(S.CLOSING)), now_ns=0)
    if outcome is not None:
        trail = schedule.cancel_ended(trail, outcome, now_ns=at(300))
    assert schedule.cancel_out(trail, now_ns=at(59_999)) is out
    assert not schedule.cancel_out(trail, now_ns=at(60_000))


def test_an_order_taken_over_while_closing_may_have_a_cancel_out() -> None:
    """Nobody remembers: assume the worst."""
    for state, out in ((S.CLOSING, True), (S.REFUSED, True), (S.UNKNOWN, False)):
        assert schedule.cancel_out(trail_of(order_in(state), taken_over=True), now_ns=0) is out
        assert not schedule.cancel_out(trail_of(order_in(state)), now_ns=0)


def test_a_refusal_is_checked_no_earlier_than_it_can_be_proven() -> None:
    """60 s after pay was sent."""
    order = order_in(S.REFUSED)
    trail = replace(trail_of(order), last_ns=at(500))
    assert planned(order, trail, 500) == Planned(step=Step.QUERY, after_ms=60_000)
    again = planned(order, polled(trail, 60_500), 60_500)
    assert again == Planned(step=Step.QUERY, after_ms=limits.REFUSED_GAPS_MS[1])


def test_a_paid_order_is_confirmed_and_then_waits_for_its_record() -> None:
    """Three queries within 60 s if need be; a missing record after a day."""
    order = order_in(S.PAID)
    trail = trail_of(order)
    assert planned(order, trail) == Planned(step=Step.QUERY, after_ms=5_000)
    proven = replace(order, proven=True)
    trail = schedule.entered(trail, proven, now_ns=0)
    day = limits.RECORD_MISSING_AFTER_MS
    assert planned(proven, trail) == Planned(step=Step.MISS_RECORD, after_ms=day)
    assert planned(proven, replace(trail, record_missed=True)) is None
    unproven_late = planned(order, replace(trail_of(order), last_ns=at(day)), day)
    assert unproven_late == Planned(step=Step.MISS_RECORD, after_ms=0)


def test_a_clock_that_jumps_back_never_makes_a_wait_endless() -> None:
    """A day at most, whatever the wall clock says."""
    order = order_in(S.PAID, proven=True, captured_ms=EPOCH_MS + 10**12)
    step = planned(order, trail_of(order))
    assert step == Planned(step=Step.MISS_RECORD, after_ms=limits.RECORD_MISSING_AFTER_MS)


def test_a_refund_alternates_with_its_query() -> None:
    """Refund, ask, refund again with growing gaps; refused calls are not asked about."""
    due = order_in(S.REFUND_DUE)
    assert planned(due, trail_of(due)) == Planned(step=Step.START_REFUND, after_ms=0)
    order = order_in(S.REFUNDING)
    trail = trail_of(order)
    assert planned(order, trail) == Planned(step=Step.REFUND, after_ms=0)
    done = RefundDone(refunded_total_fen=TOLL)
    trail = schedule.refunded(trail, done, by_query=False, now_ns=0)
    assert planned(order, trail) == Planned(step=Step.REFUND_QUERY, after_ms=1_000)
    trail = schedule.refunded(trail, SILENCE, by_query=True, now_ns=at(1_000))
    assert planned(order, trail, 1_000) == Planned(step=Step.REFUND, after_ms=2_000)
    refused = RefundRefused(detail="x", final=False)
    trail = schedule.refunded(trail, refused, by_query=False, now_ns=at(3_000))
    assert planned(order, trail, 3_000) == Planned(step=Step.REFUND, after_ms=10_000)


def test_a_stuck_refund_is_tried_daily_and_soon_after_a_restart() -> None:
    """A restart does not put it off by a day."""
    order = order_in(S.REFUND_STUCK)
    assert planned(order, trail_of(order, taken_over=True)) == Planned(step=Step.REFUND, after_ms=0)
    tried = replace(trail_of(order), tries=3)
    assert planned(order, tried) == Planned(step=Step.REFUND, after_ms=86_400_000)


def test_a_new_phase_starts_its_gaps_anew() -> None:
    """Tries of one phase do not slow down the next."""
    trail = polled(trail_of(order_in(S.UNKNOWN)), 700)
    same = schedule.entered(trail, order_in(S.WAITING), now_ns=at(800))
    assert same == trail
    new = schedule.entered(trail, order_in(S.CLOSING), now_ns=at(800))
    assert (new.phase, new.tries, new.last_ns) == (Phase.CLOSE, 0, at(800))
    stale = schedule.queried(new, SILENCE, counts=False, now_ns=at(900))
    assert stale.tries == 0


def test_queries_grow_patient_so_that_a_slow_platform_is_heard_at_last() -> None:
    """2 s, 4 s, then 10 s for each query of a phase; asked impatiently for ever, a platform that
    answers in 2.2 s would never end an order (M2)."""
    order = order_in(OrderState.CLOSING)
    trail, deadlines = trail_of(order), []
    for _ in range(4):
        deadlines.append(schedule.query_deadline_ms(order, trail, now_ns=at(0)))
        trail = polled(trail, 0)
    assert deadlines == [2_000, 4_000, 10_000, 10_000]


def test_a_query_never_holds_up_giving_up() -> None:
    """While a driver waits, a patient query ends with the order's limit."""
    order = order_in(OrderState.UNKNOWN)
    trail = polled(polled(trail_of(order), 0), 0)
    left = limits.UNKNOWN_LIMIT_MS - 5_000
    assert schedule.query_deadline_ms(order, trail, now_ns=at(5_000)) == left
    late = limits.UNKNOWN_LIMIT_MS - 1
    assert schedule.query_deadline_ms(order, trail, now_ns=at(late)) == limits.QUERY_DEADLINE_MS
