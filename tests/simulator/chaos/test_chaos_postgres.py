"""toll-sim chaos on a PostgreSQL of its own, with two plaza processes."""

from pathlib import Path

import pytest

from tests.simulator.chaos.running import chaos, figures, still_running

pytestmark = [pytest.mark.postgres, pytest.mark.slow, pytest.mark.timeout(600)]


def test_two_plaza_processes_live_through_a_database_that_restarts(tmp_path: Path) -> None:
    """Traffic, kills and cuts meanwhile: no rule is broken, and everything ends."""
    home = tmp_path / "c"
    done = chaos(
        *("--minutes", "0.5", "--seed", "3", "--lanes", "2", "--postgres", "--dir", str(home))
    )
    assert done.returncode == 0, done.stderr[-4_000:]
    subject = figures(done)
    assert not any(subject["violations"].values()), done.stderr[-4_000:]
    assert subject["at_rest"]
    assert subject["open_orders"] == subject["unsent_records"] == 0
    assert subject["restarts"]["database"] >= 1
    assert "plaza 2" in subject["restarts"]
    assert subject["vehicles"] >= 8
    assert still_running(home) == []
