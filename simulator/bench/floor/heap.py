"""The bare heap: what virtual time costs where nothing happens in it.

Each vehicle is a row of timers, each of which sets the next one, as a passage is a row of edges,
messages and wake-ups. Nothing is decided, stored, sent or logged.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable

TIMERS = 60
"""Per vehicle (design figures: the bare heap with 60 timers per vehicle)."""
GAP_NS = 250_000_000
"""Between two timers of a vehicle: fifteen seconds in the lane."""
ARRIVAL_NS = 500_000_000
NS_PER_S = 1_000_000_000


def vehicles_per_core_second(vehicles: int) -> float:
    """Return how many vehicles a second of CPU time carries, over *vehicles* of them, 1 and up."""
    assert vehicles >= 1, "vehicles: 1 and up"
    entries: list[tuple[int, int, Callable[[int], None]]] = []
    number = 0

    def schedule(at_ns: int, callback: Callable[[int], None]) -> None:
        nonlocal number
        number += 1
        heapq.heappush(entries, (at_ns, number, callback))

    def vehicle() -> Callable[[int], None]:
        left = TIMERS

        def due(now_ns: int) -> None:
            nonlocal left
            left -= 1
            if left:
                schedule(now_ns + GAP_NS, due)

        return due

    began_ns = time.process_time_ns()
    for each in range(vehicles):
        schedule(each * ARRIVAL_NS, vehicle())
    while entries:
        now_ns, _, callback = heapq.heappop(entries)
        callback(now_ns)
    return vehicles * NS_PER_S / max(1, time.process_time_ns() - began_ns)
