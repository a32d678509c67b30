"""What a lane asks of each kind of device. Async Protocols over words; nothing else lives here.

Every port has ``run``: it owns the device's line for as long as the lane lives, reconnects by
itself and
returns only by cancellation. It reports through the callbacks it was built with; callbacks are
synchronous,
never block and never raise. Methods raise DeviceError and nothing else; callers set deadlines with
``asyncio.timeout``; a line's owner still runs each started request to its own end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from tolling.devices import EtcOutcome, EtcTag, HealthReport, PlateReading
from tolling.inputs import InputSample, LowerRefusal, Output
from tolling.pictures import DisplayPicture

OnHealth = Callable[[HealthReport], None]
OnInput = Callable[[InputSample], None]
OnScan = Callable[[bytes], None]
"""The bytes between two terminators. They may be a pay code: never log them."""
OnPlate = Callable[[PlateReading], None]
OnEtcTag = Callable[[EtcTag], None]


class Runs(Protocol):
    """A device with a line of its own."""

    async def run(self) -> None:
        """Own the line until cancelled."""


class BarrierPort(Protocol):
    """The barrier and everything wired to its modules: limits, loops, curtain, lamps.

    Changes of inputs are reported as InputSample, once at the first read, then on every change; a
    point
    that cannot be read (module silent, fault, stale for longer than 0.5 s) is reported as UNKNOWN.
    """

    async def run(self) -> None:
        """Poll inputs until cancelled; first read the state, then release pulse outputs that read
        ON."""

    async def raise_boom(self) -> None:
        """Pulse raise. Beats any lower on the line. Raises: DeviceError."""

    async def lower_if_clear(self) -> LowerRefusal | None:
        """Read all detectors under the boom afresh, then pulse lower, or say why not.

        Raises: DeviceError: nothing was pulsed, or it is not known whether it was.
        """

    async def set_output(self, output: Output, on: bool) -> None:
        """Set a level output (lamps, alarm). Raises: DeviceError."""


class FeeDisplayPort(Protocol):
    """A fee display; most are one-way, so their health is at best ASSUMED."""

    async def run(self) -> None:
        """Own the line; send the current picture again every refresh period."""

    async def show(self, picture: DisplayPicture) -> None:
        """Show *picture*; return when its bytes are on the line. Raises: DeviceError."""


class VoicePort(Protocol):
    """A voice that speaks pictures; a new one pre-empts the current."""

    async def run(self) -> None:
        """Own the line until cancelled."""

    async def speak(self, picture: DisplayPicture) -> None:
        """Speak *picture*; return when its bytes are on the line. Raises: DeviceError."""


class ScannerPort(Protocol):
    """A code scanner on a serial line, or a camera that reads codes."""

    async def run(self) -> None:
        """Own the line until cancelled; report each scan."""

    async def set_trigger(self, on: bool) -> None:
        """Start or stop decoding, where the model can. Raises: DeviceError."""


class PlateCameraPort(Protocol):
    """A plate camera that pushes or is polled."""

    async def run(self) -> None:
        """Listen until cancelled."""


class EtcReaderPort(Protocol):
    """An ETC antenna at the window."""

    async def run(self) -> None:
        """Own the line until cancelled; report each tag once per vehicle."""

    async def charge(self, *, reference: str, tag_id: str, amount_fen: int) -> EtcOutcome:
        """Charge a tag once per reference. Raises: DeviceError: it is not known whether it was
        charged."""

    async def query(self, reference: str) -> EtcOutcome | None:
        """Return how a charge ended, or None where it never began. Raises: DeviceError."""
