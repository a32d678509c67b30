"""When a paid order's confirming query may go out: not while a driver waits.

Strategy. The answer to pay was signed and is believed; the query behind it is due within a minute
and nobody waits for it. So it goes after a moment in which no pay was under way, a few at once. On
a busy plaza it comes late in its minute, and then at any load.
"""

from __future__ import annotations

from plaza_server.engine.desk import Desk
from plaza_server.engine.effects import Wake
from plaza_server.engine.tasks import Job, Then
from plaza_server.rules.limits import CONFIRM_AT_ONCE_MAX, CONFIRM_LATEST_MS, CONFIRM_QUIET_MS
from plaza_server.rules.schedule import Phase
from tolling.clock import NS_PER_MS
from tolling.ids import OutTradeNo

CONFIRM_TIMER = "confirm"
"""Looks whether it is quiet enough for queries that were put off."""


class Confirming:
    """Counts pays and confirming queries under way, and keeps what was put off in its order."""

    def __init__(self, desk: Desk[Then]) -> None:
        self._desk = desk
        self._pays = 0
        self._pay_ended_ns: int | None = None
        self._queries = 0
        self._put_off: dict[OutTradeNo, None] = {}
        self._ticks = False

    def pay_began(self) -> None:
        """Count a pay call under way."""
        self._pays += 1

    def pay_ended(self) -> None:
        """Count it as over."""
        self._pays -= 1
        self._pay_ended_ns = self._desk.now_ns

    def query_began(self) -> None:
        """Count a confirming query under way."""
        self._queries += 1

    def query_ended(self) -> None:
        """Count it as over."""
        self._queries -= 1

    def wait_ms(self, job: Job) -> int:
        """Return how long *job*'s query is put off at most; 0: it goes now.

        Of an order that is put off this is the time until it goes at any load; ``next_up`` gives
        it back earlier where it can.
        """
        if job.trail.phase is not Phase.CONFIRM or job.trail.tries > 0:
            return 0
        waited_ms = (self._desk.now_ns - job.trail.last_ns) // NS_PER_MS
        left_ms = CONFIRM_LATEST_MS - waited_ms
        if left_ms <= 0 or self._has_room:
            return 0
        self._put_off[job.order.out_trade_no] = None
        self._tick()
        return left_ms

    def next_up(self) -> OutTradeNo | None:
        """Return the order that was put off first, once there is room for its query."""
        if not self._put_off or not self._has_room:
            return None
        number = next(iter(self._put_off))
        del self._put_off[number]
        return number

    def forget(self, number: OutTradeNo) -> None:
        """Put an order off no longer."""
        self._put_off.pop(number, None)

    def ticked(self) -> None:
        """Look again later, where anything is still put off."""
        self._ticks = False
        if self._put_off:
            self._tick()

    @property
    def _has_room(self) -> bool:
        if self._pays > 0 or self._queries >= CONFIRM_AT_ONCE_MAX:
            return False
        ended_ns = self._pay_ended_ns
        return ended_ns is None or self._desk.now_ns - ended_ns >= CONFIRM_QUIET_MS * NS_PER_MS

    def _tick(self) -> None:
        if not self._ticks:
            self._ticks = True
            self._desk.emit(Wake(timer_id=CONFIRM_TIMER, after_ms=CONFIRM_QUIET_MS))
