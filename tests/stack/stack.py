"""A stack: broker, site (road, people, devices, Alipay), plaza and lanes, each a real process."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Any

from lane_controller.shell.attend import OperatorClient
from lane_controller.shell.staff import hash_pin
from simulator import broker as brokers
from simulator.auditor import Evidence, Restart, Verdict, audit
from simulator.demo.child import argv_of
from simulator.demo.files import Layout, write_lane
from simulator.site.config import LaneConfig, PlatformConfig, SiteConfig
from tests.stack import evidence
from tests.stack.booth import OPERATOR, PIN, Booth
from tests.stack.nursery import Nursery
from tests.stack.part import Part, until
from tests.stack.site_client import ApiError, SiteClient, ask
from tests.stack.wires import Wires
from tolling.errors import TollError

PLAZA = "330101"
QUICK = {
    "order_deadline_ms": 1_200,
    "second_tender_ms": 2_500,
    "poll_wait_ms": 1_000,
    "poll_retry_ms": 200,
    "waiting_order_ms": 8_000,
    "entry_wait_ms": 1_000,
    "etc_wait_ms": 1_500,
}
"""``[limits]`` of a lane whose tests do not wait for other tenders for long."""
UNSETTLED = ("created", "sent", "waiting", "unknown", "closing", "refund_due", "refunding")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a stack is made of."""

    lanes: tuple[str, ...] = ("001",)
    limits: Mapping[str, int] = field(default_factory=dict)
    """``[limits]`` of every lane file."""
    site: Mapping[str, Any] = field(default_factory=dict)
    """More keys of every lane in the site's file."""
    alipay: Mapping[str, int] = field(default_factory=dict)
    """More keys of ``[platforms.alipay]``."""
    devices: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """URLs that take the place of the site's, by lane and device."""
    latency_ms: int = 30
    boom_ms: int = 300
    people_percent: int = 20


