"""Drives cars through the real lanes, one at each window, and never two scans at once."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable

from simulator.bench.road import GEOMETRY, BenchRoad
from simulator.people import read_display
from simulator.plant import Vehicle, VehicleId
from simulator.site.plates import plate_of
from tolling.ids import LaneId
from tolling.pictures import PictureKind

APART_S = 0.1
"""From a raise to the next scan anywhere: what a lane does after a raise is over by then."""
NewCode = Callable[[str], Awaitable[str]]
"""Gives a fresh pay code of a buyer."""


def bench_car(number: int) -> Vehicle:
    """Return the *number*-th car: small and in a hurry, so that a lane is soon free again."""
    return Vehicle(
        vehicle_id=VehicleId(number),
        plate=plate_of(number),
        length_mm=3_000,
        speed_mm_s=15_000,
        accel_mm_s2=6_000,
        decel_mm_s2=9_000,
        gap_mm=500,
        reaction_us=0,
    )


class Drivers:
    """Brings cars to lanes and scans for them."""

    def __init__(self, road: BenchRoad, new_code: NewCode) -> None:
        self._road = road
        self._new_code = new_code
        self._numbers = itertools.count(1)
        self._scanning = asyncio.Lock()

    async def block(self, lanes: tuple[str, ...], cars: int) -> list[int]:
        """Drive *cars* over *lanes*; return each one's microseconds from scan to raise.

        Raises: StuckError, in a group: a car did not get through.
        """
        waiting = list(range(cars))
        found: list[int] = []
        async with asyncio.TaskGroup() as tasks:
            for lane in lanes:
                tasks.create_task(self._lane(LaneId(lane), waiting, found), name=f"cars of {lane}")
        return found

    async def _lane(self, lane: LaneId, waiting: list[int], found: list[int]) -> None:
        last: VehicleId | None = None
        while waiting:
            waiting.pop()
            car = bench_car(next(self._numbers))
            self._road.plant.arrive(lane, car, self._road.road.now_us())
            self._road.road.touched()
            found.append(await self._pay(lane, car))
            await self._leave(lane, car)
            last = car.vehicle_id
        if last is not None:
            gone = last
            await self._road.until(f"lane {lane}: car gone", lambda: not self._road.on_road(gone))
        plant = self._road.plant
        await self._road.until(f"lane {lane}: boom down", lambda: not plant.view(lane).boom_up)

    async def _pay(self, lane: LaneId, car: Vehicle) -> int:
        plant = self._road.plant

        def asked() -> bool:
            view = plant.vehicle(car.vehicle_id)
            if view is None or not view.at_window:
                return False
            seen = read_display(plant.view(lane).display)
            return seen.kind is PictureKind.TOLL and seen.toll_fen is not None

        await self._road.until(f"lane {lane}: car {car.vehicle_id} is shown its toll", asked)
        code = await self._new_code(f"bench-{car.vehicle_id}")
        async with self._scanning:
            took_us = await self._road.scan(lane, code)
            await asyncio.sleep(APART_S)
        return took_us

    async def _leave(self, lane: LaneId, car: Vehicle) -> None:
        plant, road = self._road.plant, self._road.road

        def may_go() -> bool:
            view = plant.view(lane)
            return view.boom_up and view.lane_green

        await self._road.until(f"lane {lane}: boom up and green", may_go)
        plant.drive_on(car.vehicle_id, road.now_us())
        road.touched()

        def passed() -> bool:
            view = plant.vehicle(car.vehicle_id)
            return view is None or view.front_mm >= GEOMETRY.loop_2.end_mm + car.length_mm

        # The next one comes when both loops are free: bumper to bumper is another trial's affair.
        await self._road.until(f"lane {lane}: car {car.vehicle_id} drives out", passed)
