"""Carries out what the engine decides: one queue in, effects out, in their order.

The runner decides nothing and repeats nothing. A fault of the core is the engine's affair (the
event goes aside, the lane is attended-only); a fault of the engine itself ends the process with an
error, for a half-changed engine must promise nothing: systemd starts it again from the journal, and
no command goes to the barrier on the way.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import OrderedDict
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Protocol, assert_never

import structlog

from lane_controller.core import commands as cmd
from lane_controller.core import journalled as row
from lane_controller.core.states import LaneState
from lane_controller.engine import effects as fx
from lane_controller.engine import inputs as inp
from lane_controller.engine.engine import LaneEngine
from lane_controller.shell.clock import LaneClock, monotonic_ns
from lane_controller.shell.codes import CodeBook
from lane_controller.shell.committer import Committer
from lane_controller.shell.devices import DeviceDesk
from lane_controller.shell.inbox import Inbox
from lane_controller.shell.logs import place_of
from lane_controller.shell.metrics import SCAN_TO_RAISE, Metrics
from lane_controller.shell.mqtt_link import MqttLink
from lane_controller.shell.plaza_link import PlazaLink
from lane_controller.shell.timers import Timers
from tolling.clock import NS_PER_S
from tolling.errors import LaneError
from tolling.messages import AlarmNotice, CommandResult, LaneNotice, LaneSnapshot, OperatorCommand

BEAT_S = 1.0
"""How often the lane's mark, gauges and ballast are looked after."""
STOP_S = 5.0
"""A stopping lane waits this long for the commit under way."""
RESTART_S = 1.0
"""Pause before a service that failed is started again."""
LAST_RESORT_S = 10.0
"""After a fault every task is cancelled; a library that loses its cancellation holds the process
up no longer than this. A killed lane starts again from its journal, a hanging one serves nobody."""
EXIT_FAULT = 70
"""What systemd sees of a fault of the program (sysexits: internal software error)."""
ORDERS_MAX = 256
"""Commands of people whose answer is remembered to be due."""


class EngineFaultError(LaneError):
    """The engine broke; the process must be started again from its journal."""


class Service(Protocol):
    """Something with a run of its own that the lane can do without for a second."""

    async def run(self) -> None:
        """Serve until cancelled."""