class Stack:
    """One running stack."""

    def __init__(self, root: Path, nursery: Nursery, plan: Plan) -> None:
        self.plan = plan
        self.nursery = nursery
        self.layout = Layout(root=root, plaza_id=PLAZA, lanes=plan.lanes)
        self.layout.make()
        self._offset_us: int | None = None
        self.wires = Wires(self.at_us)
        self.broker = brokers.prepare(self.layout.broker, plaza_id=PLAZA, lanes=plan.lanes)
        self.broker_port = 0
        self._nats: subprocess.Popen[bytes] | None = None
        self.site: SiteClient
        self.booth: Booth | None = None
        self.parts: dict[str, Part] = {}
        self.misread_plates = False

    def at_us(self) -> int:
        """Return the plant's time."""
        return 0 if self._offset_us is None else time.monotonic_ns() // 1_000 + self._offset_us

    # ---- start and end ----

    @contextmanager
    def running(self) -> Iterator[Stack]:
        """Run everything while the block runs."""
        try:
            self.wires.start()
            self.start_broker()
            self._start_site()
            self._make_plaza()
            self.plaza.start()
            self._make_lanes()
            for lane in self.plan.lanes:
                self.lane(lane).start()
            assert self.booth is not None
            self.booth.start()
            yield self
        finally:
            self._end()

    def _end(self) -> None:
        for part in self.parts.values():
            part.wanted = False
        if self.booth is not None:
            self.booth.close()
        for part in self.parts.values():
            part.stop(hard=True)
        self.kill_broker()
        self.wires.close()

    def _part(self, name: str, module: str, *arguments: str, **more: Any) -> Part:
        part = Part(
            nursery=self.nursery,
            name=name,
            module=module,
            arguments=arguments,
            logs=self.layout.logs,
            at_us=self.at_us,
            **more,
        )
        self.parts[name] = part
        return part

    def start_broker(self) -> None:
        """Start nats-server, again on the port it had."""
        log = self.layout.logs / "broker.log"
        begin = log.stat().st_size if log.exists() else 0
        with log.open("ab") as file:
            # It ends with this process, however that is ended.
            argv = argv_of(*self.broker.argv)
            self._nats = subprocess.Popen(argv, stdout=file, stderr=file)
        self.broker_port = until(
            lambda: brokers.mqtt_port_in(log.read_text(errors="replace")[begin:]) or 0, "the broker"
        )
        self.broker.write(mqtt_port=self.broker_port)

    def kill_broker(self) -> None:
        """Kill nats-server with SIGKILL."""
        if self._nats is not None:
            self._nats.kill()
            self._nats.wait()
            self._nats = None

    def _start_site(self) -> None:
        plan = self.plan
        config = SiteConfig(
            run_dir=self.layout.root / "site",
            lanes=tuple(
                LaneConfig(lane_id=lane, raise_ms=plan.boom_ms, lower_ms=plan.boom_ms, **plan.site)
                for lane in plan.lanes
            ),
            platform=PlatformConfig(latency_ms=plan.latency_ms),
            people_percent=plan.people_percent,
        )
        self.layout.site_file.write_text(config.model_dump_json(), encoding="utf-8")
        site = self._part("site", "simulator.site.app", "--config", str(self.layout.site_file))
        site.start()
        self.site = SiteClient(site.facts)
        before_ns = time.monotonic_ns()
        now_us = int(self.site.status()["now_us"])
        self._offset_us = now_us - (before_ns + time.monotonic_ns()) // 2_000
        user = self.broker.users["tap"]
        self.wires.listen(self.broker_port, user.name, user.password)
        self.booth = Booth(self.site, self.layout.socket, self._settled)

    def _make_plaza(self) -> None:
        platform = self.site.facts["platform"]
        init = self._part(
            "plaza init",
            "plaza_server.main",
            *("init", str(self.layout.plaza), "--plaza-id", PLAZA, "--port", "0"),
            *("--alipay-url", platform["url"], "--alipay-app-id", platform["app_id"]),
            *("--alipay-app-key", platform["app_private_key_file"]),
            *("--alipay-public-key", platform["alipay_public_key_file"]),
        )
        self.run_once(init)
        text = self.layout.plaza_file.read_text()
        more = "".join(f"{key} = {value}\n" for key, value in self.plan.alipay.items())
        self.layout.plaza_file.write_text(text + more)
        self._part(
            "plaza",
            "plaza_server.main",
            *("run", "--config", str(self.layout.plaza_file)),
            on_up=lambda facts: self.wires.lead_to(facts["url"]),
            on_down=lambda: self.wires.lead_to(None),
            plan=self.layout.root / "plaza.plan",
        )

    def run_once(self, part: Part) -> str:
        """Run a program to its end; return what it printed. Raises: AssertionError: status."""
        child = self.nursery.start(part.module, *part.arguments, out=part.out, log=part.log)
        status = child.wait(30)
        said = part.out.read_text()
        assert status == 0, f"{part.name}: {status} {said} {part.log.read_text()[-2000:]}"
        return said

    def _make_lanes(self) -> None:
        pin_hash = hash_pin(PIN)
        for facts in self.site.facts["lanes"]:
            lane = facts["lane_id"]
            devices = {
                name: dict(table, url=self.plan.devices.get(lane, {}).get(name, table["url"]))
                for name, table in facts["devices"].items()
            }
            token = self.ask_plaza("POST", "/v1/lanes", {"lane_id": lane})["token"]
            write_lane(
                self.layout,
                lane,
                devices=devices,
                plaza_url=self.wires.url,
                token=token,
                public_file=self.layout.plaza / "keys" / "plaza_public.json",
                broker=self.broker,
                mqtt_port=self.broker_port,
            )
            more = f'\n[[operator.people]]\noperator = "{OPERATOR}"\npin_hash = "{pin_hash}"\n'
            if self.plan.limits:
                limits = "".join(f"{key} = {ms}\n" for key, ms in self.plan.limits.items())
                more += f"\n[limits]\n{limits}"
            with self.layout.lane_file(lane).open("a", encoding="utf-8") as file:
                file.write(more)
            self._part(
                f"lane {lane}",
                "lane_controller.main",
                *("run", str(self.layout.lane_file(lane))),
                plan=self.layout.root / f"lane-{lane}.plan",
            )

    # ---- speaking to the parts ----

    @property
    def plaza(self) -> Part:
        """Return the plaza's process."""
        return self.parts["plaza"]

    def lane(self, lane: str) -> Part:
        """Return a lane's process."""
        return self.parts[f"lane {lane}"]

    def ask_plaza(self, method: str, path: str, body: object = None) -> Any:
        """Ask the plaza's API as its admin, past the proxy."""
        token = (self.layout.plaza / "keys" / "admin.token").read_text().strip()
        return ask(self.plaza.facts["url"], method, path, body, token=token)

    def health(self, lane: str) -> Any:
        """Return a lane's /healthz."""
        return ask(self.lane(lane).facts["metrics"], "GET", "/healthz")

    def view(self, lane: str) -> Any:
        """Return the lane's own snapshot, by its operator port."""
        with OperatorClient(self.layout.socket(lane)) as client:
            return client.status()

    def shows(self, lane: str, word: str, within_s: float = 20.0) -> None:
        """Wait until a lane's fee display shows *word*."""
        until(lambda: word in self.site.shows(lane), f"the display to show {word}", within_s)

    def wait_gone(self, count: int, within_s: float = 60.0) -> None:
        """Wait until so many vehicles have left the site."""
        until(lambda: self.site.gone() >= count, f"{count} vehicles to be gone", within_s)

    def wait_left(self, *cars: int, within_s: float = 60.0) -> None:
        """Wait until these vehicles have left."""
        for car in cars:
            until(partial(self._left, car), f"car {car} to leave", within_s)

    def _left(self, car: int) -> bool:
        return self.site.memory(car)["gone_us"] is not None

    def wait_health(self, lane: str, key: str, value: object, within_s: float = 20.0) -> None:
        """Wait until a lane's /healthz says so."""
        until(partial(self._says, lane, key, value), f"lane {lane}: {key} {value}", within_s)

    def _says(self, lane: str, key: str, value: object) -> bool:
        return bool(self.health(lane)[key] == value)

    def orders(self, where: str = "1") -> list[dict[str, Any]]:
        """Return rows of the plaza's orders, by plain SQL."""
        return evidence.rows(self.layout.plaza_store, f"SELECT * FROM orders WHERE {where}")

    def records(self) -> list[dict[str, Any]]:
        """Return the bodies of the records the plaza has, in order."""
        found = evidence.plaza_records(self.layout.plaza_store)
        return [json.loads(record.body) for record in found]

    def _settled(self, lane: str, passage_id: str) -> str | None:
        for record in evidence.lane_records(self.layout.journal(lane)):
            body = json.loads(record.body)
            if body["passage_id"] == passage_id:
                return str(body["legs"][0]["tender"]) if body["legs"] else "none"
        return None

    def points(self, part: str) -> list[dict[str, Any]]:
        """Return the points a part has been at since the stack began (tests.kill.planted)."""
        plan = self.parts[part].plan
        assert plan is not None
        path = plan.with_name(f"{plan.name}.points")
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]

    # ---- after the run ----

    def wait_rest(self, within_s: float = 40.0) -> None:
        """Wait until every vehicle is gone, every record is at the plaza and no order is open."""
        end = time.monotonic() + within_s
        while left := self._restless():
            assert time.monotonic() < end, f"not at rest after {within_s:.0f} s: {left}"
            time.sleep(0.05)

    def _restless(self) -> str:
        """Return what still moves, empty at rest."""
        vehicles = self.site.status()["vehicles"]
        if vehicles["gone"] < vehicles["spawned"] + vehicles["waiting"]:
            return f"vehicles {vehicles}"
        for lane in self.plan.lanes:
            if not self.lane(lane).up.is_set():
                return f"lane {lane} is down"
            try:
                unsent = self.health(lane)["unsent_records"]
                view = self.view(lane)
            except (OSError, HTTPException, ApiError, TollError) as error:
                return f"lane {lane}: {error!r}"
            if view["arriving"] or view["leaving"]:
                return f"lane {lane}: {view['arriving']}, {view['leaving']}"
            here = sum(1 for _ in evidence.lane_records(self.layout.journal(lane)))
            there = [r for r in self.records() if r["lane_id"] == lane]
            total = view["passages_total"]
            if unsent or not total == here == len(there):
                return (
                    f"lane {lane}: {total} passages, {here} sealed, {unsent} unsent, "
                    f"{len(there)} at the plaza"
                )
        names = ", ".join(f"'{state}'" for state in UNSETTLED)
        unsettled = self.orders(f"state IN ({names})")
        if unsettled:
            return f"orders {[(row['out_trade_no'], row['state']) for row in unsettled]}"
        try:
            open_orders = self.ask_plaza("GET", "/health")["open_orders"]
        except (OSError, HTTPException, ApiError) as error:
            return f"plaza: {error!r}"
        return f"{open_orders} open orders" if open_orders else ""

    def gather(self) -> Evidence:
        """Return the evidence of the run as it stands."""
        restarts = [
            Restart(
                at_us=at_us,
                process=name,
                lane_id=name.removeprefix("lane ") if name.startswith("lane ") else None,
            )
            for name, part in self.parts.items()
            if name != "site"
            for at_us in part.starts_us[1:]
        ]
        layout = self.layout
        return evidence.gather(
            self.site,
            plaza_store=layout.plaza_store,
            journals=[layout.journal(lane) for lane in self.plan.lanes],
            heard=list(self.wires.heard),
            restarts=restarts,
            folders=[layout.plaza, layout.logs, layout.broker, *map(layout.lane, self.plan.lanes)],
            misread_plates=self.misread_plates,
        )

    def audit(self) -> Verdict:
        """Wait for rest and return the auditor's verdict."""
        self.wait_rest()
        return audit(self.gather())

    def replay(self, lane: str) -> list[dict[str, Any]]:
        """Return what ``lane-controller replay --json`` says of a lane's journal."""
        part = Part(
            nursery=self.nursery,
            name=f"replay {lane}",
            module="lane_controller.main",
            arguments=("replay", str(self.layout.journal(lane)), "--json"),
            logs=self.layout.logs,
            at_us=self.at_us,
        )
        return [json.loads(line) for line in self.run_once(part).splitlines()]
