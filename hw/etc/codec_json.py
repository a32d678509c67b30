"""The line-based JSON of an ETC reader: bytes <-> messages. Pure. The protocol is
docs/devices/etc.md."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from tolling.devices import EtcTag
from tolling.errors import DeviceProtocolError
from tolling.messages import EntryFound
from tolling.tariffs import EntrySource
from tolling.vehicles import Plate, PlateColour, VehicleClass, parse_plate

LINE_BYTES_MAX = 4096
FEN_MAX = 10_000_000
UTC_MS_MAX = 1 << 43
_REFERENCE = re.compile(r"[0-9A-Z]{1,32}", re.ASCII)
_TAG_ID = re.compile(r"[0-9A-Za-z-]{1,32}", re.ASCII)
_PRINTABLE = re.compile(r"[\x20-\x7E]+", re.ASCII)


class ChargeState(StrEnum):
    """How a charge stands at the reader."""

    CHARGED = "charged"
    """The amount was taken."""
    REFUSED = "refused"
    """Nothing was taken and nothing will be."""
    NONE = "none"
    """No charge with this reference ever began."""
    BUSY = "busy"
    """It is under way."""
    CONFLICT = "conflict"
    """The reference belongs to another tag or amount."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """The reader is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TagSeen:
    """A tag answers at the window."""

    visit: str
    tag: EtcTag


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeAnswer:
    """How a charge stands."""

    request_id: int
    reference: str
    state: ChargeState
    charged_fen: int
    txn_id: str | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorAnswer:
    """The reader took a request for wrong; it charged nothing by it."""

    request_id: int | None
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A message of a newer reader; ignored."""


Message = Heartbeat | TagSeen | ChargeAnswer | ErrorAnswer | Unknown


def charge_line(*, request_id: int, reference: str, tag_id: str, amount_fen: int) -> bytes:
    """Return the line that charges a tag once per reference."""
    assert _REFERENCE.fullmatch(reference), "a reference is 1..32 of 0-9 A-Z"
    assert _TAG_ID.fullmatch(tag_id), "a tag id is 1..32 of 0-9 A-Z a-z -"
    assert 1 <= amount_fen <= FEN_MAX, "an amount is 1..10,000,000 fen"
    return _line(
        op="charge", id=request_id, reference=reference, tag_id=tag_id, amount_fen=amount_fen
    )


def query_line(*, request_id: int, reference: str) -> bytes:
    """Return the line that asks how a charge ended."""
    assert _REFERENCE.fullmatch(reference), "a reference is 1..32 of 0-9 A-Z"
    return _line(op="query", id=request_id, reference=reference)


class LineSplitter:
    """Bytes of one connection -> lines without their ends. Make a new one for a new connection."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that *data* completes; whole or byte by byte is the same.

        Raises: DeviceProtocolError: a line is too long; the connection is of no more use.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        if any(len(line) >= LINE_BYTES_MAX for line in (*lines, self._rest)):
            raise _bad(f"a line is longer than {LINE_BYTES_MAX} bytes")
        return [line.removesuffix(b"\r") for line in lines]


def parse_line(line: bytes) -> Message:
    """Return the message of one line. Raises: DeviceProtocolError: names what is wrong."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        raise _bad("a line is not JSON in UTF-8") from None
    if not isinstance(message, dict):
        raise _bad("a line is not a JSON object")
    match message.get("op"):
        case "heartbeat":
            return Heartbeat()
        case "tag":
            return _tag(message)
        case "answer":
            return _answer(message)
        case "error":
            given = message.get("id")
            number = None if given is None else _integer(message, "id", 1, 1 << 31)
            return ErrorAnswer(request_id=number, what=_text(message, "what", 200))
        case str():
            return Unknown()
        case _:
            raise _bad("op is missing")


def _tag(message: Mapping[str, object]) -> TagSeen:
    tag_id = _text(message, "tag_id", 32)
    if _TAG_ID.fullmatch(tag_id) is None:
        raise _bad("tag_id is not 1..32 of 0-9 A-Z a-z -")
    tag = EtcTag(
        tag_id=tag_id,
        entry=_entry(message),
        plate=_plate(message),
        balance_fen=_integer(message, "balance_fen", 0, FEN_MAX),
    )
    visit = _text(message, "visit", 32)
    if _PRINTABLE.fullmatch(visit) is None:
        raise _bad("visit is not printable ASCII")
    return TagSeen(visit=visit, tag=tag)


def _plate(message: Mapping[str, object]) -> Plate | None:
    given = _part(message, "plate")
    if given is None:
        return None
    colour = given.get("colour")
    known = colour if isinstance(colour, str) and colour in list(PlateColour) else "unknown"
    plate = parse_plate(_text(given, "text", 16), PlateColour(known))
    if plate is None:
        raise _bad("plate.text is no plate")
    return plate


def _entry(message: Mapping[str, object]) -> EntryFound | None:
    given = _part(message, "entry")
    if given is None:
        return None
    number = _integer(given, "vehicle_class", 1, 26)
    if number not in list(VehicleClass):
        raise _bad("entry.vehicle_class is no vehicle class")
    return EntryFound(
        entry_station=_text(given, "station", 32),
        entered_ms=_integer(given, "entered_ms", 0, UTC_MS_MAX),
        vehicle_class=VehicleClass(number),
        source=EntrySource.MEDIUM,
    )


def _answer(message: Mapping[str, object]) -> ChargeAnswer:
    state = _text(message, "state", 16)
    if state not in list(ChargeState):
        raise _bad("state is unknown")
    charged_fen = _integer(message, "charged_fen", 0, FEN_MAX)
    txn_id = None if message.get("txn_id") is None else _text(message, "txn_id", 64)
    charged = state == ChargeState.CHARGED
    if charged is not (charged_fen > 0) or charged is not (txn_id is not None):
        raise _bad("an answer has an amount and a txn_id exactly where it is charged")
    reason = message.get("reason")
    if not isinstance(reason, str) or len(reason) > 64 or not reason.isprintable():
        raise _bad("reason is no printable text of at most 64 characters")
    return ChargeAnswer(
        request_id=_integer(message, "id", 1, 1 << 31),
        reference=_text(message, "reference", 32),
        state=ChargeState(state),
        charged_fen=charged_fen,
        txn_id=txn_id,
        reason=reason,
    )


def _part(message: Mapping[str, object], key: str) -> Mapping[str, object] | None:
    value = message.get(key)
    if value is not None and not isinstance(value, dict):
        raise _bad(f"{key} is neither an object nor null")
    return value


def _text(message: Mapping[str, object], key: str, longest: int) -> str:
    value = message.get(key)
    if not isinstance(value, str) or not 1 <= len(value) <= longest or not value.isprintable():
        raise _bad(f"{key} is no printable text of 1..{longest} characters")
    return value


def _integer(message: Mapping[str, object], key: str, lowest: int, highest: int) -> int:
    value = message.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
        raise _bad(f"{key} is no whole number {lowest}..{highest}")
    return value


def _line(**fields: str | int) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode("utf-8") + b"\n"


def _bad(what: str) -> DeviceProtocolError:
    return DeviceProtocolError(where="ETC reader", what=what)
