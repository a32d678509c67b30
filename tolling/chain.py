"""The hash chain over a lane's sealed records.

Each sealed record is bytes; its hash covers the previous hash, its place (lane, epoch, seq) and
those exact bytes, so a missing, changed, repeated or forked record shows at the next one. The plaza
checks the hash before it parses anything.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from tolling.evolve import quick
from tolling.ids import LaneId, PlazaId


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """The end of a chain: which record was last, and its hash."""

    plaza_id: PlazaId
    lane_id: LaneId
    epoch: int
    seq: int
    """Number of the last record; 0 before the first."""
    chain_hash: str
    """64 hex digits."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class SealedRecord:
    """One record as it travels and is kept for ever."""

    plaza_id: PlazaId
    lane_id: LaneId
    epoch: int
    seq: int
    """1 and up without a gap."""
    previous_hash: str
    """64 hex digits: the hash of seq - 1, or of the genesis anchor."""
    chain_hash: str
    """64 hex digits over previous_hash, place and body."""
    body: str
    """Canonical JSON text of the PassageRecord; its UTF-8 bytes are what was hashed."""


class ChainVerdict(StrEnum):
    """What a sealed record is to a chain that ends at an anchor."""

    NEXT = "next"
    """It follows: take it."""
    DUPLICATE = "duplicate"
    """Its number is already there (the receiver compares the stored hash): answer as before."""
    GAP = "gap"
    """Records between are missing: refuse, the lane keeps it."""
    FORK = "fork"
    """Right number, other history: refuse and alarm."""
    FORGED = "forged"
    """The hash does not fit its own bytes: refuse and alarm."""
    FOREIGN = "foreign"
    """Another plaza, lane or epoch than the chain's: refuse."""


def genesis(plaza: PlazaId, lane: LaneId, epoch: int) -> Anchor:
    """Return the anchor before the first record of a lane's epoch."""
    text = f"open-toll-lane genesis {plaza} {lane} {epoch}"
    digest = hashlib.sha256(text.encode("ascii")).hexdigest()
    return Anchor(plaza_id=plaza, lane_id=lane, epoch=epoch, seq=0, chain_hash=digest)


def link_hash(
    previous_hash: str, *, plaza: str, lane: str, epoch: int, seq: int, body: bytes
) -> str:
    """Return the hash (64 hex digits) of a record with *body* behind *previous_hash*."""
    head = f"{previous_hash}\n{plaza}\n{lane}\n{epoch}\n{seq}\n{len(body)}\n".encode()
    return hashlib.sha256(head + body).hexdigest()


def seal(anchor: Anchor, body: bytes) -> SealedRecord:
    """Return *body* sealed as the record after *anchor*."""
    seq = anchor.seq + 1
    digest = link_hash(
        anchor.chain_hash,
        plaza=anchor.plaza_id,
        lane=anchor.lane_id,
        epoch=anchor.epoch,
        seq=seq,
        body=body,
    )
    return SealedRecord(
        plaza_id=anchor.plaza_id,
        lane_id=anchor.lane_id,
        epoch=anchor.epoch,
        seq=seq,
        previous_hash=anchor.chain_hash,
        chain_hash=digest,
        body=body.decode("utf-8"),
    )


def anchor_of(record: SealedRecord) -> Anchor:
    """Return the anchor a chain ends at once *record* is taken."""
    return Anchor(
        plaza_id=record.plaza_id,
        lane_id=record.lane_id,
        epoch=record.epoch,
        seq=record.seq,
        chain_hash=record.chain_hash,
    )


def check_next(anchor: Anchor, record: SealedRecord) -> ChainVerdict:
    """Return what *record* is to the chain that ends at *anchor*; nothing of its body is parsed."""
    if (record.plaza_id, record.lane_id, record.epoch) != (
        anchor.plaza_id,
        anchor.lane_id,
        anchor.epoch,
    ):
        return ChainVerdict.FOREIGN
    try:
        body = record.body.encode("utf-8")
        record.previous_hash.encode("utf-8")
    except UnicodeEncodeError:
        # Half a character: no bytes were ever hashed for this text.
        return ChainVerdict.FORGED
    digest = link_hash(
        record.previous_hash,
        plaza=record.plaza_id,
        lane=record.lane_id,
        epoch=record.epoch,
        seq=record.seq,
        body=body,
    )
    if digest != record.chain_hash:
        return ChainVerdict.FORGED
    if record.seq <= anchor.seq:
        return ChainVerdict.DUPLICATE
    if record.seq > anchor.seq + 1:
        return ChainVerdict.GAP
    return ChainVerdict.NEXT if record.previous_hash == anchor.chain_hash else ChainVerdict.FORK
