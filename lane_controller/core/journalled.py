"""What the lane's journal holds, as values: the units of a commit, and what a start reads back.

Engine and store meet here: a Commit carries units, the store maps each unit's class to its function
and hands the whole journal back as a JournalImage.
"""

from __future__ import annotations

from dataclasses import dataclass

from tolling.chain import Anchor, SealedRecord
from tolling.evolve import quick
from tolling.messages import AlarmNotice, LaneNotice


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSegment:
    """Begin a journal segment; the newest one is what a restart reads."""

    segment: int
    core_version: str
    config_hash: str
    opened_utc_ms: int
    snapshot: bytes
    """Canonical bytes of the LaneState it begins with."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class AppendEvent:
    """One event of the present segment."""

    segment: int
    number: int
    """1 and up within the segment."""
    at_ns: int
    body: bytes
    """Canonical bytes of the Event."""
    digest: str
    """SHA-256 over the canonical bytes of the commands it gave, 64 hex digits."""
    aside: bool = False
    """It made the program fail: stepped by the interlock alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendRecord:
    """One sealed record, to be uploaded. Its chain_hash is the lane's new anchor."""

    record: SealedRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepUnsealed:
    """A record made before the lane had an epoch; sealed when it gets one."""

    number: int
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class DropUnsealed:
    """Those records are sealed now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkUploaded:
    """The plaza holds every record of the epoch up to seq."""

    epoch: int
    seq: int


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class KeepNotice:
    """A notice or alarm for the broker, kept until acknowledged."""

    number: int
    notice: LaneNotice | AlarmNotice


@dataclass(frozen=True, slots=True, kw_only=True)
class DropNotice:
    """The broker has acknowledged every notice up to number."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Prune:
    """Forget uploaded records and closed segments older than a moment."""

    before_utc_ms: int


Unit = (
    OpenSegment
    | AppendEvent
    | AppendRecord
    | KeepUnsealed
    | DropUnsealed
    | MarkUploaded
    | KeepNotice
    | DropNotice
    | Prune
)


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalImage:
    """What the lane's store holds at a start."""

    segment: OpenSegment | None
    """The newest; None in an empty journal."""
    events: tuple[AppendEvent, ...]
    """Of that segment, in order."""
    anchor: Anchor | None
    """The last sealed record's; None where none was ever sealed."""
    uploaded_seq: int
    """Of the anchor's epoch."""
    unsealed: tuple[tuple[int, bytes], ...]
    """(number, body) of records made before the lane had an epoch."""
    notices: tuple[tuple[int, LaneNotice | AlarmNotice], ...]
    """(number, notice) not acknowledged by the broker, in order."""
    last_notice: int
    """Highest notice number ever kept."""
