"""The bench's arithmetic: medians, tails and ratios over samples in microseconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

P99_SAMPLES_MIN = 200
"""Fewer samples give no p99: it would be one or two outliers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How long something took, in milliseconds."""

    samples: int
    p50_ms: float
    p99_ms: float | None
    """None: fewer than P99_SAMPLES_MIN samples."""


def percentile(ordered: Sequence[int], percent: int) -> int:
    """Return the smallest sample that *percent* of all are not above. *ordered*: one or more,
    rising."""
    assert ordered, "no samples, no percentile"
    assert 0 < percent <= 100, "percent: 1..100"
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def spread(samples_us: Sequence[int]) -> Spread:
    """Return the median and, with samples enough, the tail of one or more samples."""
    ordered = sorted(samples_us)
    tail = percentile(ordered, 99) / 1_000 if len(ordered) >= P99_SAMPLES_MIN else None
    return Spread(samples=len(ordered), p50_ms=percentile(ordered, 50) / 1_000, p99_ms=tail)


def ratio(ours: float, floor: float) -> float:
    """Return how many times the floor ours is."""
    assert floor > 0, "a floor takes time"
    return round(ours / floor, 3)


def shares(total: int, blocks: int) -> tuple[int, ...]:
    """Return *total* dealt into *blocks* parts as equal as can be, empty ones left out."""
    assert total >= 0, "total: 0 and up"
    assert blocks >= 1, "blocks: 1 and up"
    small, more = divmod(total, blocks)
    parts = (small + (at < more) for at in range(blocks))
    return tuple(part for part in parts if part)
