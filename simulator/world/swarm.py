"""Faults drawn from a seed: each run has other kinds, at other times, more or fewer of them.

First the run draws which kinds exist in it at all, then how many of each and when: a swarm finds
what an even mix of everything hides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from simulator.models.device_faults import DeviceFault, DeviceTrouble
from simulator.models.faults import Fault, PlatformFault
from simulator.world.faults import (
    PLAZA,
    ClockJump,
    CommitFate,
    CommitTrouble,
    DeviceTroubleAt,
    KillAt,
    LineTrouble,
    PlatformTrouble,
    WorldFault,
    lane_name,
)
from simulator.world.streams import Streams
from tolling.ids import LaneId
from tolling.inputs import Point

KINDS_MIN = 3
"""Kinds a run has at the least."""
EACH_MAX = 3
"""Faults of one kind in one run."""

Draw = Callable[[Random, int, Sequence[LaneId]], WorldFault]
"""(dice, at_ms, lanes) -> one fault at that instant."""

_PLATFORM = (
    Fault(kind=PlatformFault.DROPPED_BEFORE, times=2, ms=300),
    Fault(kind=PlatformFault.PROCESSED_LATE, calls=("pay",), ms=5_000),
    Fault(kind=PlatformFault.PROCESSED_LATE, calls=("pay",), ms=20_000),
    Fault(kind=PlatformFault.HTTP_5XX, times=2),
    Fault(kind=PlatformFault.HTTP_5XX, times=2, carried_out=True),
    Fault(kind=PlatformFault.GATEWAY_ERROR, times=2, carried_out=True),
    Fault(kind=PlatformFault.ERROR_BURST, times=6),
    Fault(kind=PlatformFault.BUSINESS_REFUSED, calls=("pay",), sub_code="ACQ.SYSTEM_ERROR"),
    Fault(kind=PlatformFault.CANCEL_REFUSED, times=2),
    Fault(kind=PlatformFault.CANCEL_LIES, times=2),
    Fault(kind=PlatformFault.PASSWORD_WAIT, calls=("pay",), ms=12_000),
    Fault(kind=PlatformFault.CHARGED_WRONG, calls=("pay",), fen=100),
    Fault(kind=PlatformFault.AWKWARD_JSON, times=5),
    Fault(kind=PlatformFault.BAD_SIGNATURE, times=2),
    Fault(kind=PlatformFault.MISSING_SIGNATURE, times=2),
    Fault(kind=PlatformFault.DUPLICATE_NODE, times=2),
    Fault(kind=PlatformFault.TRUNCATED, times=2),
    Fault(kind=PlatformFault.HALF_ANSWER, times=2),
    Fault(kind=PlatformFault.ANSWER_LOST, calls=("pay",), times=2),
    Fault(kind=PlatformFault.ANSWER_LOST, times=4),
    Fault(kind=PlatformFault.SLOW, times=5, ms=2_000),
    Fault(kind=PlatformFault.SLOW, calls=("pay",), times=2, ms=30_000),
)
_DEVICES: tuple[tuple[str, DeviceTrouble], ...] = (
    ("io", DeviceTrouble(kind=DeviceFault.SILENT, for_ms=2_000)),
    ("io", DeviceTrouble(kind=DeviceFault.CUT_WIRE, where=Point.LOOP_2, for_ms=8_000)),
    ("io", DeviceTrouble(kind=DeviceFault.CHATTER, where=Point.LOOP_2, for_ms=4_000, ms=120)),
    ("io", DeviceTrouble(kind=DeviceFault.CUT_WIRE, where=Point.CURTAIN, for_ms=8_000)),
    ("scanner", DeviceTrouble(kind=DeviceFault.HALF_CODE, times=1)),
    ("scanner", DeviceTrouble(kind=DeviceFault.GLUED_CODES, times=1)),
    ("scanner", DeviceTrouble(kind=DeviceFault.REPEATED_CODE, times=2, ms=400)),
    ("scanner", DeviceTrouble(kind=DeviceFault.PREVIOUS_CODE, times=1)),
    ("scanner", DeviceTrouble(kind=DeviceFault.LOST_CODE, times=1)),
    ("scanner", DeviceTrouble(kind=DeviceFault.UNPLUGGED, for_ms=15_000)),
    ("display", DeviceTrouble(kind=DeviceFault.UNPLUGGED, for_ms=15_000)),
    ("display", DeviceTrouble(kind=DeviceFault.DARK, for_ms=15_000)),
    ("camera", DeviceTrouble(kind=DeviceFault.UNREADABLE, times=2)),
    ("camera", DeviceTrouble(kind=DeviceFault.SILENT, for_ms=15_000)),
    ("camera", DeviceTrouble(kind=DeviceFault.SLOW, for_ms=15_000, ms=2_000)),
    ("etc", DeviceTrouble(kind=DeviceFault.SILENT, for_ms=15_000)),
    ("etc", DeviceTrouble(kind=DeviceFault.ANSWER_LOST, times=1)),
    ("etc", DeviceTrouble(kind=DeviceFault.REFUSES, times=1)),
)


def _kill_lane(dice: Random, at_ms: int, lanes: Sequence[LaneId]) -> WorldFault:
    down_ms = (500, 2_000, 5_000, 15_000)[dice.randrange(4)]
    name = lane_name(lanes[dice.randrange(len(lanes))])
    return KillAt(process=name, at_ms=at_ms, down_ms=down_ms)


def _kill_plaza(dice: Random, at_ms: int, lanes: Sequence[LaneId]) -> WorldFault:
    return KillAt(process=PLAZA, at_ms=at_ms, down_ms=(500, 3_000, 20_000)[dice.randrange(3)])


def _commit(dice: Random, at_ms: int, lanes: Sequence[LaneId]) -> WorldFault:
    names = [PLAZA, *(lane_name(lane) for lane in lanes)]
    return CommitTrouble(
        process=names[dice.randrange(len(names))],
        at_ms=at_ms,
        for_ms=500 + dice.randrange(6_000),
        fate=list(CommitFate)[dice.randrange(len(CommitFate))],
        permille=100 + dice.randrange(900),
        ms=100 + dice.randrange(2_000),
    )


def _line(dice: Random, at_ms: int, lanes: Sequence[LaneId]) -> WorldFault:
    names = ["plaza-platform"]
    for lane in lanes:
        names += [f"{lane_name(lane)}-plaza", f"{lane_name(lane)}-broker"]
    kind = dice.randrange(3)
    return LineTrouble(
        line=names[dice.randrange(len(names))],
        at_ms=at_ms,
        for_ms=500 + dice.randrange(15_000),
        cut=kind == 0,
        lost_permille=300 if kind == 1 else 0,
        ms=200 + dice.randrange(4_000) if kind == 2 else 0,
    )


def _clock(dice: Random, at_ms: int, lanes: Sequence[LaneId]) -> WorldFault:
    return ClockJump(
        process=lane_name(lanes[dice.randrange(len(lanes))]),
        at_ms=at_ms,
        for_ms=1_000 + dice.randrange(30_000),
        offset_ms=(-3_600_000, -5_000, 5_000, 86_400_000)[dice.randrange(4)],
    )


def _platform(dice: Random, at_ms: int, lanes: Sequence[LaneId]) -> WorldFault:
    return PlatformTrouble(at_ms=at_ms, fault=_PLATFORM[dice.randrange(len(_PLATFORM))])


def _device(dice: Random, at_ms: int, lanes: Sequence[LaneId]) -> WorldFault:
    device, trouble = _DEVICES[dice.randrange(len(_DEVICES))]
    lane = lanes[dice.randrange(len(lanes))]
    return DeviceTroubleAt(at_ms=at_ms, lane_id=lane, device=device, trouble=trouble)


KINDS: tuple[Draw, ...] = (
    _kill_lane,
    _kill_plaza,
    _commit,
    _line,
    _clock,
    _platform,
    _platform,
    _device,
    _device,
)
"""Platform and devices have many kinds of their own and stand here twice."""


def draw_faults(seed: int, *, lanes: Sequence[LaneId], until_ms: int) -> tuple[WorldFault, ...]:
    """Return the faults of one run, none later than *until_ms*."""
    dice = Streams(seed).of("faults")
    kinds = sorted(dice.sample(range(len(KINDS)), KINDS_MIN + dice.randrange(len(KINDS) - 2)))
    faults = [
        KINDS[kind](dice, 2_000 + dice.randrange(max(1, until_ms - 2_000)), lanes)
        for kind in kinds
        for _ in range(1 + dice.randrange(EACH_MAX))
    ]
    return tuple(sorted(faults, key=lambda fault: getattr(fault, "at_ms", 0)))
