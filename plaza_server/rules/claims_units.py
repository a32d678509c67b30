"""Units of work about claims, as frozen values. ``store/claim_units.py`` runs them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from plaza_server.rules.claims import Claim, ClaimFact
from plaza_server.rules.order_values import Moment, Order
from plaza_server.rules.orders import AlarmNote
from tolling.ids import BootId, PassageId


@dataclass(frozen=True, slots=True, kw_only=True)
class AskRefund:
    """Ask for money of a settled passage. Result: Claim, the standing one where it was asked
    before.

    Raises: LedgerConflictError: the number was used with other content.
            RefusedError: no such receipt, leg or money left.
    """

    request_id: str
    passage_id: PassageId
    leg: int | None
    """From 1; None: the only leg."""
    amount_fen: int | None
    """None: what is left of the leg."""
    reason: str
    by: str
    """operator_id."""
    at: Moment


class Decision(StrEnum):
    """What a person says about a claim."""

    APPROVE = "approve"
    REFUSE = "refuse"
    PAID_OUT = "paid_out"
    """The cash was handed out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecideClaim:
    """Approve, refuse or pay out a claim. Result: Claim; the same decision again changes nothing.

    Raises: RefusedError: no such claim, not in that state, or not by this person.
    """

    claim_id: str
    decision: Decision
    by: str
    why: str
    two_person_above_fen: int
    owner: BootId
    """The process that writes the transfers."""
    at: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyClaim:
    """Apply a fact to a phone claim. Result: ClaimChanged."""

    claim_id: str
    fact: ClaimFact
    owner: BootId
    lease_until_ms: int
    at: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimChanged:
    """A claim as it is stored now, and alarms that changed."""

    claim: Claim
    alarms: tuple[AlarmNote, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimWork:
    """A claim that needs work, and its order."""

    claim: Claim
    order: Order


ClaimUnit = AskRefund | DecideClaim | ApplyClaim
