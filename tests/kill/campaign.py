"""Runs one payment for every point at which a process can be killed, and kills it there."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
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
Steps = Mapping[tuple[str, str], int]
"""(commit or send, its name) -> how many of them."""
LANE_STEPS: Steps = {
    ("commit", "any"): 1,
    ("send", "POST payments"): 1,
    ("send", "POST records"): 1,
}
"""What every payment has in the lane. Its commits note devices too, and two that come together are
one; a poll or a cancel is there only where an answer was late."""
PLAZA_STEPS: Steps = {
    ("commit", "OpenOrder"): 1,
    ("commit", "ApplyFact"): 2,
    ("commit", "TakeRecords"): 1,
    ("send", "trade.pay"): 1,
    ("send", "trade.query"): 1,
}
"""What every payment has in the plaza: stored, paid, its record, and the query that confirms it."""
PATIENT = {**QUICK, "order_deadline_ms": 2_400}
"""``[limits]`` of lanes that wait for the plaza's answer where the machine is busy."""
TRIES = 2
"""Cars for a point that a payment may lack."""
TRIES_MAX = 6
"""Cars for a point every payment has: on a busy machine its answer may come too late a few times,
and then there is none."""
STRIKE_S = 180.0
"""For one car. It is an end to a hang and no bound of ours: a car takes five seconds where the
machine has time; where not, it waits a minute for a person's help, and a restart takes ten seconds
more."""


@dataclass(kw_only=True)
class Campaign:
    """What came of killing one process at every point of a payment."""

    points: list[dict[str, Any]] = field(default_factory=list)
    """All that were planned."""
    steps: Steps
    """What every payment has."""
    struck: list[dict[str, Any]] = field(default_factory=list)
    """All at which the process died."""
    vehicles: int = 0
    statuses: list[int] = field(default_factory=list)
    """How the killed processes ended."""
    faults: list[str] = field(default_factory=list)
    """What they logged of faults of their own; a killed process has none."""
    orders: list[dict[str, Any]] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)
    evidence: Evidence
    verdict: Verdict
    folder: Path


def points_of(lines: Iterable[dict[str, Any]], steps: Steps) -> list[dict[str, Any]]:
    """Return every point of one piece of work, by a run in which nobody was killed.

    Whatever is not in *steps* came by that run's timing, or by the clock; no other need have it. Of
    a send each number beyond them is a retry.
    """
    found: dict[tuple[str, str], int] = {}
    for line in lines:
        step = (line["at"], line["name"])
        found[step] = max(found.get(step, 0), line["number"])
    missing = {step: count for step, count in steps.items() if found.get(step, 0) < count}
    assert not missing, f"the run without a kill lacks {missing}"
    counted = {
        (at, name): found[at, name] if at == "commit" else count
        for (at, name), count in steps.items()
    }
    return [
        {"at": at, "name": name, "number": number, "when": when}
        for (at, name), last in counted.items()
        for number in range(1, last + 1)
        for when in WHEN[at]
    ]


def must(point: Mapping[str, Any], steps: Steps) -> bool:
    """Return whether every piece of work has *point*."""
    return bool(point["number"] <= steps.get((point["at"], point["name"]), 0))


def kill_lanes(root: Path, nursery: Nursery, lanes: tuple[str, ...]) -> Campaign:
    """Kill lanes, each lane its share of the points, all lanes side by side."""
    stack = Stack(root, nursery, Plan(lanes=lanes, limits=PATIENT))
    with stack.running():
        _one_car(stack, lanes[0])
        points = points_of(stack.points(f"lane {lanes[0]}"), LANE_STEPS)
        queue = list(reversed(points))
        lock = threading.Lock()

        def work(lane: str) -> None:
            while True:
                with lock:
                    if not queue:
                        return
                    point = queue.pop()
                _strike_surely(stack, lane, f"lane {lane}", point, LANE_STEPS)

        with ThreadPoolExecutor(len(lanes)) as pool:
            for done in [pool.submit(work, lane) for lane in lanes]:
                done.result()
        return _ended(stack, points, LANE_STEPS, [f"lane {lane}" for lane in lanes])


def kill_plaza(root: Path, nursery: Nursery) -> Campaign:
    """Kill the plaza at every point, one payment after the other."""
    stack = Stack(root, nursery, Plan(lanes=("001",), limits=QUICK))
    with stack.running():
        _one_car(stack, "001")
        until(lambda: all(row["proven"] for row in stack.orders()), "the confirming query")
        points = points_of(stack.points("plaza"), PLAZA_STEPS)
        for point in points:
            _strike_surely(stack, "001", "plaza", point, PLAZA_STEPS)
        return _ended(stack, points, PLAZA_STEPS, ["plaza"])


def _one_car(stack: Stack, lane: str) -> None:
    stack.shows(lane, "欢迎")
    stack.site.spawn(lane)
    stack.wait_rest()


def _strike_surely(stack: Stack, lane: str, name: str, point: dict[str, Any], steps: Steps) -> None:
    """Bring cars until the process has died at *point*, or no more are brought."""
    for _ in range(TRIES_MAX if must(point, steps) else TRIES):
        if _strike(stack, lane, name, point):
            return


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
        STRIKE_S,
    )
    until(lambda: stack.site.memory(vehicle)["went_us"], f"the car to go after {point}", STRIKE_S)
    # A payment may have a commit less than the one that was counted.
    return not _taken_back(part.plan)


def _is_over(stack: Stack, lane: str, vehicle: int) -> bool:
    """Return whether a car is gone, its record is at the plaza and its order is proven."""
    if stack.site.memory(vehicle)["gone_us"] is None or not stack.lane(lane).up.is_set():
        return False
    if stack.lane_restless(lane):
        # Also while its record is sealed and not yet stored, when none is unsent.
        return False
    return all(row["proven"] for row in stack.orders("state = 'paid'"))


def _taken_back(plan: Path) -> bool:
    """Take a plan back; return whether it was there still."""
    try:
        plan.unlink()
    except FileNotFoundError:
        return False
    return True


def _faults(log: Path) -> list[str]:
    return [line for line in log.read_text().splitlines() if '"level": "critical"' in line]


def _ended(stack: Stack, points: list[dict[str, Any]], steps: Steps, names: list[str]) -> Campaign:
    stack.wait_rest()
    evidence = stack.gather()
    struck = [line for name in names for line in stack.points(name) if line["struck"]]
    return Campaign(
        points=points,
        steps=steps,
        struck=struck,
        vehicles=stack.site.gone(),
        statuses=[status for name in names for status in stack.parts[name].statuses],
        faults=[line for name in names for line in _faults(stack.parts[name].log)],
        orders=stack.orders(),
        records=stack.records(),
        evidence=evidence,
        verdict=audit(evidence),
        folder=stack.layout.root,
    )
