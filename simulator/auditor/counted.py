"""Part of B2: every vehicle that went through is recorded, once.

Loops cannot tell a follower from the one before it, and a lane that was dead need not know who was
there. Nor need one whose loop lies: what was there meanwhile, or shortly after, is left out, and so
are the records of that while. What comes before and after is counted, each time by itself: whoever
came and went between two lies against the records that began and were sealed there. By a clock that
was wrong at times nobody knows which records those are; a lane whose loops lied is not counted
then.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from simulator.auditor.alike import BACK_US
from simulator.auditor.evidence import Evidence, Held, Lying
from simulator.auditor.followers import LOOPS, followers
from simulator.auditor.money import bodies
from simulator.plant.events import Passage, PlantEdge, What

CLEAR_US = 1_000_000
"""What a loop shows is known within less."""
SEALED_US = 2_000_000
"""A vehicle has left the lane when its loops have been free for a second; then it is recorded."""
SETTLES_US = 5_000_000
"""So long after a loop lied a lane may still be busy with somebody who was never there, or not know
of somebody who is."""
RECORDS_OF_ONE = 2
"""Whoever is at the window, or under the boom, while the lane is dead may have a
record before and one after it."""
FOR_EVER_US = 1 << 62

COMES = frozenset({*LOOPS, What.AT_WINDOW})
"""One that is on loop 1 together with another has no edge of its own there."""

_Span = tuple[int, int]
ALWAYS: _Span = (0, 0)
"""Of a record whose time does not matter: no loop of its lane lied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stay:
    """A vehicle that went through."""

    vehicle_id: int
    most: _Span
    """From when it may have been on loop 1, though another held that, until its record is
    sealed."""
    least: _Span
    """From when a loop showed it, and whoever was before it was recorded, until it was through."""


def b2_counted(seen: Evidence) -> Iterator[str]:
    """Yield lanes with more vehicles than records, or fewer."""
    stays: dict[str, list[_Stay]] = defaultdict(list)
    for lane, stay in _stays(seen):
        stays[lane].append(stay)
    lies = _lies(seen.lying)
    records: dict[str, list[_Span]] = defaultdict(list)
    for record, body in bodies(seen.lane_records):
        if body["end"] in ("passed", "left_during_outage"):
            times = _times(seen, body) if record.lane_id in lies else ALWAYS
            records[record.lane_id].append(times)
    dead = _dead(seen)
    # Of a run on wires it is not known when a lane was dead.
    untimed = {restart.lane_id for restart in seen.restarts} - dead.keys()
    held: dict[str, list[Held]] = defaultdict(list)
    for each in seen.held:
        held[each.lane_id].append(each)
    close = {(each.lane, each.vehicle_id) for each in followers(seen)}
    for lane in sorted(stays):
        if lane in untimed or (lane in lies and lane in seen.clocks_off):
            continue
        for between in _between(lies.get(lane, [])):
            sure = [
                stay
                for stay in stays[lane]
                if _within(between, stay.most)
                and (lane, stay.vehicle_id) not in close
                and not any(_touch(each, stay.most) for each in dead[lane])
            ]
            least = len(sure)
            most = sum(_within(between, stay.least) for stay in stays[lane])
            most += RECORDS_OF_ONE * sum(_touch(between, each) for each in dead[lane])
            recorded = sum(_within(between, times) for times in records[lane])
            astray = _late(between, sure, records[lane])
            if any(_touch((each.from_us, each.until_us), (between[0],) * 2) for each in held[lane]):
                astray += _early(between, records[lane])
            if recorded > most or recorded + astray < least:
                many = f"{least}" if least == most else f"{least} to {most}"
                yield f"lane {lane}: {many} vehicles passed, {recorded} are recorded"


