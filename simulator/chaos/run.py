"""One run: traffic and faults for so many minutes, then none; all must come to rest and is judged.

Raises of ``chaos_run`` are for the command line: StackError, NurseryError, ApiError,
DatabaseMissingError, BrokerMissingError, BadPlaceError, OSError (a part cannot be started or the
folder not be used).
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

import psycopg

from simulator.auditor import Evidence, Verdict, audit
from simulator.auditor.money import OPEN
from simulator.chaos import planter
from simulator.chaos.actions import GAP_S, Action, Scene, draw_actions
from simulator.chaos.hands import Hands
from simulator.chaos.traffic import Traffic
from simulator.demo.files import lane_names
from simulator.models.wallets import ALL_WALLETS
from simulator.stack.disk import SmallDisk
from simulator.stack.evidence import by_tender
from simulator.stack.nursery import Nursery
from simulator.stack.operator_port import PortError
from simulator.stack.part import Part
from simulator.stack.plan import QUICK, Plan
from simulator.stack.site_client import ApiError
from simulator.stack.stack import Stack

LANES_MAX = 16
FILL_MS = 250
"""How often lanes with room get a car."""
NAP_MS = 50
SHORT_REST_S = 90.0
"""Liveness with hurried bounds: the longest gap between two looks at an order is 30 s then."""
TRUE_REST_S = 1_200.0
"""Liveness with the plaza's own bounds: the gaps between two looks reach 10 minutes."""
REST_LOOK_S = 0.25
REST_TELL_S = 5.0
SETTLE_S = 30.0
"""Every process is up again within this once nothing kills it."""
LATENCY_MS, JITTER_MS = 150, 200
"""Of every platform."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is asked for."""

    seed: int
    minutes: float
    """Of traffic with faults."""
    lanes: int = 3
    gap_s: float = GAP_S
    """Between two actions in the mean."""
    postgres: bool = False
    """A database of its own, and two plaza processes on it."""
    true_bounds: bool = False
    """The plaza keeps its real bounds; else its slow proofs take a tenth."""
    rest_s: float | None = None
    """Give up so long after the last fault; None: as the bounds need it."""
    canary: str | None = None
    """A known bug, planted in every process."""

    @property
    def within_s(self) -> float:
        """Return within which everything must be at rest."""
        if self.rest_s is not None:
            return self.rest_s
        return TRUE_REST_S if self.true_bounds else SHORT_REST_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a run."""

    figures: dict[str, Any]
    verdict: Verdict
    problem: str | None
    """Why the run is no good; None where it is."""


def chaos_run(order: Order, root: Path, *, tell: Callable[[str], None]) -> Outcome:
    """Run it. *tell* takes a line for people."""
    name = None if order.canary is None else planter.__name__
    nursery = Nursery(hurried=not order.true_bounds, planter=name)
    try:
        with _stack(order, root, nursery) as (stack, disks):
            return _run(order, stack, disks, tell)
    finally:
        nursery.close()


@contextlib.contextmanager
def _stack(
    order: Order, root: Path, nursery: Nursery
) -> Iterator[tuple[Stack, dict[str, SmallDisk]]]:
    """Run a stack whose first lane has a small disk of its own."""
    plan = Plan(
        lanes=lane_names(order.lanes),
        limits={} if order.true_bounds else QUICK,
        latency_ms=LATENCY_MS,
        jitter_ms=JITTER_MS,
        seed=order.seed,
        wallets=ALL_WALLETS,
        plaza_mqtt=True,
        postgres=order.postgres,
        plazas=2 if order.postgres else 1,
    )
    stack = Stack(root, nursery, plan)
    lane = plan.lanes[0]
    disk = SmallDisk(stack.layout.lane(lane), lambda: _pid(stack.parts.get(f"lane {lane}")))
    try:
        if order.canary is not None:
            bug = json.dumps({"canary": order.canary})
            for name in (*plan.plaza_names, *(f"lane {lane}" for lane in plan.lanes)):
                (root / f"{name.replace(' ', '-')}.plan").write_text(bug)
        with stack.running():
            yield stack, {lane: disk}
    finally:
        disk.remove(keep=True)
        if stack.database is not None:
            stack.database.remove(keep_in=root / "database")


def _pid(part: Part | None) -> int | None:
    return None if part is None else part.pid


def _run(
    order: Order, stack: Stack, disks: dict[str, SmallDisk], tell: Callable[[str], None]
) -> Outcome:
    root = stack.layout.root
    hands = Hands(stack, disks, kept_in=root / "actions.jsonl", tell=tell)
    scene = Scene(
        lanes=stack.plan.lanes,
        plazas=stack.plan.plaza_names,
        lines=stack.plan.lines,
        disks=tuple(disks),
        platforms=stack.plan.platform_names,
        database=order.postgres,
    )
    until_ms = round(order.minutes * 60_000)
    actions = draw_actions(order.seed, scene, until_ms=until_ms, gap_s=order.gap_s)
    small = ", ".join(sorted({disk.how for disk in disks.values()}))
    tell(
        f"seed {order.seed}: {len(stack.plan.lanes)} lanes, {len(actions)} actions in"
        f" {order.minutes:g} minutes; small disk by {small}"
    )
    traffic = Traffic(stack.site, stack.plan.lanes, seed=order.seed)
    _play(actions, hands, traffic, until_ms)
    tell(f"{until_ms / 1_000:7.1f} s  no more faults; {traffic.sent} cars came")
    hands.heal()
    left = _wait_rest(stack, order.within_s, tell)
    evidence = stack.gather()
    verdict = audit(evidence)
    figures = {
        "seed": order.seed,
        "minutes": order.minutes,
        "lanes": order.lanes,
        "vehicles": sum(driver.gone for driver in evidence.drivers),
        "by_tender": by_tender(record.body for record in evidence.plaza_records),
        "actions": dict(sorted(hands.counts.items())),
        "violations": verdict.violations,
        "open_orders": sum(row.state in OPEN for row in evidence.orders),
        "unsent_records": _unsent(evidence),
        "at_rest": not left,
        "restarts": _restarts(stack),
        "small_disk": small,
        "bounds": "true" if order.true_bounds else "hurried",
    }
    findings = [f"{finding.rule}: {finding.what}" for finding in verdict.findings]
    (root / "findings.txt").write_text("\n".join([*findings, left]), encoding="utf-8")
    return Outcome(figures=figures, verdict=verdict, problem=_problem(verdict, left))


def _play(actions: tuple[Action, ...], hands: Hands, traffic: Traffic, until_ms: int) -> None:
    """Send cars and do what was drawn, until the time is over."""
    began_s = time.monotonic()
    waiting = list(reversed(actions))
    fill_ms = 0
    while True:
        now_ms = round((time.monotonic() - began_s) * 1_000)
        if now_ms >= until_ms:
            return
        hands.undo_due(now_ms)
        if waiting and waiting[-1].at_ms <= now_ms:
            hands.do(waiting.pop(), now_ms)
        elif now_ms >= fill_ms:
            traffic.fill()
            fill_ms = now_ms + FILL_MS
        due_ms = (now_ms + NAP_MS, hands.next_ms, waiting[-1].at_ms if waiting else None)
        wait_ms = min(due for due in due_ms if due is not None) - now_ms
        time.sleep(max(wait_ms, 0) / 1_000)


def _wait_rest(stack: Stack, within_s: float, tell: Callable[[str], None]) -> str:
    """Wait until nothing moves any more; return what still does, empty where nothing."""
    began_s = told_s = time.monotonic()
    while True:
        left = _restless(stack)
        now_s = time.monotonic()
        if not left:
            tell(f"at rest {now_s - began_s:.1f} s after the last fault")
            return ""
        if now_s - began_s >= within_s:
            tell(f"not at rest {within_s:.0f} s after the last fault: {left}")
            return left
        if now_s - told_s >= REST_TELL_S:
            told_s = now_s
            tell(f"{now_s - began_s:7.1f} s  waiting: {left}")
        time.sleep(REST_LOOK_S)


def _restless(stack: Stack) -> str:
    try:
        return stack.restless()
    except (OSError, HTTPException, ApiError, PortError, sqlite3.Error, psycopg.Error) as error:
        return repr(error)


def _unsent(evidence: Evidence) -> int:
    there = {(record.lane_id, record.epoch, record.seq) for record in evidence.plaza_records}
    return sum(
        (record.lane_id, record.epoch, record.seq) not in there for record in evidence.lane_records
    )


def _restarts(stack: Stack) -> dict[str, int]:
    found = {name: len(part.starts_us) - 1 for name, part in stack.parts.items() if part.starts_us}
    found["broker"] = len(stack.broker_starts_us) - 1
    if stack.database is not None:
        found["database"] = stack.database.starts - 1
    return found


def _problem(verdict: Verdict, left: str) -> str | None:
    broken = {rule: count for rule, count in verdict.violations.items() if count}
    told = [f"{rule} {count} x" for rule, count in broken.items()]
    if left:
        told.append(f"not at rest: {left[:300]}")
    return "; ".join(told) or None
