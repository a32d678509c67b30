"""Starts the bare programs, and scans for them."""

from __future__ import annotations

import asyncio
import itertools
import random
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from simulator.bench.children import Children, plain
from simulator.bench.road import BenchRoad
from simulator.emulators.modbus_units import USUAL_OUTPUTS
from simulator.platforms.keys import make_or_load_keys
from simulator.site.lane_site import LaneSite
from tolling.ids import LaneId
from tolling.inputs import Output

APART_S = (0.15, 0.35)
"""Between two scans; longer than a pulse, so that the coil is off again."""


class FloorSide:
    """One bare plaza, its platform and its lanes."""

    def __init__(self, road: BenchRoad, lanes: tuple[str, ...], root: Path) -> None:
        self._road = road
        self._lanes = lanes
        self._root = root
        self._dice = random.Random("bench/floor")
        self._codes = itertools.count(10**15)
        self.children = Children(root)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the programs while the block runs. Raises: ChildFailedError."""
        self._root.mkdir(parents=True, mode=0o700)
        try:
            await self._start()
            yield
        finally:
            await self.children.stop()

    async def block(self, cars: int) -> list[int]:
        """Scan *cars* times, over all lanes in turn; return each one's microseconds to the raise.

        Raises: StuckError.
        """
        found = []
        for _, lane in zip(range(cars), itertools.cycle(self._lanes), strict=False):
            found.append(await self._road.scan(lane, f"28{next(self._codes)}"))
            await asyncio.sleep(self._dice.uniform(*APART_S))
        return found

    async def _start(self) -> None:
        files, _ = make_or_load_keys(self._root / "keys")
        keys = {"private": str(files.alipay_private), "public": str(files.app_public)}
        platform = await self._program("platform", **keys)
        plaza = await self._program(
            "plaza",
            private=str(files.app_private),
            public=str(files.alipay_public),
            platform_url=platform["url"],
            store=str(self._root / "plaza.db"),
        )
        for lane in self._lanes:
            await self._start_lane(self._road.sites[LaneId(lane)], str(plaza["url"]))

    async def _start_lane(self, site: LaneSite, plaza_url: str) -> None:
        host, _, port = site.modbus_url.rpartition("/")[2].partition(":")
        await self._program(
            "lane",
            lane=str(site.lane),
            plaza_url=plaza_url,
            scanner=str(site.scanner.line.link.absolute()),
            modbus_host=host,
            modbus_port=int(port),
            device_id=site.config.device_id,
            raise_address=USUAL_OUTPUTS[Output.RAISE],
            store=str(self._root / f"lane-{site.lane}.db"),
        )

    async def _program(self, part: str, **given: object) -> dict[str, object]:
        argv = (sys.executable, "-m", f"simulator.bench.floor.{part}", plain(given))
        name = f"floor-{part}-{given.get('lane', '')}"
        return await self.children.start(name, *argv, ready="ready" if part == "lane" else "url")
