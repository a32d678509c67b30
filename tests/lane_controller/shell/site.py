"""Helper: a whole lane in one test: the production shell, ports in memory, a plaza on loopback."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lane_controller.core.states import LaneConfig
from lane_controller.shell.devices import DeviceEars
from lane_controller.shell.mqtt_link import BrokerAccess
from lane_controller.shell.plaza_link import PlazaAccess
from lane_controller.shell.runner import LaneRunner
from lane_controller.shell.serve import LanePlan, Serving, serve
from lane_controller.shell.staff import Operator, hash_pin
from lane_controller.store import LaneStore, open_journal
from tolling import wire
from tolling.chain import Anchor, SealedRecord, anchor_of, check_next, genesis
from tolling.devices import Device, EtcOutcome, Health, HealthReport
from tolling.errors import DeviceTimeoutError
from tolling.ids import LaneId, OutTradeNo, PlazaId, make_out_trade_no
from tolling.inputs import InputSample, LowerRefusal, Output, Point, Reading, may_lower
from tolling.messages import (
    EnrolmentAnswer,
    EntryAnswer,
    PaymentAnswer,
    RecordsAnswer,
)
from tolling.orders import NextStep, OrderState, ReasonCode
from tolling.pictures import DisplayPicture, PictureKind
from tolling.signed_sets import wrap_tariff
from tolling.tariffs import TariffRow, TariffSet
from tolling.vehicles import VehicleClass

PLAZA = PlazaId("330101")
LANE = LaneId("001")
CODE = "281234567890123456"
"""An Alipay code; no file or log may ever hold it."""
PIN = "4711"
TOLL_FEN = 1_500
KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
BALLAST = 1 << 20


def verify(key_id: str, signature: bytes, message: bytes) -> bool:
    """Check a signature by the tests' key."""
    try:
        KEY.public_key().verify(signature, message)
    except InvalidSignature:
        return False
    return key_id == "k1"


async def until(condition: Callable[[], object], what: str, seconds: float = 10.0) -> None:
    """Wait until *condition* holds; fail with *what* otherwise."""
    try:
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 - conditions of several owners
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"never came: {what}") from None


@dataclass(slots=True)
class Barrier:
    """A barrier and its inputs in memory; the boom is where it is told to be, at once."""

    ears: DeviceEars
    inputs: dict[Point, Reading] = field(
        default_factory=lambda: {
            Point.BOOM_UP: Reading.OFF,
            Point.BOOM_DOWN: Reading.ON,
            Point.LOOP_1: Reading.OFF,
            Point.LOOP_2: Reading.OFF,
        }
    )
    log: list[tuple[str, int]] = field(default_factory=list)
    """(what, monotonic ns)"""
    lamps: dict[Output, bool] = field(default_factory=dict)

    def set(self, point: Point, reading: Reading) -> None:
        """Change an input."""
        self.inputs[point] = reading
        now = time.monotonic_ns()
        self.ears.on_input(InputSample(point=point, reading=reading, read_at_ns=now))

    async def run(self) -> None:
        """Report the inputs once, then nothing by itself."""
        for device in (Device.BARRIER, Device.INPUTS, Device.LAMPS):
            self.ears.on_health(HealthReport(device=device, health=Health.OK, what="answers"))
        for point, reading in self.inputs.items():
            self.set(point, reading)
        await asyncio.Event().wait()

    async def raise_boom(self) -> None:
        """Raise."""
        self.log.append(("raise", time.monotonic_ns()))
        self.set(Point.BOOM_DOWN, Reading.OFF)
        self.set(Point.BOOM_UP, Reading.ON)

    async def lower_if_clear(self) -> LowerRefusal | None:
        """Lower where clear."""
        now = time.monotonic_ns()
        samples = [
            InputSample(point=point, reading=reading, read_at_ns=now)
            for point, reading in self.inputs.items()
        ]
        refusal = may_lower(samples, under_boom=frozenset({Point.LOOP_2}), now_ns=now)
        if refusal is None:
            self.log.append(("lower", now))
            self.set(Point.BOOM_UP, Reading.OFF)
            self.set(Point.BOOM_DOWN, Reading.ON)
        return refusal

    async def set_output(self, output: Output, on: bool) -> None:
        """Set a lamp."""
        self.lamps[output] = on

    def count(self, what: str) -> int:
        """Return how often something was done."""
        return sum(1 for done, _ in self.log if done == what)


