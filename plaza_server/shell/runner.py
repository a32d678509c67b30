"""Carries out what the engine decides: commits, platform calls, wake-ups, answers.

The runner has no decision of its own and never repeats a call. All of it runs in one loop; the
store's thread and the platform calls hand their results back as inputs. Order of events:

    request -> engine -> Commit -> thread -> Committed -> engine -> PlatformCall -> task
            -> PlatformAnswered -> engine -> Commit -> ... -> Answer -> the waiting request

An engine that raises is thrown away: its event is logged (it holds no pay code), every request it
had gets an answer, and a new engine with a new name asks the store what is unfinished. Three in a
minute end the process: its supervisor starts it from the beginning.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, assert_never

import structlog

from plaza_server.engine import (
    SWEEP_TIMER,
    Alarm,
    Answer,
    CallKind,
    CancelWake,
    Commit,
    CommitFailed,
    Committed,
    Effect,
    ForgetCode,
    Input,
    PaymentRequested,
    PlatformAnswered,
    PlatformCall,
    PlatformProbed,
    PlazaEngine,
    Problem,
    ProblemCode,
    RequestDropped,
    Started,
    Wake,
    Wakeup,
)
from plaza_server.platforms.ports import PlatformClient
from plaza_server.rules.orders import AlarmNote
from plaza_server.rules.outcomes import Evidence, PlatformOutcome, Unknown
from plaza_server.rules.units import NoteAlarm, Unit
from plaza_server.shell.clock import Clock, new_boot_id
from plaza_server.shell.codes import CodeKeeper
from plaza_server.shell.committer import CommitGroup, Committer, Done, GroupResult
from plaza_server.shell.metrics import Metrics
from tolling.alarms import AlarmCode
from tolling.clock import NS_PER_MS, NS_PER_S, WallTime
from tolling.coupons import CouponAnswer
from tolling.ids import BootId
from tolling.messages import (
    EnrolmentAnswer,
    EntryAnswer,
    PaymentAnswer,
    PaymentRequest,
    RecordsAnswer,
)
from tolling.paycodes import PayCode

MAX_WAITING = 2000
"""Requests not yet answered; 200 lanes have at most a few each."""
MAX_CALLS = 256
"""Platform calls under way; past it a call is not sent and the engine is told so."""
MAX_FAULTS = 3
FAULT_WINDOW_NS = 60 * NS_PER_S
SLOW_COMMIT_NS = NS_PER_S
STOP_CALLS_S = 6.0
"""A little over the client's longest call, so that what was sent is also heard."""


@dataclass(frozen=True, slots=True)
class Crashed:
    """The event of this request broke the engine. Nothing more may be told."""


Answered: TypeAlias = (
    PaymentAnswer | RecordsAnswer | CouponAnswer | EntryAnswer | EnrolmentAnswer | Problem | Crashed
)
MakeInput: TypeAlias = Callable[[str, int, WallTime], Input]
"""(request_id, at_ns, wall) -> the request as an input of the engine."""


@dataclass(slots=True)
class _Requests:
    """Who waits for an answer."""

    waiting: dict[str, asyncio.Future[Answered]] = field(default_factory=dict)
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))


