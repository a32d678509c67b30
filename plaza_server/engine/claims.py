"""Sends the refunds of approved claims, and keeps at each until a query proves it (M2).

Strategy. As for orders: one job per claim, one call at a time; the claim is committed as sending
before its first call, and what a call brought is committed before the next. A job can be lost at
any step: the next sweep finds its claim in the store, and the same refund number sent again moves
no more money.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import get_args

from plaza_server.engine.desk import Desk
from plaza_server.engine.effects import CancelWake, PlatformCall, Wake
from plaza_server.engine.platforms import Platforms
from plaza_server.engine.tasks import Then, ThenClaim
from plaza_server.rules import schedule
from plaza_server.rules.calls import CallKind
from plaza_server.rules.claims import (
    Claim,
    ClaimAnswered,
    ClaimFact,
    ClaimStarted,
    ClaimState,
    apply_claim,
    refund_order,
)
from plaza_server.rules.claims_units import ApplyClaim, ClaimChanged, ClaimWork
from plaza_server.rules.limits import (
    CALL_GUARD_MS,
    COMMIT_RETRY_MS,
    COMMIT_RETRY_MS_MAX,
    REFUND_DEADLINE_MS,
)
from plaza_server.rules.orders import Order
from plaza_server.rules.outcomes import Evidence, PlatformOutcome, RefundOutcome, Unknown
from plaza_server.rules.schedule import Phase, Step, Trail

_CLAIM_TIMER = "claim:"
_CALL_TIMER = "claimcall:"


@dataclass(slots=True, kw_only=True)
class ClaimJob:
    """One unfinished claim this process works on."""

    claim: Claim
    """As last committed."""
    order: Order
    trail: Trail
    call_id: str | None = None
    by_query: bool = False
    """The call under way is a refund query."""
    commits: int = 0
    unsaved: list[ClaimFact] = field(default_factory=list)
    failures: int = 0


class Claims:
    """All unfinished claims of this process."""

    def __init__(self, desk: Desk[Then], platforms: Platforms) -> None:
        self._desk = desk
        self._platforms = platforms
        self._jobs: dict[str, ClaimJob] = {}
        self._calls: dict[str, str] = {}
        """Calls under way: id -> claim_id."""

    @property
    def size(self) -> int:
        """How many claims are worked on."""
        return len(self._jobs)

    def took(self, work: ClaimWork) -> None:
        """Learn a claim as committed just now."""
        claim = work.claim
        job = self._jobs.get(claim.claim_id)
        if job is None:
            now = self._desk.now_ns
            trail = Trail(phase=Phase.REFUND, since_ns=now, last_ns=now)
            job = ClaimJob(claim=claim, order=work.order, trail=trail)
            self._jobs[claim.claim_id] = job
        elif claim.version >= job.claim.version:
            job.claim = claim
        self._progress(job)

    def answered(self, call_id: str, outcome: PlatformOutcome, skew_ms: int | None = None) -> None:
        """Take what a call brought; an answer to a call that is no longer out is dropped."""
        job = self._jobs.get(self._calls.pop(call_id, ""))
        if job is None or job.call_id != call_id:
            return
        self._desk.emit(CancelWake(timer_id=_CALL_TIMER + call_id))
        self._platforms.heard(job.claim.platform, outcome, is_pay=False)
        self._platforms.compared(job.claim.platform, outcome, skew_ms)
        job.call_id = None
        assert isinstance(outcome, get_args(RefundOutcome)), "no answer to a refund"
        now = self._desk.now_ns
        job.trail = schedule.refunded(job.trail, outcome, by_query=job.by_query, now_ns=now)
        if not self._commit(job, ClaimAnswered(outcome=outcome, by_query=job.by_query)):
            self._progress(job)

    def committed(self, then: ThenClaim, changed: ClaimChanged) -> None:
        """Learn what an applied fact made of its claim."""
        self._desk.alarms(changed.alarms)
        job = self._jobs.get(changed.claim.claim_id)
        if job is None:
            return
        job.commits -= 1
        job.failures = 0
        if changed.claim.version >= job.claim.version:
            job.claim = changed.claim
        self._progress(job)

    def failed(self, then: ThenClaim) -> None:
        """Keep a fact that could not be stored, and commit it again later."""
        job = self._jobs.get(then.claim_id)
        if job is None:
            return
        job.commits -= 1
        job.failures += 1
        job.unsaved.append(then.fact)
        gap = min(COMMIT_RETRY_MS << min(job.failures - 1, 10), COMMIT_RETRY_MS_MAX)
        self._wake(job, gap)

    def woke(self, timer_id: str) -> None:
        """Take a Wakeup of a claim or of its call; others are not for here."""
        if timer_id.startswith(_CALL_TIMER):
            call_id = timer_id.removeprefix(_CALL_TIMER)
            self.answered(call_id, Unknown(evidence=Evidence.TIMEOUT))
        elif timer_id.startswith(_CLAIM_TIMER):
            job = self._jobs.get(timer_id.removeprefix(_CLAIM_TIMER))
            if job is not None:
                unsaved, job.unsaved = job.unsaved, []
                for fact in unsaved:
                    self._commit(job, fact)
                self._progress(job)

    def _progress(self, job: ClaimJob) -> None:
        if job.call_id is not None or job.commits > 0 or job.unsaved:
            return
        claim = job.claim
        if not claim.needs_work or claim.owner != self._desk.config.boot_id:
            del self._jobs[claim.claim_id]
            self._desk.emit(CancelWake(timer_id=_CLAIM_TIMER + claim.claim_id))
            return
        if claim.state is ClaimState.APPROVED:
            self._commit(job, ClaimStarted())
            return
        stuck = claim.state is ClaimState.STUCK
        planned = schedule.plan_refund(job.trail, stuck=stuck, now_ns=self._desk.now_ns)
        if planned.after_ms > 0:
            self._wake(job, planned.after_ms)
        else:
            self._call(job, by_query=planned.step is Step.REFUND_QUERY)

    def _commit(self, job: ClaimJob, fact: ClaimFact) -> bool:
        """Commit *fact*, unless it changes nothing. Returns: whether a commit is under way."""
        if apply_claim(job.claim, fact, at=self._desk.moment()).claim == job.claim:
            return False
        job.commits += 1
        lease = self._desk.lease()
        unit = ApplyClaim(
            claim_id=job.claim.claim_id,
            fact=fact,
            owner=lease.owner,
            lease_until_ms=lease.until_ms,
            at=self._desk.moment(),
        )
        self._desk.commit(unit, ThenClaim(claim_id=job.claim.claim_id, fact=fact))
        return True

    def _call(self, job: ClaimJob, *, by_query: bool) -> None:
        call_id = self._desk.new_id()
        job.call_id, job.by_query = call_id, by_query
        self._calls[call_id] = job.claim.claim_id
        self._desk.emit(
            PlatformCall(
                call_id=call_id,
                platform=job.claim.platform,
                kind=CallKind.REFUND_QUERY if by_query else CallKind.REFUND,
                order=refund_order(job.order, job.claim),
                deadline_ms=REFUND_DEADLINE_MS,
                request_id=None,
            )
        )
        after_ms = REFUND_DEADLINE_MS + CALL_GUARD_MS
        self._desk.emit(Wake(timer_id=_CALL_TIMER + call_id, after_ms=after_ms))

    def _wake(self, job: ClaimJob, after_ms: int) -> None:
        self._desk.emit(Wake(timer_id=_CLAIM_TIMER + job.claim.claim_id, after_ms=after_ms))
