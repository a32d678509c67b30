"""Effects carried out: answers, calls, wake-ups, and an engine that breaks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from plaza_server.engine import (
    Alarm,
    Answer,
    CallKind,
    CancelWake,
    Commit,
    CommitFailed,
    Committed,
    Effect,
    EntryAsked,
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
from plaza_server.platforms.calls import PlatformOrder
from plaza_server.rules.orders import Order
from plaza_server.rules.outcomes import Evidence, NotThere, PlatformOutcome, Unknown
from plaza_server.rules.units import NoteAlarm, ReadOrder, Unit
from plaza_server.shell import runner as subject
from plaza_server.shell.clock import SystemClock
from plaza_server.shell.metrics import Metrics
from tolling.alarms import AlarmCode
from tolling.ids import BootId, LaneId, OutTradeNo, PassageId, PlazaId
from tolling.messages import EntryAnswer, EntryQuery, PaymentRequest
from tolling.paycodes import PayCode, Wallet
from tolling.vehicles import VehicleClass

NUMBER = OutTradeNo("330101001001000000007A01")
CODE = PayCode("281234567890123456", Wallet.ALIPAY)
REQUEST = PaymentRequest(
    passage_id=PassageId("330101001001000000007"),
    attempt=1,
    lane_id=LaneId("001"),
    toll_fen=2550,
    tariff_id="T",
    tariff_version=1,
    tariff_row=1,
    vehicle_class=VehicleClass.CAR_1,
    plate=None,
    wallet=Wallet.ALIPAY,
    deadline_ms=1000,
)
NOTHING = EntryAnswer(entry=None)
Reaction = Callable[[Any], list[Effect]]


@dataclass
class AnOrder:
    """As much of an order as the runner looks at."""

    out_trade_no: OutTradeNo = NUMBER


ORDER = cast(Order, AnOrder())


@dataclass
class Bench:
    """A scripted engine, store and platform around a real runner."""

    react: Reaction = field(default=lambda given: [])
    seen: list[Input] = field(default_factory=list)
    boots: list[BootId] = field(default_factory=list)
    committed: list[Unit] = field(default_factory=list)
    store_error: Exception | None = None
    calls: list[tuple[CallKind, PayCode | None, int]] = field(default_factory=list)
    outcome: PlatformOutcome | Exception = field(default_factory=NotThere)
    hold: asyncio.Event | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    name: str = "alipay"
    skew_ms: int | None = None
    open_orders: int = 0
    suspended: tuple[str, ...] = ()

    def engine(self, boot_id: BootId) -> PlazaEngine:
        self.boots.append(boot_id)
        return cast(PlazaEngine, self)

    def on(self, given: Input) -> list[Effect]:
        self.seen.append(given)
        self.changed.set()
        return self.react(given)

    def commit_group(self, groups: Sequence[Sequence[Unit]]) -> list[tuple[object, ...]]:
        if self.store_error is not None:
            raise self.store_error
        for units in groups:
            self.committed.extend(units)
        return [tuple("kept" for _ in units) for units in groups]

    async def start(self) -> None:
        """Open nothing."""

    async def close(self) -> None:
        """Close nothing."""

    async def call(
        self,
        kind: CallKind,
        order: PlatformOrder,
        *,
        code: PayCode | None,
        now_ms: int,
        budget_ms: int,
    ) -> PlatformOutcome:
        self.calls.append((kind, code, budget_ms))
        self.changed.set()
        if self.hold is not None:
            await self.hold.wait()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    async def probe(self, *, now_ms: int) -> PlatformOutcome:
        raise AssertionError("the runner probes nobody")

    async def saw(self, kind: type[Input]) -> Any:
        """Wait for an input of *kind* and return the first."""
        async with asyncio.timeout(5):
            while True:
                for given in self.seen:
                    if isinstance(given, kind):
                        return given
                self.changed.clear()
                await self.changed.wait()


@asynccontextmanager
async def running(bench: Bench) -> AsyncIterator[subject.PlazaRunner]:
    made = subject.PlazaRunner(
        make_engine=bench.engine,
        commit_group=bench.commit_group,
        clients={"alipay": bench},
        clock=SystemClock(),
        code_key=b"k" * 32,
        metrics=Metrics(PlazaId("330101"), version="0"),
    )
    started = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(made.run(started), name="runner")
        await started.wait()
        try:
            yield made
        finally:
            made.stop()


def asked(request_id: str, at_ns: int, wall: Any) -> Input:
    return EntryAsked(at_ns=at_ns, wall=wall, request_id=request_id, query=EntryQuery(plate="x"))


def call(kind: CallKind, *, request_id: str | None = None, platform: str = "alipay") -> Effect:
    return PlatformCall(
        call_id="b:1",
        platform=platform,
        kind=kind,
        order=ORDER,
        deadline_ms=700,
        request_id=request_id,
    )


def pay_at_once(given: Any) -> list[Effect]:
    """Send pay for a request and answer it when the platform has."""
    match given:
        case PaymentRequested():
            return [call(CallKind.PAY, request_id=given.request_id)]
        case PlatformAnswered():
            return [Answer(request_id="r1", value=NOTHING)]
        case _:
            return []


@pytest.mark.asyncio
async def test_a_request_is_answered_by_the_engine() -> None:
    """The first input is Started; a request's answer is the engine's."""
    bench = Bench()

    def react(given: Any) -> list[Effect]:
        if isinstance(given, EntryAsked):
            return [Answer(request_id=given.request_id, value=NOTHING)]
        return []

    bench.react = react
    async with running(bench) as runner:
        assert runner.ready
        assert await runner.ask(asked) == NOTHING
    assert isinstance(bench.seen[0], Started)
    assert not runner.ready


@pytest.mark.asyncio
async def test_the_engine_hears_of_probes_while_it_runs() -> None:
    """A probe that comes back after the end is told to nobody."""
    bench = Bench()
    async with running(bench) as runner:
        runner.probed("alipay", NotThere(), 7)
    runner.probed("alipay", NotThere(), 8)
    probes = [each for each in bench.seen if isinstance(each, PlatformProbed)]
    assert [(each.platform, each.outcome, each.skew_ms) for each in probes] == [
        ("alipay", NotThere(), 7)
    ]


@pytest.mark.asyncio
async def test_pay_gets_the_code_of_its_own_request_once() -> None:
    """The engine sees a keyed hash; the client gets the code; then nobody has it."""
    bench = Bench(react=pay_at_once)
    async with running(bench) as runner:
        assert await runner.pay(REQUEST, CODE) == NOTHING
        requested = await bench.saw(PaymentRequested)
        assert requested.code == CODE.ref(b"k" * 32)
        assert bench.calls == [(CallKind.PAY, CODE, 700)]
        bench.seen.clear()
        runner._carry_out(call(CallKind.PAY, request_id="r1"))
        answered = await bench.saw(PlatformAnswered)
        assert answered.outcome == Unknown(evidence=Evidence.NOT_SENT)
        assert len(bench.calls) == 1
        bench.react = lambda given: []


@pytest.mark.asyncio
async def test_a_forgotten_code_is_not_spent() -> None:
    """A code the engine has no use for is gone before anything could spend it."""
    bench = Bench()

    def react(given: Any) -> list[Effect]:
        if isinstance(given, PaymentRequested):
            return [
                ForgetCode(request_id=given.request_id),
                call(CallKind.PAY, request_id=given.request_id),
            ]
        return pay_at_once(given)

    bench.react = react
    async with running(bench) as runner:
        await runner.pay(REQUEST, CODE)
        answered = await bench.saw(PlatformAnswered)
        assert answered.outcome == Unknown(evidence=Evidence.NOT_SENT)
        assert bench.calls == []


@pytest.mark.asyncio
@pytest.mark.parametrize("outcome", [NotThere(), RuntimeError("client")])
async def test_every_call_is_answered(outcome: PlatformOutcome | Exception) -> None:
    """A client that breaks is one unknown answer, never a lost call."""
    bench = Bench(outcome=outcome)
    async with running(bench) as runner:
        runner._carry_out(call(CallKind.QUERY))
        answered = await bench.saw(PlatformAnswered)
        expected = Unknown(evidence=Evidence.TIMEOUT)
        assert answered.outcome == (expected if isinstance(outcome, Exception) else outcome)


@pytest.mark.asyncio
async def test_a_platform_nobody_serves_was_not_sent() -> None:
    """The engine hears so at once."""
    bench = Bench()
    async with running(bench) as runner:
        runner._carry_out(call(CallKind.QUERY, platform="wechat"))
        answered = await bench.saw(PlatformAnswered)
        assert answered.outcome == Unknown(evidence=Evidence.NOT_SENT)


@pytest.mark.asyncio
async def test_commits_come_back_with_their_results() -> None:
    """Committed with the results, CommitFailed with the error's name, the API's own too."""
    bench = Bench()
    unit = ReadOrder(out_trade_no=NUMBER)
    async with running(bench) as runner:
        runner._carry_out(Commit(commit_id="b:1", units=(unit,)))
        assert (await bench.saw(Committed)).results == ("kept",)
        assert await runner.commit(unit) == ("kept",)
        bench.store_error = OSError("disk gone")
        runner._carry_out(Commit(commit_id="b:2", units=(unit,)))
        assert (await bench.saw(CommitFailed)).why == "OSError"
        with pytest.raises(OSError, match="disk gone"):
            await runner.commit(unit)


@pytest.mark.asyncio
async def test_a_wake_up_comes_once_and_the_later_one_counts() -> None:
    """The same name again replaces the earlier; a cancelled one never comes."""
    bench = Bench()
    async with running(bench) as runner:
        runner._carry_out(Wake(timer_id="t", after_ms=60_000))
        runner._carry_out(Wake(timer_id="gone", after_ms=1))
        runner._carry_out(CancelWake(timer_id="gone"))
        runner._carry_out(CancelWake(timer_id="never"))
        runner._carry_out(Wake(timer_id="t", after_ms=5))
        await bench.saw(Wakeup)
        assert [g.timer_id for g in bench.seen if isinstance(g, Wakeup)] == ["t"]


@pytest.mark.asyncio
async def test_a_caller_who_went_away_is_told_to_the_engine() -> None:
    """A cancelled request leaves no waiter behind."""
    bench = Bench()
    async with running(bench) as runner:
        waiting = asyncio.gather(runner.ask(asked))
        await bench.saw(EntryAsked)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert (await bench.saw(RequestDropped)).request_id == "r1"
        assert not runner._requests.waiting


@pytest.mark.asyncio
async def test_an_engine_that_breaks_is_replaced() -> None:
    """Its request gets 500's word, the others busy, codes are gone, the alarm is stored."""
    bench = Bench()
    async with running(bench) as runner:
        other = asyncio.gather(runner.ask(asked))
        await bench.saw(EntryAsked)

        def broken(given: Any) -> list[Effect]:
            if isinstance(given, PaymentRequested):
                raise AssertionError("a bug")
            return []

        bench.react = broken
        bench.seen.clear()
        assert isinstance(await runner.pay(REQUEST, CODE), subject.Crashed)
        (answer,) = await other
        assert isinstance(answer, Problem)
        assert answer.code is ProblemCode.BUSY
        await bench.saw(Started)
        assert len(set(bench.boots)) == 2
        assert len(runner._codes) == 0
        assert not runner.failed
    (noted,) = [unit for unit in bench.committed if isinstance(unit, NoteAlarm)]
    assert (noted.code, noted.raised) == (AlarmCode.CORE_FAULT, True)


