"""The ``[devices.*]`` tables of a lane file, checked whole before anything is opened.

Every table names its ``driver`` and where its line is; every other key belongs to that driver.
Errors name the key and what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from hw.barrier.point_map import (
    ALARM_MS_USUAL,
    PULSE_MS_USUAL,
    Action,
    InputWire,
    IoModule,
    OutputWire,
    PointMap,
    Polarity,
    PowerFail,
    check_point_map,
)
from hw.barrier.profiles import PROFILES, ModuleTables, Profile
from hw.links.tables import Table
from hw.links.urls import parse_listen_url, parse_modbus_url, parse_stream_url, parse_tcp_url
from hw.scanner.codec import Dialect
from tolling.errors import BadInputError
from tolling.inputs import DETECTORS, PULSE_OUTPUTS, Output, Point

MAIN_MODULE = "main"
"""Name of the module that a barrier's own url, profile and device_id describe."""


def _known(*names: str) -> BeforeValidator:
    """Return a check that a driver is one of *names*."""

    def check(value: object) -> object:
        if value not in names:
            raise ValueError(f"unknown driver; known here: {', '.join(names)}")
        return value

    return BeforeValidator(check)


def _url(parse: Callable[[str], object]) -> AfterValidator:
    """Return a check that *parse* takes the text."""

    def check(text: str) -> str:
        try:
            parse(text)
        except BadInputError as error:
            raise ValueError(error.what) from None
        return text

    return AfterValidator(check)


_StreamUrl = Annotated[str, _url(lambda text: parse_stream_url(text, where="url"))]
_ModbusUrl = Annotated[str, _url(lambda text: parse_modbus_url(text, where="url"))]
_HttpUrl = Annotated[str, _url(lambda text: parse_listen_url(text, where="url"))]
_EtcUrl = Annotated[str, _url(lambda text: parse_tcp_url(text, scheme="etc+tcp", where="url"))]
_Address = Annotated[int, Field(ge=0, le=65_535)]
_DeviceId = Annotated[int, Field(ge=1, le=247)]


class _Part(BaseModel):
    """A table of the lane file."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class ModuleConfig(_Part):
    """One I/O module."""

    url: _ModbusUrl
    device_id: _DeviceId = 1
    profile: Profile | None = None


class InputConfig(_Part):
    """One input: a channel of a module with a profile, or a table and an address."""

    module: str = MAIN_MODULE
    channel: Annotated[int, Field(ge=0, le=63)] | None = None
    table: Table | None = None
    address: _Address | None = None
    bit: Annotated[int, Field(ge=0, le=15)] = 0
    polarity: Polarity | None = None

    def wire(self, point: Point, tables: ModuleTables | None) -> InputWire:
        """Return the input as wired. Raises: ValueError: it is not clear where."""
        usual = Polarity.ENERGISED_FREE if point in DETECTORS else Polarity.ACTIVE_HIGH
        table, address = self.table, self.address
        if self.channel is not None:
            if tables is None or table is not None or address is not None:
                raise ValueError(
                    f"inputs.{point}: channel is used with a profile and without address"
                )
            if self.channel >= tables.inputs:
                raise ValueError(f"inputs.{point}: the module has inputs 0..{tables.inputs - 1}")
            table, address = tables.input_table, tables.input_first + self.channel
        if table is None or address is None:
            raise ValueError(f"inputs.{point}: give channel, or table and address")
        return InputWire(
            point=point,
            module=self.module,
            table=table,
            address=address,
            bit=self.bit,
            polarity=self.polarity or usual,
        )


class OutputConfig(_Part):
    """One output: a channel of a module with a profile, or a coil's address."""

    module: str = MAIN_MODULE
    channel: Annotated[int, Field(ge=0, le=63)] | None = None
    address: _Address | None = None
    action: Action | None = None
    on_ms: Annotated[int, Field(ge=1, le=60_000)] | None = None
    timed_address: _Address | None = None
    inverted: bool = False

    def wire(self, output: Output, tables: ModuleTables | None) -> OutputWire:
        """Return the output as wired. Raises: ValueError: it is not clear where."""
        address, timed = self.address, self.timed_address
        if self.channel is not None:
            if tables is None or address is not None:
                raise ValueError(
                    f"outputs.{output}: channel is used with a profile and without address"
                )
            if self.channel >= tables.outputs:
                raise ValueError(
                    f"outputs.{output}: the module has outputs 0..{tables.outputs - 1}"
                )
            address = tables.output_first + self.channel
            if timed is None and tables.timed_first is not None:
                timed = tables.timed_first + self.channel
        if address is None:
            raise ValueError(f"outputs.{output}: give channel or address")
        pulse = Action.TIMED if timed is not None else Action.PULSE
        action = self.action or (pulse if output in PULSE_OUTPUTS else Action.LEVEL)
        return OutputWire(
            output=output,
            module=self.module,
            address=address,
            action=action,
            on_ms=self._on_ms(output, action),
            timed_address=timed,
            inverted=self.inverted,
        )

    def _on_ms(self, output: Output, action: Action) -> int:
        if self.on_ms is not None:
            return self.on_ms
        if output is Output.ALARM:
            return ALARM_MS_USUAL
        if action is Action.TIMED:
            return 300
        return PULSE_MS_USUAL if output in PULSE_OUTPUTS else 0


