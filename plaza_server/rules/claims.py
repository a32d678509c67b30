"""Claims: money of a settled passage that is given back later, because somebody asked. Pure.

Strategy. The passage's record stays as it is; a claim is a later fact with transfers of its own.
Someone asks, someone approves: above a limit another person, and the limit counts all claims of the
passage, so that it cannot be passed in slices. Approval makes the money due (revenue -> refund_due)
in its own commit. From there a phone claim is the engine's: its number and state are stored before
every call, and only a refund query proves that the platform paid. A cash claim is a person's: it
ends by an attendant's word. Claims of a leg that are not refused never sum to more than the leg.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from enum import StrEnum

from plaza_server.rules.ledger import Transfer, TransferKind
from plaza_server.rules.ledger_accounts import REFUND_DUE, cash_lane, clearing
from plaza_server.rules.orders import AlarmNote, Moment, Order
from plaza_server.rules.outcomes import RefundDone, RefundOutcome, RefundRefused
from tolling.alarms import AlarmCode
from tolling.canonical import canonical_bytes
from tolling.clock import beijing_digits
from tolling.ids import BootId, LaneId, OutRefundNo, OutTradeNo, PassageId
from tolling.paycodes import Wallet

MAX_CLAIMS = 99
"""Of one passage; an order's refund numbers have two digits too."""
TWO_PERSON_ABOVE_FEN = 5_000
"""Unless the plaza's file says otherwise: about two usual tolls."""
APPROVER_ROLES = frozenset({"shift_leader"})
"""Whoever answers for a shift decides about its claims."""


class ClaimState(StrEnum):
    """Where a claim is."""

    ASKED = "asked"
    """Somebody has to agree."""
    APPROVED = "approved"
    """The money is due; nothing was sent yet, or an attendant has to hand it out."""
    SENDING = "sending"
    """A refund was or is being sent; its proof is outstanding."""
    REFUNDED = "refunded"
    """The platform paid it back, proven by a query."""
    PAID_OUT = "paid_out"
    """An attendant said that the cash was handed out."""
    REFUSED = "refused"
    """Nobody agreed; no money moved."""
    STUCK = "stuck"
    """The platform refuses it for good: daily retry, alarm."""


S = ClaimState
WORK_STATES = frozenset({S.APPROVED, S.SENDING, S.STUCK})
"""Of a phone claim: the engine still has to work on it."""
DUE_STATES = frozenset({S.APPROVED, S.SENDING, S.STUCK, S.REFUNDED, S.PAID_OUT})
"""The money was made due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One claim as it is stored."""

    claim_id: str
    """passage_id, ``C`` and two digits from 01."""
    request_id: str
    """The asker's own number of it: makes it happen once."""
    request_digest: str
    """Over what was asked."""
    passage_id: PassageId
    lane_id: LaneId
    leg: int
    """Which leg of the passage's record, from 1."""
    out_trade_no: OutTradeNo | None
    """Of a phone leg; None for cash."""
    platform: str
    """Empty for cash."""
    revenue: str
    """The account the leg was booked to."""
    amount_fen: int
    reason: str
    asked_by: str
    asked_ms: int
    decided_by: str | None
    """Who approved or refused."""
    decided_ms: int | None
    decision: str
    """Why it was refused; empty else."""
    paid_by: str | None
    """Who handed out cash."""
    ended_ms: int | None
    out_refund_no: OutRefundNo | None
    """Given with the approval of a phone claim, before any call."""
    state: ClaimState
    owner: BootId
    lease_until_ms: int
    version: int

    @property
    def needs_work(self) -> bool:
        """Whether an engine has to send, prove or repeat it."""
        return self.out_trade_no is not None and self.state in WORK_STATES


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundOrder:
    """What a refund call of a claim shows its codec: the order, with this refund's own number and
    amount."""

    out_trade_no: OutTradeNo
    wallet: Wallet | None
    txn_time: str
    lane_id: LaneId
    toll_fen: int
    subject: str
    captured_fen: int
    provider_txn_id: str | None
    out_refund_no: OutRefundNo
    refund_txn_time: str
    refund_fen: int


def refund_order(order: Order, claim: Claim) -> RefundOrder:
    """Return how *claim* on *order* looks to a platform."""
    assert claim.out_refund_no is not None, "its number is stored before any call"
    assert claim.decided_ms is not None, "it was approved"
    return RefundOrder(
        out_trade_no=order.out_trade_no,
        wallet=order.wallet,
        txn_time=order.txn_time,
        lane_id=order.lane_id,
        toll_fen=order.toll_fen,
        subject=order.subject,
        captured_fen=order.captured_fen,
        provider_txn_id=order.provider_txn_id,
        out_refund_no=claim.out_refund_no,
        # Stored with its number, before any call; days after the payment's.
        refund_txn_time=beijing_digits(claim.decided_ms),
        refund_fen=claim.amount_fen,
    )


