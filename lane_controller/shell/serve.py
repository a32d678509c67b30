"""One lane put together and run: journal, engine, devices, plaza, broker and operator port."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from lane_controller.core.states import LaneConfig
from lane_controller.engine import inputs as inp
from lane_controller.engine.engine import LaneEngine
from lane_controller.engine.recovery import recover
from lane_controller.shell.clock import LaneClock, new_boot_id
from lane_controller.shell.codes import CodeBook, read_key
from lane_controller.shell.committer import Committer
from lane_controller.shell.devices import DeviceDesk, DeviceEars, Ports
from lane_controller.shell.metrics import COMMIT, Metrics, MetricsPort
from lane_controller.shell.mqtt_link import BrokerAccess, LaneTopics, MqttLink
from lane_controller.shell.operator_port import OperatorPort
from lane_controller.shell.plaza_link import PlazaAccess, PlazaLink
from lane_controller.shell.runner import Hands, LaneRunner
from lane_controller.shell.staff import FETCH_DEADLINE_S, Operator, StaffBook
from lane_controller.store import LaneStore, beside, store_warnings
from tolling.ids import BootId
from tolling.inputs import Output

PORTS_S = 3.0
"""How long the first line waits for the operator and metrics ports."""
MakePorts = Callable[[DeviceEars], Ports]


@dataclass(frozen=True, slots=True, kw_only=True)
class LanePlan:
    """What one lane is made of."""

    core: LaneConfig
    journal: Path
    plaza: PlazaAccess
    broker: BrokerAccess | None
    socket: Path
    people: tuple[Operator, ...]
    """Known even where the plaza was never reached."""
    metrics_host: str
    metrics_port: int
    """0 takes a free one."""
    make_ports: MakePorts
    outputs: frozenset[Output]
    """Those that are wired."""
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """Where a lane serves, once it does."""

    metrics: str
    operator_socket: str


async def serve(
    plan: LanePlan,
    store: LaneStore,
    *,
    on_serving: Callable[[Serving, LaneRunner], None],
    signals: bool = True,
) -> None:
    """Run one lane until SIGTERM, SIGINT or ``LaneRunner.stop``.

    Args:   store: the lane's journal; closed by the caller.
            signals: take SIGTERM and SIGINT as the wish to stop.
    Raises: JournalError: the journal is another core version's, or its key cannot be had.
            BadInputError: the journal holds what cannot be read.
            ExceptionGroup: a fault of the program; start it again.
    """
    log = structlog.get_logger("lane")
    for warning in store_warnings():
        log.warning("store", what=warning)
    clock = LaneClock(beside(plan.journal, "mark"), last_at_ns=store.last_at_ns())
    codes = CodeBook(read_key(beside(plan.journal, "key")))
    recovered = recover(plan.core, store.image())
    if recovered.difference is not None:
        found = recovered.difference
        log.error("replay_differs", segment=found.segment, number=found.number, fact=found.fact)
    boot_id = new_boot_id()
    metrics = Metrics(plan.core.plaza_id, plan.core.lane_id, version=plan.version)
    committer = Committer(store, on_seconds=lambda seconds: metrics.note_stage(COMMIT, seconds))
    runner = LaneRunner(
        LaneEngine(recovered),
        start=inp.Start(boot_id=boot_id, downtime_ms=clock.downtime_ms),
        clock=clock,
        codes=codes,
        committer=committer,
        metrics=metrics,
    )
    ears = DeviceEars(runner.give, codes=codes, clock=clock)
    desk = DeviceDesk(plan.make_ports(ears), runner.give)
    desk.without(*(output for output in Output if output not in plan.outputs))
    plaza = PlazaLink(
        plan.plaza, runner.give, codes=codes, clock=clock, records_after=committer.records_after
    )
    staff = StaffBook(
        beside(plan.journal, "staff"),
        clock=clock,
        bootstrap=plan.people,
        fetch=lambda: plaza.fetch("/v1/operators", deadline_s=FETCH_DEADLINE_S),
    )
    port = OperatorPort(plan.socket, staff, order=runner.order, view=runner.view)
    pages = MetricsPort(metrics, plan.metrics_host, plan.metrics_port, health=runner.health)
    hands = Hands(
        desk=desk,
        plaza=plaza,
        broker=_broker(plan, runner, boot_id),
        services=(("operator port", port), ("metrics", pages), ("staff", staff)),
    )
    if signals:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, runner.stop)
    try:
        async with asyncio.TaskGroup() as tasks:
            telling = tasks.create_task(
                _tell(runner, port, pages, on_serving, plan.socket), name="serving"
            )
            try:
                await runner.run(hands)
            finally:
                telling.cancel()
    finally:
        committer.close()


async def _tell(
    runner: LaneRunner,
    port: OperatorPort,
    pages: MetricsPort,
    on_serving: Callable[[Serving, LaneRunner], None],
    socket: Path,
) -> None:
    await runner.serving.wait()
    # A port that is taken keeps no car waiting: it is tried again, and the line says where not.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PORTS_S):
            await port.ready.wait()
            await pages.ready.wait()
    on_serving(Serving(metrics=pages.url, operator_socket=str(socket)), runner)


def _broker(plan: LanePlan, runner: LaneRunner, boot_id: BootId) -> MqttLink | None:
    if plan.broker is None:
        return None
    return MqttLink(
        plan.broker,
        LaneTopics(plaza_id=plan.core.plaza_id, lane_id=plan.core.lane_id),
        boot_id=boot_id,
        give=runner.give,
        command=runner.order_from_broker,
    )
