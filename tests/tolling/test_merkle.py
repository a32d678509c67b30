"""The tree against Certificate Transparency's published vectors, the RFC's own recursion and
forgers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tolling import merkle

PUBLISHED_DATA = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
PUBLISHED_ROOTS = [
    bytes.fromhex(text)
    for text in (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    )
]
"""Roots over the first 0..8 of them, as the Certificate Transparency project publishes them."""
PUBLISHED_INCLUSION: dict[tuple[int, int], tuple[str, ...]] = {
    (0, 8): (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ),
    (5, 8): (
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
}
PUBLISHED_CONSISTENCY: dict[tuple[int, int], tuple[str, ...]] = {
    (2, 5): (
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ),
}
SIZES = st.integers(1, 700)
"""Over two tiles, so that kept hashes of level 8 take part."""


def leaves(count: int) -> list[bytes]:
    """Return hashes of *count* different leaves."""
    return [merkle.leaf_hash(number.to_bytes(4, "big")) for number in range(count)]


def fetch_from(hashes: Sequence[bytes]) -> merkle.FetchTile:
    """Return the tiles of a log whose leaves are all at hand."""

    def fetch(level: int, number: int) -> list[bytes]:
        first = number << merkle.TILE_BITS
        ends = range(first, min(first + merkle.TILE_WIDTH, len(hashes) >> level))
        return [merkle.fold(hashes[at << level : (at + 1) << level]) for at in ends]

    return fetch


def tiles(hashes: Sequence[bytes]) -> merkle.Tiles:
    """Return the object under test over these leaves."""
    return merkle.Tiles(fetch_from(hashes))


def written_out(hashes: Sequence[bytes]) -> bytes:
    """Return the root as RFC 6962, 2.1 words it."""
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    left, right = written_out(hashes[:split]), written_out(hashes[split:])
    return hashlib.sha256(b"\x01" + left + right).digest()


def test_roots_are_the_published_ones() -> None:
    """Sizes 0 to 8."""
    hashes = [merkle.leaf_hash(data) for data in PUBLISHED_DATA]
    subject = tiles(hashes)
    assert [merkle.root(subject, size) for size in range(9)] == PUBLISHED_ROOTS


def test_proofs_are_the_published_ones() -> None:
    """Made as published, and believed."""
    hashes = [merkle.leaf_hash(data) for data in PUBLISHED_DATA]
    subject = tiles(hashes)
    for (index, size), published in PUBLISHED_INCLUSION.items():
        proof = merkle.inclusion_proof(subject, index, size)
        assert tuple(step.hex() for step in proof) == published
        root = PUBLISHED_ROOTS[size]
        assert merkle.is_included(
            hashes[index], index=index, size=size, proof=proof, root_hash=root
        )
    for (old, new), published in PUBLISHED_CONSISTENCY.items():
        proof = merkle.consistency_proof(subject, old, new)
        assert tuple(step.hex() for step in proof) == published


@pytest.mark.slow
@given(SIZES)
def test_a_root_is_what_the_rfc_words(size: int) -> None:
    """Out of tiles as out of all leaves."""
    hashes = leaves(size)
    assert merkle.root(tiles(hashes), size) == written_out(hashes)


@pytest.mark.slow
@given(SIZES, st.data())
def test_every_leaf_of_every_size_is_provable(size: int, data: st.DataObject) -> None:
    """And as itself, at its place, in its log alone."""
    hashes = leaves(size)
    index = data.draw(st.integers(0, size - 1))
    root = written_out(hashes)
    proof = merkle.inclusion_proof(tiles(hashes), index, size)

    def fits(leaf: bytes = hashes[index], at: int = index, steps: Sequence[bytes] = proof) -> bool:
        return merkle.is_included(leaf, index=at, size=size, proof=steps, root_hash=root)

    assert fits()
    assert not fits(leaf=merkle.leaf_hash(b"another"))
    assert not any(fits(at=other) for other in (index - 1, index + 1, size))
    assert not fits(steps=(*proof, root))
    for number in range(len(proof)):
        assert not fits(steps=proof[:number] + proof[number + 1 :])
        changed = bytes([proof[number][0] ^ 1]) + proof[number][1:]
        assert not fits(steps=(*proof[:number], changed, *proof[number + 1 :]))


@pytest.mark.slow
@given(SIZES, st.data())
def test_every_log_is_provably_the_beginning_of_a_longer_one(
    size: int, data: st.DataObject
) -> None:
    """And of no log whose past is another."""
    hashes = leaves(size)
    old = data.draw(st.integers(1, size))
    old_root, new_root = written_out(hashes[:old]), written_out(hashes)
    proof = merkle.consistency_proof(tiles(hashes), old, size)

    def fits(was: bytes = old_root, now: bytes = new_root, steps: Sequence[bytes] = proof) -> bool:
        return merkle.is_consistent(old=old, old_root=was, new=size, new_root=now, proof=steps)

    assert fits()
    assert not fits(steps=(*proof, old_root))
    other = merkle.leaf_hash(b"another")
    assert not fits(was=other)
    assert not fits(now=other)
    forged = [other, *hashes[1:]]
    forged_proof = merkle.consistency_proof(tiles(forged), old, size)
    assert not fits(now=written_out(forged), steps=forged_proof)
    for number in range(len(proof)):
        assert not fits(steps=proof[:number] + proof[number + 1 :])


@pytest.mark.slow
@given(st.lists(st.integers(0, 400), min_size=1, max_size=4))
def test_a_log_grown_in_steps_is_the_log_grown_at_once(steps: list[int]) -> None:
    """Only leaves and the kept hashes of full tiles are ever read again."""
    hashes = leaves(sum(steps))
    kept: dict[tuple[int, int], bytes] = {}
    size = 0

    def stored(level: int, number: int) -> list[bytes]:
        first = number << merkle.TILE_BITS
        if level == 0:
            return hashes[first : min(first + merkle.TILE_WIDTH, size)]
        found = (kept.get((level, at)) for at in range(first, first + merkle.TILE_WIDTH))
        return [each for each in found if each is not None]

    for count in steps:
        longer, new = merkle.grown_tiles(stored, size, hashes[size : size + count])
        at_once = tiles(hashes)
        assert merkle.root(merkle.Tiles(longer), size + count) == merkle.root(at_once, size + count)
        kept |= {(level, number): made for level, number, made in new}
        size += count
    assert merkle.root(merkle.Tiles(stored), size) == merkle.root(tiles(hashes), size)


@pytest.mark.slow
def test_a_second_level_of_tiles_is_kept() -> None:
    """65,537 leaves: 256 hashes of level 8 and one of level 16."""
    hashes = leaves(65_537)
    longer, kept = merkle.grown_tiles(lambda level, number: (), 0, hashes)
    assert [sum(1 for level, _, _ in kept if level == each) for each in (8, 16)] == [256, 1]
    size = len(hashes)
    subject = merkle.Tiles(longer)
    root = merkle.root(subject, size)
    assert root == written_out(hashes)
    for index in (0, 65_535, 65_536):
        proof = merkle.inclusion_proof(subject, index, size)
        assert merkle.is_included(
            hashes[index], index=index, size=size, proof=proof, root_hash=root
        )


def test_a_short_proof_proves_no_longer_log() -> None:
    """The one leaf's root is no proof that it is in a log of two."""
    leaf = merkle.leaf_hash(b"")
    assert merkle.is_included(leaf, index=0, size=1, proof=(), root_hash=leaf)
    assert not merkle.is_included(leaf, index=0, size=2, proof=(), root_hash=leaf)
    pair = merkle.node_hash(leaf, leaf)
    assert not merkle.is_included(leaf, index=0, size=3, proof=(leaf,), root_hash=pair)
    assert not merkle.is_consistent(old=2, old_root=pair, new=3, new_root=pair, proof=())


