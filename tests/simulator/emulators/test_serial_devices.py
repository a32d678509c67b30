"""Serial devices on ptys: stable symlinks, plugs that come and go, trigger commands, pictures."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from simulator.emulators.display import SerialDisplay
from simulator.emulators.pty_line import PtyLine
from simulator.emulators.scanner import Family, SerialScanner
from simulator.models.device_faults import DeviceFault, DeviceTrouble
from simulator.models.display import FeeDisplayModel
from simulator.models.scanner import ScannerModel
from simulator.plant import LaneGeometry, Plant
from simulator.platforms.clock import RealClock
from tests.simulator.waiting import until
from tolling.ids import LaneId

pytestmark = [pytest.mark.wire, pytest.mark.asyncio]
LANE = LaneId("001")
CODE = b"280000000000000001"
GREEN = bytes.fromhex("FF DC 05 45 63")


class Port:
    """A driver's end of a line: what came, and waiting for it."""

    def __init__(self, path: Path) -> None:
        self.got = bytearray()
        self.hung_up = False
        self._fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self._came = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._fd, self._read)

    def _read(self) -> None:
        try:
            data = os.read(self._fd, 4_096)
        except OSError:
            data = b""
        if not data:
            self.hung_up = True
            asyncio.get_running_loop().remove_reader(self._fd)
        self.got += data
        self._came.set()

    def write(self, data: bytes) -> None:
        """Send bytes to the device."""
        os.write(self._fd, data)

    async def wait(self, met: Callable[[], bool]) -> None:
        """Wait until *met*, looked at whenever something comes."""
        async with asyncio.timeout(3):
            while not met():
                self._came.clear()
                await self._came.wait()

    def close(self) -> None:
        """Let go of the line."""
        asyncio.get_running_loop().remove_reader(self._fd)
        os.close(self._fd)


@asynccontextmanager
async def scanning(
    link: Path, family: Family = Family.PLAIN, baud: int = 115_200
) -> AsyncIterator[SerialScanner]:
    """A scanner on its line."""
    model = ScannerModel(trigger_mode=family is not Family.PLAIN)
    subject = SerialScanner(model, PtyLine(link), RealClock().now_ns, family=family, baud=baud)
    subject.follow_plug()
    try:
        yield subject
    finally:
        subject.close()


async def test_a_code_comes_with_its_suffix_and_its_end_is_told(tmp_path: Path) -> None:
    """The driver reads the code; the delivery is told when its last byte is on the line."""
    async with scanning(tmp_path / "scanner") as subject:
        told: list[bool] = []
        subject.on_delivered = told.append
        port = Port(subject.line.link)
        subject.present(CODE)
        await port.wait(lambda: port.got.endswith(b"\n"))
        assert bytes(port.got) == CODE + b"\r\n"
        assert told == [True]
        port.close()


async def test_unplugging_hangs_up_and_replugging_comes_back_behind_the_same_link(
    tmp_path: Path,
) -> None:
    """The old line ends, the path is gone, then there again with another line."""
    async with scanning(tmp_path / "scanner") as subject:
        port = Port(subject.line.link)
        subject.inject(DeviceTrouble(kind=DeviceFault.UNPLUGGED))
        await port.wait(lambda: port.hung_up)
        port.close()
        assert not os.path.lexists(subject.line.link)
        subject.present(CODE)
        subject.clear()
        again = Port(subject.line.link)
        subject.present(CODE)
        await again.wait(lambda: again.got.endswith(b"\n"))
        assert bytes(again.got) == CODE + b"\r\n"
        again.close()


async def test_a_timed_unplugging_ends_by_itself(tmp_path: Path) -> None:
    """After its time the line is there again without anybody's doing."""
    async with scanning(tmp_path / "scanner") as subject:
        subject.inject(DeviceTrouble(kind=DeviceFault.UNPLUGGED, for_ms=50))
        assert not subject.line.plugged
        await until(lambda: subject.line.plugged)
        assert subject.line.link.exists()


@pytest.mark.parametrize(
    ("family", "start", "stop", "stop_answer"),
    [
        (Family.HONEYWELL, b"\x16T\r", b"\x16U\r", b""),
        (
            Family.NEWLAND,
            b"\x01T\x04",
            bytes.fromhex("7E 01 30 30 30 30 23 53 43 4E 54 52 47 30 3B 03"),
            bytes.fromhex("02 01 30 30 30 30 23 53 43 4E 54 52 47 30 06 3B 03"),
        ),
    ],
)
async def test_triggered_families_read_only_when_told(
    tmp_path: Path, family: Family, start: bytes, stop: bytes, stop_answer: bytes
) -> None:
    """A code held up is read when the start command comes; after a stop it is not."""
    async with scanning(tmp_path / "scanner", family) as subject:
        port = Port(subject.line.link)
        subject.present(CODE)
        port.write(start)
        await port.wait(lambda: port.got.endswith(b"\n"))
        assert bytes(port.got) == CODE + b"\r\n"
        port.got.clear()
        port.write(start)
        port.write(stop)
        await until(lambda: subject.commands >= 3)
        subject.present(CODE)
        await port.wait(lambda: len(port.got) >= len(stop_answer))
        assert bytes(port.got) == stop_answer
        assert not subject.model.triggered
        port.close()


async def test_a_honeywell_menu_command_is_acknowledged(tmp_path: Path) -> None:
    """Other commands are answered as the maker says: the command, ACK, and its end."""
    async with scanning(tmp_path / "scanner", Family.HONEYWELL) as subject:
        port = Port(subject.line.link)
        port.write(b"\x16M\rTRGMOD0.")
        await port.wait(lambda: port.got.endswith(b"."))
        assert bytes(port.got) == b"TRGMOD0\x06."
        port.close()


async def test_bytes_take_their_time_by_the_baud_rate(tmp_path: Path) -> None:
    """20 bytes at 1200 baud are 167 ms after the reading time."""
    async with scanning(tmp_path / "scanner", baud=1_200) as subject:
        port = Port(subject.line.link)
        loop = asyncio.get_running_loop()
        began = loop.time()
        subject.present(CODE)
        await port.wait(lambda: port.got.endswith(b"\n"))
        assert loop.time() - began >= 0.060 + 20 * 10 / 1_200
        port.close()


async def test_control_bytes_pass_the_line_unchanged(tmp_path: Path) -> None:
    """The pty is raw: nothing is echoed, eaten or rewritten."""
    line = PtyLine(tmp_path / "line")
    got = bytearray()
    line.on_bytes = got.extend
    line.plug()
    port = Port(line.link)
    every = bytes(range(256))
    port.write(every)
    line.write(every)
    await port.wait(lambda: len(port.got) == 256)
    await until(lambda: len(got) >= 256)
    assert bytes(got) == bytes(port.got) == every
    port.close()
    line.unplug()
    line.write(b"lost")
    assert line.dropped == 4


async def test_frames_on_the_line_are_seen_on_the_road(tmp_path: Path) -> None:
    """A lamp frame turns the display green for people; unplugged they see nothing."""
    plant = Plant({LANE: LaneGeometry()})
    touched: list[int] = []
    subject = SerialDisplay(
        FeeDisplayModel(plant, LANE),
        PtyLine(tmp_path / "display"),
        RealClock().now_ns,
        changed=lambda: touched.append(1),
    )
    subject.follow_plug()
    port = Port(subject.line.link)
    port.write(b"\x00\xff" + GREEN)
    await until(lambda: plant.view(LANE).display_green)
    assert touched
    subject.inject(DeviceTrouble(kind=DeviceFault.UNPLUGGED))
    await port.wait(lambda: port.hung_up)
    assert not plant.view(LANE).display_green
    port.close()
    subject.close()
