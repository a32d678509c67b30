"""Debits of a tag that settled nothing: what ETC issuers owe back, and to whom. Pure.

Strategy. A lane debits a tag at the window, and its sealed record applies the debit as a leg or
names it under ``owed_back``. What is named there is booked in the record's commit and stands on a
list for the issuer with one action each, until a person says what the issuer said:

    due ────────── given_back ──────────> given_back
    doubtful ──┬── taken ──> due ──────── given_back ──> given_back
               └── not_taken ──> not_taken

Doubtful: the reader never said whether it took the money; only its issuer knows. A plaza has no
line to an issuer, so nothing here ends by itself, and no guess is booked: a doubtful debit is a
pending transfer. One that is open for days raises an alarm, and the end of the last such clears it.

Money. Taken: etc -> suspense, and in the same commit suspense -> refund_due. Given back: refund_due
-> etc: the issuer owes us nothing for it any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from plaza_server.rules.ledger import Transfer, TransferKind
from plaza_server.rules.ledger_accounts import ETC, REFUND_DUE, SUSPENSE
from plaza_server.rules.orders import AlarmNote, Moment
from tolling.alarms import AlarmCode
from tolling.ids import BootId, LaneId, PassageId
from tolling.money import Money
from tolling.records import PassageRecord

LATE_MS = 3 * 86_400_000
"""A debit open for longer is told: an issuer answers on a working day, and a weekend may lie
between."""


class EtcDueState(StrEnum):
    """Where a debit that settled nothing is."""

    DOUBTFUL = "doubtful"
    """Nobody knows whether the tag was debited."""
    DUE = "due"
    """It was, and it is owed back."""
    GIVEN_BACK = "given_back"
    """The issuer gave it back."""
    NOT_TAKEN = "not_taken"
    """It never was: nothing moved."""


class EtcOutcome(StrEnum):
    """What an issuer may say."""

    TAKEN = "taken"
    NOT_TAKEN = "not_taken"
    GIVEN_BACK = "given_back"


S, W = EtcDueState, EtcOutcome
MOVES = MappingProxyType(
    {
        (S.DOUBTFUL, W.TAKEN): S.DUE,
        (S.DOUBTFUL, W.NOT_TAKEN): S.NOT_TAKEN,
        (S.DOUBTFUL, W.GIVEN_BACK): S.GIVEN_BACK,
        (S.DUE, W.GIVEN_BACK): S.GIVEN_BACK,
    }
)
"""(state, what the issuer said) -> state; every other pair is refused."""
SAID = MappingProxyType({W.TAKEN: S.DUE, W.NOT_TAKEN: S.NOT_TAKEN, W.GIVEN_BACK: S.GIVEN_BACK})
"""Where a debit is once that was said: the same word again changes nothing."""
OPEN_STATES = frozenset(state for state, _ in MOVES)
"""Those a person has to do something about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EtcDue:
    """One debit that settled nothing; a passage has one at most."""

    passage_id: PassageId
    """The reader's reference of the debit."""
    lane_id: LaneId
    tag_id: str
    amount_fen: int
    txn_id: str | None
    """The reader's number; None: it never said that it took the money."""
    state: EtcDueState
    noted_ms: int
    """When its record came."""
    said_by: str | None = None
    """Who told what the issuer said last."""
    said_ms: int | None = None
    issuer_ref: str = ""
    """The issuer's own number of that, where it gave one."""

    @property
    def action(self) -> str:
        """Return what a person is to do about it; empty where nothing is left."""
        yuan = Money(self.amount_fen).yuan_text()
        if self.state is S.DOUBTFUL:
            return (
                f"Ask the issuer whether tag {self.tag_id} was debited {yuan} yuan under reference"
                f" {self.passage_id}; say taken or not_taken"
            )
        if self.state is S.DUE:
            number = self.txn_id or f"reference {self.passage_id}"
            return (
                f"Have the issuer give {yuan} yuan ({number}) back to tag {self.tag_id}; say"
                " given_back"
            )
        return ""

    def is_late(self, now_ms: int) -> bool:
        """Return whether it is open for so long that an alarm tells of it."""
        return self.state in OPEN_STATES and now_ms - self.noted_ms >= LATE_MS


def dues_of(record: PassageRecord, now_ms: int) -> tuple[EtcDue, ...]:
    """Return what *record* names as owed back."""
    return tuple(
        EtcDue(
            passage_id=record.passage_id,
            lane_id=record.lane_id,
            tag_id=owed.tag_id,
            amount_fen=owed.amount_fen,
            txn_id=owed.txn_id,
            state=S.DOUBTFUL if owed.txn_id is None else S.DUE,
            noted_ms=now_ms,
        )
        for owed in record.owed_back
    )


def late_note(*, raised: bool) -> AlarmNote:
    """Return the alarm of debits that are open for too long, or its end; one for all of them."""
    return AlarmNote(
        code=AlarmCode.ETC_DUES_LATE,
        raised=raised,
        subject="",
        what=(
            f"tag debits wait for their issuers for more than {LATE_MS // 86_400_000} days."
            " Ask: plaza-server etc list says what and whom"
            if raised
            else "none waits for so long any more"
        ),
    )


# ---- money ----


def first_bookings(due: EtcDue) -> tuple[Transfer, ...]:
    """Return what is booked with its record."""
    if due.txn_id is None:
        return (_row(due, "taken", ETC, SUSPENSE, TransferKind.PENDING),)
    return (_row(due, "taken", ETC, SUSPENSE), _row(due, "due", SUSPENSE, REFUND_DUE))


def outcome_bookings(due: EtcDue, outcome: EtcOutcome) -> tuple[Transfer, ...]:
    """Return what is booked when a debit moves by *outcome*."""
    assert (due.state, outcome) in MOVES, "no such move"
    rows: list[Transfer] = []
    if due.state is S.DOUBTFUL:
        kind = TransferKind.VOID if outcome is W.NOT_TAKEN else TransferKind.POST
        rows.append(_row(due, "taken/end", ETC, SUSPENSE, kind))
        if outcome is not W.NOT_TAKEN:
            rows.append(_row(due, "due", SUSPENSE, REFUND_DUE))
    if outcome is W.GIVEN_BACK:
        rows.append(_row(due, "back", REFUND_DUE, ETC))
    return tuple(rows)


def _row(
    due: EtcDue, what: str, debit: str, credit: str, kind: TransferKind = TransferKind.POSTED
) -> Transfer:
    ends = kind in (TransferKind.POST, TransferKind.VOID)
    return Transfer(
        transfer_id=f"etc/{due.passage_id}/{what}",
        kind=kind,
        debit=debit,
        credit=credit,
        amount_fen=due.amount_fen,
        out_trade_no=None,
        pending_id=f"etc/{due.passage_id}/taken" if ends else None,
    )


# ---- unit of work ----


@dataclass(frozen=True, slots=True, kw_only=True)
class SayEtcOutcome:
    """Tell what an issuer said about one debit. Result: EtcDue.

    Raises: RefusedError: no such debit, or it ended otherwise.
    """

    passage_id: PassageId
    outcome: EtcOutcome
    issuer_ref: str
    by: str
    owner: BootId
    """Names the ledger stream it is written to."""
    at: Moment
