"""One site: road, people, devices and platforms, put together and run until told to end."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from simulator.models.wallets import PLATFORM_OF
from simulator.plant import Plant
from simulator.platforms.clock import RealClock
from simulator.platforms.hosts import HOSTS, Facts, Hosted, Setup
from simulator.platforms.server import LOOPBACK, serving
from simulator.site.config import PlatformsConfig, SiteConfig
from simulator.site.crowd import Crowd
from simulator.site.desk import Desk
from simulator.site.lane_site import LaneSite
from simulator.site.phones import Bank, NoBank, Phones, Wallets
from simulator.site.road import Road
from simulator.site.timing import Timings
from simulator.site.traffic import Dispatcher
from simulator.site.views import as_json
from tolling.ids import LaneId


class Site:
    """All parts of one site. Build it inside a running event loop; ``running`` opens its lines."""

    def __init__(self, config: SiteConfig) -> None:
        self.config = config
        self.clock = RealClock()
        self.run_dir = config.run_dir.absolute()
        plant = Plant({LaneId(lane.lane_id): lane.geometry() for lane in config.lanes})
        self.road = Road(plant, self.clock)
        boot = f"{self.clock.wall_base_ns() // 1_000_000:x}"
        self.lanes: Mapping[LaneId, LaneSite] = {
            LaneId(lane.lane_id): LaneSite(
                lane,
                self.road,
                self.run_dir,
                dice=random.Random(f"{config.seed}/camera/{lane.lane_id}"),
                wall_base_ns=self.clock.wall_base_ns(),
                boot=boot,
            )
            for lane in config.lanes
        }
        self.desk = Desk()
        self.timings = Timings(self.road, self.lanes)
        self._hosted: list[Hosted] = []
        self._platform_facts: dict[str, Facts] = {}
        bank: Bank = NoBank(random.Random(f"{config.seed}/codes"))
        if config.platforms is not None:
            bank = self._make_platforms(config.platforms)
        self.phones = Phones(bank)
        self.crowd = Crowd(
            self.road,
            self.lanes,
            self.phones,
            self.desk,
            self.timings,
            seed=config.seed,
            percent=config.people_percent,
        )
        self.dispatcher = Dispatcher(self.crowd, seed=config.seed)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Open all lines and let the road turn while the block runs.

        Raises: OSError, PortTakenError: a port is taken or the folder cannot be used.
        """
        async with AsyncExitStack() as lines:
            for lane in self.lanes.values():
                await lines.enter_async_context(lane.running())
            ports = {} if self.config.platforms is None else self.config.platforms.ports
            for host in self._hosted:
                served = serving(host.application, port=ports.get(host.name, 0))
                port = await lines.enter_async_context(served)
                self._platform_facts[host.name] = host.opened(f"http://{LOOPBACK}:{port}")
            cameras = await lines.enter_async_context(asyncio.TaskGroup())
            tasks = [
                cameras.create_task(lane.camera.run(), name=f"camera {number}")
                for number, lane in self.lanes.items()
            ]
            self.road.start()
            try:
                yield
            finally:
                self.road.stop()
                self.dispatcher.cancel()
                self.crowd.close()
                self.desk.close()
                for task in tasks:
                    task.cancel()

    def facts(self) -> dict[str, object]:
        """Return where everything is, once the site runs."""
        return {
            "site": "toll",
            "pid": os.getpid(),
            "run_dir": str(self.run_dir),
            "lanes": [lane.facts() for lane in self.lanes.values()],
            "platforms": self._platform_facts,
        }

    def status(self) -> dict[str, object]:
        """Return what is going on, as JSON types."""
        return {
            "now_us": self.road.now_us(),
            "vehicles": {
                "waiting": self.dispatcher.waiting,
                "spawned": self.crowd.spawned,
                "gone": self.crowd.gone,
            },
            "lanes": {str(number): self._lane_status(number) for number in self.lanes},
            "desk": len(self.desk.words),
        }

    def _lane_status(self, number: LaneId) -> dict[str, object]:
        plant, lane = self.road.plant, self.lanes[number]
        views = (plant.vehicle(one) for one in plant.vehicles(number))
        return {
            "view": as_json(plant.view(number)),
            "inputs": as_json(plant.inputs(number)),
            "vehicles": [
                as_json(view) | {"ticket": self.crowd.ticket(int(view.vehicle.vehicle_id))}
                for view in views
                if view is not None
            ],
            "modbus_requests": lane.hub.requests,
            "display_frames": lane.display.decoder.frames,
            "display_bad_frames": lane.display.decoder.bad_frames,
            "camera_pushed": lane.camera.pushed,
            "camera_failed": lane.camera.failed,
        }

    def _make_platforms(self, platforms: PlatformsConfig) -> Wallets:
        """Make the platforms that take the drivers' wallets. Raises: KeyFilesError."""
        setup = Setup(
            keys_dir=platforms.keys_dir or self.run_dir / "keys",
            clock=self.clock,
            latency_ms=platforms.latency_ms,
            jitter_ms=platforms.jitter_ms,
            seed=self.config.seed,
            wechat_mode="public_key",
        )
        models = {}
        for name in dict.fromkeys(PLATFORM_OF[wallet] for wallet in self.config.wallets):
            models[name], hosted = HOSTS[name](setup)
            self._hosted.append(hosted)
        return Wallets(models, self.config.wallets)


def prepare_run_dir(path: Path) -> None:
    """Make the site's folder, for its owner alone. Raises: OSError."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
