"""A plate camera that pushes over HTTP: a small server bound to one address of the lane file.

Anything that is no reading is answered 400 with one line and changes nothing; the server goes on.
Where the camera is known to send something every so often, its silence is noticed; else nothing can
be known and its health is ASSUMED until it sends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp import web

from hw.camera.codec_json import BODY_BYTES_MAX, parse_push
from hw.links.backoff import Backoff, Jitter
from hw.links.health import HealthTracker
from hw.links.urls import ListenUrl
from hw.ports import OnHealth, OnPlate
from tolling.devices import Device, Health, PlateReading
from tolling.errors import DeviceProtocolError

PushParser = Callable[[bytes], PlateReading]
"""Bytes of one body -> a reading. Raises: DeviceProtocolError."""

HEARTBEAT_PATH = "/heartbeat"
"""Appended to the path of the readings; any body."""
LATE_FACTOR = 2
LOST_FACTOR = 4
"""Heartbeats missed until a camera is degraded, and until it is lost."""
SHUTDOWN_S = 0.2


class HttpPlateCamera:
    """A plate camera that pushes. Implements PlateCameraPort."""

    def __init__(
        self,
        url: ListenUrl,
        *,
        heartbeat_s: float | None,
        on_plate: OnPlate,
        on_health: OnHealth,
        jitter: Jitter,
        parser: PushParser = parse_push,
    ) -> None:
        self._url = url
        self._heartbeat_s = heartbeat_s
        self._on_plate = on_plate
        self._health = HealthTracker(Device.CAMERA, on_health)
        self._backoff = Backoff(jitter)
        self._parser = parser
        self._heard_at = 0.0
        self._port: int | None = None

    @property
    def port(self) -> int | None:
        """The port that is listened on, None while none is."""
        return self._port

    async def run(self) -> None:
        """Listen until cancelled."""
        self._health.set(Health.CONNECTING, "not heard of yet")
        while True:
            try:
                await self._listen()
            except OSError:
                self._health.set(Health.LOST, f"cannot listen on {self._url.host}:{self._url.port}")
            await asyncio.sleep(self._backoff.next_s())

    async def _listen(self) -> None:
        """Serve until cancelled. Raises: OSError: the address cannot be bound."""
        application = web.Application(client_max_size=BODY_BYTES_MAX)
        path = self._url.path.rstrip("/")
        application.router.add_post(path or "/", self._push)
        application.router.add_post(f"{path}{HEARTBEAT_PATH}", self._beat)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=SHUTDOWN_S)
        await runner.setup()
        try:
            site = web.TCPSite(runner, self._url.host, self._url.port)
            await site.start()
            self._port = runner.addresses[0][1]
            self._backoff.reset()
            await self._watch()
        finally:
            self._port = None
            await runner.cleanup()

    async def _watch(self) -> None:
        """Judge the camera's silence until cancelled."""
        loop = asyncio.get_running_loop()
        if self._heartbeat_s is None:
            self._health.set(Health.ASSUMED, "listening; nothing was pushed yet")
            await loop.create_future()
        assert self._heartbeat_s is not None
        self._heard_at = loop.time()
        while True:
            await asyncio.sleep(self._heartbeat_s / 2)
            silent_s = loop.time() - self._heard_at
            if silent_s > LOST_FACTOR * self._heartbeat_s:
                self._health.set(Health.LOST, "no heartbeat")
            elif silent_s > LATE_FACTOR * self._heartbeat_s:
                self._health.set(Health.DEGRADED, "heartbeat is late")

    async def _push(self, request: web.Request) -> web.Response:
        try:
            reading = self._parser(await request.read())
        except DeviceProtocolError as error:
            self._health.set(Health.DEGRADED, error.what)
            return web.Response(status=400, text=f"{error.what}\n")
        self._heard()
        self._on_plate(reading)
        return web.Response(status=204)

    async def _beat(self, _request: web.Request) -> web.Response:
        self._heard()
        return web.Response(status=204)

    def _heard(self) -> None:
        self._heard_at = asyncio.get_running_loop().time()
        self._health.set(Health.OK, "pushes")
