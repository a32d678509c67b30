"""Modbus writes whose echo can be checked whole.

The library's own FC 05 turns the echoed value into a bool, so neither a wrong echo of a level nor
the echo of a timed pulse (Waveshare: value = n x 100 ms) could be told. This one keeps the 16 bits.
"""

from __future__ import annotations

import struct

from pymodbus.pdu import ModbusPDU

COIL_ON = 0xFF00
COIL_OFF = 0x0000


class WriteCoilValue(ModbusPDU):
    """FC 05 with any 16-bit value, as request and as answer."""

    function_code = 5
    rtu_frame_size = 8

    def __init__(
        self, dev_id: int = 0, transaction_id: int = 0, address: int = 0, value: int = COIL_OFF
    ) -> None:
        super().__init__(dev_id=dev_id, transaction_id=transaction_id, address=address)
        self.value = value

    def encode(self) -> bytes:
        """Return address and value, big-endian."""
        return struct.pack(">HH", self.address, self.value)

    def decode(self, data: bytes) -> None:
        """Read address and value. Raises: struct.error: too short."""
        self.address, self.value = struct.unpack(">HH", data[:4])