class _StopError(Exception):
    """Ends the task group; never seen outside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """What the runner carries effects out with."""

    desk: DeviceDesk
    plaza: PlazaLink
    broker: MqttLink | None
    """None: the lane file names no broker."""
    services: tuple[tuple[str, Service], ...] = ()
    """(name, service): operator port, metrics, staff; started again when one fails."""


class LaneRunner:
    """One lane's runner. Make it, give ``give`` to the devices, then ``run``."""

    def __init__(
        self,
        engine: LaneEngine,
        *,
        start: inp.Start,
        clock: LaneClock,
        codes: CodeBook,
        committer: Committer,
        metrics: Metrics,
    ) -> None:
        self._engine = engine
        self._start = start
        self._clock = clock
        self._codes = codes
        self._committer = committer
        self._metrics = metrics
        self._log = structlog.get_logger("lane.runner")
        self._inbox = Inbox()
        self._timers = Timers(lambda timer_id: self.give(inp.TimerDue(timer_id=timer_id)))
        self._hands: Hands | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self._last_resort: asyncio.TimerHandle | None = None
        self._stop = asyncio.Event()
        self._commits: set[asyncio.Task[None]] = set()
        self._last_commit = 0
        self._waiting: dict[str, list[asyncio.Future[CommandResult]]] = {}
        self._from_broker: OrderedDict[str, None] = OrderedDict()
        self.serving = asyncio.Event()
        """Set once the engine has taken its Start."""

    # ---- what others call ----

    def give(self, given: inp.Input) -> None:
        """Queue one input. Never blocks."""
        self._inbox.put(given)

    def stop(self) -> None:
        """End ``run`` cleanly: no command to the barrier, the commit under way ends."""
        self._stop.set()

    def view(self) -> LaneSnapshot:
        """Return the lane's state as a page or an attendant sees it."""
        return self._engine.view()

    @property
    def state(self) -> LaneState:
        """Return the core's state."""
        return self._engine.state

    def health(self) -> dict[str, Any]:
        """Return what the health page says."""
        state = self._engine.state
        return {
            "ok": self.serving.is_set() and not self._stop.is_set(),
            "mode": state.mode.value,
            "boot_id": state.boot_id,
            "plaza_up": state.plaza_up,
            "broker_up": state.broker_up,
            "degraded": [mode.name.value for mode in state.degraded],
            "unsent_records": self._engine.unsent_records,
        }

    async def order(self, command: OperatorCommand) -> CommandResult:
        """Hand a command of a person at the lane to the engine; return its result."""
        result: asyncio.Future[CommandResult] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(command.command_id, [])
        waiting.append(result)
        try:
            self.give(inp.PersonOrdered(command=command))
            return await result
        finally:
            waiting.remove(result)
            if not waiting:
                self._waiting.pop(command.command_id, None)

    def order_from_broker(self, command: OperatorCommand) -> None:
        """Hand a command that came over the broker to the engine; its result goes there."""
        self._from_broker[command.command_id] = None
        self._from_broker.move_to_end(command.command_id)
        while len(self._from_broker) > ORDERS_MAX:
            self._from_broker.popitem(last=False)
        self.give(inp.PersonOrdered(command=command))

    # ---- life ----

    async def run(self, hands: Hands) -> None:
        """Run the lane until ``stop``.

        Raises: ExceptionGroup: of EngineFaultError, or of a fault in devices or plaza link.
        """
        self._hands = hands
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                tasks.create_task(hands.desk.run(), name="devices")
                tasks.create_task(hands.plaza.run(), name="plaza")
                if hands.broker is not None:
                    tasks.create_task(self._keep("broker", hands.broker), name="broker")
                for name, service in hands.services:
                    tasks.create_task(self._keep(name, service), name=name)
                await hands.desk.ready.wait()
                await hands.plaza.ready.wait()
                self._take(self._start)
                self.serving.set()
                feeding = self._begin(self._feed(), "engine")
                self._begin(self._beat(), "beat")
                await self._stop.wait()
                feeding.cancel()
                await self._finish()
                raise _StopError
        except* _StopError:
            self._log.info("stopped")
        finally:
            self._clock.write_mark()
            self._timers.close()
            self._tasks = None
            if self._last_resort is not None:
                self._last_resort.cancel()

    async def _finish(self) -> None:
        """Let the commit under way end, so that what it holds is told durable by the next start."""
        if self._commits:
            await asyncio.wait(self._commits, timeout=STOP_S)

    async def _keep(self, name: str, service: Service) -> None:
        while True:
            try:
                await service.run()
            except Exception as error:  # noqa: BLE001 - the supervisor: money and barrier go on
                self._log.error(
                    "service_failed", service=name, error=type(error).__name__, at=place_of(error)
                )
            await asyncio.sleep(RESTART_S)

    async def _feed(self) -> None:
        while True:
            self._take(await self._inbox.get())
            # Tasks begun for this input run before the next one is looked at.
            await asyncio.sleep(0)

    async def _beat(self) -> None:
        dropped = 0
        while True:
            self._clock.write_mark()
            self._codes.drop_old(at_ns=self._clock.at_ns())
            self._metrics.show(self._engine.state, unsent=self._engine.unsent_records)
            self._metrics.note_dropped(self._inbox.dropped - dropped)
            dropped = self._inbox.dropped
            if await self._committer.keep_ballast():
                self._take(inp.StoreHasRoom())
            await asyncio.sleep(BEAT_S)

    # ---- engine in, effects out ----

    def _take(self, given: inp.Input) -> None:
        """Give the engine one input and carry out what it answers. The supervisor of the engine."""
        stamped = inp.Stamped(at_ns=self._clock.at_ns(), wall=self._clock.wall(), what=given)
        try:
            effects = self._engine.on(stamped)
        except Exception as error:
            what = f"{type(error).__name__} at {place_of(error)}, given {type(given).__name__}"
            self._log.critical("engine_broke", what=what)
            raise EngineFaultError(where="lane engine", what=what) from error
        for effect in effects:
            self._carry_out(effect)

    def _carry_out(self, effect: fx.Effect) -> None:
        assert self._hands is not None
        match effect:
            case fx.Commit():
                self._begin_commit(effect)
            case fx.DeviceCall():
                self._hands.desk.carry_out(effect.command)
                if isinstance(effect.command, cmd.RaiseBoom):
                    self._note_raise(effect.command)
            case fx.PlazaCall():
                self._hands.plaza.begin(effect)
            case fx.DropCode():
                self._codes.drop(effect.keyed_hash)
            case fx.Wake():
                self._timers.wake(effect.timer_id, effect.after_ms)
            case fx.CancelWake():
                self._timers.cancel(effect.timer_id)
            case fx.Answer():
                self._answer(effect.result)
            case fx.PublishState():
                if self._hands.broker is not None:
                    self._hands.broker.publish_state(effect.snapshot)
            case fx.PublishNotice():
                self._publish_notice(effect)
            case _:
                assert_never(effect)

    def _publish_notice(self, effect: fx.PublishNotice) -> None:
        assert self._hands is not None
        if self._hands.broker is not None:
            self._hands.broker.publish_notice(effect.number, effect.notice)
        else:
            self.give(inp.NoticeFailed(number=effect.number))

    def _answer(self, result: CommandResult) -> None:
        assert self._hands is not None
        self._log.info(
            "command", command_id=result.command_id, outcome=result.outcome, why=result.reason
        )
        for waiting in self._waiting.get(result.command_id, []):
            if not waiting.done():
                waiting.set_result(result)
                self._metrics.note_command(origin="local", outcome=result.outcome.value)
        if result.command_id in self._from_broker and self._hands.broker is not None:
            self._metrics.note_command(origin="broker", outcome=result.outcome.value)
            self._hands.broker.publish_result(result)

    # ---- commits ----

    def _begin_commit(self, commit: fx.Commit) -> None:
        if commit.commit_id != self._last_commit:
            # Counted and logged once, however often it is sent again.
            self._last_commit = commit.commit_id
            for unit in commit.units:
                self._note_unit(unit)
        task = self._begin(self._commit(commit), f"commit {commit.commit_id}")
        self._commits.add(task)
        task.add_done_callback(self._commits.discard)

    def _begin(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        assert self._tasks is not None, "the runner is not running"
        return self._tasks.create_task(self._guarded(work, name), name=name)

    async def _guarded(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run *work*; a fault in it ends the process even where some task loses its
        cancellation."""
        try:
            await work
        except Exception as error:
            self._log.critical(
                "task_broke", task=name, error=type(error).__name__, at=place_of(error)
            )
            if self._last_resort is None:
                loop = asyncio.get_running_loop()
                self._last_resort = loop.call_later(LAST_RESORT_S, os._exit, EXIT_FAULT)
            raise

    async def _commit(self, commit: fx.Commit) -> None:
        self.give(await self._committer.commit(commit))

    # ---- figures and logs ----

    def _note_unit(self, unit: row.Unit) -> None:
        if isinstance(unit, row.KeepNotice):
            self._note_notice(unit.notice)
        elif isinstance(unit, row.AppendRecord):
            record = json.loads(unit.record.body)
            legs = record["legs"]
            tender = legs[-1]["tender"] if legs else "none"
            # A kind is a number of the national code: few and closed.
            self._metrics.note_passage(kind=str(record["vehicle_kind"]), tender=tender)

    def _note_notice(self, notice: LaneNotice | AlarmNotice) -> None:
        if isinstance(notice, AlarmNotice):
            if notice.raised:
                self._metrics.note_alarm(notice.code.value)
            self._log.warning(
                "alarm",
                code=notice.code.value,
                raised=notice.raised,
                subject=notice.subject,
                what=notice.what,
            )
            return
        self._log.info("note", name=notice.name, passage_id=notice.passage_id, facts=notice.facts)

    def _note_raise(self, command: cmd.RaiseBoom) -> None:
        arriving = self._engine.state.arriving
        self._log.info("raise", reason=command.reason, passage_id=command.passage_id)
        if command.reason is not cmd.RaiseReason.TENDER or arriving is None:
            return
        paid = {leg.out_trade_no for leg in arriving.legs}
        for order in arriving.orders:
            scanned_ns = self._codes.scanned_ns(order.keyed_hash)
            if order.out_trade_no in paid and scanned_ns is not None:
                seconds = (monotonic_ns() - scanned_ns) / NS_PER_S
                self._metrics.note_stage(SCAN_TO_RAISE, seconds)
                return
