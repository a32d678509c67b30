"""What the lane core remembers: small machines side by side in one value that can be saved.

Theory of operation. Five machines share one LaneState and are stepped in this order for every
event:

* **conditions** - mode of the lane, links, devices, store, tariffs: what is possible now.
* **interlock** - the barrier: boom position from limit switches only, and the one rule that asks
  to lower.
  It depends on no other machine's health and goes on when the rest is set aside.
* **leaving** - the vehicle under the boom, until loop 2 has been free for 1 s: then its record is
  sealed.
* **arriving** - the vehicle at the window: identified, priced, shown, paid, released.
* **orders** - the payment orders of the arriving vehicle, each by itself.

tables.py says for every (state, fact) pair whether it is a transition, ignored with a reason, or
illegal.
Rules on the joint state (presence, release, lamp, lowering) run after the machines, to a fixed
point (lane.py).

A presence begins with loop 1 going occupied and lasts while its vehicle holds loop 1 or loop 2; it
moves from
``arriving`` to ``leaving`` when it goes under the boom. A raise belongs to one presence.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from lane_controller.core.events import StoreState
from lane_controller.core.legs import LegStatus
from lane_controller.core.limits import Limits
from tolling.alarms import DegradedMode
from tolling.best_price import Reason
from tolling.clock import WallTime
from tolling.devices import EtcTag, Health
from tolling.evolve import quick
from tolling.ids import BootId, LaneId, OutTradeNo, PassageId, PlazaId
from tolling.inputs import Point, Reading
from tolling.messages import CommandOutcome, EntryFound
from tolling.orders import ReasonCode
from tolling.paycodes import PayCodeRef, Wallet
from tolling.pictures import DisplayPicture
from tolling.records import AuthorisedBy, Leg, Tender, UnpaidReason
from tolling.tariffs import Quote, TariffSet
from tolling.vehicles import Plate, VehicleClass, VehicleKind


class LaneMode(StrEnum):
    """Whether the lane takes vehicles."""

    CLOSED = "closed"
    """Canopy red; whoever comes anyway is served as far as the attendant says."""
    OPEN = "open"
    """Canopy green."""
    CLOSING = "closing"
    """Present passages finish, then closed."""
    ATTENDED_ONLY = "attended_only"
    """After a fault in the program itself: only raise and stop move anything, until a person
    resets."""


class Phase(StrEnum):
    """Where the arriving vehicle is."""

    ABSENT = "absent"
    """Nobody is at the window."""
    UNSURE = "unsure"
    """After a restart: is it the vehicle from before?"""
    IDENTIFYING = "identifying"
    """Waiting for plate, medium and entry."""
    PRICED = "priced"
    """Priced and journalled; its toll is on the way to the display."""
    HELD = "held"
    """A person must decide: no tariff row, or the toll cannot be told."""
    TENDER = "tender"
    """The toll is shown and the scan window is open."""
    PAYING = "paying"
    """An order or tag charge is open."""
    CASH = "cash"
    """Cash is being taken; phones are locked out."""
    RELEASED = "released"
    """Authorised: the boom goes up for this vehicle."""


class LeavingPhase(StrEnum):
    """Where the vehicle under the boom is."""

    ABSENT = "absent"
    """Nobody is under the boom."""
    UNDER_BOOM = "under_boom"
    """Loop 2 is held."""
    CLEARING = "clearing"
    """Loop 2 is free, for less than 1 s so far."""


class Boom(StrEnum):
    """Where the boom is, by its limit switches and the command that stands."""

    UNKNOWN = "unknown"
    """Not read yet, or no trustworthy limit."""
    DOWN = "down"
    RAISING = "raising"
    """Commanded up, upper limit not reached."""
    UP = "up"
    LOWERING = "lowering"
    """Commanded down, lower limit not reached."""
    MOVED = "moved"
    """Left a limit without a command: hand, key, spring or a hit."""


class OrderPhase(StrEnum):
    """Where one payment order is, as far as the lane knows."""

    SENT = "sent"
    """Journalled and sent; no answer yet."""
    WAITING = "waiting"
    """The driver confirms on the phone."""
    UNKNOWN = "unknown"
    """Nobody knows yet."""
    CANCELLING = "cancelling"
    """The plaza was asked to end it."""
    PAID = "paid"
    """Captured for this passage."""
    REFUSED = "refused"
    """Final: the driver may scan again."""
    CLOSED = "closed"
    """Proven not to be paid."""


OPEN_ORDER_PHASES = frozenset(
    {OrderPhase.SENT, OrderPhase.WAITING, OrderPhase.UNKNOWN, OrderPhase.CANCELLING}
)


class EtcPhase(StrEnum):
    """The tag charge of one passage."""

    NONE = "none"
    CHARGING = "charging"
    UNKNOWN = "unknown"
    """The antenna did not say; it is asked again."""
    REFUSED = "refused"
    PAID = "paid"


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class LaneOrder:
    """One payment order of a passage."""

    out_trade_no: OutTradeNo
    phase: OrderPhase
    wallet: Wallet
    keyed_hash: str
    amount_fen: int
    sent_at_ns: int
    version: int = 0
    """Of the last answer taken; older ones are dropped."""
    reason: ReasonCode = ReasonCode.NONE
    handed_over: bool = False
    """Cancel was sent once: from here the plaza's resolver ends it with or without the lane."""

    @property
    def open(self) -> bool:
        """Return whether the order is undecided."""
        return self.phase in OPEN_ORDER_PHASES


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class LaneCoupon:
    """One coupon of a passage, as far as the lane knows."""

    attempt: int
    """1 and up, counted per passage."""
    status: LegStatus
    """OFFERED, RESERVED or RELEASED here; sealing ends it."""
    keyed_hash: str
    coupon_no: str = ""
    """Its issuer's number; empty until it is reserved."""
    step: Reason | None = None
    """What it takes off and why; None until it is reserved."""
    refused: bool = False
    """The plaza said no: shown again it is not asked about again."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class TagDebit:
    """What a tag is asked for, for one passage; there is one at most."""

    tag_id: str
    amount_fen: int
    """Asked for; once taken, what was."""
    status: LegStatus = LegStatus.OFFERED
    """OFFERED while undecided; REFUND_DUE as soon as it is sure that no record names it."""
    txn_id: str | None = None
    """The reader's number; None until it is taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """One vehicle in the lane."""

    passage_id: PassageId
    phase: Phase
    arrived_at_ns: int
    arrived: WallTime
    plate: Plate | None = None
    plate_read: Plate | None = None
    plate_done: bool = False
    entry: EntryFound | None = None
    entry_asked: bool = False
    entry_done: bool = False
    awaits_entry: bool = False
    """Held until the attendant says where it entered."""
    farthest: bool = False
    """The attendant says that nobody can know where it entered."""
    vehicle_class: VehicleClass = VehicleClass.CAR_1
    class_typed: bool = False
    vehicle_kind: VehicleKind = VehicleKind.NORMAL
    quote: Quote | None = None
    toll_told: bool = False
    """Display or voice took the toll at least once."""
    orders: tuple[LaneOrder, ...] = ()
    tag: EtcTag | None = None
    etc: EtcPhase = EtcPhase.NONE
    debit: TagDebit | None = None
    """None until the tag is charged."""
    cash_ready: bool = False
    other_offered: bool = False
    coupons: tuple[LaneCoupon, ...] = ()
    waiting_code: PayCodeRef | None = None
    """A pay code that came while a coupon was asked for: its order is for what is left then."""
    legs: tuple[Leg, ...] = ()
    """What settled it; empty until then."""
    authorised_by: AuthorisedBy = AuthorisedBy.NOBODY
    unpaid_reason: UnpaidReason | None = None
    crept: bool = False
    """Loop 2 was touched before release."""
    under_seen: bool = False
    """Since the vehicle left loop 1, something was on loop 2."""
    under_held: bool = False
    """And held it as a vehicle does, or the curtain was broken: it went on, not back."""
    maybe_followed: bool = False
    """It was seen so, and then loop 1 was held again within a second, or the curtain was broken
    once more: it stands there still, or the next one close behind does."""
    came_followed: bool = False
    """The curtain was broken, or loop 2 held, once more behind the one before it: by that one's
    trailer, or by this one."""
    came_unseen: bool = False
    """No edge of loop 1 told of it, only that the loop was held: nobody need be there."""
    operator: str | None = None
    operator_reason: str | None = None
    remarks: tuple[str, ...] = ()
    degraded_seen: tuple[str, ...] = ()

    @property
    def released(self) -> bool:
        """Return whether something or somebody authorised the vehicle to pass."""
        return self.authorised_by is not AuthorisedBy.NOBODY

    @property
    def toll_due_fen(self) -> int:
        """Return what is to be paid, 0 before it is priced."""
        return self.quote.toll_due_fen if self.quote is not None else 0

    @property
    def coupon_asked(self) -> LaneCoupon | None:
        """Return the coupon the plaza is being asked about."""
        return self._coupon(LegStatus.OFFERED)

    @property
    def coupon_held(self) -> LaneCoupon | None:
        """Return the coupon the plaza holds for this passage; never two."""
        return self._coupon(LegStatus.RESERVED)

    def _coupon(self, status: LegStatus) -> LaneCoupon | None:
        return next((each for each in self.coupons if each.status is status), None)

    @property
    def held_legs(self) -> tuple[Leg, ...]:
        """Return what makes the toll less before other money is asked for: the coupon, then what
        the tag gave."""
        coupon, debit = self.coupon_held, self.debit
        legs: tuple[Leg, ...] = ()
        if coupon is not None and coupon.step is not None:
            saved_fen, number = coupon.step.saved_fen, coupon.coupon_no
            legs = (Leg(tender=Tender.COUPON, amount_fen=saved_fen, provider_txn_id=number),)
        if debit is not None and debit.status is LegStatus.CAPTURED:
            fen, txn_id = debit.amount_fen, debit.txn_id
            legs = (*legs, Leg(tender=Tender.ETC, amount_fen=fen, provider_txn_id=txn_id))
        return legs

    @property
    def rest_fen(self) -> int:
        """Return what is left to pay: the toll due less the legs that are held."""
        return self.toll_due_fen - sum(leg.amount_fen for leg in self.held_legs)

    @property
    def etc_open(self) -> bool:
        """Return whether a tag charge is undecided."""
        return self.etc in (EtcPhase.CHARGING, EtcPhase.UNKNOWN)

    @property
    def open_orders(self) -> tuple[LaneOrder, ...]:
        """Return the undecided orders."""
        return tuple(order for order in self.orders if order.open)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneConfig:
    """What the core must know of the lane file."""

    plaza_id: PlazaId
    lane_id: LaneId
    attended: bool
    """Somebody sits in the booth; else a remote assistant helps."""
    under_boom: frozenset[Point]
    devices: frozenset[str]
    """Names of the devices the lane has."""
    opens_at_start: bool = True
    default_class: VehicleClass = VehicleClass.CAR_1
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        assert self.under_boom, "a boom without a detector under it is never lowered"


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class StandingAlarm:
    """One alarm that stands."""

    code: str
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DoneCommand:
    """A command already carried out, so that a repeat is answered and not obeyed again."""

    command_id: str
    outcome: CommandOutcome
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneState:
    """Everything the core remembers. Saved in every journal segment; dicts are never changed in
    place."""

    config: LaneConfig
    boot_id: BootId | None = None
    epoch: int = 0
    """0 before the plaza enrolled the lane: no phone money, records wait unsealed."""
    next_passage_no: int = 1
    passages_total: int = 0
    mode: LaneMode = LaneMode.CLOSED
    mode_reason: str = "not started"
    inputs: dict[str, Reading] = field(default_factory=dict)
    read: dict[str, Reading] = field(default_factory=dict)
    """The last reading of each point that was one, also from before a start or a loss."""
    loop_1_free_at_ns: int | None = None
    loop_1_on_at_ns: int | None = None
    loop_2_on_at_ns: int | None = None
    """Since when loop 2 is held, as far as it was read; None while it is free."""
    loop_2_held_ns: int = 0
    """How long it was held last."""
    curtain_on_at_ns: int | None = None
    """When the curtain was broken last."""
    loop_1_lost_at_ns: int | None = None
    """Since when loop 1 cannot be read; None while it can."""
    still_when_lost: bool = False
    """Nothing moved in the lane when loop 1 was lost."""
    boom: Boom = Boom.UNKNOWN
    clear_since_ns: int | None = None
    """Since when every detector under the boom has been free and healthy."""
    lower_armed: bool = False
    """A presence has ended since the start: the boom may come down when all else allows."""
    lowered_at_ns: int | None = None
    """When the boom was told to come down last; None once it was raised again."""
    raise_retries: int = 0
    lower_refusals: int = 0
    lane_green: bool = False
    canopy_green: bool = False
    raise_command_id: str | None = None
    """A person waits for the readback of this raise."""
    lower_command_id: str | None = None
    arriving: Passage | None = None
    leaving: Passage | None = None
    leaving_phase: LeavingPhase = LeavingPhase.ABSENT
    leaving_holds_loop_1: bool = False
    """Loop 1's present occupation belongs to the vehicle under the boom (trailer)."""
    leaving_flickered: bool = False
    """It is taken to, for loop 1 was free for a moment as that vehicle came onto loop 2: a
    motorcycle leaves the one before it holds the other, and a longer gap ends that."""
    early_plate: Plate | None = None
    """Read of the next vehicle while the one before it is still leaving."""
    early_tag: EtcTag | None = None
    early_at_ns: int = 0
    """When the later of the two came."""
    leaving_left_window: bool = False
    """Loop 1 has been free for some time, or the curtain broken, since the vehicle came onto loop
    2: it did move on. In a queue the next vehicle may take loop 1 before the first has left it."""
    leaving_by_curtain: bool = False
    """Only the curtain said so; one that stays broken, with nothing on loop 2, said nothing."""
    leaving_since_ns: int = 0
    """When the vehicle came onto loop 2."""
    leaving_followed: bool = False
    """Behind the vehicle under the boom the curtain was broken, or loop 2 held, once more: its
    trailer, or another close behind."""
    leaving_curtain_blind: bool = False
    """The curtain was broken already when the vehicle came onto loop 2: dirty, or cut. It cannot
    tell whether that moved on, also where it is mended meanwhile."""
    scanner_on: bool = False
    devices: dict[str, Health] = field(default_factory=dict)
    degraded: tuple[DegradedMode, ...] = ()
    alarms: tuple[StandingAlarm, ...] = ()
    plaza_up: bool = False
    wallets_off: tuple[Wallet, ...] = ()
    """Whose codes no platform takes now, by the plaza's last word."""
    broker_up: bool = False
    store: StoreState = StoreState.OK
    tariffs: tuple[TariffSet, ...] = ()
    tariff: TariffSet | None = None
    """The set in force."""
    picture: DisplayPicture | None = None
    recent_codes: tuple[str, ...] = ()
    done_commands: tuple[DoneCommand, ...] = ()

    @property
    def phase(self) -> Phase:
        """Return where the arriving vehicle is."""
        return self.arriving.phase if self.arriving is not None else Phase.ABSENT

    def reading(self, point: Point) -> Reading:
        """Return the last reading of a point; UNKNOWN where it was never read."""
        return self.inputs.get(point, Reading.UNKNOWN)

    def last_read(self, point: Point) -> Reading:
        """Return the last reading of a point that was one; UNKNOWN where there was none ever."""
        return self.read.get(point, Reading.UNKNOWN)

    @property
    def empty(self) -> bool:
        """Return whether no vehicle is in the lane."""
        return self.arriving is None and self.leaving is None
