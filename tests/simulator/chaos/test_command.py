"""The chaos command finds a known bug, ends when it is told to, and refuses what it cannot use."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.simulator.chaos.running import PROGRAM, chaos, figures, still_running

pytestmark = [pytest.mark.kill, pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(200)]
CANARY = "code_kept_in_clear"
"""A lane that writes a pay code into its journal. It shows with the first scan, whatever a busy
machine makes of the faults, and only to who reads every file of the run as bytes."""


def test_a_known_bug_is_found(tmp_path: Path) -> None:
    """The lane's planted bug breaks its rule and no other, and the run is kept."""
    home = tmp_path / "c"
    done = chaos(
        *("--minutes", "0.2", "--seed", "1", "--lanes", "1"),
        *("--canary", CANARY, "--dir", str(home)),
    )
    assert done.returncode == 1, done.stderr[-4_000:]
    subject = figures(done)
    broken = {rule for rule, count in subject["violations"].items() if count}
    assert broken == {"M7"}, done.stderr[-4_000:]
    assert subject["at_rest"]
    assert "lane-001/journal.db" in (home / "findings.txt").read_text()
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


def test_a_canary_nobody_knows_is_one_line_that_names_the_known(tmp_path: Path) -> None:
    """The process that was to be planted says it, and everything ends."""
    home = tmp_path / "c"
    done = chaos("--minutes", "1", "--canary", "none_such", "--dir", str(home))
    assert done.returncode == 2
    first = done.stderr.splitlines()[0]
    assert first.startswith("toll-sim chaos: plaza ended at its start")
    assert "there is no canary none_such" in first
    assert CANARY in first
    assert still_running(home) == []
