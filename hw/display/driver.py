"""A one-way fee display with voice, on a serial line or TCP port.

A lost frame cannot be noticed, so the current picture is sent again every 5 s and whenever the line
comes back. The health of such a display is at best ASSUMED.
"""

from __future__ import annotations

import asyncio
import contextlib

from hw.display.codec_ffdc import picture_frames, speech_frame
from hw.links.backoff import Backoff, Jitter
from hw.links.health import HealthTracker
from hw.links.stream import StreamHandler, StreamLink
from hw.links.urls import SerialUrl, TcpUrl
from hw.ports import OnHealth
from tolling.devices import Device, Health
from tolling.errors import DeviceError
from tolling.pictures import DisplayPicture


class FfdcDisplay:
    """An ``FF DC`` display. Implements FeeDisplayPort and VoicePort."""

    def __init__(
        self,
        url: SerialUrl | TcpUrl,
        *,
        refresh_s: float,
        brightness: int,
        voice: bool,
        on_health: OnHealth,
        jitter: Jitter,
    ) -> None:
        self._refresh_s = refresh_s
        self._brightness = brightness
        self._picture: DisplayPicture | None = None
        roles = (Device.DISPLAY, Device.VOICE) if voice else (Device.DISPLAY,)
        self._health = [HealthTracker(role, on_health) for role in roles]
        handler = StreamHandler(on_up=self._up, on_down=self._down, on_bytes=self._ignore)
        self._link = StreamLink(url, handler, Backoff(jitter))

    async def run(self) -> None:
        """Own the line until cancelled; send the current picture again every refresh period."""
        self._tell(Health.CONNECTING, "the line was not opened yet")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._link.run(), name="display line")
            tasks.create_task(self._refresh(), name="display refresh")

    async def show(self, picture: DisplayPicture) -> None:
        """Show *picture*; return when the system has its bytes. It is shown later where the line is
        gone.

        Raises: DeviceError.
        """
        self._picture = picture
        await self._link.write(picture_frames(picture, brightness=self._brightness))

    async def speak(self, picture: DisplayPicture) -> None:
        """Speak *picture*; what the display has no words for is not spoken. Raises: DeviceError."""
        spoken = speech_frame(picture)
        if spoken is not None:
            await self._link.write(spoken)

    async def _refresh(self) -> None:
        while True:
            await asyncio.sleep(self._refresh_s)
            self._send_picture()

    def _send_picture(self) -> None:
        if self._picture is not None and self._link.is_up:
            with contextlib.suppress(DeviceError):
                self._link.write_nowait(picture_frames(self._picture, brightness=self._brightness))

    def _up(self) -> None:
        self._tell(Health.ASSUMED, "its line takes bytes; it never answers")
        self._send_picture()

    def _down(self, why: str) -> None:
        self._tell(Health.LOST, why)

    def _ignore(self, data: bytes) -> None:
        """A display of this family says nothing; noise on its line means nothing."""

    def _tell(self, health: Health, what: str) -> None:
        for tracker in self._health:
            tracker.set(health, what)
