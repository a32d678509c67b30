"""Which records become leaves, and the head over them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaza_server.rules.merkle_log import (
    LogRun,
    RootPlan,
    next_until_ms,
    plan_root,
    runs_from,
)
from tests.tolling.test_merkle import fetch_from, leaves, written_out
from tests.tolling.test_roots import MIDNIGHT_MS
from tolling import merkle
from tolling.roots import DAY_MS, RootHead, is_grown


def plan(before: RootHead | None, old: int, new: int, *, until_ms: int = MIDNIGHT_MS) -> RootPlan:
    """Return the plan of a log of *old* leaves that gets *new* more in one run."""
    hashes = leaves(old + new)
    ends = [("001", 1, old, old + new)]
    return plan_root(
        plaza_id="330101",
        before=before,
        until_ms=until_ms,
        runs=runs_from(ends, first_index=old),
        leaves=hashes[old:],
        fetch=fetch_from(hashes[:old]),
        ledger=(),
    )


def test_new_records_go_in_by_lane_epoch_and_number() -> None:
    """Whatever order they are told in; a chain that did not grow is left out."""
    ends = [("002", 1, 0, 2), ("001", 2, 0, 1), ("001", 1, 5, 9), ("003", 1, 4, 4)]
    assert runs_from(ends, first_index=10) == (
        LogRun(lane_id="001", epoch=1, first_seq=6, last_seq=9, first_index=10),
        LogRun(lane_id="001", epoch=2, first_seq=1, last_seq=1, first_index=14),
        LogRun(lane_id="002", epoch=1, first_seq=1, last_seq=2, first_index=15),
    )
    assert [run.count for run in runs_from(ends, first_index=0)] == [4, 1, 2]


@pytest.mark.slow
@given(st.integers(0, 600), st.integers(0, 600))
def test_a_head_is_over_the_whole_log_and_proves_its_past(old: int, new: int) -> None:
    """Root of all leaves, growth from the head before, and every 256th hash kept."""
    first = plan(None, 0, old)
    second = plan(first.head, old, new, until_ms=MIDNIGHT_MS + DAY_MS)
    head = second.head
    hashes = leaves(old + new)
    assert head.root == (written_out(hashes) if hashes else merkle.EMPTY_ROOT).hex()
    assert (head.root_no, head.size, head.previous_size) == (2, old + new, old)
    assert is_grown(first.head.root, old, head, second.consistency)
    kept = [(node.level, node.number) for node in (*first.nodes, *second.nodes)]
    assert kept == [(8, number) for number in range((old + new) // 256)]


def test_a_head_is_named_for_the_day_it_closes() -> None:
    """The last instant it covers is before midnight."""
    assert plan(None, 0, 1, until_ms=MIDNIGHT_MS).head.day == "2026-11-21"
    assert plan(None, 0, 1, until_ms=MIDNIGHT_MS + 1).head.day == "2026-11-22"


def test_days_follow_one_another() -> None:
    """From the first record on, then from the last root on, whole or not."""
    assert next_until_ms(None, None) is None
    assert next_until_ms(None, MIDNIGHT_MS + 5) == MIDNIGHT_MS + DAY_MS
    whole = plan(None, 0, 1, until_ms=MIDNIGHT_MS).head
    assert next_until_ms(whole, None) == MIDNIGHT_MS + DAY_MS
    part = plan(None, 0, 1, until_ms=MIDNIGHT_MS + 5).head
    assert next_until_ms(part, 0) == MIDNIGHT_MS + DAY_MS
