"""The plant in real time: it is advanced when something is due, and whenever somebody touches
it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from simulator.plant import LogEntry, Plant, PlantEdge
from simulator.platforms.clock import Clock

OnTurn = Callable[[tuple[PlantEdge, ...], tuple[LogEntry, ...]], None]
"""Takes the edges and log entries since the last turn. It may touch the plant."""
LATE_US = 200
"""A timer may fire this much early; then the plant is advanced to the edge all the same."""


class Road:
    """Owner of one plant's clock. Start it inside a running loop, stop it before the loop ends."""

    def __init__(self, plant: Plant, clock: Clock) -> None:
        self.plant = plant
        self._clock = clock
        self._listeners: list[OnTurn] = []
        self._timer: asyncio.TimerHandle | None = None
        self._soon: asyncio.Handle | None = None
        self._seen = 0
        self._running = False

    def now_ns(self) -> int:
        """Return the site's time: never before what the plant has been advanced to."""
        return max(self._clock.now_ns(), self.plant.now_us * 1_000)

    def now_us(self) -> int:
        """Return the site's time in whole microseconds."""
        return self.now_ns() // 1_000

    def listen(self, on_turn: OnTurn) -> None:
        """Have *on_turn* called after each turn."""
        self._listeners.append(on_turn)

    def start(self) -> None:
        """Begin to turn."""
        self._running = True
        self.touched()

    def stop(self) -> None:
        """Turn no more."""
        self._running = False
        for handle in (self._timer, self._soon):
            if handle is not None:
                handle.cancel()

    def touched(self) -> None:
        """Somebody did something to the plant: look at it as soon as the loop is free."""
        if self._running and self._soon is None:
            self._soon = asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self._soon = None
        if self._timer is not None:
            self._timer.cancel()
        edges = self.plant.advance(self.now_us() + LATE_US)
        entries = self.plant.log_from(self._seen)
        self._seen += len(entries)
        for on_turn in self._listeners:
            on_turn(edges, entries)
        self._wait()

    def _wait(self) -> None:
        due = self.plant.next_edge_us()
        if due is None or not self._running:
            return
        loop = asyncio.get_running_loop()
        delay_s = max(due - self.now_us(), 0) / 1e6
        self._timer = loop.call_later(delay_s, self._turn)
