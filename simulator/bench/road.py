"""The measuring process's own road: lanes of devices on real wires, and the two instants it takes.

The scan is the moment the last byte of a code has been written to the scanner's pty; the raise is
the moment the write of the raise coil has been received. Both are taken here, by one clock, and the
same way for the floor and for the real lanes.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from simulator.plant import Contact, LaneGeometry, LogEntry, Plant, PlantEdge, Span, VehicleId, What
from simulator.platforms.clock import RealClock
from simulator.site.config import LaneConfig
from simulator.site.lane_site import LaneSite
from simulator.site.road import Road
from tolling.ids import LaneId
from tolling.inputs import Output

CAR_S = 30.0
"""A car that is not through by then means that something is broken."""
RAISE_S = 10.0
GEOMETRY = LaneGeometry(
    loop_1=Span(start_mm=10_000, end_mm=12_000),
    stop_mm=12_700,
    loop_2=Span(start_mm=14_000, end_mm=17_000),
    boom_mm=15_000,
    end_mm=22_000,
    raise_us=300_000,
    lower_us=300_000,
)
"""A short lane with a quick boom: a car is through in a few seconds. The loops lie as far apart as
in the usual one."""


class StuckError(Exception):
    """A measured lane did not do what it must; one line for people."""


class BenchRoad:
    """Lanes on wires in this process. Make it inside a running event loop."""

    def __init__(self, lanes: Iterable[str], run_dir: Path) -> None:
        """Prepare lanes of these numbers, three digits each."""
        self.clock = RealClock()
        names = [LaneId(lane) for lane in lanes]
        self.plant = Plant(dict.fromkeys(names, GEOMETRY))
        self.road = Road(self.plant, self.clock)
        base_ns = self.clock.wall_base_ns()
        self.sites: Mapping[LaneId, LaneSite] = {
            lane: LaneSite(
                LaneConfig(lane_id=lane, etc=False),
                self.road,
                run_dir,
                dice=random.Random(f"bench/{lane}"),
                wall_base_ns=base_ns,
                boot=f"{base_ns:x}",
            )
            for lane in names
        }
        self._scans: dict[LaneId, asyncio.Future[int]] = {}
        self._raises: dict[LaneId, asyncio.Future[int]] = {}
        self._turned = asyncio.Event()
        self._on_road: set[VehicleId] = set()
        for lane, site in self.sites.items():
            site.scanner.on_delivered = self._listener(lane)
        self.road.listen(self._turn)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep all lines open while the block runs. Raises: OSError: a port is taken."""
        async with AsyncExitStack() as lines:
            for site in self.sites.values():
                await lines.enter_async_context(site.running())
            cameras = await lines.enter_async_context(asyncio.TaskGroup())
            tasks = [
                cameras.create_task(site.camera.run(), name=f"camera {lane}")
                for lane, site in self.sites.items()
            ]
            self.road.start()
            try:
                yield
            finally:
                self.road.stop()
                for task in tasks:
                    task.cancel()

    async def scan(self, lane: str, code: str) -> int:
        """Hold *code* before a lane's scanner; return the microseconds from its last byte on the
        line to the raise.

        Raises: StuckError: no raise came.
        """
        number = LaneId(lane)
        loop = asyncio.get_running_loop()
        scanned: asyncio.Future[int] = loop.create_future()
        raised: asyncio.Future[int] = loop.create_future()
        self._scans[number], self._raises[number] = scanned, raised
        self.sites[number].scanner.present(code.encode("ascii"))
        try:
            async with asyncio.timeout(RAISE_S):
                raise_us = await raised
                return int(raise_us - await scanned)
        except TimeoutError:
            shown = " / ".join(line.strip() for line in self.plant.view(number).display)
            raise StuckError(
                f"lane {lane}: no raise within {RAISE_S:.0f} s of a scan; display: {shown}"
            ) from None
        finally:
            del self._scans[number], self._raises[number]

    async def until(self, what: str, holds: Callable[[], bool]) -> None:
        """Wait until something holds on the road. Raises: StuckError: it does not come true."""
        try:
            async with asyncio.timeout(CAR_S):
                while not holds():
                    self._turned.clear()
                    await self._turned.wait()
        except TimeoutError:
            raise StuckError(f"{what}: not within {CAR_S:.0f} s") from None

    def on_road(self, vehicle: VehicleId) -> bool:
        """Return whether a vehicle is in its lane."""
        return vehicle in self._on_road

    def _listener(self, lane: LaneId) -> Callable[[bool], None]:
        def delivered(whole: bool) -> None:
            scanned = self._scans.get(lane)
            if scanned is not None and whole and not scanned.done():
                scanned.set_result(self.clock.now_ns() // 1_000)

        return delivered

    def _turn(self, edges: tuple[PlantEdge, ...], entries: tuple[LogEntry, ...]) -> None:
        for edge in edges:
            if edge.what is What.ON_ROAD and edge.vehicle_id is not None:
                (self._on_road.add if edge.on else self._on_road.discard)(edge.vehicle_id)
            elif edge.what is What.LOOP_1 and edge.on and edge.vehicle_id is not None:
                view = self.plant.vehicle(edge.vehicle_id)
                if view is not None:
                    self.sites[edge.lane].camera.sees(view.vehicle.plate)
        for entry in entries:
            if isinstance(entry, Contact) and entry.output is Output.RAISE and entry.closed:
                raised = self._raises.get(entry.lane)
                if raised is not None and not raised.done():
                    raised.set_result(entry.at_us)
        self._turned.set()
