"""Children: ready, started again, given up, gone with their parent."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.demo.children import Child, ChildFailedError, Spec, json_line

pytestmark = [pytest.mark.wire, pytest.mark.slow]
SAYS = "import json, signal; print(json.dumps({'url': 'x'}), flush=True); signal.pause()"


def child(tmp_path: Path, code: str, said: list[str] | None = None) -> Child:
    """A child that runs *code*."""
    return Child(
        spec=Spec(name="lane 001", argv=(sys.executable, "-c", code), read_ready=json_line("url")),
        log=tmp_path / "child.log",
        tell=(said if said is not None else []).append,
    )


async def until(done: asyncio.Event) -> None:
    """Wait for an event, not for ever."""
    async with asyncio.timeout(20):
        await done.wait()


@pytest.mark.asyncio
async def test_a_child_is_up_when_it_says_so(tmp_path: Path) -> None:
    """start returns what the child printed; stop ends it."""
    subject = child(tmp_path, SAYS)
    assert await subject.start() == {"url": "x"}
    pid = subject.pid
    assert pid is not None
    await subject.stop()
    assert subject.pid is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.asyncio
async def test_a_killed_child_is_started_again_and_that_is_said(tmp_path: Path) -> None:
    """Another process, ready again; both facts are told."""
    said: list[str] = []
    subject = child(tmp_path, SAYS, said)
    again = asyncio.Event()
    await subject.start()
    first = subject.pid
    assert first is not None
    subject.on_up = lambda _: again.set()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(subject.keep(), name="keep")
        os.kill(first, signal.SIGKILL)
        await until(again)
        assert subject.pid not in (None, first)
        assert len(subject.starts) == 2
        await subject.stop()
    assert said[0] == "lane 001 ended (SIGKILL); starting it again"
    assert "lane 001 is back" in said


@pytest.mark.asyncio
async def test_a_child_that_refuses_its_input_is_given_up_with_its_own_words(
    tmp_path: Path,
) -> None:
    """Exit code 2: one line with what it said last."""
    subject = child(tmp_path, "import sys; sys.exit('lane.toml: key plaza.url is missing')")
    with pytest.raises(ChildFailedError, match=r"lane 001 ended .* key plaza.url is missing"):
        await subject.start()


@pytest.mark.asyncio
async def test_a_child_that_ends_again_and_again_is_given_up(tmp_path: Path) -> None:
    """Five quick ends are enough."""
    code = "import json; print(json.dumps({'url': 'x'}), flush=True)"
    subject = child(tmp_path, code)
    await subject.start()
    async with asyncio.timeout(60):
        with pytest.raises(ChildFailedError, match="5 x"):
            await subject.keep()


@pytest.mark.asyncio
async def test_a_log_that_has_grown_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The child goes on writing at its end."""
    monkeypatch.setattr("simulator.demo.children.LOG_MAX_BYTES", 10)
    subject = child(tmp_path, SAYS)
    await subject.start()
    subject.cut_log()
    assert subject.log.stat().st_size == 0
    await subject.stop()


def test_children_end_with_a_killed_parent(tmp_path: Path) -> None:
    """A supervisor that dies without warning leaves nobody behind."""
    code = f"""
import asyncio, signal
from pathlib import Path
from tests.simulator.demo.test_children import SAYS, child
async def main():
    one = child(Path({str(tmp_path)!r}), SAYS)
    await one.start()
    print(one.pid, flush=True)
    signal.pause()
asyncio.run(main())
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        handle = os.pidfd_open(int(parent.stdout.readline()))
        try:
            parent.kill()
            assert select.select([handle], [], [], 10)[0]
        finally:
            os.close(handle)


def test_the_wrapper_says_what_it_cannot_start() -> None:
    """A program that is not there is one line."""
    done = subprocess.run(
        [sys.executable, "-m", "simulator.demo.child", str(os.getpid()), "/nowhere/at/all"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "/nowhere/at/all: No such file or directory\n"
