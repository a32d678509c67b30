"""Requests going out of the core: its only output. Mirror of events.py.

Each command belongs to a class that says how long it may wait for the disk (design: three layers):
SAFETY leaves at once, PROMISE after its commit, GROUP with the group that holds its event.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tolling.alarms import AlarmCode
from tolling.coupons import CouponRelease, CouponRequest
from tolling.evolve import quick
from tolling.ids import OutTradeNo, PassageId
from tolling.inputs import Output
from tolling.messages import CommandOutcome, PaymentRequest
from tolling.pictures import DisplayPicture
from tolling.records import PassageRecord


class CommandClass(StrEnum):
    """How long a command may wait for the disk."""

    SAFETY = "safety"
    """Never: raise, lamps, timers."""
    PROMISE = "promise"
    """Until its commit is durable: orders, records, answers to people."""
    GROUP = "group"
    """With the group; nothing depends on it being first."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class RequestWakeup:
    """Wakeup(timer_id) after a while; the same id again moves it. Answered by Wakeup."""

    timer_id: str
    after_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelWakeup:
    """Forget a timer."""

    timer_id: str


class RaiseReason(StrEnum):
    """Why the boom is raised (B2). SAFETY authorises nobody."""

    TENDER = "tender"
    EXEMPTION = "exemption"
    ATTENDANT = "attendant"
    SAFETY = "safety"


@dataclass(frozen=True, slots=True, kw_only=True)
class RaiseBoom:
    """Pulse raise now. Proof is the limit switch, by InputChanged."""

    reason: RaiseReason
    passage_id: PassageId | None
    after_commit: bool = False
    """Only this lane knows why: durable first, unless its disk fails or hangs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LowerIfClear:
    """Ask the barrier driver to lower. Answered by LowerAnswered or BarrierFailed."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class SetOutput:
    """Set a lamp."""

    output: Output
    on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowToll:
    """Show and speak the toll. Answered by TollShown or TollNotShown: the scan window depends on
    it."""

    passage_id: PassageId
    picture: DisplayPicture


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowPicture:
    """Show and speak something else."""

    picture: DisplayPicture


@dataclass(frozen=True, slots=True, kw_only=True)
class SetScanner:
    """Start or stop decoding."""

    on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LookUpEntry:
    """Ask the plaza where a plate entered. Answered by EntryKnown."""

    passage_id: PassageId
    plate: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SendOrder:
    """Ask the plaza to charge a code. Answered by OrderAnswered or OrderUnanswered."""

    out_trade_no: OutTradeNo
    request: PaymentRequest
    keyed_hash: str
    """Which code in the shell's memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PollOrder:
    """Ask where an order is. Answered by OrderAnswered or OrderUnanswered."""

    out_trade_no: OutTradeNo
    wait_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOrder:
    """Ask the plaza to end an order. Answered by OrderAnswered or OrderUnanswered."""

    out_trade_no: OutTradeNo


@dataclass(frozen=True, slots=True, kw_only=True)
class ReserveCoupon:
    """Ask the plaza to hold a coupon. Answered by CouponAnswered or CouponUnanswered."""

    request: CouponRequest
    keyed_hash: str
    """Which coupon in the shell's memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseCoupon:
    """Tell the plaza to let a coupon go. Not answered: the record says the same again."""

    release: CouponRelease


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetCode:
    """The order or coupon is answered: drop its code from memory."""

    keyed_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeTag:
    """Charge an ETC tag once per passage. Answered by EtcAnswered."""

    passage_id: PassageId
    tag_id: str
    amount_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AskTag:
    """Ask the antenna how the charge of a passage ended. Answered by EtcAnswered."""

    passage_id: PassageId


@dataclass(frozen=True, slots=True, kw_only=True)
class SealPassage:
    """Seal this record into the lane's chain; the lane is done with the passage."""

    record: PassageRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class RaiseAlarm:
    """A condition a person must act on has begun; repeated for the same code and subject is
    ignored."""

    code: AlarmCode
    subject: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearAlarm:
    """That condition has ended."""

    code: AlarmCode
    subject: str


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something happened that is worth knowing and needs no action."""

    name: str
    passage_id: PassageId | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerOperator:
    """Tell the person how the command ended."""

    command_id: str
    outcome: CommandOutcome
    reason: str


Command = (
    RequestWakeup
    | CancelWakeup
    | RaiseBoom
    | LowerIfClear
    | SetOutput
    | ShowToll
    | ShowPicture
    | SetScanner
    | LookUpEntry
    | SendOrder
    | PollOrder
    | CancelOrder
    | ReserveCoupon
    | ReleaseCoupon
    | ForgetCode
    | ChargeTag
    | AskTag
    | SealPassage
    | RaiseAlarm
    | ClearAlarm
    | Note
    | AnswerOperator
)

_SAFETY = (RequestWakeup, CancelWakeup, RaiseBoom, SetOutput)
_PROMISE = (
    SendOrder,
    CancelOrder,
    ReserveCoupon,
    ReleaseCoupon,
    ChargeTag,
    SealPassage,
    ShowToll,
    AnswerOperator,
)


def class_of(command: Command) -> CommandClass:
    """Return how long *command* may wait for the disk."""
    if isinstance(command, _SAFETY):
        return CommandClass.SAFETY
    return CommandClass.PROMISE if isinstance(command, _PROMISE) else CommandClass.GROUP
