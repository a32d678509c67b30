"""``toll-sim fuzz``: whole plazas in virtual time, one per seed, each judged from outside."""

from __future__ import annotations

import json
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from simulator.canaries import CANARIES
from simulator.fuzz import excuses
from simulator.fuzz.frozen import (
    REGRESSION_SUFFIX,
    SCENARIO_SUFFIXES,
    regression_text,
    scenario_text,
)
from simulator.fuzz.pairs import all_pairs
from simulator.fuzz.plan import BadPicksError, Picks, plan, read_car_picks, read_fault_picks
from simulator.fuzz.report import Totals
from simulator.fuzz.run import SeedJob, SeedResult, run_seed
from simulator.fuzz.shrink import RUNS_MAX, SECONDS_MAX, command_of, shrink
from simulator.fuzz.story import tell
from simulator.pool import WorkerLostError, cores, run_all
from tolling.errors import BadInputError

CANNOT_RUN = 2
BROKEN = 1
INTERRUPTED = 130
SEEDS_MAX = 1_000_000
SEED_MAX = 2**63 - 1
FAILURES_SHOWN = 10

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    """How seeds are run and told."""

    workers: int
    stop: bool
    debug: bool
    smaller: bool
    save: Path | None
    as_json: bool
    pairs: bool


# ---- what may be said on the command line ----

_Seeds = Annotated[str, typer.Option(help="A..B, both included, or one seed.")]
_Vehicles = Annotated[
    int | None, typer.Option(min=1, max=10_000, help="Per seed; default: drawn, 20 to 28.")
]
_Lanes = Annotated[
    int | None, typer.Option(min=1, max=200, help="Per seed; default: drawn, 2 or 3.")
]
_Jobs = Annotated[
    int | None, typer.Option(min=1, max=256, help="Processes; default: one per core.")
]
_Canary = Annotated[str | None, typer.Option(help="Plant this known bug: the run must then fail.")]
_Json = Annotated[bool, typer.Option("--json", help="The last line is one JSON object.")]
_Stop = Annotated[bool, typer.Option("--stop-at-first", help="End at the first seed that fails.")]
_NoShrink = Annotated[
    bool, typer.Option("--no-shrink", help="Leave the first failing seed as large as it is.")
]
_Faults = Annotated[
    str | None, typer.Option(help="Keep only these of the seed's faults: 0,3 or 0,3/4 or none.")
]
_Cars = Annotated[str | None, typer.Option(help="Keep only these of the seed's cars: 2,5 or none.")]
_FirstLanes = Annotated[
    int | None, typer.Option(min=1, max=200, help="Build only so many of the seed's lanes.")
]
_Pairs = Annotated[
    bool, typer.Option("--pairs", help="List the (state, event) pairs never reached.")
]
_Save = Annotated[
    Path | None,
    typer.Option(
        help="Write the first failing world here: as a scenario (.yaml), or whole as it was drawn,"
        " as a regression (.toml)."
    ),
]
_Debug = Annotated[
    bool, typer.Option("--debug", help="Let an exception in a world through, with its trace.")
]


@app.command("fuzz")
def fuzz(
    seeds: _Seeds,
    vehicles: _Vehicles = None,
    lanes: _Lanes = None,
    jobs: _Jobs = None,
    canary: _Canary = None,
    as_json: _Json = False,
    stop_at_first: _Stop = False,
    no_shrink: _NoShrink = False,
    faults: _Faults = None,
    cars: _Cars = None,
    first_lanes: _FirstLanes = None,
    pairs: _Pairs = False,
    save: _Save = None,
    debug: _Debug = False,
) -> None:
    """Run a whole toll plaza in virtual time for each seed, and judge it from outside.

    Every seed draws its own lanes, drivers, platform and faults. Exit code 1 where a rule was
    broken; the first failing seed is then made smaller and told.
    """
    picks = Picks(
        vehicles=vehicles,
        lanes=lanes,
        faults=None if faults is None else _or_refuse(lambda: read_fault_picks(faults)),
        cars=None if cars is None else _or_refuse(lambda: read_car_picks(cars)),
        first_lanes=first_lanes,
    )
    work = _jobs(seeds, picks, canary)
    if save is not None:
        _check_save(save)
    options = _Options(
        workers=jobs or cores(),
        stop=stop_at_first,
        debug=debug,
        smaller=not no_shrink,
        save=save,
        as_json=as_json,
        pairs=pairs,
    )
    _work_off(work, options)


def _work_off(work: Sequence[SeedJob], options: _Options) -> None:
    """Run and tell; ends with the exit code."""
    totals = Totals()
    # Said outright: a shell that starts us in the background has SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        _run_and_tell(work, totals, options)
    except KeyboardInterrupt:
        _say(f"toll-sim fuzz: ended after {totals.seeds} of {len(work)} seeds")
        _print(totals, options)
        raise typer.Exit(INTERRUPTED) from None
    except OSError as error:
        raise _refuse(str(error)) from None
    except WorkerLostError:
        what = "a worker process ended early: killed from outside, or out of memory; run it again"
        raise _refuse(what) from None
    _print(totals, options)
    if totals.failing:
        raise typer.Exit(BROKEN)


# ---- reading ----