def _late(between: _Span, sure: list[_Stay], records: list[_Span]) -> int:
    """Return how many records that were sealed after a while may be of vehicles that were through
    in it: one whose loop flickers behind it is recorded when that is quiet."""
    through_us = max((stay.least[1] for stay in sure), default=-FOR_EVER_US)
    return sum(
        between[0] <= arrived_us <= through_us and sealed_us > between[1]
        for arrived_us, sealed_us in records
    )


def _early(between: _Span, records: list[_Span]) -> int:
    """Return how many records that began before a while may be of vehicles that came in it: to a
    loop that was held all the while, whoever held it first."""
    return sum(arrived < between[0] <= sealed <= between[1] for arrived, sealed in records)


def lied(seen: Evidence, lane: str, at_us: int) -> bool:
    """Return whether a loop of a lane lied then, or had done shortly before."""
    return any(
        each.lane_id == lane
        and each.from_us <= at_us
        and (each.until_us is None or at_us <= each.until_us + SETTLES_US)
        for each in seen.lying
    )


def _stays(seen: Evidence) -> Iterator[tuple[str, _Stay]]:
    """Yield each vehicle that went through and made an edge of a loop by itself, with its lane. One
    that followed so closely that both loops held on is one vehicle with the first, as far as loops
    can tell."""
    came: dict[tuple[str, int], int] = {}
    shown: dict[tuple[str, int], int] = {}
    for entry in seen.plant_log:
        if isinstance(entry, PlantEdge) and entry.on and entry.vehicle_id is not None:
            if entry.what in COMES:
                came.setdefault((entry.lane, entry.vehicle_id), entry.at_us)
            if entry.what in LOOPS:
                shown.setdefault((entry.lane, entry.vehicle_id), entry.at_us)
    before: dict[str, int] = {}
    for entry in seen.plant_log:
        if isinstance(entry, Passage) and (who := (entry.lane, entry.vehicle_id)) in shown:
            # One that waits on loop 1 behind another has its record when that one has got its own.
            turn_us = before.get(entry.lane, shown[who])
            yield (
                entry.lane,
                _Stay(
                    vehicle_id=entry.vehicle_id,
                    most=(came[who], entry.tail_us + SEALED_US),
                    least=(max(shown[who], turn_us) + CLEAR_US, entry.tail_us),
                ),
            )
            before[entry.lane] = entry.tail_us + SEALED_US


def _lies(lying: Iterable[Lying]) -> dict[str, list[_Span]]:
    spans: dict[str, list[_Span]] = defaultdict(list)
    for each in lying:
        until_us = FOR_EVER_US if each.until_us is None else each.until_us + SETTLES_US
        spans[each.lane_id].append((each.from_us - CLEAR_US, until_us))
    return spans


def _dead(seen: Evidence) -> dict[str, list[_Span]]:
    """Return when each lane was dead, or had just come back."""
    spans: dict[str, list[_Span]] = defaultdict(list)
    for blind in (each for each in seen.blind if each.dead):
        until_us = FOR_EVER_US if blind.until_us is None else blind.until_us + BACK_US
        spans[blind.lane_id].append((blind.from_us - CLEAR_US, until_us))
    return spans


def _between(lies: list[_Span]) -> Iterator[_Span]:
    """Yield the whiles in which no loop lied."""
    from_us = -FOR_EVER_US
    for first, last in sorted(lies):
        if from_us < first:
            yield from_us, first
        from_us = max(from_us, last)
    yield from_us, FOR_EVER_US


def _touch(span: _Span, stay: _Span) -> bool:
    return span[0] <= stay[1] and stay[0] <= span[1]


def _within(span: _Span, stay: _Span) -> bool:
    return span[0] <= stay[0] and stay[1] <= span[1]


def _times(seen: Evidence, body: dict[str, Any]) -> _Span:
    """Return from when until when a record was made, by its lane's clock."""
    base_ms = seen.wall_base_ms or 0
    arrived_ms, sealed_ms = body["arrived"]["utc_ms"], body["sealed"]["utc_ms"]
    return (int(arrived_ms) - base_ms) * 1_000, (int(sealed_ms) - base_ms) * 1_000
