"""What the lane engine asks of its shell (or of the simulated world). Mirror of inputs.py.

The shell carries effects out in their order and decides nothing. At most one Commit is under way;
whatever
happens meanwhile goes into the next one, so a commit is a group by itself and a failed one is
simply sent again.
"""

from __future__ import annotations

from dataclasses import dataclass

from lane_controller.core import commands as cmd
from lane_controller.core.journalled import Unit
from tolling.coupons import CouponRelease, CouponRequest
from tolling.evolve import quick
from tolling.ids import OutTradeNo
from tolling.messages import (
    AlarmNotice,
    CommandResult,
    EntryQuery,
    LaneNotice,
    LaneSnapshot,
    PaymentRequest,
)

# ---- calls to the plaza over HTTP ----


@dataclass(frozen=True, slots=True, kw_only=True)
class PostPayment:
    """POST /v1/payments with the code held under keyed_hash."""

    out_trade_no: OutTradeNo
    request: PaymentRequest
    keyed_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GetPayment:
    """GET /v1/payments/{no}?wait_ms="""

    out_trade_no: OutTradeNo
    wait_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PostCancel:
    """POST /v1/payments/{no}/cancel"""

    out_trade_no: OutTradeNo


@dataclass(frozen=True, slots=True, kw_only=True)
class PostCouponReserve:
    """POST /v1/coupons/reserve with the coupon held under keyed_hash."""

    request: CouponRequest
    keyed_hash: str
    deadline_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PostCouponRelease:
    """POST /v1/coupons/release"""

    release: CouponRelease


@dataclass(frozen=True, slots=True, kw_only=True)
class PostEntryQuery:
    """POST /v1/entries"""

    passage_id: str
    query: EntryQuery


@dataclass(frozen=True, slots=True, kw_only=True)
class PostRecords:
    """POST /v1/records with the stored records after after_seq, in order, at most limit."""

    epoch: int
    after_seq: int
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GetEnrolment:
    """GET /v1/lanes/{lane_id}/epoch?fresh=; also the lane's heartbeat to the plaza."""

    fresh: bool
    """The journal has no epoch: the plaza gives one whose numbers were never used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GetTariffs:
    """GET /v1/tariffs: current and next, signed."""


PlazaRequest = (
    PostPayment
    | GetPayment
    | PostCancel
    | PostCouponReserve
    | PostCouponRelease
    | PostEntryQuery
    | PostRecords
    | GetEnrolment
    | GetTariffs
)

# ---- effects ----


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """Make these units durable in one transaction, in order; answer Committed or CommitFailed."""

    commit_id: int
    units: tuple[Unit, ...]


DeviceCommand = (
    cmd.RaiseBoom
    | cmd.LowerIfClear
    | cmd.SetOutput
    | cmd.ShowToll
    | cmd.ShowPicture
    | cmd.SetScanner
    | cmd.ChargeTag
    | cmd.AskTag
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCall:
    """Carry out a device command now; its answer, where it has one, comes back as a core fact.

    RaiseBoom failed -> BarrierFailed(raising=True). LowerIfClear -> LowerAnswered | BarrierFailed.
    ShowToll -> TollShown per device that took it, TollNotShown where none did. ChargeTag, AskTag ->
    EtcAnswered. The others answer nothing; a failing device reports its health by itself.
    """

    command: DeviceCommand


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class PlazaCall:
    """Call the plaza; answer PlazaAnswered or PlazaFailed with the same call_id."""

    call_id: int
    request: PlazaRequest
    deadline_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DropCode:
    """Forget the pay code held under this hash."""

    keyed_hash: str


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Wake:
    """Feed TimerDue(timer_id) after a while; the same id again moves it."""

    timer_id: str
    after_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelWake:
    """Forget a timer."""

    timer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Tell whoever sent the command, locally or over the broker, how it ended."""

    result: CommandResult


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishState:
    """Publish the lane's state, retained; a newer one replaces an unsent one."""

    snapshot: LaneSnapshot


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class PublishNotice:
    """Publish a notice or alarm at QoS 1; answer NoticeAcked or NoticeFailed."""

    number: int
    notice: LaneNotice | AlarmNotice


Effect = (
    Commit
    | DeviceCall
    | PlazaCall
    | DropCode
    | Wake
    | CancelWake
    | Answer
    | PublishState
    | PublishNotice
)