@dataclass(slots=True)
class Screen:
    """A display or voice in memory; *dead* never answers, *broken* answers with an error."""

    pictures: list[DisplayPicture] = field(default_factory=list)
    dead: bool = False
    broken: bool = False

    async def run(self) -> None:
        """Do nothing."""
        await asyncio.Event().wait()

    async def show(self, picture: DisplayPicture) -> None:
        """Take a picture."""
        if self.dead:
            await asyncio.Event().wait()
        if self.broken:
            raise DeviceTimeoutError(where="display", what="no answer")
        self.pictures.append(picture)

    async def speak(self, picture: DisplayPicture) -> None:
        """Take a picture."""
        await self.show(picture)

    def kinds(self) -> list[PictureKind]:
        """Return what was shown."""
        return [picture.kind for picture in self.pictures]


@dataclass(slots=True)
class Scanner:
    """A scanner in memory."""

    ears: DeviceEars
    on: bool = False

    async def run(self) -> None:
        """Say that the line is there."""
        report = HealthReport(device=Device.SCANNER, health=Health.OK, what="answers")
        self.ears.on_health(report)
        await asyncio.Event().wait()

    async def set_trigger(self, on: bool) -> None:
        """Start or stop decoding."""
        self.on = on


@dataclass(slots=True)
class EtcReader:
    """An ETC reader in memory that charges whatever it is asked."""

    charges: dict[str, EtcOutcome] = field(default_factory=dict)
    silent: bool = False

    async def run(self) -> None:
        """Do nothing."""
        await asyncio.Event().wait()

    async def charge(self, *, reference: str, tag_id: str, amount_fen: int) -> EtcOutcome:
        """Charge once per reference."""
        del tag_id
        outcome = EtcOutcome(
            reference=reference, charged_fen=amount_fen, txn_id=f"t{reference}", reason=""
        )
        self.charges.setdefault(reference, outcome)
        if self.silent:
            raise DeviceTimeoutError(where="etc", what="no answer")
        return self.charges[reference]

    async def query(self, reference: str) -> EtcOutcome | None:
        """Tell how a charge ended."""
        return self.charges.get(reference)


class FakePorts:
    """A lane's ports in memory."""

    def __init__(self, ears: DeviceEars) -> None:
        self.barrier = Barrier(ears)
        self.scanner = Scanner(ears)
        self.display = Screen()
        self.voice = Screen()
        self.etc = EtcReader()
        self.ears = ears

    async def run(self) -> None:
        """Run all."""
        async with asyncio.TaskGroup() as tasks:
            for port in (self.barrier, self.scanner, self.display, self.voice, self.etc):
                tasks.create_task(port.run(), name=type(port).__name__)


