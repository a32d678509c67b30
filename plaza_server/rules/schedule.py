"""When the resolver asks, cancels and gives back: growing gaps, and what one process has seen so
far. Pure.

Strategy. Nobody has to remember anything to end an order (M2): from its stored state alone ``plan``
says what is to be done next and when. What a process saw meanwhile is its Trail; a restart begins a
new one that assumes the worst: a cancel may be out, and pay was sent just now. That only makes
proof later, never wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from plaza_server.rules.limits import (
    CLOSING_GAPS_MS,
    CONFIRM_GAPS_MS,
    QUERY_DEADLINE_MS,
    QUERY_PATIENCE,
    RECORD_MISSING_AFTER_MS,
    REFUND_GAPS_MS,
    REFUND_QUERY_GAP_MS,
    REFUND_STUCK_GAP_MS,
    REFUSED_GAPS_MS,
    SECOND_QUERY_AFTER_MS,
    UNKNOWN_LIMIT_MS,
    WAITING_LIMIT_MS,
)
from plaza_server.rules.order_values import Order, RecordMark, needs_work
from plaza_server.rules.outcomes import (
    CancelAgain,
    CancelDone,
    CancelOutcome,
    Closed,
    NotThere,
    QueryOutcome,
    RefundOutcome,
    RefundRefused,
    Waiting,
)
from plaza_server.rules.policies import policy_of
from tolling.clock import NS_PER_MS
from tolling.evolve import evolve, quick
from tolling.orders import OrderState

S = OrderState


class Phase(StrEnum):
    """What kind of work an order needs; a new phase starts its gaps anew."""

    PAY = "pay"
    """Its pay call is under way."""
    POLL = "poll"
    CLOSE = "close"
    CHECK_REFUSED = "check_refused"
    CONFIRM = "confirm"
    AWAIT_RECORD = "await_record"
    REFUND = "refund"
    DONE = "done"


class Step(StrEnum):
    """What is to be done next."""

    QUERY = "query"
    GIVE_UP = "give_up"
    """The limit of a waiting or unknown order: ask for its cancel."""
    START_REFUND = "start_refund"
    """Store the refund's number."""
    REFUND = "refund"
    REFUND_QUERY = "refund_query"
    MISS_RECORD = "miss_record"
    """Raise the alarm for a captured order without a record."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One step and how long until it."""

    step: Step
    after_ms: int


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Trail:
    """What this process has seen of one order."""

    phase: Phase
    since_ns: int
    """When pay was sent by this process, or when it took the order over: never too early."""
    last_ns: int
    """When the phase began or its last call ended."""
    tries: int = 0
    """Calls of this phase that have ended."""
    absent: bool = False
    """The last signed query found nothing, or an unpaid close."""
    ended: bool = False
    """The last signed query said closed unpaid."""
    cancelled: bool = False
    """A cancel was answered, signed: done, or nothing to cancel."""
    gave_back: bool = False
    """That cancel said it returned captured money."""
    cancel_sent_ns: int | None = None
    """A cancel that may still be carried out was sent then."""
    refund_asked: bool = False
    """The last refund call may have moved money: a refund query is next."""
    record_missed: bool = False


def phase_of(order: Order) -> Phase:
    """Return what kind of work *order* needs."""
    match order.state:
        case S.CREATED | S.SENT:
            return Phase.PAY
        case S.WAITING | S.UNKNOWN:
            return Phase.POLL
        case S.CLOSING:
            return Phase.CLOSE
        case S.REFUSED:
            return Phase.DONE if order.proven else Phase.CHECK_REFUSED
        case S.PAID if not order.proven:
            return Phase.CONFIRM
        case S.PAID:
            return Phase.AWAIT_RECORD if order.record is RecordMark.NONE else Phase.DONE
        case S.REFUND_DUE | S.MISMATCH | S.REFUNDING | S.REFUND_STUCK:
            return Phase.REFUND
        case _:
            assert not needs_work(order)
            return Phase.DONE


def new_trail(order: Order, *, now_ns: int, taken_over: bool) -> Trail:
    """Return the trail of an order this process has just stored or taken over."""
    unsure = taken_over and order.state in {S.CLOSING, S.REFUSED}
    return Trail(
        phase=phase_of(order),
        since_ns=now_ns,
        last_ns=now_ns,
        cancel_sent_ns=now_ns if unsure else None,
    )


