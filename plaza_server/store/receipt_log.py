"""The log of all records in the store: closing a root, and proofs under roots."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import sqlalchemy as sa

from plaza_server.rules.merkle_log import (
    AddRoot,
    LogRun,
    RootPlan,
    next_until_ms,
    plan_root,
    runs_from,
)
from plaza_server.store import tables as t
from plaza_server.store.ledger_tables import ledger_streams
from plaza_server.store.receipt_tables import log_nodes, log_roots, log_runs, log_streams
from plaza_server.store.work import Work
from tolling import merkle
from tolling.canonical import canonical_bytes, from_canonical
from tolling.ids import PassageId
from tolling.roots import InclusionProof, LedgerHead, RootHead, SignedRoot, record_leaf

ROOTS_MAX = 1_000
"""Roots in one answer: almost three years of days."""


# ---- closing ----


def plan(connection: sa.Connection, plaza_id: str, until_ms: int) -> RootPlan | None:
    """Return the next root, unsigned: what arrived before *until_ms* and is not in the log yet.

    None where a root that is there covers that time already. Reads only, so it holds up nobody.
    """
    last = last_root(connection)
    before = None if last is None else last.head
    if before is not None and before.until_ms >= until_ms:
        return None
    runs = runs_from(_ends(connection, until_ms), first_index=0 if before is None else before.size)
    return plan_root(
        plaza_id=plaza_id,
        before=before,
        until_ms=until_ms,
        runs=runs,
        leaves=leaves_of(connection, plaza_id, runs),
        fetch=_Fetch(connection, plaza_id),
        ledger=_ledger(connection),
    )


def due(connection: sa.Connection) -> int | None:
    """Return the end of the first day that no root covers whole; None before any record."""
    last = last_root(connection)
    first = None
    if last is None:
        first = connection.execute(sa.select(sa.func.min(t.records.c.received_ms))).scalar_one()
    return next_until_ms(None if last is None else last.head, first)


def add_root(work: Work, unit: AddRoot) -> bool:
    """Keep a signed root and the places of its leaves, unless another was closed meanwhile."""
    head = unit.root.head
    last = work.connection.execute(sa.select(sa.func.max(log_roots.c.root_no))).scalar_one() or 0
    if head.root_no != last + 1:
        return False
    work.connection.execute(
        log_roots.insert(),
        {
            "root_no": head.root_no,
            "day": head.day,
            "until_ms": head.until_ms,
            "size": head.size,
            "content": canonical_bytes(unit.root).decode("utf-8"),
            "closed_ms": unit.now_ms,
        },
    )
    for table, rows in (
        (log_runs, [_run_row(run, head.root_no) for run in unit.runs]),
        (log_nodes, [_node_row(node.level, node.number, node.node_hash) for node in unit.nodes]),
        (log_streams, [_stream_row(end, head.root_no) for end in head.ledger]),
    ):
        if rows:
            work.connection.execute(table.insert(), rows)
    return True


def _run_row(run: LogRun, root_no: int) -> dict[str, str | int]:
    return {
        "first_index": run.first_index,
        "root_no": root_no,
        "lane_id": run.lane_id,
        "epoch": run.epoch,
        "first_seq": run.first_seq,
        "last_seq": run.last_seq,
    }


def _node_row(level: int, number: int, node_hash: str) -> dict[str, str | int]:
    return {"level": level, "number": number, "node_hash": node_hash}


def _stream_row(end: LedgerHead, root_no: int) -> dict[str, str | int]:
    return {"stream": end.stream, "position": end.position, "root_no": root_no}


def _ends(connection: sa.Connection, until_ms: int) -> list[tuple[str, int, int, int]]:
    """Return (lane, epoch, last in the log, last to be in it) of every chain that may have grown.

    A chain has no gap, so its last record before the instant brings all before it along.
    """
    c = log_runs.c
    logged: dict[tuple[str, int], int] = {}
    for lane, epoch, last in connection.execute(
        sa.select(c.lane_id, c.epoch, sa.func.max(c.last_seq)).group_by(c.lane_id, c.epoch)
    ):
        logged[(lane, epoch)] = last
    r = t.records.c
    ends = []
    lanes = connection.execute(sa.select(t.lanes.c.lane_id, t.lanes.c.epoch)).all()
    for lane, newest in lanes:
        for epoch in range(1, newest + 1):
            before = logged.get((lane, epoch), 0)
            last = connection.execute(
                sa.select(sa.func.max(r.seq)).where(
                    r.lane_id == lane,
                    r.epoch == epoch,
                    r.seq > before,
                    r.received_ms < until_ms,
                )
            ).scalar_one()
            ends.append((lane, epoch, before, before if last is None else last))
    return ends


def _ledger(connection: sa.Connection) -> tuple[LedgerHead, ...]:
    """Return the ends of the ledger's chains that grew since a root last named them."""
    named = (
        sa.select(log_streams.c.stream, sa.func.max(log_streams.c.position).label("position"))
        .group_by(log_streams.c.stream)
        .subquery()
    )
    s = ledger_streams.c
    query = (
        sa.select(s.stream, s.next_no, s.head_hash)
        .outerjoin(named, named.c.stream == s.stream)
        .where(s.next_no - 1 > sa.func.coalesce(named.c.position, 0))
        .order_by(s.stream)
    )
    return tuple(
        LedgerHead(stream=stream, position=next_no - 1, chain_hash=head_hash)
        for stream, next_no, head_hash in connection.execute(query)
    )


