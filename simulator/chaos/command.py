"""``toll-sim chaos``: a plaza of real processes under traffic is killed, frozen, cut off and filled
up, and judged."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Annotated

import psycopg
import typer

from simulator.broker import BrokerMissingError
from simulator.chaos import planter
from simulator.chaos.actions import GAP_S
from simulator.chaos.run import LANES_MAX, Order, Outcome, chaos_run
from simulator.demo.files import BadPlaceError
from simulator.stack.nursery import NurseryError
from simulator.stack.part import StackError
from simulator.stack.postgres import DatabaseMissingError
from simulator.stack.site_client import ApiError

MINUTES_MAX = 24 * 60.0
FINDINGS_SHOWN = 20
BROKEN, CANNOT_RUN, TOLD_TO_END = 1, 2, 130
LAST_RESORT_S = 30.0
"""An orderly end takes a few seconds; a process that hangs is killed after 20."""
_EXPECTED = (
    StackError,
    NurseryError,
    ApiError,
    BadPlaceError,
    BrokerMissingError,
    DatabaseMissingError,
    sqlite3.Error,
    psycopg.Error,
    OSError,
)

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command("chaos")
def chaos(
    minutes: Annotated[
        float, typer.Option(min=0.05, max=MINUTES_MAX, help="Of traffic with faults.")
    ] = 2.0,
    seed: Annotated[int, typer.Option(help="Draws faults, cars and people.")] = 1,
    lanes: Annotated[int, typer.Option(min=1, max=LANES_MAX, help="How many lanes.")] = 3,
    gap: Annotated[
        float, typer.Option(min=0.1, max=3_600.0, help="Seconds between two actions in the mean.")
    ] = GAP_S,
    postgres: Annotated[
        bool,
        typer.Option("--postgres", help="On a PostgreSQL of its own, with two plaza processes."),
    ] = False,
    true_bounds: Annotated[
        bool,
        typer.Option(
            "--true-bounds",
            help="The plaza keeps its real bounds: rest may take 20 minutes. Usually its slow "
            "proofs take a tenth.",
        ),
    ] = False,
    rest: Annotated[
        float | None,
        typer.Option(min=1.0, help="Seconds within which all must be at rest after the faults."),
    ] = None,
    canary: Annotated[
        str | None,
        typer.Option(help="Plant a known bug in lanes and plaza: the run must find it."),
    ] = None,
    directory: Annotated[
        Path | None, typer.Option("--dir", help="Where everything is written, and stays.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="The last line is one JSON object.")
    ] = False,
) -> None:
    """Break a whole plaza of real processes while cars pay, and let the auditor judge.

    What is done, and when, is drawn from the seed and printed as it is done. Afterwards nothing
    fails any more: every car must be gone, every order closed and every record at the plaza.
    Exit code 1 where a rule is broken or something never ends; its files are kept then.
    """
    _refuse_unknown(canary)
    order = Order(
        seed=seed,
        minutes=minutes,
        lanes=lanes,
        gap_s=gap,
        postgres=postgres,
        true_bounds=true_bounds,
        rest_s=rest,
        canary=canary,
    )
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, _as_ctrl_c)
    with _place(directory) as (root, keep):
        try:
            outcome = chaos_run(order, root, tell=_tell)
        except _EXPECTED as error:
            keep.append(root)
            _tell(f"toll-sim chaos: {error}")
            raise typer.Exit(CANNOT_RUN) from None
        except KeyboardInterrupt:
            _tell("told to end; every process has been ended")
            raise typer.Exit(TOLD_TO_END) from None
        if outcome.problem is not None:
            keep.append(root)
        _print(outcome, as_json=as_json)
    if outcome.problem is not None:
        raise typer.Exit(BROKEN)


def _refuse_unknown(canary: str | None) -> None:
    """Refuse a bug that nobody knows before anything is started or written."""
    if canary is not None and canary not in planter.known():
        _tell(f"toll-sim chaos: --canary {canary}: one of {', '.join(planter.known())}")
        raise typer.Exit(CANNOT_RUN)


@contextlib.contextmanager
def _place(directory: Path | None) -> Iterator[tuple[Path, list[Path]]]:
    """Give the run's folder and a list; what is put on the list is kept and named."""
    keep: list[Path] = []
    if directory is not None:
        yield directory.absolute(), keep
        _tell(f"files: {directory.absolute()}")
        return
    home = Path(tempfile.mkdtemp(prefix="toll-chaos-"))
    try:
        yield home / "run", keep
    finally:
        if keep:
            _tell(f"kept: {keep[0]} (actions.jsonl, findings.txt, logs, stores and journals)")
        else:
            shutil.rmtree(home, ignore_errors=True)


def _as_ctrl_c(number: int, frame: FrameType | None) -> None:
    """End in order; where the signal met a lock half taken, end all the same.

    The processes of the run end with this one: their nursery reads the end of its input.
    """
    del number, frame
    last_resort = threading.Timer(LAST_RESORT_S, os._exit, (TOLD_TO_END,))
    last_resort.daemon = True
    last_resort.start()
    raise KeyboardInterrupt


def _print(outcome: Outcome, *, as_json: bool) -> None:
    for finding in outcome.verdict.findings[:FINDINGS_SHOWN]:
        _tell(f"{finding.rule}: {finding.what}")
    if outcome.problem is not None:
        _tell(outcome.problem)
    if as_json:
        typer.echo(json.dumps(outcome.figures, ensure_ascii=False))
        return
    for name, value in outcome.figures.items():
        typer.echo(f"{name:16} {value}")


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
