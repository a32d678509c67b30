"""``toll-sim fuzz`` as people and scripts use it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.auditor import CHECKS
from simulator.canaries import planted
from simulator.scenarios.running import run_scenario
from simulator.scenarios.scenario import load_scenario

ROOT = Path(__file__).parents[3]
pytestmark = [pytest.mark.simulation, pytest.mark.timeout(300)]
RUN = [
    sys.executable,
    "-c",
    "from simulator.fuzz.command import app\nif __name__ == '__main__':\n    app(prog_name='x')",
]


def fuzz(*options: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        [*RUN, *options], cwd=ROOT, capture_output=True, text=True, check=False, timeout=280
    )


def test_the_last_line_is_one_json_object_and_a_clean_range_exits_0() -> None:
    """Exactly the names of the contract come first; nothing else is on stdout."""
    done = fuzz("--seeds", "1..3", "--vehicles", "2", "--json", "--jobs", "2")
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    figures = json.loads(line)
    assert (figures["seeds"], figures["failing_seeds"]) == (3, [])
    assert figures["vehicles"] == 6
    assert set(figures["violations"]) == {*CHECKS, "LIVENESS", "CRASH"}
    assert 0 < figures["pairs_reached"] < figures["pairs_total"]
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--seeds", "9..3"], "3 is before 9"),
        (["--seeds", "x"], "write A..B"),
        (["--seeds", "1..9999999"], "more than 1000000 seeds at once"),
        (["--seeds", "1", "--faults", "zero"], "write places such as 0,3"),
        (["--seeds", "1", "--cars", "99"], "the seed has cars 1.."),
        (["--seeds", "1..2", "--cars", "1"], "are of one seed"),
        (["--seeds", "1", "--canary", "nightingale"], "one of boom_fault_not_told"),
        (["--seeds", "1", "--save", "found.txt"], "name it .yaml, a scenario, or .toml"),
        (["--seeds", "1", "--save", "nowhere/found.yaml"], "there is no folder nowhere"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(options: list[str], said: str) -> None:
    """It names the option and what to write."""
    done = fuzz(*options)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert said in line
    assert done.stdout == ""


def test_a_canary_fails_is_made_smaller_told_and_kept(tmp_path: Path) -> None:
    """Exit 1, one command that repeats it, a timeline, and a file for the regressions."""
    kept = tmp_path / "found.toml"
    planted = ("--canary", "code_kept_in_clear", "--seeds", "1..200", "--vehicles", "3")
    done = fuzz(*planted, "--stop-at-first", "--json", "--jobs", "1", "--save", str(kept))
    assert done.returncode == 1
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["failing_seeds"] == [1]
    assert "toll-sim fuzz --seeds 1 --vehicles 3 --faults none --cars" in done.stderr
    assert "drives into the lane" in done.stderr
    assert 'rule = "M7"' in kept.read_text(encoding="utf-8")


def test_what_is_left_of_a_seed_is_kept_as_a_scenario(tmp_path: Path) -> None:
    """Run as a scenario it fails while the bug is there, and passes without it."""
    kept = tmp_path / "found.yaml"
    options = ("--canary", "code_kept_in_clear", "--seeds", "1", "--vehicles", "3")
    done = fuzz(*options, "--jobs", "1", "--save", str(kept))
    assert done.returncode == 1
    assert f"kept in {kept}: run it by toll-sim scenario {kept}" in done.stderr
    subject = load_scenario(kept)
    assert subject.expected.violations == {"M7": 0}
    assert run_scenario(subject).ok
    with planted("code_kept_in_clear"):
        (failed,) = [check for check in run_scenario(subject).checks if not check.ok]
    assert (failed.what, failed.seen.split()[0]) == ("no rule is broken", "M7")


def test_never_reached_pairs_are_listed_with_their_reasons() -> None:
    """One line each, before the figures."""
    done = fuzz("--seeds", "1", "--vehicles", "2", "--pairs")
    never = [line for line in done.stdout.splitlines() if line.startswith("never reached: ")]
    assert len(never) > 100


def test_interrupted_it_says_how_far_it_came() -> None:
    """SIGINT: exit 130, one line, the figures so far, and no trace."""
    process = subprocess.Popen(
        [*RUN, "--seeds", "1..5000", "--vehicles", "2", "--json", "--jobs", "1"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while _cpu_s(process.pid) < 6:
        assert process.poll() is None
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "of 5000 seeds" in err
    assert "Traceback" not in err
    assert json.loads(out)["seeds"] >= 1


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
