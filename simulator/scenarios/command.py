"""``toll-sim scenario`` runs scenario files, ``toll-sim scenario-from`` makes one of a journal."""

from __future__ import annotations

import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.progress import Progress

from simulator.scenarios.journals import scenario_of_journal
from simulator.scenarios.nodes import BadScenarioError
from simulator.scenarios.running import Outcome, run_scenario
from simulator.scenarios.scenario import NAME_PATTERN, Scenario, load_scenario
from simulator.scenarios.schema import schema_text
from tolling.errors import TollError

FAILED = 1
"""An expectation was not met."""
CANNOT_RUN = 2
"""A file is refused, or something is missing."""
TIMELINE_MAX = 200

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
from_app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command()
def scenario(
    files: Annotated[list[Path] | None, typer.Argument(metavar="FILE...")] = None,
    wires: Annotated[
        bool, typer.Option("--wires", help="On real processes in real time, not in virtual time.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="The last line is one JSON object.")
    ] = False,
    timeline: Annotated[
        bool, typer.Option("--timeline", help="Tell what happens; told where one fails anyway.")
    ] = False,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON schema of scenario files and end.")
    ] = False,
) -> None:
    """Run scenario files and say of each expectation whether it was met.

    Exit code 0: all met; 1: one was not; 2: a file is refused, and nothing is run.
    """
    if schema:
        sys.stdout.write(schema_text())
        return
    if not files:
        _cannot("which file? toll-sim scenario FILE...")
    scenarios = _load(files)
    outcomes = []
    screen = Console(stderr=True)
    with Progress(console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task("scenarios", total=len(scenarios))
        for each in scenarios:
            bar.update(task, description=each.name)
            outcome = _run_on_wires(each) if wires else _run(each, timeline=timeline)
            outcomes.append(outcome)
            _say(outcome, timeline=timeline)
            bar.advance(task)
    if as_json:
        typer.echo(json.dumps(_plain(outcomes), ensure_ascii=False))
    if not all(outcome.ok for outcome in outcomes):
        raise typer.Exit(FAILED)


@from_app.command()
def scenario_from(
    journal: Annotated[Path, typer.Argument(metavar="JOURNAL", help="A lane's journal (SQLite).")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Where to write it; default: standard output.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of what the journal does not say.")] = 1,
    name: Annotated[str, typer.Option(help="Of the scenario.")] = "from-a-journal",
) -> None:
    """Make a scenario of a lane's journal: its vehicles and faults, to be looked at again."""
    if re.search(NAME_PATTERN, name) is None:
        _cannot("--name: use a-z, 0-9 and -, at most 80", "scenario-from")
    try:
        text = scenario_of_journal(journal, seed=seed, name=name)
        if out is None:
            sys.stdout.write(text)
        else:
            out.write_text(text, encoding="utf-8")
    except (TollError, OSError) as error:
        _cannot(str(error), "scenario-from")


def _load(files: list[Path]) -> list[Scenario]:
    """Return every scenario, or tell all problems of all files and end."""
    scenarios, refused = [], []
    for file in files:
        try:
            scenarios.append(load_scenario(file))
        except BadScenarioError as error:
            refused.append(str(error))
        except OSError as error:
            refused.append(f"{file}: cannot be read: {error.strerror}")
    if refused:
        sys.stderr.write("\n".join(refused) + "\n")
        raise typer.Exit(CANNOT_RUN)
    return scenarios


def _run(each: Scenario, *, timeline: bool) -> Outcome:
    outcome = run_scenario(each, timeline=timeline)
    # The same seed is the same run: told again only where somebody has to read it.
    return outcome if outcome.ok or timeline else run_scenario(each, timeline=True)


def _run_on_wires(each: Scenario) -> Outcome:
    # Every process with its libraries: loaded only where real ones are asked for.
    from simulator.broker import BrokerMissingError
    from simulator.demo.files import BadPlaceError
    from simulator.scenarios.wires import run_on_wires
    from simulator.stack.nursery import NurseryError
    from simulator.stack.part import StackError

    expected = (StackError, NurseryError, BadPlaceError, BrokerMissingError, OSError)
    with tempfile.TemporaryDirectory(prefix="toll-scenario-") as directory:
        try:
            return run_on_wires(each, directory=Path(directory), tell=_tell)
        except expected as error:
            _cannot(f"--wires: {each.name}: {error}")


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _say(outcome: Outcome, *, timeline: bool) -> None:
    about = outcome.scenario.shows_en
    typer.echo(f"{outcome.scenario.name}{f': {about}' if about else ''}")
    for check in outcome.checks:
        seen = "" if check.ok else f" (seen: {check.seen})"
        typer.echo(f"  {'ok    ' if check.ok else 'FAILED'}  {check.what}{seen}")
    for note in outcome.notes:
        typer.echo(f"  note    {note}")
    if outcome.ok and not timeline:
        return
    lines = outcome.timeline
    if len(lines) > TIMELINE_MAX and not timeline:
        half = TIMELINE_MAX // 2
        left_out = len(lines) - 2 * half
        lines = (*lines[:half], f"  ... {left_out} lines left out ...", *lines[-half:])
    for line in (*lines, *(f"  BROKEN  {finding}" for finding in outcome.findings)):
        typer.echo(line)


def _plain(outcomes: list[Outcome]) -> dict[str, object]:
    if len(outcomes) == 1:
        return outcomes[0].plain()
    return {
        "ok": all(outcome.ok for outcome in outcomes),
        "scenarios": [outcome.plain() for outcome in outcomes],
    }


def _cannot(text: str, command: str = "scenario") -> NoReturn:
    sys.stderr.write(f"toll-sim {command}: {text}\n")
    raise typer.Exit(CANNOT_RUN)


if __name__ == "__main__":
    app()
