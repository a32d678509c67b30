"""A broker, a lane that says what a test wants, and toll-dash as a process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiomqtt

from simulator import broker
from tolling import wire
from tolling.alarms import Degraded, DegradedMode
from tolling.clock import ClockQuality
from tolling.ids import BootId, LaneId, PassageId, PlazaId
from tolling.inputs import Reading
from tolling.messages import LaneSnapshot, PassageView
from tolling.orders import OrderState, ReasonCode
from tolling.vehicles import VehicleClass, VehicleKind

PLAZA = PlazaId("330101")
LANES = tuple(f"{number:03}" for number in range(1, 5))
CHROMIUM_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def snapshot(lane: str, **changes: Any) -> LaneSnapshot:
    """Return the state of an idle open lane, with *changes*."""
    idle = LaneSnapshot(
        plaza_id=PLAZA,
        lane_id=LaneId(lane),
        boot_id=BootId("b1"),
        state_version=1,
        utc_ms=time.time_ns() // 1_000_000,
        clock_quality=ClockQuality.SYNCED,
        mode="open",
        attended=True,
        barrier="down",
        inputs={
            "boom_up": Reading.OFF,
            "boom_down": Reading.ON,
            "loop_1": Reading.OFF,
            "loop_2": Reading.OFF,
        },
        devices=dict.fromkeys(("barrier", "inputs", "lamps", "scanner", "camera"), "ok"),
    )
    return replace(idle, **changes)


def passage(**changes: Any) -> PassageView:
    """Return a car at the window whose driver confirms on the phone, with *changes*."""
    waiting = PassageView(
        passage_id=PassageId("330101001001000000001"),
        phase="paying",
        plate="浙A12345",
        vehicle_class=VehicleClass.CAR_1,
        vehicle_kind=VehicleKind.NORMAL,
        toll_fen=123_450,
        order_state=OrderState.WAITING,
        order_reason=ReasonCode.PASSWORD,
        since_ms=4000,
    )
    return replace(waiting, **changes)


def paying(lane: str, **changes: Any) -> LaneSnapshot:
    """Return a lane with a car that pays."""
    inputs = snapshot(lane).inputs | {"loop_1": Reading.ON}
    return snapshot(lane, inputs=inputs, arriving=passage(), **changes)


def sick(lane: str) -> LaneSnapshot:
    """Return a lane with no detectors and no plaza."""
    inputs = dict.fromkeys(snapshot(lane).inputs, Reading.UNKNOWN)
    modes = tuple(
        DegradedMode(name=name, reason="no answer", since_ms=0)
        for name in (Degraded.NO_INPUTS, Degraded.NO_PLAZA)
    )
    devices = snapshot(lane).devices | {"inputs": "lost", "camera": "connecting"}
    return snapshot(
        lane,
        barrier="unknown",
        inputs=inputs,
        degraded=modes,
        devices=devices,
        alarms=("device_lost",),
        unsent_records=12,
    )


class Lanes:
    """Lanes that report their state once a second and whenever it changes, each as its user."""

    def __init__(self, prepared: broker.Broker, port: int) -> None:
        self._prepared = prepared
        self._port = port
        self._said: dict[str, LaneSnapshot] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lanes", daemon=True)

    def say(self, *states: LaneSnapshot) -> None:
        """Report these states from now on."""
        for state in states:
            self._said[state.lane_id] = state

    def silence(self, lane: str) -> None:
        """Let one lane report no more."""
        del self._said[lane]

    def start(self) -> None:
        """Begin to report."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._ended.set()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        asyncio.run(self._report())

    async def _report(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for lane in LANES:
                tasks.create_task(self._report_one(lane), name=f"lane {lane}")
            await asyncio.to_thread(self._ended.wait)

    async def _report_one(self, lane: str) -> None:
        while not self._ended.is_set():
            with contextlib.suppress(aiomqtt.MqttError):
                await self._connected(lane)

    async def _connected(self, lane: str) -> None:
        user = self._prepared.users[broker.lane_user(lane)]
        async with aiomqtt.Client(
            broker.LOOPBACK,
            self._port,
            username=user.name,
            password=user.password,
            protocol=aiomqtt.ProtocolVersion.V311,
            timeout=2,
        ) as client:
            sent: LaneSnapshot | None = None
            sent_at = 0.0
            while not self._ended.is_set():
                state = self._said.get(lane)
                if state is not None and (state != sent or time.monotonic() - sent_at >= 1):
                    fresh = replace(state, utc_ms=time.time_ns() // 1_000_000)
                    body = wire.json_bytes(fresh)
                    await client.publish(f"toll/{PLAZA}/{lane}/state", body, qos=1, retain=True)
                    sent, sent_at = state, time.monotonic()
                await asyncio.sleep(0.05)


def start_broker(directory: Path) -> tuple[broker.Broker, subprocess.Popen[bytes], int]:
    """Start nats-server; return what it was made from, its process and its MQTT port."""
    prepared = broker.prepare(directory / "broker", plaza_id=PLAZA, lanes=LANES)
    log = directory / "broker.log"
    with log.open("wb") as file:
        process = subprocess.Popen(prepared.argv, stdout=file, stderr=file)
    port = until(lambda: broker.mqtt_port_in(log.read_text()), what="the broker's port")
    return prepared, process, port


def start_page(
    directory: Path, prepared: broker.Broker, port: int, *more: str
) -> tuple[subprocess.Popen[str], str]:
    """Start toll-dash; return its process and address."""
    password = directory / "page.password"
    password.write_text(prepared.users["page"].password)
    return run_page(port, "--broker-password-file", str(password), *more)


def run_page(broker_port: int, *more: str) -> tuple[subprocess.Popen[str], str]:
    """Start toll-dash at a broker that may be there or not; return its process and address."""
    command = [
        *(sys.executable, "-m", "dashboards.main", "--plaza", PLAZA, "--port", "0"),
        *("--broker-url", f"mqtt://127.0.0.1:{broker_port}", *more),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout as said:
        return process, json.loads(said.readline())["url"]


def until(read: Callable[[], Any], *, what: str, within_s: float = 15.0) -> Any:
    """Return the first value of *read* that is not false."""
    end = time.monotonic() + within_s
    while not (value := read()):
        assert time.monotonic() < end, f"no {what} within {within_s} s"
        time.sleep(0.02)
    return value
