"""Everything that can go wrong with a plaza's money over days, drawn from the seed.

A day has many short troubles and a few long ones, of kinds drawn for that day: a swarm again, so
that no run is an even mix of everything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

from simulator.models.faults import Fault, PlatformFault
from simulator.world.faults import (
    ClockJump,
    CommitFate,
    CommitTrouble,
    KillAt,
    LineTrouble,
    PlatformTrouble,
    WorldFault,
)
from simulator.world.streams import Streams
from simulator.world.swarm import DEGRADED, PLATFORM_FAULTS, UNSURE_CODES

DAY_MS = 86_400_000
PER_DAY = 40
"""Troubles of one day; the orders between them are the ones that must go well."""
KINDS_OF_A_DAY = 6
HOURLY_BURST = Fault(kind=PlatformFault.ERROR_BURST, times=None, for_ms=135_000)
"""Errors for 135 s and then the truth, as it was seen in the field (facts: failures 4.1)."""
_LONG = (*DEGRADED, HOURLY_BURST)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scene:
    plazas: Sequence[str]
    platforms: Sequence[str]
    till_lines: Sequence[str]


_Draw = Callable[[Random, int, _Scene], WorldFault]


def _kill(dice: Random, at_ms: int, scene: _Scene) -> WorldFault:
    down_ms = (500, 3_000, 60_000)[dice.randrange(3)]
    return KillAt(process=_one(dice, scene.plazas), at_ms=at_ms, down_ms=down_ms)


def _commit(dice: Random, at_ms: int, scene: _Scene) -> WorldFault:
    return CommitTrouble(
        process=_one(dice, scene.plazas),
        at_ms=at_ms,
        for_ms=2_000 + dice.randrange(60_000),
        fate=tuple(CommitFate)[dice.randrange(len(CommitFate))],
        permille=(100, 500, 1000)[dice.randrange(3)],
        ms=(200, 1_500)[dice.randrange(2)],
    )


def _line(dice: Random, at_ms: int, scene: _Scene) -> WorldFault:
    names = [f"{plaza}-platform" for plaza in scene.plazas]
    line = _one(dice, names if dice.randrange(2) else scene.till_lines)
    for_ms = 2_000 + dice.randrange(120_000)
    match dice.randrange(4):
        case 0:
            return LineTrouble(line=line, at_ms=at_ms, for_ms=for_ms, cut=True)
        case 1:
            return LineTrouble(line=line, at_ms=at_ms, for_ms=for_ms, lost_permille=300)
        case 2:
            return LineTrouble(line=line, at_ms=at_ms, for_ms=for_ms, doubled_permille=300)
        case _:
            return LineTrouble(
                line=line, at_ms=at_ms, for_ms=for_ms, late_permille=200, late_ms=20_000
            )


def _clock(dice: Random, at_ms: int, scene: _Scene) -> WorldFault:
    return ClockJump(
        process=_one(dice, scene.plazas),
        at_ms=at_ms,
        for_ms=10_000 + dice.randrange(600_000),
        offset_ms=(-400_000, -130_000, 130_000, 250_000, 400_000)[dice.randrange(5)],
        noticed=dice.randrange(2) == 0,
    )


def _platform(dice: Random, at_ms: int, scene: _Scene) -> WorldFault:
    return _at(dice, at_ms, scene, PLATFORM_FAULTS[dice.randrange(len(PLATFORM_FAULTS))])


def _sick(dice: Random, at_ms: int, scene: _Scene) -> WorldFault:
    return _at(dice, at_ms, scene, _LONG[dice.randrange(len(_LONG))])


def _at(dice: Random, at_ms: int, scene: _Scene, fault: Fault) -> WorldFault:
    name = _one(dice, scene.platforms)
    if fault.kind is PlatformFault.BUSINESS_REFUSED:
        fault = replace(fault, sub_code=UNSURE_CODES[name])
    return PlatformTrouble(at_ms=at_ms, fault=fault, platform=name)


KINDS: dict[str, _Draw] = {
    "kill": _kill,
    "commit": _commit,
    "line": _line,
    "clock": _clock,
    "platform": _platform,
    "sick": _sick,
}
"""By the names ``--faults`` takes: the plaza's process, its store, its lines, its clock, single
platform calls, and a platform that is sick for minutes."""
_SHARES = {"kill": 2, "commit": 2, "line": 3, "clock": 1, "platform": 8, "sick": 3}


def draw_money_faults(
    seed: int,
    *,
    days: int,
    kinds: Sequence[str],
    plazas: Sequence[str],
    platforms: Sequence[str],
    till_lines: Sequence[str],
) -> tuple[WorldFault, ...]:
    """Return the faults of one run in the order of time.

    Args:   kinds: names of KINDS that may be drawn; none: no faults.
    """
    if not kinds:
        return ()
    dice = Streams(seed).of("money faults")
    scene = _Scene(plazas=plazas, platforms=platforms, till_lines=till_lines)
    pool = [name for name in kinds for _ in range(_SHARES[name])]
    drawn = []
    for day in range(days):
        todays = [pool[dice.randrange(len(pool))] for _ in range(KINDS_OF_A_DAY)]
        for _ in range(PER_DAY):
            at_ms = day * DAY_MS + 5_000 + dice.randrange(DAY_MS - 10_000)
            drawn.append(KINDS[_one(dice, todays)](dice, at_ms, scene))
    return tuple(sorted(drawn, key=lambda fault: getattr(fault, "at_ms", 0)))


def _one(dice: Random, names: Sequence[str]) -> str:
    return names[dice.randrange(len(names))]