def entered(trail: Trail, order: Order, *, now_ns: int) -> Trail:
    """Return the trail after *order* changed; a new phase starts its gaps anew."""
    phase = phase_of(order)
    if phase is trail.phase:
        return trail
    return evolve(trail, phase=phase, tries=0, last_ns=now_ns)


def since_sent_ms(trail: Trail, *, now_ns: int) -> int:
    """Return how long ago pay was sent, at least."""
    return (now_ns - trail.since_ns) // NS_PER_MS


def cancel_out(trail: Trail, *, now_ns: int) -> bool:
    """Return whether a cancel sent earlier may still undo a capture."""
    sent = trail.cancel_sent_ns
    return sent is not None and (now_ns - sent) // NS_PER_MS < SECOND_QUERY_AFTER_MS


def query_deadline_ms(order: Order, trail: Trail, *, now_ns: int) -> int:
    """Return how long the next query of *order* may take: longer with each of its phase.

    While a driver waits it never reaches beyond the order's limit, so that giving up is not late.
    """
    patience = QUERY_PATIENCE[min(trail.tries, len(QUERY_PATIENCE) - 1)]
    deadline = QUERY_DEADLINE_MS * patience
    if trail.phase is not Phase.POLL:
        return deadline
    return max(QUERY_DEADLINE_MS, min(deadline, _poll_left_ms(order, trail, now_ns)))


def is_settled(trail: Trail) -> bool:
    """Return whether only the second query is missing to a proven close."""
    return trail.ended or (trail.absent and trail.cancelled)


# ---- what the calls brought ----


def queried(trail: Trail, outcome: QueryOutcome, *, counts: bool, now_ns: int) -> Trail:
    """Return the trail after a query ended; *counts*: it was sent in the present phase."""
    if counts:
        trail = evolve(trail, tries=trail.tries + 1, last_ns=now_ns)
    match outcome:
        case Closed():
            return evolve(trail, absent=True, ended=True)
        case NotThere():
            return evolve(trail, absent=True)
        case Waiting():
            # Whatever an earlier cancel said, it was not carried out.
            return evolve(trail, absent=False, ended=False, cancelled=False, gave_back=False)
        case _:
            return trail


def cancel_wait_ms(order: Order, trail: Trail, *, now_ns: int) -> int:
    """Return how long the platform still takes no cancel of *order*; 0: it takes one now."""
    since = since_sent_ms(trail, now_ns=now_ns)
    return max(0, policy_of(order.platform).cancel_from_ms - since)


def wants_cancel(order: Order, trail: Trail, outcome: QueryOutcome, *, now_ns: int) -> bool:
    """Return whether a cancel has to follow this query at once, without a commit between them.

    An unknown answer is no reason to cancel: a cancel gives captured money back unasked.
    """
    if cancel_wait_ms(order, trail, now_ns=now_ns) > 0:
        return False
    if order.state is S.REFUSED:
        return isinstance(outcome, Waiting)
    if order.state is not S.CLOSING or is_settled(trail):
        return False
    return isinstance(outcome, (Waiting, NotThere))


def cancel_sent(trail: Trail, *, now_ns: int) -> Trail:
    """Return the trail with a cancel on its way."""
    return evolve(trail, cancel_sent_ns=now_ns)


def cancel_ended(trail: Trail, outcome: CancelOutcome, *, now_ns: int) -> Trail:
    """Return the trail after a cancel was answered. Done is only believed after the next query."""
    trail = evolve(trail, last_ns=now_ns)
    match outcome:
        case CancelDone():
            return evolve(trail, cancelled=True, gave_back=trail.gave_back or outcome.gave_back)
        case NotThere():
            return evolve(trail, cancelled=True, cancel_sent_ns=None)
        case CancelAgain():
            return evolve(trail, cancel_sent_ns=None)
        case _:
            return trail


def refunded(trail: Trail, outcome: RefundOutcome, *, by_query: bool, now_ns: int) -> Trail:
    """Return the trail after a refund call or a refund query ended without ending the order."""
    if by_query:
        return evolve(trail, refund_asked=False, last_ns=now_ns)
    asked = not isinstance(outcome, RefundRefused)
    return evolve(trail, refund_asked=asked, tries=trail.tries + 1, last_ns=now_ns)


# ---- what comes next ----


