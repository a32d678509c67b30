"""What travels between lane, plaza and pages, as values. ``tolling.wire`` checks them at the edges.

Durations travel, instants only decide what they name. No message but the one body that spends it
holds a pay code: ``PaymentRequest`` has its wallet, ``wire.payment_body`` adds the code's text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from tolling.alarms import AlarmCode, DegradedMode
from tolling.chain import Anchor, SealedRecord
from tolling.clock import ClockQuality
from tolling.evolve import quick
from tolling.ids import BootId, LaneId, OutTradeNo, PassageId, PlazaId
from tolling.inputs import Reading
from tolling.orders import NextStep, OrderState, ReasonCode
from tolling.paycodes import Wallet
from tolling.tariffs import EntrySource
from tolling.vehicles import VehicleClass, VehicleKind

# ---- lane -> plaza over HTTP ----


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRequest:
    """POST /v1/payments without its pay code. Same number and content again = same answer."""

    passage_id: PassageId
    attempt: int
    """1..99; the out_trade_no follows from it."""
    lane_id: LaneId
    toll_fen: int
    """1 and up."""
    tariff_id: str
    tariff_version: int
    tariff_row: int
    vehicle_class: VehicleClass
    plate: str | None
    wallet: Wallet
    deadline_ms: int
    """How long the lane waits for this answer, 100..60,000."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentAnswer:
    """Answer of POST and GET /v1/payments and of cancel."""

    out_trade_no: OutTradeNo
    state: OrderState
    reason_code: ReasonCode
    next: NextStep
    captured_fen: int
    """What the platform holds for this order; 0 unless captured."""
    provider_txn_id: str | None
    version: int
    """Grows with every change of the order; an older answer never overrides a newer one."""
    retry_after_ms: int | None = None
    """With ``closing``: when to ask again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryQuery:
    """POST /v1/entries: where did this vehicle enter? By plate or by medium."""

    plate: str | None = None
    medium_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryFound:
    """Where and as what a vehicle entered."""

    entry_station: str
    entered_ms: int
    """UTC milliseconds."""
    vehicle_class: VehicleClass
    source: EntrySource


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryAnswer:
    """Answer of POST /v1/entries; entry is None where nothing is known."""

    entry: EntryFound | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordsUpload:
    """POST /v1/records: sealed records in order, at most 100."""

    records: tuple[SealedRecord, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordsAnswer:
    """The plaza's anchor after what it took, and why it took no more, where it did not."""

    anchor: Anchor
    refused: str | None = None
    """A ChainVerdict's value where a record was refused; the lane keeps it and all behind it."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentAnswer:
    """GET /v1/lanes/{lane_id}/epoch: the lane's epoch, and the end of its chain at the plaza."""

    epoch: int
    anchor: Anchor
    server_utc_ms: int
    """The plaza's wall clock, for clock quality."""
    wallets_off: tuple[Wallet, ...] = ()
    """Whose codes no platform takes now: the lane offers another tender at once."""


# ---- operators ----


