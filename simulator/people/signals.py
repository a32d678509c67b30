"""What people notice and what they do about it: frozen values, instants in microseconds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from simulator.people.behaviours import CodeKind, WalletWill
from simulator.people.reading import Seen
from tolling.evolve import quick

# -- what a driver notices -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """Stands in the queue, another vehicle before it."""

    at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AtWindow:
    """Stands at the stop line (on), or has begun to move again."""

    at_us: int
    on: bool


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """What can be seen from the seat; sent when any of it changes, and on coming to the window."""

    at_us: int
    display: Seen
    boom_up: bool
    green: bool
    """The lane's pass lamp."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Woken:
    """An instant the driver asked for has come."""

    at_us: int
    timer: str


class TakenBy(StrEnum):
    """Through what money left the driver."""

    PHONE = "phone"
    CASH = "cash"
    ETC = "etc"


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyTaken:
    """Money left the driver (or, below 0, came back): phone, purse or tag says so."""

    at_us: int
    by: TakenBy
    amount_fen: int
    reference: str
    """The platform's or reader's number; empty for cash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackOutBlocked:
    """Could not reverse: another vehicle stands behind."""

    at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """Has left the lane, forwards or backwards."""

    at_us: int


Percept = Queued | AtWindow | Looks | Woken | MoneyTaken | BackOutBlocked | Gone

# -- what a driver does ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowCode:
    """Hold a code before the scanner now."""

    code: CodeKind
    will: WalletWill
    after_ms: int
    """How long after the pay call the owner acts, where *will* says he does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowCoupon:
    """Hold the coupon before the scanner now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskCash:
    """Ask the attendant to take cash."""

    toll_fen: int | None
    """What the driver read; None: never saw it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriveOn:
    """Drive on now."""

    closely: bool = False
    stall: bool = False
    """Stop under the boom on the way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackOut:
    """Reverse out of the lane now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wake:
    """Send Woken(timer) at that instant; a later Wake of the same timer replaces it."""

    timer: str
    at_us: int


Intent = ShowCode | ShowCoupon | AskCash | DriveOn | BackOut | Wake
