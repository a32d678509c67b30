"""The plaza's process: production rules, engine and store functions on virtual time.

The committer takes what is queued when it begins, commits it as one group, and answers; the pay
codes live in this process's memory and nowhere else. Nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from random import Random

from sqlalchemy import Connection

from lane_controller.engine import effects as fx
from lane_controller.engine.inputs import PlazaTrouble
from plaza_server.engine import (
    Alarm,
    Answer,
    CallKind,
    CancelRequested,
    CancelWake,
    Commit,
    CommitFailed,
    Committed,
    CouponAsked,
    CouponLetGo,
    Effect,
    EngineConfig,
    EntryAsked,
    EpochAsked,
    ForgetCode,
    Input,
    PaymentPolled,
    PaymentRequested,
    PlatformAnswered,
    PlatformCall,
    PlazaEngine,
    Problem,
    ProblemCode,
    RecordsUploaded,
    RequestDropped,
    Started,
    Wake,
    Wakeup,
)
from plaza_server.rules.outcomes import Evidence, PlatformOutcome, Unknown
from plaza_server.store import Store, commit_group, queries
from simulator.world.clock import MachineClock
from simulator.world.disk import Disk, no_room_for_plaza
from simulator.world.faults import PLAZA, CommitFate, KillAtStep, StepKind
from simulator.world.heap import Heap
from simulator.world.links import Wiretap
from simulator.world.platform_line import PlatformLine
from simulator.world.platforms import routes_of
from simulator.world.process import Process
from simulator.world.requests import LaneRequest, Reply
from simulator.world.shown import shown
from tolling.canonical_text import text_of
from tolling.clock import NS_PER_MS, WallTime
from tolling.evolve import quick
from tolling.ids import BootId, PlazaId
from tolling.paycodes import PayCode
from tolling.signed_sets import SetKind

START_NS = 800 * NS_PER_MS
"""From the process's start to its first request taken."""

