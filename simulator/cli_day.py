"""``toll-sim day``: a stretch of a plaza's traffic in virtual time, judged window by window."""

from __future__ import annotations

import json
import resource
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from simulator.fuzz.pool import collecting_rarely
from simulator.world.arrivals import MS_PER_HOUR, PROFILES
from simulator.world.day import DayResult, run_day

CANNOT_RUN = 2
BROKEN = 1
KIB_PER_MIB = 1_024
FILES_BESIDE = 64
"""Open beside one for each lane: the plaza's store, libraries, terminal."""
STATM = Path("/proc/self/statm")

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command("day")
def day(
    lanes: Annotated[int, typer.Option(min=1, max=999, help="How many lanes.")] = 200,
    hours: Annotated[int, typer.Option(min=1, max=168, help="How long vehicles come.")] = 24,
    profile: Annotated[str, typer.Option(help="Who comes when: " + ", ".join(PROFILES))] = (
        "day_2017"
    ),
    seed: Annotated[int, typer.Option(min=0, help="Everything is drawn from it.")] = 1,
    as_json: Annotated[
        bool, typer.Option("--json", help="The last line is one JSON object.")
    ] = False,
) -> None:
    """Let a day's vehicles come to many lanes, judge and forget them in windows of 10 minutes."""
    if profile not in PROFILES:
        said = f"toll-sim day: no profile {profile[:40]!r}: take one of {', '.join(PROFILES)}\n"
        sys.stderr.write(said)
        raise typer.Exit(CANNOT_RUN)
    _room_for_files(lanes)
    began, began_core = time.monotonic(), time.process_time()
    result, by_hour = _run(seed, profile, lanes=lanes, hours_ms=hours * MS_PER_HOUR)
    took_s, core_s = time.monotonic() - began, time.process_time() - began_core
    figures = {
        "profile": profile,
        "lanes": lanes,
        "hours": hours,
        "seed": seed,
        **asdict(result),
        "took_s": round(took_s, 1),
        "vehicles_per_s": round(result.vehicles / max(took_s, 0.001), 1),
        "core_s": round(core_s, 1),
        "vehicles_per_core_s": round(result.vehicles / max(core_s, 0.001), 1),
        "memory_by_hour_mib": by_hour,
        "memory_end_mib": _memory_mib(),
        "memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // KIB_PER_MIB,
    }
    broken = sum(result.violations.values()) > 0 or not result.at_rest
    _tell(figures, result)
    if as_json:
        sys.stdout.write(json.dumps(figures, ensure_ascii=False) + "\n")
    raise typer.Exit(BROKEN if broken else 0)


def _room_for_files(lanes: int) -> None:
    """Let this process open a file for each lane, where its limit may be raised so far."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = lanes + FILES_BESIDE
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _memory_mib() -> int:
    """Return what the process holds now; where the system does not tell, the most it ever held."""
    try:
        pages = int(STATM.read_text(encoding="ascii").split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // KIB_PER_MIB
    return pages * resource.getpagesize() // (KIB_PER_MIB * KIB_PER_MIB)


def _run(seed: int, profile: str, *, lanes: int, hours_ms: int) -> tuple[DayResult, list[int]]:
    """Return what came of it, and the memory held at the end of each hour, MiB."""
    by_hour: list[int] = []
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("vehicles: 0", total=hours_ms)

        def on_window(world_ms: int, vehicles: int) -> None:
            progress.update(task, completed=world_ms, description=f"vehicles: {vehicles}")
            if world_ms >= (len(by_hour) + 1) * MS_PER_HOUR:
                by_hour.append(_memory_mib())
                said = f"hour {len(by_hour)}: {vehicles} vehicles so far, {by_hour[-1]} MiB"
                progress.console.print(said, highlight=False)

        with collecting_rarely():
            result = run_day(
                seed, PROFILES[profile], lanes=lanes, hours_ms=hours_ms, on_window=on_window
            )
            return result, by_hour


def _tell(figures: dict[str, object], result: DayResult) -> None:
    sys.stdout.write(
        f"{result.vehicles} vehicles in {figures['lanes']} lanes,"
        f" {figures['vehicles_per_core_s']} in a second of a core, {figures['memory_mib']} MiB at"
        " most;"
        f" at rest: {'yes' if result.at_rest else 'no'}\n"
    )
    broken = {rule: count for rule, count in result.violations.items() if count}
    sys.stdout.write(f"rules broken: {broken or 'none'}\n")
    for finding in result.findings:
        sys.stdout.write(f"  {finding}\n")
