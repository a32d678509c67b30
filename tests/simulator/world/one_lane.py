"""Helper of the world's tests: small worlds with chosen drivers, run and judged."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from simulator.auditor import Verdict, audit
from simulator.people import BEHAVIOURS, Behaviour
from simulator.world.build import WorldConfig, WorldResult, build_world, lane_ids, run_world
from simulator.world.faults import WorldFault
from simulator.world.streams import Streams
from simulator.world.traffic import make_car
from simulator.world.world import World


def a_world(
    *kinds: str | Behaviour, seed: int = 5, lanes: int = 1, faults: Sequence[WorldFault] = ()
) -> World:
    """Return a world with one driver of each kind, 25 s apart, dealt over the lanes."""
    streams = Streams(seed)
    cars = tuple(
        make_car(
            lane=lane_ids(lanes)[number % lanes],
            number=number + 1,
            behaviour=BEHAVIOURS[kind] if isinstance(kind, str) else kind,
            arrives_ms=4_000 + 25_000 * number,
            dice=streams.of(f"car {number}"),
        )
        for number, kind in enumerate(kinds)
    )
    return build_world(seed, WorldConfig(lanes=lanes, cars=cars, faults=tuple(faults)))


def run(
    *kinds: str | Behaviour, seed: int = 5, lanes: int = 1, faults: Sequence[WorldFault] = ()
) -> WorldResult:
    """Run such a world to rest."""
    return run_world(a_world(*kinds, seed=seed, lanes=lanes, faults=faults))


def verdict_of(result: WorldResult) -> Verdict:
    """Return the auditor's verdict; its texts are read once, so ask once."""
    return audit(result.evidence)


def bodies(result: WorldResult) -> list[dict[str, Any]]:
    """Return the records the plaza holds, parsed."""
    return [json.loads(record.body) for record in result.evidence.plaza_records]


def tenders(result: WorldResult) -> list[str]:
    """Return the tender of every leg of every record."""
    return [leg["tender"] for body in bodies(result) for leg in body["legs"]]


def ended_well(result: WorldResult) -> None:
    """Assert that nothing is left to do and no rule was broken."""
    assert result.at_rest
    assert (result.open_orders, result.unsent_records) == (0, 0)
    assert verdict_of(result).findings == ()
