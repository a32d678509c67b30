"""Proves receipts and roots of a store from its records: nothing but the records is believed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from plaza_server.rules.records import open_record
from plaza_server.store import receipt_log
from plaza_server.store import tables as t
from plaza_server.store.queries import sealed_of
from plaza_server.store.receipt_tables import log_nodes, log_runs, receipts
from tolling import merkle
from tolling.canonical import from_canonical
from tolling.chain import SealedRecord
from tolling.errors import BadInputError, SignatureError
from tolling.receipts import Receipt, receipt_bytes, receipt_of
from tolling.roots import SignedRoot, check_growth, check_root
from tolling.signed_sets import Verifier

_BATCH = 1_000


@dataclass(slots=True, kw_only=True)
class Counted:
    """What was found good so far."""

    receipts: int = 0
    roots: int = 0
    leaves: int = 0


def audit_receipts(connection: sa.Connection, counted: Counted) -> Iterator[str]:
    """Yield what is wrong with receipts: each is its record's, each paid record has one."""
    r, c = t.records.c, receipts.c
    query = (
        sa.select(t.records, t.lanes.c.plaza_id, c.content, c.issued_ms)
        .join(t.lanes, t.lanes.c.lane_id == r.lane_id)
        .outerjoin(receipts, c.receipt_no == r.passage_id)
        .where(r.passage_id.is_not(None))
        .order_by(r.passage_id)
        .limit(_BATCH)
    )
    after = ""
    while rows := connection.execute(query.where(r.passage_id > after)).mappings().all():
        for row in rows:
            wrong = _wrong(sealed_of(row), row["content"], row["issued_ms"])
            if wrong:
                yield f"receipt {row['passage_id']}: {wrong}"
            counted.receipts += row["content"] is not None
        after = rows[-1]["passage_id"]
    recorded = sa.select(r.passage_id).where(r.passage_id.is_not(None))
    lone = sa.select(c.receipt_no).where(c.receipt_no.not_in(recorded))
    for number in connection.execute(lone).scalars():
        yield f"receipt {number}: it has no record"


def _wrong(sealed: SealedRecord, content: str | None, issued_ms: int | None) -> str:
    """Return what is wrong with the receipt of a record; empty where nothing is."""
    record = open_record(sealed)
    payee = ""
    if content is not None:
        try:
            payee = from_canonical(Receipt, content.encode("utf-8")).payee
        except BadInputError as error:
            return f"it cannot be read: {error.what}"
    made = receipt_of(sealed, record, payee=payee, issued_ms=issued_ms or 0)
    if made is None:
        return "" if content is None else "its record was not paid"
    if content is None:
        return "missing, and its record was paid"
    return "" if receipt_bytes(made) == content.encode("utf-8") else "it is not its record's"


def audit_roots(connection: sa.Connection, verify: Verifier, counted: Counted) -> Iterator[str]:
    """Yield what is wrong with roots: signature, order, growth, and the records under each.

    One pass over the log, which is never in memory.
    """
    before: SignedRoot | None = None
    grown = merkle.Frontier()
    leaves = _leaves(connection, counted)
    for root in _all_roots(connection):
        number = root.head.root_no
        try:
            check_root(root, verify=verify)
            if before is not None:
                check_growth(before.head, root)
        except SignatureError as error:
            yield str(error)
        if number != (1 if before is None else before.head.root_no + 1):
            yield f"root {number}: the one before it is missing"
        for leaf in itertools.islice(leaves, max(root.head.size - grown.size, 0)):
            for level, place, digest in grown.push(leaf):
                if _kept(connection, level, place) != digest.hex():
                    yield f"kept hash {place} of level {level}: it is not the records'"
        if (grown.size, grown.root().hex()) != (root.head.size, root.head.root):
            yield f"root {number}: the records under it are others"
            return
        before = root
        counted.roots += 1
    if next(leaves, None) is not None:
        yield "log: it has leaves that no root covers"


def _all_roots(connection: sa.Connection) -> Iterator[SignedRoot]:
    since = 1
    while found := receipt_log.roots(connection, since):
        yield from found
        since = found[-1].head.root_no + 1


def _leaves(connection: sa.Connection, counted: Counted) -> Iterator[bytes]:
    """Yield the leaves of all runs in order, up to the first that is not where it should be."""
    plaza_id = connection.execute(sa.select(t.lanes.c.plaza_id).limit(1)).scalar_one_or_none()
    c = log_runs.c
    while True:
        query = sa.select(log_runs).where(c.first_index >= counted.leaves)
        rows = connection.execute(query.order_by(c.first_index).limit(_BATCH)).mappings().all()
        for row in rows:
            run = receipt_log.run_of(row)
            if run.first_index != counted.leaves:
                return
            found = receipt_log.leaves_of(connection, plaza_id or "", [run])
            counted.leaves += len(found)
            yield from found
        if not rows:
            return


def _kept(connection: sa.Connection, level: int, number: int) -> str | None:
    c = log_nodes.c
    query = sa.select(c.node_hash).where(c.level == level, c.number == number)
    return connection.execute(query).scalar_one_or_none()
