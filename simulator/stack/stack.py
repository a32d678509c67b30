"""A stack: broker, site (road, people, devices, platforms), plaza and lanes, each a real process,
and between any two of them a line that can be made bad."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from simulator import broker as brokers
from simulator.auditor import Evidence, Restart, Tapped, Verdict, audit
from simulator.auditor.money import UNSETTLED
from simulator.demo.child import argv_of
from simulator.demo.files import Layout, platform_table, write_lane, write_secret
from simulator.demo.toml import toml_text
from simulator.site.config import LaneConfig, PlatformsConfig, SiteConfig
from simulator.stack import evidence, plaza_tariff, wall
from simulator.stack.booth import Booth
from simulator.stack.nursery import Nursery
from simulator.stack.operator_port import OperatorPort, PortError, pin_hash
from simulator.stack.part import Part, StackError, until
from simulator.stack.plan import (
    OPERATOR,
    PIN,
    PLAZA,
    PLAZA_BROKER,
    PLAZA_DATABASE,
    Plan,
    lane_broker,
    lane_plaza,
    plaza_platform,
)
from simulator.stack.postgres import USER, Database
from simulator.stack.site_client import ApiError, SiteClient, ask
from simulator.stack.wires import Wires
from tolling.canonical import canonical_bytes
from tolling.tariffs import TariffSet

ONCE_S = 30.0
REST_S = 40.0
REST_LOOK_S = 0.05
HEALTH_S = 5.0


class Stack:
    """One running stack. Its methods belong to the thread that runs it."""

    def __init__(self, root: Path, nursery: Nursery, plan: Plan) -> None:
        """Make the folders and the broker's accounts; nothing is started.

        Raises: BadPlaceError: the folder cannot be used. BrokerMissingError,
                DatabaseMissingError: a program is not on this machine.
        """
        self.plan = plan
        self.nursery = nursery
        self.layout = Layout(root=root, plaza_id=PLAZA, lanes=plan.lanes)
        self.layout.make()
        self._offset_us: int | None = None
        self.broker = brokers.prepare(self.layout.broker, plaza_id=PLAZA, lanes=plan.lanes)
        self.broker_port = 0
        self.broker_starts_us: list[int] = []
        self._nats: subprocess.Popen[bytes] | None = None
        self.database = Database(self.layout.logs) if plan.postgres else None
        tapped = [lane_plaza(lane) for lane in plan.lanes]
        self.wires = Wires(self.at_us, plan.lines, tapped=tapped, seed=plan.seed)
        self.site: SiteClient
        self.booth: Booth | None = None
        self.parts: dict[str, Part] = {}
        self._plaza_urls: dict[str, str] = {}
        """Of the plaza processes that serve now."""
        self.misread_plates = False
        self.tariffs = [] if plan.tariff is None else [plan.tariff]
        """Every version that was put into the plaza; none where it has its sample."""

    def at_us(self) -> int:
        """Return the plant's time."""
        return 0 if self._offset_us is None else time.monotonic_ns() // 1_000 + self._offset_us

    # ---- start and end ----

    @contextmanager
    def running(self) -> Iterator[Stack]:
        """Run everything while the block runs.

        Raises: StackError, NurseryError, DatabaseMissingError, ApiError: a part does not start.
        """
        try:
            self.wires.start()
            self.start_broker()
            self._start_site()
            if self.database is not None:
                self.database.start()
                self.wires.lead(PLAZA_DATABASE, self.database.url)
            self._make_plaza()
            for name in self.plan.plaza_names:
                self.parts[name].start()
            self._make_lanes()
            for lane in self.plan.lanes:
                self.lane(lane).start()
            assert self.booth is not None, "the site came first"
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
        if self.database is not None:
            self.database.stop()
        self.wires.close()

    def _clock(self, name: str) -> Path:
        """Return the file of a process's own wall clock, which is right."""
        path = self.layout.root / f"{name.replace(' ', '-')}.clock"
        wall.set_off(path, 0)
        return path

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
        """Start nats-server, again on the port it had. Call it in the main thread: the broker ends
        with the thread that started it. Raises: StackError."""
        log = self.layout.logs / "broker.log"
        begin = log.stat().st_size if log.exists() else 0
        with log.open("ab") as file:
            # It ends with this process, however that is ended.
            self._nats = subprocess.Popen(
                argv_of(*self.broker.argv), stdout=file, stderr=file, start_new_session=True
            )
        self.broker_starts_us.append(self.at_us())

        def said() -> int:
            return brokers.mqtt_port_in(log.read_text(errors="replace")[begin:]) or 0

        self.broker_port = until(said, "the broker")
        self.broker.write(mqtt_port=self.broker_port)
        for line in (PLAZA_BROKER, *map(lane_broker, self.plan.lanes)):
            self.wires.lead(line, f"mqtt://127.0.0.1:{self.broker_port}")

    def kill_broker(self) -> None:
        """Kill nats-server with SIGKILL."""
        if self._nats is not None:
            self._nats.kill()
            self._nats.wait()
            self._nats = None
            for line in (PLAZA_BROKER, *map(lane_broker, self.plan.lanes)):
                self.wires.lead(line, None)

    @property
    def broker_pid(self) -> int | None:
        """Return nats-server's number, None while it does not run."""
        return None if self._nats is None or self._nats.poll() is not None else self._nats.pid

    def signal_broker(self, number: signal.Signals) -> None:
        """Send nats-server a signal, where it runs."""
        if self._nats is not None and self._nats.poll() is None:
            self._nats.send_signal(number)

    def _start_site(self) -> None:
        plan = self.plan
        boom: dict[str, Any] = {}
        if plan.boom_ms is not None:
            boom = {"raise_ms": plan.boom_ms, "lower_ms": plan.boom_ms}
        config = SiteConfig(
            run_dir=self.layout.root / "site",
            lanes=tuple(LaneConfig(lane_id=lane, **boom, **plan.site) for lane in plan.lanes),
            platforms=PlatformsConfig(latency_ms=plan.latency_ms, jitter_ms=plan.jitter_ms),
            wallets=plan.wallets,
            people_percent=plan.people_percent,
            seed=plan.seed,
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
        self.booth = Booth(
            self.site,
            lanes=plan.lanes,
            sockets=self.layout.socket,
            operator=OPERATOR,
            pin=PIN,
            settled=lambda lane, passage: evidence.settled_by(self.layout.journal(lane), passage),
            helps=True,
        )

    def _make_plaza(self) -> None:
        store = []
        if self.plan.postgres:
            url = self.wires.url(PLAZA_DATABASE, "postgresql+psycopg").replace("//", f"//{USER}@")
            store = ["--store-url", f"{url}/postgres"]
        init = self._part(
            "plaza init",
            "plaza_server.main",
            *("init", str(self.layout.plaza), "--plaza-id", PLAZA, "--port", "0", *store),
        )
        self.run_once(init)
        self._finish_plaza_file()
        self._put_tariff()
        for name in self.plan.plaza_names:
            self._part(
                name,
                "plaza_server.main",
                *("run", "--config", str(self.layout.plaza_file)),
                on_up=partial(self._plaza_up, name),
                on_down=partial(self._plaza_down, name),
                plan=self.layout.root / f"{name.replace(' ', '-')}.plan",
                clock=self._clock(name),
            )

    def put_tariff(self, tariff: TariffSet) -> None:
        """Publish a next version of the tariff, as the plaza's operator does. Raises: ApiError,
        OSError."""
        body = json.loads(canonical_bytes(tariff))
        self.ask_plaza("POST", "/v1/tariffs", _without_tags(body))
        self.tariffs.append(tariff)

    def _put_tariff(self) -> None:
        if self.plan.tariff is None:
            return
        file = self.layout.root / "tariff.json"
        file.write_bytes(canonical_bytes(self.plan.tariff))
        arguments = ("--config", str(self.layout.plaza_file), "--tariff", str(file))
        self.run_once(self._part("plaza tariff", plaza_tariff.__name__, *arguments))

    def _finish_plaza_file(self) -> None:
        text = self.layout.plaza_file.read_text()
        text = text.replace("[plaza]\n", "[plaza]\nsimulation = true\n", 1)
        tables: dict[str, Any] = {"platforms": self._platform_tables()}
        if self.plan.plaza_mqtt:
            password = self.layout.plaza / "keys" / "broker.password"
            write_secret(password, self.broker.users["plaza"].password)
            mqtt = {
                "url": self.wires.url(PLAZA_BROKER, "mqtt"),
                "user": "plaza",
                "password_file": "keys/broker.password",
            }
            tables["mqtt"] = mqtt
        self.layout.plaza_file.write_text(f"{text}\n{toml_text(tables)}", encoding="utf-8")

    def _platform_tables(self) -> dict[str, dict[str, Any]]:
        """Lead the lines to the platforms; return what the plaza's file says of each."""
        found = {}
        for name, facts in self.site.facts["platforms"].items():
            line = plaza_platform(name)
            self.wires.lead(line, facts["control_url"])
            table = platform_table(facts)
            for key, value in table.items():
                if key.endswith("_url"):
                    path = urlsplit(value).path
                    table[key] = f"{self.wires.url(line)}{path}"
            found[name] = {**table, **self.plan.platforms.get(name, {})}
        return found

    def _plaza_up(self, name: str, facts: dict[str, Any]) -> None:
        self._plaza_urls[name] = facts["url"]
        self._lead_lanes()

    def _plaza_down(self, name: str) -> None:
        self._plaza_urls.pop(name, None)
        self._lead_lanes()

    def _lead_lanes(self) -> None:
        """Lead each lane to its own plaza process, or to another that serves."""
        urls = dict(self._plaza_urls)
        names = self.plan.plaza_names
        for number, lane in enumerate(self.plan.lanes):
            own = names[number % len(names)]
            url = urls.get(own) or next(iter(urls.values()), None)
            self.wires.lead(lane_plaza(lane), url)

    def run_once(self, part: Part) -> str:
        """Run a program to its end; return what it printed. Raises: StackError: its status."""
        child = self.nursery.start(part.module, *part.arguments, out=part.out, log=part.log)
        status = child.wait(ONCE_S)
        said = part.out.read_text()
        if status != 0:
            raise StackError(f"{part.name}: {status} {said} {part.log.read_text()[-2000:]}")
        return said

    def _make_lanes(self) -> None:
        people = f'\n[[operator.people]]\noperator = "{OPERATOR}"\npin_hash = "{pin_hash(PIN)}"\n'
        limits = "".join(f"{key} = {ms}\n" for key, ms in self.plan.limits.items())
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
                plaza_url=self.wires.url(lane_plaza(lane)),
                token=token,
                public_file=self.layout.plaza / "keys" / "plaza_public.json",
                broker=self.broker,
                mqtt_port=self.wires.lines[lane_broker(lane)].port,
            )
            file = self.layout.lane_file(lane)
            text = file.read_text(encoding="utf-8")
            if not self.plan.attended:
                text = text.replace("attended = true", "attended = false", 1)
            more = people + (f"\n[limits]\n{limits}" if limits else "")
            file.write_text(text + more, encoding="utf-8")
            self._part(
                f"lane {lane}",
                "lane_controller.main",
                *("run", str(file)),
                plan=self.layout.root / f"lane-{lane}.plan",
                clock=self._clock(f"lane {lane}"),
            )

    # ---- looking ----

    @property
    def plaza(self) -> Part:
        """Return the plaza's (first) process."""
        return self.parts["plaza"]

    def lane(self, lane: str) -> Part:
        """Return a lane's process."""
        return self.parts[f"lane {lane}"]

    @property
    def plaza_store(self) -> evidence.Store:
        """Return where the plaza's rows are."""
        return self.layout.plaza_store if self.database is None else self.database.url

    def ask_plaza(self, method: str, path: str, body: object = None) -> Any:
        """Ask the plaza's API as its admin, past the proxy. Raises: ApiError, OSError."""
        token = (self.layout.plaza / "keys" / "admin.token").read_text().strip()
        url = next(iter(self._plaza_urls.values()), None)
        if url is None:
            raise ConnectionRefusedError("no plaza process serves")
        return ask(url, method, path, body, token=token, within_s=HEALTH_S)

    def health(self, lane: str) -> Any:
        """Return a lane's /healthz. Raises: ApiError, OSError."""
        return ask(self.lane(lane).facts["metrics"], "GET", "/healthz", within_s=HEALTH_S)

    def view(self, lane: str) -> Any:
        """Return the lane's own snapshot, by its operator port. Raises: PortError."""
        with OperatorPort(self.layout.socket(lane)) as port:
            return port.status()

    def shows(self, lane: str, word: str, within_s: float = 20.0) -> None:
        """Wait until a lane's fee display shows *word*. Raises: StackError."""
        until(lambda: word in self.site.shows(lane), f"the display to show {word}", within_s)

    def wait_gone(self, count: int, within_s: float = 60.0) -> None:
        """Wait until so many vehicles have left the site. Raises: StackError."""
        until(lambda: self.site.gone() >= count, f"{count} vehicles to be gone", within_s)

    def wait_left(self, *cars: int, within_s: float = 60.0) -> None:
        """Wait until these vehicles have left. Raises: StackError."""
        for car in cars:
            until(partial(self._left, car), f"car {car} to leave", within_s)

    def _left(self, car: int) -> bool:
        return self.site.memory(car)["gone_us"] is not None

    def wait_health(self, lane: str, key: str, value: object, within_s: float = 20.0) -> None:
        """Wait until a lane's /healthz says so. Raises: StackError."""
        until(partial(self._says, lane, key, value), f"lane {lane}: {key} {value}", within_s)

    def _says(self, lane: str, key: str, value: object) -> bool:
        return bool(self.health(lane)[key] == value)

    def orders(self, where: str = "1 = 1") -> list[dict[str, Any]]:
        """Return rows of the plaza's orders, by plain SQL."""
        return evidence.rows(self.plaza_store, f"SELECT * FROM orders WHERE {where}")  # noqa: S608

    def records(self) -> list[dict[str, Any]]:
        """Return the bodies of the records the plaza has, in order."""
        found = evidence.plaza_records(self.plaza_store)
        return [json.loads(record.body) for record in found]

    def points(self, part: str) -> list[dict[str, Any]]:
        """Return what the planter wrote of a part since the stack began, a JSON line each."""
        plan = self.parts[part].plan
        assert plan is not None, "a part with a plan"
        path = plan.with_name(f"{plan.name}.points")
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]

    # ---- after the run ----

    def wait_rest(self, within_s: float = REST_S) -> None:
        """Wait until every vehicle is gone, every record is at the plaza and no order is open.

        Raises: StackError: what still moves then.
        """
        end = time.monotonic() + within_s
        while left := self.restless():
            if time.monotonic() >= end:
                raise StackError(f"not at rest after {within_s:.0f} s: {left}")
            time.sleep(REST_LOOK_S)

    def restless(self) -> str:
        """Return what still moves, empty at rest."""
        vehicles = self.site.status()["vehicles"]
        if vehicles["gone"] < vehicles["spawned"] + vehicles["waiting"]:
            return f"vehicles {vehicles}"
        for lane in self.plan.lanes:
            try:
                left = self.lane_restless(lane)
            except (OSError, HTTPException, ApiError, PortError) as error:
                left = repr(error)
            if left:
                return f"lane {lane}: {left}"
        names = ", ".join(f"'{state}'" for state in sorted(UNSETTLED))
        unsettled = self.orders(f"state IN ({names})")
        if unsettled:
            return f"orders {[(row['out_trade_no'], row['state']) for row in unsettled]}"
        try:
            open_orders = self.ask_plaza("GET", "/health")["open_orders"]
        except (OSError, HTTPException, ApiError) as error:
            return f"plaza: {error!r}"
        return f"{open_orders} open orders" if open_orders else ""

    def lane_restless(self, lane: str) -> str:
        """Return what still moves in one lane, empty where every vehicle's record is at the plaza.

        Raises: ApiError, OSError, PortError: it does not answer.
        """
        if not self.lane(lane).up.is_set():
            return "is down"
        unsent = self.health(lane)["unsent_records"]
        view = self.view(lane)
        if view["arriving"] or view["leaving"]:
            return f"{view['arriving']}, {view['leaving']}"
        here = sum(1 for _ in evidence.lane_records(self.layout.journal(lane)))
        there = [record for record in self.records() if record["lane_id"] == lane]
        total = view["passages_total"]
        if unsent or not total == here == len(there):
            return f"{total} passages, {here} sealed, {unsent} unsent, {len(there)} at the plaza"
        return ""

    def restarts(self) -> tuple[Restart, ...]:
        """Return every start but the first of plaza and lanes."""
        return tuple(
            Restart(
                at_us=at_us,
                process=name,
                lane_id=name.removeprefix("lane ") if name.startswith("lane ") else None,
            )
            for name, part in self.parts.items()
            if name != "site"
            for at_us in part.starts_us[1:]
        )

    def outside(self) -> evidence.Outside:
        """Return what road, platforms and drivers tell."""
        site = self.site
        return evidence.outside_of(
            log=site.log(),
            books=site.books(),
            memories=site.memories(),
            codes=site.ask("GET", "/codes"),
            charges=[charge for lane in self.plan.lanes for charge in site.tag_charges(lane)],
        )

    def gather(self, *, at_rest: bool = True) -> Evidence:
        """Return the evidence of the run as it stands."""
        layout = self.layout
        folders = [layout.plaza, layout.logs, layout.broker, *map(layout.lane, self.plan.lanes)]
        if self.database is not None:
            folders.append(self.database.home)
        return evidence.gather(
            self.outside(),
            plaza_store=self.plaza_store,
            journals=[layout.journal(lane) for lane in self.plan.lanes],
            tapped=sorted((*self.wires.heard, *self._plaza_alarms()), key=lambda tap: tap.at_us),
            restarts=self.restarts(),
            texts=evidence.texts_below(*folders),
            at_rest=at_rest,
            misread_plates=self.misread_plates,
            tariffs=self.tariffs,
        )

    def _plaza_alarms(self) -> Iterator[Tapped]:
        """Yield the plaza's own alarms."""
        now_us, now_ms = self.at_us(), time.time_ns() // 1_000_000
        return evidence.plaza_alarms(
            self.plaza_store, PLAZA, lambda at_ms: now_us - (now_ms - at_ms) * 1_000
        )

    def audit(self) -> Verdict:
        """Wait for rest and return the auditor's verdict. Raises: StackError: it never rests."""
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


def _without_tags(value: Any) -> Any:
    """Return canonical JSON as the API takes it: without the names of classes."""
    if isinstance(value, dict):
        return {key: _without_tags(each) for key, each in value.items() if key != "_"}
    return [_without_tags(each) for each in value] if isinstance(value, list) else value
