"""The tenders of one passage as legs: one status each, one for all of them. Pure.

Theory of operation. A toll may be paid in parts: what is reversible first (a coupon, which the
plaza only holds), then what an issuer gives back (a tag's balance), then the phone, cash last. Each
leg is a small machine of its own, and its table is below. The sealed record alone ends a leg:

    offered ── held ──> reserved ── named ──> consumed
       │                    └── dropped, left out ──> released
       ├── taken ──> captured ── named ──> consumed
       │                 └── left out ──> refund_due
       └── refused, dropped, left out ──> released

Named: the record applies it. Left out: the record is sealed without it. What is to be undone is
undone in reverse order: cash goes back over the window, orders are cancelled or refunded, a tag's
debit is owed back by its issuer, the coupon is let go last.
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType


class LegStatus(StrEnum):
    """Where one leg is."""

    OFFERED = "offered"
    """Shown or asked for; nobody has said yes."""
    RESERVED = "reserved"
    """Held for this passage; nothing has moved."""
    CAPTURED = "captured"
    """The money is ours, for this passage."""
    CONSUMED = "consumed"
    """The sealed record names it."""
    RELEASED = "released"
    """Nothing of it is held, or ever was."""
    REFUND_DUE = "refund_due"
    """The money is ours and no record names it: it is owed back."""


class LegEvent(StrEnum):
    """What may happen to one."""

    HELD = "held"
    """The plaza holds it for this passage."""
    TAKEN = "taken"
    """The money was taken."""
    REFUSED = "refused"
    """Whoever was asked says no."""
    DROPPED = "dropped"
    """The lane goes on without it: another price, no answer, a change of mind."""
    NAMED = "named"
    """The record is sealed and applies it."""
    LEFT_OUT = "left_out"
    """The record is sealed and does not apply it."""


_S, _E = LegStatus, LegEvent
MOVES = MappingProxyType(
    {
        (_S.OFFERED, _E.HELD): _S.RESERVED,
        (_S.OFFERED, _E.TAKEN): _S.CAPTURED,
        (_S.OFFERED, _E.REFUSED): _S.RELEASED,
        (_S.OFFERED, _E.DROPPED): _S.RELEASED,
        (_S.OFFERED, _E.LEFT_OUT): _S.RELEASED,
        (_S.RESERVED, _E.DROPPED): _S.RELEASED,
        (_S.RESERVED, _E.NAMED): _S.CONSUMED,
        (_S.RESERVED, _E.LEFT_OUT): _S.RELEASED,
        (_S.CAPTURED, _E.NAMED): _S.CONSUMED,
        (_S.CAPTURED, _E.LEFT_OUT): _S.REFUND_DUE,
    }
)
"""(status, event) -> status. A pair that is not here changes nothing: late word of a leg that is
over."""


def after(status: LegStatus, event: LegEvent) -> LegStatus:
    """Return the status after an event; total."""
    return MOVES.get((status, event), status)


class Settlement(StrEnum):
    """Where the legs of a passage are together."""

    NOTHING = "nothing"
    """Nothing is offered, held or taken."""
    GATHERING = "gathering"
    """Some leg is, and they do not cover the toll."""
    SETTLED = "settled"
    """They cover the toll: the vehicle may go."""
    UNDOING = "undoing"
    """What was taken is owed back, and nothing else stands."""


def settlement(statuses: tuple[LegStatus, ...], *, settled: bool) -> Settlement:
    """Return the one status of all legs. *settled*: they cover the toll due."""
    if settled:
        return Settlement.SETTLED
    alive = {_S.OFFERED, _S.RESERVED, _S.CAPTURED}
    if alive & set(statuses):
        return Settlement.GATHERING
    return Settlement.UNDOING if _S.REFUND_DUE in statuses else Settlement.NOTHING
