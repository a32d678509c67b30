"""An append-only Merkle tree as in RFC 6962: roots, inclusion and consistency proofs. Pure.

Strategy. ``leaf = SHA-256(0x00 || data)``, ``node = SHA-256(0x01 || left || right)``; a tree of n
leaves splits at the largest power of two below n. Everything is asked of a ``Tiles``: it gives the
hashes of one tile, 256 neighbours of level 0, 8, 16, ..., and folds what lies between. A log of any
size is proven from a few tiles: only the leaves and every 256th, 65,536th, ... hash are ever kept.

Own, and short, because the one kept library (pymerkle) is under the GPL and brings its own storage.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

TILE_BITS = 8
"""A tile spans 8 levels: 256 hashes of 32 bytes, one short read of a database (*)."""
TILE_WIDTH = 1 << TILE_BITS
MAX_SIZE = 1 << 48
"""Leaves; a proof has at most this many bits of hashes, which bounds what a verifier reads."""
EMPTY_ROOT = hashlib.sha256(b"").digest()
HASH_BYTES = 32

FetchTile = Callable[[int, int], Sequence[bytes]]
"""(level, number) -> hashes number * 256 and on of *level*, at most 256; level is 0, 8, 16, ..."""


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf that holds *data*, 32 bytes."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node over two hashes, 32 bytes."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def fold(hashes: Sequence[bytes]) -> bytes:
    """Return the root over 2**k neighbours, k from 0."""
    assert hashes, "a node is over something"
    assert len(hashes) & (len(hashes) - 1) == 0, "a perfect tree has 2**k leaves"
    row = list(hashes)
    while len(row) > 1:
        row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]


class Tiles:
    """Hashes of a log's perfect subtrees, out of tiles that are fetched once each."""

    def __init__(self, fetch: FetchTile) -> None:
        """Make it; *fetch* gives a tile's hashes as far as they are there."""
        self._fetch = fetch
        self._known: dict[tuple[int, int], Sequence[bytes]] = {}

    def node(self, level: int, index: int) -> bytes:
        """Return the root over leaves index * 2**level up to, not with, (index + 1) * 2**level."""
        base = level - level % TILE_BITS
        first, count = index << (level - base), 1 << (level - base)
        hashes = self._tile(base, first >> TILE_BITS)
        at = first % TILE_WIDTH
        found = hashes[at : at + count]
        assert len(found) == count, "the log does not hold this node"
        return fold(found)

    def _tile(self, level: int, number: int) -> Sequence[bytes]:
        known = self._known.get((level, number))
        if known is None:
            known = self._known[(level, number)] = self._fetch(level, number)
        return known


# ---- making ----


def root(tiles: Tiles, size: int) -> bytes:
    """Return the root over the first *size* leaves."""
    assert 0 <= size <= MAX_SIZE, "no such log"
    return EMPTY_ROOT if size == 0 else _range_hash(tiles, 0, size)


def inclusion_proof(tiles: Tiles, index: int, size: int) -> tuple[bytes, ...]:
    """Return the proof that leaf *index* is in the log of *size*, from the leaf upwards."""
    assert 0 <= index < size <= MAX_SIZE, "the leaf is not in this log"
    return tuple(_path(tiles, index, 0, size))


def consistency_proof(tiles: Tiles, old: int, new: int) -> tuple[bytes, ...]:
    """Return the proof that the log of *new* leaves begins with that of *old* leaves."""
    assert 0 <= old <= new <= MAX_SIZE, "a log only grows"
    return () if old in (0, new) else tuple(_subproof(tiles, old, 0, new, whole=True))


def _split(count: int) -> int:
    """Return the largest power of two below *count*, which is 2 and up."""
    return 1 << (count - 1).bit_length() - 1


