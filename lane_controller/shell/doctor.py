"""Looks at a lane's devices without moving anything: what is there, what answers, what it says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from hw.config import DevicesConfig
from hw.registry import DeviceCallbacks, build_devices
from lane_controller.shell.clock import jitter, monotonic_ns
from tolling.devices import EtcTag, HealthReport, PlateReading
from tolling.inputs import InputSample

LOOK_S = 3.0
"""Serial lines open within 0.5 s, Modbus modules answer within 0.3 s, heartbeats come every 2 s."""


@dataclass(slots=True)
class Findings:
    """What was heard."""

    health: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Device -> (health, what was seen)."""
    inputs: dict[str, str] = field(default_factory=dict)
    """Point -> reading."""
    scans: int = 0
    plates: int = 0

    def on_health(self, report: HealthReport) -> None:
        """Note a device's health."""
        self.health[report.device.value] = (report.health.value, report.what)

    def on_input(self, sample: InputSample) -> None:
        """Note an input."""
        self.inputs[sample.point.value] = sample.reading.value

    def on_scan(self, _: bytes) -> None:
        """Count a scan; its text is nobody's business here."""
        self.scans += 1

    def on_plate(self, _: PlateReading) -> None:
        """Count a plate."""
        self.plates += 1

    def on_etc_tag(self, _: EtcTag) -> None:
        """A tag changes nothing here."""

    def on_fault(self, name: str, error: Exception) -> None:
        """Note a driver's own fault."""
        self.health[name] = ("lost", f"the driver failed: {type(error).__name__}")


async def look(config: DevicesConfig, *, seconds: float = LOOK_S) -> Findings:
    """Run a lane's drivers for a while and return what was heard. Nothing is ordered."""
    found = Findings()
    callbacks = DeviceCallbacks(
        on_health=found.on_health,
        on_input=found.on_input,
        on_scan=found.on_scan,
        on_plate=found.on_plate,
        on_etc_tag=found.on_etc_tag,
        on_fault=found.on_fault,
    )
    devices = build_devices(config, callbacks, clock=monotonic_ns, jitter=jitter)
    try:
        async with asyncio.timeout(seconds):
            await devices.run()
    except TimeoutError:
        pass
    return found


def serial_ports() -> list[tuple[str, str]]:
    """Return (device file, description) of this machine's serial ports."""
    from serial.tools import list_ports

    return sorted((port.device, port.description or "") for port in list_ports.comports())


def report(found: Findings, say: Callable[[str], None]) -> bool:
    """Tell what was heard, a line each; return whether no device is lost."""
    for device, (health, what) in sorted(found.health.items()):
        say(f"{device}: {health} ({what})")
    for point, reading in sorted(found.inputs.items()):
        say(f"input {point}: {reading}")
    bad = {"lost", "connecting"}
    return bool(found.health) and all(health not in bad for health, _ in found.health.values())
