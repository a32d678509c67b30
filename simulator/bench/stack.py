"""Our side: the real lane controllers, plaza server and broker, and the simulated Alipay, each its
own process, as ``toll-sim demo`` starts them."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from simulator import broker as brokers
from simulator.bench.children import Children, program
from simulator.bench.road import BenchRoad
from simulator.bench.scrape import Total, cpu_s, histogram
from simulator.demo import files
from simulator.demo.children import ChildFailedError, Facts, Spec
from simulator.demo.http import Api, PlazaApi
from simulator.platforms.keys import make_or_load_keys
from simulator.site.plates import plate_of
from tolling.ids import LaneId

PLAZA_ID = "330101"
STATION = "清溪"
"""Of the sample tariff that ``plaza-server init`` makes."""
HOUR_MS = 3_600_000
LOOK_S = 0.1
LANE_LOOKS = 300
_STAGES = {
    "lane_scan_to_raise_mean_ms": ("lane", "toll_stage_seconds", 'stage="scan_to_raise"'),
    "lane_commit_mean_ms": ("lane", "toll_stage_seconds", 'stage="commit"'),
    "platform_pay_mean_ms": ("plaza", "toll_payment_seconds", ""),
    "plaza_commit_mean_ms": ("plaza", "toll_commit_seconds", ""),
}
"""What a breakdown holds: whose page, which histogram, which label."""
_PARTS = ("lane", "plaza", "platform", "broker")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the processes have said and used so far."""

    totals: dict[str, Total]
    cpu_s: dict[str, float | None]


class OurSide:
    """One real plaza with its lanes over the lines of a bench road."""

    def __init__(self, road: BenchRoad, lanes: tuple[str, ...], root: Path) -> None:
        self._road = road
        self.lanes = lanes
        self._layout = files.Layout(root=root, plaza_id=PLAZA_ID, lanes=lanes)
        self.children = Children(self._layout.logs)
        self._metrics: list[str] = []
        self._session: aiohttp.ClientSession
        self._plaza: PlazaApi
        self._platform: Api

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run everything while the block runs. Raises: ChildFailedError, BadPlaceError,
        BrokerMissingError."""
        self._layout.make()
        async with AsyncExitStack() as kept:
            self._session = await kept.enter_async_context(aiohttp.ClientSession())
            kept.push_async_callback(self.children.stop)
            await self._start()
            yield

    async def new_code(self, buyer: str) -> str:
        """Return a fresh pay code from the platform's wallets. Raises: CallFailedError."""
        answer = await self._platform.call("POST", "/codes", {"buyer_id": buyer})
        return str(answer["code"])

    async def add_entries(self, cars: range) -> None:
        """Tell the plaza where the cars of these numbers entered. Raises: CallFailedError."""
        entered_ms = time.time_ns() // 1_000_000 - HOUR_MS
        await self._plaza.add_entries(
            (
                f"bench-{number}",
                {
                    "plate": plate_of(number).text,
                    "entry_station": STATION,
                    "entered_ms": entered_ms,
                    "vehicle_class": 1,
                },
            )
            for number in cars
        )

    async def read(self) -> Reading:
        """Return the figures so far. Raises: CallFailedError, ChildFailedError."""
        lanes = [await self._page(url) for url in self._metrics]
        pages = {"lane": lanes, "plaza": [await self._page(self._plaza.url)]}
        totals = {
            name: histogram(pages[whose], metric, label)
            for name, (whose, metric, label) in _STAGES.items()
        }
        used = {part: cpu_s(self.children.pids(part)) for part in _PARTS}
        return Reading(totals=totals, cpu_s=used)

    async def _page(self, url: str) -> str:
        async with self._session.get(f"{url}/metrics") as answer:
            answer.raise_for_status()
            return await answer.text()

    # ---- starting ----

    async def _start(self) -> None:
        layout = self._layout
        broker = brokers.prepare(layout.broker, plaza_id=PLAZA_ID, lanes=self.lanes)
        mqtt_port = await self._start_broker(broker)
        platform = await self._start_platform()
        made = await self.children.run_once(
            "plaza init",
            *(program("plaza-server"), "init", str(layout.plaza)),
            *("--plaza-id", PLAZA_ID, "--port", "0"),
        )
        files.finish_plaza(
            layout,
            broker=broker,
            mqtt_port=mqtt_port,
            platforms={"alipay": platform["platforms"]["alipay"]},
        )
        argv = (program("plaza-server"), "run", "--config", str(layout.plaza_file))
        plaza = await self.children.start("plaza", *argv, ready="url")
        token = Path(made["admin_token_file"]).read_text(encoding="ascii").strip()
        self._plaza = PlazaApi(self._session, plaza["url"], token=token)
        pin = f"{secrets.randbelow(10**8):08d}"
        await self._plaza.add_attendant("101", name="bench", pin=pin)
        for lane in self.lanes:
            files.write_lane(
                layout,
                lane,
                devices=_devices(self._road, lane),
                plaza_url=plaza["url"],
                token=await self._plaza.add_lane(lane),
                public_file=Path(made["public_file"]),
                broker=broker,
                mqtt_port=mqtt_port,
            )
            await self._start_lane(lane)

    async def _start_broker(self, broker: brokers.Broker) -> int:
        def ready(log: str) -> Facts | None:
            port = brokers.mqtt_port_in(log)
            return None if port is None else {"port": port}

        spec = Spec(name="broker", argv=broker.argv, read_ready=ready)
        return int((await self.children.start_as(spec))["port"])

    async def _start_platform(self) -> Facts:
        keys = self._layout.root / "platform-keys"
        make_or_load_keys(keys)
        argv = (program("toll-sim"), "platforms", "--json", "--latency-ms", "0")
        facts = await self.children.start(
            "platform", *argv, "--keys-dir", str(keys), ready="control_url"
        )
        self._platform = Api(self._session, facts["control_url"])
        return facts

    async def _start_lane(self, lane: str) -> None:
        argv = (program("lane-controller"), "run", str(self._layout.lane_file(lane)))
        facts = await self.children.start(f"lane-{lane}", *argv, ready="operator_socket")
        self._metrics.append(str(facts["metrics"]))
        for _ in range(LANE_LOOKS):
            if await self._lane_is_up(str(facts["metrics"])):
                return
            await asyncio.sleep(LOOK_S)
        raise ChildFailedError(f"lane {lane}: not open with plaza and broker up; see its log")

    async def _lane_is_up(self, url: str) -> bool:
        async with self._session.get(f"{url}/healthz") as answer:
            health = await answer.json(content_type=None)
        return bool(health["plaza_up"] and health["broker_up"] and health["mode"] == "open")


def _devices(road: BenchRoad, lane: str) -> dict[str, object]:
    devices = road.sites[LaneId(lane)].facts()["devices"]
    assert isinstance(devices, dict), "a site tells its devices"
    return devices


def breakdown(before: Reading, after: Reading, *, cars: int) -> dict[str, float | None]:
    """Return means of stages, and CPU milliseconds of each part per car, between two readings."""
    found: dict[str, float | None] = {
        name: total.since(before.totals[name]).mean_ms for name, total in after.totals.items()
    }
    for part, used in after.cpu_s.items():
        was = before.cpu_s[part]
        per_car = None if used is None or was is None else (used - was) * 1_000 / cars
        found[f"{part}_cpu_ms_per_car"] = None if per_car is None else round(per_car, 1)
    return found
