"""Runs one payment for every point at which a process can be killed, and kills it there."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simulator.auditor import Evidence, Verdict, audit
from simulator.stack.nursery import Nursery
from simulator.stack.part import until
from simulator.stack.plan import QUICK, Plan
from simulator.stack.stack import Stack

WHEN = {"commit": ("before", "after"), "send": ("before", "sent", "after")}


@dataclass(kw_only=True)
class Campaign:
    """What came of killing one process at every point of a payment."""

    points: list[dict[str, Any]] = field(default_factory=list)
    """All that were planned."""
    struck: list[dict[str, Any]] = field(default_factory=list)
    """All at which the process died."""
    vehicles: int = 0
    statuses: list[int] = field(default_factory=list)
    """How the killed processes ended."""
    orders: list[dict[str, Any]] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)
    evidence: Evidence
    verdict: Verdict
    folder: Path


def points_of(lines: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return every point of one payment, by a run in which nobody was killed."""
    found: dict[str, int] = {"commit": 0, "send": 0}
    for line in lines:
        found[line["at"]] = max(found[line["at"]], line["number"])
    return [
        {"at": at, "number": number, "when": when}
        for at, last in found.items()
        for number in range(1, last + 1)
        for when in WHEN[at]
    ]


def kill_lanes(root: Path, nursery: Nursery, lanes: tuple[str, ...]) -> Campaign:
    """Kill lanes, each lane its share of the points, all lanes side by side."""
    stack = Stack(root, nursery, Plan(lanes=lanes, limits=QUICK))
    with stack.running():
        _one_car(stack, lanes[0])
        points = points_of(stack.points(f"lane {lanes[0]}"))
        queue = list(reversed(points))
        lock = threading.Lock()

        def work(lane: str) -> None:
            while True:
                with lock:
                    if not queue:
                        return
                    point = queue.pop()
                if not _strike(stack, lane, f"lane {lane}", point):
                    _strike(stack, lane, f"lane {lane}", point)

        with ThreadPoolExecutor(len(lanes)) as pool:
            for done in [pool.submit(work, lane) for lane in lanes]:
                done.result()
        return _ended(stack, points, [f"lane {lane}" for lane in lanes])


def kill_plaza(root: Path, nursery: Nursery) -> Campaign:
    """Kill the plaza at every point, one payment after the other."""
    stack = Stack(root, nursery, Plan(lanes=("001",), limits=QUICK))
    with stack.running():
        _one_car(stack, "001")
        until(lambda: all(row["proven"] for row in stack.orders()), "the confirming query")
        points = points_of(stack.points("plaza"))
        for point in points:
            if not _strike(stack, "001", "plaza", point):
                _strike(stack, "001", "plaza", point)
        return _ended(stack, points, ["plaza"])


def _one_car(stack: Stack, lane: str) -> None:
    stack.shows(lane, "欢迎")
    stack.site.spawn(lane)
    stack.wait_rest()


def _strike(stack: Stack, lane: str, name: str, point: dict[str, Any]) -> bool:
    """Bring a car, kill the process at *point* of its payment, and see the car off.

    Return whether the payment came to that point.
    """
    part = stack.parts[name]
    assert part.plan is not None
    part.wait_up()
    until(lambda: stack.health(lane)["plaza_up"], "the lane to hear the plaza")
    fresh = part.plan.with_suffix(".new")
    fresh.write_text(json.dumps(point))
    fresh.rename(part.plan)
    before = len(part.statuses)
    vehicle = stack.site.spawn(lane)
    until(
        lambda: len(part.statuses) > before or _is_over(stack, lane, vehicle),
        f"{name} to die at {point}",
        60,
    )
    until(lambda: stack.site.memory(vehicle)["went_us"], f"the car to go after {point}", 60)
    # A payment may have a commit less than the one that was counted.
    return not _taken_back(part.plan)


def _is_over(stack: Stack, lane: str, vehicle: int) -> bool:
    """Return whether a car is gone, its record is at the plaza and its order is proven."""
    if stack.site.memory(vehicle)["gone_us"] is None or not stack.lane(lane).up.is_set():
        return False
    view = stack.view(lane)
    if view["arriving"] or view["leaving"] or stack.health(lane)["unsent_records"]:
        return False
    return all(row["proven"] for row in stack.orders("state = 'paid'"))


def _taken_back(plan: Path) -> bool:
    """Take a plan back; return whether it was there still."""
    try:
        plan.unlink()
    except FileNotFoundError:
        return False
    return True


def _ended(stack: Stack, points: list[dict[str, Any]], names: list[str]) -> Campaign:
    stack.wait_rest()
    evidence = stack.gather()
    struck = [line for name in names for line in stack.points(name) if line["struck"]]
    return Campaign(
        points=points,
        struck=struck,
        vehicles=stack.site.gone(),
        statuses=[status for name in names for status in stack.parts[name].statuses],
        orders=stack.orders(),
        records=stack.records(),
        evidence=evidence,
        verdict=audit(evidence),
        folder=stack.layout.root,
    )
