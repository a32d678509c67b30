"""The record of one passage: the lane's last word on how it was settled.

A record is built once, sealed into the lane's chain and never changed. Every vehicle makes exactly
one, the free, the fled and the backed-out ones too. A phone leg names its order, so the plaza can
turn that capture, and no other, into revenue.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tolling.best_price import Reason
from tolling.clock import WallTime
from tolling.ids import BootId, LaneId, OutTradeNo, PassageId, PlazaId
from tolling.tariffs import Quote
from tolling.vehicles import Plate, VehicleClass, VehicleKind


class Tender(StrEnum):
    """With what one leg of a toll was paid."""

    ALIPAY = "alipay"
    WECHAT = "wechat"
    UNIONPAY = "unionpay"
    CASH = "cash"
    ETC = "etc"
    COUPON = "coupon"
    """What a coupon took off: its issuer owes it, not the driver."""


PHONE_TENDERS = frozenset({Tender.ALIPAY, Tender.WECHAT, Tender.UNIONPAY})


class PassageEnd(StrEnum):
    """How the vehicle's presence in the lane ended."""

    PASSED = "passed"
    """Loop 2 went occupied and free: it is through."""
    BACKED_OUT = "backed_out"
    """Both loops free for 1 s and loop 2 never occupied: it left backwards."""
    LEFT_DURING_OUTAGE = "left_during_outage"
    """It was gone, or another stood there, when the lane came back."""


class UnpaidReason(StrEnum):
    """Why the applied legs may sum to other than the toll due."""

    EXEMPT = "exempt"
    """The vehicle's kind pays nothing."""
    BACKED_OUT = "backed_out"
    """It did not pass; what was captured is given back."""
    LEFT_DURING_OUTAGE = "left_during_outage"
    """Nobody saw it leave; a paid leg is applied, a missing one is written here."""
    VIOLATION = "violation"
    """It passed without authorisation: ran through or tailgated."""
    ARREARS = "arrears"
    """An attendant let it pass against a debt ticket."""
    RELEASED = "released"
    """An attendant raised for it without payment, with a reason."""


class AuthorisedBy(StrEnum):
    """What let the vehicle through (B2). Safety raises authorise nobody."""

    TENDER = "tender"
    EXEMPTION = "exemption"
    ATTENDANT = "attendant"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One tender of one passage, applied once."""

    tender: Tender
    amount_fen: int
    """1 and up."""
    out_trade_no: OutTradeNo | None = None
    """The order of a phone leg; no other leg has one."""
    provider_txn_id: str | None = None
    """The platform's or ETC issuer's number of the transaction, where there is one; of a coupon leg
    the coupon's number."""

    def __post_init__(self) -> None:
        assert self.amount_fen > 0, "a leg moves money"
        named = self.out_trade_no is not None
        assert (self.tender in PHONE_TENDERS) == named, "phone legs and no others name an order"
        told = self.tender is not Tender.COUPON or self.provider_txn_id is not None
        assert told, "a coupon leg names its coupon"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwedBack:
    """What was, or may have been, taken for a passage by others than a platform, and settles
    nothing of it: its issuer gives it back. The passage_id is the reader's reference."""

    tender: Tender
    """ETC; nothing else is taken so."""
    tag_id: str
    amount_fen: int
    """1 and up; of one nobody knows, what was asked for."""
    txn_id: str | None
    """The reader's number of the debit; None: nobody knows whether it was taken at all."""

    def __post_init__(self) -> None:
        assert self.tender is Tender.ETC, "platforms and people give back what they took themselves"
        assert self.amount_fen > 0, "what is owed back is money"


@dataclass(frozen=True, slots=True, kw_only=True)
class PassageRecord:
    """Everything that must be known of one passage for good."""

    plaza_id: PlazaId
    lane_id: LaneId
    epoch: int
    passage_id: PassageId
    boot_id: BootId
    """The run of the lane controller that sealed it."""
    arrived: WallTime
    sealed: WallTime
    dwell_ms: int
    """From loop 1 occupied to the end, on the monotonic clock; 0 where a restart lies between."""
    end: PassageEnd
    authorised_by: AuthorisedBy
    unpaid_reason: UnpaidReason | None
    plate: Plate | None
    """The plate charged by: typed by an attendant, else read by the camera."""
    plate_read: Plate | None
    """What the camera said, kept beside it."""
    vehicle_class: VehicleClass
    vehicle_kind: VehicleKind
    quote: Quote | None
    """None only where the vehicle was gone before it was priced."""
    toll_due_fen: int
    legs: tuple[Leg, ...]
    orders: tuple[OutTradeNo, ...]
    """Every order this passage ever had, named by a leg or not."""
    attended: bool
    degraded: tuple[str, ...]
    """Names of degraded modes that stood while it was in the lane, sorted."""
    remarks: tuple[str, ...]
    """Event names worth reading later: tailgated, second_vehicle, toll_not_shown, ..."""
    operator: str | None
    """Who acted on this passage last, where somebody did."""
    operator_reason: str | None
    why: tuple[Reason, ...] = ()
    """How the best price was found: one step per coupon leg. Records sealed before coupons were
    taken have none."""
    owed_back: tuple[OwedBack, ...] = ()
    """Debits of a tag that no leg stands for. Older records name none."""

    def __post_init__(self) -> None:
        assert self.toll_due_fen >= 0, "a toll is not negative"
        named = [leg.out_trade_no for leg in self.legs if leg.out_trade_no is not None]
        assert len(named) == len(set(named)), "an order is applied once"
        assert set(named) <= set(self.orders), "a leg names an order of this passage"
        coupons = [leg.amount_fen for leg in self.legs if leg.tender is Tender.COUPON]
        assert coupons == [step.saved_fen for step in self.why], "every coupon leg says why"
        assert len(coupons) <= 1, "no two coupons stand together"
        charges = sum(leg.tender is Tender.ETC for leg in self.legs) + len(self.owed_back)
        assert charges <= 1, "a tag is debited once per passage: applied or owed back"
        applied = sum(leg.amount_fen for leg in self.legs)
        assert applied == self.toll_due_fen or self.unpaid_reason is not None, "legs do not sum"
