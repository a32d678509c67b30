"""I/O modules as makers lay them out: which address is which channel, over the model's wires.

Sources: makers' register maps as listed in docs/simulator.md. ADAM-6050: inputs are coils 0..11,
outputs coils 16..21. Moxa ioLogik: inputs are discrete inputs, outputs coils. Waveshare relay:
coils 0..7, discrete inputs 0..7, ``0x0200 + n`` written with v = relay n on for v x 100 ms,
``0x0400 + n`` the same with off, 0x00FF all on or off, 0x01FF all toggled. ``generic`` is our own
plain map, with the inputs packed into input register 0 and the outputs into holding register 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from simulator.emulators.modbus_pdu import ILLEGAL_ADDRESS, ILLEGAL_VALUE, ModbusError
from simulator.models.io_modules import IoModules
from tolling.inputs import Output, Point

ON, OFF = 0xFF00, 0x0000
TOGGLE = 0x5500
FLASH_UNIT_MS = 100
FLASH_MAX = 0x7FFF
USUAL_INPUTS: Mapping[Point, int] = {
    Point.BOOM_UP: 0,
    Point.BOOM_DOWN: 1,
    Point.LOOP_1: 2,
    Point.LOOP_2: 3,
    Point.CURTAIN: 4,
}
"""Input channel of each point where a config names none."""
USUAL_OUTPUTS: Mapping[Output, int] = {
    Output.RAISE: 0,
    Output.LOWER: 1,
    Output.LANE_GREEN: 2,
    Output.CANOPY_GREEN: 3,
    Output.ALARM: 4,
}


class Profile(StrEnum):
    """A maker's model."""

    GENERIC = "generic"
    ADAM_6050 = "adam_6050"
    MOXA_IOLOGIK_E1212 = "moxa_iologik_e1212"
    WAVESHARE_RELAY_8CH = "waveshare_relay_8ch"
    WAVESHARE_IO_8CH = "waveshare_io_8ch"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    inputs: int
    outputs: int
    input_coil: int | None = None
    """First input among the coils; None: inputs are discrete inputs from 0."""
    output_coil: int = 0
    flashes: bool = False
    packed: bool = False
    modes: bool = False
    """Holding registers 0x1000.. keep the outputs' modes."""


_LAYOUTS: dict[Profile, _Layout] = {
    Profile.GENERIC: _Layout(inputs=16, outputs=16, packed=True),
    Profile.ADAM_6050: _Layout(inputs=12, outputs=6, input_coil=0, output_coil=16),
    Profile.MOXA_IOLOGIK_E1212: _Layout(inputs=8, outputs=8),
    Profile.WAVESHARE_RELAY_8CH: _Layout(inputs=8, outputs=8, flashes=True),
    Profile.WAVESHARE_IO_8CH: _Layout(inputs=8, outputs=8, modes=True),
}
_ALL, _ALL_TOGGLE, _FLASH_ON, _FLASH_OFF, _MODES = 0x00FF, 0x01FF, 0x0200, 0x0400, 0x1000


