"""The log of all records: which become leaves next, and the head over them. Pure.

Strategy. Records get their places in the log when a root is closed, not when they are taken: so
taking one costs nothing more, and any number of plaza processes may take them. What is new since
the last root goes in by (lane, epoch, seq), as *runs* of neighbours. A plan is worked out from
reads alone; its commit adds rows and is refused where another process closed meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tolling import merkle
from tolling.roots import LedgerHead, RootHead, SignedRoot, beijing_day, day_end_ms

CLOSE_AFTER_MS = 5 * 60_000
"""A day is closed this long after its end, so that what was on its way then is in (*)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRun:
    """Neighbouring records of one lane and epoch, and the leaf of the first."""

    lane_id: str
    epoch: int
    first_seq: int
    last_seq: int
    first_index: int

    @property
    def count(self) -> int:
        """Records in it."""
        return self.last_seq - self.first_seq + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LogNode:
    """One hash that is kept: over 2**level leaves."""

    level: int
    number: int
    node_hash: str
    """64 hex digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RootPlan:
    """A head that is not signed yet, and what is kept with it."""

    head: RootHead
    consistency: tuple[str, ...]
    runs: tuple[LogRun, ...]
    nodes: tuple[LogNode, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AddRoot:
    """Keep a signed root. Result: bool, False where another root was closed since its plan."""

    root: SignedRoot
    runs: tuple[LogRun, ...]
    nodes: tuple[LogNode, ...]
    now_ms: int


def runs_from(ends: Sequence[tuple[str, int, int, int]], *, first_index: int) -> tuple[LogRun, ...]:
    """Return the runs of new records.

    Args:   ends: (lane_id, epoch, last seq in the log, last seq to be in it), any order.
    """
    runs = []
    for lane, epoch, before, last in sorted(ends):
        if last > before:
            run = LogRun(
                lane_id=lane,
                epoch=epoch,
                first_seq=before + 1,
                last_seq=last,
                first_index=first_index,
            )
            runs.append(run)
            first_index += run.count
    return tuple(runs)


def plan_root(
    *,
    plaza_id: str,
    before: RootHead | None,
    until_ms: int,
    runs: tuple[LogRun, ...],
    leaves: Sequence[bytes],
    fetch: merkle.FetchTile,
    ledger: tuple[LedgerHead, ...],
) -> RootPlan:
    """Return the head over the log with *leaves* (hashes, in the order of *runs*) behind it.

    Args:   fetch: tiles of the log as it is.
    """
    assert len(leaves) == sum(run.count for run in runs), "every record of a run is a leaf"
    old = 0 if before is None else before.size
    size = old + len(leaves)
    longer, kept = merkle.grown_tiles(fetch, old, leaves)
    tiles = merkle.Tiles(longer)
    head = RootHead(
        plaza_id=plaza_id,
        root_no=1 if before is None else before.root_no + 1,
        day=beijing_day(until_ms - 1),
        until_ms=until_ms,
        size=size,
        root=merkle.root(tiles, size).hex(),
        previous_size=old,
        previous_root=merkle.EMPTY_ROOT.hex() if before is None else before.root,
        ledger=ledger,
    )
    return RootPlan(
        head=head,
        consistency=tuple(step.hex() for step in merkle.consistency_proof(tiles, old, size)),
        runs=runs,
        nodes=tuple(
            LogNode(level=level, number=number, node_hash=made.hex())
            for level, number, made in kept
        ),
    )


def next_until_ms(before: RootHead | None, first_record_ms: int | None) -> int | None:
    """Return the end of the first Beijing day no root covers whole; None before any record."""
    if before is not None:
        return day_end_ms(before.until_ms)
    return None if first_record_ms is None else day_end_ms(first_record_ms)
