"""The command line as processes: one line on bad input, a clean stop, nothing lost by a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lane_controller.main import main
from lane_controller.shell.staff import hash_pin
from lane_controller.store import open_journal
from tests.lane_controller.journals import drive
from tests.lane_controller.test_config import EXAMPLE, PUBLIC
from tests.programs import called

pytestmark = pytest.mark.wire
LANE = [sys.executable, "-m", "lane_controller.main"]
WAIT_S = 60


def program(*words: str, python: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run one command to its end, as a program."""
    command = [sys.executable, *python, *LANE[1:], *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=False)


def lane(*words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    """Run one command to its end in this process; *typed* comes from its standard input."""
    return called(main, *words, typed=typed)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The example's lane file with ports nobody listens on, and one person."""
    (tmp_path / "lane-001.token").write_text("a-token")
    (tmp_path / "broker.password").write_text("geheim")
    (tmp_path / "plaza-key.json").write_text(json.dumps(PUBLIC))
    text = EXAMPLE.replace("192.168.1.20:502", "127.0.0.1:1").replace("192.168.1.30", "127.0.0.1")
    text = text.replace("0.0.0.0:8901", "127.0.0.1:0").replace(":9101", ":0")
    text = text.replace(":8080", ":1").replace(":1883", ":1")
    person = f'[[operator.people]]\noperator = "101"\npin_hash = "{hash_pin("4711")}"\n\n[metrics]'
    path = tmp_path / "lane.toml"
    path.write_text(text.replace("[metrics]", person))
    return path


@pytest.fixture
def running(file: Path) -> Iterator[subprocess.Popen[str]]:
    """A lane process."""
    with subprocess.Popen(
        [*LANE, "run", "--die-with-parent", str(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.kill()


def serving(process: subprocess.Popen[str]) -> dict[str, object]:
    """Return the line a lane prints when it serves."""
    assert process.stdout is not None
    return dict(json.loads(process.stdout.readline()))


def test_optimised_python_is_refused(file: Path) -> None:
    """Without assertions nothing runs."""
    done = program("check-config", str(file), python=("-O",))

    assert done.returncode != 0
    assert done.stderr.count("\n") == 1
    assert "-O" in done.stderr


def test_good_file_is_told(file: Path) -> None:
    """A good file ends with 0 and names the lane."""
    done = program("check-config", str(file))

    assert done.returncode == 0, done.stderr
    assert "lane 001" in done.stdout


@pytest.mark.parametrize("command", ["run", "check-config", "doctor"])
def test_bad_file_is_one_line(tmp_path: Path, command: str) -> None:
    """A bad file ends with one line on stderr and not with a trace."""
    path = tmp_path / "lane.toml"
    path.write_text("[lane]\nplaza = 5\n")
    done = lane(command, str(path))

    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "lane.toml: key" in done.stderr


def test_stop_is_clean_and_the_booth_works_alone(
    file: Path, running: subprocess.Popen[str]
) -> None:
    """Without plaza, broker and devices the lane serves its booth; SIGTERM ends it with 0."""
    said = serving(running)
    assert said["lane"] == "001"
    assert said["pid"] == running.pid
    socket = str(said["operator_socket"])
    status = lane("attend", "--socket", socket, "status")
    signed = ("attend", "--socket", socket, "--operator", "101", "--pin")
    closed = lane(*signed, "4711", "close_lane", "--json")
    wrong = lane(*signed, "0000", "open_lane")
    unknown = lane(*signed, "4711", "explode")
    talk = lane(*signed, "4711", typed="open_lane reason=a long day\nexplode\n")
    running.send_signal(signal.SIGTERM)

    assert running.wait(WAIT_S) == 0
    assert "lane 001 | open" in status.stdout
    assert json.loads(closed.stdout)["outcome"] == "confirmed"
    assert (wrong.returncode, unknown.returncode) == (2, 2)
    assert "cash_begin" in unknown.stderr
    assert talk.returncode == 0
    assert "confirmed" in talk.stdout
    assert talk.stdout.count("lane 001 | open |") == 2
    assert "unknown" in talk.stderr
    assert running.stderr is not None
    logged = running.stderr.read()
    assert '"event": "raise"' not in logged
    assert "geheim" not in logged
    replayed = lane("replay", "--json", str(file.parent / "var" / "lane-001.db"))
    assert replayed.returncode == 0
    lines = [json.loads(line) for line in replayed.stdout.splitlines()]
    assert lines
    assert all(line["same"] is True for line in lines)


@pytest.mark.kill
def test_killed_lane_starts_again_from_its_journal(
    file: Path, running: subprocess.Popen[str]
) -> None:
    """After kill -9 the lane is as it was, and a second process is refused while it runs."""
    said = serving(running)
    second = program("run", str(file))
    assert second.returncode == 2
    assert "another process holds it" in second.stderr
    socket = str(said["operator_socket"])
    lane("attend", "--socket", socket, "--operator", "101", "--pin", "4711", "close_lane")
    os.kill(running.pid, signal.SIGKILL)
    running.wait(WAIT_S)

    with subprocess.Popen(
        [*LANE, "run", str(file)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as again:
        serving(again)
        status = lane("attend", "--socket", socket, "--json", "status")
        again.terminate()
        assert again.wait(WAIT_S) == 0

    assert json.loads(status.stdout)["mode"] == "closed"


def test_replay_of_a_changed_journal_fails(tmp_path: Path) -> None:
    """A difference ends with 1 and is named; no journal ends with 2."""
    from pysqlite3 import dbapi2

    path = tmp_path / "lane.db"
    store = open_journal(f"sqlite:///{path}", ballast_bytes=4096)
    drive(store)
    store.close()
    raw = dbapi2.connect(str(path))
    with raw:
        raw.execute("UPDATE events SET digest = 'x'")
    raw.close()

    done = lane("replay", str(path))
    assert done.returncode == 1
    assert "first difference at event 1 (Started)" in done.stdout
    assert lane("replay", str(tmp_path / "none.db")).returncode == 2
    assert lane("attend", "--socket", str(tmp_path / "none"), "status").returncode == 2
