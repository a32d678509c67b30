"""Writes transfers: each process into its own stream, the head of the stream moved once per group.

Strategy. The head is read and moved in the transaction that writes the rows: a group that is rolled
back leaves neither rows nor a gap. Only one process writes a stream, so nobody waits for it; should
a head have moved meanwhile all the same, the transaction breaks and is run again.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from plaza_server.rules.ledger_chain import StreamHead, link, stream_start
from plaza_server.store import tables as t
from plaza_server.store.ledger_tables import ledger_streams
from plaza_server.store.prepared import Prepared
from tolling.errors import LedgerConflictError

_c = ledger_streams.c
_HEAD = Prepared(sa.select(_c.next_no, _c.head_hash).where(_c.stream == sa.bindparam("name")))
_NEW = Prepared(ledger_streams.insert())
_MOVE = Prepared(
    ledger_streams.update()
    .where(_c.stream == sa.bindparam("name"), _c.next_no == sa.bindparam("was_no"))
    .values(next_no=sa.bindparam("new_no"), head_hash=sa.bindparam("new_hash"))
)
_INSERT = Prepared(t.transfers.insert())


def append_transfers(connection: sa.Connection, stream: str, rows: list[dict[str, Any]]) -> None:
    """Write *rows* behind the last row of *stream*; fills their place and hash.

    Args:   rows: 1 and up, every column of ``transfers`` but stream, stream_no and chain_hash.
    Raises: LedgerConflictError: another process moved the stream meanwhile.
            sqlalchemy.exc.IntegrityError: one of these transfers was written before.
    """
    found = _HEAD.first(connection, {"name": stream})
    was = stream_start(stream)
    if found is not None:
        was = StreamHead(next_no=found[0], head_hash=found[1])
    head = was
    for row in rows:
        head = link(head, stream, row)
    _INSERT.run_many(connection, rows)
    if found is None:
        row = {"stream": stream, "next_no": head.next_no, "head_hash": head.head_hash}
        _NEW.write(connection, row)
        return
    guard = {"name": stream, "was_no": was.next_no}
    to = {"new_no": head.next_no, "new_hash": head.head_hash}
    if _MOVE.write(connection, {**guard, **to}) != 1:
        raise LedgerConflictError(
            where=f"ledger stream {stream}", what="written by another process meanwhile"
        )
