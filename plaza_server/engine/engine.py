"""The plaza's engine: inputs in, effects out, no clock, no wire, no disk.

Strategy. Committed results decide: a payment is sent only behind the commit that stored it, an
answer leaves only behind the commit that stored what it says, and a commit that failed promises
nothing. What is in memory (jobs, held requests, breakers) can be lost at any step; the next engine
finds every unfinished order in the store and ends it without ever sending pay again. An assertion
that fails here is the caller's to catch: throw the engine away, make a new one with a new boot id,
and say Started.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from plaza_server.engine.claims import Claims
from plaza_server.engine.desk import Desk, EngineConfig
from plaza_server.engine.effects import Effect, ForgetCode, ProblemCode, Wake
from plaza_server.engine.inputs import (
    CancelRequested,
    CommitFailed,
    Committed,
    CouponAsked,
    CouponLetGo,
    EntryAsked,
    EpochAsked,
    Input,
    PaymentPolled,
    PaymentRequested,
    PlatformAnswered,
    PlatformProbed,
    RecordsUploaded,
    RequestDropped,
    Started,
    Wakeup,
)
from plaza_server.engine.platforms import Platforms
from plaza_server.engine.resolver import Resolver
from plaza_server.engine.tasks import (
    Job,
    Then,
    ThenAdopt,
    ThenAlarm,
    ThenCancel,
    ThenClaim,
    ThenCoupon,
    ThenEntry,
    ThenEpoch,
    ThenFact,
    ThenOpen,
    ThenRead,
    ThenReadAgain,
    ThenRecords,
    ThenSweep,
    Waiter,
    WaitKind,
)
from plaza_server.engine.waiting import Waiting
from plaza_server.rules.breaker import Breaker
from plaza_server.rules.claims_units import ClaimChanged
from plaza_server.rules.coupons import ReleaseCoupon, ReserveCoupon
from plaza_server.rules.facts import TurnDown
from plaza_server.rules.limits import (
    ANSWER_MARGIN_MS,
    CANCEL_ANSWER_MS,
    JOBS_MAX,
    LONG_POLL_LIMIT_MS,
    RECORDS_PER_UPLOAD_MAX,
    STORE_LAGS_MS,
    SWEEP_AGAIN_MS,
    SWEEP_GAP_EXCLUSIVE_MS,
    SWEEP_GAP_MS,
    SWEEP_LIMIT,
)
from plaza_server.rules.orders import Order, answer_of, new_order
from plaza_server.rules.units import (
    BEFORE_ALL_RECORDS,
    AskCancel,
    Changed,
    FindEntry,
    GiveEpoch,
    Opened,
    Opening,
    OpenOrder,
    ReadAgain,
    ReadNow,
    ReadOrder,
    RecordPlace,
    RecordsTaken,
    Sweep,
    Swept,
    TakeRecords,
)
from tolling.chain import Anchor
from tolling.clock import NS_PER_MS
from tolling.coupons import CouponAnswer
from tolling.ids import LaneId, parse_out_trade_no, parse_passage_id
from tolling.messages import EnrolmentAnswer, EntryAnswer, EntryFound, RecordsAnswer
from tolling.orders import NextStep, ReasonCode
from tolling.paycodes import Wallet

SWEEP_TIMER = "sweep"
"""Looks for work that other processes or people left."""


class PlazaEngine:
    """Everything one plaza process promises about money."""

    def __init__(self, config: EngineConfig) -> None:
        self._desk: Desk[Then] = Desk(config)
        self._waiting = Waiting(self._desk)
        self._platforms = Platforms(self._desk)
        self._resolver = Resolver(self._desk, self._platforms, self._waiting)
        self._claims = Claims(self._desk, self._platforms)
        self._unsaved_alarms: dict[tuple[str, str], ThenAlarm] = {}
        """Alarms whose commit failed, the latest of each: committed with the next sweep."""
        self._anchors: dict[LaneId, Anchor] = {}
        """Where each lane's chain stands, as the last commit told: every lane asks each second."""
        self._unread_after: RecordPlace | None = BEFORE_ALL_RECORDS
        """Records in quarantine up to here were read again since the start; None: all were. What a
        plaza could not read another version of it may."""

    def on(self, given: Input) -> list[Effect]:
        """Return what follows from *given*, in the order in which it is to be done."""
        self._desk.begin(given.at_ns, given.wall)
        match given:
            case Started():
                self._sweep()
            case PaymentRequested():
                self._pay(given)
            case PaymentPolled():
                self._poll(given)
            case CancelRequested():
                self._cancel(given)
            case RecordsUploaded():
                self._take_records(given)
            case CouponAsked() | CouponLetGo():
                self._coupon(given)
            case EntryAsked():
                self._waiting.open(given.request_id)
                unit = FindEntry(query=given.query)
                self._desk.commit(unit, ThenEntry(request_id=given.request_id))
            case EpochAsked():
                self._give_epoch(given)
            case RequestDropped():
                self._drop_request(given.request_id)
            case Committed():
                then = self._desk.ended(given.commit_id)
                if then is not None:
                    self._committed(then, given.results[0])
            case CommitFailed():
                then = self._desk.ended(given.commit_id)
                if then is not None:
                    self._commit_failed(then)
            case PlatformAnswered():
                self._resolver.answered(given.call_id, given.outcome, given.skew_ms)
                self._claims.answered(given.call_id, given.outcome, given.skew_ms)
            case PlatformProbed():
                self._platforms.probed(given.platform, given.outcome, given.skew_ms)
            case Wakeup():
                self._woke(given.timer_id)
            case _:
                assert_never(given)
        return self._desk.take()

    @property
    def open_orders(self) -> int:
        """How many undecided orders this process works on."""
        return self._resolver.open_orders

    @property
    def suspended(self) -> tuple[str, ...]:
        """Names of platforms that take no new payments, sorted."""
        return self._platforms.suspended

    @property
    def wallets_off(self) -> tuple[Wallet, ...]:
        """Return whose codes no platform takes now, sorted."""
        return self._platforms.wallets_off

    def breaker_of(self, platform: str) -> Breaker:
        """Return a platform's standing with this process."""
        return self._platforms.breaker_of(platform)

    # ---- payments ----

    def _pay(self, given: PaymentRequested) -> None:
        request, request_id = given.request, given.request_id
        self._waiting.open(request_id)
        wrong = self._wrong_place(request.passage_id, request.lane_id)
        if wrong is not None or self._resolver.size >= JOBS_MAX:
            code = ProblemCode.BUSY if wrong is None else ProblemCode.BAD_REQUEST
            self._desk.emit(ForgetCode(request_id=request_id))
            self._waiting.fail(request_id, code, wrong or "too many payments are undecided")
            return
        platform = self._platforms.name_for(request.wallet)
        off = platform is None or not self._platforms.may_pay(platform)
        turn_down = TurnDown(reason=ReasonCode.PLATFORM_OFF, next=NextStep.OTHER_TENDER)
        lease = self._desk.lease()
        order = new_order(
            request,
            given.code,
            platform=platform or request.wallet.value,
            plaza_name=self._desk.config.plaza_name,
            owner=lease.owner,
            lease_until_ms=lease.until_ms,
            at=self._desk.moment(),
            payee=self._desk.config.payee,
        )
        wait_ms = max(0, min(request.deadline_ms, LONG_POLL_LIMIT_MS) - ANSWER_MARGIN_MS)
        self._waiting.hold(
            Waiter(
                request_id=request_id,
                kind=WaitKind.POST,
                out_trade_no=order.out_trade_no,
                lane_id=request.lane_id,
                until_ns=self._desk.now_ns + wait_ms * NS_PER_MS,
            )
        )
        unit = OpenOrder(order=order, turn_down=turn_down if off else None, at=self._desk.moment())
        self._desk.commit(unit, ThenOpen(request_id=request_id, out_trade_no=order.out_trade_no))

    def _wrong_place(self, passage_id: str, lane_id: LaneId) -> str | None:
        try:
            parts = parse_passage_id(passage_id)
        except ValueError as error:
            return str(error)
        if parts.plaza_id != self._desk.config.plaza_id:
            return "the passage is another plaza's"
        return None if parts.lane_id == lane_id else "the passage is another lane's"

    def _opened(self, then: ThenOpen, opened: Opened) -> None:
        request_id = then.request_id
        if opened.opening is Opening.NEW:
            assert opened.order is not None
            job = self._resolver.open(opened.order, request_id=request_id)
            self._join(request_id, job)
            return
        self._desk.emit(ForgetCode(request_id=request_id))
        match opened.opening:
            case Opening.TURNED_DOWN | Opening.SAME | Opening.SEALED:
                assert opened.order is not None
                self._join_or_tell(request_id, opened.order)
            case Opening.CONFLICT:
                what = "this order number was used with other content"
                self._waiting.fail(request_id, ProblemCode.CONFLICT, what)
            case Opening.TOO_MANY:
                what = "two orders of this passage are undecided"
                self._waiting.fail(request_id, ProblemCode.TOO_MANY_OPEN, what)
            case Opening.NO_LANE:
                self._waiting.fail(request_id, ProblemCode.UNKNOWN_LANE, "no such lane here")
            case Opening.WRONG_EPOCH:
                what = "the passage is not of this lane's epoch. Enrol the lane again"
                self._waiting.fail(request_id, ProblemCode.WRONG_EPOCH, what)

    def _join_or_tell(self, request_id: str, order: Order) -> None:
        """Let a request wait for an order's job here, or answer it with what stands."""
        job = self._resolver.took(order) if order.is_open else None
        if job is not None:
            self._join(request_id, job)
        else:
            self._waiting.answer(request_id, answer_of(order))

    def _join(self, request_id: str, job: Job) -> None:
        waiter = self._waiting.held(request_id)
        if waiter is not None:
            job.waiters[request_id] = waiter
            self._resolver.watch(job)

    # ---- polls and cancels ----

    def _poll(self, given: PaymentPolled) -> None:
        self._waiting.open(given.request_id)
        job = self._resolver.job(given.out_trade_no)
        wait_ms = 0 if self._waiting.is_full else max(0, min(given.wait_ms, LONG_POLL_LIMIT_MS))
        known = given.known_version
        if known is None and job is not None and wait_ms > 0:
            known = job.order.version
        waiter = Waiter(
            request_id=given.request_id,
            kind=WaitKind.POLL,
            out_trade_no=given.out_trade_no,
            lane_id=given.lane_id,
            known_version=known if wait_ms > 0 else None,
            until_ns=self._desk.now_ns + wait_ms * NS_PER_MS,
        )
        if job is None:
            self._read(waiter, last=wait_ms == 0)
        elif given.lane_id not in {None, job.order.lane_id}:
            self._waiting.fail(given.request_id, ProblemCode.NOT_FOUND, "no such order")
        else:
            if wait_ms > 0:
                self._waiting.hold(waiter)
            job.waiters[given.request_id] = waiter
            self._resolver.watch(job)

    def _read(self, waiter: Waiter, *, last: bool) -> None:
        unit = ReadOrder(out_trade_no=waiter.out_trade_no)
        self._desk.commit(unit, ThenRead(waiter=waiter, last=last))

    def _was_read(self, then: ThenRead, order: Order | None) -> None:
        waiter = then.waiter
        if order is None or waiter.lane_id not in {None, order.lane_id}:
            what = "no such order; that proves nothing about money"
            self._waiting.fail(waiter.request_id, ProblemCode.NOT_FOUND, what)
            return
        job = self._resolver.job(order.out_trade_no)
        if waiter.known_version is None:
            waiter = replace(waiter, known_version=order.version)
        assert waiter.known_version is not None
        if then.last or not order.is_open or order.version > waiter.known_version:
            self._waiting.answer(waiter.request_id, answer_of(order))
            return
        # Without a job here another process works on it: read again when the wait is over.
        self._waiting.hold(waiter)
        if job is not None:
            job.waiters[waiter.request_id] = waiter
            self._resolver.watch(job)

    def _cancel(self, given: CancelRequested) -> None:
        self._waiting.open(given.request_id)
        try:
            passage, _ = parse_out_trade_no(given.out_trade_no)
        except ValueError as error:
            wrong: str | None = str(error)
        else:
            wrong = self._wrong_place(passage, given.lane_id)
        if wrong is not None:
            self._waiting.fail(given.request_id, ProblemCode.BAD_REQUEST, wrong)
            return
        unit = AskCancel(
            out_trade_no=given.out_trade_no,
            lane_id=given.lane_id,
            reason=ReasonCode.CANCELLED,
            lease=self._desk.lease(steal=True),
            at=self._desk.moment(),
        )
        until_ns = self._desk.now_ns + CANCEL_ANSWER_MS * NS_PER_MS
        then = ThenCancel(
            request_id=given.request_id, out_trade_no=given.out_trade_no, until_ns=until_ns
        )
        self._desk.commit(unit, then)

    def _cancelled(self, then: ThenCancel, changed: Changed | None) -> None:
        if changed is None:
            self._waiting.fail(then.request_id, ProblemCode.NOT_FOUND, "no such order")
            return
        self._desk.alarms(changed.alarms)
        self._waiting.hold(
            Waiter(
                request_id=then.request_id,
                kind=WaitKind.CANCEL,
                out_trade_no=then.out_trade_no,
                lane_id=changed.order.lane_id,
                until_ns=then.until_ns,
            )
        )
        job = self._resolver.took(changed.order)
        if job is None:
            self._waiting.answer(then.request_id, answer_of(changed.order))
        else:
            self._join(then.request_id, job)

    # ---- records, entries, epochs ----

    def _take_records(self, given: RecordsUploaded) -> None:
        self._waiting.open(given.request_id)
        records = given.upload.records
        if not records or len(records) > RECORDS_PER_UPLOAD_MAX:
            what = f"an upload holds 1 to {RECORDS_PER_UPLOAD_MAX} records"
            self._waiting.fail(given.request_id, ProblemCode.BAD_REQUEST, what)
            return
        unit = TakeRecords(
            lane_id=given.lane_id,
            records=records,
            lease=self._desk.lease(),
            at=self._desk.moment(),
            payee=self._desk.config.payee,
        )
        self._desk.commit(unit, ThenRecords(request_id=given.request_id))

    def _records_taken(self, request_id: str, taken: RecordsTaken | None) -> None:
        if taken is None:
            self._waiting.fail(request_id, ProblemCode.UNKNOWN_LANE, "no such lane here")
            return
        self._anchors[taken.anchor.lane_id] = taken.anchor
        self._waiting.answer(request_id, RecordsAnswer(anchor=taken.anchor, refused=taken.refused))
        self._desk.alarms(taken.alarms)
        for order in taken.orders:
            self._resolver.took(order)

    def _coupon(self, given: CouponAsked | CouponLetGo) -> None:
        self._waiting.open(given.request_id)
        owner, at = self._desk.config.boot_id, self._desk.moment()
        about = given.request if isinstance(given, CouponAsked) else given.release
        wrong = self._wrong_place(about.passage_id, about.lane_id)
        if wrong is not None:
            self._waiting.fail(given.request_id, ProblemCode.BAD_REQUEST, wrong)
            return
        unit = (
            ReserveCoupon(request=given.request, token_hash=given.token_hash, owner=owner, at=at)
            if isinstance(given, CouponAsked)
            else ReleaseCoupon(release=given.release, owner=owner, at=at)
        )
        self._desk.commit(unit, ThenCoupon(request_id=given.request_id))

    def _give_epoch(self, given: EpochAsked) -> None:
        """Answer a lane's heartbeat, from memory where no other process can move its chain.

        A store that fails or lags is asked all the same: lanes hear of it by this answer.
        """
        self._waiting.open(given.request_id)
        known = self._anchors.get(given.lane_id)
        sure = self._desk.config.exclusive and not self._desk.store_lags(STORE_LAGS_MS)
        if known is not None and sure and not given.fresh:
            self._epoch_given(given.request_id, known)
            return
        ask = GiveEpoch(lane_id=given.lane_id, fresh=given.fresh, now_ms=self._desk.wall_ms)
        self._desk.commit(ask, ThenEpoch(request_id=given.request_id))

    def _epoch_given(self, request_id: str, anchor: Anchor | None) -> None:
        if anchor is None:
            self._waiting.fail(request_id, ProblemCode.UNKNOWN_LANE, "no such lane here")
            return
        self._anchors[anchor.lane_id] = anchor
        enrolled = EnrolmentAnswer(
            epoch=anchor.epoch,
            anchor=anchor,
            server_utc_ms=self._desk.wall_ms,
            wallets_off=self._platforms.wallets_off,
        )
        self._waiting.answer(request_id, enrolled)

    # ---- commits, timers ----

    def _committed(self, then: Then, result: object) -> None:
        match then:
            case ThenOpen():
                assert isinstance(result, Opened)
                self._opened(then, result)
            case ThenFact():
                assert isinstance(result, Changed)
                self._resolver.committed(then, result)
            case ThenCancel():
                assert result is None or isinstance(result, Changed)
                self._cancelled(then, result)
            case ThenRead():
                assert result is None or isinstance(result, Order)
                self._was_read(then, result)
            case ThenAdopt():
                assert result is None or isinstance(result, Order)
                if result is not None:
                    self._resolver.took(result)
            case ThenRecords():
                assert result is None or isinstance(result, RecordsTaken)
                self._records_taken(then.request_id, result)
            case ThenCoupon():
                assert isinstance(result, CouponAnswer)
                self._waiting.answer(then.request_id, result)
            case ThenEntry():
                assert result is None or isinstance(result, EntryFound)
                self._waiting.answer(then.request_id, EntryAnswer(entry=result))
            case ThenEpoch():
                assert result is None or isinstance(result, Anchor)
                self._epoch_given(then.request_id, result)
            case ThenSweep():
                assert isinstance(result, Swept)
                self._swept(result)
            case ThenReadAgain():
                assert isinstance(result, ReadNow)
                self._desk.alarms(result.alarms)
                for order in result.orders:
                    self._resolver.took(order)
            case ThenClaim():
                assert isinstance(result, ClaimChanged)
                self._claims.committed(then, result)
            case ThenAlarm():
                if result is True:
                    self._desk.alarms((then.note,))
            case _:
                assert_never(then)

    def _commit_failed(self, then: Then) -> None:
        """Promise nothing: tell the caller so, and let the resolver find what may be stored after
        all."""
        self._anchors.clear()
        match then:
            case ThenOpen():
                self._desk.emit(ForgetCode(request_id=then.request_id))
                self._fail_store(then.request_id)
            case ThenCancel() | ThenRecords() | ThenCoupon() | ThenEntry() | ThenEpoch():
                self._fail_store(then.request_id)
            case ThenRead():
                self._fail_store(then.waiter.request_id)
            case ThenFact():
                self._resolver.failed(then)
            case ThenClaim():
                self._claims.failed(then)
            case ThenAlarm():
                self._unsaved_alarms[then.note.code.value, then.note.subject] = then
            case ThenSweep() | ThenAdopt() | ThenReadAgain():
                pass
            case _:
                assert_never(then)
        self._desk.emit(Wake(timer_id=SWEEP_TIMER, after_ms=SWEEP_GAP_MS))

    def _fail_store(self, request_id: str) -> None:
        what = "the store could not keep it; nothing is promised. Ask for the order's state"
        self._waiting.fail(request_id, ProblemCode.STORE_FAILED, what)

    def _sweep(self) -> None:
        unsaved, self._unsaved_alarms = self._unsaved_alarms, {}
        for then in unsaved.values():
            self._desk.commit_alarm(then.note, then)
        unit = Sweep(
            lease=self._desk.lease(),
            limit=SWEEP_LIMIT,
            at=self._desk.moment(),
            unread_after=self._unread_after,
        )
        self._desk.commit(unit, ThenSweep())

    def _swept(self, swept: Swept) -> None:
        self._desk.alarms(swept.alarms)
        for order in swept.taken:
            self._resolver.took(order)
        for work in swept.claims:
            self._claims.took(work)
        for number, version in swept.own:
            job = self._resolver.job(number)
            if job is None or job.order.version < version:
                self._desk.commit(ReadOrder(out_trade_no=number), ThenAdopt(out_trade_no=number))
        after = SWEEP_GAP_EXCLUSIVE_MS if self._desk.config.exclusive else SWEEP_GAP_MS
        if len(swept.taken) >= SWEEP_LIMIT or swept.unread is not None:
            after = SWEEP_AGAIN_MS
        self._read_again(swept.unread)
        self._desk.emit(Wake(timer_id=SWEEP_TIMER, after_ms=after))

    def _read_again(self, unread: RecordPlace | None) -> None:
        """Read one record in quarantine again, in a commit of its own: one that fails costs no
        sweep, and is left for the next start."""
        self._unread_after = unread
        if unread is not None:
            unit = ReadAgain(
                place=unread,
                lease=self._desk.lease(),
                at=self._desk.moment(),
                payee=self._desk.config.payee,
            )
            self._desk.commit(unit, ThenReadAgain())

    def _woke(self, timer_id: str) -> None:
        if timer_id == SWEEP_TIMER:
            self._sweep()
            return
        request_id = self._waiting.request_of(timer_id)
        if request_id is None:
            self._resolver.woke(timer_id)
            self._claims.woke(timer_id)
            return
        waiter = self._waiting.held(request_id)
        if waiter is None:
            return
        job = self._resolver.job(waiter.out_trade_no)
        if job is not None:
            self._waiting.tell(request_id, job)
        elif waiter.kind is WaitKind.POLL:
            self._read(waiter, last=True)
        else:
            what = "the store is slow. Ask for the order's state"
            self._waiting.fail(request_id, ProblemCode.BUSY, what)

    def _drop_request(self, request_id: str) -> None:
        waiter = self._waiting.held(request_id)
        self._waiting.drop(request_id)
        job = self._resolver.job(waiter.out_trade_no) if waiter is not None else None
        if job is not None:
            job.waiters.pop(request_id, None)
