"""What lanes and plaza have in common as processes: lives, timers, steps.

A kill drops everything the process held in memory. What it had scheduled is void, what it had on
the way goes on without it; the database is the world's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from simulator.world.clock import MachineClock
from simulator.world.faults import KillAtStep, StepKind
from simulator.world.heap import Heap
from tolling.clock import NS_PER_MS


class Step(NamedTuple):
    """One step a process has reached. A tuple: thousands are kept, and few are looked at."""

    number: int
    kind: StepKind
    what: str


class Process:
    """One process that may be killed at any event and started again."""

    def __init__(self, heap: Heap, name: str, kills: tuple[KillAtStep, ...]) -> None:
        self.heap = heap
        self.name = name
        self.alive = False
        self.life = 0
        """Counts lives; what belongs to an earlier one is void."""
        self.steps: list[Step] = []
        self._steps_forgotten = 0
        self.started_ns: list[int] = []
        self.died_ns: int | None = None
        self.deaths_ns: list[int] = []
        self.off = False
        """Switched off for good: nothing is left for it to do."""
        self.off_ns: int | None = None
        """When it was."""
        self._kills = {kill.step: kill for kill in kills if kill.process == name}
        self._timers: dict[str, int] = {}
        self._timer_no = 0
        self.machine: MachineClock | None = None
        """Whose oscillator the timers run on; None: they are exact."""

    # ---- life ----

    def start(self) -> None:
        """Begin a life; nothing happens where one is under way."""
        if self.alive or self.off:
            return
        self.alive = True
        self.life += 1
        self.started_ns.append(self.heap.now_ns)
        self.heap.note(self.name, "starts", str(self.life))
        self.on_start()

    def kill(self, down_ms: int) -> None:
        """End this life at once, and begin the next after *down_ms*."""
        if not self.alive:
            return
        self.alive = False
        self.died_ns = self.heap.now_ns
        self.deaths_ns.append(self.heap.now_ns)
        self._timers.clear()
        self.heap.note(self.name, "dies", str(self.life))
        self.on_death()
        self.heap.after(down_ms * NS_PER_MS, self.start)

    def switch_off(self) -> None:
        """End this life for good and keep what it held in memory, to be looked at."""
        self.heap.note(self.name, "switched off", str(self.life))
        self.alive, self.off, self.off_ns = False, True, self.heap.now_ns
        self._timers.clear()

    def on_start(self) -> None:
        """Read the store and begin."""
        raise NotImplementedError

    def on_death(self) -> None:
        """Drop what was held in memory; tell the other ends of open connections."""
        raise NotImplementedError

    # ---- time ----

    def later(self, delay_ns: int, callback: Callable[[], None]) -> None:
        """Call *callback* after a while, if this life still lasts."""
        life = self.life

        def call() -> None:
            if self.alive and self.life == life:
                callback()

        self.heap.after(delay_ns, call)

    def set_timer(self, timer_id: str, after_ms: int, due: Callable[[str], None]) -> None:
        """Call ``due(timer_id)`` after a while; the same id again moves it."""
        self._timer_no += 1
        number = self._timer_no
        self._timers[timer_id] = number
        machine, after_ns = self.machine, after_ms * NS_PER_MS
        due_ns = after_ns if machine is None else machine.at_ns() + after_ns

        def call() -> None:
            # A life that ends forgets its timers, and no number comes twice.
            if self._timers.get(timer_id) != number:
                return
            if machine is not None and machine.at_ns() < due_ns:
                # The oscillator has slowed down meanwhile: it is not yet time by this clock.
                self.heap.after(machine.lasts_ns(due_ns - machine.at_ns()), call)
                return
            del self._timers[timer_id]
            due(timer_id)

        self.heap.after(after_ns if machine is None else machine.lasts_ns(after_ns), call)

    def cancel_timer(self, timer_id: str) -> None:
        """Forget a timer."""
        self._timers.pop(timer_id, None)

    # ---- steps ----

    def forget_steps(self) -> None:
        """Forget the steps reached so far; their count goes on."""
        self._steps_forgotten += len(self.steps)
        self.steps.clear()

    def reach(self, kind: StepKind, what: str) -> bool:
        """Note a step. Returns True where the process was killed at it: the caller stops there."""
        number = self._steps_forgotten + len(self.steps) + 1
        self.steps.append(Step(number, kind, what))
        kill = self._kills.get(number)
        if kill is None:
            return False
        self.kill(kill.down_ms)
        return True
