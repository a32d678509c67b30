"""Words about devices: who they are, how they are, what they delivered."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tolling.ids import OutTradeNo
from tolling.messages import EntryFound
from tolling.vehicles import Plate


class Device(StrEnum):
    """The devices of a lane by their role; a lane file names each at most once."""

    BARRIER = "barrier"
    INPUTS = "inputs"
    """Loops, curtain and limit switches (usually the barrier's modules)."""
    LAMPS = "lamps"
    DISPLAY = "display"
    VOICE = "voice"
    SCANNER = "scanner"
    CAMERA = "camera"
    ETC = "etc"
    PRINTER = "printer"


class Health(StrEnum):
    """How a device is, from round trips and never from open ports."""

    CONNECTING = "connecting"
    """Not heard of yet."""
    OK = "ok"
    """Answers."""
    ASSUMED = "assumed"
    """One-way: its line takes bytes, more cannot be known."""
    DEGRADED = "degraded"
    """Answers, with trouble."""
    LOST = "lost"
    """Does not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthReport:
    """A device's health changed."""

    device: Device
    health: Health
    what: str
    """For people: what was seen, without any input of a driver."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlateReading:
    """The camera saw a vehicle. plate is None where it could not be read."""

    plate: Plate | None
    confidence_percent: int
    """0..100."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EtcTag:
    """The ETC antenna talks with a tag of a vehicle at the window."""

    tag_id: str
    entry: EntryFound | None
    plate: Plate | None
    balance_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EtcOutcome:
    """The end of an ETC charge."""

    reference: str
    """The lane's own number of this charge (its passage_id); repeated = not charged again."""
    charged_fen: int
    """0 where it was refused."""
    txn_id: str | None
    reason: str
    """Empty, or why it was refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldCode:
    """Ties a code in the shell's memory to the order that spends it."""

    out_trade_no: OutTradeNo
    keyed_hash: str
