"""A lane's devices built from its tables and run together, on real lines."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from hw.registry import DeviceCallbacks, LaneDevices, build_devices, read_devices
from tests.hw.barrier.rig import RAISE, adam, free_box
from tests.hw.lines import ModbusTcpBox, Pty, clock, no_jitter, running, until
from tolling.devices import Device, EtcTag, Health, HealthReport, PlateReading
from tolling.inputs import InputSample

pytestmark = [pytest.mark.wire, pytest.mark.asyncio]


class Heard:
    """What a lane heard of its devices."""

    def __init__(self) -> None:
        self.health: list[HealthReport] = []
        self.inputs: list[InputSample] = []
        self.scans: list[bytes] = []
        self.plates: list[PlateReading] = []
        self.tags: list[EtcTag] = []
        self.faults: list[tuple[str, Exception]] = []

    def callbacks(self) -> DeviceCallbacks:
        """Return where devices report to."""
        return DeviceCallbacks(
            on_health=self.health.append,
            on_input=self.inputs.append,
            on_scan=self.scans.append,
            on_plate=self.plates.append,
            on_etc_tag=self.tags.append,
            on_fault=lambda name, error: self.faults.append((name, error)),
        )


def build(heard: Heard, tables: dict[str, object]) -> LaneDevices:
    """Return a lane's devices."""
    config = read_devices(tables, where="lane.toml")
    return build_devices(config, heard.callbacks(), clock=clock, jitter=no_jitter)


async def test_devices_of_a_lane_run_together(tmp_path: Path) -> None:
    """Barrier and scanner work side by side; what is not in the file is None."""
    heard, device = Heard(), Pty(tmp_path / "tty")
    device.plug()
    async with ModbusTcpBox(free_box()) as module:
        scanner = {"driver": "serial_scanner", "url": f"serial://{device.link}"}
        subject = build(heard, {"barrier": adam(module.port), "scanner": scanner})
        assert (subject.display, subject.voice, subject.camera, subject.etc) == (None,) * 4
        async with running(subject):
            await until(lambda: len(heard.inputs) == 5)
            await subject.barrier.raise_boom()
            await until(
                lambda: any(
                    report.device is Device.SCANNER and report.health is Health.ASSUMED
                    for report in heard.health
                )
            )
            device.send(b"A\r")
            await until(lambda: heard.scans == [b"A"])
        assert module.box.coils[RAISE] == 0
    device.unplug()
    assert heard.faults == []


async def test_display_that_speaks_is_one_driver(tmp_path: Path) -> None:
    """Display and voice are the same object, and None of a voice where the file says so."""
    table = {"driver": "ffdc_display", "url": f"serial://{tmp_path / 'none'}"}
    subject = build(Heard(), {"barrier": adam(502), "display": table})
    assert subject.voice is subject.display  # type: ignore[comparison-overlap]
    quiet = build(Heard(), {"barrier": adam(502), "display": {**table, "voice": False}})
    assert quiet.voice is None


async def test_modules_on_one_line_share_its_bus() -> None:
    """Two modules with the same URL have one owner."""
    table = adam(502)
    table["modules"] = {"more": {"url": table["url"], "device_id": 2, "profile": "adam_6050"}}
    table["inputs"]["curtain"] = {"module": "more", "channel": 0}
    assert len(build(Heard(), {"barrier": table}).buses) == 1


@pytest.mark.parametrize(
    ("in_a_task", "error"), [(False, "RuntimeError"), (True, "ExceptionGroup")]
)
async def test_failing_driver_is_told_started_again_and_ends_no_other(
    *, in_a_task: bool, error: str
) -> None:
    """A driver with a fault of its own is LOST and started again while the barrier goes on; also
    where its TaskGroup leaves a cancellation in the count, as one that only waits does."""

    class Faulty:
        def __init__(self) -> None:
            self.starts = 0

        async def run(self) -> None:
            self.starts += 1
            if not in_a_task:
                await self.fail()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.fail(), name="part")

        async def fail(self) -> None:
            raise RuntimeError("a fault")

    heard, faulty = Heard(), Faulty()
    async with ModbusTcpBox(free_box()) as module:
        lane = build(heard, {"barrier": adam(module.port)})
        subject = replace(lane, camera=faulty)
        async with running(subject):
            await until(lambda: len(heard.inputs) == 5 and faulty.starts >= 2)
            await subject.barrier.raise_boom()
    assert heard.faults[0][0] == Device.CAMERA
    assert (
        HealthReport(device=Device.CAMERA, health=Health.LOST, what=f"the driver failed: {error}")
        in heard.health
    )


async def test_stopping_a_lane_opens_its_contacts() -> None:
    """Drivers end before their buses: a pulse cut by the stop is still released."""
    box = free_box()
    async with ModbusTcpBox(box) as module:
        table = adam(module.port)
        table["outputs"]["raise"]["on_ms"] = 2000
        subject = build(Heard(), {"barrier": table})
        async with running(subject):
            await asyncio.sleep(0.05)
            await subject.barrier.raise_boom()
            assert box.coils[RAISE] == 1
        assert box.coils[RAISE] == 0
