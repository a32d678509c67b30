"""``toll-sim day``: a stretch of many lanes' traffic in virtual time, judged window by window."""

from __future__ import annotations

import json
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.progress import Progress

from simulator.days import LANES_OF_A_PLAZA, PlazaDay, PlazaDone, in_sum, plazas_of, run_plaza
from simulator.pool import WorkerLostError, collecting_rarely, cores, run_all
from simulator.world.arrivals import MS_PER_HOUR, PROFILES
from simulator.world.day import DayResult

CANNOT_RUN = 2
BROKEN = 1

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command("day")
def day(
    lanes: Annotated[int, typer.Option(min=1, max=999, help="How many lanes.")] = 200,
    plazas: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=999,
            help="Over how many plazas they are spread; one for each"
            f" {LANES_OF_A_PLAZA} lanes where nothing is said.",
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, max=999, help="Plazas run side by side; all cores if not said."),
    ] = None,
    hours: Annotated[int, typer.Option(min=1, max=168, help="How long vehicles come.")] = 24,
    profile: Annotated[str, typer.Option(help="Who comes when: " + ", ".join(PROFILES))] = (
        "day_2017"
    ),
    seed: Annotated[
        int, typer.Option(min=0, help="Everything is drawn from it; the next plaza's is one more.")
    ] = 1,
    as_json: Annotated[
        bool, typer.Option("--json", help="The last line is one JSON object.")
    ] = False,
) -> None:
    """Let a day's vehicles come to many lanes, judge and forget them in windows of 10 minutes."""
    if profile not in PROFILES:
        _refuse(f"no profile {profile[:40]!r}: take one of {', '.join(PROFILES)}")
    count = plazas or -(-lanes // LANES_OF_A_PLAZA)
    if count > lanes:
        _refuse(f"{count} plazas for {lanes} lanes: each plaza needs one, take fewer plazas")
    began = time.monotonic()
    with _ended_by_sigterm(), tempfile.TemporaryDirectory(prefix="toll-sim-day-") as folder:
        work = plazas_of(
            lanes=lanes, plazas=count, seed=seed, hours=hours, profile=profile, folder=Path(folder)
        )
        try:
            done = _run(work, jobs or cores())
        except WorkerLostError as error:
            _refuse(f"{error}; was it killed from outside, or is memory short? Try --jobs 1")
    result = in_sum(done)
    figures = _figures(result, done, took_s=time.monotonic() - began)
    _tell(figures, result)
    if as_json:
        sys.stdout.write(json.dumps(figures, ensure_ascii=False) + "\n")
    broken = sum(result.violations.values()) > 0 or not result.at_rest
    raise typer.Exit(BROKEN if broken else 0)


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """End by an exception where the process is told to end: no folder and no worker is left."""

    def end(number: int, frame: object) -> NoReturn:
        del frame
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _refuse(why: str) -> NoReturn:
    sys.stderr.write(f"toll-sim day: {why}\n")
    raise typer.Exit(CANNOT_RUN)


def _run(work: Sequence[PlazaDay], jobs: int) -> list[PlazaDone]:
    """Run every plaza: one alone in this process with a bar, more side by side with lines."""
    if len(work) > 1:
        return list(run_all(work, run_plaza, workers=jobs))
    (alone,) = work
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("vehicles: 0", total=alone.hours * MS_PER_HOUR)

        def on_window(world_ms: int, vehicles: int) -> None:
            progress.update(task, completed=world_ms, description=f"vehicles: {vehicles}")

        with collecting_rarely():
            return [run_plaza(alone, on_window)]


def _figures(result: DayResult, done: Sequence[PlazaDone], *, took_s: float) -> dict[str, object]:
    first = done[0].job
    core_s = sum(each.core_s for each in done)
    hourly = zip_longest(*(each.memory_by_hour_mib for each in done), fillvalue=0)
    return {
        "profile": first.profile,
        "lanes": sum(each.job.lanes for each in done),
        "hours": first.hours,
        "seed": first.seed,
        **asdict(result),
        "took_s": round(took_s, 1),
        "vehicles_per_s": round(result.vehicles / max(took_s, 0.001), 1),
        "core_s": round(core_s, 1),
        "vehicles_per_core_s": round(result.vehicles / max(core_s, 0.001), 1),
        "memory_by_hour_mib": [max(held) for held in hourly],
        "memory_end_mib": max(each.memory_end_mib for each in done),
        "memory_mib": max(each.memory_mib for each in done),
        "plazas": [
            {
                "seed": each.job.seed,
                "lanes": each.job.lanes,
                "vehicles": each.result.vehicles,
                "core_s": round(each.core_s, 1),
                "memory_by_hour_mib": list(each.memory_by_hour_mib),
                "memory_end_mib": each.memory_end_mib,
            }
            for each in done
        ],
    }


def _tell(figures: dict[str, object], result: DayResult) -> None:
    plazas = figures["plazas"]
    assert isinstance(plazas, list)
    where = f" of {len(plazas)} plazas" if len(plazas) > 1 else ""
    each = " in one process" if len(plazas) > 1 else ""
    sys.stdout.write(
        f"{result.vehicles} vehicles in {figures['lanes']} lanes{where},"
        f" {figures['vehicles_per_core_s']} in a second of a core, {figures['memory_mib']} MiB at"
        f" most{each};"
        f" at rest: {'yes' if result.at_rest else 'no'}\n"
    )
    broken = {rule: count for rule, count in result.violations.items() if count}
    sys.stdout.write(f"rules broken: {broken or 'none'}\n")
    for finding in result.findings:
        sys.stdout.write(f"  {finding}\n")
