"""What becomes of a receipt: a table of states and events, and the units of work about it. Pure.

    issued ── deliver ──> delivered ── reimburse ──> reimbursed
       └──── void, refund ───┴──> voided <── refund ────┘

Issued: built in the commit that takes the record. Delivered: signed and handed out the first time.
A second reimbursement is refused. A refund of the whole toll voids a receipt whatever became of it,
because the money has gone back: who reimbursed it before is told by its history.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from tolling.ids import PassageId
from tolling.receipts import Receipt, SignedReceipt


class ReceiptState(StrEnum):
    """Where a receipt is in its life."""

    ISSUED = "issued"
    """Built and stored; nobody has had it yet."""
    DELIVERED = "delivered"
    """Signed, and shown or handed out."""
    REIMBURSED = "reimbursed"
    """Somebody paid it out to the driver: it is good for nothing more."""
    VOIDED = "voided"
    """The toll was given back, or staff took the receipt back."""


class ReceiptEvent(StrEnum):
    """What may happen to one."""

    DELIVER = "deliver"
    """It is handed out."""
    REIMBURSE = "reimburse"
    """It is paid out."""
    VOID = "void"
    """Staff take it back."""
    REFUND = "refund"
    """The whole toll has been given back."""


class ReceiptVerdict(StrEnum):
    """What the table says of an event."""

    MOVED = "moved"
    SAME = "same"
    """Nothing to do: it is so already, or past it."""
    REFUSED = "refused"


_S, _E = ReceiptState, ReceiptEvent
MOVES = MappingProxyType(
    {
        (_S.ISSUED, _E.DELIVER): _S.DELIVERED,
        (_S.ISSUED, _E.VOID): _S.VOIDED,
        (_S.ISSUED, _E.REFUND): _S.VOIDED,
        (_S.DELIVERED, _E.REIMBURSE): _S.REIMBURSED,
        (_S.DELIVERED, _E.VOID): _S.VOIDED,
        (_S.DELIVERED, _E.REFUND): _S.VOIDED,
        (_S.REIMBURSED, _E.REFUND): _S.VOIDED,
    }
)
"""(state, event) -> state."""
SAME = frozenset(
    {
        (_S.DELIVERED, _E.DELIVER),
        (_S.REIMBURSED, _E.DELIVER),
        (_S.VOIDED, _E.DELIVER),
        (_S.VOIDED, _E.REFUND),
    }
)
"""Pairs that change nothing. Every pair in neither table is refused: a receipt nobody has had
cannot be reimbursed, and nothing is reimbursed or voided twice."""


def verdict_of(state: ReceiptState, event: ReceiptEvent) -> ReceiptVerdict:
    """Return what the table says."""
    if (state, event) in MOVES:
        return ReceiptVerdict.MOVED
    return ReceiptVerdict.SAME if (state, event) in SAME else ReceiptVerdict.REFUSED


class RefundProgress(StrEnum):
    """How far a refund is, in words for its driver."""

    ASKED = "asked"
    """Claimed; somebody has to agree."""
    UNDER_WAY = "under_way"
    """It will be paid back; the platform has not proven it yet."""
    DONE = "done"
    """Proven to be paid back."""
    REFUSED = "refused"
    """Claimed, and not granted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundLine:
    """One refund of a passage, as its driver sees it."""

    tender: str
    """alipay, wechat, unionpay, cash, ..."""
    amount_fen: int
    progress: RefundProgress
    of_toll: bool
    """It gives back of what the receipt says was paid; False: of a payment that was one too
    many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptStep:
    """One step of a receipt's history, as it is kept."""

    event: ReceiptEvent
    to_state: ReceiptState
    who: str
    """operator_id, or empty where nobody did it."""
    why: str
    wall_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptView:
    """A receipt and all that became of it."""

    receipt: Receipt
    content: str
    """Its canonical JSON, as stored."""
    state: ReceiptState
    signed: SignedReceipt | None
    """None before the first delivery."""
    steps: tuple[ReceiptStep, ...]
    """Oldest first."""
    refunds: tuple[RefundLine, ...]
    """Every refund of the passage."""

    @property
    def refunded_fen(self) -> int:
        """What was given back of this toll so far."""
        done = RefundProgress.DONE
        return sum(
            each.amount_fen for each in self.refunds if each.of_toll and each.progress is done
        )

    def last(self, event: ReceiptEvent) -> ReceiptStep | None:
        """Return the last step of one kind."""
        return next((step for step in reversed(self.steps) if step.event is event), None)

    @property
    def refunded_whole(self) -> bool:
        """Whether nothing of the toll is left; of one a coupon covered nothing was paid at all."""
        return self.refunded_fen >= self.receipt.toll_fen > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveReceipt:
    """Tell a receipt what happened. Result: ReceiptMoved | None (no such receipt).

    A refund of the whole toll that the store knows of is noted first, whatever is asked.
    """

    receipt_no: PassageId
    event: ReceiptEvent
    who: str
    why: str
    now_ms: int
    signed: SignedReceipt | None = None
    """Of DELIVER: kept with the first delivery."""

    def __post_init__(self) -> None:
        assert (self.signed is not None) == (self.event is _E.DELIVER), "a delivery is signed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptMoved:
    """Result of MoveReceipt."""

    verdict: ReceiptVerdict
    view: ReceiptView
    """As it is now."""
