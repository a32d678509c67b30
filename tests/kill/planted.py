"""Runs a production program that kills itself with SIGKILL at one planned point of a payment.

    python -m tests.kill.planted lane-controller --plan FILE -- run lane.toml

One function of the store (a commit) and one of the HTTP client (a send) are wrapped; the program
itself has no switch. Counting begins with a payment: in the lane at the commit of a scanned code,
in the plaza at the commit of a new order; the plan is read then. A plan is one JSON object::

    {"at": "commit" | "send", "number": 1.., "when": "before" | "sent" | "after"}

``before``: nothing of it was done; ``sent``: the request is out, its answer is not here; ``after``:
it is durable, or answered, and nobody in the program knows. A plan is spent when it strikes, so the
program that is started again lives on. Without a plan the points are only written down, one line
each, to ``FILE.points``.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any

PROGRAMS = {"lane-controller": "lane_controller.main", "plaza-server": "plaza_server.main"}
_in_flight: ContextVar[Callable[[], None] | None] = ContextVar("in_flight", default=None)


class Killer:
    """Counts points and strikes at the planned one."""

    def __init__(self, plan: Path) -> None:
        self._path = plan
        self._points = plan.with_name(f"{plan.name}.points")
        self._plan: dict[str, Any] | None = None
        self._counts: dict[str, int] | None = None

    def begin(self) -> None:
        """A payment begins: count from here, for the plan that is there now."""
        self._counts = {"commit": 0, "send": 0}
        self._plan = None
        if self._path.exists():
            self._plan = json.loads(self._path.read_text())

    def next(self, at: str) -> int:
        """Return the number of this point, 0 before any payment."""
        if self._counts is None:
            return 0
        self._counts[at] += 1
        return self._counts[at]

    def reach(self, at: str, number: int, when: str, label: str) -> None:
        """Be at a point; do not return from the planned one."""
        if number == 0:
            return
        point = {"at": at, "number": number, "when": when}
        struck = point == self._plan
        line = json.dumps({**point, "label": label, "struck": struck}) + "\n"
        file = os.open(self._points, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(file, line.encode())
        os.close(file)
        if struck:
            self._path.unlink()
            os.kill(os.getpid(), signal.SIGKILL)


def plant(module: str, plan: Path) -> None:
    """Wrap the program's commit and send. *module*: its main module."""
    killer = Killer(plan)
    _watch_requests()
    if module == PROGRAMS["lane-controller"]:
        _plant_lane(killer)
    else:
        assert module == PROGRAMS["plaza-server"], f"nothing is planted in {module}"
        _plant_plaza(killer)


def _plant_lane(killer: Killer) -> None:
    from lane_controller.core import journalled as row
    from lane_controller.shell.plaza_link import PlazaLink
    from lane_controller.store import LaneStore

    commit = LaneStore.commit
    exchange = PlazaLink._exchange

    def planted_commit(self: LaneStore, given: Iterable[row.Unit]) -> None:
        units = tuple(given)
        bodies = [unit.body for unit in units if isinstance(unit, row.AppendEvent)]
        if any(b'"CodeScanned"' in body for body in bodies):
            killer.begin()
        number = killer.next("commit")
        label = "+".join(sorted({type(unit).__name__ for unit in units}))
        killer.reach("commit", number, "before", label)
        commit(self, units)
        killer.reach("commit", number, "after", label)

    async def planted_exchange(self: PlazaLink, http: Any, context: Any) -> Any:
        money = http.path.startswith(("/v1/payments", "/v1/records"))
        if not money:
            return await exchange(self, http, context)
        label = f"{http.method} {http.path.split('/')[2].partition('?')[0]}"
        return await _send(killer, label, lambda: exchange(self, http, context))

    LaneStore.commit = planted_commit  # type: ignore[method-assign]
    PlazaLink._exchange = planted_exchange  # type: ignore[method-assign]


def _plant_plaza(killer: Killer) -> None:
    from plaza_server.platforms.client import HttpPlatformClient
    from plaza_server.rules.units import ApplyFact, AskCancel, OpenOrder, TakeRecords, Unit
    from plaza_server.shell import serve

    MONEY = (OpenOrder, ApplyFact, AskCancel, TakeRecords)  # noqa: N806
    commit_group = vars(serve)["commit_group"]
    send = HttpPlatformClient._send

    def planted_commit(engine: Any, groups: Sequence[Sequence[Unit]]) -> Any:
        units = [unit for group in groups for unit in group]
        if any(isinstance(unit, OpenOrder) for unit in units):
            killer.begin()
        money = any(isinstance(unit, MONEY) for unit in units)
        number = killer.next("commit") if money else 0
        label = "+".join(sorted({type(unit).__name__ for unit in units}))
        killer.reach("commit", number, "before", label)
        results = commit_group(engine, groups)
        killer.reach("commit", number, "after", label)
        return results

    async def planted_send(self: HttpPlatformClient, call: Any, *, limit_ms: int) -> Any:
        if b"PROBE" in call.body or "PROBE" in call.url:
            # About no order: it comes by the clock, not by a payment.
            return await send(self, call, limit_ms=limit_ms)
        return await _send(killer, "platform call", lambda: send(self, call, limit_ms=limit_ms))

    vars(serve)["commit_group"] = planted_commit
    HttpPlatformClient._send = planted_send  # type: ignore[method-assign]


async def _send(killer: Killer, label: str, send: Callable[[], Awaitable[Any]]) -> Any:
    number = killer.next("send")
    killer.reach("send", number, "before", label)
    token = _in_flight.set(lambda: killer.reach("send", number, "sent", label))
    try:
        answer = await send()
    finally:
        _in_flight.reset(token)
    killer.reach("send", number, "after", label)
    return answer


def _watch_requests() -> None:
    """Have the moment noticed when a request is written whole and its answer is waited for."""
    from aiohttp import ClientResponse

    start = ClientResponse.start

    async def watched(self: ClientResponse, connection: Any) -> ClientResponse:
        sent = _in_flight.get()
        if sent is not None:
            writer = self._writer
            if writer is not None:
                await asyncio.wait({writer})
            sent()
        return await start(self, connection)

    ClientResponse.start = watched  # type: ignore[method-assign]


def main() -> None:
    """Plant, and become the program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", choices=sorted(PROGRAMS))
    parser.add_argument("--plan", type=Path, required=True)
    parser.add_argument("arguments", nargs="*")
    options = parser.parse_args()
    module = PROGRAMS[options.program]
    program = importlib.import_module(module)
    plant(module, options.plan)
    sys.argv = [options.program, *options.arguments]
    program.main()


if __name__ == "__main__":
    main()
