"""toll-dash as a command: bad options, and its end."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dashboards.main import main
from tests.browser import rig
from tests.programs import called

pytestmark = [pytest.mark.wire, pytest.mark.slow]
GOOD = ["--plaza", "330101", "--broker-url", "mqtt://127.0.0.1:9", "--port", "0"]


def run(*arguments: str, flags: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run toll-dash to its end, as a program."""
    return subprocess.run(
        [sys.executable, *flags, "-m", "dashboards.main", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (["--plaza", "12"], "--plaza"),
        (["--broker-url", "http://127.0.0.1"], "--broker-url"),
        (["--broker-password-file", "/nowhere"], "/nowhere: cannot be read"),
        (["--host", "192.0.2.1"], "192.0.2.1"),
    ],
)
def test_a_wrong_option_is_one_line(changed: list[str], words: str) -> None:
    """Exit code 2, and what is wrong where."""
    done = called(main, *GOOD, *changed)
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_assertions_may_not_be_switched_off() -> None:
    """The option -O is refused."""
    assert "never run with -O" in run(*GOOD, flags=("-O",)).stderr


def test_it_ends_well_when_told(tmp_path: Path) -> None:
    """SIGTERM ends it with exit code 0, with or without a broker."""
    prepared, broker_process, port = rig.start_broker(tmp_path)
    process, _ = rig.start_page(tmp_path, prepared, port)
    broker_process.kill()
    broker_process.wait(timeout=10)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 0
