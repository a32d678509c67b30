"""Bugs that seeds have found, each as the smallest world it was seen in: they stay away."""

from pathlib import Path

import pytest

from simulator.fuzz.frozen import read_regression
from simulator.fuzz.run import run_config

FILES = sorted((Path(__file__).parent / "regressions").glob("*.toml"))


def test_each_file_says_in_one_line_what_it_was() -> None:
    """A sentence for whoever meets the bug again, and a world of its own."""
    assert FILES
    for path in FILES:
        subject = read_regression(path)
        assert len(subject.what) > 20, path.name
        assert "\n" not in subject.what
        assert subject.command.startswith("toll-sim fuzz --seeds ")


@pytest.mark.simulation
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_bug_once_found_stays_away(path: Path) -> None:
    """The world it was found in is clean."""
    subject = read_regression(path)
    assert run_config(subject.seed, subject.world).findings == (), subject.what
