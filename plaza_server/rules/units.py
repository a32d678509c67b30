"""Units of work: what is asked of the store, as frozen values. ``store/units.py`` runs them.

One Commit's units are written together or not at all. Their results come back in the same order.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from plaza_server.rules.bill_units import BillUnit
from plaza_server.rules.claims_units import ApplyClaim, ClaimUnit, ClaimWork
from plaza_server.rules.coupons import CouponUnit, ReleaseCoupon, ReserveCoupon
from plaza_server.rules.etc_dues import SayEtcOutcome
from plaza_server.rules.facts import OrderFact, TurnDown
from plaza_server.rules.merkle_log import AddRoot
from plaza_server.rules.orders import AlarmNote, Moment, Order
from plaza_server.rules.receipts import MoveReceipt
from tolling.alarms import AlarmCode
from tolling.chain import Anchor, SealedRecord
from tolling.evolve import quick
from tolling.ids import BootId, LaneId, OutTradeNo, PlazaId
from tolling.messages import EntryQuery
from tolling.orders import ReasonCode
from tolling.signed_sets import SignedSet
from tolling.vehicles import VehicleClass


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Who works on an order, and until when the others leave it alone."""

    owner: BootId
    until_ms: int
    """UTC milliseconds."""
    steal: bool
    """Take the order over even from a lease that still runs."""


# ---- orders ----


class Opening(StrEnum):
    """What became of a posted payment."""

    NEW = "new"
    """Stored as sent: send pay, once."""
    TURNED_DOWN = "turned_down"
    """Stored as refused by the plaza itself; nothing is sent."""
    SAME = "same"
    """The number was there with this very content, or as a tombstone: answer as before."""
    CONFLICT = "conflict"
    """The number was there with other content."""
    SEALED = "sealed"
    """The passage's record is there: stored as a tombstone, nothing is sent."""
    TOO_MANY = "too_many"
    """Two orders of this passage are open already; nothing was stored."""
    NO_LANE = "no_lane"
    """No such lane; nothing was stored."""
    WRONG_EPOCH = "wrong_epoch"
    """The passage is not of the lane's present epoch; nothing was stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOrder:
    """Store a new order and hand it over to be sent: commit 2. Result: Opened."""

    order: Order
    """Created, not sent."""
    turn_down: TurnDown | None
    """Where the plaza refuses by itself."""
    at: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """Result of OpenOrder."""

    opening: Opening
    order: Order | None
    """As stored now; None where nothing is or was."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyFact:
    """Apply a fact to an order: commit 3 and all later ones. Result: Changed."""

    out_trade_no: OutTradeNo
    fact: OrderFact
    lease: Lease
    at: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class AskCancel:
    """Ask for an order's end; an unknown number becomes a tombstone. Result: Changed | None.

    None: the order belongs to another lane.
    """

    out_trade_no: OutTradeNo
    lane_id: LaneId
    reason: ReasonCode
    lease: Lease
    at: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """An order as it is stored now, and what became known on the way."""

    order: Order
    alarms: tuple[AlarmNote, ...] = ()
    """Only those that changed: newly raised, or cleared where they stood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOrder:
    """Read an order. Result: Order | None."""

    out_trade_no: OutTradeNo


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPlace:
    """Where a sealed record stands: lane, epoch, number in its chain."""

    lane_id: LaneId
    epoch: int
    seq: int


BEFORE_ALL_RECORDS = RecordPlace(lane_id=LaneId(""), epoch=0, seq=0)


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Renew this process's leases and take over what nobody works on. Result: Swept."""

    lease: Lease
    limit: int
    at: Moment
    unread_after: RecordPlace | None = None
    """Name the first record in quarantine behind this place too; None: do not look."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """Result of Sweep."""

    taken: tuple[Order, ...]
    """Orders that are this process's from now on; a pay that was never seen sent is unknown."""
    own: tuple[tuple[OutTradeNo, int], ...]
    """Numbers and versions of the unfinished orders this process had before."""
    claims: tuple[ClaimWork, ...] = ()
    """Every claim this process has to work on from now on."""
    alarms: tuple[AlarmNote, ...] = ()
    """Of coupons that wait for their record for a day and tag debits that wait for their issuer for
    days; only those that changed."""
    unread: RecordPlace | None = None
    """The record in quarantine that was asked for; None: there is none behind that place."""


