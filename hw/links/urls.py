"""The URLs of a lane file: where a device's line is and how it is set.

A URL is read once, at start; a wrong one is a BadInputError that names what is wrong with it. Equal
values mean the same line, so two devices with the same Modbus URL share one bus.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal
from urllib.parse import SplitResult, parse_qsl, urlsplit

from tolling.errors import BadInputError

Parity = Literal["N", "E", "O"]
BAUD_RATES = frozenset({1200, 2400, 4800, 9600, 19_200, 38_400, 57_600, 115_200, 230_400})
DEFAULT_BAUD = 9600
"""The usual factory value of RS-232 scanners, displays and RS-485 modules."""
MODBUS_PORT = 502
ANSWER_TIMEOUT_MS_MAX = 300
"""A Modbus device that says nothing for longer must not hold its bus: inputs are stale after 500
ms."""
TCP_TIMEOUT_MS = 300
RTU_TIMEOUT_MS = 150
"""10 x a short exchange at 9600; with the guard of 300 ms a silent device costs its bus 450 ms <
500 ms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SerialUrl:
    """A serial line of this machine."""

    path: str
    """Device file, e.g. ``/dev/ttyS1`` or a stable link to it."""
    baud: int = DEFAULT_BAUD
    parity: Parity = "N"
    byte_size: Literal[7, 8] = 8
    stop_bits: Literal[1, 2] = 1

    def __str__(self) -> str:
        return self.path


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpUrl:
    """A TCP port that carries a device's bytes as they are."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class ModbusWire(StrEnum):
    """How Modbus frames travel."""

    TCP = "modbus+tcp"
    """Modbus/TCP: answers carry the number of their request."""
    RTU = "modbus+rtu"
    """Serial line."""
    RTU_TCP = "rtu+tcp"
    """Serial frames through a TCP gateway."""

    @property
    def numbered(self) -> bool:
        """Return whether a late answer can be told from the next one."""
        return self is ModbusWire.TCP


@dataclass(frozen=True, slots=True, kw_only=True)
class ModbusUrl:
    """One Modbus bus."""

    wire: ModbusWire
    line: SerialUrl | TcpUrl
    timeout_ms: int
    """How long one answer may take, 20..300."""

    def __str__(self) -> str:
        return f"{self.wire}://{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenUrl:
    """Where this machine listens for a device that pushes over HTTP."""

    host: str
    port: int
    path: str

    def __str__(self) -> str:
        return f"http://{self.host}:{self.port}{self.path}"


def parse_stream_url(url: str, *, where: str) -> SerialUrl | TcpUrl:
    """Return the line of ``serial:///dev/ttyS1?baud=9600`` or ``tcp://host:port``.

    Args:   where: file and key, for the error.
    Raises: BadInputError.
    """
    parts, query = _split(url, where=where)
    line: SerialUrl | TcpUrl
    if parts.scheme == "serial":
        line = _serial(parts, query, where=where)
    elif parts.scheme == "tcp":
        line = _tcp(parts, where=where)
    else:
        raise _bad(where, "is neither serial:///dev/... nor tcp://host:port")
    _no_more(query, where=where)
    return line


def parse_tcp_url(url: str, *, scheme: str, where: str) -> TcpUrl:
    """Return host and port of ``<scheme>://host:port``. Raises: BadInputError."""
    parts, query = _split(url, where=where)
    if parts.scheme != scheme:
        raise _bad(where, f"does not begin with {scheme}://")
    _no_more(query, where=where)
    return _tcp(parts, where=where)