@pytest.mark.parametrize("bad", [b"", b"x" * 31, b"x" * 33])
def test_what_is_no_hash_proves_nothing(bad: bytes) -> None:
    """Whatever stands beside it."""
    leaf = merkle.leaf_hash(b"")
    assert not merkle.is_included(bad, index=0, size=1, proof=(), root_hash=bad)
    assert not merkle.is_included(leaf, index=0, size=2, proof=(bad,), root_hash=leaf)
    assert not merkle.is_consistent(old=1, old_root=leaf, new=2, new_root=leaf, proof=(bad,))


def test_an_empty_log_begins_every_log_and_nothing_else_needs_no_proof() -> None:
    """Size 0 has one root; a longer log is never proven by silence."""
    leaf = merkle.leaf_hash(b"")
    empty = merkle.EMPTY_ROOT
    assert merkle.consistency_proof(tiles([leaf]), 0, 1) == ()
    assert merkle.is_consistent(old=0, old_root=empty, new=1, new_root=leaf, proof=())
    assert not merkle.is_consistent(old=0, old_root=leaf, new=1, new_root=leaf, proof=())
    assert not merkle.is_consistent(old=3, old_root=leaf, new=5, new_root=leaf, proof=())
    assert not merkle.is_consistent(old=2, old_root=leaf, new=1, new_root=leaf, proof=())
    assert not merkle.is_consistent(old=1, old_root=leaf, new=1, new_root=empty, proof=())


@pytest.mark.slow
@given(st.integers(0, 700))
def test_a_frontier_knows_root_and_kept_hashes_of_its_log(size: int) -> None:
    """Without keeping the leaves."""
    hashes = leaves(size)
    subject = merkle.Frontier()
    kept = [each for leaf in hashes for each in subject.push(leaf)]
    _, expected = merkle.grown_tiles(lambda level, number: (), 0, hashes)
    assert (subject.size, subject.root()) == (size, merkle.root(tiles(hashes), size))
    assert sorted(kept) == sorted(expected)
