"""toll-sim day: one line for people, one object for programs, and exit codes."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from simulator.cli_day import app
from tests.simulator.waiting import until

pytestmark = pytest.mark.simulation


def test_an_hour_of_one_lane_is_told_in_figures() -> None:
    """The last line is one JSON object; a clean run ends with 0."""
    said = CliRunner().invoke(app, ["--lanes", "1", "--hours", "1", "--json"])
    assert said.exit_code == 0, said.output
    figures = json.loads(said.stdout.splitlines()[-1])
    assert figures["vehicles"] > 20
    assert figures["at_rest"]
    assert set(figures["violations"].values()) == {0}
    assert len(figures["memory_by_hour_mib"]) == 1
    assert 0 < figures["memory_by_hour_mib"][0] <= figures["memory_mib"]
    assert 0 < figures["memory_end_mib"] <= figures["memory_mib"]
    assert figures["core_s"] > 0
    assert "rules broken: none" in said.stdout


@pytest.mark.slow
def test_two_plazas_side_by_side_say_what_each_says_alone() -> None:
    """Lanes are shared out, plazas have their own seeds, the figures are their sum."""

    def run(*args: str) -> dict[str, Any]:
        said = CliRunner().invoke(app, [*args, "--hours", "1", "--json"])
        assert said.exit_code == 0, said.output
        told: dict[str, Any] = json.loads(said.stdout.splitlines()[-1])
        return told

    both = run("--lanes", "2", "--plazas", "2", "--jobs", "2", "--seed", "1")
    alone = [run("--lanes", "1", "--seed", seed) for seed in ("1", "2")]
    assert [plaza["seed"] for plaza in both["plazas"]] == [1, 2]
    assert [plaza["vehicles"] for plaza in both["plazas"]] == [one["vehicles"] for one in alone]
    for name in ("vehicles", "events", "windows"):
        assert both[name] == sum(one[name] for one in alone)
    held = zip(*(plaza["memory_by_hour_mib"] for plaza in both["plazas"]), strict=True)
    assert both["memory_by_hour_mib"] == [max(hour) for hour in held]


def test_more_plazas_than_lanes_are_one_line_and_exit_2() -> None:
    """A plaza without a lane is nothing to run."""
    said = CliRunner().invoke(app, ["--lanes", "2", "--plazas", "3"])
    assert said.exit_code == 2
    assert said.stderr.count("\n") == 1
    assert "take fewer plazas" in said.stderr


def test_an_unknown_profile_is_one_line_and_exit_2() -> None:
    """The line names what there is."""
    said = CliRunner().invoke(app, ["--profile", "doomsday"])
    assert said.exit_code == 2
    assert said.stderr.count("\n") == 1
    assert "day_2017" in said.stderr


@pytest.mark.slow
@pytest.mark.asyncio
async def test_a_day_that_is_told_to_end_leaves_no_folder(tmp_path: Path) -> None:
    """SIGTERM, as a supervisor sends it: workers and stores go with it."""
    code = "from simulator.cli_day import app; app(prog_name='toll-sim day')"
    work = ["--lanes", "2", "--plazas", "2", "--jobs", "2", "--hours", "24"]
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, *work, env={**os.environ, "TMPDIR": str(tmp_path)}
    )
    try:
        await until(lambda: len(list(tmp_path.rglob("plaza.db"))) == 2, within_s=60)
    finally:
        running.terminate()
        ended = await running.wait()
    assert ended == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []
