"""Byte streams on ptys and TCP."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from hw.links.backoff import Backoff
from hw.links.stream import StreamHandler, StreamLink
from hw.links.urls import SerialUrl, TcpUrl
from tests.hw.lines import Pty, TcpPeer, no_jitter, running, until
from tolling.errors import DeviceBusyError, DeviceUnavailableError

pytestmark = [pytest.mark.wire, pytest.mark.asyncio]


class Owner:
    """What the owner of a line heard."""

    def __init__(self, url: SerialUrl | TcpUrl) -> None:
        self.heard: list[str] = []
        self.bytes = bytearray()
        handler = StreamHandler(
            on_up=lambda: self.heard.append("up"),
            on_down=self.heard.append,
            on_bytes=self.bytes.extend,
        )
        self.subject = StreamLink(url, handler, Backoff(no_jitter))


async def test_bytes_pass_both_ways(tmp_path: Path) -> None:
    """What the device says is heard, what is written it gets; control bytes are not changed."""
    device = Pty(tmp_path / "tty")
    device.plug()
    owner = Owner(SerialUrl(path=str(device.link), baud=115_200))
    async with running(owner.subject):
        await until(lambda: owner.heard == ["up"])
        await owner.subject.write(b"\x16T\r\x04\n")
        device.send(b"A\r\n\x11\x13")
        await until(lambda: bytes(owner.bytes) == b"A\r\n\x11\x13")
        await until(lambda: bytes(device.received) == b"\x16T\r\x04\n")
    device.unplug()


async def test_unplugged_line_is_noticed_and_comes_back(tmp_path: Path) -> None:
    """An unplugged device is noticed within 0.5 s, told once, and used again when it is back."""
    device = Pty(tmp_path / "tty")
    device.plug()
    owner = Owner(SerialUrl(path=str(device.link)))
    async with running(owner.subject):
        await until(lambda: owner.heard == ["up"])
        device.unplug()
        await until(lambda: len(owner.heard) == 2, within_s=0.5)
        with pytest.raises(DeviceUnavailableError):
            owner.subject.write_nowait(b"x")
        await asyncio.sleep(0.4)
        assert len(owner.heard) == 2
        device.plug()
        await until(lambda: owner.heard[2:] == ["up"], within_s=1.0)
        device.send(b"again")
        await until(lambda: bytes(owner.bytes) == b"again")
    device.unplug()


async def test_line_that_was_never_there_is_told_once(tmp_path: Path) -> None:
    """A missing device file is told once, with its reason, and tried again."""
    device = Pty(tmp_path / "tty")
    owner = Owner(SerialUrl(path=str(device.link)))
    async with running(owner.subject):
        await until(lambda: bool(owner.heard))
        await asyncio.sleep(0.3)
        assert owner.heard == ["there is no such device file"]
        device.plug()
        await until(lambda: owner.heard[-1] == "up")
    device.unplug()


async def test_line_held_by_another_is_told(tmp_path: Path) -> None:
    """Two owners of one port are caught: the second hears why and waits."""
    device = Pty(tmp_path / "tty")
    device.plug()
    first, second = (Owner(SerialUrl(path=str(device.link))) for _ in range(2))
    async with running(first.subject):
        await until(lambda: first.heard == ["up"])
        async with running(second.subject):
            await until(lambda: bool(second.heard))
            assert "busy" in second.heard[0].lower()
    device.unplug()


async def test_file_that_is_no_terminal_is_told(tmp_path: Path) -> None:
    """A path that is no serial line is one clear reason, not an end of the task."""
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    owner = Owner(SerialUrl(path=str(plain)))
    async with running(owner.subject):
        await until(lambda: bool(owner.heard))
        assert "up" not in owner.heard


async def test_tcp_peer_that_hangs_up_is_connected_again() -> None:
    """A closed connection is told and made again."""
    async with TcpPeer() as peer:
        owner = Owner(TcpUrl(host="127.0.0.1", port=peer.port))
        async with running(owner.subject):
            await until(lambda: peer.connections == 1 and owner.heard == ["up"])
            peer.hang_up()
            await until(lambda: peer.connections == 2)
            await until(lambda: len(owner.heard) == 3)


async def test_dropped_line_is_opened_again() -> None:
    """The owner of the bytes can ask for a new connection and hears its own reason."""
    async with TcpPeer() as peer:
        owner = Owner(TcpUrl(host="127.0.0.1", port=peer.port))
        async with running(owner.subject):
            await until(lambda: owner.heard == ["up"])
            owner.subject.drop("silent")
            await until(lambda: owner.heard == ["up", "silent", "up"])


async def test_line_that_takes_nothing_refuses_more(tmp_path: Path) -> None:
    """Bytes wait up to a bound; then writes are refused and not queued."""
    device = Pty(tmp_path / "tty")
    device.plug()
    owner = Owner(SerialUrl(path=str(device.link)))
    async with running(owner.subject):
        await until(lambda: owner.heard == ["up"])
        with pytest.raises(DeviceBusyError):
            owner.subject.write_nowait(bytes(5000))
    device.unplug()


async def test_received_bytes_are_not_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Even with the root logger at debug no log line holds what the device said."""
    caplog.set_level(logging.DEBUG)
    device = Pty(tmp_path / "tty")
    device.plug()
    owner = Owner(SerialUrl(path=str(device.link)))
    async with running(owner.subject):
        await until(lambda: owner.heard == ["up"])
        device.send(b"286120001234567890\r")
        await until(lambda: len(owner.bytes) == 19)
    device.unplug()
    assert "286120001234567890" not in caplog.text
