"""HTTP between a lane and the plaza, as messages over a line.

A request crosses the line, is answered or not, and the answer crosses back. A caller that gives up
or dies closes its connection and the plaza hears of it a moment later; a plaza that is down refuses
the connection, one that dies breaks it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from lane_controller.engine import effects as fx
from lane_controller.engine.inputs import PlazaTrouble
from simulator.world.heap import Heap
from simulator.world.links import CONNECT_FAILS_NS, Line
from simulator.world.shown import shown
from tolling.clock import NS_PER_MS
from tolling.coupons import CouponAnswer, CouponCode
from tolling.evolve import quick
from tolling.ids import LaneId
from tolling.messages import (
    EnrolmentAnswer,
    EntryAnswer,
    PaymentAnswer,
    RecordsAnswer,
    RecordsUpload,
)
from tolling.paycodes import PayCode
from tolling.signed_sets import SignedSet

Reply = (
    PaymentAnswer
    | CouponAnswer
    | EntryAnswer
    | RecordsAnswer
    | EnrolmentAnswer
    | PlazaTrouble
    | tuple[SignedSet, ...]
)


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class LaneRequest:
    """One call of a lane, with what its body holds."""

    lane_id: LaneId
    wanted: fx.PlazaRequest
    code: PayCode | None = field(default=None, repr=False)
    """Of a payment."""
    coupon: CouponCode | None = field(default=None, repr=False)
    """Of a reservation."""
    upload: RecordsUpload | None = None


class Callee(Protocol):
    """The plaza as the line sees it."""

    @property
    def up(self) -> bool:
        """Return whether it accepts connections."""

    def take(self, request: LaneRequest, reply: Callable[[Reply], None]) -> str:
        """Take one request and name it; *reply* is called at most once."""

    def drop(self, request_id: str) -> None:
        """The caller has gone away."""


@dataclass(slots=True, kw_only=True)
class _Call:
    """One call under way."""

    done: Callable[[Reply], None]
    caller: str
    request_id: str | None = None
    ended: bool = False


class PlazaLink:
    """One lane's way to the plaza."""

    def __init__(self, heap: Heap, line: Line, plaza: Callee) -> None:
        self._heap = heap
        self.line = line
        self._plaza = plaza
        self._calls: list[_Call] = []

    def call(
        self,
        request: LaneRequest,
        *,
        caller: str,
        life: int,
        deadline_ms: int,
        done: Callable[[Reply], None],
    ) -> None:
        """Make one call. *done* hears its end once, at the deadline at the latest.

        Args:   caller, life: whose connection it is; it is closed when that life ends.
        """
        call = _Call(done=done, caller=caller)
        self._calls = [each for each in self._calls if not each.ended]
        self._calls.append(call)
        if self._heap.traced:
            self._heap.note(caller, "calls", f"{life} {shown(request.wanted)}")
        deadline_ns = deadline_ms * NS_PER_MS
        there, *copies = self.line.crossings()
        self._heap.after(deadline_ns, lambda: self._end(call, PlazaTrouble.TIMEOUT, gave_up=True))
        if there is None and self.line.cut:
            wait_ns = min(CONNECT_FAILS_NS, deadline_ns)
            self._heap.after(wait_ns, lambda: self._end(call, PlazaTrouble.UNREACHABLE))
        elif there is not None:
            self._heap.after(there, lambda: self._arrive(call, request))
        for copy in copies:
            if copy is not None:
                self._heap.after(copy, lambda: self._arrive_again(call, request))

    def caller_died(self, caller: str) -> None:
        """Close every connection of a process that is gone."""
        for call in self._calls:
            if call.caller == caller and not call.ended:
                self._close(call)

    def _arrive(self, call: _Call, request: LaneRequest) -> None:
        # A request that is on its way arrives also where its caller has gone: nobody can take
        # back what was sent.
        if not self._plaza.up:
            self._end(call, PlazaTrouble.UNREACHABLE)
            return
        request_id = self._plaza.take(request, lambda reply: self._replied(call, reply))
        call.request_id = request_id
        if call.ended:
            self._tell_gone(request_id)

    def _arrive_again(self, call: _Call, request: LaneRequest) -> None:
        """A proxy on the way sends the request once more; the caller takes whichever answer comes
        first."""
        if self._plaza.up:
            self._plaza.take(request, lambda reply: self._replied(call, reply))

    def _replied(self, call: _Call, reply: Reply) -> None:
        back = self.line.cross()
        if back is not None:
            self._heap.after(back, lambda: self._end(call, reply))

    def _end(self, call: _Call, reply: Reply, *, gave_up: bool = False) -> None:
        if call.ended:
            return
        if gave_up:
            self._close(call)
        call.ended = True
        call.done(reply)

    def _close(self, call: _Call) -> None:
        call.ended = True
        if call.request_id is not None:
            self._tell_gone(call.request_id)

    def _tell_gone(self, request_id: str) -> None:
        delay = self.line.cross()
        if delay is not None:
            self._heap.after(delay, lambda: self._plaza.drop(request_id))
