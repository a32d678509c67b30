"""All the auditor sees, as values: what design.md section 5 lists and nothing else.

The virtual world fills it from its own objects, the wires world from the site's control API, the
platforms' books,
the stores read by plain SQL and the files of the run. All times are microseconds on the plant's
clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from simulator.plant.events import LogEntry, What
from tolling.evolve import quick


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturedTrade:
    """One trade in a platform's own books."""

    platform: str
    out_trade_no: str
    captured_fen: int
    refunded_fen: int
    paid_at_us: int | None
    code_no: int
    """Which code paid it; two trades with one number are one code used twice."""
    payer: int | None = None
    """The vehicle whose driver's wallet paid; None where it is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverStory:
    """What one driver remembers."""

    lane_id: str
    vehicle_id: int
    plate: str | None
    phone_fen: int
    """Money by phone, less what came back."""
    cash_fen: int
    etc_fen: int
    gone: bool
    """Out of the lane, forwards or backwards."""
    backed_out: bool


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedRecord:
    """One sealed record as a store holds it; body unparsed."""

    lane_id: str
    epoch: int
    seq: int
    previous_hash: str
    chain_hash: str
    body: str
    plaza_id: str


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedOrder:
    """One row of the plaza's orders, by plain SQL."""

    out_trade_no: str
    state: str
    toll_fen: int
    captured_fen: int
    refunded_fen: int


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedTransfer:
    """One row of the plaza's transfers, by plain SQL."""

    transfer_id: str
    debit: str
    credit: str
    amount_fen: int
    kind: str
    """``posted``, ``pending``, ``post`` or ``void``; the last two name a pending one."""
    pending_id: str | None
    out_trade_no: str | None = None
    """The order it is about; None for cash, tags and coupons."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureStood:
    """How a capture that no record names stood in the plaza's store behind a commit."""

    at_us: int
    out_trade_no: str
    state: str
    toll_fen: int
    captured_fen: int
    due_fen: int
    """Booked from suspense to refund_due."""
    recorded: bool
    """The record of its passage is there, and leaves it out; else there is none yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedClaim:
    """One row of the plaza's claims, by plain SQL."""

    claim_id: str
    out_trade_no: str | None
    """None: cash."""
    amount_fen: int
    state: str


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedCoupon:
    """One coupon as its issuer made it."""

    coupon_no: str
    fixed_fen: int
    """What it takes off; 0 where it takes off a share."""
    off_rate: int
    """Basis points; 0 where it takes off an amount."""
    good: bool
    """It was good for the whole run; else at no time of it."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedDebit:
    """One debit in an ETC reader's own books."""

    reference: str
    """The lane's number of it: its passage_id."""
    tag_id: str
    vehicle_id: int
    """Whose tag it is."""
    amount_fen: int
    txn_id: str
    at_us: int | None = None
    """When the tag answered; None where that was not written down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EtcDueRow:
    """One row of the plaza's list of debits owed back, by plain SQL."""

    passage_id: str
    amount_fen: int
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CouponRow:
    """One row of the plaza's coupons, by plain SQL."""

    coupon_no: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tapped:
    """One message or answer seen on a wire."""

    at_us: int
    channel: str
    """MQTT topic, or HTTP method and path of the answer."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TextSource:
    """A journal, database or log read as bytes after the run."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """A process began (again) to run."""

    at_us: int
    process: str
    """``lane 001`` or ``plaza``."""
    lane_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Blind:
    """A while in which a lane could not read its inputs."""

    lane_id: str
    from_us: int
    until_us: int | None
    """None: to the end of the run."""
    dead: bool
    """Its process was not there; else its modules did not answer as they should."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Untold:
    """A while in which neither curtain nor camera of a lane told one vehicle from the next: the
    curtain's input lied, and the camera gave no plate of who was there."""

    lane_id: str
    from_us: int
    until_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A while in which a lane's loop 1 may have read held with nobody on it: its wire was cut, or
    it heard the loop of the lane beside."""

    lane_id: str
    from_us: int
    until_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lying:
    """A while in which a loop of a lane saw vehicles of the lane beside, or none of its own, or was
    seen late or never: how many went through meanwhile nobody in the lane can know."""

    lane_id: str
    from_us: int
    until_us: int | None
    """None: to the end of the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitFault:
    """A while in which the input of a limit switch did not follow the switch."""

    lane_id: str
    what: What
    """BOOM_UP or BOOM_DOWN."""
    reads: bool | None
    """What it read; None: now this, now that."""
    from_us: int
    until_us: int | None
    """None: to the end of the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedTariff:
    """One version of the tariff, as it was put into the plaza."""

    version: int
    from_us: int | None
    """When it came into force, on the plant's clock; None where that is not known."""
    rows: tuple[tuple[str, int, int, int], ...]
    """Entry station, vehicle class, toll in fen, distance in m."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """A person's order to let a vehicle through, as it was given."""

    lane_id: str
    at_us: int
    passage_id: str | None
    vehicle_id: int | None
    """Who stood at the window before that person's eyes; None where nobody did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CashWord:
    """One word of a person about cash: that it is going to be taken, or that it was."""

    lane_id: str
    vehicle_id: int
    """Who stood at the window."""
    taken: bool
    """The cash is in the till; else somebody asks to take it."""
    at_us: int
    answered_us: int | None
    """None: the lane never answered."""
    accepted: bool
    reason: str
    """Why the lane refused, in its own word."""


class Hindrance(StrEnum):
    """What can keep a lane from letting a vehicle through, beside being dead or blind."""

    DEAF = "deaf"
    """Its line to the plaza is cut, loses, delays or doubles."""
    RAISE = "raise"
    """Its contact for raising the boom does not close."""
    LIMIT = "limit"
    """A limit switch of its boom does not say where that is."""
    DETECTOR = "detector"
    """A loop or the curtain says what is not: somebody may be under the boom."""
    READER = "reader"
    """Its tag reader is silent, slow, or its answers are lost."""
    LAMP = "lamp"
    """Its pass lamp does not do as it is told."""
    MUTE = "mute"
    """Its line to the broker is cut, loses, delays or doubles: what it says may not be heard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hindered:
    """A while in which something outside a lane's program kept it from letting anybody through, or
    from being heard."""

    lane_id: str
    what: Hindrance
    from_us: int
    until_us: int | None
    """None: to the end of the run."""