_TROUBLE: dict[ProblemCode, PlazaTrouble] = {
    ProblemCode.CONFLICT: PlazaTrouble.REJECTED,
    ProblemCode.NOT_FOUND: PlazaTrouble.NOT_FOUND,
    ProblemCode.TOO_MANY_OPEN: PlazaTrouble.REJECTED,
    ProblemCode.UNKNOWN_LANE: PlazaTrouble.REJECTED,
    ProblemCode.WRONG_EPOCH: PlazaTrouble.REJECTED,
    ProblemCode.BAD_REQUEST: PlazaTrouble.REJECTED,
    ProblemCode.BUSY: PlazaTrouble.SERVER,
    ProblemCode.STORE_FAILED: PlazaTrouble.SERVER,
}
"""What a lane makes of the status each problem is answered with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlazaOutside:
    """What the plaza's process is connected with; all of it outlives the process."""

    plaza_id: PlazaId
    store: Store
    disk: Disk
    clock: MachineClock
    platforms: Mapping[str, PlatformLine]
    """By name."""
    tap: Wiretap
    dice: Random
    code_key: bytes
    on_stored: Callable[[Connection], None] | None = None
    """Called behind every commit, with the connection it was made on."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    """One request not answered yet."""

    channel: str
    reply: Callable[[Reply], None]


class PlazaProcess(Process):
    """One plaza process, killed and started as often as the world likes."""

    def __init__(
        self,
        heap: Heap,
        outside: PlazaOutside,
        kills: tuple[KillAtStep, ...] = (),
        *,
        name: str = PLAZA,
    ) -> None:
        super().__init__(heap, name, kills)
        self.outside = outside
        self.engine: PlazaEngine | None = None
        self.boot_id = BootId("")
        """Of the present life, or the last one."""
        self._codes: dict[str, PayCode] = {}
        self._waiting: dict[str, _Waiting] = {}
        self._request_no = 0
        self._queue: list[Commit] = []
        self._committing = False
        self._connection: Connection | None = None

    # ---- life ----

    def on_start(self) -> None:
        """Begin with an engine that asks the store what is unfinished."""
        self.later(START_NS, self._up)

    def _up(self) -> None:
        out = self.outside
        out.clock.boot(0)
        self.boot_id = BootId(f"{out.dice.getrandbits(64):016x}")
        self.engine = PlazaEngine(
            EngineConfig(
                plaza_id=out.plaza_id,
                plaza_name="世界收费站",
                boot_id=self.boot_id,
                platforms=routes_of(tuple(out.platforms)),
                exclusive=out.store.exclusive,
            )
        )
        self._feed(lambda at_ns, wall: Started(at_ns=at_ns, wall=wall))

    def on_death(self) -> None:
        """Forget everything; connections of callers break."""
        self.engine = None
        self._codes.clear()
        self._queue.clear()
        self._committing = False
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        waiting, self._waiting = self._waiting, {}
        for each in waiting.values():
            each.reply(PlazaTrouble.TIMEOUT)

    # ---- requests ----

    @property
    def up(self) -> bool:
        """Return whether requests are taken."""
        return self.engine is not None

    def take(self, request: LaneRequest, reply: Callable[[Reply], None]) -> str:
        """Take one request of a lane."""
        self._request_no += 1
        request_id = f"r{self._request_no}"
        self._waiting[request_id] = _Waiting(channel=_channel(request), reply=reply)
        wanted = request.wanted
        if isinstance(wanted, fx.GetTariffs):
            self._give_tariffs(request_id)
        else:
            self._feed(lambda at_ns, wall: self._input(request_id, request, at_ns, wall))
        return request_id

    def drop(self, request_id: str) -> None:
        """The caller of a request has gone away."""
        if self._waiting.pop(request_id, None) is not None:
            self._feed(
                lambda at_ns, wall: RequestDropped(at_ns=at_ns, wall=wall, request_id=request_id)
            )

    def _input(self, request_id: str, request: LaneRequest, at_ns: int, wall: WallTime) -> Input:
        wanted, lane = request.wanted, request.lane_id
        match wanted:
            case fx.PostPayment():
                assert request.code is not None, "a payment without its code"
                self._codes[request_id] = request.code
                return PaymentRequested(
                    at_ns=at_ns,
                    wall=wall,
                    request_id=request_id,
                    request=wanted.request,
                    code=request.code.ref(self.outside.code_key),
                )
            case fx.GetPayment():
                return PaymentPolled(
                    at_ns=at_ns,
                    wall=wall,
                    request_id=request_id,
                    out_trade_no=wanted.out_trade_no,
                    lane_id=lane,
                    wait_ms=wanted.wait_ms,
                )
            case fx.PostCancel():
                return CancelRequested(
                    at_ns=at_ns,
                    wall=wall,
                    request_id=request_id,
                    out_trade_no=wanted.out_trade_no,
                    lane_id=lane,
                )
            case fx.PostRecords():
                assert request.upload is not None, "an upload without records"
                return RecordsUploaded(
                    at_ns=at_ns,
                    wall=wall,
                    request_id=request_id,
                    lane_id=lane,
                    upload=request.upload,
                )
            case fx.PostCouponReserve():
                assert request.coupon is not None, "a reservation without its coupon"
                return CouponAsked(
                    at_ns=at_ns,
                    wall=wall,
                    request_id=request_id,
                    request=wanted.request,
                    token_hash=request.coupon.token_hash(),
                )
            case fx.PostCouponRelease():
                return CouponLetGo(
                    at_ns=at_ns, wall=wall, request_id=request_id, release=wanted.release
                )
            case fx.PostEntryQuery():
                return EntryAsked(at_ns=at_ns, wall=wall, request_id=request_id, query=wanted.query)
            case fx.GetEnrolment():
                return EpochAsked(
                    at_ns=at_ns,
                    wall=wall,
                    request_id=request_id,
                    lane_id=lane,
                    fresh=wanted.fresh,
                )
            case fx.GetTariffs():
                raise AssertionError("tariffs are read without the engine")

    def _give_tariffs(self, request_id: str) -> None:
        now_ms = self.outside.clock.wall().utc_ms
        with self.outside.store.engine.connect() as connection:
            sets = queries.current_sets(connection, SetKind.TARIFF, now_ms)
        self._answer(request_id, tuple(sets))

    def _answer(self, request_id: str, reply: Reply, text: str = "") -> None:
        waiting = self._waiting.pop(request_id, None)
        if waiting is None:
            return
        if text:
            self.outside.tap.note(waiting.channel, text)
        waiting.reply(reply)

    # ---- engine in, effects out ----

    def _feed(self, make: Callable[[int, WallTime], Input]) -> None:
        engine, clock = self.engine, self.outside.clock
        if engine is None:
            return
        given = make(clock.at_ns(), clock.wall())
        if self.heap.traced:
            self.heap.note(self.name, type(given).__name__, shown(given))
        for effect in engine.on(given):
            if self.engine is not engine:
                return  # Killed at one of the effects before.
            self._carry_out(effect)

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case Commit():
                self._queue.append(effect)
                self._begin_commit()
            case Answer():
                self._answer_effect(effect)
            case PlatformCall():
                self._call(effect)
            case Wake():
                self.set_timer(effect.timer_id, effect.after_ms, self._due)
            case CancelWake():
                self.cancel_timer(effect.timer_id)
            case ForgetCode():
                self._codes.pop(effect.request_id, None)
            case Alarm():
                text = text_of(effect)
                self.outside.tap.note(f"toll/{self.outside.plaza_id}/plaza/alarm", text)

    def _due(self, timer_id: str) -> None:
        self._feed(lambda at_ns, wall: Wakeup(at_ns=at_ns, wall=wall, timer_id=timer_id))

    def _answer_effect(self, effect: Answer) -> None:
        value = effect.value
        text = text_of(value)
        reply = _TROUBLE[value.code] if isinstance(value, Problem) else value
        self._answer(effect.request_id, reply, text)

    # ---- commits ----

    def _begin_commit(self) -> None:
        if self._committing or not self._queue:
            return
        self._committing = True
        group, self._queue = self._queue, []
        delay_ns, fate = self.outside.disk.plan()
        self.later(delay_ns, lambda: self._commit_now(group, fate))

    def _commit_now(self, group: list[Commit], fate: CommitFate | None) -> None:
        what = ",".join(type(unit).__name__ for commit in group for unit in commit.units)
        if self.reach(StepKind.COMMIT, what):
            return
        results: list[tuple[object, ...] | Exception]
        if fate is CommitFate.FAILS:
            results = [OSError(str(fate))] * len(group)
        else:
            results = self._write(group, full=fate is CommitFate.FULL)
            stored = not all(isinstance(result, Exception) for result in results)
            if stored and self.reach(StepKind.COMMITTED, what):
                return
            if fate is CommitFate.ANSWER_LOST:
                results = [OSError(str(fate))] * len(group)
        self._committing = False
        for commit, result in zip(group, results, strict=True):
            self._tell(commit.commit_id, result)
        self._begin_commit()

    def _write(self, group: list[Commit], *, full: bool) -> list[tuple[object, ...] | Exception]:
        connection = self._writing()
        with no_room_for_plaza(connection) if full else nullcontext():
            results = commit_group(connection, [commit.units for commit in group])
        if self.outside.on_stored is not None:
            self.outside.on_stored(connection)
        return results

    def _writing(self) -> Connection:
        """Return the connection this life commits on, kept as the committer's thread keeps it."""
        if self._connection is None or self._connection.closed:
            self._connection = self.outside.store.engine.connect()
        return self._connection

    def _tell(self, commit_id: str, result: tuple[object, ...] | Exception) -> None:
        def make(at_ns: int, wall: WallTime) -> Input:
            if isinstance(result, Exception):
                why = type(result).__name__
                return CommitFailed(at_ns=at_ns, wall=wall, commit_id=commit_id, why=why)
            return Committed(at_ns=at_ns, wall=wall, commit_id=commit_id, results=result)

        self._feed(make)

    # ---- the platform ----

    def _call(self, call: PlatformCall) -> None:
        life = self.life
        code: PayCode | None = None
        if call.kind is CallKind.PAY:
            code = self._codes.pop(call.request_id or "", None)

        def done(outcome: PlatformOutcome, skew_ms: int | None = None) -> None:
            if self.alive and self.life == life:
                self._feed(
                    lambda at_ns, wall: PlatformAnswered(
                        at_ns=at_ns,
                        wall=wall,
                        call_id=call.call_id,
                        outcome=outcome,
                        skew_ms=skew_ms,
                    )
                )

        if call.kind is CallKind.PAY and code is None:
            self.heap.after(0, lambda: done(Unknown(evidence=Evidence.NOT_SENT)))
            return
        self.outside.platforms[call.platform].call(
            call.kind,
            call.order,
            code=code,
            now_ms=self.outside.clock.wall().utc_ms,
            deadline_ms=call.deadline_ms,
            done=done,
        )
        self.reach(StepKind.SEND, call.kind.value)


def _channel(request: LaneRequest) -> str:
    wanted = request.wanted
    match wanted:
        case fx.PostPayment():
            return "POST /v1/payments"
        case fx.GetPayment():
            return f"GET /v1/payments/{wanted.out_trade_no}"
        case fx.PostCancel():
            return f"POST /v1/payments/{wanted.out_trade_no}/cancel"
        case fx.PostCouponReserve():
            return "POST /v1/coupons/reserve"
        case fx.PostCouponRelease():
            return "POST /v1/coupons/release"
        case fx.PostEntryQuery():
            return "POST /v1/entries"
        case fx.PostRecords():
            return "POST /v1/records"
        case fx.GetEnrolment():
            return f"GET /v1/lanes/{request.lane_id}/epoch"
        case fx.GetTariffs():
            return "GET /v1/tariffs"
