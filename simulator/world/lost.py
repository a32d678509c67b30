"""What lanes were without and had to notice, for the auditor: by the faults this world gave them.

A loss ends where the fault does, where all faults are ended, and where its lane is switched off for
good. Only faults that take the whole of something away are losses: a module that answers late or
now and then may be heard in time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from simulator.auditor.evidence import Blind, Loss, Lost
from simulator.models.device_faults import DeviceFault
from simulator.models.io_modules import DEFAULT_MODULE
from simulator.world import sighted
from simulator.world.clock import us
from simulator.world.faults import DeviceTroubleAt, LineTrouble, WorldFault, lane_name
from simulator.world.lane_process import LaneProcess
from simulator.world.process import Process
from simulator.world.world import World
from tolling.clock import NS_PER_MS, NS_PER_S

GONE: dict[tuple[str, DeviceFault], tuple[Loss, ...]] = {
    ("io", DeviceFault.SILENT): (Loss.MODULE, Loss.INPUTS),
    ("io", DeviceFault.REBOOT): (Loss.MODULE, Loss.INPUTS),
    ("scanner", DeviceFault.UNPLUGGED): (Loss.SCANNER,),
    ("display", DeviceFault.UNPLUGGED): (Loss.DISPLAY,),
    ("etc", DeviceFault.SILENT): (Loss.ETC,),
}
"""What a lane is without, by device and fault. The camera's stand-in tells of its plates and of no
health, and a display that is dark says nothing of it."""

FIRST_READ_NS = NS_PER_S
"""A lane that was started, or whose module answers again, has read its inputs by then."""

_While = tuple[int, int]
"""From when to when, in world nanoseconds."""
_NEVER_NS = 1 << 62


def lost(world: World) -> Iterator[Lost]:
    """Yield every while in which a lane was without something."""
    end_ns = world.heap.now_ns if world.healed_ns is None else world.healed_ns
    dead = _all_dead([list(_dead(plaza, end_ns)) for plaza in world.plazas])
    blinds = [each for each in sighted.blind(world) if not each.dead]
    for lane_id in sorted(world.lanes):
        lane = world.lanes[lane_id]
        off_ns = world.heap.now_ns if lane.off_ns is None else lane.off_ns
        blind = [each for each in blinds if each.lane_id == lane_id]
        found = [*_of(world.faults, lane, blind), *((Loss.PLAZA, each) for each in dead)]
        whiles = [(what, each, min(end_ns, off_ns)) for what, each in found]
        whiles += [(what, each, off_ns) for what, each in _of_disk(lane)]
        for what, (from_ns, until_ns), last_ns in whiles:
            if from_ns < min(until_ns, last_ns):
                until_us = us(min(until_ns, last_ns))
                yield Lost(lane_id=lane_id, what=what, from_us=us(from_ns), until_us=until_us)


def _of(
    faults: Iterable[WorldFault], lane: LaneProcess, blind: Iterable[Blind]
) -> Iterator[tuple[Loss, _While]]:
    """Yield what these faults took from one lane, which could not read its inputs meanwhile."""
    lane_id = lane.config.lane_id
    line = f"{lane_name(lane_id)}-plaza"
    for fault in faults:
        match fault:
            case LineTrouble(cut=True) if fault.line == line:
                yield Loss.PLAZA, _while(fault.at_ms, fault.for_ms)
            case DeviceTroubleAt() if fault.lane_id == lane_id and fault.trouble.times is None:
                trouble = fault.trouble
                from_ns, until_ns = _while(fault.at_ms, trouble.for_ms)
                whole = trouble.where in ("", DEFAULT_MODULE)
                for what in GONE.get((fault.device, trouble.kind), ()) if whole else ():
                    if what is not Loss.INPUTS:
                        yield what, (from_ns, until_ns)
                    elif _has_read(lane, blind, from_ns):
                        yield what, (from_ns, _alive_until(lane, from_ns, until_ns))


def _while(at_ms: int, for_ms: int | None) -> _While:
    return at_ms * NS_PER_MS, _NEVER_NS if for_ms is None else (at_ms + for_ms) * NS_PER_MS


def _has_read(lane: LaneProcess, blind: Iterable[Blind], at_ns: int) -> bool:
    """Return whether a lane has read its inputs in the life in which it is: of points that were
    never read nothing can be lost."""
    begun_ns = max((begun_ns for begun_ns, _ in _lives(lane) if begun_ns <= at_ns), default=at_ns)
    clear_us = us(at_ns - FIRST_READ_NS)
    return begun_ns <= at_ns - FIRST_READ_NS and not any(
        each.from_us < us(at_ns) and (each.until_us is None or each.until_us > clear_us)
        for each in blind
    )


def _alive_until(lane: LaneProcess, from_ns: int, until_ns: int) -> int:
    """Return when the life of a lane that runs at *from_ns* ends, *until_ns* at the latest; a lane
    that is dead then has none."""
    ran = any(begun_ns <= from_ns < ended_ns for begun_ns, ended_ns in _lives(lane))
    if not ran:
        return from_ns
    return min([until_ns, *(died_ns for died_ns in lane.deaths_ns if died_ns > from_ns)])


def _lives(process: Process) -> Iterator[_While]:
    """Yield from when to when a process ran."""
    for number, started_ns in enumerate(process.started_ns):
        died = process.deaths_ns[number : number + 1]
        yield started_ns, died[0] if died else _NEVER_NS


def _dead(process: Process, end_ns: int) -> Iterator[_While]:
    """Yield from when to when a process did not run, after its first start."""
    for number, died_ns in enumerate(process.deaths_ns):
        again = process.started_ns[number + 1 : number + 2]
        yield died_ns, min(again[0] if again else end_ns, end_ns)


def _all_dead(each: list[list[_While]]) -> list[_While]:
    """Return when none of several processes ran."""
    whiles = each[0]
    for others in each[1:]:
        whiles = [
            (max(one[0], other[0]), min(one[1], other[1]))
            for one in whiles
            for other in others
            if max(one[0], other[0]) < min(one[1], other[1])
        ]
    return whiles


def _of_disk(lane: LaneProcess) -> Iterator[tuple[Loss, _While]]:
    """Yield commits that took too long, and from the first one a disk refused until the lane was
    told of room; neither lasts longer than the life of the lane."""
    for from_ns, until_ns in lane.slow_commits:
        yield Loss.PACE, (from_ns, _alive_until(lane, from_ns, until_ns))
    told_ns = 0
    for refused_ns in lane.refused_ns:
        if refused_ns >= told_ns:
            roomy = [at_ns for at_ns in lane.roomy_ns if at_ns > refused_ns]
            told_ns = _alive_until(lane, refused_ns, min(roomy, default=_NEVER_NS))
            yield Loss.ROOM, (refused_ns, told_ns)
