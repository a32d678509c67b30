"""The bare heap runs every timer of every vehicle, and does nothing else."""

from __future__ import annotations

from simulator.bench.floor import heap as subject


def test_the_bare_heap_carries_its_vehicles() -> None:
    """A figure above nothing, from a small run."""
    assert subject.vehicles_per_core_second(50) > 0
