"""``toll-sim platforms`` as a process: what it prints, how it ends."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simulator.stack.nursery import Child
from simulator.stack.part import until
from tests.programs import nursery

pytestmark = [pytest.mark.wire, pytest.mark.slow]

COMMAND = [sys.executable, "-m", "simulator.cli_platforms", "--json", "--latency-ms", "0"]
PARENT = (
    "import subprocess, sys; "
    "child = subprocess.Popen(sys.argv[1:], stdout=sys.stdout); "
    "sys.stdin.read()"
)


@pytest.fixture
def forked(tmp_path: Path) -> Iterator[tuple[Child, dict[str, Any]]]:
    """As ``subject``, a fork of a process that has the imports."""
    out = tmp_path / "out"
    words = ("platforms", "--json", "--latency-ms", "0", "--keys-dir", str(tmp_path / "keys"))
    process = nursery().start("simulator.cli", *words, out=out, log=tmp_path / "errors")
    line = until(lambda: out.read_text().partition("\n")[0], "the platforms", 60)
    yield process, json.loads(line)
    process.kill()


@pytest.fixture
def subject(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """A running process and the line it printed."""
    command = [*COMMAND, "--keys-dir", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())
        process.kill()


def gone(pid: int, within_s: float) -> bool:
    """Return whether a process ends in time, watched through its process handle."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], within_s)[0])
    finally:
        os.close(handle)


def test_one_line_of_json_says_where_and_with_which_keys(
    subject: tuple[subprocess.Popen[str], dict[str, Any]], tmp_path: Path
) -> None:
    """Addresses, ids, key files and control addresses of all three, Alipay's at the top too; and
    the control addresses answer."""
    process, facts = subject
    alipay = {
        "platform",
        "url",
        "app_id",
        "seller_id",
        "app_private_key_file",
        "alipay_public_key_file",
        "control_url",
    }
    assert set(facts) == {*alipay, "pid", "platforms"}
    assert set(facts["platforms"]) == {"alipay", "wechat", "unionpay"}
    assert set(facts["platforms"]["alipay"]) == alipay
    for name, known in facts["platforms"].items():
        with urllib.request.urlopen(known["control_url"] + "/status", timeout=5) as answer:
            assert json.load(answer)["platform"] == name
        files = [Path(value) for key, value in known.items() if key.endswith("_file")]
        assert len(files) >= 2
        assert all(file.is_file() and file.is_relative_to(tmp_path.resolve()) for file in files)
    assert facts["pid"] == process.pid
    assert facts["url"].startswith("http://127.0.0.1:")
    assert Path(facts["app_private_key_file"]).parent == tmp_path.resolve()
    with urllib.request.urlopen(facts["control_url"] + "/status", timeout=5) as answer:
        assert json.load(answer)["app_id"] == facts["app_id"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_cleanly_when_told(
    forked: tuple[Child, dict[str, Any]], number: signal.Signals
) -> None:
    """SIGTERM and Ctrl-C end it with exit code 0."""
    process, _ = forked
    process.kill(number)
    assert process.wait() == 0


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    """A parent killed without warning takes the platform with it."""
    command = [sys.executable, "-c", PARENT, *COMMAND, "--keys-dir", str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as parent:  # type: ignore[call-overload]
        facts = json.loads(parent.stdout.readline())
        parent.kill()
        assert gone(facts["pid"], 10)


def test_a_taken_port_is_one_clear_line(
    forked: tuple[Child, dict[str, Any]], tmp_path: Path
) -> None:
    """Exit code 2 and a line that names the port."""
    port = forked[1]["url"].split(":")[2].split("/")[0]
    words = ("platforms", "--json", "--port", port, "--keys-dir", str(tmp_path / "keys"))
    out, errors = tmp_path / "second", tmp_path / "second errors"
    done = nursery().start("simulator.cli", *words, out=out, log=errors)
    assert done.wait(30) == 2
    assert port in errors.read_text()
    assert len(errors.read_text().strip().splitlines()) == 1
    assert out.read_text() == ""


def test_keys_nobody_asked_to_keep_go_with_the_process() -> None:
    """Without a directory named, the key files live as long as the platform does."""
    with subprocess.Popen(COMMAND, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        facts = json.loads(process.stdout.readline())
        key_file = Path(facts["app_private_key_file"])
        assert key_file.stat().st_mode & 0o777 == 0o600
        process.terminate()
        assert process.wait(timeout=10) == 0
    assert not key_file.exists()
