"""The plate camera's listener over real HTTP."""

from __future__ import annotations

import io

import aiohttp
import pytest

from hw.camera.driver import HttpPlateCamera
from hw.links.urls import ListenUrl
from hw.ports import PlateCameraPort
from tests.hw.lines import TcpPeer, no_jitter, running, until
from tolling.devices import Health, HealthReport, PlateReading

pytestmark = [pytest.mark.wire, pytest.mark.asyncio]


class Bench:
    """A listener and what it reported."""

    def __init__(self, *, port: int = 0, heartbeat_s: float | None = None) -> None:
        self.readings: list[PlateReading] = []
        self.health: list[HealthReport] = []
        self.subject = HttpPlateCamera(
            ListenUrl(host="127.0.0.1", port=port, path="/plates"),
            heartbeat_s=heartbeat_s,
            on_plate=self.readings.append,
            on_health=self.health.append,
            jitter=no_jitter,
        )

    async def post(self, body: bytes, path: str = "/plates") -> tuple[int, str]:
        """Return status and text of one push."""
        await until(lambda: self.subject.port is not None)
        url = f"http://127.0.0.1:{self.subject.port}{path}"
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, data=io.BytesIO(body)) as answer,
        ):
            return answer.status, await answer.text()


async def test_a_push_is_a_reading() -> None:
    """A good push is reported and answered 204."""
    bench = Bench()
    port: PlateCameraPort = bench.subject
    async with running(port):
        body = '{"plate_number": "京A12345", "confidence": 0.9}'.encode()
        assert await bench.post(body) == (204, "")
        assert [r.plate.text for r in bench.readings if r.plate] == ["京A12345"]
        assert bench.health[-1].health is Health.OK


async def test_a_wrong_push_is_one_clear_line_and_the_next_one_is_read() -> None:
    """Bad input is 400 with one line; the listener goes on."""
    bench = Bench()
    async with running(bench.subject):
        assert await bench.post(b"{") == (400, "not JSON in UTF-8\n")
        assert await bench.post(b"{}") == (400, "plate_number is missing\n")
        assert (await bench.post(b'{"plate_number": null}'))[0] == 204
        assert len(bench.readings) == 1


async def test_too_long_a_body_is_refused() -> None:
    """A body over the cap is refused and the listener goes on."""
    bench = Bench()
    async with running(bench.subject):
        assert (await bench.post(bytes(5 << 20)))[0] == 413
        assert (await bench.post(b'{"plate_number": null}'))[0] == 204


async def test_missing_heartbeat_degrades_then_loses_the_camera() -> None:
    """With a heartbeat configured its silence is noticed, and its return too."""
    bench = Bench(heartbeat_s=0.1)
    async with running(bench.subject):
        assert (await bench.post(b"", "/plates/heartbeat"))[0] == 204
        await until(lambda: bench.health[-1].health is Health.LOST)
        states = [report.health for report in bench.health]
        assert states == [Health.CONNECTING, Health.OK, Health.DEGRADED, Health.LOST]
        await bench.post(b"", "/plates/heartbeat")
        assert bench.health[-1].health is Health.OK


async def test_without_heartbeat_silence_says_nothing() -> None:
    """Without a heartbeat a silent camera is assumed to be there."""
    bench = Bench()
    async with running(bench.subject):
        await until(lambda: bench.health[-1].health is Health.ASSUMED)


async def test_taken_port_is_tried_again() -> None:
    """A port held by another is told as lost and bound once it is free."""
    async with TcpPeer() as other:
        bench = Bench(port=other.port)
        async with running(bench.subject):
            await until(lambda: bench.health[-1].health is Health.LOST)
            await other.__aexit__()
            await until(lambda: bench.subject.port == other.port)