class ScriptedPlaza:
    """A plaza on loopback that answers by its words and remembers what came."""

    def __init__(self) -> None:
        self.paid: dict[OutTradeNo, PaymentAnswer] = {}
        self.posts = 0
        self.codes: list[str] = []
        self.records: list[SealedRecord] = []
        self.anchor: Anchor = genesis(PLAZA, LANE, 1)
        self.silent = False
        """Takes requests and never answers."""
        self.status = 0
        """Not 0: every payment is answered with this status."""
        self.url = ""
        self._runner: web.AppRunner | None = None
        self._port = 0

    async def start(self) -> None:
        """Listen, on the same port as before."""
        app = web.Application()
        app.router.add_get("/v1/lanes/001/epoch", self._epoch)
        app.router.add_get("/v1/tariffs", self._tariffs)
        app.router.add_post("/v1/payments", self._pay)
        app.router.add_get("/v1/payments/{number}", self._poll)
        app.router.add_post("/v1/payments/{number}/cancel", self._cancel)
        app.router.add_post("/v1/entries", self._entries)
        app.router.add_post("/v1/records", self._records)
        self._runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=0.05)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True).start()
        self._port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self._port}"

    async def stop(self) -> None:
        """Be gone."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _say(self, word: object, status: int = 200) -> web.Response:
        if self.silent:
            await asyncio.Event().wait()
        return web.Response(
            body=wire.json_bytes(word), status=status, content_type="application/json"
        )

    async def _epoch(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer lane-token"
        now_ms = time.time_ns() // 1_000_000
        return await self._say(EnrolmentAnswer(epoch=1, anchor=self.anchor, server_utc_ms=now_ms))

    async def _tariffs(self, _: web.Request) -> web.Response:
        rows = (
            TariffRow(
                row=1,
                entry_station="E1",
                vehicle_class=VehicleClass.CAR_1,
                toll_fen=TOLL_FEN,
                distance_m=30_000,
            ),
        )
        tariff = TariffSet(tariff_id="t", version=1, made_at_ms=1, effective_from_ms=1, rows=rows)
        envelope = wrap_tariff(tariff, key_id="k1", sign=KEY.sign)
        return await self._say({"sets": [envelope]})

    async def _pay(self, request: web.Request) -> web.Response:
        self.posts += 1
        if self.status:
            return web.Response(status=self.status, text="{}")
        payment, code = wire.parse_payment(await request.read(), where="test")
        self.codes.append(code.reveal())
        number = make_out_trade_no(payment.passage_id, payment.attempt)
        answer = self.paid.setdefault(number, _answer(number, OrderState.PAID, payment.toll_fen))
        return await self._say(answer)

    async def _poll(self, request: web.Request) -> web.Response:
        number = OutTradeNo(request.match_info["number"])
        if number not in self.paid:
            return web.Response(status=404, text="{}")
        return await self._say(self.paid[number])

    async def _cancel(self, request: web.Request) -> web.Response:
        number = OutTradeNo(request.match_info["number"])
        answer = self.paid.setdefault(number, _answer(number, OrderState.CLOSED, 0))
        return await self._say(answer)

    async def _entries(self, _: web.Request) -> web.Response:
        return await self._say(EntryAnswer(entry=None))

    async def _records(self, request: web.Request) -> web.Response:
        upload = wire.check(wire.records_upload, await request.read(), where="test")
        for record in upload.records:
            if check_next(self.anchor, record).value == "next":
                self.records.append(record)
                self.anchor = anchor_of(record)
        return await self._say(RecordsAnswer(anchor=self.anchor))


def _answer(number: OutTradeNo, state: OrderState, captured: int) -> PaymentAnswer:
    return PaymentAnswer(
        out_trade_no=number,
        state=state,
        reason_code=ReasonCode.NONE,
        next=NextStep.WAIT,
        captured_fen=captured,
        provider_txn_id="2026" if captured else None,
        version=3,
    )


class OperatorLine:
    """A client of the operator port."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def ask(self, **fields: Any) -> dict[str, Any]:
        """Send one line, return the answer."""
        return await self.ask_raw(json.dumps(fields).encode())

    async def ask_raw(self, line: bytes) -> dict[str, Any]:
        """Send one line as it is, return the answer."""
        self._writer.write(line + b"\n")
        await self._writer.drain()
        return dict(json.loads(await self._reader.readline()))

    async def order(self, action: str, **fields: Any) -> dict[str, Any]:
        """Order something for the vehicle at the window; return the result."""
        status = (await self.ask(do="status"))["status"]
        arriving = status["arriving"]
        answer = await self.ask(
            do=action, passage_id=arriving["passage_id"] if arriving else None, **fields
        )
        assert answer["ok"], answer
        return dict(answer["result"])

    async def close(self) -> None:
        """Hang up."""
        self._writer.close()
        await self._writer.wait_closed()


