"""The camera pushes generic JSON to the lane and lives with a lane that is away."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from simulator.emulators.camera import PushingCamera
from simulator.models.camera import PlateCameraModel
from simulator.models.device_faults import DeviceFault, DeviceTrouble
from simulator.platforms.clock import RealClock
from simulator.platforms.server import serving
from tests.simulator.waiting import until
from tolling.vehicles import Plate, PlateColour

pytestmark = [pytest.mark.wire, pytest.mark.asyncio]
PLATE = Plate(text="京A12345", colour=PlateColour.BLUE)


class Lane:
    """A lane that listens for plates, or answers with errors."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, object]] = []
        self.beats = 0
        self.refuse = 0

    async def push(self, request: web.Request) -> web.Response:
        """Take one reading."""
        if self.refuse:
            self.refuse -= 1
            return web.Response(status=503)
        self.bodies.append(await request.json())
        return web.Response(status=204)

    async def beat(self, _: web.Request) -> web.Response:
        """Take one heartbeat."""
        self.beats += 1
        return web.Response(status=204)


@asynccontextmanager
async def watching(lane: Lane) -> AsyncIterator[PushingCamera]:
    """A camera that pushes to *lane*."""
    app = web.Application()
    app.router.add_post("/plates", lane.push)
    app.router.add_post("/plates/heartbeat", lane.beat)
    clock = RealClock()
    async with serving(app) as port, asyncio.TaskGroup() as group:
        subject = PushingCamera(
            PlateCameraModel(random.Random(1)),
            f"http://127.0.0.1:{port}/plates",
            clock.now_ns,
            name="lane-001",
            wall_base_ns=clock.wall_base_ns(),
            heartbeat_s=0.05,
        )
        task = group.create_task(subject.run(), name="camera")
        try:
            yield subject
        finally:
            task.cancel()


async def test_a_vehicle_is_pushed_with_plate_colour_and_confidence() -> None:
    """The lane gets plate_number, plate_color, confidence, and who saw it when."""
    lane = Lane()
    async with watching(lane) as subject:
        subject.sees(PLATE)
        await until(lambda: bool(lane.bodies))
        (body,) = lane.bodies
        assert body["plate_number"] == "京A12345"
        assert body["plate_color"] == "blue"
        assert body["confidence"] == 0.96
        assert {"timestamp", "camera", "direction"} <= body.keys()
        await until(lambda: subject.pushed == 1)


async def test_an_unreadable_plate_is_pushed_as_null() -> None:
    """A vehicle without a readable plate is still a vehicle."""
    lane = Lane()
    async with watching(lane) as subject:
        subject.sees(None)
        await until(lambda: bool(lane.bodies))
        assert lane.bodies[0]["plate_number"] is None


async def test_a_push_is_tried_again_and_given_up_in_the_end() -> None:
    """Two refusals are survived; three are one reading lost, and the next one comes."""
    lane = Lane()
    async with watching(lane) as subject:
        lane.refuse = 2
        subject.sees(PLATE)
        await until(lambda: subject.pushed == 1)
        lane.refuse = 3
        subject.sees(PLATE)
        await until(lambda: subject.failed == 1)
        subject.sees(PLATE)
        await until(lambda: subject.pushed == 2)


async def test_heartbeats_come_until_the_camera_is_silent() -> None:
    """A silent camera beats no more; a well one does again."""
    lane = Lane()
    async with watching(lane) as subject:
        await until(lambda: lane.beats >= 2)
        subject.model.inject(DeviceTrouble(kind=DeviceFault.SILENT), 0)
        subject.sees(PLATE)
        assert lane.bodies == []
        before = lane.beats
        subject.model.clear()
        await until(lambda: lane.beats > before)