class ContactBarrierConfig(_Part):
    """A barrier, its loops, curtain and lamps as contacts on I/O modules."""

    driver: Annotated[Literal["contact_barrier"], _known("contact_barrier")]
    url: _ModbusUrl | None = None
    device_id: _DeviceId = 1
    profile: Profile | None = None
    modules: dict[str, ModuleConfig] = Field(default_factory=dict)
    inputs: dict[Point, InputConfig]
    outputs: dict[Output, OutputConfig]
    under_boom: list[Point] | None = None
    power_fail: PowerFail = PowerFail.OPEN

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = check_point_map(self.point_map())
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def point_map(self) -> PointMap:
        """Return what is wired where. Raises: ValueError."""
        modules = self._all_modules()
        tables = {
            name: PROFILES[module.profile] for name, module in modules.items() if module.profile
        }
        inputs = tuple(
            config.wire(point, tables.get(config.module)) for point, config in self.inputs.items()
        )
        outputs = tuple(
            config.wire(output, tables.get(config.module))
            for output, config in self.outputs.items()
        )
        wired = frozenset(self.inputs)
        under = self.under_boom
        return PointMap(
            modules=tuple(
                IoModule(
                    name=name,
                    url=parse_modbus_url(module.url, where=f"module {name}"),
                    device_id=module.device_id,
                )
                for name, module in modules.items()
            ),
            inputs=inputs,
            outputs=outputs,
            under_boom=frozenset(
                under if under is not None else wired & {Point.LOOP_2, Point.CURTAIN}
            ),
            power_fail=self.power_fail,
        )

    def _all_modules(self) -> dict[str, ModuleConfig]:
        if self.url is None:
            return self.modules
        if MAIN_MODULE in self.modules:
            raise ValueError(f"module {MAIN_MODULE} is described twice")
        main = ModuleConfig(url=self.url, device_id=self.device_id, profile=self.profile)
        return {MAIN_MODULE: main, **self.modules}


class SerialScannerConfig(_Part):
    """A code scanner on a line."""

    driver: Annotated[Literal["serial_scanner"], _known("serial_scanner")]
    url: _StreamUrl
    dialect: Dialect = Dialect.PLAIN
    gap_framing: bool = False
    """The scanner sends no suffix: 50 ms of silence end a code."""


class FfdcDisplayConfig(_Part):
    """An ``FF DC`` fee display."""

    driver: Annotated[Literal["ffdc_display"], _known("ffdc_display")]
    url: _StreamUrl
    refresh_s: Annotated[float, Field(ge=1, le=60)] = 5.0
    brightness: Annotated[int, Field(ge=0, le=255)] = 255
    voice: bool = True


class JsonPlateCameraConfig(_Part):
    """A plate camera that pushes JSON to this machine."""

    driver: Annotated[Literal["json_plate_camera"], _known("json_plate_camera")]
    url: _HttpUrl
    heartbeat_s: Annotated[float, Field(ge=0.1, le=3600)] | None = None


class JsonEtcReaderConfig(_Part):
    """An ETC reader by docs/devices/etc.md."""

    driver: Annotated[Literal["etc_json"], _known("etc_json")]
    url: _EtcUrl


class DevicesConfig(_Part):
    """All devices of one lane; without a barrier there is no lane."""

    barrier: ContactBarrierConfig
    scanner: SerialScannerConfig | None = None
    display: FfdcDisplayConfig | None = None
    camera: JsonPlateCameraConfig | None = None
    etc: JsonEtcReaderConfig | None = None
