"""Carries out what the engine asks of devices, and tells it what devices say.

Every device has its own queue or task, so a dead display never delays the barrier. Pictures, lamps
and the trigger keep the newest order only; a raise is never queued behind anything. Every order has
a deadline here; a line's owner still runs what it began to its own end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Generic, Protocol, TypeVar, assert_never

import structlog

from hw.ports import BarrierPort, EtcReaderPort, FeeDisplayPort, ScannerPort, VoicePort
from lane_controller.core import commands as cmd
from lane_controller.core import events as ev
from lane_controller.engine import effects as fx
from lane_controller.engine.inputs import DeviceFact
from lane_controller.shell.clock import LaneClock, monotonic_ns
from lane_controller.shell.codes import CodeBook
from lane_controller.shell.logs import place_of
from tolling.coupons import CouponCode, classify_scan
from tolling.devices import Device, EtcOutcome, EtcTag, HealthReport, PlateReading
from tolling.errors import DeviceError
from tolling.ids import PassageId
from tolling.inputs import InputSample, Output
from tolling.paycodes import NotAPayCode
from tolling.pictures import DisplayPicture

_T = TypeVar("_T")
RAISE_DEADLINE_S = 2.0
"""Three tries of 0.3 s and what the bus may be busy with."""
LOWER_DEADLINE_S = 2.0
"""A fresh read of each module and one pulse; slower than this nobody trusts the read."""
LAMP_DEADLINE_S = 2.0
SHOW_DEADLINE_S = 1.0
"""A frame of 100 bytes at 9600 baud takes 0.1 s."""
ETC_DEADLINE_S = 3.0
"""A tag charge ends within this; the core asks afterwards."""
BOUNDED_TASKS_MAX = 32
"""Barrier and ETC orders under way; the engine asks for a few."""


class Ports(Protocol):
    """A lane's devices as the shell needs them; ``hw.registry.LaneDevices`` is one."""

    @property
    def barrier(self) -> BarrierPort:
        """The barrier and what is wired to its modules."""

    @property
    def scanner(self) -> ScannerPort | None:
        """None where the lane has none; so for the others."""

    @property
    def display(self) -> FeeDisplayPort | None:
        """The fee display."""

    @property
    def voice(self) -> VoicePort | None:
        """The voice."""

    @property
    def etc(self) -> EtcReaderPort | None:
        """The ETC antenna."""

    async def run(self) -> None:
        """Run all devices until cancelled."""


class DeviceEars:
    """What devices report, as facts. Synchronous; never blocks and never raises."""

    def __init__(
        self, give: Callable[[DeviceFact], None], *, codes: CodeBook, clock: LaneClock
    ) -> None:
        self._give = give
        self._codes = codes
        self._clock = clock
        self._log = structlog.get_logger("lane.devices")

    def on_health(self, report: HealthReport) -> None:
        """Take a device's health."""
        self._log.info("device", device=report.device, health=report.health, what=report.what)
        self._give(ev.DeviceChanged(device=report.device, health=report.health, what=report.what))

    def on_input(self, sample: InputSample) -> None:
        """Take a changed input."""
        self._give(ev.InputChanged(point=sample.point, reading=sample.reading))

    def on_scan(self, scanned: bytes) -> None:
        """Take a scan; its text stays here."""
        scanned_ns = monotonic_ns()
        code = classify_scan(scanned)
        if isinstance(code, NotAPayCode):
            self._give(ev.NotCodeScanned(reason=code))
        elif isinstance(code, CouponCode):
            at_ns = self._clock.at_ns()
            coupon = self._codes.keep_coupon(code, at_ns=at_ns, scanned_ns=scanned_ns)
            self._give(ev.CouponScanned(ref=coupon))
        else:
            ref = self._codes.keep(code, at_ns=self._clock.at_ns(), scanned_ns=scanned_ns)
            self._give(ev.CodeScanned(ref=ref))

    def on_plate(self, reading: PlateReading) -> None:
        """Take a plate."""
        self._give(ev.PlateRead(plate=reading.plate))

    def on_etc_tag(self, tag: EtcTag) -> None:
        """Take a tag."""
        self._give(ev.TagRead(tag=tag))

    def on_fault(self, name: str, error: Exception) -> None:
        """Log a driver's own fault; it is started again by whoever runs it."""
        self._log.error(
            "driver_failed", driver=name, error=type(error).__name__, at=place_of(error)
        )


