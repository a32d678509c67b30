"""One lane's devices on their wires, over the models and the plant."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from simulator.emulators.camera import PushingCamera
from simulator.emulators.display import SerialDisplay
from simulator.emulators.etc import EtcServer
from simulator.emulators.modbus_server import ModbusHub, RtuLine, Wire, serving_tcp
from simulator.emulators.modbus_units import IoUnit
from simulator.emulators.pty_line import PtyLine
from simulator.emulators.scanner import SerialScanner
from simulator.models.camera import Dice as CameraDice
from simulator.models.camera import PlateCameraModel
from simulator.models.device_faults import DeviceTrouble, TroubleView
from simulator.models.display import FeeDisplayModel
from simulator.models.etc_reader import EtcReaderModel
from simulator.models.io_modules import DEFAULT_MODULE, IoModules
from simulator.models.scanner import ScannerModel
from simulator.site.config import LaneConfig
from simulator.site.road import Road
from tolling.devices import Device
from tolling.ids import LaneId

LOOPBACK = "127.0.0.1"
DISPLAY_BAUD = 9_600


class LaneSite:
    """One lane's emulators, built by ``running``."""

    def __init__(
        self,
        config: LaneConfig,
        road: Road,
        run_dir: Path,
        *,
        dice: CameraDice,
        wall_base_ns: int,
        boot: str,
    ) -> None:
        self.config = config
        self.lane = LaneId(config.lane_id)
        plant, now_ns = road.plant, road.now_ns
        self.io = IoModules(plant, self.lane)
        unit = IoUnit(
            self.io,
            now_ns,
            module=DEFAULT_MODULE,
            profile=config.profile,
            inputs=config.inputs,
            outputs=config.outputs,
        )
        self.hub = ModbusHub(self.io, {config.device_id: unit}, now_ns, changed=self._written)
        self.scanner = SerialScanner(
            ScannerModel(trigger_mode=config.scanner != "plain"),
            PtyLine(run_dir / f"lane-{self.lane}-scanner"),
            now_ns,
            family=config.scanner,
            baud=config.scanner_baud,
        )
        self.display = SerialDisplay(
            FeeDisplayModel(plant, self.lane),
            PtyLine(run_dir / f"lane-{self.lane}-display"),
            now_ns,
            changed=road.touched,
        )
        port = config.camera_port or free_port()
        self.camera = PushingCamera(
            PlateCameraModel(dice),
            f"http://{LOOPBACK}:{port}/plates",
            now_ns,
            name=f"lane-{self.lane}",
            wall_base_ns=wall_base_ns,
        )
        self.etc = EtcServer(EtcReaderModel(boot=boot), now_ns)
        self._now_ns = now_ns
        self._touched = road.touched
        self._ticker: asyncio.TimerHandle | None = None
        self._run_dir = run_dir
        self.modbus_url = ""
        self.etc_url: str | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Open the lane's lines while the block runs. Raises: OSError: a port is taken."""
        async with AsyncExitStack() as lines:
            self.scanner.follow_plug()
            lines.callback(self.scanner.close)
            self.display.follow_plug()
            lines.callback(self.display.close)
            lines.callback(self._stop_ticking)
            self.modbus_url = await self._open_modbus(lines)
            if self.config.etc:
                port = await lines.enter_async_context(self.etc.serving(port=self.config.etc_port))
                self.etc_url = f"etc+tcp://{LOOPBACK}:{port}"
            yield

    async def _open_modbus(self, lines: AsyncExitStack) -> str:
        config = self.config
        if config.wire is Wire.RTU:
            line = PtyLine(self._run_dir / f"lane-{self.lane}-modbus")
            RtuLine(self.hub, line, baud=config.modbus_baud)
            line.plug()
            lines.callback(line.unplug)
            return f"{Wire.RTU}://{line.link.absolute()}?baud={config.modbus_baud}"
        rtu = config.wire is Wire.RTU_TCP
        port = await lines.enter_async_context(
            serving_tcp(self.hub, rtu=rtu, port=config.modbus_port)
        )
        return f"{config.wire}://{LOOPBACK}:{port}"

    def _written(self) -> None:
        """A lane wrote to its modules: look at the road, and end timed pulses in their time."""
        self._touched()
        due_ns = self.io.due_ns()
        if due_ns is None:
            return
        if self._ticker is not None:
            self._ticker.cancel()
        delay_s = max(due_ns - self._now_ns(), 0) / 1e9
        self._ticker = asyncio.get_running_loop().call_later(delay_s, self._tick)

    def _tick(self) -> None:
        self._ticker = None
        self.io.tick(self._now_ns())
        self._written()

    def _stop_ticking(self) -> None:
        if self._ticker is not None:
            self._ticker.cancel()

    def facts(self) -> dict[str, object]:
        """Return where the devices are, and the ``[devices]`` of a lane file that fits them."""
        config = self.config
        scanner = self.scanner.line.link.absolute()
        display = self.display.line.link.absolute()
        devices: dict[str, object] = {
            "barrier": {
                "driver": "contact_barrier",
                "url": self.modbus_url,
                "device_id": config.device_id,
                **self._wires(),
                "power_fail": config.power_fail.value,
            },
            "scanner": {
                "driver": "serial_scanner",
                "url": f"serial://{scanner}?baud={config.scanner_baud}",
                "dialect": config.scanner.value,
            },
            "display": {
                "driver": "ffdc_display",
                "url": f"serial://{display}?baud={DISPLAY_BAUD}",
            },
            "camera": {
                "driver": "json_plate_camera",
                "url": self.camera.url,
                "heartbeat_s": 1.0,
            },
        }
        if self.etc_url is not None:
            devices["etc"] = {"driver": "etc_json", "url": self.etc_url}
        return {
            "lane_id": str(self.lane),
            "modbus_url": self.modbus_url,
            "scanner_path": str(scanner),
            "display_path": str(display),
            "camera_target": self.camera.url,
            "etc_url": self.etc_url,
            "devices": devices,
        }

    def _wires(self) -> dict[str, object]:
        config = self.config
        inputs = {point.value: {"channel": at} for point, at in sorted(config.inputs.items())}
        outputs = {output.value: {"channel": at} for output, at in sorted(config.outputs.items())}
        if config.profile != "generic":
            return {"profile": config.profile.value, "inputs": inputs, "outputs": outputs}
        return {
            "inputs": {
                name: {"table": "discrete", "address": wire["channel"]}
                for name, wire in inputs.items()
            },
            "outputs": {name: {"address": wire["channel"]} for name, wire in outputs.items()},
        }

    # -- faults -----------------------------------------------------------------------------------

    def inject(self, device: Device, trouble: DeviceTrouble) -> int:
        """Arm a fault of one device. Raises: ValueError: the device cannot have it."""
        now_ns = self._now_ns()
        if device is Device.SCANNER:
            return self.scanner.inject(trouble)
        if device is Device.DISPLAY:
            return self.display.inject(trouble)
        if device is Device.CAMERA:
            return self.camera.model.inject(trouble, now_ns)
        if device is Device.ETC:
            return self.etc.model.inject(trouble, now_ns)
        if device in (Device.BARRIER, Device.INPUTS, Device.LAMPS):
            return self.io.inject(trouble, now_ns)
        raise ValueError(f"no {device} is simulated here")

    def clear(self, device: Device, fault_id: int | None) -> bool:
        """Disarm one fault of a device, or all. Returns False where the number is unknown."""
        if device is Device.SCANNER:
            return self.scanner.clear(fault_id)
        if device is Device.DISPLAY:
            return self.display.clear(fault_id)
        if device is Device.CAMERA:
            return self.camera.model.clear(fault_id)
        if device is Device.ETC:
            return self.etc.model.clear(fault_id)
        return self.io.clear(fault_id)

    def faults(self) -> dict[Device, tuple[TroubleView, ...]]:
        """Return all faults of the lane's devices with their counts."""
        now_ns = self._now_ns()
        return {
            Device.BARRIER: self.io.faults(now_ns),
            Device.SCANNER: self.scanner.model.faults(now_ns),
            Device.DISPLAY: self.display.model.faults(now_ns),
            Device.CAMERA: self.camera.model.faults(now_ns),
            Device.ETC: self.etc.model.faults(now_ns),
        }


def free_port() -> int:
    """Return a loopback port nobody has now; the lane controller will take it."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
