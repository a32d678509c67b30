"""The resolver: works on every unfinished order of this process until it ends without a person
(M2).

Strategy. One job per unfinished order, one platform call per job at a time. A call's answer becomes
a fact; the fact is committed before anybody is told. Facts that change nothing are not committed,
so a query and the cancel behind it have no commit between them. What the schedule says comes next
is done at once or by a Wake; a Wake that finds the job busy is dropped, because the job looks again
when its call or commit ends. Pay is sent in one place only (``open``), behind the commit that
stored the order as sent by this process.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never, get_args

from plaza_server.engine.confirming import CONFIRM_TIMER, Confirming
from plaza_server.engine.desk import Desk
from plaza_server.engine.effects import CancelWake, PlatformCall, Wake
from plaza_server.engine.platforms import Platforms
from plaza_server.engine.tasks import CallOut, Job, Then, ThenAlarm, ThenFact
from plaza_server.engine.waiting import Waiting
from plaza_server.rules import schedule
from plaza_server.rules.calls import CallKind
from plaza_server.rules.facts import (
    CancelAsked,
    OrderFact,
    PayAnswered,
    QueryAnswered,
    RefundAnswered,
    RefundStarted,
    TakeOver,
)
from plaza_server.rules.limits import (
    CALL_GUARD_MS,
    CANCEL_DEADLINE_MS,
    COMMIT_RETRY_MS,
    COMMIT_RETRY_MS_MAX,
    PAY_DEADLINE_MS,
    REFUND_DEADLINE_MS,
)
from plaza_server.rules.orders import AlarmNote, Order, Verdict, apply, needs_work
from plaza_server.rules.outcomes import (
    CancelOutcome,
    Evidence,
    PayOutcome,
    PlatformOutcome,
    QueryOutcome,
    RefundOutcome,
    Unknown,
)
from plaza_server.rules.schedule import Step
from plaza_server.rules.units import ApplyFact, Changed
from tolling.alarms import AlarmCode
from tolling.ids import OutTradeNo, make_out_refund_no
from tolling.orders import OrderState, ReasonCode

_ORDER_TIMER = "order:"
_CALL_TIMER = "call:"
_DEADLINES_MS = {
    CallKind.PAY: PAY_DEADLINE_MS,
    CallKind.CANCEL: CANCEL_DEADLINE_MS,
    CallKind.REFUND: REFUND_DEADLINE_MS,
    CallKind.REFUND_QUERY: REFUND_DEADLINE_MS,
}


class Resolver:
    """All unfinished orders of this process."""

    def __init__(self, desk: Desk[Then], platforms: Platforms, waiting: Waiting) -> None:
        self._desk = desk
        self._platforms = platforms
        self._waiting = waiting
        self._jobs: dict[OutTradeNo, Job] = {}
        self._calls: dict[str, CallOut] = {}
        self._confirming = Confirming(desk)

    def job(self, number: OutTradeNo) -> Job | None:
        """Return the job of an order this process works on."""
        return self._jobs.get(number)

    @property
    def size(self) -> int:
        """How many orders are worked on."""
        return len(self._jobs)

    @property
    def open_orders(self) -> int:
        """How many of them are undecided."""
        return sum(1 for job in self._jobs.values() if job.order.is_open)

    # ---- orders come in ----

    def open(self, order: Order, *, request_id: str) -> Job:
        """Begin with an order that has just been committed as sent, and send its pay: the only
        place."""
        assert order.state is OrderState.SENT
        assert order.owner == self._desk.config.boot_id, "only who stored an order sends its pay"
        assert order.out_trade_no not in self._jobs, "pay is sent once"
        trail = schedule.new_trail(order, now_ns=self._desk.now_ns, taken_over=False)
        job = Job(order=order, trail=trail)
        self._jobs[order.out_trade_no] = job
        self._call(job, CallKind.PAY, request_id=request_id)
        return job

    def took(self, order: Order) -> Job | None:
        """Learn an order as committed just now. Returns: its job, where it still needs this
        process."""
        job = self._jobs.get(order.out_trade_no)
        if job is None:
            if not needs_work(order) or order.owner != self._desk.config.boot_id:
                return None
            trail = schedule.new_trail(order, now_ns=self._desk.now_ns, taken_over=True)
            job = Job(order=order, trail=trail)
            self._jobs[order.out_trade_no] = job
        elif order.version >= job.order.version:
            job.order = order
            job.trail = schedule.entered(job.trail, order, now_ns=self._desk.now_ns)
        self._waiting.release(job)
        self._progress(job)
        return self._jobs.get(order.out_trade_no)

    def watch(self, job: Job) -> None:
        """Look whether anybody who began to wait for *job* is satisfied already."""
        self._waiting.release(job)

    # ---- answers of platforms ----

    def answered(self, call_id: str, outcome: PlatformOutcome, skew_ms: int | None = None) -> None:
        """Take what a call brought; an answer to a call that is no longer out is dropped."""
        out = self._calls.pop(call_id, None)
        if out is None:
            return
        self._desk.emit(CancelWake(timer_id=_CALL_TIMER + call_id))
        self._count(out.kind, out.phase, ended=True)
        self._platforms.heard(out.platform, outcome, is_pay=out.kind is CallKind.PAY)
        self._platforms.compared(out.platform, outcome, skew_ms)
        job = self._jobs.get(out.out_trade_no)
        if job is not None and job.call_id == call_id:
            job.call_id = None
            self._ended(job, out, outcome)
        self._confirm_next()

    def _ended(self, job: Job, out: CallOut, outcome: PlatformOutcome) -> None:
        match out.kind:
            case CallKind.PAY:
                assert isinstance(outcome, get_args(PayOutcome)), "no answer to pay"
                self._pay_ended(job, outcome)
            case CallKind.QUERY:
                assert isinstance(outcome, get_args(QueryOutcome)), "no answer to a query"
                self._query_ended(job, outcome, out)
            case CallKind.CANCEL:
                assert isinstance(outcome, get_args(CancelOutcome)), "no answer to a cancel"
                self._cancel_ended(job, outcome)
            case CallKind.REFUND | CallKind.REFUND_QUERY:
                assert isinstance(outcome, get_args(RefundOutcome)), "no answer to a refund"
                by_query = out.kind is CallKind.REFUND_QUERY
                self._refund_ended(job, outcome, by_query=by_query)
            case _:
                assert_never(out.kind)

    def _pay_ended(self, job: Job, outcome: PayOutcome) -> None:
        out = schedule.cancel_out(job.trail, now_ns=self._desk.now_ns)
        if not self._commit(job, PayAnswered(outcome=outcome, cancel_out=out)):
            self._progress(job)

    def _query_ended(self, job: Job, outcome: QueryOutcome, out: CallOut) -> None:
        trail = job.trail
        fact = QueryAnswered(
            outcome=outcome,
            since_sent_ms=schedule.since_sent_ms(trail, now_ns=out.sent_ns),
            absent_before=trail.absent,
            cancelled=trail.cancelled,
            gave_back=trail.gave_back,
            cancel_out=schedule.cancel_out(trail, now_ns=out.sent_ns),
        )
        same = out.phase is trail.phase
        job.trail = schedule.queried(trail, outcome, counts=same, now_ns=self._desk.now_ns)
        if self._commit(job, fact):
            return
        calm = job.commits == 0 and not job.unsaved and same
        now_ns = self._desk.now_ns
        if calm and schedule.wants_cancel(job.order, job.trail, outcome, now_ns=now_ns):
            job.trail = schedule.cancel_sent(job.trail, now_ns=now_ns)
            self._call(job, CallKind.CANCEL)
            return
        self._waiting.release(job)
        self._progress(job)

    def _cancel_ended(self, job: Job, outcome: CancelOutcome) -> None:
        job.trail = schedule.cancel_ended(job.trail, outcome, now_ns=self._desk.now_ns)
        self._waiting.release(job)
        self._progress(job)

    def _refund_ended(self, job: Job, outcome: RefundOutcome, *, by_query: bool) -> None:
        now = self._desk.now_ns
        job.trail = schedule.refunded(job.trail, outcome, by_query=by_query, now_ns=now)
        if not self._commit(job, RefundAnswered(outcome=outcome, by_query=by_query)):
            self._progress(job)

    # ---- commits ----

    def ask_cancel(self, job: Job, reason: ReasonCode) -> None:
        """Commit that *job*'s order is to end."""
        self._commit(job, CancelAsked(reason=reason))

    def _commit(self, job: Job, fact: OrderFact) -> bool:
        """Commit *fact*, unless it changes nothing. Returns: whether a commit is under way for
        it."""
        seen = apply(job.order, fact, at=self._desk.moment())
        if seen.verdict is Verdict.IGNORED and seen.order == job.order and not job.unsaved:
            return False
        job.commits += 1
        unit = ApplyFact(
            out_trade_no=job.order.out_trade_no,
            fact=fact,
            lease=self._desk.lease(),
            at=self._desk.moment(),
        )
        self._desk.commit(unit, ThenFact(out_trade_no=job.order.out_trade_no, fact=fact))
        return True

    def committed(self, then: ThenFact, changed: Changed) -> None:
        """Learn what an applied fact made of its order."""
        job = self._jobs.get(then.out_trade_no)
        if job is not None:
            job.commits -= 1
            job.failures = 0
        self._desk.alarms(changed.alarms)
        self.took(changed.order)

    def failed(self, then: ThenFact) -> None:
        """Keep a fact that could not be stored, and commit it again later. Nobody was told of
        it."""
        job = self._jobs.get(then.out_trade_no)
        if job is None:
            return
        job.commits -= 1
        job.failures += 1
        job.unsaved.append(then.fact)
        gap = min(COMMIT_RETRY_MS << min(job.failures - 1, 10), COMMIT_RETRY_MS_MAX)
        self._wake(job, gap)

    # ---- what comes next ----

    def woke(self, timer_id: str) -> None:
        """Take a Wakeup of an order or of a call."""
        if timer_id.startswith(_CALL_TIMER):
            call_id = timer_id.removeprefix(_CALL_TIMER)
            self.answered(call_id, Unknown(evidence=Evidence.TIMEOUT))
        elif timer_id.startswith(_ORDER_TIMER):
            job = self._jobs.get(OutTradeNo(timer_id.removeprefix(_ORDER_TIMER)))
            if job is not None:
                # Rows may have changed since: a unit applies its fact to what stands.
                unsaved, job.unsaved = job.unsaved, []
                for fact in unsaved:
                    self._commit(job, fact)
                self._progress(job)
        elif timer_id == CONFIRM_TIMER:
            self._confirm_next()
            self._confirming.ticked()

    def _confirm_next(self) -> None:
        """Let confirming queries go that were put off, while there is room for them."""
        while (number := self._confirming.next_up()) is not None:
            job = self._jobs.get(number)
            if job is not None:
                self._progress(job)

    def _progress(self, job: Job) -> None:
        """Do what is next, or have the engine woken for it."""
        if job.call_id is not None or job.commits > 0 or job.unsaved:
            return
        if not needs_work(job.order) or job.order.owner != self._desk.config.boot_id:
            self._drop(job)
            return
        if job.trail.phase is schedule.Phase.PAY:
            # No pay of this process is under way for it: whoever was to send it is gone.
            self._commit(job, TakeOver())
            return
        planned = schedule.plan(
            job.order, job.trail, now_ns=self._desk.now_ns, wall_ms=self._desk.wall_ms
        )
        if planned is None:
            return
        if planned.after_ms > 0:
            self._wake(job, planned.after_ms)
        else:
            self._do(job, planned.step)

    def _do(self, job: Job, step: Step) -> None:
        match step:
            case Step.QUERY:
                wait_ms = self._confirming.wait_ms(job)
                if wait_ms > 0:
                    self._wake(job, wait_ms)
                else:
                    self._call(job, CallKind.QUERY)
            case Step.GIVE_UP:
                self.ask_cancel(job, ReasonCode.TIMED_OUT)
            case Step.START_REFUND:
                number = make_out_refund_no(job.order.out_trade_no, 1)
                self._commit(job, RefundStarted(out_refund_no=number))
            case Step.REFUND:
                self._call(job, CallKind.REFUND)
            case Step.REFUND_QUERY:
                self._call(job, CallKind.REFUND_QUERY)
            case Step.MISS_RECORD:
                self._miss_record(job)
            case _:
                assert_never(step)

    def _miss_record(self, job: Job) -> None:
        job.trail = replace(job.trail, record_missed=True)
        note = AlarmNote(
            code=AlarmCode.RECORD_MISSING,
            raised=True,
            subject=job.order.out_trade_no,
            what="captured a day ago and its passage has no record. See that its lane uploads",
        )
        self._desk.commit_alarm(note, ThenAlarm(note=note))
        self._progress(job)

    def _call(self, job: Job, kind: CallKind, *, request_id: str | None = None) -> None:
        call_id = self._desk.new_id()
        job.call_id = call_id
        self._calls[call_id] = CallOut(
            out_trade_no=job.order.out_trade_no,
            platform=job.order.platform,
            kind=kind,
            phase=job.trail.phase,
            sent_ns=self._desk.now_ns,
        )
        self._count(kind, job.trail.phase)
        if kind is CallKind.QUERY:
            now_ns = self._desk.now_ns
            deadline = schedule.query_deadline_ms(job.order, job.trail, now_ns=now_ns)
        else:
            deadline = _DEADLINES_MS[kind]
        self._desk.emit(
            PlatformCall(
                call_id=call_id,
                platform=job.order.platform,
                kind=kind,
                order=job.order,
                deadline_ms=deadline,
                request_id=request_id,
            )
        )
        self._desk.emit(Wake(timer_id=_CALL_TIMER + call_id, after_ms=deadline + CALL_GUARD_MS))

    def _count(self, kind: CallKind, phase: schedule.Phase, *, ended: bool = False) -> None:
        """Tell of a call that begins, or has ended, what decides when confirming queries go."""
        counts = self._confirming
        if kind is CallKind.PAY:
            (counts.pay_ended if ended else counts.pay_began)()
        elif kind is CallKind.QUERY and phase is schedule.Phase.CONFIRM:
            (counts.query_ended if ended else counts.query_began)()

    def _wake(self, job: Job, after_ms: int) -> None:
        self._desk.emit(Wake(timer_id=_ORDER_TIMER + job.order.out_trade_no, after_ms=after_ms))

    def _drop(self, job: Job) -> None:
        for request_id in list(job.waiters):
            self._waiting.tell(request_id, job)
        del self._jobs[job.order.out_trade_no]
        self._confirming.forget(job.order.out_trade_no)
        self._desk.emit(CancelWake(timer_id=_ORDER_TIMER + job.order.out_trade_no))
