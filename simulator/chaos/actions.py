"""What is done to a plaza and when: all of it drawn from the seed before the run begins.

Kinds are dealt like cards: each comes once before any comes again, in an order the seed shuffles.
So a run of two minutes holds every kind, and two seeds meet them in other company. What a real
machine makes of it is not repeatable: the same seed gives the same actions at the same times, not
the same run.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

FIRST_S = 2.0
"""The first cars are in the lanes by then."""
GAP_S = 3.6
"""Between two actions in the mean: what one breaks is not healed before the next but one."""


class Kind(StrEnum):
    """What can be done."""

    KILL_LANE = "kill_lane"
    """SIGKILL; started again as systemd would."""
    KILL_PLAZA = "kill_plaza"
    KILL_BROKER = "kill_broker"
    """SIGKILL; back after a while."""
    STOP_LANE = "stop_lane"
    """SIGSTOP, SIGCONT after a while: a machine that swaps, a virtual machine that is moved."""
    STOP_PLAZA = "stop_plaza"
    STOP_BROKER = "stop_broker"
    LINE_CUT = "line_cut"
    """Connections break, new ones are refused or reset."""
    LINE_HANG = "line_hang"
    """Connections are accepted and swallow everything."""
    LINE_DELAY = "line_delay"
    """Both directions are late, each by its own time and jitter."""
    LINE_NARROW = "line_narrow"
    """So many bytes a second and no more."""
    LINE_DROP = "line_drop"
    """Every connection breaks after so many bytes."""
    DISK_FULL = "disk_full"
    """No byte more fits on a lane's disk."""
    UNPLUG = "unplug"
    """A serial line is pulled out and put back: the pty goes away."""
    DEVICE = "device"
    """A device misbehaves."""
    PLATFORM = "platform"
    """A payment platform misbehaves."""
    KILL_DATABASE = "kill_database"
    STOP_DATABASE = "stop_database"
    RESTART_DATABASE = "restart_database"
    """A clean restart, as for an update."""


