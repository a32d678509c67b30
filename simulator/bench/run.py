"""One whole bench: floor and ours by turns, so that a machine that drifts hits both alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from simulator.bench.boom import scan_to_boom_up_us
from simulator.bench.driving import Drivers
from simulator.bench.figures import shares, spread
from simulator.bench.floor.side import FloorSide
from simulator.bench.report import Result
from simulator.bench.road import BenchRoad
from simulator.bench.stack import OurSide, breakdown
from simulator.demo.files import lane_names

BLOCKS_MAX = 10
CARS_PER_TURN = 4
"""For each lane, at least: a block ends with empty lanes, and that takes as long as a car."""
FLOOR_LANES_FROM = 901
WARM_CARS = 2
"""For each lane, not counted: first connections, first statements, first signatures."""
ALONE_SHARE = 5
"""The floor alone is measured over a fifth of the cars."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be measured."""

    cars: int
    """Through the floor, and again through the real lanes."""
    boom_cars: int
    """With platform and boom at their usual speed; 0 leaves that figure out."""
    lanes: int


async def bench(order: Order, root: Path, *, tell: Callable[[str], None]) -> Result:
    """Measure everything asked for.

    Raises: StuckError, ChildFailedError, CallFailedError, BadPlaceError, BrokerMissingError,
            TooSlowError, OSError (also in groups).
    """
    result = await _raises(order, root / "raise", tell=tell)
    if not order.boom_cars:
        return result
    tell(f"scan to boom up: {order.boom_cars} cars, platform 600 ms, boom 0.9 s")
    boom_us = await scan_to_boom_up_us(
        root / "boom", cars=order.boom_cars, lanes=order.lanes, tell=tell
    )
    return Result(
        floor=result.floor,
        floor_alone=result.floor_alone,
        ours=result.ours,
        boom_up=spread(boom_us),
        breakdown=result.breakdown,
    )


async def _raises(order: Order, root: Path, *, tell: Callable[[str], None]) -> Result:
    ours = lane_names(order.lanes)
    bare = tuple(str(FLOOR_LANES_FROM + at) for at in range(order.lanes))
    (root / "wires").mkdir(parents=True, mode=0o700)
    road = BenchRoad((*ours, *bare), root / "wires")
    async with road.running():
        floor = FloorSide(road, bare, root / "floor")
        side = OurSide(road, ours, root / "ours")
        async with floor.running():
            await floor.block(WARM_CARS * order.lanes)
            alone = await floor.block(max(1, order.cars // ALONE_SHARE))
            tell(f"floor alone: p50 {spread(alone).p50_ms:.1f} ms; starting the real processes")
            async with side.running():
                return await _by_turns(order, road, floor, side, alone=alone, tell=tell)


async def _by_turns(
    order: Order,
    road: BenchRoad,
    floor: FloorSide,
    side: OurSide,
    *,
    alone: list[int],
    tell: Callable[[str], None],
) -> Result:
    warm = WARM_CARS * order.lanes
    await side.add_entries(range(1, warm + order.cars + 1))
    drivers = Drivers(road, side.new_code)
    await drivers.block(side.lanes, warm)
    floor_us: list[int] = []
    ours_us: list[int] = []
    before = await side.read()
    blocks = min(BLOCKS_MAX, max(1, order.cars // (CARS_PER_TURN * order.lanes)))
    for cars in shares(order.cars, blocks):
        floor_us += await floor.block(cars)
        ours_us += await drivers.block(side.lanes, cars)
        told = f"floor p50 {spread(floor_us).p50_ms:.1f} ms, ours {spread(ours_us).p50_ms:.1f} ms"
        tell(f"{len(ours_us)} of {order.cars} cars: {told}")
    after = await side.read()
    return Result(
        floor=spread(floor_us),
        floor_alone=spread(alone),
        ours=spread(ours_us),
        breakdown=breakdown(before, after, cars=order.cars),
    )
