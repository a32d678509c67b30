"""Every example scenario shows what it says it shows."""

from pathlib import Path

import pytest

from simulator.scenarios.running import run_scenario
from simulator.scenarios.scenario import load_scenario, read_scenario, write_scenario

FOLDER = Path(__file__).parents[3] / "scenarios"
EXAMPLES = sorted(FOLDER.glob("*.yaml"))


def test_there_are_examples_of_the_fault_catalogue() -> None:
    """The folder is found, and holds a story for the faults people ask about first."""
    assert len(EXAMPLES) >= 10
    assert {"answer-lost-after-the-charge", "disk-full"} <= {path.stem for path in EXAMPLES}


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
