"""Automatic traffic: so many vehicles over the lanes, with a spacing, drawn from a mix of
drivers."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simulator.people import Behaviour, draw_behaviour
from simulator.plant import VehicleId, paced, usual_vehicle
from simulator.site.crowd import Crowd
from simulator.site.plates import plate_of
from tolling.ids import LaneId
from tolling.messages import EntryFound
from tolling.paycodes import Wallet
from tolling.vehicles import Plate, VehicleClass

VEHICLES_MAX = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficOrder:
    """What is asked for."""

    vehicles: int
    """Over all lanes together, dealt out in turn."""
    lanes: tuple[LaneId, ...]
    spacing_ms: int
    """Between two arrivals in one lane; 0: all queue up at once."""
    mix: Mapping[str, int]
    classes: Mapping[VehicleClass, int]


class Dispatcher:
    """Gives vehicles their numbers and plates, and brings them to the lanes."""

    def __init__(self, crowd: Crowd, *, seed: int) -> None:
        self._crowd = crowd
        self._dice = random.Random(f"{seed}/traffic")
        self._number = 0
        self._timers: set[asyncio.TimerHandle] = set()
        self.waiting = 0
        """Vehicles ordered that have not arrived yet."""

    def spawn(
        self,
        lane: LaneId,
        *,
        behaviour: Behaviour,
        vehicle_class: VehicleClass = VehicleClass.CAR_1,
        plate: Plate | None = None,
        no_plate: bool = False,
        entry: EntryFound | None = None,
        tag_balance_fen: int | None = None,
        wallet: Wallet | None = None,
        coupon: str | None = None,
    ) -> VehicleId:
        """Bring one vehicle now and return its number.

        Args:   plate: None: the next of the made-up plates. no_plate: it carries none.
                wallet: on the driver's phone; None: the next in turn.
                coupon: its text; None: where he has one, it is one that nobody issued.
        """
        self._number += 1
        number = VehicleId(self._number)
        shown = None if no_plate else plate or plate_of(self._number)
        vehicle = paced(usual_vehicle(number, shown, vehicle_class), self._crowd.percent)
        self._crowd.spawn(
            lane,
            vehicle,
            behaviour,
            entry=entry,
            tag_balance_fen=tag_balance_fen,
            wallet=wallet,
            coupon=coupon,
        )
        return number

    def order(self, order: TrafficOrder) -> None:
        """Bring vehicles one after the other, beginning now."""
        loop = asyncio.get_running_loop()
        for at in range(order.vehicles):
            lane = order.lanes[at % len(order.lanes)]
            delay_s = at // len(order.lanes) * order.spacing_ms / 1_000
            behaviour = draw_behaviour(order.mix, self._dice)
            vehicle_class = _draw_class(order.classes, self._dice)
            self.waiting += 1

            def arrive(
                lane: LaneId = lane,
                behaviour: Behaviour = behaviour,
                vehicle_class: VehicleClass = vehicle_class,
            ) -> None:
                self.waiting -= 1
                self.spawn(lane, behaviour=behaviour, vehicle_class=vehicle_class)

            self._timers.add(loop.call_later(delay_s, arrive))

    def cancel(self) -> None:
        """Let nobody arrive who has not."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self.waiting = 0


def _draw_class(classes: Mapping[VehicleClass, int], dice: random.Random) -> VehicleClass:
    kinds: Sequence[VehicleClass] = sorted(classes)
    return dice.choices(kinds, [classes[kind] for kind in kinds])[0]