# ---- the log as it is stored ----


class _Fetch:
    """Tiles of the stored log."""

    def __init__(self, connection: sa.Connection, plaza_id: str) -> None:
        self._connection = connection
        self._plaza_id = plaza_id

    def __call__(self, level: int, number: int) -> Sequence[bytes]:
        first = number << merkle.TILE_BITS
        end = first + merkle.TILE_WIDTH
        if level == 0:
            return leaves_of(self._connection, self._plaza_id, self._runs(first, end))
        c = log_nodes.c
        query = sa.select(c.node_hash).where(c.level == level, c.number >= first, c.number < end)
        found = self._connection.execute(query.order_by(c.number)).scalars()
        return [bytes.fromhex(each) for each in found]

    def _runs(self, first: int, end: int) -> list[LogRun]:
        """Return the runs of leaves [first, end), cut to it."""
        c = log_runs.c
        begin = sa.select(sa.func.max(c.first_index)).where(c.first_index <= first)
        query = sa.select(log_runs).where(
            c.first_index >= begin.scalar_subquery(), c.first_index < end
        )
        cut = []
        for row in self._connection.execute(query.order_by(c.first_index)).mappings():
            run = run_of(row)
            skipped = max(first - run.first_index, 0)
            first_seq, first_index = run.first_seq + skipped, run.first_index + skipped
            last_seq = min(run.last_seq, first_seq + end - first_index - 1)
            if first_seq <= last_seq:
                cut.append(
                    replace(run, first_seq=first_seq, last_seq=last_seq, first_index=first_index)
                )
        return cut


def run_of(row: sa.RowMapping) -> LogRun:
    """Return a row of ``log_runs``."""
    return LogRun(
        lane_id=row["lane_id"],
        epoch=row["epoch"],
        first_seq=row["first_seq"],
        last_seq=row["last_seq"],
        first_index=row["first_index"],
    )


def leaves_of(connection: sa.Connection, plaza_id: str, runs: Iterable[LogRun]) -> list[bytes]:
    """Return the leaf hashes of runs, as their records stand here."""
    r = t.records.c
    leaves = []
    for run in runs:
        query = sa.select(r.seq, r.chain_hash).where(
            r.lane_id == run.lane_id,
            r.epoch == run.epoch,
            r.seq >= run.first_seq,
            r.seq <= run.last_seq,
        )
        for seq, chain_hash in connection.execute(query.order_by(r.seq)):
            leaf = record_leaf(
                plaza_id=plaza_id,
                lane_id=run.lane_id,
                epoch=run.epoch,
                seq=seq,
                chain_hash=chain_hash,
            )
            leaves.append(leaf)
    return leaves


# ---- reading ----


def last_root(connection: sa.Connection) -> SignedRoot | None:
    """Return the newest root."""
    found = connection.execute(
        sa.select(log_roots.c.content).order_by(log_roots.c.root_no.desc()).limit(1)
    ).scalar_one_or_none()
    return None if found is None else _root(found)


def roots(connection: sa.Connection, since: int = 1) -> list[SignedRoot]:
    """Return roots from number *since* on, oldest first, at most ROOTS_MAX."""
    c = log_roots.c
    query = sa.select(c.content).where(c.root_no >= since).order_by(c.root_no).limit(ROOTS_MAX)
    return [_root(found) for found in connection.execute(query).scalars()]


def _root(content: str) -> SignedRoot:
    root = from_canonical(SignedRoot, content.encode("utf-8"))
    assert isinstance(root, SignedRoot)
    return root


def inclusion(connection: sa.Connection, passage: PassageId) -> InclusionProof | None:
    """Return the proof that a passage's record is under the newest root; None before its day is
    closed."""
    root = last_root(connection)
    r, c = t.records.c, log_runs.c
    place = connection.execute(
        sa.select(r.lane_id, r.epoch, r.seq).where(r.passage_id == passage)
    ).one_or_none()
    if root is None or place is None:
        return None
    run = connection.execute(
        sa.select(c.first_index, c.first_seq)
        .where(c.lane_id == place.lane_id, c.epoch == place.epoch, c.last_seq >= place.seq)
        .order_by(c.last_seq)
        .limit(1)
    ).one_or_none()
    if run is None:
        return None
    index = run.first_index + place.seq - run.first_seq
    tiles = merkle.Tiles(_Fetch(connection, root.head.plaza_id))
    path = merkle.inclusion_proof(tiles, index, root.head.size)
    return InclusionProof(index=index, path=tuple(step.hex() for step in path), root=root)


def consistency(
    connection: sa.Connection, old_no: int, new_no: int
) -> tuple[RootHead, SignedRoot, tuple[str, ...]] | None:
    """Return two roots and the proof that the later log begins with the earlier; None where there
    are no such roots."""
    c = log_roots.c
    found = {
        root.head.root_no: root
        for root in map(
            _root,
            connection.execute(
                sa.select(c.content).where(c.root_no.in_([old_no, new_no]))
            ).scalars(),
        )
    }
    if old_no > new_no or old_no not in found or new_no not in found:
        return None
    old, new = found[old_no].head, found[new_no]
    tiles = merkle.Tiles(_Fetch(connection, old.plaza_id))
    steps = merkle.consistency_proof(tiles, old.size, new.head.size)
    return old, new, tuple(step.hex() for step in steps)
