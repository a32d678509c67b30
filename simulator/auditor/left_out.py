"""Part of M1, judged behind every commit of a run: a capture the record of its passage leaves out
is due in the commit that learns of both, and none is given back before that record is there.
"""

from __future__ import annotations

from collections.abc import Iterator

from simulator.auditor.evidence import CaptureStood, Evidence

STARTED = frozenset({"refund_due", "refunding"})
"""We owe it, and nobody has it back yet. One that is given back already may have been given back
by the platform itself, and one that is stuck is another amount than was asked for."""
OWED = STARTED | {"refunded", "refund_stuck", "mismatch"}


def m1_left_out(seen: Evidence) -> Iterator[str]:
    """Yield each order whose capture stood wrongly behind a commit, once."""
    told: set[str] = set()
    for stood in seen.captures:
        what = None if stood.out_trade_no in told else _wrong(stood)
        if what is not None:
            told.add(stood.out_trade_no)
            yield f"order {stood.out_trade_no}: {what}, behind a commit at {stood.at_us} us"


def _wrong(stood: CaptureStood) -> str | None:
    if not stood.recorded:
        # Another amount than was asked for is owed at once: no record may name it.
        early = stood.state in STARTED and stood.captured_fen == stood.toll_fen
        return f"in state {stood.state} without the record of its passage" if early else None
    if stood.state not in OWED:
        return f"its passage's record leaves it out, and its state is {stood.state}"
    if stood.due_fen != stood.captured_fen:
        return f"{stood.captured_fen} fen are to be given back, {stood.due_fen} are booked as due"
    return None