class Loss(StrEnum):
    """What a lane can be without, and has to notice."""

    MODULE = "module"
    """Its I/O module does not answer: no output can be written."""
    INPUTS = "inputs"
    """So none of the inputs can be read that this life of the lane has read."""
    SCANNER = "scanner"
    """The plug is out."""
    DISPLAY = "display"
    """The plug is out."""
    ETC = "etc"
    """The tag reader says nothing."""
    PLAZA = "plaza"
    """The line is cut, or no process of the plaza runs."""
    ROOM = "room"
    """A commit was refused for want of space, and nobody has told of any since."""
    PACE = "pace"
    """One commit that takes too long, from its begin to its end."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """A while in which a lane was without something it needs."""

    lane_id: str
    what: Loss
    from_us: int
    until_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One run."""

    at_rest: bool
    """Faults are over and every process had time to end its work: liveness is judged too."""
    plant_log: tuple[LogEntry, ...]
    trades: tuple[CapturedTrade, ...]
    drivers: tuple[DriverStory, ...]
    lane_records: tuple[AuditedRecord, ...]
    """From the lanes' own journals."""
    plaza_records: tuple[AuditedRecord, ...]
    """From the plaza's store."""
    orders: tuple[AuditedOrder, ...]
    transfers: tuple[AuditedTransfer, ...]
    tapped: tuple[Tapped, ...]
    texts: Iterable[TextSource]
    """Read once: files may be large."""
    codes: tuple[str, ...]
    """Every pay code shown in the run, to be looked for."""
    restarts: tuple[Restart, ...]
    misread_plates: bool
    """A camera fault ran: plates on records need not be the drivers'."""
    borrowed: tuple[tuple[int, int], ...] = ()
    """(vehicle, owner): a driver held up a code of another driver's wallet."""
    false_limit: frozenset[str] = frozenset()
    """Lanes whose upper limit switch said up where it was not: the lane can only believe it."""
    lying: tuple[Lying, ...] = ()
    limit_faults: tuple[LimitFault, ...] | None = None
    """None: not written down, so nobody knows what a lane's limit switches told it."""
    blind: tuple[Blind, ...] = ()
    untold: tuple[Untold, ...] = ()
    held: tuple[Held, ...] = ()
    tariffs: tuple[AuditedTariff, ...] = ()
    """Empty: prices are not judged."""
    tariffs_heard: tuple[tuple[str, int, int], ...] = ()
    """(lane, version, microseconds): when a version was first answered to a lane."""
    wall_base_ms: int | None = None
    """UTC milliseconds at the plant's time 0; None where the two cannot be compared."""
    clocks_off: frozenset[str] = frozenset()
    """Lanes whose own wall clock was wrong at times."""
    clocks_set_back: tuple[tuple[str, int], ...] = ()
    """(lane, microseconds): when a lane's wall clock was set to an earlier time than it showed."""
    ordered: tuple[Ordered, ...] | None = None
    """None: people's orders were not written down."""
    cash: tuple[CashWord, ...] | None = None
    """None: not written down."""
    hindered: tuple[Hindered, ...] | None = None
    """None: not written down, so nobody knows whom a lane could have let through."""
    captures: tuple[CaptureStood, ...] = ()
    """In order of time; empty where nobody looked into the store during the run."""
    lost: tuple[Lost, ...] = ()
    """Empty where nobody writes down what lanes were without: whether they notice is not judged."""
    claims: tuple[AuditedClaim, ...] = ()
    """Money of settled passages somebody asked back."""
    coupons: tuple[AuditedCoupon, ...] = ()
    """What issuers made; empty where their copy is not there: values are not judged."""
    coupon_rows: tuple[CouponRow, ...] = ()
    debits: tuple[AuditedDebit, ...] = ()
    etc_dues: tuple[EtcDueRow, ...] = ()
    unread: frozenset[tuple[str, int, int]] = frozenset()
    """(lane, epoch, seq) of records the plaza keeps in quarantine: it has not read them yet."""