def plan(order: Order, trail: Trail, *, now_ns: int, wall_ms: int) -> Planned | None:
    """Return the next step of *order* and how long until it; None: nothing, or its pay is under
    way."""
    match trail.phase:
        case Phase.PAY | Phase.DONE:
            return None
        case Phase.POLL:
            return _plan_poll(order, trail, now_ns)
        case Phase.CLOSE:
            return Planned(step=Step.QUERY, after_ms=_closing_after(order, trail, now_ns))
        case Phase.CHECK_REFUSED:
            due = _due(trail, REFUSED_GAPS_MS, now_ns)
            proof = SECOND_QUERY_AFTER_MS - since_sent_ms(trail, now_ns=now_ns)
            after = max(due, proof) if trail.tries == 0 else due
            return Planned(step=Step.QUERY, after_ms=max(0, after))
        case Phase.CONFIRM:
            confirm = Planned(step=Step.QUERY, after_ms=_due(trail, CONFIRM_GAPS_MS, now_ns))
            missing = _plan_record(order, trail, wall_ms)
            sooner = missing is not None and missing.after_ms < confirm.after_ms
            return missing if sooner else confirm
        case Phase.AWAIT_RECORD:
            return _plan_record(order, trail, wall_ms)
        case Phase.REFUND:
            return _plan_refund(order, trail, now_ns)


def _due(trail: Trail, gaps_ms: tuple[int, ...], now_ns: int) -> int:
    """Return milliseconds until the gap after the phase's last call is over."""
    gap = gaps_ms[min(trail.tries, len(gaps_ms) - 1)]
    return max(0, gap - (now_ns - trail.last_ns) // NS_PER_MS)


def _poll_left_ms(order: Order, trail: Trail, now_ns: int) -> int:
    """Return milliseconds until a waiting or unknown order is given up."""
    limit = WAITING_LIMIT_MS if order.state is S.WAITING else UNKNOWN_LIMIT_MS
    return max(0, limit - since_sent_ms(trail, now_ns=now_ns))


def _plan_poll(order: Order, trail: Trail, now_ns: int) -> Planned:
    left = _poll_left_ms(order, trail, now_ns)
    after = _due(trail, policy_of(order.platform).poll_gaps_ms, now_ns)
    if left <= after:
        return Planned(step=Step.GIVE_UP, after_ms=left)
    return Planned(step=Step.QUERY, after_ms=after)


def _closing_after(order: Order, trail: Trail, now_ns: int) -> int:
    if is_settled(trail):
        proof = SECOND_QUERY_AFTER_MS - since_sent_ms(trail, now_ns=now_ns)
        if proof > 0:
            return proof
    if trail.tries == 0:
        return 0
    gaps = CLOSING_GAPS_MS
    gap = gaps[min(trail.tries - 1, len(gaps) - 1)]
    after = max(0, gap - (now_ns - trail.last_ns) // NS_PER_MS)
    wait = cancel_wait_ms(order, trail, now_ns=now_ns)
    # The query a cancel may follow is not put off: a driver may be waiting for the end.
    return min(after, wait) if wait > 0 else after


def _plan_record(order: Order, trail: Trail, wall_ms: int) -> Planned | None:
    if order.record is not RecordMark.NONE or trail.record_missed:
        return None
    captured = order.captured_ms if order.captured_ms is not None else wall_ms
    after = captured + RECORD_MISSING_AFTER_MS - wall_ms
    return Planned(step=Step.MISS_RECORD, after_ms=min(max(0, after), RECORD_MISSING_AFTER_MS))


def _plan_refund(order: Order, trail: Trail, now_ns: int) -> Planned:
    if order.state in {S.REFUND_DUE, S.MISMATCH}:
        return Planned(step=Step.START_REFUND, after_ms=0)
    return plan_refund(trail, stuck=order.state is S.REFUND_STUCK, now_ns=now_ns)


def plan_refund(trail: Trail, *, stuck: bool, now_ns: int) -> Planned:
    """Return the next call of a refund whose number is stored: of an order, or of a claim.

    Args:   stuck: the platform has refused it for good.
    """
    if trail.refund_asked:
        waited = (now_ns - trail.last_ns) // NS_PER_MS
        return Planned(step=Step.REFUND_QUERY, after_ms=max(0, REFUND_QUERY_GAP_MS - waited))
    if stuck and trail.tries > 0:
        return Planned(step=Step.REFUND, after_ms=_due(trail, (REFUND_STUCK_GAP_MS,), now_ns))
    return Planned(step=Step.REFUND, after_ms=_due(trail, REFUND_GAPS_MS, now_ns))
