"""I/O modules whose tables are known, so that a lane file can name channels.

Addresses are as on the wire (from 0). Sources: makers' manuals as cited in docs/devices/barrier.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hw.links.tables import Table


class Profile(StrEnum):
    """A model, by its name in the lane file."""

    ADAM_6050 = "adam_6050"
    """Advantech: 12 inputs, 6 outputs, Modbus/TCP."""
    MOXA_IOLOGIK_E1212 = "moxa_iologik_e1212"
    """Moxa: 8 inputs, 8 lines that are set as outputs, Modbus/TCP, addresses as delivered."""
    WAVESHARE_RELAY_8CH = "waveshare_relay_8ch"
    """Waveshare relays with 8 inputs; pulses timed by the module."""
    WAVESHARE_IO_8CH = "waveshare_io_8ch"
    """Waveshare 8 inputs, 8 transistor outputs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleTables:
    """Where a model's channels are."""

    input_table: Table
    input_first: int
    inputs: int
    output_first: int
    """Of the coils."""
    outputs: int
    timed_first: int | None = None
    """Coil address of "flash on" for output 0, value n x 100 ms; None where the model has none."""


PROFILES: dict[Profile, ModuleTables] = {
    Profile.ADAM_6050: ModuleTables(
        input_table=Table.COIL, input_first=0, inputs=12, output_first=16, outputs=6
    ),
    Profile.MOXA_IOLOGIK_E1212: ModuleTables(
        input_table=Table.DISCRETE, input_first=0, inputs=8, output_first=0, outputs=8
    ),
    Profile.WAVESHARE_RELAY_8CH: ModuleTables(
        input_table=Table.DISCRETE,
        input_first=0,
        inputs=8,
        output_first=0,
        outputs=8,
        timed_first=0x0200,
    ),
    Profile.WAVESHARE_IO_8CH: ModuleTables(
        input_table=Table.DISCRETE, input_first=0, inputs=8, output_first=0, outputs=8
    ),
}