class IoUnit:
    """One module of a lane as a Modbus unit."""

    def __init__(
        self,
        io: IoModules,
        now_ns: Callable[[], int],
        *,
        module: str,
        profile: Profile,
        inputs: Mapping[Point, int],
        outputs: Mapping[Output, int],
    ) -> None:
        layout = _LAYOUTS[profile]
        assert all(0 <= channel < layout.inputs for channel in inputs.values()), "no such input"
        assert all(0 <= channel < layout.outputs for channel in outputs.values()), "no such output"
        self._io = io
        self._now_ns = now_ns
        self._layout = layout
        self.module = module
        self._points = {channel: point for point, channel in inputs.items()}
        self._outputs = {channel: output for output, channel in outputs.items()}
        self._spare = [False] * layout.outputs
        self._modes = [0] * layout.outputs

    # -- reading ----------------------------------------------------------------------------------

    def coil(self, address: int) -> bool:
        """Return one coil."""
        layout = self._layout
        if layout.input_coil is not None and 0 <= address - layout.input_coil < layout.inputs:
            return self._input(address - layout.input_coil)
        return self._output(self._channel(address))

    def discrete(self, address: int) -> bool:
        """Return one discrete input."""
        if self._layout.input_coil is not None or address >= self._layout.inputs:
            raise ModbusError(ILLEGAL_ADDRESS)
        return self._input(address)

    def holding(self, address: int) -> int:
        """Return one holding register."""
        if self._layout.packed and address == 0:
            return sum(self._output(at) << at for at in range(self._layout.outputs))
        if self._layout.modes and 0 <= address - _MODES < self._layout.outputs:
            return self._modes[address - _MODES]
        raise ModbusError(ILLEGAL_ADDRESS)

    def input_word(self, address: int) -> int:
        """Return one input register."""
        if self._layout.packed and address == 0:
            return sum(self._input(at) << at for at in range(self._layout.inputs))
        raise ModbusError(ILLEGAL_ADDRESS)

    # -- writing ----------------------------------------------------------------------------------

    def check_coil(self, address: int, value: int) -> None:
        """Refuse an address without an output and a value that means nothing there."""
        if self._layout.flashes:
            if address in (_ALL, _ALL_TOGGLE):
                if value not in (ON, OFF):
                    raise ModbusError(ILLEGAL_VALUE)
                return
            for base in (_FLASH_ON, _FLASH_OFF):
                if 0 <= address - base < self._layout.outputs:
                    if not 1 <= value <= FLASH_MAX:
                        raise ModbusError(ILLEGAL_VALUE)
                    return
        self._channel(address)
        allowed = (ON, OFF, TOGGLE) if self._layout.flashes else (ON, OFF)
        if value not in allowed:
            raise ModbusError(ILLEGAL_VALUE)

    def write_coil(self, address: int, value: int) -> None:
        """Write one coil that has been checked."""
        if self._layout.flashes and address >= _ALL:
            self._special(address, value)
            return
        channel = self._channel(address)
        self._set(channel, not self._output(channel) if value == TOGGLE else value == ON)

    def check_holding(self, address: int, value: int) -> None:
        """Refuse a register that is none or not to be written."""
        if self._layout.packed and address == 0:
            return
        if self._layout.modes and 0 <= address - _MODES < self._layout.outputs:
            if value > 3:
                raise ModbusError(ILLEGAL_VALUE)
            return
        raise ModbusError(ILLEGAL_ADDRESS)

    def write_holding(self, address: int, value: int) -> None:
        """Write one register that has been checked."""
        if address >= _MODES:
            self._modes[address - _MODES] = value
            return
        for channel in range(self._layout.outputs):
            self._set(channel, bool(value >> channel & 1))

    # -- inside -----------------------------------------------------------------------------------

    def _channel(self, address: int) -> int:
        channel = address - self._layout.output_coil
        if not 0 <= channel < self._layout.outputs:
            raise ModbusError(ILLEGAL_ADDRESS)
        return channel

    def _input(self, channel: int) -> bool:
        point = self._points.get(channel)
        return False if point is None else self._io.energised(point, self._now_ns())

    def _output(self, channel: int) -> bool:
        output = self._outputs.get(channel)
        if output is None:
            return self._spare[channel]
        # A timed pulse that is over reads off, whenever its tick comes.
        self._io.tick(self._now_ns())
        return self._io.relay(output)

    def _set(self, channel: int, on: bool) -> None:
        output = self._outputs.get(channel)
        if output is None:
            self._spare[channel] = on
        elif self._io.relay(output) != on:
            self._io.write(output, on, self._now_ns())

    def _special(self, address: int, value: int) -> None:
        if address == _ALL:
            for channel in range(self._layout.outputs):
                self._set(channel, value == ON)
        elif address == _ALL_TOGGLE:
            for channel in range(self._layout.outputs):
                self._set(channel, not self._output(channel))
        elif address < _FLASH_OFF:
            self._flash(address - _FLASH_ON, value * FLASH_UNIT_MS)
        else:
            # Off for a time, then on again: no lane wires a boom to that.
            self._set(address - _FLASH_OFF, False)

    def _flash(self, channel: int, ms: int) -> None:
        output = self._outputs.get(channel)
        if output is not None:
            self._io.pulse(output, min(ms, 60_000), self._now_ns())
