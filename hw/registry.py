"""A lane's devices, built from its file and run together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from hw.barrier.driver import ContactBarrier
from hw.camera.driver import HttpPlateCamera
from hw.config import DevicesConfig
from hw.display.driver import FfdcDisplay
from hw.etc.driver import JsonEtcReader
from hw.links.backoff import Backoff, Jitter
from hw.links.modbus import ModbusBus, MonotonicNs
from hw.links.urls import (
    ModbusUrl,
    parse_listen_url,
    parse_stream_url,
    parse_tcp_url,
)
from hw.ports import (
    BarrierPort,
    EtcReaderPort,
    FeeDisplayPort,
    OnEtcTag,
    OnHealth,
    OnInput,
    OnPlate,
    OnScan,
    PlateCameraPort,
    Runs,
    ScannerPort,
    VoicePort,
)
from hw.scanner.driver import SerialScanner
from tolling.devices import Device, Health, HealthReport
from tolling.wire import bad_input

OnFault = Callable[[str, Exception], None]
"""A driver failed by a fault of its own and is started again; name and error, for the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCallbacks:
    """Where a lane's devices report to. Synchronous; must not block or raise."""

    on_health: OnHealth
    on_input: OnInput
    on_scan: OnScan
    on_plate: OnPlate
    on_etc_tag: OnEtcTag
    on_fault: OnFault


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneDevices:
    """A lane's ports; None where the lane has no such device."""

    barrier: BarrierPort
    scanner: ScannerPort | None
    display: FeeDisplayPort | None
    voice: VoicePort | None
    camera: PlateCameraPort | None
    etc: EtcReaderPort | None
    buses: Mapping[ModbusUrl, ModbusBus]
    callbacks: DeviceCallbacks
    jitter: Jitter

    async def run(self) -> None:
        """Run all devices until cancelled.

        A driver that fails is reported LOST and started again; the others go on. When cancelled,
        the drivers end first, while the buses still carry their releases.
        """
        async with asyncio.TaskGroup() as lines:
            owners = [
                lines.create_task(self._keep(f"bus {url}", None, bus), name=f"bus {url}")
                for url, bus in self.buses.items()
            ]
            try:
                async with asyncio.TaskGroup() as drivers:
                    for device, port in self._ports():
                        drivers.create_task(
                            self._keep(device, device, port), name=f"driver {device}"
                        )
            finally:
                for owner in owners:
                    owner.cancel()

    def _ports(self) -> list[tuple[Device, Runs]]:
        """Return each driver once: a display that speaks is one."""
        found: list[tuple[Device, Runs | None]] = [
            (Device.VOICE, self.voice),
            (Device.DISPLAY, self.display),
            (Device.SCANNER, self.scanner),
            (Device.CAMERA, self.camera),
            (Device.ETC, self.etc),
            (Device.BARRIER, self.barrier),
        ]
        once = {id(port): (device, port) for device, port in found if port is not None}
        return list(once.values())

    async def _keep(self, name: str, device: Device | None, port: Runs) -> None:
        backoff = Backoff(self.jitter)
        while True:
            try:
                await port.run()
            except Exception as error:  # noqa: BLE001 - the supervisor catches all
                self.callbacks.on_fault(name, error)
                if device is not None:
                    what = f"the driver failed: {type(error).__name__}"
                    report = HealthReport(device=device, health=Health.LOST, what=what)
                    self.callbacks.on_health(report)
            await asyncio.sleep(backoff.next_s())


def read_devices(tables: Mapping[str, Any], *, where: str) -> DevicesConfig:
    """Return the checked ``[devices.*]`` tables of a lane file.

    Args:   tables: the file's ``devices`` table as TOML gave it.
            where: the file's name, for errors.
    Raises: BadInputError: names the first wrong key; an unknown driver, with the known ones.
    """
    try:
        return DevicesConfig.model_validate(tables)
    except ValidationError as error:
        raise bad_input(error, where=where) from None


def build_devices(
    config: DevicesConfig, callbacks: DeviceCallbacks, *, clock: MonotonicNs, jitter: Jitter
) -> LaneDevices:
    """Return the ports of a lane; nothing is opened before ``LaneDevices.run``.

    Args:   clock: this machine's monotonic nanoseconds.
            jitter: returns 0 <= x < 1, e.g. ``random.random``.
    """
    point_map = config.barrier.point_map()
    buses = {
        url: ModbusBus(url, clock=clock, jitter=jitter)
        for url in dict.fromkeys(module.url for module in point_map.modules)
    }
    barrier = ContactBarrier(
        point_map,
        buses,
        on_input=callbacks.on_input,
        on_health=callbacks.on_health,
        clock=clock,
    )
    display = _display(config, callbacks, jitter)
    return LaneDevices(
        barrier=barrier,
        scanner=_scanner(config, callbacks, jitter),
        display=display,
        voice=display if config.display is not None and config.display.voice else None,
        camera=_camera(config, callbacks, jitter),
        etc=_etc(config, callbacks, jitter),
        buses=buses,
        callbacks=callbacks,
        jitter=jitter,
    )


def _scanner(
    config: DevicesConfig, callbacks: DeviceCallbacks, jitter: Jitter
) -> SerialScanner | None:
    scanner = config.scanner
    if scanner is None:
        return None
    return SerialScanner(
        parse_stream_url(scanner.url, where="devices.scanner"),
        dialect=scanner.dialect,
        gap_framing=scanner.gap_framing,
        on_scan=callbacks.on_scan,
        on_health=callbacks.on_health,
        jitter=jitter,
    )


def _display(
    config: DevicesConfig, callbacks: DeviceCallbacks, jitter: Jitter
) -> FfdcDisplay | None:
    display = config.display
    if display is None:
        return None
    return FfdcDisplay(
        parse_stream_url(display.url, where="devices.display"),
        refresh_s=display.refresh_s,
        brightness=display.brightness,
        voice=display.voice,
        on_health=callbacks.on_health,
        jitter=jitter,
    )


def _camera(
    config: DevicesConfig, callbacks: DeviceCallbacks, jitter: Jitter
) -> HttpPlateCamera | None:
    camera = config.camera
    if camera is None:
        return None
    return HttpPlateCamera(
        parse_listen_url(camera.url, where="devices.camera"),
        heartbeat_s=camera.heartbeat_s,
        on_plate=callbacks.on_plate,
        on_health=callbacks.on_health,
        jitter=jitter,
    )


def _etc(config: DevicesConfig, callbacks: DeviceCallbacks, jitter: Jitter) -> JsonEtcReader | None:
    etc = config.etc
    if etc is None:
        return None
    return JsonEtcReader(
        parse_tcp_url(etc.url, scheme="etc+tcp", where="devices.etc"),
        on_tag=callbacks.on_etc_tag,
        on_health=callbacks.on_health,
        jitter=jitter,
    )
