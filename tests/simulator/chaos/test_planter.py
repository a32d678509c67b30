"""What may be planted is known, and refused, before anything of a run is there."""

from pathlib import Path

from simulator.canaries import CANARIES
from simulator.chaos import planter as subject
from simulator.chaos.command import app
from tests.programs import called


def test_the_known_names_are_those_of_the_bugs() -> None:
    """The table is read in place of the bugs themselves; it has each of them."""
    assert subject.known() == tuple(sorted(CANARIES))


def test_a_bug_nobody_knows_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    """One line that names the known ones, exit 2, no folder."""
    home = tmp_path / "c"
    done = called(app, "--canary", "none_such", "--dir", str(home))
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"toll-sim chaos: --canary none_such: one of {subject.known()[0]}, ")
    assert "[" not in line
    assert not home.exists()