def _jobs(seeds: str, picks: Picks, canary: str | None) -> list[SeedJob]:
    work = [SeedJob(seed=seed, picks=picks, canary=canary) for seed in _seeds(seeds)]
    if canary is not None and canary not in CANARIES:
        raise _refuse(f"--canary {canary}: one of {', '.join(sorted(CANARIES))}")
    if picks != Picks(vehicles=picks.vehicles, lanes=picks.lanes):
        if len(work) > 1:
            raise _refuse("--faults, --cars and --first-lanes are of one seed")
        _or_refuse(lambda: plan(work[0].seed, picks))
    return work


def _seeds(text: str) -> range:
    found = re.fullmatch(r"(\d{1,19})(?:\.\.(\d{1,19}))?", text)
    if found is None:
        raise _refuse(f"--seeds {text}: write A..B, both included, such as 1..200")
    first, last = int(found[1]), int(found[2] or found[1])
    if last > SEED_MAX:
        raise _refuse(f"--seeds {text}: seeds end at {SEED_MAX}")
    if last < first:
        raise _refuse(f"--seeds {text}: {last} is before {first}")
    if last - first >= SEEDS_MAX:
        raise _refuse(f"--seeds {text}: more than {SEEDS_MAX} seeds at once")
    return range(first, last + 1)


def _check_save(path: Path) -> None:
    """Refuse before hours of seeds what could not be written after them."""
    if path.suffix not in (*SCENARIO_SUFFIXES, REGRESSION_SUFFIX):
        raise _refuse(f"--save {path}: name it .yaml, a scenario, or .toml, a regression")
    if not path.parent.is_dir():
        raise _refuse(f"--save {path}: there is no folder {path.parent}: make it first")


def _or_refuse(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except BadPicksError as error:
        raise _refuse(str(error)) from None


def _refuse(text: str) -> typer.Exit:
    _say(f"toll-sim fuzz: {text}")
    return typer.Exit(CANNOT_RUN)


# ---- running ----


def _run_and_tell(work: Sequence[SeedJob], totals: Totals, options: _Options) -> None:
    _run(work, totals, options)
    first = totals.failing[0] if totals.failing else None
    if first is not None:
        _tell_failures(totals.failing)
        job = next(each for each in work if each.seed == first.seed)
        _tell_story(job, first, smaller=options.smaller, save=options.save)


def _run(work: Sequence[SeedJob], totals: Totals, options: _Options) -> None:
    results: Iterator[SeedResult]
    if options.debug:
        results = (run_seed(job, debug=True) for job in work)
    else:
        results = run_all(work, run_seed, workers=options.workers)
    with _progress(len(work)) as advance:
        try:
            for result in results:
                totals.add(result)
                advance(len(totals.failing))
                if options.stop and result.broken:
                    break
        finally:
            results.close()  # type: ignore[attr-defined]


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """Give what to call after each seed, with the number of failing ones so far."""
    if not sys.stderr.isatty():
        yield lambda failing: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("seeds"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[failing]} failing"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("seeds", total=total, failing=0)
        yield lambda failing: bar.update(task, advance=1, failing=failing)


# ---- telling ----


def _tell_failures(failing: Sequence[SeedResult]) -> None:
    for result in failing[:FAILURES_SHOWN]:
        _say(f"seed {result.seed} breaks {', '.join(sorted(result.broken))}")
        _say(f"    {result.findings[0]}")
    if len(failing) > FAILURES_SHOWN:
        _say(f"and {len(failing) - FAILURES_SHOWN} more")


def _tell_story(job: SeedJob, result: SeedResult, *, smaller: bool, save: Path | None) -> None:
    if not result.trace_hash:
        _say(f"    {command_of(job)} --debug")
        return
    if not smaller:
        _say(f"    {command_of(job)}")
        _save(job, result.findings[0], save)
        return
    _say(f"making seed {job.seed} smaller (at most {RUNS_MAX} runs, {SECONDS_MAX:.0f} s)")
    shrunk = shrink(job, result, now_s=time.monotonic)
    job = shrunk.job
    note = "" if shrunk.finished else "; there may be a smaller one"
    _say(f"after {shrunk.runs} runs, still breaking {shrunk.rule}{note}:")
    _say("")
    _say(f"    {command_of(job)}")
    _say("")
    for line in tell(job).lines:
        _say(line)
    _save(job, shrunk.result.findings[0], save)


def _save(job: SeedJob, finding: str, path: Path | None) -> None:
    if path is None:
        return
    rule, _, what = finding.partition(": ")
    if path.suffix == REGRESSION_SUFFIX:
        path.write_text(regression_text(job, what=what, rule=rule), encoding="utf-8")
        _say(f"kept in {path}: say there in one line what it was")
        return
    try:
        text = scenario_text(job, what=what, rule=rule)
    except BadInputError as error:
        _say(f"{path} is not written: {error}")
        return
    path.write_text(text, encoding="utf-8")
    _say(f"kept in {path}: run it by toll-sim scenario {path}")


def _print(totals: Totals, options: _Options) -> None:
    figures = totals.as_dict()
    never = sorted(all_pairs() - totals.pairs)
    figures["pairs_total"] = len(all_pairs())
    if options.pairs:
        for pair in never:
            typer.echo(f"never reached: {pair:48} {excuses.told_of(pair) or 'NO REASON LISTED'}")
    if options.as_json:
        typer.echo(json.dumps(figures, ensure_ascii=False))
        return
    for name, value in figures.items():
        text = ", ".join(map(str, value)) if isinstance(value, list) else _text(value)
        typer.echo(f"{name:16} {text}")


def _text(value: object) -> str:
    if not isinstance(value, dict):
        return str(value)
    return ", ".join(f"{key} {'-' if each is None else each}" for key, each in value.items())


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
