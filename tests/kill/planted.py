"""Runs a production program that kills itself with SIGKILL at one planned point of its work.

    python -m tests.kill.planted lane-controller --plan FILE -- run lane.toml

One function of the store (a commit) and one of the HTTP client (a send) are wrapped; the program
itself has no switch. Counting begins with a piece of work: in the lane at the commit of a scanned
code, in the plaza at the commit of a new order or claim, or as a day's bill is asked for; the plan
is read then. A plan is one JSON object::

    {"at": "commit" | "send", "name": ..., "number": 1.., "when": "before" | "sent" | "after"}

``before``: nothing of it was done; ``sent``: the request is out, its answer is not here; ``after``:
it is durable, or answered, and nobody in the program knows. ``name`` says which commit or send: the
kind of a unit or of a request, so that a retry or a poll on a slow machine moves no other point;
``number`` counts each moment of each name by itself, so the first answer is number 1 also where the
first request had none. A plan is spent when it strikes, so the program that is started again lives
on. Without a plan the points are only written down, one line each, to ``FILE.points``.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import os
import re
import signal
import sys
from collections import Counter
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
        self._counts: Counter[tuple[str, str, str]] | None = None

    def begin(self) -> None:
        """A piece of work begins: count from here, for the plan that is there now."""
        self._counts = Counter()
        self._plan = None
        if self._path.exists():
            self._plan = json.loads(self._path.read_text())

    def reach(self, at: str, names: Iterable[str], when: str, label: str = "") -> None:
        """Be at a point, by each of its names; do not return from the planned one."""
        if self._counts is None:
            return
        struck = False
        for name in names:
            self._counts[at, name, when] += 1
            number = self._counts[at, name, when]
            point = {"at": at, "name": name, "number": number, "when": when}
            planned = point == self._plan and self._claimed()
            struck = struck or planned
            self._note({**point, "label": label, "struck": planned})
        if struck:
            os.kill(os.getpid(), signal.SIGKILL)

    def _claimed(self) -> bool:
        """Return whether the plan is still ours to spend.

        The campaign takes back the plan of a payment that is over, and a commit of a later second
        may have the planned number: whoever removes the file has it.
        """
        self._plan = None
        try:
            self._path.unlink()
        except FileNotFoundError:
            return False
        return True

    def _note(self, line: dict[str, Any]) -> None:
        file = os.open(self._points, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(file, (json.dumps(line) + "\n").encode())
        os.close(file)


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
        label = "+".join(sorted({type(unit).__name__ for unit in units}))
        killer.reach("commit", ("any",), "before", label)
        commit(self, units)
        killer.reach("commit", ("any",), "after", label)

    async def planted_exchange(self: PlazaLink, http: Any, context: Any) -> Any:
        path = http.path.partition("?")[0].split("/")
        if path[2] not in ("payments", "records"):
            return await exchange(self, http, context)
        name = f"{http.method} {path[4] if len(path) > 4 else path[2]}"
        return await _send(killer, name, lambda: exchange(self, http, context))

    LaneStore.commit = planted_commit  # type: ignore[method-assign]
    PlazaLink._exchange = planted_exchange  # type: ignore[method-assign]


def _plant_plaza(killer: Killer) -> None:
    from plaza_server.platforms.client import HttpPlatformClient
    from plaza_server.rules import bill_units
    from plaza_server.rules import units as unit
    from plaza_server.rules.bill_units import EndReconciliation, ImportBill, LookAtNumbers
    from plaza_server.rules.claims_units import ApplyClaim, AskRefund, DecideClaim
    from plaza_server.shell import bills
    from plaza_server.store import GroupWriter

    # A day of a few passages is looked through in several commits, as a day of thousands is.
    bill_units.NUMBERS_PER_UNIT = 4
    begins = (unit.OpenOrder, AskRefund)
    # What else is committed comes by the clock: sweeps, alarms, leases.
    orders = (*begins, unit.ApplyFact, unit.AskCancel, unit.TakeRecords)
    money = (*orders, DecideClaim, ApplyClaim, ImportBill, LookAtNumbers, EndReconciliation)
    write = GroupWriter.__call__
    send = HttpPlatformClient._send
    exchange = vars(bills)["_exchange"]
    close_day = bills.BillDesk.close_day

    def planted_write(self: GroupWriter, groups: Sequence[Sequence[unit.Unit]]) -> Any:
        units = [each for group in groups for each in group]
        if any(isinstance(each, begins) for each in units):
            killer.begin()
        names = [type(each).__name__ for each in units if isinstance(each, money)]
        killer.reach("commit", names, "before")
        results = write(self, groups)
        killer.reach("commit", names, "after")
        return results

    async def planted_send(self: HttpPlatformClient, call: Any, *, limit_ms: int) -> Any:
        if b"PROBE" in call.body or "PROBE" in call.url:
            # About no order: it comes by the clock, not by a payment.
            return await send(self, call, limit_ms=limit_ms)
        return await _send(killer, _name_of(call), lambda: send(self, call, limit_ms=limit_ms))

    async def planted_exchange(session: Any, call: Any) -> Any:
        return await _send(killer, _name_of(call), lambda: exchange(session, call))

    async def planted_close(self: bills.BillDesk, *day: Any, **more: Any) -> Any:
        killer.begin()
        return await close_day(self, *day, **more)

    GroupWriter.__call__ = planted_write  # type: ignore[method-assign]
    vars(bills)["_exchange"] = planted_exchange
    HttpPlatformClient._send = planted_send  # type: ignore[method-assign]
    bills.BillDesk.close_day = planted_close  # type: ignore[method-assign]


def _name_of(call: Any) -> str:
    """Return what a call to Alipay asks for."""
    found = re.search(rb"method=alipay\.([a-z.]+)", call.body)
    return found.group(1).decode() if found else "download"


async def _send(killer: Killer, name: str, send: Callable[[], Awaitable[Any]]) -> Any:
    killer.reach("send", (name,), "before")
    token = _in_flight.set(lambda: killer.reach("send", (name,), "sent"))
    try:
        answer = await send()
    finally:
        _in_flight.reset(token)
    if not isinstance(answer, str):  # Evidence of a call that brought no answer.
        killer.reach("send", (name,), "after")
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