@dataclass(slots=True)
class Lane:
    """A running lane."""

    runner: LaneRunner
    ports: FakePorts
    serving: Serving
    store: LaneStore

    @property
    def barrier(self) -> Barrier:
        """The barrier."""
        return self.ports.barrier

    async def in_journal(self, work: Callable[[], None]) -> None:
        """Do something with the store where it may be done: in the journal's thread."""
        await self.runner._committer.run(work)

    async def ready(self) -> None:
        """Wait until the lane takes phone money."""
        await until(
            lambda: (
                self.runner.state.plaza_up and self.runner.state.tariff and self.runner.state.epoch
            ),
            "the lane ready for phone money",
        )

    async def arrive(self) -> None:
        """Let a car come to the window and wait until its toll is asked."""
        self.barrier.set(Point.LOOP_1, Reading.ON)
        await until(lambda: self.runner.state.phase.value == "tender", "a toll on the display")

    def scan(self, code: str = CODE) -> None:
        """Hold up a phone."""
        self.ports.ears.on_scan(code.encode())

    async def leave(self) -> None:
        """Drive through, and wait until the passage's record is sealed."""
        before = self.runner.state.passages_total
        self.barrier.set(Point.LOOP_2, Reading.ON)
        self.barrier.set(Point.LOOP_1, Reading.OFF)
        await until(lambda: self.runner.state.leaving is not None, "the car under the boom")
        self.barrier.set(Point.LOOP_2, Reading.OFF)
        await until(lambda: self.runner.state.passages_total > before, "the sealed record")

    async def sign_in(self) -> OperatorLine:
        """Return a signed-in operator's line."""
        line = OperatorLine(*await asyncio.open_unix_connection(self.serving.operator_socket))
        assert await line.ask(do="hello", operator="101", pin=PIN) == {
            "ok": True,
            "operator": "101",
        }
        return line


_PEOPLE = (Operator(operator_id="101", name="A", pin_hash=hash_pin(PIN)),)


def plan(folder: Path, plaza_url: str, *, broker: BrokerAccess | None = None) -> LanePlan:
    """Return the plan of an unattended lane with ports in memory."""
    return LanePlan(
        core=LaneConfig(
            plaza_id=PLAZA,
            lane_id=LANE,
            attended=False,
            under_boom=frozenset({Point.LOOP_2}),
            devices=frozenset({"barrier", "inputs", "lamps", "display", "voice", "scanner", "etc"}),
        ),
        journal=folder / "lane.db",
        plaza=PlazaAccess(
            url=plaza_url, token="lane-token", plaza_id=PLAZA, lane_id=LANE, verify=verify
        ),
        broker=broker,
        socket=folder / "op.sock",
        people=_PEOPLE,
        metrics_host="127.0.0.1",
        metrics_port=0,
        make_ports=FakePorts,
        outputs=frozenset({Output.RAISE, Output.LOWER, Output.LANE_GREEN}),
        version="test",
    )


@asynccontextmanager
async def running_lane(
    folder: Path,
    plaza_url: str,
    *,
    broker: BrokerAccess | None = None,
    prepare: Callable[[FakePorts], None] = lambda _: None,
) -> AsyncIterator[Lane]:
    """Run a lane for the length of a test."""
    made: list[FakePorts] = []
    store = open_journal(f"sqlite:///{folder / 'lane.db'}", ballast_bytes=BALLAST)
    found: list[tuple[Serving, LaneRunner]] = []
    chosen = plan(folder, plaza_url, broker=broker)
    up = asyncio.Event()

    def serving(where: Serving, runner: LaneRunner) -> None:
        found.append((where, runner))
        up.set()

    def make_ports(ears: DeviceEars) -> FakePorts:
        ports = FakePorts(ears)
        prepare(ports)
        made.append(ports)
        return ports

    chosen = replace(chosen, make_ports=make_ports)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(serve(chosen, store, on_serving=serving, signals=False), name="lane")
            await asyncio.wait_for(up.wait(), 10)
            where, runner = found[0]
            try:
                yield Lane(runner=runner, ports=made[0], serving=where, store=store)
            finally:
                runner.stop()
    finally:
        store.close()
