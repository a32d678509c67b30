"""Modbus requests and answers as bytes, the server's side. Pure; written from the public
specification.

A PDU is function code and data. This file takes requests apart, asks a unit for bits and words, and
builds answers and exceptions. Framing (TCP header, RTU address and CRC) is in ``modbus_frames``.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import error as StructError  # noqa: N812 - the struct module's own error
from struct import pack, unpack
from typing import Protocol

BITS_MAX = 2_000
WORDS_MAX = 125
WRITE_BITS_MAX = 1_968
WRITE_WORDS_MAX = 123
ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE = 1, 2, 3
GATEWAY_NO_ANSWER = 0x0B
"""What a gateway says of a unit that is not there."""


class ModbusError(Exception):
    """A request is answered by an exception."""

    def __init__(self, code: int) -> None:
        super().__init__(f"exception {code}")
        self.code = code


class Unit(Protocol):
    """A device's tables. A method raises ModbusError where the device has no such thing."""

    def coil(self, address: int) -> bool:
        """Return one coil."""
        ...

    def discrete(self, address: int) -> bool:
        """Return one discrete input."""
        ...

    def holding(self, address: int) -> int:
        """Return one holding register, 0..65535."""
        ...

    def input_word(self, address: int) -> int:
        """Return one input register, 0..65535."""
        ...

    def check_coil(self, address: int, value: int) -> None:
        """Refuse a coil that cannot be written with *value* (0xFF00, 0, or a maker's own)."""
        ...

    def write_coil(self, address: int, value: int) -> None:
        """Write one coil that has been checked."""
        ...

    def check_holding(self, address: int, value: int) -> None:
        """Refuse a register that cannot be written with *value*."""
        ...

    def write_holding(self, address: int, value: int) -> None:
        """Write one register that has been checked."""
        ...


def answer(pdu: bytes, unit: Unit) -> bytes:
    """Return the answer to one request, an exception where it is wrong."""
    if not pdu:
        return bytes([0x80, ILLEGAL_FUNCTION])
    code = pdu[0]
    handler = _HANDLERS.get(code)
    try:
        if handler is None:
            raise ModbusError(ILLEGAL_FUNCTION)
        return bytes([code]) + handler(pdu[1:], unit)
    except ModbusError as refused:
        return bytes([code | 0x80, refused.code])


def refusal(pdu: bytes, code: int) -> bytes:
    """Return the exception *code* as the answer to a request."""
    return bytes([(pdu[0] if pdu else 0) | 0x80, code])


def is_write(pdu: bytes) -> bool:
    """Return whether a request writes, so that it may be sent to all units at once."""
    return bool(pdu) and pdu[0] in (5, 6, 15, 16)


def _numbers(data: bytes, layout: str) -> tuple[int, ...]:
    try:
        return tuple(unpack(layout, data))
    except StructError:
        raise ModbusError(ILLEGAL_VALUE) from None


def _span(data: bytes, most: int) -> range:
    first, count = _numbers(data, ">HH")
    if not 1 <= count <= most:
        raise ModbusError(ILLEGAL_VALUE)
    if first + count > 0x10000:
        raise ModbusError(ILLEGAL_ADDRESS)
    return range(first, first + count)


def _packed(bits: list[bool]) -> bytes:
    data = bytearray((len(bits) + 7) // 8)
    for at, bit in enumerate(bits):
        data[at // 8] |= bit << at % 8
    return bytes([len(data)]) + bytes(data)


def _read_bits(read: Callable[[Unit, int], bool]) -> Callable[[bytes, Unit], bytes]:
    def handler(data: bytes, unit: Unit) -> bytes:
        return _packed([read(unit, address) for address in _span(data, BITS_MAX)])

    return handler


def _read_words(read: Callable[[Unit, int], int]) -> Callable[[bytes, Unit], bytes]:
    def handler(data: bytes, unit: Unit) -> bytes:
        words = [read(unit, address) for address in _span(data, WORDS_MAX)]
        return bytes([2 * len(words)]) + pack(f">{len(words)}H", *words)

    return handler


def _write_coil(data: bytes, unit: Unit) -> bytes:
    address, value = _numbers(data, ">HH")
    unit.check_coil(address, value)
    unit.write_coil(address, value)
    return data


def _write_word(data: bytes, unit: Unit) -> bytes:
    address, value = _numbers(data, ">HH")
    unit.check_holding(address, value)
    unit.write_holding(address, value)
    return data


def _write_coils(data: bytes, unit: Unit) -> bytes:
    span = _span(data[:4], WRITE_BITS_MAX)
    packed = data[5:]
    if len(data) < 5 or data[4] != len(packed) or len(packed) != (len(span) + 7) // 8:
        raise ModbusError(ILLEGAL_VALUE)
    values = [0xFF00 if packed[at // 8] >> at % 8 & 1 else 0 for at in range(len(span))]
    for address, value in zip(span, values, strict=True):
        unit.check_coil(address, value)
    for address, value in zip(span, values, strict=True):
        unit.write_coil(address, value)
    return data[:4]


def _write_words(data: bytes, unit: Unit) -> bytes:
    span = _span(data[:4], WRITE_WORDS_MAX)
    packed = data[5:]
    if len(data) < 5 or data[4] != len(packed) or len(packed) != 2 * len(span):
        raise ModbusError(ILLEGAL_VALUE)
    values = unpack(f">{len(span)}H", packed)
    for address, value in zip(span, values, strict=True):
        unit.check_holding(address, value)
    for address, value in zip(span, values, strict=True):
        unit.write_holding(address, value)
    return data[:4]


_HANDLERS: dict[int, Callable[[bytes, Unit], bytes]] = {
    1: _read_bits(lambda unit, address: unit.coil(address)),
    2: _read_bits(lambda unit, address: unit.discrete(address)),
    3: _read_words(lambda unit, address: unit.holding(address)),
    4: _read_words(lambda unit, address: unit.input_word(address)),
    5: _write_coil,
    6: _write_word,
    15: _write_coils,
    16: _write_words,
}
