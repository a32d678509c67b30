"""The demo as a command: a whole plaza in real processes, judged from outside."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

RULES = [*(f"M{n}" for n in range(1, 8)), *(f"B{n}" for n in range(1, 5)), "A1", "A2", "A3"]
pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(900)]


def command(directory: Path, *more: str) -> list[str]:
    """The command line of a run whose files are below *directory*."""
    return [sys.executable, "-m", "simulator.cli", "demo", "--dir", str(directory), *more]


def still_running(directory: Path) -> list[str]:
    """Command lines of processes that name *directory*."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except (OSError, UnicodeDecodeError):
                continue
            if str(directory) in line:
                found.append(line)
    return found


def until(holds: Callable[[], Any], *, within_s: float) -> Any:
    """Return the first value of *holds* that is not false."""
    end = time.monotonic() + within_s
    while not (value := holds()):
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)
    return value


@contextmanager
def running(directory: Path, *more: str) -> Iterator[subprocess.Popen[str]]:
    """A demo with its messages in a file beside its folder."""
    messages = directory.with_suffix(".err")
    with (
        messages.open("w") as errors,
        subprocess.Popen(
            command(directory, *more), stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def lane_pid(directory: Path, lane: str) -> int | None:
    """The process id a lane printed when it came up."""
    log = directory / "logs" / f"lane-{lane}.log"
    lines = log.read_text().splitlines() if log.exists() else []
    pids = [json.loads(line)["pid"] for line in lines if line.startswith('{"lane"')]
    return pids[-1] if pids else None


def judged(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The closing line of a run that went well."""
    said, _ = process.communicate(timeout=280)
    assert process.returncode == 0
    return dict(json.loads(said.splitlines()[-1]))


@pytest.mark.wire
def test_a_judged_run_is_clean(tmp_path: Path) -> None:
    """Four vehicles over two lanes: all out, all tenders seen, no violation, nobody left over."""
    home = tmp_path / "run"
    with running(home, "--headless", "--vehicles", "4", "--lanes", "2", "--json") as process:
        figures = judged(process)
    assert figures["vehicles"] == 4
    assert figures["by_tender"] == {
        "alipay": 1,
        "wechat": 1,
        "unionpay": 0,
        "cash": 1,
        "etc": 1,
    }
    assert figures["open_orders"] == figures["unsent_records"] == 0
    assert list(figures["violations"]) == RULES
    assert not any(figures["violations"].values())
    assert figures["scan_to_raise_ms"]["p50"] >= 600
    assert figures["scan_to_boom_up_ms"]["p50"] > figures["scan_to_raise_ms"]["p50"]
    assert figures["scan_to_raise_ms"]["p99"] is None
    assert figures["platform_ms"]["p50"] >= 600
    assert still_running(home) == []
    assert (home / "plaza" / "plaza.db").exists()


@pytest.mark.kill
def test_a_killed_lane_is_started_again_and_its_vehicles_leave(tmp_path: Path) -> None:
    """kill -9 of a lane: said, started again, and the run is as clean as any."""
    home = tmp_path / "run"
    with running(home, "--headless", "--vehicles", "2", "--lanes", "1", "--json") as process:
        first = until(lambda: lane_pid(home, "001"), within_s=90)
        os.kill(first, signal.SIGKILL)
        figures = judged(process)
    messages = home.with_suffix(".err").read_text()
    assert "lane 001 ended (SIGKILL); starting it again" in messages
    assert "lane 001 is back" in messages
    assert lane_pid(home, "001") != first
    assert figures["vehicles"] == 2
    assert not any(figures["violations"].values())


@pytest.mark.wire
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C while parts still start: every child ends, exit code says so."""
    home = tmp_path / "run"
    with running(home, "--lanes", "1", "--page-port", "0") as process:
        until((home / "logs" / "broker.log").exists, within_s=60)
        process.send_signal(number)
        assert process.wait(timeout=60) == 0
    assert still_running(home) == []


def who_may_sign_in(directory: Path) -> str:
    """Return the role of the token a watched demo told, as its plaza says."""
    told = directory.with_suffix(".err").read_text()
    token = re.search(r"token to sign in at the page: *(\S+)", told)
    plaza = re.search(r'"url": "(http://[^"]+)"', (directory / "logs" / "plaza.log").read_text())
    assert token
    assert plaza
    asked = Request(f"{plaza[1]}/v1/operators/me", headers={"Authorization": f"Bearer {token[1]}"})
    with urlopen(asked, timeout=10) as answer:
        return str(json.load(answer)["role"])


@pytest.mark.kill
def test_a_killed_demo_leaves_no_process_behind(tmp_path: Path) -> None:
    """kill -9 of the supervisor takes every child with it. Until then somebody can sign in."""
    home = tmp_path / "run"
    with running(home, "--lanes", "1", "--page-port", "0") as process:
        until(lambda: lane_pid(home, "001"), within_s=90)
        assert who_may_sign_in(home) == "shift_leader"
        process.kill()
        process.wait(timeout=10)
        until(lambda: not still_running(home), within_s=20)


@pytest.mark.wire
def test_a_used_folder_is_refused_in_one_line(tmp_path: Path) -> None:
    """An earlier run is never written over."""
    (tmp_path / "plaza").mkdir()
    done = subprocess.run(
        command(tmp_path, "--headless"), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == f"toll-sim demo: {tmp_path}: holds an earlier run; choose another --dir\n"


@pytest.mark.wire
def test_a_folder_too_deep_for_sockets_is_refused_in_one_line(tmp_path: Path) -> None:
    """A unix socket's name has 107 bytes."""
    deep = tmp_path / ("d" * 120)
    done = subprocess.run(
        command(deep, "--headless"), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "choose a shorter --dir" in done.stderr
    assert len(done.stderr.splitlines()) == 1