def ask_digest(passage: str, leg: int | None, amount_fen: int | None, reason: str) -> str:
    """Return what makes two requests with one number the same."""
    asked = {"passage": passage, "leg": leg, "amount_fen": amount_fen, "reason": reason}
    return hashlib.sha256(canonical_bytes(asked)).hexdigest()


def wants_two(claims_fen: int, above_fen: int) -> bool:
    """Return whether another person must approve, where *claims_fen* is what all claims of the
    passage that are not refused sum to."""
    return claims_fen > above_fen


# ---- what happens to a claim ----


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimStarted:
    """The commit that holds this is the last thing before the refund's first call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimAnswered:
    """What a refund call or a refund query brought."""

    outcome: RefundOutcome
    by_query: bool


ClaimFact = ClaimStarted | ClaimAnswered


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimApplied:
    """What one fact did to a claim."""

    claim: Claim
    transfers: tuple[Transfer, ...] = ()
    alarms: tuple[AlarmNote, ...] = ()


def apply_claim(claim: Claim, fact: ClaimFact, *, at: Moment) -> ClaimApplied:
    """Return what *fact* makes of a phone claim. Total: what proves nothing changes nothing."""
    match fact:
        case ClaimStarted():
            if claim.state is S.APPROVED:
                return ClaimApplied(claim=_moved(claim, S.SENDING))
            return ClaimApplied(claim=claim)
        case ClaimAnswered():
            return _answered(claim, fact, at)


def _answered(claim: Claim, fact: ClaimAnswered, at: Moment) -> ClaimApplied:
    outcome = fact.outcome
    if claim.state not in {S.SENDING, S.STUCK}:
        return ClaimApplied(claim=claim)
    if isinstance(outcome, RefundDone) and fact.by_query:
        if outcome.refunded_total_fen < claim.amount_fen:
            return ClaimApplied(claim=claim)
        done = replace(_moved(claim, S.REFUNDED), ended_ms=at.wall_ms)
        note = _note(claim, raised=False, what="given back")
        back = paid_back(claim, clearing(claim.platform))
        return ClaimApplied(claim=done, transfers=(back,), alarms=(note,))
    refused = isinstance(outcome, RefundRefused) and outcome.final and not fact.by_query
    if refused and claim.state is S.SENDING:
        what = f"the platform refuses to give back {claim.amount_fen} fen; tried again every day"
        note = _note(claim, raised=True, what=what)
        return ClaimApplied(claim=_moved(claim, S.STUCK), alarms=(note,))
    return ClaimApplied(claim=claim)


def approved(
    claim: Claim, by: str, *, out_refund_no: OutRefundNo | None, at: Moment
) -> ClaimApplied:
    """Return *claim* with the money due; the number of its refund goes with it."""
    assert claim.state is S.ASKED
    assert (out_refund_no is None) == (claim.out_trade_no is None), "phone claims have a number"
    made = replace(
        _moved(claim, S.APPROVED), decided_by=by, decided_ms=at.wall_ms, out_refund_no=out_refund_no
    )
    due = Transfer(
        transfer_id=f"claim/{claim.claim_id}/due",
        kind=TransferKind.POSTED,
        debit=claim.revenue,
        credit=REFUND_DUE,
        amount_fen=claim.amount_fen,
        out_trade_no=claim.out_trade_no,
    )
    return ClaimApplied(claim=made, transfers=(due,))


def refused(claim: Claim, by: str, why: str, *, at: Moment) -> ClaimApplied:
    """Return *claim* turned down; nothing was ever due."""
    assert claim.state is S.ASKED
    ended = replace(_moved(claim, S.REFUSED), decided_by=by, decided_ms=at.wall_ms, decision=why)
    return ClaimApplied(claim=replace(ended, ended_ms=at.wall_ms))


def paid_out(claim: Claim, by: str, *, at: Moment) -> ClaimApplied:
    """Return a cash claim that *by* says was handed out from the lane's drawer."""
    assert claim.state is S.APPROVED
    assert claim.out_trade_no is None, "a platform pays phone claims"
    ended = replace(_moved(claim, S.PAID_OUT), paid_by=by, ended_ms=at.wall_ms)
    return ClaimApplied(claim=ended, transfers=(paid_back(claim, cash_lane(claim.lane_id)),))


def paid_back(claim: Claim, source: str) -> Transfer:
    """Return refund_due -> *source*, which paid the claim. Once per claim."""
    return Transfer(
        transfer_id=f"claim/{claim.claim_id}/back",
        kind=TransferKind.POSTED,
        debit=REFUND_DUE,
        credit=source,
        amount_fen=claim.amount_fen,
        out_trade_no=claim.out_trade_no,
    )


def _moved(claim: Claim, to: ClaimState) -> Claim:
    return replace(claim, state=to, version=claim.version + 1)


def _note(claim: Claim, *, raised: bool, what: str) -> AlarmNote:
    return AlarmNote(code=AlarmCode.REFUND_STUCK, raised=raised, subject=claim.claim_id, what=what)
