"""Lines between processes: latency, loss, cuts; HTTP as messages over them; the broker.

An HTTP call is one request and at most one answer, each crossing the line on its own. A caller that
dies or gives up closes its connection, and the other side hears of that; a callee that dies breaks
it, and the caller hears of that. The broker keeps what was published until it is acknowledged, and
delivers commands at least once.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from simulator.auditor.evidence import Tapped
from simulator.world.clock import us
from simulator.world.faults import LineTrouble
from simulator.world.heap import Heap
from tolling.clock import NS_PER_MS

LATENCY_NS = 300_000
LATENCY_SPREAD_NS = 700_000
"""One way in a plaza's own network: 0.3 to 1 ms."""
CONNECT_FAILS_NS = 500 * NS_PER_MS
"""A cut line: the connection attempt is given up after this."""


class Line:
    """One line; each direction draws from the same stream."""

    def __init__(
        self,
        heap: Heap,
        name: str,
        dice: Random,
        *,
        latency_ns: int = LATENCY_NS,
        spread_ns: int = LATENCY_SPREAD_NS,
    ) -> None:
        self._heap = heap
        self._dice = dice
        self._latency_ns = latency_ns
        self._spread_ns = spread_ns
        self.name = name
        self._troubles: list[tuple[int, LineTrouble]] = []
        self.on_cut: Callable[[], None] | None = None
        """Called when a cut begins or ends, for connections that notice."""

    def trouble(self, trouble: LineTrouble) -> None:
        """Begin to misbehave now, for the trouble's own while."""
        self._troubles.append((self._heap.now_ns + trouble.for_ms * NS_PER_MS, trouble))
        if trouble.cut and self.on_cut is not None:
            self.on_cut()
            self._heap.after(trouble.for_ms * NS_PER_MS, self.on_cut)

    def heal(self) -> None:
        """Work well from now on."""
        self._troubles.clear()
        if self.on_cut is not None:
            self.on_cut()

    @property
    def cut(self) -> bool:
        """Return whether nothing crosses it now."""
        return bool(self._troubles) and any(trouble.cut for trouble in self._standing())

    def cross(self) -> int | None:
        """Return how long the next message takes, or None where it never arrives."""
        delay_ns = self._latency_ns + self._dice.randrange(self._spread_ns)
        if not self._troubles:
            return delay_ns
        for trouble in self._standing():
            if trouble.cut or self._falls(trouble.lost_permille):
                return None
            delay_ns += trouble.ms * NS_PER_MS
            if trouble.spread_ms:
                delay_ns += self._dice.randrange(trouble.spread_ms) * NS_PER_MS
            if self._falls(trouble.late_permille):
                delay_ns += trouble.late_ms * NS_PER_MS
        return delay_ns

    def crossings(self) -> tuple[int | None, ...]:
        """Return how long the next message takes, as ``cross``; then the same for every copy of
        it, where somebody on the way sends it again."""
        if not self._troubles:
            return (self.cross(),)
        copies = sum(self._falls(trouble.doubled_permille) for trouble in self._standing())
        return tuple(self.cross() for _ in range(1 + copies))

    def _falls(self, permille: int) -> bool:
        return permille > 0 and self._dice.randrange(1000) < permille

    def _standing(self) -> list[LineTrouble]:
        now_ns = self._heap.now_ns
        self._troubles = [each for each in self._troubles if each[0] > now_ns]
        return [trouble for _, trouble in self._troubles]


class Wiretap:
    """Everything that was published or answered in a run, in order."""

    def __init__(self, heap: Heap) -> None:
        self._heap = heap
        self.seen: list[Tapped] = []

    def note(self, channel: str, text: str) -> None:
        """Keep one message."""
        self.seen.append(Tapped(at_us=us(self._heap.now_ns), channel=channel, text=text))

    def take(self) -> list[Tapped]:
        """Return everything seen so far and forget it."""
        taken, self.seen = self.seen, []
        return taken


class Broker:
    """One lane's connection to the message broker."""

    def __init__(
        self, heap: Heap, line: Line, tap: Wiretap, dice: Random, *, plaza_line: Line
    ) -> None:
        self._heap = heap
        self.line = line
        self._plaza_line = plaza_line
        """What the plaza publishes comes to the broker over this one."""
        self._tap = tap
        self._dice = dice
        self._untold = 0

    @property
    def untold(self) -> bool:
        """Return whether the acknowledgement of a notice is still awaited."""
        return self._untold > 0

    def publish(self, topic: str, text: str, acked: Callable[[bool], None]) -> None:
        """Publish at QoS 1; *acked* is called once, with whether the broker has it for sure."""
        there, *copies = self.line.crossings()
        notice = topic.endswith("/event")
        self._untold += notice

        def told(sure: bool) -> None:
            self._untold -= notice
            acked(sure)

        if there is None:
            self._heap.after(CONNECT_FAILS_NS, lambda: told(False))
            return
        for copy in copies:
            if copy is not None:
                self._heap.after(copy, lambda: self._tap.note(topic, text))

        def arrive() -> None:
            self._tap.note(topic, text)
            back = self.line.cross()
            if back is None:
                # It is there, and the publisher does not know: it will publish again.
                self._heap.after(CONNECT_FAILS_NS, lambda: told(False))
            else:
                self._heap.after(back, lambda: told(True))

        self._heap.after(there, arrive)

    def command(self, topic: str, text: str, deliver: Callable[[], None]) -> None:
        """Deliver a command of the plaza at least once, if it gets to the broker and while the
        lane is connected; it is never kept for later."""
        for there in self._plaza_line.crossings():
            if there == 0:
                self._hand_on(topic, text, deliver)
            elif there is not None:
                self._heap.after(there, lambda: self._hand_on(topic, text, deliver))

    def _hand_on(self, topic: str, text: str, deliver: Callable[[], None]) -> None:
        self._tap.note(topic, text)
        for _ in range(1 + (self._dice.randrange(20) == 0)):
            for there in self.line.crossings():
                if there is not None:
                    self._heap.after(there, deliver)
