"""``toll-sim scenario`` and ``scenario-from`` as people call them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
pytestmark = [pytest.mark.simulation]
GOOD = "scenario: 1\nseed: 5\nvehicles:\n  - {at: 4s}\nexpect:\n  tenders: {alipay: 1}\n"


def call(*arguments: str | Path, program: str = "app") -> subprocess.CompletedProcess[str]:
    """Run the command and return what it said."""
    code = f"from simulator.scenarios.command import {program} as app; app()"
    command = [sys.executable, "-c", code, *(str(each) for each in arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_scenario_that_comes_as_it_says_exits_0(tmp_path: Path) -> None:
    """Each expectation is a line; the last line is one JSON object."""
    path = tmp_path / "good.yaml"
    path.write_text(GOOD, encoding="utf-8")
    done = call(path, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert "  ok      tenders are alipay 1" in done.stdout
    last = json.loads(done.stdout.splitlines()[-1])
    assert (last["scenario"], last["ok"], last["vehicles"]) == ("good", True, 1)
    assert {"what": "tenders are alipay 1", "ok": True, "seen": "alipay 1"} in last["expectations"]
    assert last["violations"]["M1"] == 0
    assert len(last["trace_hash"]) == 32


def test_an_expectation_that_is_not_met_exits_1_and_tells_the_run(tmp_path: Path) -> None:
    """Of several files one fails: it is told with its timeline, the others in short."""
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(GOOD, encoding="utf-8")
    bad.write_text(GOOD.replace("alipay", "cash"), encoding="utf-8")
    done = call(good, bad, "--json")
    assert done.returncode == 1
    assert "  FAILED  tenders are cash 1 (seen: alipay 1)" in done.stdout
    assert done.stdout.count("vehicle 1 drives into the lane") == 1
    last = json.loads(done.stdout.splitlines()[-1])
    assert [each["ok"] for each in last["scenarios"]] == [True, False]


def test_a_refused_file_exits_2_and_nothing_runs(tmp_path: Path) -> None:
    """Every problem of every file is one line on standard error, with file and line."""
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(GOOD, encoding="utf-8")
    bad.write_text("scenario: 1\nvehicles:\n  - {at: 4}\nfoo: 3\n", encoding="utf-8")
    done = call(good, bad, tmp_path / "none.yaml")
    assert (done.returncode, done.stdout) == (2, "")
    lines = done.stderr.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith(f"{bad}:3: `4` is no duration")
    assert lines[1].startswith(f"{bad}:4: key `foo` is unknown")
    assert lines[2].startswith(f"{tmp_path / 'none.yaml'}: cannot be read")


def test_no_file_is_one_line() -> None:
    """Whoever calls it bare is told how to call it."""
    done = call()
    assert (done.returncode, done.stderr) == (
        2,
        "toll-sim scenario: which file? toll-sim scenario FILE...\n",
    )


def test_no_journal_is_one_line(tmp_path: Path) -> None:
    """A file that is no journal, or none at all, ends with one line."""
    text = tmp_path / "text.db"
    text.write_text("this is no database, whatever its name", encoding="utf-8")
    for path in (text, tmp_path / "none.db"):
        done = call(path, program="from_app")
        assert done.returncode == 2
        assert done.stderr.startswith("toll-sim scenario-from: ")
        assert len(done.stderr.splitlines()) == 1
