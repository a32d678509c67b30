"""Facts that arrived at the lane: the core's only input. Mirror of commands.py.

An Event is a fact with the moment it is taken: ``at_ns`` on the lane's monotonic base (never
backwards, also
over restarts) and the wall clock with its quality. Facts are values, journalled as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tolling.clock import WallTime
from tolling.coupons import CouponAnswer, CouponRef
from tolling.devices import Device, EtcOutcome, EtcTag, Health
from tolling.evolve import quick
from tolling.ids import BootId, OutTradeNo, PassageId
from tolling.inputs import LowerRefusal, Point, Reading
from tolling.messages import EntryFound, OperatorCommand, PaymentAnswer
from tolling.paycodes import NotAPayCode, PayCodeRef, Wallet
from tolling.tariffs import TariffSet
from tolling.vehicles import Plate


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The process began with a state from the journal, or a new one."""

    boot_id: BootId
    downtime_ms: int | None
    """How long nothing watched the lane; None where it cannot be told (other boot of the
    machine)."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class InputChanged:
    """An input reads differently, or for the first time."""

    point: Point
    reading: Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class LowerAnswered:
    """The barrier driver answered LowerIfClear: pulsed (None) or refused."""

    refusal: LowerRefusal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BarrierFailed:
    """A raise or lower ended in a device error; whether a pulse went out is not known."""

    raising: bool


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceChanged:
    """A device's health changed."""

    device: Device
    health: Health
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlateRead:
    """The camera saw the vehicle at the window; plate None where it could not be read."""

    plate: Plate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TagRead:
    """The ETC antenna talks with a tag at the window."""

    tag: EtcTag


@dataclass(frozen=True, slots=True, kw_only=True)
class EtcAnswered:
    """An ETC charge or query ended; outcome None where it never began, failed=True where nobody
    knows."""

    passage_id: PassageId
    outcome: EtcOutcome | None
    failed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryKnown:
    """The plaza answered an entry look-up; entry None where it knows nothing or did not answer."""

    passage_id: PassageId
    entry: EntryFound | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TollShown:
    """The toll's frame is on the line of the display or the voice."""

    passage_id: PassageId
    device: Device


@dataclass(frozen=True, slots=True, kw_only=True)
class TollNotShown:
    """Neither display nor voice took the toll."""

    passage_id: PassageId


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeScanned:
    """A pay code was scanned; its text stays in the shell."""

    ref: PayCodeRef


@dataclass(frozen=True, slots=True, kw_only=True)
class CouponScanned:
    """A coupon was scanned; its text stays in the shell."""

    ref: CouponRef


@dataclass(frozen=True, slots=True, kw_only=True)
class CouponAnswered:
    """The plaza said whether it holds a coupon for a passage."""

    answer: CouponAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class NotCodeScanned:
    """Something was scanned that is no pay code."""

    reason: NotAPayCode


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderAnswered:
    """The plaza said where an order is."""

    answer: PaymentAnswer


class NoAnswer(StrEnum):
    """Why a call about an order brought no answer."""

    TIMEOUT = "timeout"
    """Sent, not answered in time."""
    UNREACHABLE = "unreachable"
    """Never left the lane."""
    NOT_FOUND = "not_found"
    """404: the plaza does not know the number; proves nothing."""
    REJECTED = "rejected"
    """4xx: the plaza refused the call itself; no order was made by it."""
    CODE_GONE = "code_gone"
    """The code was no longer in memory, so nothing was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderUnanswered:
    """A call about an order brought no answer."""

    out_trade_no: OutTradeNo
    why: NoAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class CouponUnanswered:
    """A call that was to reserve a coupon brought no answer."""

    passage_id: PassageId
    attempt: int
    why: NoAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorActed:
    """A person ordered something; the engine has let only fresh commands through."""

    command: OperatorCommand


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkChanged:
    """The link to the plaza or to the broker came or went (3 s rule of the engine)."""

    link: str
    """``plaza`` or ``broker``."""
    up: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TariffsInstalled:
    """Checked tariff sets are in the lane."""

    sets: tuple[TariffSet, ...]
    """Current and next, or only one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochGranted:
    """The plaza enrolled the lane, or re-anchored it."""

    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WalletsChanged:
    """The plaza told whose codes no platform takes now."""

    off: tuple[Wallet, ...]


class StoreState(StrEnum):
    """How the lane's own store is."""

    OK = "ok"
    SLOW = "slow"
    """A commit has taken longer than 1 s."""
    FULL = "full"
    """The disk is full; the ballast is freed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreChanged:
    """The lane's store changed its condition."""

    store: StoreState


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultCaught:
    """An assertion failed in core or engine; the event that did it lies aside."""

    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wakeup:
    """A timer asked for by RequestWakeup is due."""

    timer_id: str


Fact = (
    Started
    | InputChanged
    | LowerAnswered
    | BarrierFailed
    | DeviceChanged
    | PlateRead
    | TagRead
    | EtcAnswered
    | EntryKnown
    | TollShown
    | TollNotShown
    | CodeScanned
    | CouponScanned
    | NotCodeScanned
    | OrderAnswered
    | OrderUnanswered
    | CouponAnswered
    | CouponUnanswered
    | OperatorActed
    | LinkChanged
    | TariffsInstalled
    | EpochGranted
    | WalletsChanged
    | StoreChanged
    | FaultCaught
    | Wakeup
)


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One fact at its moment."""

    at_ns: int
    wall: WallTime
    fact: Fact
