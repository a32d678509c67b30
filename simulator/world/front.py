"""The way into a plaza of several processes: each lane has its own, and another when that is down.

As a load balancer with sticky lanes does it: a connection is made to the first process of the
lane's order that takes it. What is under way at a process that dies breaks with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from simulator.world.plaza_process import PlazaProcess
from simulator.world.requests import LaneRequest, Reply

_AT = "@"


class PlazaFront:
    """One lane's way to the processes of a plaza; a ``Callee`` as the lane's link sees it."""

    def __init__(self, processes: Sequence[PlazaProcess]) -> None:
        """Try *processes* in this order."""
        assert processes, "a plaza has a process"
        self._processes = tuple(processes)

    @property
    def up(self) -> bool:
        """Return whether any process takes requests."""
        return any(process.up for process in self._processes)

    def take(self, request: LaneRequest, reply: Callable[[Reply], None]) -> str:
        """Give the request to the first process that is up."""
        for number, process in enumerate(self._processes):
            if process.up:
                return f"{number}{_AT}{process.take(request, reply)}"
        raise AssertionError("nobody is asked while nobody is up")

    def drop(self, request_id: str) -> None:
        """The caller has gone away."""
        number, _, inner = request_id.partition(_AT)
        self._processes[int(number)].drop(inner)
