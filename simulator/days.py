"""A day of many lanes: their plazas side by side, each a world of its own in some process.

Plazas share nothing, so they are run in as many processes as there are cores, and a plaza's memory
is read off the process that runs it.
"""

from __future__ import annotations

import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from simulator.world.arrivals import MS_PER_HOUR, PROFILES
from simulator.world.day import DayResult, run_day

LANES_OF_A_PLAZA = 20
FINDINGS_MAX = 100
KIB_PER_MIB = 1_024
FILES_BESIDE = 64
"""Open beside one for each lane: the plaza's store, libraries, terminal."""
STATM = Path("/proc/self/statm")

OnWindow = Callable[[int, int], None]
"""Hears how far a plaza is: (world_ms, vehicles that left)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlazaDay:
    """One plaza's day to be run."""

    plaza: int
    """1 and up."""
    plazas: int
    """How many there are."""
    seed: int
    lanes: int
    hours: int
    profile: str
    """A name of ``PROFILES``."""
    folder: Path
    """Its stores lie in a folder of this one while it runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlazaDone:
    """What came of one plaza's day."""

    job: PlazaDay
    result: DayResult
    core_s: float
    memory_by_hour_mib: tuple[int, ...]
    """What its process held at the end of each hour."""
    memory_end_mib: int
    """After the last verdict."""
    memory_mib: int
    """The most its process ever held, plazas it ran before included."""


def plazas_of(
    *, lanes: int, plazas: int, seed: int, hours: int, profile: str, folder: Path
) -> tuple[PlazaDay, ...]:
    """Return the plazas over which *lanes* are spread, as evenly as they can be.

    Args:   plazas: 1 to *lanes*.
            seed: the first plaza's; each further one has the next number.
    """
    assert 1 <= plazas <= lanes, "a plaza has a lane"
    most, more = divmod(lanes, plazas)
    return tuple(
        PlazaDay(
            plaza=number + 1,
            plazas=plazas,
            seed=seed + number,
            lanes=most + (number < more),
            hours=hours,
            profile=profile,
            folder=folder,
        )
        for number in range(plazas)
    )


def run_plaza(job: PlazaDay, on_window: OnWindow = lambda world_ms, vehicles: None) -> PlazaDone:
    """Run one plaza's day in this process; a line an hour goes to stderr."""
    by_hour: list[int] = []
    name = f"plaza {job.plaza}, " if job.plazas > 1 else ""

    def window(world_ms: int, vehicles: int) -> None:
        on_window(world_ms, vehicles)
        if world_ms >= (len(by_hour) + 1) * MS_PER_HOUR:
            by_hour.append(memory_mib())
            told = f"{name}hour {len(by_hour)}: {vehicles} vehicles so far, {by_hour[-1]} MiB\n"
            sys.stderr.write(told)

    _make_room_for_files(job.lanes)
    began = time.process_time()
    result = run_day(
        job.seed,
        PROFILES[job.profile],
        lanes=job.lanes,
        hours_ms=job.hours * MS_PER_HOUR,
        folder=job.folder,
        on_window=window,
    )
    return PlazaDone(
        job=job,
        result=result,
        core_s=time.process_time() - began,
        memory_by_hour_mib=tuple(by_hour),
        memory_end_mib=memory_mib(),
        memory_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // KIB_PER_MIB,
    )


def in_sum(done: Sequence[PlazaDone]) -> DayResult:
    """Return what came of all plazas together: counts added, the most of what is held at once."""
    results = [each.result for each in done]
    violations: Counter[str] = Counter()
    for result in results:
        violations.update(result.violations)
    found = [
        f"plaza {each.job.plaza}: {finding}" if each.job.plazas > 1 else finding
        for each in done
        for finding in each.result.findings
    ]
    return DayResult(
        vehicles=sum(result.vehicles for result in results),
        events=sum(result.events for result in results),
        world_ns=max(result.world_ns for result in results),
        at_rest=all(result.at_rest for result in results),
        windows=sum(result.windows for result in results),
        violations=dict(sorted(violations.items())),
        findings=tuple(found[:FINDINGS_MAX]),
        unjudged=sum(result.unjudged for result in results),
        most_aboard=max(result.most_aboard for result in results),
        most_log=max(result.most_log for result in results),
        most_tapped=max(result.most_tapped for result in results),
    )


def memory_mib() -> int:
    """Return what the process holds now; where the system does not tell, the most it ever held."""
    try:
        pages = int(STATM.read_text(encoding="ascii").split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // KIB_PER_MIB
    return pages * resource.getpagesize() // (KIB_PER_MIB * KIB_PER_MIB)


def _make_room_for_files(lanes: int) -> None:
    """Let this process open a file for each lane, where its limit may be raised so far."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = lanes + FILES_BESIDE
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