class OperatorAction(StrEnum):
    """What an attendant or remote assistant may order; one vocabulary for every way in."""

    OPEN_LANE = "open_lane"
    CLOSE_LANE = "close_lane"
    RAISE = "raise"
    """Raise and let the present vehicle through, with a reason."""
    LOWER = "lower"
    """Lower where clear; refused while anything is under the boom."""
    CASH_BEGIN = "cash_begin"
    """First step of cash: locks phone payment, cancels what is open."""
    CASH_TAKEN = "cash_taken"
    """Second step: the money is in the hand."""
    CASH_ABORT = "cash_abort"
    """Back to other tenders; no money was taken."""
    CANCEL_ORDER = "cancel_order"
    SET_ENTRY = "set_entry"
    """``text`` is the entry station; ``*``: nobody can know it, the farthest one is taken."""
    SET_CLASS = "set_class"
    """``number`` is the national class code."""
    SET_KIND = "set_kind"
    """``number`` is the national kind code; exempt kinds release with no toll."""
    SET_PLATE = "set_plate"
    """``text`` is the plate."""
    ARREARS = "arrears"
    """Let pass against a debt ticket, with a reason."""
    SAME_VEHICLE = "same_vehicle"
    """After a restart: the vehicle at the window is the one from before."""
    OTHER_VEHICLE = "other_vehicle"
    """After a restart: it is another one; the one from before has gone."""
    RESET = "reset"
    """Leave attended-only after a fault."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorCommand:
    """One order of a person, from the local operator port or from the plaza."""

    command_id: str
    """Makes it happen once; kept in the journal."""
    action: OperatorAction
    operator: str
    reason: str
    """At least 4 characters for raise, lower, arrears and set_kind."""
    passage_id: PassageId | None
    """The passage it was decided for; None where none is concerned."""
    boot_id: BootId
    state_version: int
    """The lane state it was decided on."""
    text: str = ""
    number: int = 0
    local: bool = False
    """From the lane's own operator port: the person stands there, so staleness does not apply."""


class CommandOutcome(StrEnum):
    """How a command ended."""

    CONFIRMED = "confirmed"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    """Sent, but no readback came."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class CommandResult:
    """Answer to an OperatorCommand."""

    command_id: str
    outcome: CommandOutcome
    reason: str
    """Empty, or why: ``stale``, the interlock's name, ``phone_paid_give_cash_back``, ..."""


# ---- telemetry over MQTT ----


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class LegView:
    """One tender of a passage as a page shows it."""

    tender: str
    """alipay, wechat, unionpay, cash, etc or coupon."""
    amount_fen: int
    status: str
    """offered, reserved, captured, consumed, released or refund_due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PassageView:
    """What a page shows of one passage."""

    passage_id: PassageId
    phase: str
    plate: str | None
    vehicle_class: VehicleClass | None
    vehicle_kind: VehicleKind
    toll_fen: int | None
    """What is left to pay: the toll due less what is held of it already."""
    order_state: OrderState | None
    order_reason: ReasonCode | None
    since_ms: int
    """How long it has been in the lane."""
    awaits_entry: bool = False
    """It is held until the attendant says where it entered."""
    legs: tuple[LegView, ...] = ()
    """Its tenders, in the order they were had."""
    settlement: str = "nothing"
    """All legs together: nothing, gathering, settled or undoing."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class LaneSnapshot:
    """toll/{plaza}/{lane}/state: retained, once a second and on every change that matters."""

    plaza_id: PlazaId
    lane_id: LaneId
    boot_id: BootId
    state_version: int
    """Grows with every change a command could be decided on."""
    utc_ms: int
    clock_quality: ClockQuality
    mode: str
    attended: bool
    barrier: str
    inputs: dict[str, Reading] = field(default_factory=dict)
    """By Point value."""
    lane_green: bool = False
    arriving: PassageView | None = None
    leaving: PassageView | None = None
    degraded: tuple[DegradedMode, ...] = ()
    alarms: tuple[str, ...] = ()
    """AlarmCode values that stand, sorted."""
    devices: dict[str, str] = field(default_factory=dict)
    """Device name -> ok | assumed | degraded | lost."""
    unsent_records: int = 0
    passages_total: int = 0


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class LaneNotice:
    """toll/{plaza}/{lane}/event: something that happened and needs no action."""

    lane_id: LaneId
    boot_id: BootId
    number: int
    """Counts notices of one boot."""
    utc_ms: int
    name: str
    passage_id: PassageId | None = None
    facts: dict[str, str] = field(default_factory=dict)


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmNotice:
    """toll/{plaza}/{lane}/alarm: raised or cleared."""

    lane_id: LaneId
    boot_id: BootId
    number: int
    utc_ms: int
    code: AlarmCode
    raised: bool
    subject: str
    """What it is about: a device, a point, an order; empty for the lane itself."""
    what: str
