"""Sends vehicles to the lanes: who comes is drawn, at most three are in one lane."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator, Sequence

from simulator.demo.http import CallFailedError, PlazaApi, SiteApi
from simulator.people import draw_behaviour
from simulator.site.plates import plate_of

MIX = {
    "phone_ok": 74,
    "slow_phone": 6,
    "needs_password": 6,
    "double_scan": 4,
    "pays_cash": 6,
    "pays_etc": 4,
}
"""An ordinary day with more cash and tags than usual, so that all tenders are seen."""
EVERY_CASH = 7
EVERY_ETC = 9
"""A judged run has cash and a tag for sure: one in so many vehicles."""
JUDGED_PHONES = {"phone_ok": 90, "needs_password": 5, "double_scan": 5}
"""Nobody who only takes his time: a judged run takes 10 s for each vehicle of a lane."""
PER_LANE = 3
"""One at the window, one that leaves and one that comes up."""
LOOK_S = 0.2
STATIONS = ("清溪", "望江", "柳林", "石桥", "云顶")
"""Of the sample tariff that ``plaza-server init`` makes."""
ENTRIES_AHEAD = 50


def drawn_behaviours(count: int, *, seed: int) -> list[str]:
    """Return who comes in a judged run: phones mostly, some cash and tags; the first by phone."""
    dice = random.Random(f"{seed}/demo")
    found = ["pays_cash"] * max(count >= 3, count // EVERY_CASH)
    found += ["pays_etc"] * max(count >= 4, count // EVERY_ETC)
    while len(found) < count:
        found.append(draw_behaviour(JUDGED_PHONES, dice).name)
    dice.shuffle(found)
    # Whoever watches sees a phone pay first.
    first = next((at for at, name in enumerate(found) if name == "phone_ok"), None)
    if first is None:
        found[found.index(next(n for n in found if not n.startswith("pays_")))] = "phone_ok"
        first = found.index("phone_ok")
    found[0], found[first] = found[first], found[0]
    return found


def endless_behaviours(*, seed: int) -> Iterator[str]:
    """Yield who comes, for ever; the first pays by phone."""
    dice = random.Random(f"{seed}/demo")
    yield "phone_ok"
    while True:
        yield draw_behaviour(MIX, dice).name


class Traffic:
    """Brings vehicles as the lanes have room."""

    def __init__(
        self, site: SiteApi, plaza: PlazaApi, lanes: Sequence[str], behaviours: Iterator[str]
    ) -> None:
        self._site = site
        self._plaza = plaza
        self._lanes = tuple(lanes)
        self._behaviours = behaviours
        self._entries = 0
        self.lane_of: dict[int, str] = {}
        """Which lane each vehicle was sent to."""
        self.all_sent = False

    async def run(self) -> None:
        """Send everybody, waiting for room."""
        while True:
            try:
                done = await self._fill()
            except CallFailedError:
                done = False  # Plaza or site is being started again.
            if done:
                self.all_sent = True
                return
            await asyncio.sleep(LOOK_S)

    async def _fill(self) -> bool:
        status = await self._site.status()
        for lane in self._lanes:
            present = len(status["lanes"][lane]["vehicles"])
            for _ in range(PER_LANE - present):
                await self._write_entries(len(self.lane_of) + 1)
                behaviour = next(self._behaviours, None)
                if behaviour is None:
                    return True
                self.lane_of[await self._site.spawn(lane, behaviour)] = lane
        return False

    async def _write_entries(self, number: int) -> None:
        """Have the plaza know where the next vehicles entered."""
        if number <= self._entries:
            return
        until = self._entries + ENTRIES_AHEAD
        now_ms = time.time_ns() // 1_000_000
        await self._plaza.add_entries(
            (
                f"demo-{each}",
                {
                    "plate": plate_of(each).text,
                    "entry_station": STATIONS[each % len(STATIONS)],
                    "entered_ms": now_ms - 3_600_000,
                    "vehicle_class": 1,
                },
            )
            for each in range(self._entries + 1, until + 1)
        )
        self._entries = until