@pytest.mark.asyncio
async def test_three_broken_engines_end_the_process() -> None:
    """Its supervisor starts it from the beginning."""
    bench = Bench()

    def broken(given: Any) -> list[Effect]:
        if isinstance(given, EntryAsked):
            raise KeyError("a bug")
        return []

    bench.react = broken
    async with running(bench) as runner:
        for _ in range(subject.MAX_FAULTS):
            assert isinstance(await runner.ask(asked), subject.Crashed)
        assert runner.failed
        assert runner.wait_stopped.is_set()
        assert isinstance(await runner.ask(asked), Problem)


@pytest.mark.asyncio
async def test_stopping_sends_waiters_away_and_hears_the_calls() -> None:
    """Who waits gets busy; what was sent to a platform is still heard and stored."""
    bench = Bench(hold=asyncio.Event())
    unit = ReadOrder(out_trade_no=NUMBER)

    def react(given: Any) -> list[Effect]:
        if isinstance(given, PlatformAnswered):
            return [Commit(commit_id="b:9", units=(unit,))]
        return []

    bench.react = react
    async with running(bench) as runner:
        waiting = asyncio.gather(runner.ask(asked))
        await bench.saw(EntryAsked)
        runner._carry_out(call(CallKind.QUERY))
        bench.changed.clear()
        await bench.changed.wait()
        runner.stop()
        (answer,) = await waiting
        assert isinstance(answer, Problem)
        assert bench.hold is not None
        bench.hold.set()
    assert unit in bench.committed


@pytest.mark.asyncio
async def test_alarms_are_counted_while_they_stand() -> None:
    """Raised and cleared in pairs."""
    bench = Bench()
    async with running(bench) as runner:
        for raised in (True, False):
            runner._carry_out(
                Alarm(code=AlarmCode.BAD_SIGNATURE, raised=raised, subject="alipay", what="x")
            )
            figures = runner._metrics.text().decode()
            line = 'toll_alarm_active{code="bad_signature",plaza="330101"}'
            assert f"{line} {float(raised)}" in figures