def parse_modbus_url(url: str, *, where: str) -> ModbusUrl:
    """Return the bus of a ``modbus+tcp://``, ``modbus+rtu://`` or ``rtu+tcp://`` URL.

    Raises: BadInputError.
    """
    parts, query = _split(url, where=where)
    if parts.scheme not in list(ModbusWire):
        raise _bad(where, f"does not begin with {', '.join(f'{wire}://' for wire in ModbusWire)}")
    wire = ModbusWire(parts.scheme)
    usual = TCP_TIMEOUT_MS if wire is ModbusWire.TCP else RTU_TIMEOUT_MS
    timeout_ms = _number(query, "timeout_ms", usual, where=where)
    if not 20 <= timeout_ms <= ANSWER_TIMEOUT_MS_MAX:
        raise _bad(where, f"timeout_ms is not 20..{ANSWER_TIMEOUT_MS_MAX}")
    line: SerialUrl | TcpUrl
    if wire is ModbusWire.RTU:
        line = _serial(parts, query, where=where)
    else:
        line = _tcp(parts, where=where, port=MODBUS_PORT if wire is ModbusWire.TCP else None)
    _no_more(query, where=where)
    return ModbusUrl(wire=wire, line=line, timeout_ms=timeout_ms)


def parse_listen_url(url: str, *, where: str) -> ListenUrl:
    """Return where to listen, from ``http://host:port/path``. Raises: BadInputError."""
    parts, query = _split(url, where=where)
    if parts.scheme != "http":
        raise _bad(where, "does not begin with http://")
    _no_more(query, where=where)
    address = _tcp(SplitResult("tcp", parts.netloc, "", "", ""), where=where, lowest=0)
    return ListenUrl(host=address.host, port=address.port, path=parts.path or "/")


def _split(url: str, *, where: str) -> tuple[SplitResult, dict[str, str]]:
    try:
        parts = urlsplit(url)
        query = (
            dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True))
            if parts.query
            else {}
        )
    except ValueError:
        raise _bad(where, "cannot be read as a URL") from None
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise _bad(where, "holds a user, a password or a fragment; none is used here")
    return parts, query


def _serial(parts: SplitResult, query: dict[str, str], *, where: str) -> SerialUrl:
    if parts.netloc or not parts.path.startswith("/") or len(parts.path) < 2:
        raise _bad(where, "names no device file; write three slashes, as in serial:///dev/ttyS1")
    baud = _number(query, "baud", DEFAULT_BAUD, where=where)
    if baud not in BAUD_RATES:
        raise _bad(where, f"baud is none of {', '.join(map(str, sorted(BAUD_RATES)))}")
    parity = query.pop("parity", "N").upper()
    bits = _number(query, "bits", 8, where=where)
    stop = _number(query, "stop", 1, where=where)
    if parity not in ("N", "E", "O") or bits not in (7, 8) or stop not in (1, 2):
        raise _bad(where, "parity is N, E or O; bits 7 or 8; stop 1 or 2")
    return SerialUrl(
        path=parts.path,
        baud=baud,
        parity="N" if parity == "N" else "E" if parity == "E" else "O",
        byte_size=8 if bits == 8 else 7,
        stop_bits=1 if stop == 1 else 2,
    )


def _tcp(parts: SplitResult, *, where: str, port: int | None = None, lowest: int = 1) -> TcpUrl:
    try:
        named = parts.port
    except ValueError:
        raise _bad(where, "has a port outside 1..65535") from None
    found = named if named is not None else port
    if not parts.hostname or found is None or found < lowest or parts.path not in ("", "/"):
        raise _bad(where, "is not of the form scheme://host:port")
    return TcpUrl(host=parts.hostname, port=found)


def _number(query: dict[str, str], key: str, usual: int, *, where: str) -> int:
    text = query.pop(key, None)
    if text is None:
        return usual
    if not (text.isascii() and text.isdigit() and len(text) <= 7):
        raise _bad(where, f"{key} is no whole number")
    return int(text)


def _no_more(query: dict[str, str], *, where: str) -> None:
    if query:
        raise _bad(where, f"has unknown settings: {', '.join(sorted(query))}")


def _bad(where: str, what: str) -> BadInputError:
    return BadInputError(where=where, what=f"the url {what}")
