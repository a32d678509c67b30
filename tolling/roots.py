"""Signed roots: the plaza's word on which records it had when. Pure.

Strategy. All sealed records of a plaza are the leaves of one Merkle tree (merkle.py) that only
grows. From time to time, each Beijing day at least, its root is signed as a *head* and given to a
second party. Whoever has an earlier head can prove that a later one changed nothing before it, and
whoever has a record can prove that it was there. Order of leaves: what arrived since the head
before, by (lane, epoch, seq).
"""

from __future__ import annotations

from dataclasses import dataclass

from tolling import merkle
from tolling.canonical import canonical_bytes
from tolling.errors import SignatureError
from tolling.signed_sets import Verifier

DAY_MS = 86_400_000
BEIJING_MS = 8 * 3_600_000
"""Beijing time is UTC+8 the whole year."""
_MARK = b"open-toll-lane root\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerHead:
    """The end of one hash chain of the plaza's ledger."""

    stream: str
    position: int
    chain_hash: str
    """64 hex digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RootHead:
    """What is signed."""

    plaza_id: str
    root_no: int
    """1 and up without a gap."""
    day: str
    """Beijing day it closes, ``2026-11-22``: the day of the last instant it covers."""
    until_ms: int
    """UTC milliseconds: covers what had arrived before this instant and was stored by then."""
    size: int
    """Leaves, from the first record on."""
    root: str
    """64 hex digits."""
    previous_size: int
    previous_root: str
    """Of the head before; of an empty log for the first."""
    ledger: tuple[LedgerHead, ...]
    """Ends of the ledger's chains at that time, by stream; empty where the ledger has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRoot:
    """A head as it travels and is kept."""

    head: RootHead
    key_id: str
    signature: str
    """Ed25519 over ``root_bytes``, 128 hex digits."""
    consistency: tuple[str, ...] = ()
    """Proof, hex, that its log begins with that of the head before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InclusionProof:
    """That one record is in the log of one root."""

    index: int
    """Number of its leaf, from 0."""
    path: tuple[str, ...]
    """Hashes from the leaf upwards, hex."""
    root: SignedRoot


def record_leaf(*, plaza_id: str, lane_id: str, epoch: int, seq: int, chain_hash: str) -> bytes:
    """Return the leaf hash of a sealed record: its place and its chain hash."""
    place = f"{plaza_id}/{lane_id}/{epoch:03d}/{seq}\n{chain_hash}"
    return merkle.leaf_hash(place.encode("ascii"))


def root_bytes(head: RootHead, key_id: str) -> bytes:
    """Return the bytes a head's signature covers."""
    return _MARK + key_id.encode("ascii") + b"\n" + canonical_bytes(head)


def beijing_day(utc_ms: int) -> str:
    """Return the Beijing day of an instant, ``2026-11-22``."""
    days = (utc_ms + BEIJING_MS) // DAY_MS
    # Civil date from days since 1970-01-01 without a calendar library's time zones (Hinnant's
    # well-known algorithm over 400-year eras).
    shifted = days + 719_468
    era, of_era = divmod(shifted, 146_097)
    year = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    day = of_year - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9
    return f"{year + era * 400 + (month <= 2):04d}-{month:02d}-{day:02d}"


def day_end_ms(utc_ms: int) -> int:
    """Return the UTC instant at which the Beijing day of *utc_ms* is over."""
    return ((utc_ms + BEIJING_MS) // DAY_MS + 1) * DAY_MS - BEIJING_MS


def check_root(signed: SignedRoot, *, verify: Verifier) -> RootHead:
    """Return the head of a signed root. Raises: SignatureError: not provably the plaza's."""
    where = f"root {signed.head.root_no}"
    try:
        signature = bytes.fromhex(signed.signature)
        message = root_bytes(signed.head, signed.key_id)
    except ValueError:
        raise SignatureError(where=where, what="its signature is not hex digits") from None
    if not verify(signed.key_id, signature, message):
        raise SignatureError(where=where, what="its signature is not the plaza's")
    return signed.head


def check_growth(before: RootHead, after: SignedRoot) -> None:
    """Check that *after*, whose signature was checked, only adds to *before*.

    Raises: SignatureError: it follows another head, or its log does not begin with that one's.
    """
    head = after.head
    where = f"root {head.root_no}"
    said = (head.plaza_id, head.root_no - 1, head.previous_size, head.previous_root)
    if said != (before.plaza_id, before.root_no, before.size, before.root):
        raise SignatureError(where=where, what=f"it does not follow root {before.root_no}")
    if not is_grown(before.root, before.size, head, after.consistency):
        raise SignatureError(where=where, what="its log does not begin with the one before")


def is_grown(old_root: str, old_size: int, head: RootHead, proof: tuple[str, ...]) -> bool:
    """Return whether *proof* shows that the log of *head* begins with one of *old_size* leaves."""
    try:
        return merkle.is_consistent(
            old=old_size,
            old_root=bytes.fromhex(old_root),
            new=head.size,
            new_root=bytes.fromhex(head.root),
            proof=[bytes.fromhex(step) for step in proof],
        )
    except ValueError:
        return False


def check_inclusion(leaf: bytes, proof: InclusionProof, *, verify: Verifier) -> RootHead:
    """Return the head under which *leaf* is proven to be.

    Raises: SignatureError: the root is not the plaza's, or the proof does not lead to it.
    """
    head = check_root(proof.root, verify=verify)
    where = f"proof under root {head.root_no}"
    try:
        steps = [bytes.fromhex(step) for step in proof.path]
        root = bytes.fromhex(head.root)
    except ValueError:
        raise SignatureError(where=where, what="it is not hex digits") from None
    if not merkle.is_included(leaf, index=proof.index, size=head.size, proof=steps, root_hash=root):
        raise SignatureError(where=where, what="it does not lead from the record to the root")
    return head
