"""toll-sim day: one line for people, one object for programs, and exit codes."""

import json

import pytest
from typer.testing import CliRunner

from simulator.cli_day import app

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


def test_an_unknown_profile_is_one_line_and_exit_2() -> None:
    """The line names what there is."""
    said = CliRunner().invoke(app, ["--profile", "doomsday"])
    assert said.exit_code == 2
    assert said.stderr.count("\n") == 1
    assert "day_2017" in said.stderr
