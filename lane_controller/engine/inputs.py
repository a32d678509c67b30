"""What reaches the lane engine: core facts from devices and people, and answers to its effects.

Mirror of effects.py. Every input comes with its moment in a Stamped envelope.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from lane_controller.core.events import (
    BarrierFailed,
    CodeScanned,
    CouponScanned,
    DeviceChanged,
    EtcAnswered,
    InputChanged,
    LowerAnswered,
    NotCodeScanned,
    PlateRead,
    TagRead,
    TollNotShown,
    TollShown,
)
from tolling.clock import WallTime
from tolling.coupons import CouponAnswer
from tolling.evolve import quick
from tolling.ids import BootId
from tolling.messages import (
    EnrolmentAnswer,
    EntryAnswer,
    OperatorCommand,
    PaymentAnswer,
    RecordsAnswer,
)
from tolling.tariffs import TariffSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """The process is up, its store is read; first input of all."""

    boot_id: BootId
    downtime_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """That commit is durable."""

    commit_id: int


class CommitTrouble(StrEnum):
    """Why a commit did not happen."""

    FULL = "full"
    """No space; the ballast is freed by the shell as it says so."""
    FAILED = "failed"
    """Anything else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitFailed:
    """That commit did not happen; nothing of it is in the store."""

    commit_id: int
    why: CommitTrouble


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreHasRoom:
    """The ballast lies on the disk again: the store is no longer full.

    A commit that succeeds after FULL proves only that the ballast was freed.
    """


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class PlazaAnswered:
    """The plaza answered; tariff sets are already checked (signature, hash, content)."""

    call_id: int
    answer: (
        PaymentAnswer
        | CouponAnswer
        | EntryAnswer
        | RecordsAnswer
        | EnrolmentAnswer
        | tuple[TariffSet, ...]
    )


class PlazaTrouble(StrEnum):
    """Why a call brought no answer."""

    UNREACHABLE = "unreachable"
    """The request never left."""
    TIMEOUT = "timeout"
    """It left, and nothing believable came back in time."""
    NOT_FOUND = "not_found"
    """404."""
    REJECTED = "rejected"
    """Another 4xx: this call will never be taken."""
    SERVER = "server"
    """5xx."""
    CODE_GONE = "code_gone"
    """The code was no longer in memory; nothing was sent."""
    BAD_ANSWER = "bad_answer"
    """2xx with a body that is none, or a set that is not provably the plaza's."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class PlazaFailed:
    """The plaza brought no answer to a call."""

    call_id: int
    why: PlazaTrouble


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerDue:
    """A timer asked for by Wake is due."""

    timer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonOrdered:
    """A command of a person, from the local operator port or over the broker."""

    command: OperatorCommand


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerLink:
    """The connection to the broker came or went."""

    up: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeAcked:
    """The broker has acknowledged a notice."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeFailed:
    """A notice was not acknowledged; it stays."""

    number: int


DeviceFact = (
    InputChanged
    | LowerAnswered
    | BarrierFailed
    | DeviceChanged
    | PlateRead
    | TagRead
    | EtcAnswered
    | TollShown
    | TollNotShown
    | CodeScanned
    | CouponScanned
    | NotCodeScanned
)

Input = (
    Start
    | Committed
    | CommitFailed
    | StoreHasRoom
    | PlazaAnswered
    | PlazaFailed
    | TimerDue
    | PersonOrdered
    | BrokerLink
    | NoticeAcked
    | NoticeFailed
    | DeviceFact
)


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Stamped:
    """One input at its moment."""

    at_ns: int
    wall: WallTime
    what: Input