def _range_hash(tiles: Tiles, begin: int, end: int) -> bytes:
    """Return the root over [begin, end), where *begin* is where the RFC's splits put it."""
    count = end - begin
    if count & (count - 1) == 0:
        return tiles.node(count.bit_length() - 1, begin // count)
    middle = begin + _split(count)
    return node_hash(_range_hash(tiles, begin, middle), _range_hash(tiles, middle, end))


def _path(tiles: Tiles, index: int, begin: int, end: int) -> list[bytes]:
    if end - begin == 1:
        return []
    middle = begin + _split(end - begin)
    if index < middle:
        return [*_path(tiles, index, begin, middle), _range_hash(tiles, middle, end)]
    return [*_path(tiles, index, middle, end), _range_hash(tiles, begin, middle)]


def _subproof(tiles: Tiles, old: int, begin: int, end: int, *, whole: bool) -> list[bytes]:
    """Return the proof for the old log's end inside [begin, end).

    Args:   whole: this subtree begins where the log does, so the verifier knows the old root of it.
    """
    if old == end:
        return [] if whole else [_range_hash(tiles, begin, end)]
    middle = begin + _split(end - begin)
    if old <= middle:
        left = _subproof(tiles, old, begin, middle, whole=whole)
        return [*left, _range_hash(tiles, middle, end)]
    right = _subproof(tiles, old, middle, end, whole=False)
    return [*right, _range_hash(tiles, begin, middle)]


def grown_tiles(
    fetch: FetchTile, old: int, leaves: Sequence[bytes]
) -> tuple[FetchTile, tuple[tuple[int, int, bytes], ...]]:
    """Return the log of *old* leaves with *leaves* (hashes) behind it.

    Returns: how to fetch tiles of the longer log, and the hashes to be kept of it: (level 8, 16,
        ..., number, hash) of every tile that became full.
    """
    added: dict[tuple[int, int], bytes] = {(0, old + at): leaf for at, leaf in enumerate(leaves)}
    new = old + len(leaves)

    def longer(level: int, number: int) -> Sequence[bytes]:
        first = number << TILE_BITS
        had = min(max((old >> level) - first, 0), TILE_WIDTH)
        known = list(fetch(level, number))[:had] if had else []
        for at in range(first + had, first + TILE_WIDTH):
            more = added.get((level, at))
            if more is None:
                break
            known.append(more)
        return known

    kept: list[tuple[int, int, bytes]] = []
    level = TILE_BITS
    while new >> level:
        for number in range(old >> level, new >> level):
            made = fold(longer(level - TILE_BITS, number))
            added[(level, number)] = made
            kept.append((level, number, made))
        level += TILE_BITS
    return longer, tuple(kept)


class Frontier:
    """The right edge of a growing log: enough to know its root, however long it is."""

    def __init__(self) -> None:
        self.size = 0
        self._edge: list[tuple[int, bytes]] = []

    def push(self, leaf: bytes) -> list[tuple[int, int, bytes]]:
        """Add one leaf hash. Returns: the hashes to be kept that it completes (level 8, 16, ...,
        number, hash)."""
        kept = []
        level, made = 0, leaf
        while self._edge and self._edge[-1][0] == level:
            made = node_hash(self._edge.pop()[1], made)
            level += 1
            if level % TILE_BITS == 0:
                kept.append((level, self.size >> level, made))
        self._edge.append((level, made))
        self.size += 1
        return kept

    def root(self) -> bytes:
        """Return the root over all leaves so far."""
        if not self._edge:
            return EMPTY_ROOT
        made = self._edge[-1][1]
        for _, left in reversed(self._edge[:-1]):
            made = node_hash(left, made)
        return made


# ---- checking ----


def is_included(
    leaf: bytes, *, index: int, size: int, proof: Sequence[bytes], root_hash: bytes
) -> bool:
    """Return whether *proof* shows that leaf hash *leaf* is number *index* of the log with this
    root.

    Source: RFC 9162, 2.1.3.2, which words the check for the trees of RFC 6962.
    """
    if not 0 <= index < size <= MAX_SIZE or not _are_hashes(leaf, root_hash, *proof):
        return False
    at, last, made = index, size - 1, leaf
    for step in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            made = node_hash(step, made)
            # An only child at the right edge is its parent: go up to where it has a neighbour.
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            made = node_hash(made, step)
        at, last = at >> 1, last >> 1
    return last == 0 and made == root_hash


def is_consistent(
    *, old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Return whether *proof* shows that the log of *new* leaves begins with that of *old* leaves.

    An empty log is the beginning of every log, without a proof.
    Source: RFC 9162, 2.1.4.2.
    """
    if not 0 <= old <= new <= MAX_SIZE or not _are_hashes(old_root, new_root, *proof):
        return False
    if old == new:
        return not proof and old_root == new_root
    if old == 0:
        return not proof and old_root == EMPTY_ROOT
    steps = list(proof)
    if old & (old - 1) == 0:
        # A whole subtree of the new log: its root is the first step, and known.
        steps.insert(0, old_root)
    if not steps:
        return False
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    made_old = made_new = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            made_old, made_new = node_hash(step, made_old), node_hash(step, made_new)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            made_new = node_hash(made_new, step)
        at, last = at >> 1, last >> 1
    return last == 0 and made_old == old_root and made_new == new_root


def _are_hashes(*values: bytes) -> bool:
    return all(len(value) == HASH_BYTES for value in values)
