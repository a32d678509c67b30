"""The scanner driver on ptys."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from hw.links.urls import SerialUrl
from hw.ports import ScannerPort
from hw.scanner.codec import Dialect
from hw.scanner.driver import SerialScanner
from tests.hw.golden import golden
from tests.hw.lines import Pty, no_jitter, running, until
from tolling.devices import Health, HealthReport
from tolling.errors import DeviceUnavailableError

pytestmark = [pytest.mark.wire, pytest.mark.asyncio]
FRAMES = golden("scanner")
ALIPAY = b"286120001234567890"


class Bench:
    """A scanner driver and its device."""

    def __init__(
        self, folder: Path, dialect: Dialect = Dialect.PLAIN, *, gap_framing: bool = False
    ) -> None:
        self.device = Pty(folder / "tty")
        self.scans: list[bytes] = []
        self.health: list[HealthReport] = []
        self.subject = SerialScanner(
            SerialUrl(path=str(self.device.link)),
            dialect=dialect,
            gap_framing=gap_framing,
            on_scan=self.scans.append,
            on_health=self.health.append,
            jitter=no_jitter,
        )

    def is_up(self) -> bool:
        """Return whether the line is open."""
        return bool(self.health) and self.health[-1].health is Health.ASSUMED


async def test_scans_are_handed_on_with_repeats(tmp_path: Path) -> None:
    """Each code is handed on, a repeated one too."""
    bench = Bench(tmp_path)
    port: ScannerPort = bench.subject
    bench.device.plug()
    async with running(port):
        await until(bench.is_up)
        bench.device.send(ALIPAY + b"\r\n" + ALIPAY + b"\r\n")
        await until(lambda: bench.scans == [ALIPAY, ALIPAY])
        assert bench.health[-1].health is Health.OK
    bench.device.unplug()


async def test_half_a_code_before_an_unplug_is_gone(tmp_path: Path) -> None:
    """Unplugged in the middle of a code and plugged again: only the next whole code is read."""
    bench = Bench(tmp_path)
    bench.device.plug()
    async with running(bench.subject):
        await until(bench.is_up)
        bench.device.send(ALIPAY[:9])
        bench.device.unplug()
        await until(lambda: bench.health[-1].health is Health.LOST, within_s=0.5)
        bench.device.plug()
        await until(bench.is_up)
        bench.device.send(ALIPAY + b"\r")
        await until(lambda: bench.scans == [ALIPAY])
    bench.device.unplug()


async def test_half_a_code_is_dropped_after_silence(tmp_path: Path) -> None:
    """A fragment is not glued to the code that follows 0.3 s later."""
    bench = Bench(tmp_path)
    bench.device.plug()
    async with running(bench.subject):
        await until(bench.is_up)
        bench.device.send(b"2861")
        await until(lambda: bench.health[-1].health is Health.DEGRADED)
        bench.device.send(ALIPAY + b"\r")
        await until(lambda: bench.scans == [ALIPAY])
    bench.device.unplug()


async def test_scanner_without_suffix_is_framed_by_silence(tmp_path: Path) -> None:
    """With gap framing 50 ms of silence end a code."""
    bench = Bench(tmp_path, gap_framing=True)
    bench.device.plug()
    async with running(bench.subject):
        await until(bench.is_up)
        bench.device.send(ALIPAY)
        await until(lambda: bench.scans == [ALIPAY])
    bench.device.unplug()


async def test_trigger_is_sent_and_sent_again_after_a_replug(tmp_path: Path) -> None:
    """A wanted trigger is on the line at once, after each read, and when the line is back."""
    bench = Bench(tmp_path, Dialect.HONEYWELL)
    on, off = FRAMES["honeywell_on"], FRAMES["honeywell_off"]
    bench.device.plug()
    async with running(bench.subject):
        await until(bench.is_up)
        await bench.subject.set_trigger(True)
        await until(lambda: bytes(bench.device.received) == on)
        bench.device.send(ALIPAY + b"\r")
        await until(lambda: bytes(bench.device.received) == on * 2)
        bench.device.unplug()
        bench.device.received.clear()
        await until(lambda: bench.health[-1].health is Health.LOST)
        bench.device.plug()
        await until(lambda: bytes(bench.device.received) == on)
        await bench.subject.set_trigger(False)
        await until(lambda: bytes(bench.device.received) == on + off)
    bench.device.unplug()


async def test_trigger_without_a_line_is_an_error(tmp_path: Path) -> None:
    """A trigger that cannot be sent says so."""
    bench = Bench(tmp_path, Dialect.NEWLAND)
    async with running(bench.subject):
        with pytest.raises(DeviceUnavailableError):
            await bench.subject.set_trigger(True)


async def test_no_log_or_health_text_holds_a_code(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whole, half and over-long codes leave no trace in logs or health texts."""
    caplog.set_level(logging.DEBUG)
    bench = Bench(tmp_path)
    bench.device.plug()
    async with running(bench.subject):
        await until(bench.is_up)
        bench.device.send(ALIPAY + b"\r" + ALIPAY * 40)
        await until(lambda: bench.health[-1].health is Health.DEGRADED)
    bench.device.unplug()
    assert "2861" not in caplog.text + repr(bench.health)
