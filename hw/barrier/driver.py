"""The barrier and everything wired to its I/O modules, by a point map.

- Start: each module's state is read first; then only movement contacts that read closed are opened.
  Nothing else is sent until somebody asks for it. The same is done when a module comes back.
- Inputs: one read per module and poll, every 100 ms, at most 20 ms apart while the boom moves. A
  module that is silent for 0.5 s or answers with an error makes all its points UNKNOWN.
- Raise beats lower: it takes a queued lower back, cuts a lower's pulse short and overtakes all on
  the bus.
- Lower: all detectors under the boom are read afresh, each module once; ``may_lower`` is asked when
  they are in and again immediately before the pulse leaves, together with anything a poll has seen
  meanwhile.
- An echo is not motion. This driver reports limits and never concludes from a write that the boom
  moved.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from functools import partial

from hw.barrier.module import POLL_IDLE_S, POLL_MOVING_S, ModuleEvents, ModuleWatch
from hw.barrier.point_map import (
    Action,
    IoModule,
    OutputWire,
    PointMap,
    check_point_map,
)
from hw.barrier.pulse import PulseOutput
from hw.links.health import HealthTracker
from hw.links.modbus import ModbusBus, MonotonicNs, NotPermittedError, TableRead, Urgency
from hw.links.modbus_pdu import COIL_OFF, COIL_ON
from hw.links.tables import Table
from hw.links.urls import ModbusUrl
from hw.ports import OnHealth, OnInput
from tolling.devices import Device, Health
from tolling.errors import DeviceBusyError, DeviceError, DeviceUnavailableError
from tolling.inputs import (
    PULSE_OUTPUTS,
    InputSample,
    LowerRefusal,
    Output,
    Point,
    Reading,
    may_lower,
)

MOTION_S = 6.0
"""Slowest toll boom is 5 s (GB/T 24973 class S); quick polling ends then even if no limit is
reached."""
RAISE_TRIES = 3
"""A raise may be repeated without harm, and a lost answer must not keep a paid car."""
STOP_S = 0.5


class ContactBarrier:
    """A barrier wired as contacts. Implements BarrierPort."""

    def __init__(
        self,
        point_map: PointMap,
        buses: Mapping[ModbusUrl, ModbusBus],
        *,
        on_input: OnInput,
        on_health: OnHealth,
        clock: MonotonicNs,
    ) -> None:
        assert not check_point_map(point_map), "an unchecked point map"
        self._map = point_map
        self._modules = {module.name: module for module in point_map.modules}
        self._bus_of = {module.name: buses[module.url] for module in point_map.modules}
        self._on_input = on_input
        self._clock = clock
        self._latest: dict[Point, InputSample] = {}
        self._levels: dict[Output, bool] = {}
        self._unset: set[Output] = set()
        """Levels whose module has not acknowledged them: they are set again after a poll."""
        self._raise_count = 0
        self._motion: tuple[Point, float] | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self._alarm_timer: asyncio.TimerHandle | None = None
        self._raise = self._pulse(Output.RAISE)
        self._lower = self._pulse(Output.LOWER)
        self._watches = {module.name: self._watch(module) for module in point_map.modules}
        self._health = {
            role: HealthTracker(role, on_health)
            for role in (Device.BARRIER, Device.INPUTS, Device.LAMPS)
        }

    async def run(self) -> None:
        """Poll until cancelled; then open the contacts and put the lamps out."""
        for tracker in self._health.values():
            tracker.set(Health.CONNECTING, "not heard of yet")
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                for name, watch in self._watches.items():
                    tasks.create_task(watch.run(pause_s=self._pause_s), name=f"module {name}")
        finally:
            self._tasks = None
            if self._alarm_timer is not None:
                self._alarm_timer.cancel()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_S):
                    await self._put_levels_out()

    async def raise_boom(self) -> None:
        """Pulse raise; return when the module has taken it. Raises: DeviceError."""
        tasks = self._running()
        self._raise_count += 1
        if self._raise.active:
            return
        started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        tasks.create_task(
            self._raise.fire(started, urgency=Urgency.RAISE, tries=RAISE_TRIES), name="raise"
        )
        self._lower.cut_short()
        self._begin_motion(Point.BOOM_UP)
        await started

    async def lower_if_clear(self) -> LowerRefusal | None:
        """Lower if everything under the boom is free by fresh reads, else say why not.

        Raises: DeviceBusyError: a raise or lower is under way, or a raise came: nothing was pulsed.
                DeviceError: it is not known whether it was pulsed.
        """
        tasks = self._running()
        raise_count = self._raise_count
        if self._raise.active or self._lower.active:
            raise DeviceBusyError(where="barrier", what="a pulse is under way; nothing was pulsed")
        fresh = await self._read_under_boom()
        refusal = self._refusal(fresh)
        if refusal is not None:
            return refusal
        started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        verdicts: list[LowerRefusal | None] = []

        def permit() -> bool:
            verdicts.append(self._refusal(fresh))
            return (
                verdicts[-1] is None
                and raise_count == self._raise_count
                and not started.cancelled()
            )

        fire = self._lower.fire(started, urgency=Urgency.LOWER, permit=permit)
        tasks.create_task(fire, name="lower")
        try:
            await started
        except NotPermittedError:
            if verdicts[-1] is not None:
                return verdicts[-1]
            what = "a raise came; nothing was pulsed"
            raise DeviceBusyError(where="barrier", what=what) from None
        self._begin_motion(Point.BOOM_DOWN)
        return None

    async def set_output(self, output: Output, on: bool) -> None:
        """Set a level. It is set again until its module acknowledges it, and when that comes back.

        Raises: DeviceError: not acknowledged yet.
        """
        assert output not in PULSE_OUTPUTS, "movement is pulsed, never set"
        wire = self._map.output(output)
        if wire is None:
            raise DeviceUnavailableError(where=f"output {output}", what="is not wired in this lane")
        self._levels[output] = on
        await self._set_level(wire, on)
        if output is Output.ALARM:
            self._limit_alarm(wire, on)

    # ---- inputs ----

    def _watch(self, module: IoModule) -> ModuleWatch:
        outputs = [wire for wire in self._map.outputs if wire.module == module.name]
        same_line = [other for other in self._modules.values() if other.url == module.url]
        return ModuleWatch(
            module,
            self._map.module_inputs(module.name),
            self._bus_of[module.name],
            probe=(Table.COIL, outputs[0].address if outputs else 0),
            shared=len(same_line) > 1 and not module.url.wire.numbered,
            events=ModuleEvents(
                on_samples=self._report,
                on_back=partial(self._module_back, module),
                on_stale=partial(self._module_stale, module),
                after_poll=partial(self._catch_up, module),
            ),
        )

    def _report(self, samples: tuple[InputSample, ...]) -> None:
        """Remember samples, tell changes."""
        for sample in samples:
            known = self._latest.get(sample.point)
            self._latest[sample.point] = sample
            if self._motion is not None and sample.reading is Reading.ON:
                self._motion = None if sample.point is self._motion[0] else self._motion
            if known is None or known.reading is not sample.reading:
                self._on_input(sample)
        self._update_health()

    async def _module_back(self, module: IoModule) -> bool:
        """Open movement contacts that read closed, then set levels that were asked for.

        Return whether all could be read; else the module does not count as back yet.
        """
        for pulse in (self._raise, self._lower):
            if pulse.wire.module != module.name or pulse.active:
                continue
            closed = await self._reads_closed(module, pulse.wire)
            if closed is None:
                return False
            if closed:
                await pulse.release()
        for output, on in self._levels.items():
            wire = self._map.output(output)
            if wire is not None and wire.module == module.name:
                with contextlib.suppress(DeviceError):
                    await self._set_level(wire, on)
        return True

    async def _reads_closed(self, module: IoModule, wire: OutputWire) -> bool | None:
        """Return whether a contact reads closed, None where it cannot be read."""
        try:
            found = await self._bus_of[module.name].read(
                Table.COIL,
                device_id=module.device_id,
                address=wire.address,
                count=1,
                urgency=Urgency.RELEASE,
            )
        except DeviceError:
            return None
        return bool(found.values[0])

    def _module_stale(self, module: IoModule, why: str) -> None:
        now_ns = self._clock()
        self._report(
            tuple(
                InputSample(point=wire.point, reading=Reading.UNKNOWN, read_at_ns=now_ns)
                for wire in self._map.module_inputs(module.name)
            )
        )
        self._update_health(f"module {module.name}: {why}")

    async def _catch_up(self, module: IoModule) -> None:
        """Try again to open contacts and to set levels that were not acknowledged."""
        for pulse in (self._raise, self._lower):
            if pulse.unreleased and not pulse.active and pulse.wire.module == module.name:
                await pulse.release()
        for output in sorted(self._unset):
            wire = self._map.output(output)
            if wire is not None and wire.module == module.name:
                with contextlib.suppress(DeviceError):
                    await self._set_level(wire, self._levels[output])

    async def _read_under_boom(self) -> dict[Point, InputSample]:
        """Return a fresh sample of each detector under the boom; each module is read once."""
        fresh: dict[Point, InputSample] = {}

        async def read(watch: ModuleWatch) -> None:
            try:
                samples = await watch.read(Urgency.LOWER)
            except DeviceError:
                now_ns = self._clock()
                samples = tuple(
                    InputSample(point=wire.point, reading=Reading.UNKNOWN, read_at_ns=now_ns)
                    for wire in watch.wires
                )
            else:
                self._report(samples)
            fresh.update({sample.point: sample for sample in samples})

        async with asyncio.TaskGroup() as reads:
            for name, watch in self._watches.items():
                if any(wire.point in self._map.under_boom for wire in watch.wires):
                    reads.create_task(read(watch), name=f"fresh read {name}")
        return fresh

    def _refusal(self, fresh: Mapping[Point, InputSample]) -> LowerRefusal | None:
        """Judge the fresh reads, or what a poll has seen since."""
        newest = dict(fresh)
        for point, sample in self._latest.items():
            if point in newest and sample.read_at_ns > newest[point].read_at_ns:
                newest[point] = sample
        return may_lower(newest.values(), under_boom=self._map.under_boom, now_ns=self._clock())

    # ---- outputs ----

    def _pulse(self, output: Output) -> PulseOutput:
        wire = self._map.output(output)
        assert wire is not None, "the map was checked"
        return PulseOutput(wire, self._bus_of[wire.module], self._modules[wire.module].device_id)

    async def _post_level(self, wire: OutputWire, on: bool) -> TableRead:
        return await self._bus_of[wire.module].post_coil(
            device_id=self._modules[wire.module].device_id,
            address=wire.address,
            value=COIL_ON if on is not wire.inverted else COIL_OFF,
            urgency=Urgency.LEVEL,
        )

    async def _set_level(self, wire: OutputWire, on: bool) -> None:
        self._unset.add(wire.output)
        await self._post_level(wire, on)
        if self._levels.get(wire.output) is on:
            self._unset.discard(wire.output)

    def _limit_alarm(self, wire: OutputWire, on: bool) -> None:
        if self._alarm_timer is not None:
            self._alarm_timer.cancel()
            self._alarm_timer = None
        if on:
            loop = asyncio.get_running_loop()
            self._alarm_timer = loop.call_later(wire.on_ms / 1000, self._end_alarm, wire)

    def _end_alarm(self, wire: OutputWire) -> None:
        self._levels[wire.output] = False
        if self._tasks is not None:
            self._tasks.create_task(self._quietly(wire), name="alarm off")

    async def _quietly(self, wire: OutputWire) -> None:
        with contextlib.suppress(DeviceError):
            await self._set_level(wire, False)

    async def _put_levels_out(self) -> None:
        """Lamps of a lane that nobody drives show closed."""
        for output, on in self._levels.items():
            wire = self._map.output(output)
            if on and wire is not None and wire.action is Action.LEVEL:
                await self._quietly(wire)
        self._levels.clear()
        self._unset.clear()

    # ---- the rest ----

    def _running(self) -> asyncio.TaskGroup:
        if self._tasks is None:
            raise DeviceUnavailableError(where="barrier", what="the driver is not running")
        return self._tasks

    def _begin_motion(self, target: Point) -> None:
        known = self._latest.get(target)
        if known is not None and known.reading is Reading.ON:
            return
        self._motion = (target, asyncio.get_running_loop().time() + MOTION_S)
        for watch in self._watches.values():
            watch.hurry()

    def _pause_s(self) -> float:
        if self._motion is not None and asyncio.get_running_loop().time() > self._motion[1]:
            self._motion = None
        return POLL_IDLE_S if self._motion is None else POLL_MOVING_S

    def _update_health(self, why: str = "its module does not answer") -> None:
        outputs = self._map.outputs
        roles = {
            Device.BARRIER: {wire.module for wire in outputs if wire.output in PULSE_OUTPUTS},
            Device.INPUTS: {wire.module for wire in self._map.inputs},
            Device.LAMPS: {wire.module for wire in outputs if wire.output not in PULSE_OUTPUTS},
        }
        for role, names in roles.items():
            states = {self._watches[name].fresh for name in names}
            if states == {True}:
                self._health[role].set(Health.OK, "answers")
            elif states == {False}:
                self._health[role].set(Health.LOST, why)
            elif False in states:
                self._health[role].set(Health.DEGRADED, why)
