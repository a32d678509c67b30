"""One I/O module as the barrier driver sees it: polled, fresh or stale."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from hw.barrier.point_map import InputWire, IoModule, read_span, readings
from hw.links.modbus import ModbusBus, Urgency
from hw.links.tables import Table
from tolling.errors import DeviceError, DeviceProtocolError
from tolling.inputs import InputSample

STALE_S = 0.5
"""A module that has not answered for longer says nothing: its points are unknown."""
POLL_IDLE_S = 0.1
POLL_MOVING_S = 0.02
PROBE_S = 0.5
"""How often a stale module is asked."""
PROBE_SHARED_S = 2.0
"""The same where others share its RTU bus: each silence costs them 450 ms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleEvents:
    """What the driver wants to know of a module."""

    on_samples: Callable[[tuple[InputSample, ...]], None]
    on_back: Callable[[], Awaitable[bool]]
    """The module answers for the first time or again; False where it cannot be used yet."""
    on_stale: Callable[[str], None]
    after_poll: Callable[[], Awaitable[None]]


class ModuleWatch:
    """Polls one module until cancelled."""

    def __init__(
        self,
        module: IoModule,
        wires: tuple[InputWire, ...],
        bus: ModbusBus,
        *,
        probe: tuple[Table, int],
        shared: bool,
        events: ModuleEvents,
    ) -> None:
        self.module = module
        self.wires = wires
        self._bus = bus
        self._probe = probe
        """Table and address read where the module has no inputs."""
        self._probe_s = PROBE_SHARED_S if shared else PROBE_S
        self._events = events
        self._hurry = asyncio.Event()
        self._stale_timer: asyncio.TimerHandle | None = None
        self.fresh: bool | None = None
        """None before the first answer and the first 0.5 s of silence."""

    def hurry(self) -> None:
        """Poll now and not at the end of the pause."""
        self._hurry.set()

    async def read(self, urgency: Urgency) -> tuple[InputSample, ...]:
        """Return one fresh sample of each input, all of one read. Raises: DeviceError."""
        if not self.wires:
            table, address = self._probe
            await self._bus.read(
                table,
                device_id=self.module.device_id,
                address=address,
                count=1,
                urgency=urgency,
            )
            return ()
        first, count = read_span(self.wires)
        found = await self._bus.read(
            self.wires[0].table,
            device_id=self.module.device_id,
            address=first,
            count=count,
            urgency=urgency,
        )
        by_point = readings(self.wires, first, found.values)
        return tuple(
            InputSample(point=point, reading=reading, read_at_ns=found.ended_ns)
            for point, reading in by_point.items()
        )

    async def run(self, *, pause_s: Callable[[], float]) -> None:
        """Poll until cancelled. *pause_s*: the wished time between two polls, asked before each
        pause."""
        self._start_timer()
        now = asyncio.get_running_loop().time
        try:
            while True:
                began = now()
                await self._poll()
                pause = pause_s() if self.fresh is not False else self._probe_s
                await self._pause(max(0.001, pause - (now() - began)))
        finally:
            if self._stale_timer is not None:
                self._stale_timer.cancel()

    async def _poll(self) -> None:
        try:
            samples = await self.read(Urgency.POLL)
        except DeviceProtocolError as error:
            # The module is there and says it cannot: waiting would not make its last reading truer.
            self._go_stale(error.what)
            return
        except DeviceError:
            return
        if self.fresh is not True and not await self._events.on_back():
            return
        self.fresh = True
        self._start_timer()
        self._events.on_samples(samples)
        await self._events.after_poll()

    def _start_timer(self) -> None:
        """Start the 0.5 s after which silence means stale."""
        if self._stale_timer is not None:
            self._stale_timer.cancel()
        loop = asyncio.get_running_loop()
        self._stale_timer = loop.call_later(STALE_S, self._go_stale, "no answer for 0.5 s")

    def _go_stale(self, why: str) -> None:
        if self.fresh is not False:
            self.fresh = False
            self._events.on_stale(why)

    async def _pause(self, seconds: float) -> None:
        self._hurry.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._hurry.wait()
        except TimeoutError:
            pass
