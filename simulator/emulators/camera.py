"""The plate camera as a client: it pushes what it saw, as generic JSON, to the lane.

``{"plate_number": "京A12345", "plate_color": "blue", "confidence": 0.96, "timestamp": "...",
"camera": "...", "direction": "exit"}``; plate_number is null where no plate could be read. A
heartbeat goes to the path below the readings'. A push that fails is tried again twice and then
given up, as cameras do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import aiohttp

from simulator.models.camera import PlateCameraModel, Shot
from tolling.vehicles import Plate

PUSH_TIMEOUT_S = 1.0
TRIES = 3
AGAIN_S = 0.2
HEARTBEAT_S = 1.0
QUEUE_MAX = 32
"""Vehicles not yet pushed; a camera that cannot push forgets the oldest."""


class PushingCamera:
    """One camera. ``run`` pushes what ``sees`` was told."""

    def __init__(
        self,
        model: PlateCameraModel,
        url: str,
        now_ns: Callable[[], int],
        *,
        name: str,
        wall_base_ns: int,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        self.model = model
        self.url = url
        """Where the lane listens; may be changed while the camera runs."""
        self._now_ns = now_ns
        self._name = name
        self._wall_base_ns = wall_base_ns
        self._heartbeat_s = heartbeat_s
        self._shots: asyncio.Queue[Shot] = asyncio.Queue(QUEUE_MAX)
        self.pushed = 0
        self.failed = 0

    def sees(self, plate: Plate | None) -> None:
        """A vehicle comes into view."""
        shot = self.model.sees(plate, self._now_ns())
        if shot is None:
            return
        if self._shots.full():
            self._shots.get_nowait()
            self.failed += 1
        self._shots.put_nowait(shot)

    async def run(self) -> None:
        """Push until cancelled."""
        timeout = aiohttp.ClientTimeout(total=PUSH_TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout) as session, asyncio.TaskGroup() as group:
            group.create_task(self._push_all(session), name=f"camera {self._name}")
            group.create_task(self._beat(session), name=f"camera {self._name} heartbeat")

    async def _push_all(self, session: aiohttp.ClientSession) -> None:
        while True:
            shot = await self._shots.get()
            await asyncio.sleep(max(shot.at_ns - self._now_ns(), 0) / 1e9)
            if await self._push(session, shot):
                self.pushed += 1
            else:
                self.failed += 1

    async def _push(self, session: aiohttp.ClientSession, shot: Shot) -> bool:
        body = self._body(shot)
        for tries in range(TRIES):
            if tries:
                await asyncio.sleep(AGAIN_S)
            if await _post(session, self.url, body):
                return True
        return False

    async def _beat(self, session: aiohttp.ClientSession) -> None:
        while True:
            if not self.model.silent(self._now_ns()):
                await _post(session, f"{self.url.rstrip('/')}/heartbeat", {"camera": self._name})
            await asyncio.sleep(self._heartbeat_s)

    def _body(self, shot: Shot) -> dict[str, object]:
        seconds = (self._wall_base_ns + shot.at_ns) // 1_000_000_000
        plate = shot.plate
        return {
            "plate_number": None if plate is None else plate.text,
            "plate_color": None if plate is None else plate.colour.value,
            "confidence": shot.confidence_percent / 100,
            "timestamp": datetime.fromtimestamp(seconds, tz=UTC).isoformat(),
            "camera": self._name,
            "direction": "exit",
        }


async def _post(session: aiohttp.ClientSession, url: str, body: dict[str, object]) -> bool:
    try:
        async with session.post(url, json=body) as response:
            return 200 <= response.status < 300
    except (aiohttp.ClientError, TimeoutError):
        return False
