"""``toll-sim day``: a stretch of a plaza's traffic in virtual time, judged window by window."""

from __future__ import annotations

import json
import resource
import sys
import time
from dataclasses import asdict
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
    began = time.monotonic()
    result = _run(seed, profile, lanes=lanes, hours_ms=hours * MS_PER_HOUR)
    took_s = time.monotonic() - began
    figures = {
        "profile": profile,
        "lanes": lanes,
        "hours": hours,
        "seed": seed,
        **asdict(result),
        "took_s": round(took_s, 1),
        "vehicles_per_s": round(result.vehicles / max(took_s, 0.001), 1),
        "memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // KIB_PER_MIB,
    }
    broken = sum(result.violations.values()) > 0 or not result.at_rest
    _tell(figures, result)
    if as_json:
        sys.stdout.write(json.dumps(figures, ensure_ascii=False) + "\n")
    raise typer.Exit(BROKEN if broken else 0)


def _run(seed: int, profile: str, *, lanes: int, hours_ms: int) -> DayResult:
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("vehicles: 0", total=hours_ms)

        def on_window(world_ms: int, vehicles: int) -> None:
            progress.update(task, completed=world_ms, description=f"vehicles: {vehicles}")

        with collecting_rarely():
            return run_day(
                seed, PROFILES[profile], lanes=lanes, hours_ms=hours_ms, on_window=on_window
            )


def _tell(figures: dict[str, object], result: DayResult) -> None:
    sys.stdout.write(
        f"{result.vehicles} vehicles in {figures['lanes']} lanes,"
        f" {figures['vehicles_per_s']} a second, {figures['memory_mib']} MiB;"
        f" at rest: {'yes' if result.at_rest else 'no'}\n"
    )
    broken = {rule: count for rule, count in result.violations.items() if count}
    sys.stdout.write(f"rules broken: {broken or 'none'}\n")
    for finding in result.findings:
        sys.stdout.write(f"  {finding}\n")
