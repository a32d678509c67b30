"""Every example scenario shows what it says it shows."""

import re
from pathlib import Path

import pytest

from simulator.scenarios.running import run_scenario
from simulator.scenarios.scenario import load_scenario, read_scenario, write_scenario

FOLDER = Path(__file__).parents[3] / "scenarios"
EXAMPLES = sorted(FOLDER.glob("*.yaml"))
PAGE = Path(__file__).parents[3] / "docs" / "scenarios.md"
NAMED = {*(f"F{number}" for number in range(1, 10)), "F15", "F16", "F18", "F20", "F21"}
"""Faults of money that must each have a scenario."""


def fault_rows() -> dict[str, set[str]]:
    """Return the page's table of the fault catalogue: the files of each fault."""
    return {fault: files for fault, (files, _) in named_rows().items()}


def named_rows() -> dict[str, tuple[set[str], set[str]]]:
    """Return the files of each fault, and those of them that are for virtual time only."""
    rows = (line.split("|") for line in PAGE.read_text(encoding="utf-8").splitlines())
    found = (row for row in rows if len(row) == 6 and re.fullmatch(r" F\d+ ", row[1]))
    return {row[1].strip(): (_files(row[3]), _files(row[4])) for row in found}


def _files(cell: str) -> set[str]:
    return set(re.findall(r"`([a-z0-9-]+)`", cell))


def test_there_are_examples_of_the_fault_catalogue() -> None:
    """The folder is found, and holds a story for the faults people ask about first."""
    assert len(EXAMPLES) >= 10
    assert {"answer-lost-after-the-charge", "disk-full"} <= {path.stem for path in EXAMPLES}


def test_every_named_fault_has_a_scenario_that_says_so() -> None:
    """The page's table names files that exist, and each says in its first lines which fault it
    shows; no file that names a fault is missing in the table."""
    rows = fault_rows()
    assert set(rows) >= NAMED
    said = {
        path.stem: set(
            re.findall(r"\bF\d+\b", path.read_text(encoding="utf-8").split("scenario:")[0])
        )
        for path in EXAMPLES
    }
    for fault, files in rows.items():
        assert {name for name in files if fault not in said[name]} == set(), fault
    for name, faults in said.items():
        assert faults <= {fault for fault, files in rows.items() if name in files}, name


@pytest.mark.simulation
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_example_comes_as_it_says(path: Path) -> None:
    """Every expectation of the file is met; the file's name is the scenario's."""
    scenario = load_scenario(path)
    outcome = run_scenario(scenario)
    assert [f"{each.what}: {each.seen}" for each in outcome.checks if not each.ok] == []
    assert (scenario.name, outcome.findings) == (path.stem, ())
    assert scenario.shows_en
    assert scenario.shows_zh


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_example_written_again_is_the_same_scenario(path: Path) -> None:
    """The writer says all that people wrote by hand."""
    scenario = load_scenario(path)
    assert read_scenario(write_scenario(scenario)) == scenario
