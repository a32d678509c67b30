"""A missing, changed, repeated or forked record shows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tolling.chain import (
    Anchor,
    ChainVerdict,
    SealedRecord,
    anchor_of,
    check_next,
    genesis,
    link_hash,
    seal,
)
from tolling.ids import LaneId, PlazaId

START = genesis(PlazaId("510001"), LaneId("003"), 1)


def chain(*bodies: bytes) -> list[SealedRecord]:
    """Return *bodies* sealed one after another from the genesis."""
    records: list[SealedRecord] = []
    for body in bodies:
        records.append(seal(anchor_of(records[-1]) if records else START, body))
    return records


@given(st.lists(st.text(max_size=20).map(str.encode), min_size=1, max_size=5))
def test_sealed_records_follow_one_another(bodies: list[bytes]) -> None:
    """Records sealed in a row are each the next, with their exact bytes and no gap."""
    anchor = START
    for number, record in enumerate(chain(*bodies), start=1):
        assert check_next(anchor, record) is ChainVerdict.NEXT
        assert (record.seq, record.body.encode()) == (number, bodies[number - 1])
        anchor = anchor_of(record)


FIRST, SECOND, THIRD = chain(b"1", b"2", b"3")
OTHER = chain(b"other", b"2")[1]


@pytest.mark.parametrize(
    ("anchor", "record", "verdict"),
    [
        (anchor_of(FIRST), SECOND, ChainVerdict.NEXT),
        (anchor_of(SECOND), SECOND, ChainVerdict.DUPLICATE),
        (anchor_of(THIRD), FIRST, ChainVerdict.DUPLICATE),
        (START, SECOND, ChainVerdict.GAP),
        (anchor_of(FIRST), THIRD, ChainVerdict.GAP),
        (anchor_of(FIRST), OTHER, ChainVerdict.FORK),
        (anchor_of(FIRST), replace(SECOND, body="x"), ChainVerdict.FORGED),
        (anchor_of(FIRST), replace(SECOND, seq=3), ChainVerdict.FORGED),
        (anchor_of(FIRST), replace(SECOND, chain_hash="0" * 64), ChainVerdict.FORGED),
        (anchor_of(FIRST), replace(SECOND, previous_hash="é"), ChainVerdict.FORGED),
        (anchor_of(FIRST), replace(SECOND, previous_hash="\ud800"), ChainVerdict.FORGED),
        (anchor_of(FIRST), replace(SECOND, body="\ud800"), ChainVerdict.FORGED),
        (anchor_of(FIRST), replace(SECOND, epoch=2), ChainVerdict.FOREIGN),
        (anchor_of(FIRST), replace(SECOND, lane_id=LaneId("004")), ChainVerdict.FOREIGN),
        (anchor_of(FIRST), replace(SECOND, plaza_id=PlazaId("510002")), ChainVerdict.FOREIGN),
    ],
)
def test_a_record_is_to_a_chain(
    anchor: Anchor, record: SealedRecord, verdict: ChainVerdict
) -> None:
    """Each row's record is to that row's chain what the row says."""
    assert check_next(anchor, record) is verdict


PLACE: dict[str, Any] = {"plaza": "510001", "lane": "003", "epoch": 1, "seq": 1, "body": b"{}"}


@pytest.mark.parametrize(
    "change", [{"plaza": "510002"}, {"lane": "004"}, {"epoch": 2}, {"seq": 2}, {"body": b"{ }"}]
)
def test_the_hash_covers_place_and_bytes(change: dict[str, Any]) -> None:
    """Another plaza, lane, epoch, number or byte gives another hash."""
    assert link_hash("0" * 64, **PLACE) != link_hash("0" * 64, **PLACE | change)


def test_the_hash_never_changes_with_a_version() -> None:
    """The hash of a known record is the one written here: kept chains must stay readable."""
    assert START.chain_hash == "1b1db53bfdea9f7903f5cb16ead57ddd56b6fcae3c33eb249b966ba267694fe4"
    assert FIRST.chain_hash == "a4f79f50e5ca37a175a8ab531d9bef52a6c8e958f20414111e4229644b178264"
