"""``toll-sim demo``: the whole plaza, for people or for the auditor."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import sqlite3
import sys
import tempfile
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from simulator.broker import BrokerMissingError
from simulator.demo.children import ChildFailedError
from simulator.demo.files import BadPlaceError, Layout, lane_names
from simulator.demo.http import CallFailedError
from simulator.demo.judged import Judged, json_text, judged_run
from simulator.demo.town import PLAZA_ID
from simulator.demo.watched import watched_run

LANES_MAX = 8
VEHICLES_MAX = 2000
FINDINGS_SHOWN = 10
CANNOT_RUN = 2
_EXPECTED = (
    ChildFailedError,
    CallFailedError,
    BadPlaceError,
    BrokerMissingError,
    sqlite3.Error,
    OSError,
)

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command("demo")
def demo(
    lanes: Annotated[int, typer.Option(min=1, max=LANES_MAX, help="How many lanes.")] = 2,
    seed: Annotated[int, typer.Option(help="Draws drivers and codes.")] = 1,
    headless: Annotated[
        bool, typer.Option("--headless", help="End by itself after --vehicles, with a verdict.")
    ] = False,
    vehicles: Annotated[
        int, typer.Option(min=1, max=VEHICLES_MAX, help="Over all lanes; with --headless.")
    ] = 20,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the verdict as one line of JSON.")
    ] = False,
    directory: Annotated[
        Path | None, typer.Option("--dir", help="Where everything is written, and stays.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the temporary folder.")] = False,
    page_port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Of the pages; default 8090, or a free one."),
    ] = None,
) -> None:
    """Run a toll plaza whole on this machine: broker, plaza, lanes, pages, and cars that pay.

    Without --headless it runs until Ctrl-C; the page to open is shown. With --headless it ends
    within 15 s + 10 s x vehicles / lanes on two free cores (and gives up after four times that);
    exit code 1 where the auditor finds anything wrong.
    """
    with _place(directory, keep=keep) as (root, kept):
        layout = Layout(root=root, plaza_id=PLAZA_ID, lanes=lane_names(lanes))
        try:
            if headless:
                run = judged_run(layout, vehicles=vehicles, seed=seed, tell=_tell)
                judged = _until_told(run)
                if judged is None:
                    raise typer.Exit(130)
                _print(judged, as_json=as_json)
                if judged.problem is not None:
                    kept()
                    raise typer.Exit(1)
            else:
                _until_told(watched_run(layout, seed=seed, page_port=page_port))
        except _EXPECTED as error:
            _cannot(error)
        except BaseExceptionGroup as group:
            known, rest = group.split(_EXPECTED)
            if rest is not None or known is None:
                raise
            _cannot(_first(known))


@contextlib.contextmanager
def _place(directory: Path | None, *, keep: bool) -> Iterator[tuple[Path, Any]]:
    """Give the run's folder, and what to call to have it kept."""
    if directory is not None:
        yield directory.absolute(), lambda: None
        return
    root = Path(tempfile.mkdtemp(prefix="toll-"))
    wanted = [keep]
    try:
        yield root, lambda: wanted.append(True)
    finally:
        if any(wanted):
            _tell(f"kept: {root}")
        else:
            shutil.rmtree(root, ignore_errors=True)


def _until_told(work: Coroutine[Any, Any, Any]) -> Any:
    """Run *work* to its end, or until SIGINT or SIGTERM; None where it was told to end."""
    return asyncio.run(_or_told(work))


async def _or_told(work: Coroutine[Any, Any, Any]) -> Any:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    async with asyncio.TaskGroup() as tasks:
        working = tasks.create_task(work, name="demo")
        waiting = tasks.create_task(told.wait(), name="told to end")
        await asyncio.wait((working, waiting), return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if not working.done():
            _tell("ending everything")
            working.cancel()
    return None if working.cancelled() else working.result()


def _print(judged: Judged, *, as_json: bool) -> None:
    for finding in judged.verdict.findings[:FINDINGS_SHOWN]:
        _tell(f"{finding.rule}: {finding.what}")
    if judged.problem is not None:
        _tell(judged.problem)
    if as_json:
        typer.echo(json_text(judged.figures))
        return
    for name, value in judged.figures.items():
        typer.echo(f"{name:20} {value}")


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _first(group: BaseExceptionGroup[Any]) -> BaseException:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


def _cannot(error: BaseException) -> None:
    _tell(f"toll-sim demo: {error}")
    raise typer.Exit(CANNOT_RUN)
