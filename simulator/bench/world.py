"""How fast the virtual world is: vehicles per second of CPU time, beside the bare heap.

The seeds are those of ``toll-sim fuzz`` with all their faults, run by that very command as a child
process; the heap is measured before and after it, so that a machine that drifts hits both.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass

from simulator.bench.figures import ratio
from simulator.bench.floor.heap import vehicles_per_core_second

FLOOR_VEHICLES = 3_000
CHILD_LIMIT_S = 3_600


class WorldFailedError(Exception):
    """The seeds could not be run, or broke a rule: their speed is no figure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldSpeed:
    """Vehicles per second of one core."""

    seeds: int
    vehicles: int
    ours_per_s: float
    floor_per_s: float

    @property
    def times(self) -> float:
        """Return how many times the bare heap's effort a vehicle takes."""
        return ratio(self.floor_per_s, self.ours_per_s)


def world_speed(seeds: int) -> WorldSpeed:
    """Measure over the first *seeds* seeds, 1 and up. Raises: WorldFailedError."""
    before = vehicles_per_core_second(FLOOR_VEHICLES)
    figures = _run(seeds)
    after = vehicles_per_core_second(FLOOR_VEHICLES)
    return WorldSpeed(
        seeds=seeds,
        vehicles=int(figures["vehicles"]),
        ours_per_s=float(figures["vehicles_per_s"]),
        floor_per_s=round((before + after) / 2, 1),
    )


def _run(seeds: int) -> dict[str, float]:
    options = ("--seeds", f"1..{seeds}", "--jobs", "1", "--no-shrink", "--json")
    done = subprocess.run(
        [sys.executable, "-m", "simulator.cli", "fuzz", *options],
        capture_output=True,
        text=True,
        timeout=CHILD_LIMIT_S,
        check=False,
    )
    last = (done.stdout.strip().splitlines() or [""])[-1]
    if done.returncode != 0 or not last.startswith("{"):
        raise WorldFailedError(f"toll-sim fuzz ended with {done.returncode}: {last[:500]}")
    figures: dict[str, float] = json.loads(last)
    return figures
