"""Signed roots: days, signatures, growth from one to the next, and records under them."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from tests.tolling.test_merkle import leaves, tiles
from tolling import merkle
from tolling.errors import SignatureError
from tolling.roots import (
    DAY_MS,
    InclusionProof,
    LedgerHead,
    RootHead,
    SignedRoot,
    beijing_day,
    check_growth,
    check_inclusion,
    check_root,
    day_end_ms,
    is_grown,
    record_leaf,
    root_bytes,
)

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
KEY_ID = hashlib.sha256(KEY.public_key().public_bytes_raw()).hexdigest()[:16]
MIDNIGHT_MS = 1_795_276_800_000
"""2026-11-22 00:00 in Beijing."""
HASHES = leaves(20)


def verify(key_id: str, signature: bytes, message: bytes) -> bool:
    """Check by the test's own key."""
    try:
        KEY.public_key().verify(signature, message)
    except InvalidSignature:
        return False
    return key_id == KEY_ID


def signed(head: RootHead, consistency: tuple[str, ...] = ()) -> SignedRoot:
    """Return a head signed by the test's key."""
    signature = KEY.sign(root_bytes(head, KEY_ID)).hex()
    return SignedRoot(head=head, key_id=KEY_ID, signature=signature, consistency=consistency)


def root(number: int, size: int, before: int) -> SignedRoot:
    """Return root *number* over the first *size* leaves, grown from *before*."""
    subject = tiles(HASHES)
    head = RootHead(
        plaza_id="330101",
        root_no=number,
        day="2026-11-22",
        until_ms=MIDNIGHT_MS + number,
        size=size,
        root=merkle.root(subject, size).hex(),
        previous_size=before,
        previous_root=merkle.root(subject, before).hex(),
        ledger=(LedgerHead(stream="b1", position=3, chain_hash="0" * 64),),
    )
    steps = merkle.consistency_proof(subject, before, size)
    return signed(head, tuple(step.hex() for step in steps))


@given(st.integers(0, 4_102_444_800_000))
def test_a_day_is_beijings(utc_ms: int) -> None:
    """As the calendar of UTC+8 says, for every instant from 1970 to 2100."""
    zone = timezone(timedelta(hours=8))
    when = datetime(1970, 1, 1, 8, tzinfo=zone) + timedelta(milliseconds=utc_ms)
    assert beijing_day(utc_ms) == when.strftime("%Y-%m-%d")
    end_ms = day_end_ms(utc_ms)
    assert utc_ms < end_ms <= utc_ms + DAY_MS
    assert beijing_day(end_ms - 1) == beijing_day(utc_ms) < beijing_day(end_ms)


def test_midnight_begins_a_day() -> None:
    """The end of one is no part of it."""
    assert beijing_day(MIDNIGHT_MS) == "2026-11-22"
    assert beijing_day(MIDNIGHT_MS - 1) == "2026-11-21"
    assert day_end_ms(MIDNIGHT_MS) == MIDNIGHT_MS + DAY_MS


def test_a_root_is_the_plazas_whole_and_unchanged() -> None:
    """Every field is under the signature, the key's name too."""
    subject = root(2, 7, 3)
    assert check_root(subject, verify=verify) == subject.head
    changes: list[dict[str, Any]] = [
        {"size": 8},
        {"root": "0" * 64},
        {"day": "2026-11-23"},
        {"ledger": ()},
    ]
    for change in changes:
        with pytest.raises(SignatureError):
            check_root(replace(subject, head=replace(subject.head, **change)), verify=verify)
    wrongs: list[dict[str, Any]] = [{"signature": "00"}, {"signature": "x"}, {"key_id": "0" * 16}]
    for wrong in wrongs:
        with pytest.raises(SignatureError):
            check_root(replace(subject, **wrong), verify=verify)


def test_a_root_follows_the_one_before_and_only_adds_to_it() -> None:
    """Another predecessor, a gap, or another past is not believed, whoever signed it."""
    first, second = root(1, 3, 0), root(2, 7, 3)
    check_growth(first.head, second)
    wrong = [
        replace(first.head, root_no=5),
        replace(first.head, size=4),
        replace(first.head, root="0" * 64),
        replace(first.head, plaza_id="330102"),
    ]
    for before in wrong:
        with pytest.raises(SignatureError):
            check_growth(before, second)
    with pytest.raises(SignatureError):
        check_growth(first.head, replace(second, consistency=()))
    with pytest.raises(SignatureError):
        check_growth(first.head, replace(second, consistency=("zz",)))


def test_growth_is_provable_between_any_two() -> None:
    """Not only neighbours."""
    last = root(3, 20, 7)
    steps = merkle.consistency_proof(tiles(HASHES), 3, 20)
    proof = tuple(step.hex() for step in steps)
    old = merkle.root(tiles(HASHES), 3).hex()
    assert is_grown(old, 3, last.head, proof)
    assert not is_grown(old, 4, last.head, proof)


def test_a_record_is_provably_under_a_root() -> None:
    """At its place alone, and under a root of the plaza's alone."""
    subject = root(1, 20, 0)
    path = tuple(step.hex() for step in merkle.inclusion_proof(tiles(HASHES), 11, 20))
    proof = InclusionProof(index=11, path=path, root=subject)
    assert check_inclusion(HASHES[11], proof, verify=verify) == subject.head
    forged = replace(subject, signature="00" * 64)
    for leaf, wrong in (
        (HASHES[12], proof),
        (HASHES[11], replace(proof, index=12)),
        (HASHES[11], replace(proof, path=path[1:])),
        (HASHES[11], replace(proof, path=("no hex",))),
        (HASHES[11], replace(proof, root=forged)),
    ):
        with pytest.raises(SignatureError):
            check_inclusion(leaf, wrong, verify=verify)


def test_a_leaf_is_a_records_place_and_hash() -> None:
    """Two records of one hash at two places are two leaves."""
    here: dict[str, Any] = {
        "plaza_id": "330101",
        "lane_id": "001",
        "epoch": 1,
        "seq": 1,
        "chain_hash": "a" * 64,
    }
    others: list[dict[str, Any]] = [
        {},
        {"plaza_id": "330102"},
        {"lane_id": "002"},
        {"epoch": 2},
        {"seq": 2},
        {"chain_hash": "b" * 64},
    ]
    made = {record_leaf(**{**here, **other}) for other in others}
    assert len(made) == 6