DATABASE_KINDS = frozenset({Kind.KILL_DATABASE, Kind.STOP_DATABASE, Kind.RESTART_DATABASE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One thing that is done."""

    at_ms: int
    """Since traffic began."""
    kind: Kind
    target: str
    """A process, a line, a platform, or a lane's device."""
    for_ms: int = 0
    """Until it is undone; 0: it has no end of its own."""
    what: Mapping[str, Any] = field(default_factory=dict)
    """The rest of it, in the words of whoever carries it out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What there is to be broken."""

    lanes: Sequence[str]
    plazas: Sequence[str]
    """Names of the plaza's processes."""
    lines: Sequence[str]
    disks: Sequence[str]
    """Lanes whose disk can be filled."""
    platforms: Sequence[str]
    database: bool


def draw_actions(
    seed: int, scene: Scene, *, until_ms: int, gap_s: float = GAP_S
) -> tuple[Action, ...]:
    """Return everything that is done in one run, in order of time.

    Args:   gap_s: between two actions in the mean, above 0.
    """
    dice = random.Random(f"{seed}/chaos")
    deck = _deck(scene, dice)
    found = []
    at_s = FIRST_S
    while at_s * 1_000 < until_ms:
        kind = next(deck)
        found.append(_DRAW[kind](dice, round(at_s * 1_000), scene))
        at_s += gap_s * (0.3 + 1.4 * dice.random())
    return tuple(found)


def _deck(scene: Scene, dice: random.Random) -> Iterator[Kind]:
    kinds = [
        kind
        for kind in Kind
        if (kind not in DATABASE_KINDS or scene.database)
        and (kind is not Kind.DISK_FULL or scene.disks)
    ]
    # Kills and the platform are what a plaza must live with; they come twice as often.
    kinds += [Kind.KILL_LANE, Kind.KILL_PLAZA, Kind.LINE_CUT, Kind.PLATFORM]
    while True:
        dice.shuffle(kinds)
        yield from kinds


# ---- one kind each ----


def _lane(dice: random.Random, scene: Scene) -> str:
    return f"lane {dice.choice(scene.lanes)}"


def _kill_lane(dice: random.Random, at_ms: int, scene: Scene) -> Action:
    return Action(at_ms=at_ms, kind=Kind.KILL_LANE, target=_lane(dice, scene))


def _kill_plaza(dice: random.Random, at_ms: int, scene: Scene) -> Action:
    return Action(at_ms=at_ms, kind=Kind.KILL_PLAZA, target=dice.choice(scene.plazas))


def _stop_lane(dice: random.Random, at_ms: int, scene: Scene) -> Action:
    for_ms = dice.randrange(200, 3_000)
    return Action(at_ms=at_ms, kind=Kind.STOP_LANE, target=_lane(dice, scene), for_ms=for_ms)


def _stop_plaza(dice: random.Random, at_ms: int, scene: Scene) -> Action:
    for_ms = dice.randrange(200, 5_000)
    target = dice.choice(scene.plazas)
    return Action(at_ms=at_ms, kind=Kind.STOP_PLAZA, target=target, for_ms=for_ms)


def _of(kind: Kind, target: str, least_ms: int, most_ms: int) -> Callable[..., Action]:
    """Return a drawer for a kind with one target and a span of time."""

    def draw(dice: random.Random, at_ms: int, scene: Scene) -> Action:
        del scene
        return Action(
            at_ms=at_ms, kind=kind, target=target, for_ms=dice.randrange(least_ms, most_ms)
        )

    return draw


def _line(kind: Kind, what: Callable[[random.Random], Mapping[str, Any]]) -> Callable[..., Action]:
    def draw(dice: random.Random, at_ms: int, scene: Scene) -> Action:
        return Action(
            at_ms=at_ms,
            kind=kind,
            target=dice.choice(scene.lines),
            for_ms=dice.randrange(500, 8_000),
            what=what(dice),
        )

    return draw


def _cut(dice: random.Random) -> Mapping[str, Any]:
    return {"cut": dice.choice(("refuse", "reset"))}


def _delay(dice: random.Random) -> Mapping[str, Any]:
    return {
        "there_ms": dice.choice((0, 100, 500, 1_500)),
        "back_ms": dice.choice((50, 300, 1_000, 3_000)),
        "jitter_ms": dice.randrange(0, 500),
    }


def _narrow(dice: random.Random) -> Mapping[str, Any]:
    return {"bytes_per_s": dice.choice((300, 1_000, 4_000))}


def _drop(dice: random.Random) -> Mapping[str, Any]:
    return {"after_bytes": dice.choice((0, 150, 600, 2_000))}


def _disk_full(dice: random.Random, at_ms: int, scene: Scene) -> Action:
    lane = dice.choice(scene.disks)
    for_ms = dice.randrange(1_000, 6_000)
    return Action(at_ms=at_ms, kind=Kind.DISK_FULL, target=f"lane {lane}", for_ms=for_ms)


def _unplug(dice: random.Random, at_ms: int, scene: Scene) -> Action:
    device = dice.choice(("scanner", "display"))
    return Action(
        at_ms=at_ms,
        kind=Kind.UNPLUG,
        target=f"{_lane(dice, scene)} {device}",
        for_ms=dice.randrange(500, 8_000),
    )


def _device(dice: random.Random, at_ms: int, scene: Scene) -> Action:
    device, fault = dice.choice(DEVICE_FAULTS)
    return Action(
        at_ms=at_ms,
        kind=Kind.DEVICE,
        target=f"{_lane(dice, scene)} {device}",
        for_ms=int(fault.get("for_ms", 0)),
        what={key: value for key, value in fault.items() if key != "for_ms"},
    )


def _platform(dice: random.Random, at_ms: int, scene: Scene) -> Action:
    target, what = dice.choice(scene.platforms), dice.choice(PLATFORM_FAULTS)
    return Action(at_ms=at_ms, kind=Kind.PLATFORM, target=target, what=what)


_DRAW: Mapping[Kind, Callable[[random.Random, int, Scene], Action]] = {
    Kind.KILL_LANE: _kill_lane,
    Kind.KILL_PLAZA: _kill_plaza,
    Kind.KILL_BROKER: _of(Kind.KILL_BROKER, "broker", 100, 5_000),
    Kind.STOP_LANE: _stop_lane,
    Kind.STOP_PLAZA: _stop_plaza,
    Kind.STOP_BROKER: _of(Kind.STOP_BROKER, "broker", 200, 5_000),
    Kind.LINE_CUT: _line(Kind.LINE_CUT, _cut),
    Kind.LINE_HANG: _line(Kind.LINE_HANG, lambda dice: {}),
    Kind.LINE_DELAY: _line(Kind.LINE_DELAY, _delay),
    Kind.LINE_NARROW: _line(Kind.LINE_NARROW, _narrow),
    Kind.LINE_DROP: _line(Kind.LINE_DROP, _drop),
    Kind.DISK_FULL: _disk_full,
    Kind.UNPLUG: _unplug,
    Kind.DEVICE: _device,
    Kind.PLATFORM: _platform,
    Kind.KILL_DATABASE: _of(Kind.KILL_DATABASE, "database", 100, 3_000),
    Kind.STOP_DATABASE: _of(Kind.STOP_DATABASE, "database", 200, 4_000),
    Kind.RESTART_DATABASE: _of(Kind.RESTART_DATABASE, "database", 100, 500),
}

PLATFORM_FAULTS: tuple[Mapping[str, Any], ...] = (
    {"kind": "dropped_before", "times": 2, "ms": 300},
    {"kind": "processed_late", "calls": ["pay"], "ms": 2_000},
    {"kind": "processed_late", "calls": ["pay"], "ms": 5_000},
    {"kind": "http_5xx", "times": 2},
    {"kind": "http_5xx", "times": 2, "carried_out": True},
    {"kind": "http_429", "times": 2},
    {"kind": "gateway_error", "times": 2, "carried_out": True},
    {"kind": "error_burst", "times": 6},
    {"kind": "business_refused", "calls": ["pay"]},
    {"kind": "cancel_refused", "times": 2},
    {"kind": "cancel_lies", "times": 2},
    {"kind": "password_wait", "calls": ["pay"], "ms": 3_000},
    {"kind": "charged_wrong", "calls": ["pay"], "fen": 100},
    {"kind": "awkward_json", "times": 5},
    {"kind": "bad_signature", "times": 2},
    {"kind": "foreign_order", "times": 2},
    {"kind": "missing_signature", "times": 2},
    {"kind": "duplicate_node", "times": 2},
    {"kind": "truncated", "times": 2},
    {"kind": "half_answer", "times": 2},
    {"kind": "answer_lost", "calls": ["pay"], "times": 2},
    {"kind": "answer_lost", "times": 4},
    {"kind": "slow", "times": 5, "ms": 800},
    {"kind": "slow", "calls": ["pay"], "times": 2, "ms": 10_000},
)
"""Bodies of a platform's POST /faults. Sources: docs/simulator.md, simulator/models/faults.py."""
DEVICE_FAULTS: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("barrier", {"kind": "silent", "for_ms": 1_500}),
    ("barrier", {"kind": "slow", "for_ms": 3_000, "ms": 150}),
    ("barrier", {"kind": "dropped", "times": 5}),
    ("barrier", {"kind": "corrupted", "times": 5}),
    ("barrier", {"kind": "answer_lost", "times": 3}),
    ("barrier", {"kind": "cut_wire", "where": "loop_2", "for_ms": 4_000}),
    ("barrier", {"kind": "cut_wire", "where": "curtain", "for_ms": 4_000}),
    ("barrier", {"kind": "chatter", "where": "loop_2", "for_ms": 3_000, "ms": 120}),
    ("scanner", {"kind": "half_code", "times": 1}),
    ("scanner", {"kind": "glued_codes", "times": 1}),
    ("scanner", {"kind": "repeated_code", "times": 2, "ms": 400}),
    ("scanner", {"kind": "previous_code", "times": 1}),
    ("scanner", {"kind": "lost_code", "times": 1}),
    ("display", {"kind": "dark", "for_ms": 4_000}),
    ("camera", {"kind": "unreadable", "times": 2}),
    ("camera", {"kind": "silent", "for_ms": 4_000}),
    ("camera", {"kind": "slow", "for_ms": 4_000, "ms": 1_000}),
    ("etc", {"kind": "silent", "for_ms": 4_000}),
    ("etc", {"kind": "answer_lost", "times": 1}),
    ("etc", {"kind": "refuses", "times": 1}),
)
"""(device, body of the site's POST /faults without lane and device)."""