# ---- records ----


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeRecords:
    """Take sealed records of one lane, up to the first that does not fit. Result: RecordsTaken |
    None.

    None: no such lane.
    """

    lane_id: LaneId
    records: tuple[SealedRecord, ...]
    lease: Lease
    at: Moment
    payee: str | None = None
    """Whose toll cash and ETC legs are; None: the plaza's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordsTaken:
    """Result of TakeRecords."""

    anchor: Anchor
    refused: str | None
    """ChainVerdict of the first record not taken."""
    taken: int
    orders: tuple[Order, ...]
    """Every order a taken record spoke about."""
    alarms: tuple[AlarmNote, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadAgain:
    """Read a record in quarantine once more, as a plaza that has learnt since. Result: ReadNow."""

    place: RecordPlace
    lease: Lease
    at: Moment
    payee: str | None = None
    """Whose toll cash and ETC legs are; None: the plaza's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadNow:
    """Result of ReadAgain."""

    why: str | None
    """What is still wrong with it; None: it is read, and did all that a record does."""
    orders: tuple[Order, ...] = ()
    """Every order it spoke about."""
    alarms: tuple[AlarmNote, ...] = ()


# ---- the rest of what the engine asks ----


@dataclass(frozen=True, slots=True, kw_only=True)
class FindEntry:
    """Find where a vehicle entered. Result: EntryFound | None."""

    query: EntryQuery


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class GiveEpoch:
    """Tell a lane its epoch and anchor. Result: Anchor | None (no such lane)."""

    lane_id: LaneId
    fresh: bool
    """The lane's journal is empty: a used epoch is never used again."""
    now_ms: int


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class NoteAlarm:
    """Raise or clear an alarm. Result: bool, whether that changed anything."""

    code: AlarmCode
    raised: bool
    subject: str
    what: str
    now_ms: int


EngineUnit = (
    OpenOrder
    | ApplyFact
    | AskCancel
    | ReadOrder
    | Sweep
    | TakeRecords
    | ReadAgain
    | FindEntry
    | GiveEpoch
    | NoteAlarm
    | ApplyClaim
    | ReserveCoupon
    | ReleaseCoupon
)


# ---- what the API stores by itself ----


@dataclass(frozen=True, slots=True, kw_only=True)
class AddLane:
    """Register a lane, or give it a new token; its epoch stays. Result: Anchor."""

    lane_id: LaneId
    plaza_id: PlazaId
    token_hash: str
    """SHA-256 of its token, 64 hex digits."""
    now_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AddEntry:
    """Store that a vehicle entered somewhere. Result: bool, whether it is new."""

    entry_id: str
    """The entry station's own number of it; makes it happen once."""
    plate: str | None
    medium_id: str | None
    entry_station: str
    entered_ms: int
    vehicle_class: VehicleClass


@dataclass(frozen=True, slots=True, kw_only=True)
class PutSet:
    """Store a signed set. Result: bool, whether it is new.

    Raises: LedgerConflictError: this version is there with other content.
    """

    envelope: SignedSet
    now_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AddOperator:
    """Register a person, or give them a new token and role. Result: None."""

    operator_id: str
    name: str
    role: str
    token_hash: str
    now_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogCommand:
    """Store a command before it is sent to a lane. Result: bool, whether its id is new."""

    command_id: str
    lane_id: LaneId
    operator: str
    action: str
    reason: str
    body: str
    """The whole command as canonical JSON."""
    now_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EndCommand:
    """Store how a command ended. Result: bool, whether it was open."""

    command_id: str
    outcome: str
    reason: str
    now_ms: int


AdminUnit = (
    AddLane | AddEntry | PutSet | AddOperator | LogCommand | EndCommand | MoveReceipt | AddRoot
)
Unit = EngineUnit | AdminUnit | BillUnit | ClaimUnit | CouponUnit | SayEtcOutcome
