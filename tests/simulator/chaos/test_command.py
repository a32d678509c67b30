"""The chaos command finds a known bug, ends when it is told to, and refuses what it cannot use."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.simulator.chaos.running import PROGRAM, chaos, figures, still_running

pytestmark = [pytest.mark.kill, pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(900)]
CANARY = "numbers_begin_again"
"""A lane that numbers its passages from 1 after a restart. Nothing of it shows until a lane is
killed with traffic before and after: the faults have to find it."""
SEED = "22"
"""Kills the lane between its first cars and its last."""


def test_a_known_bug_is_found_by_the_faults(tmp_path: Path) -> None:
    """A killed lane uses numbers twice: that is told of record and order, and the run is kept."""
    home = tmp_path / "c"
    done = chaos(
        *("--minutes", "0.3", "--seed", SEED, "--lanes", "1", "--rest", "40"),
        *("--canary", CANARY, "--dir", str(home)),
    )
    assert done.returncode == 1, done.stderr[-4_000:]
    subject = figures(done)
    broken = {rule for rule, count in subject["violations"].items() if count}
    assert "M6" in broken, done.stderr[-4_000:]
    assert broken <= {"M1", "M4", "M6"}, done.stderr[-4_000:]
    assert subject["restarts"]["lane 001"] >= 1
    found = (home / "findings.txt").read_text()
    assert re.search(r"lane: passage \d{21} has 2 records", found), found
    assert (home / "lane-001" / "journal.db").exists()
    assert still_running(home) == []


def test_a_run_that_is_told_to_end_leaves_nothing_behind(tmp_path: Path) -> None:
    """SIGINT in the middle of the faults: every process ends, no file system stays mounted."""
    home = tmp_path / "c"
    with subprocess.Popen(
        [*PROGRAM, "--minutes", "5", "--lanes", "1", "--dir", str(home)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        end = time.monotonic() + 60
        while not (home / "actions.jsonl").exists():
            assert process.poll() is None
            assert time.monotonic() < end, "no action was ever done"
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(timeout=40) == 130
    assert still_running(home) == []
    assert str(home) not in Path("/proc/mounts").read_text()


def test_bad_input_is_one_line(tmp_path: Path) -> None:
    """A folder that holds an earlier run is refused."""
    (tmp_path / "plaza").mkdir()
    done = chaos("--minutes", "1", "--dir", str(tmp_path))
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == (
        f"toll-sim chaos: {tmp_path}: holds an earlier run; choose another --dir"
    )
