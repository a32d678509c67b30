"""What comes from and goes to a code scanner on a byte stream. Pure.

A scanner sends a code's characters and a terminator (CR, LF or CR LF) and, on the same line,
answers to commands. So the stream is a state machine over lines:

- A line's bytes are collected up to its terminator; then they are one code. More than 600 bytes are
  no code: everything up to the next terminator is dropped.
- ACK, NAK and ENQ at the start of a line are answers. So is a Honeywell menu command echoed before
  one (``CBRENA1`` ACK), a Newland answer (``02 01 30 30 30 30 ... 3B 03``) and the fixed seven
  bytes cheap engines answer a trigger with. What only begins like an answer is a line like any
  other: a code that carries control characters must neither vanish nor swallow the code behind it.
- Bytes without a terminator are dropped after a silence (the driver keeps the time), unless the
  scanner is known to send no suffix: then the silence is the terminator.

Source: makers' serial command pages as listed in docs/devices/scanner.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum

LINE_BYTES_MAX = 600
"""The longest pay code (EMVCo) is 512 characters."""
_CR, _LF, _STX, _ETX = 0x0D, 0x0A, 0x02, 0x03
_ENGINE_ANSWER = bytes.fromhex("02000001003331")
_NEWLAND_START = bytes.fromhex("020130303030")
_NEWLAND_END = bytes.fromhex("3B03")
_MENU_ECHO = re.compile(rb"[A-Za-z]{6}[\x21-\x7E]*")
"""A Honeywell menu command: three-letter tag and sub-tag, data."""
_MENU_ENDS = b".!"
"""Closes a menu command; echoed behind the answer."""


class Dialect(StrEnum):
    """Whose trigger commands are spoken."""

    PLAIN = "plain"
    """None: the scanner decodes whatever it sees."""
    HONEYWELL = "honeywell"
    """SYN T CR starts, SYN U CR stops; the scanner must be in its serial trigger mode."""
    NEWLAND = "newland"
    """SOH T EOT starts, the volatile setting SCNTRG0 stops."""


class AnswerKind(StrEnum):
    """What a scanner said to a command."""

    ACK = "ack"
    NAK = "nak"
    ENQ = "enq"
    """The command is not known to it."""


_ANSWERS = {0x06: AnswerKind.ACK, 0x15: AnswerKind.NAK, 0x05: AnswerKind.ENQ}


@dataclass(frozen=True, slots=True)
class Code:
    """The bytes of one line. They may be a pay code: not in repr."""

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to a command."""

    kind: AnswerKind


@dataclass(frozen=True, slots=True)
class Dropped:
    """Bytes that are no code."""

    why: str


ScanEvent = Code | Answer | Dropped

_TRIGGER: dict[Dialect, tuple[bytes, bytes]] = {
    Dialect.PLAIN: (b"", b""),
    Dialect.HONEYWELL: (b"\x16T\r", b"\x16U\r"),
    Dialect.NEWLAND: (b"\x01T\x04", b"\x7e\x010000#SCNTRG0;\x03"),
}


def trigger(dialect: Dialect, *, on: bool) -> bytes:
    """Return the command that starts or stops decoding; empty where the dialect has none."""
    start, stop = _TRIGGER[dialect]
    return start if on else stop


class ScanParser:
    """Bytes of one connection -> events. Make a new one for a new connection."""

    def __init__(self, *, gap_framing: bool = False) -> None:
        self._gap_framing = gap_framing
        self._line = bytearray()
        self._overflow = False
        self._after_cr = False
        self._after_answer = False

    @property
    def pending(self) -> bool:
        """Whether bytes wait for their terminator."""
        return self._overflow or bool(self._line)

    def feed(self, data: bytes) -> list[ScanEvent]:
        """Return the events that *data* completes, in order; whole or byte by byte is the same."""
        events: list[ScanEvent] = []
        for byte in data:
            event = self._take(byte)
            if event is not None:
                events.append(event)
        return events

    def silence(self) -> list[ScanEvent]:
        """The line was silent: end a code where silence ends one, else drop what has no
        terminator."""
        if not self.pending:
            return []
        whole = self._gap_framing and not self._overflow
        event: ScanEvent = (
            Code(bytes(self._line)) if whole else Dropped("bytes without a terminator")
        )
        self._begin_line()
        return [event]

    def _take(self, byte: int) -> ScanEvent | None:
        after_cr, self._after_cr = self._after_cr, byte == _CR
        after_answer, self._after_answer = self._after_answer, False
        if byte == _LF and after_cr:
            return None
        if byte in (_CR, _LF):
            return self._end_line()
        if self._overflow:
            return None
        if byte in _ANSWERS and self._is_answer():
            self._begin_line()
            self._after_answer = True
            return Answer(_ANSWERS[byte])
        if after_answer and byte in _MENU_ENDS:
            return None
        self._line.append(byte)
        return self._framed_answer() if self._line[0] == _STX else self._check_length()

    def _is_answer(self) -> bool:
        return not self._line or _MENU_ECHO.fullmatch(bytes(self._line)) is not None

    def _framed_answer(self) -> ScanEvent | None:
        """Return the framed answer the line has become, if it has."""
        line = bytes(self._line)
        if line == _ENGINE_ANSWER:
            self._begin_line()
            return Answer(AnswerKind.ACK)
        if line.startswith(_NEWLAND_START) and line.endswith(_NEWLAND_END):
            self._begin_line()
            kinds = [_ANSWERS[byte] for byte in line if byte in _ANSWERS]
            return Answer(kinds[0]) if kinds else Dropped("an answer without ACK or NAK")
        return self._check_length()

    def _check_length(self) -> ScanEvent | None:
        if len(self._line) <= LINE_BYTES_MAX:
            return None
        self._begin_line()
        self._overflow = True
        return Dropped(f"more than {LINE_BYTES_MAX} bytes without a terminator")

    def _end_line(self) -> ScanEvent | None:
        event = Code(bytes(self._line)) if self._line else None
        self._begin_line()
        return event

    def _begin_line(self) -> None:
        self._line.clear()
        self._overflow = False