class PlazaRunner:
    """Runs engine, committer thread and platform calls of one plaza process."""

    def __init__(
        self,
        *,
        make_engine: Callable[[BootId], PlazaEngine],
        commit_group: CommitGroup,
        clients: Mapping[str, PlatformClient],
        clock: Clock,
        code_key: bytes,
        metrics: Metrics,
    ) -> None:
        """Make the runner; nothing starts before ``run``.

        Args:   commit_group: the store's group commit. clients: by platform name.
                code_key: the plaza's secret for hashing pay codes, 16 bytes or more.
        """
        self._make_engine = make_engine
        self._clients = clients
        self._clock = clock
        self._code_key = code_key
        self._metrics = metrics
        self._log = structlog.get_logger("plaza.runner")
        self._engine = make_engine(new_boot_id())
        self._codes = CodeKeeper()
        self._requests = _Requests()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._faults: deque[int] = deque()
        self._standing: set[tuple[AlarmCode, str]] = set()
        self._calls = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._stopping = False
        self._failed = False
        self._stop = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._committer = Committer(commit_group, deliver=self._deliver, at_ns=clock.at_ns)

    # ---- life ----

    async def run(self, started: asyncio.Event) -> None:
        """Run until ``stop``; *started* is set once requests are welcome."""
        self._loop = asyncio.get_running_loop()
        for client in self._clients.values():
            await client.start()
        self._committer.start()
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                self._give(Started(at_ns=self._clock.at_ns(), wall=self._clock.wall()))
                started.set()
                await self._stop.wait()
                await self._finish_calls()
        finally:
            self._tasks = None
            for timer in self._timers.values():
                timer.cancel()
            # Blocks the loop on purpose: what was submitted is made durable before anything ends.
            self._committer.stop()
            for client in self._clients.values():
                await client.close()

    def refuse_requests(self) -> None:
        """Take no more requests and send those away that wait; their orders live on in the
        store."""
        self._stopping = True
        self._answer_all(Problem(code=ProblemCode.BUSY, what="the plaza is stopping"))

    def stop(self) -> None:
        """End ``run`` once the calls under way have been heard."""
        self.refuse_requests()
        self._stop.set()

    @property
    def failed(self) -> bool:
        """Whether the engine broke too often and the process should end with an error."""
        return self._failed

    @property
    def ready(self) -> bool:
        """Whether requests are welcome."""
        return self._tasks is not None and not self._stopping

    @property
    def wait_stopped(self) -> asyncio.Event:
        """Set when the runner wants the process to end."""
        return self._stop

    @property
    def open_orders(self) -> int:
        """Undecided orders the engine holds."""
        return self._engine.open_orders

    @property
    def suspended(self) -> tuple[str, ...]:
        """Platforms that are off."""
        return self._engine.suspended

    async def _finish_calls(self) -> None:
        try:
            async with asyncio.timeout(STOP_CALLS_S):
                await self._idle.wait()
        except TimeoutError:
            self._log.warning("stopped_with_calls_under_way", calls=self._calls)
        self._tasks = None  # what the engine asks from here on is for the next start

    # ---- what the API calls ----

    async def pay(self, request: PaymentRequest, code: PayCode) -> Answered:
        """Hand a payment to the engine and return its answer; the code stays here."""
        ref = code.ref(self._code_key)
        return await self.ask(
            lambda request_id, at_ns, wall: PaymentRequested(
                at_ns=at_ns, wall=wall, request_id=request_id, request=request, code=ref
            ),
            code=code,
        )

    async def ask(self, make: MakeInput, *, code: PayCode | None = None) -> Answered:
        """Give the engine one request and return its answer. The engine bounds the wait."""
        requests = self._requests
        if self._stopping or len(requests.waiting) >= MAX_WAITING:
            return Problem(code=ProblemCode.BUSY, what="too many requests, or stopping")
        request_id = f"r{next(requests.numbers)}"
        at_ns = self._clock.at_ns()
        if code is not None and not self._codes.keep(request_id, code, at_ns=at_ns):
            return Problem(code=ProblemCode.BUSY, what="too many payments under way")
        answer: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()
        requests.waiting[request_id] = answer
        self._metrics.note_waiting(len(requests.waiting))
        try:
            self._give(make(request_id, at_ns, self._clock.wall()), request_id)
            return await answer
        except asyncio.CancelledError:
            at_ns, wall = self._clock.at_ns(), self._clock.wall()
            self._give(RequestDropped(at_ns=at_ns, wall=wall, request_id=request_id))
            raise
        finally:
            requests.waiting.pop(request_id, None)
            self._metrics.note_waiting(len(requests.waiting))

    async def commit(self, *units: Unit) -> tuple[object, ...]:
        """Commit units of the API's own as one group behind everything submitted before.

        Raises: what the store's function raises, e.g. LedgerConflictError.
        """
        result: asyncio.Future[tuple[object, ...]] = asyncio.get_running_loop().create_future()
        self._committer.submit(result, units)
        return await result

    def look_again(self) -> None:
        """Have the engine look at once for work that people left in the store. While it runs."""
        self._wake_up(SWEEP_TIMER)

    def publish(self, notes: Sequence[AlarmNote]) -> None:
        """Tell log and figures of alarms that a commit of people's has raised or cleared."""
        for note in notes:
            self._note_alarm(note.code, note.raised, note.subject, note.what)

    # ---- engine in, effects out ----

    def _give(self, given: Input, request_id: str | None = None) -> None:
        """Give the engine one input and carry out what it answers. The supervisor of the engine."""
        try:
            effects: Sequence[Effect] = self._engine.on(given)
        except Exception as error:  # noqa: BLE001 - the one place where a broken engine is caught
            self._engine_broke(given, error, request_id)
            return
        for effect in effects:
            self._carry_out(effect)

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case Commit():
                self._committer.submit(effect.commit_id, effect.units)
            case Answer():
                self._answer(effect.request_id, effect.value)
            case PlatformCall():
                self._begin_call(effect)
            case Wake():
                self._set_timer(effect)
            case CancelWake():
                timer = self._timers.pop(effect.timer_id, None)
                if timer is not None:
                    timer.cancel()
            case ForgetCode():
                self._codes.forget(effect.request_id)
            case Alarm():
                self._note_alarm(effect.code, effect.raised, effect.subject, effect.what)
            case _:
                assert_never(effect)

    def _answer(self, request_id: str, value: Answered) -> None:
        waiting = self._requests.waiting.get(request_id)
        if waiting is not None and not waiting.done():
            waiting.set_result(value)

    def _answer_all(self, value: Answered) -> None:
        for request_id in list(self._requests.waiting):
            self._answer(request_id, value)

    def _set_timer(self, wake: Wake) -> None:
        assert self._loop is not None
        old = self._timers.pop(wake.timer_id, None)
        if old is not None:
            old.cancel()
        when = self._loop.time() + wake.after_ms / 1000
        self._timers[wake.timer_id] = self._loop.call_at(when, self._wake_up, wake.timer_id)

    def _wake_up(self, timer_id: str) -> None:
        self._timers.pop(timer_id, None)
        at_ns = self._clock.at_ns()
        self._codes.drop_old(at_ns=at_ns)
        self._give(Wakeup(at_ns=at_ns, wall=self._clock.wall(), timer_id=timer_id))

    # ---- commits ----

    def _deliver(self, done: list[Done], took_ns: int) -> None:
        """Called in the committer's thread."""
        assert self._loop is not None
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._committed, done, took_ns)

    def _committed(self, done: list[Done], took_ns: int) -> None:
        self._metrics.note_commit(len(done), took_ns / NS_PER_S)
        slow = took_ns > SLOW_COMMIT_NS
        if slow != ((AlarmCode.STORE_SLOW, "") in self._standing):
            self._note_alarm(
                AlarmCode.STORE_SLOW, slow, "", f"a commit took {took_ns // NS_PER_MS} ms"
            )
        for each in done:
            if isinstance(each.key, asyncio.Future):
                _settle(each.key, each.result)
                continue
            if isinstance(each.key, str):
                self._give(self._commit_input(each.key, each.result))

    def _commit_input(self, commit_id: str, result: GroupResult) -> Input:
        at_ns, wall = self._clock.at_ns(), self._clock.wall()
        if isinstance(result, Exception):
            why = type(result).__name__
            self._log.error("commit_failed", commit_id=commit_id, why=why)
            return CommitFailed(at_ns=at_ns, wall=wall, commit_id=commit_id, why=why)
        return Committed(at_ns=at_ns, wall=wall, commit_id=commit_id, results=result)

    # ---- platforms ----

    def _begin_call(self, call: PlatformCall) -> None:
        code: PayCode | None = None
        if call.request_id is not None:
            code = self._codes.take(call.request_id, at_ns=self._clock.at_ns())
        client = self._clients.get(call.platform)
        lacks_code = call.kind is CallKind.PAY and code is None
        if client is None or lacks_code or self._tasks is None or self._calls >= MAX_CALLS:
            assert self._loop is not None
            self._log.error("call_not_made", call=call.kind.value, lacks_code=lacks_code)
            self._loop.call_soon(
                self._call_ended, call.call_id, Unknown(evidence=Evidence.NOT_SENT)
            )
            return
        self._calls += 1
        self._idle.clear()
        self._tasks.create_task(
            self._call(client, call, code), name=f"{call.platform} {call.kind.value}"
        )

    async def _call(self, client: PlatformClient, call: PlatformCall, code: PayCode | None) -> None:
        began_ns = self._clock.at_ns()
        outcome: PlatformOutcome = Unknown(evidence=Evidence.TIMEOUT)
        try:
            outcome = await client.call(
                call.kind,
                call.order,
                code=code,
                now_ms=self._clock.wall().utc_ms,
                budget_ms=call.deadline_ms,
            )
        except Exception as error:  # noqa: BLE001 - one client's fault is one unknown answer
            self._log.error("client_broke", platform=call.platform, error=type(error).__name__)
        finally:
            self._calls -= 1
            if self._calls == 0:
                self._idle.set()
        took_ns = self._clock.at_ns() - began_ns
        # The driver waits for this; figures and log do not.
        self._call_ended(call.call_id, outcome, client.skew_ms)
        result = type(outcome).__name__.lower()
        self._metrics.note_call(call.platform, call.kind.value, result, took_ns / NS_PER_S)
        self._log.info(
            "platform_answered",
            platform=call.platform,
            call=call.kind.value,
            out_trade_no=call.order.out_trade_no,
            result=result,
            evidence=outcome.evidence.value if isinstance(outcome, Unknown) else None,
            took_ms=took_ns // NS_PER_MS,
        )

    def _call_ended(
        self, call_id: str, outcome: PlatformOutcome, skew_ms: int | None = None
    ) -> None:
        at_ns, wall = self._clock.at_ns(), self._clock.wall()
        self._give(
            PlatformAnswered(
                at_ns=at_ns, wall=wall, call_id=call_id, outcome=outcome, skew_ms=skew_ms
            )
        )

    def probed(self, platform: str, outcome: PlatformOutcome, skew_ms: int | None) -> None:
        """Tell the engine what a probe of a platform brought. Only while ``run`` runs."""
        if self._tasks is None:
            return
        at_ns, wall = self._clock.at_ns(), self._clock.wall()
        self._give(
            PlatformProbed(
                at_ns=at_ns, wall=wall, platform=platform, outcome=outcome, skew_ms=skew_ms
            )
        )

    # ---- trouble ----

    def _note_alarm(self, code: AlarmCode, raised: bool, subject: str, what: str) -> None:
        (self._standing.add if raised else self._standing.discard)((code, subject))
        active = sum(1 for standing, _ in self._standing if standing is code)
        self._metrics.note_alarm(code.value, raised=raised, active=active)
        self._log.warning("alarm", code=code.value, raised=raised, subject=subject, what=what)

    def _engine_broke(self, given: Input, error: Exception, request_id: str | None) -> None:
        """Put the event aside with an alarm and go on with a new engine, or end the process."""
        at_ns = self._clock.at_ns()
        self._metrics.note_fault()
        self._log.error(
            "engine_broke", given=repr(given)[:4000], error=repr(error)[:500], at=place_of(error)
        )
        what = type(error).__name__
        self._note_alarm(AlarmCode.CORE_FAULT, True, "engine", what)
        note = NoteAlarm(
            code=AlarmCode.CORE_FAULT,
            raised=True,
            subject="engine",
            what=what,
            now_ms=self._clock.wall().utc_ms,
        )
        self._committer.submit(None, (note,))
        if request_id is not None:
            self._answer(request_id, Crashed())
        self._answer_all(Problem(code=ProblemCode.BUSY, what="starting again"))
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._codes.clear()
        self._faults.append(at_ns)
        while self._faults and self._faults[0] < at_ns - FAULT_WINDOW_NS:
            self._faults.popleft()
        if len(self._faults) >= MAX_FAULTS:
            self._failed = True
            self.stop()
            return
        self._engine = self._make_engine(new_boot_id())
        assert self._loop is not None
        self._loop.call_soon(self._start_again)

    def _start_again(self) -> None:
        self._give(Started(at_ns=self._clock.at_ns(), wall=self._clock.wall()))


def _settle(waiting: asyncio.Future[tuple[object, ...]], result: GroupResult) -> None:
    if waiting.done():
        return
    if isinstance(result, Exception):
        waiting.set_exception(result)
    else:
        waiting.set_result(result)


def place_of(error: BaseException) -> str:
    """Return where an error was raised, without any value."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return ""
    code = trace.tb_frame.f_code
    return f"{code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno} {code.co_name}"
