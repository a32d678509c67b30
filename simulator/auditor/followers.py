"""Vehicles that no loop can tell from the one before them.

A presence outlasts gaps under 1 s on both loops, as trailers make them (design.md section 4): so
does one vehicle that follows another that closely, also where a loop was held on between them, and
the second made no edge of it at all. Where neither curtain nor camera told anything of the one
before as it came under the boom, a gap under 1 s on loop 1 alone is enough.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from simulator.auditor.evidence import Evidence
from simulator.plant.events import Passage, PlantEdge, What

GAP_US = 1_000_000
"""Loops drop a vehicle for shorter gaps than this."""
LOOPS = frozenset({What.LOOP_1, What.LOOP_2})


@dataclass(frozen=True, slots=True, kw_only=True)
class Follower:
    """A vehicle that went through as one with another."""

    lane: str
    vehicle_id: int
    before: int | None
    """The one it is taken for; None where that is not known."""


def followers(seen: Evidence) -> Iterator[Follower]:
    """Yield every vehicle that went through and that no loop can tell from the one before it."""
    left: dict[tuple[str, What], tuple[int, int | None]] = {}
    under_us: dict[str, int] = {}
    alike: set[tuple[str, int]] = set()
    before: dict[tuple[str, int], int | None] = {}
    short: dict[tuple[str, int], set[What]] = defaultdict(set)
    own: dict[tuple[str, int], set[What]] = defaultdict(set)
    for entry in seen.plant_log:
        if isinstance(entry, Passage):
            who = (entry.lane, entry.vehicle_id)
            too_close = bool(own[who]) and own[who] == short[who]
            if too_close or who in alike:
                yield Follower(lane=who[0], vehicle_id=who[1], before=before.get(who))
        elif isinstance(entry, PlantEdge) and entry.what in LOOPS and entry.vehicle_id:
            place, who = (entry.lane, entry.what), (entry.lane, entry.vehicle_id)
            if not entry.on:
                left[place] = entry.at_us, entry.vehicle_id
                continue
            own[who].add(entry.what)
            if place in left and entry.at_us - left[place][0] < GAP_US:
                short[who].add(entry.what)
                before.setdefault(who, left[place][1])
                if entry.what is What.LOOP_1 and _untold(seen, entry.lane, under_us):
                    alike.add(who)
            if entry.what is What.LOOP_2:
                under_us[entry.lane] = entry.at_us


def _untold(seen: Evidence, lane: str, under_us: dict[str, int]) -> bool:
    """Return whether nothing but loops told of the vehicle that came under a lane's boom last."""
    at_us = under_us.get(lane)
    return at_us is not None and any(
        untold.lane_id == lane and untold.from_us <= at_us <= untold.until_us
        for untold in seen.untold
    )
