"""toll-sim's command line."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.cli import main
from tests.programs import called

pytestmark = [pytest.mark.wire, pytest.mark.slow]
COMMANDS = (
    *("demo", "platforms", "site", "broker"),
    *("fuzz", "day", "scenario", "scenario-from", "chaos"),
)
COMMAND = [sys.executable, "-c", "from simulator.cli import main; main()"]


def run(*arguments: str, python: list[str] = COMMAND) -> subprocess.CompletedProcess[str]:
    """Run toll-sim to its end, as a program."""
    return subprocess.run(
        [*python, *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_help_names_every_command() -> None:
    """Each with what it does."""
    said = run("--help").stdout
    for words in (*COMMANDS, "Run a toll plaza whole"):
        assert words in said


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str) -> None:
    """--help of a command is its own."""
    done = called(main, name, "--help")
    assert done.returncode == 0
    assert "--help" in done.stdout


def test_assertions_may_not_be_switched_off() -> None:
    """The option -O is refused in one line."""
    done = run("--help", python=[sys.executable, "-O", *COMMAND[1:]])
    assert done.returncode == 2
    assert done.stderr == "toll-sim: never run with -O: assertions guard money\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("demo", "--lanes", "9"), "--lanes"),
        (("demo", "--headless", "--vehicles", "0"), "--vehicles"),
        (("broker", "--plaza", "12"), "--plaza: not six digits"),
        (("site", "--config", "/nowhere.json"), "/nowhere.json"),
    ],
)
def test_wrong_options_are_refused(arguments: tuple[str, ...], words: str) -> None:
    """Exit code 2, and the option or file is named."""
    done = called(main, *arguments)
    assert done.returncode == 2
    assert words in done.stderr


def test_broker_becomes_the_server_and_ends_with_its_parent(tmp_path: Path) -> None:
    """One line of JSON, then nats-server under the same process id; SIGTERM ends it."""
    arguments = ("broker", "--lanes", "1", "--dir", str(tmp_path))
    with subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        facts = json.loads(process.stdout.readline())
        assert facts["pid"] == process.pid
        users = json.loads(Path(facts["users_file"]).read_text())
        assert {user["name"] for user in users} == {"plaza", "lane-001", "page", "tap"}
        for line in process.stderr:
            if "Server is ready" in line:
                break
        handle = os.pidfd_open(process.pid)
        process.send_signal(signal.SIGTERM)
        assert select.select([handle], [], [], 10)[0]
        os.close(handle)
