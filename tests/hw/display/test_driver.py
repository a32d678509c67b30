"""The fee display driver on ptys."""

from __future__ import annotations

from pathlib import Path

import pytest

from hw.display.codec_ffdc import picture_frames
from hw.display.driver import FfdcDisplay
from hw.links.urls import SerialUrl
from hw.ports import FeeDisplayPort, VoicePort
from tests.hw.golden import golden
from tests.hw.lines import Pty, no_jitter, running, until
from tolling.devices import Device, Health, HealthReport
from tolling.errors import DeviceUnavailableError
from tolling.pictures import DisplayPicture, PictureKind
from tolling.vehicles import VehicleClass

pytestmark = [pytest.mark.wire, pytest.mark.asyncio]
TOLL = DisplayPicture(kind=PictureKind.TOLL, toll_fen=2500, vehicle_class=VehicleClass.CAR_1)


def display_on(device: Pty, health: list[HealthReport], refresh_s: float = 60) -> FfdcDisplay:
    """Return a driver."""
    return FfdcDisplay(
        SerialUrl(path=str(device.link)),
        refresh_s=refresh_s,
        brightness=255,
        voice=True,
        on_health=health.append,
        jitter=no_jitter,
    )


async def test_picture_and_speech_reach_the_line(tmp_path: Path) -> None:
    """A shown and a spoken toll are on the line, whole and in order."""
    device, health = Pty(tmp_path / "tty"), list[HealthReport]()
    device.plug()
    subject = display_on(device, health)
    display: FeeDisplayPort = subject
    voice: VoicePort = subject
    async with running(subject):
        await until(lambda: bool(health) and health[-1].health is Health.ASSUMED)
        await display.show(TOLL)
        await voice.speak(TOLL)
        await voice.speak(DisplayPicture(kind=PictureKind.WELCOME))
        spoken = golden("display_ffdc")["speak_class_1_25_yuan"]
        await until(lambda: bytes(device.received) == picture_frames(TOLL) + spoken)
    device.unplug()
    assert {report.device for report in health} == {Device.DISPLAY, Device.VOICE}


async def test_picture_is_sent_again_every_period(tmp_path: Path) -> None:
    """The current picture is repeated, and nothing is spoken again."""
    device, health = Pty(tmp_path / "tty"), list[HealthReport]()
    device.plug()
    subject = display_on(device, health, refresh_s=0.05)
    async with running(subject):
        await until(lambda: bool(health) and health[-1].health is Health.ASSUMED)
        await subject.show(TOLL)
        await until(lambda: bytes(device.received).startswith(picture_frames(TOLL) * 3))
    device.unplug()


async def test_picture_is_shown_when_the_line_is_back(tmp_path: Path) -> None:
    """A picture shown while the display is unplugged is an error then, and shown once it is
    back.
    """
    device, health = Pty(tmp_path / "tty"), list[HealthReport]()
    device.plug()
    subject = display_on(device, health)
    async with running(subject):
        await until(lambda: bool(health) and health[-1].health is Health.ASSUMED)
        device.unplug()
        await until(lambda: health[-1].health is Health.LOST, within_s=0.5)
        with pytest.raises(DeviceUnavailableError):
            await subject.show(TOLL)
        device.plug()
        await until(lambda: bytes(device.received) == picture_frames(TOLL))
    device.unplug()