class Newest(Generic[_T]):
    """A queue of one: a newer order takes the older one's place."""

    def __init__(self, dropped: Callable[[_T], None] = lambda _: None) -> None:
        self._waiting: list[_T] = []
        self._some = asyncio.Event()
        self._dropped = dropped

    def put(self, order: _T) -> None:
        """Order something; what still waits is dropped."""
        old, self._waiting = self._waiting, [order]
        self._some.set()
        for each in old:
            self._dropped(each)

    async def get(self) -> _T:
        """Return the newest order; waits for one."""
        await self._some.wait()
        self._some.clear()
        return self._waiting.pop()


@dataclass(slots=True)
class _Telling:
    """One picture on its way to display and voice."""

    picture: DisplayPicture
    passage_id: PassageId | None
    """Whose toll it is; None where nobody waits for the answer."""
    left: int
    taken: bool = False


class DeviceDesk:
    """Carries out device commands on ports."""

    def __init__(self, ports: Ports, give: Callable[[DeviceFact], None]) -> None:
        self._ports = ports
        self._give = give
        self._log = structlog.get_logger("lane.devices")
        self._tasks: asyncio.TaskGroup | None = None
        self._under_way = 0
        self.ready = asyncio.Event()
        self._lamps: dict[Output, Newest[bool]] = {
            output: Newest() for output in (Output.LANE_GREEN, Output.CANOPY_GREEN, Output.ALARM)
        }
        self._unwired: set[Output] = set()
        self._trigger: Newest[bool] = Newest()
        self._tellers: dict[Device, Newest[_Telling]] = {
            device: Newest(partial(self._told, device, taken=False))
            for device, port in ((Device.DISPLAY, ports.display), (Device.VOICE, ports.voice))
            if port is not None
        }

    async def run(self) -> None:
        """Run devices and their queues until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            tasks.create_task(self._ports.run(), name="devices")
            for output, lamp in self._lamps.items():
                tasks.create_task(self._keep_lamp(output, lamp), name=f"lamp {output}")
            if self._ports.display is not None:
                tell = self._keep_telling(Device.DISPLAY, self._ports.display.show)
                tasks.create_task(tell, name="display orders")
            if self._ports.voice is not None:
                tell = self._keep_telling(Device.VOICE, self._ports.voice.speak)
                tasks.create_task(tell, name="voice orders")
            if self._ports.scanner is not None:
                tasks.create_task(self._keep_trigger(self._ports.scanner), name="scanner orders")
            self.ready.set()

    def carry_out(self, command: fx.DeviceCommand) -> None:
        """Carry out one command; what it brings comes back as facts."""
        match command:
            case cmd.RaiseBoom():
                self._begin(self._raise(), "raise")
            case cmd.LowerIfClear():
                self._begin(self._lower(), "lower")
            case cmd.SetOutput():
                self._lamps[command.output].put(command.on)
            case cmd.ShowToll():
                self._tell(command.picture, command.passage_id)
            case cmd.ShowPicture():
                self._tell(command.picture, None)
            case cmd.SetScanner():
                self._trigger.put(command.on)
            case cmd.ChargeTag():
                self._begin(self._charge(command), "etc charge")
            case cmd.AskTag():
                self._begin(self._ask(command.passage_id), "etc query")
            case _:
                assert_never(command)

    def _begin(self, work: Awaitable[None], name: str) -> None:
        assert self._tasks is not None, "devices are not running"
        assert self._under_way < BOUNDED_TASKS_MAX, "too many device orders"
        self._under_way += 1
        self._tasks.create_task(self._counted(work), name=name)

    async def _counted(self, work: Awaitable[None]) -> None:
        try:
            await work
        finally:
            self._under_way -= 1

    async def _try(
        self, what: str, work: Awaitable[_T], deadline_s: float
    ) -> tuple[bool, _T | None]:
        """Return (whether it went well, its answer). Any failure is logged and is an answer."""
        try:
            async with asyncio.timeout(deadline_s):
                return True, await work
        except (DeviceError, TimeoutError) as error:
            self._log.warning("device_order_failed", order=what, error=type(error).__name__)
        except Exception as error:  # noqa: BLE001 - a driver's fault ends nothing else
            self._log.error(
                "device_order_broke", order=what, error=type(error).__name__, at=place_of(error)
            )
        return False, None

    # ---- barrier and lamps ----

    async def _raise(self) -> None:
        done, _ = await self._try("raise", self._ports.barrier.raise_boom(), RAISE_DEADLINE_S)
        if not done:
            self._give(ev.BarrierFailed(raising=True))

    async def _lower(self) -> None:
        lower = self._ports.barrier.lower_if_clear()
        done, refusal = await self._try("lower", lower, LOWER_DEADLINE_S)
        if done:
            self._give(ev.LowerAnswered(refusal=refusal))
        else:
            self._give(ev.BarrierFailed(raising=False))

    async def _keep_lamp(self, output: Output, lamp: Newest[bool]) -> None:
        while True:
            on = await lamp.get()
            # A level is kept by the driver and set again when its module comes back.
            await self._try(f"lamp {output}", self._set_lamp(output, on), LAMP_DEADLINE_S)

    async def _set_lamp(self, output: Output, on: bool) -> None:
        if output in self._unwired:
            return
        await self._ports.barrier.set_output(output, on)

    def without(self, *outputs: Output) -> None:
        """Take these outputs as not wired: nothing is asked of them."""
        self._unwired.update(outputs)

    # ---- display, voice, scanner ----

    def _tell(self, picture: DisplayPicture, passage_id: PassageId | None) -> None:
        telling = _Telling(picture=picture, passage_id=passage_id, left=len(self._tellers))
        if not self._tellers and passage_id is not None:
            self._give(ev.TollNotShown(passage_id=passage_id))
        for teller in self._tellers.values():
            teller.put(telling)

    async def _keep_telling(
        self, device: Device, tell: Callable[[DisplayPicture], Awaitable[None]]
    ) -> None:
        teller = self._tellers[device]
        while True:
            telling = await teller.get()
            done, _ = await self._try(f"{device} picture", tell(telling.picture), SHOW_DEADLINE_S)
            self._told(device, telling, taken=done)

    def _told(self, device: Device, telling: _Telling, *, taken: bool) -> None:
        telling.left -= 1
        telling.taken = telling.taken or taken
        if telling.passage_id is None:
            return
        if taken:
            self._give(ev.TollShown(passage_id=telling.passage_id, device=device))
        elif telling.left == 0 and not telling.taken:
            self._give(ev.TollNotShown(passage_id=telling.passage_id))

    async def _keep_trigger(self, scanner: ScannerPort) -> None:
        while True:
            on = await self._trigger.get()
            await self._try("scanner trigger", scanner.set_trigger(on), SHOW_DEADLINE_S)

    # ---- ETC ----

    async def _charge(self, command: cmd.ChargeTag) -> None:
        etc = self._ports.etc
        if etc is None:
            self._give(ev.EtcAnswered(passage_id=command.passage_id, outcome=None))
            return
        charge = etc.charge(
            reference=command.passage_id, tag_id=command.tag_id, amount_fen=command.amount_fen
        )
        await self._answer_etc(command.passage_id, "etc charge", charge)

    async def _ask(self, passage_id: PassageId) -> None:
        etc = self._ports.etc
        if etc is None:
            self._give(ev.EtcAnswered(passage_id=passage_id, outcome=None))
            return
        await self._answer_etc(passage_id, "etc query", etc.query(passage_id))

    async def _answer_etc(
        self, passage_id: PassageId, what: str, work: Awaitable[EtcOutcome | None]
    ) -> None:
        done, outcome = await self._try(what, work, ETC_DEADLINE_S)
        self._give(ev.EtcAnswered(passage_id=passage_id, outcome=outcome, failed=not done))
