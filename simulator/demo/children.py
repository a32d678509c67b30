"""Child processes kept alive as systemd would: started again after a pause, given up when it is
no use.

Every child writes into its own log file, so that no pipe can fill up; what it says when it is ready
is read from there. Children end with this process however it ends (child.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simulator.demo.child import argv_of

READY_S = 30.0
"""A cold start on a slow and busy machine; a lane on a quick one takes a second."""
STOP_S = 8.0
"""The slowest waits 5 s for its last requests."""
PAUSE_FIRST_S = 0.1
PAUSE_MAX_S = 5.0
"""systemd's RestartSec is 0.1 s; here it doubles up to the longest, and is 0.1 s again after a
run of RUN_GOOD_S."""
RUN_GOOD_S = 10.0
STARTS_MAX = 5
"""As systemd's StartLimitBurst: that many ends, each within RUN_GOOD_S of its start, and the child
is given up."""
BAD_INPUT = 2
"""A child that ends so would end so again."""
LOOK_S = 0.02
LOG_MAX_BYTES = 32 << 20
"""A log is cut to nothing there while nobody wants to read it after the run."""

Facts = dict[str, Any]


class ChildFailedError(Exception):
    """A child could not be started, or not be kept running; one line for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What to start, and how it says that it is ready."""

    name: str
    argv: tuple[str, ...]
    read_ready: Callable[[str], Facts | None]
    """Given all the child wrote since its start: what it said when ready, None before."""
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Child:
    """One child over all its starts."""

    spec: Spec
    log: Path
    tell: Callable[[str], None]
    """Takes what people should know: it died, it is back."""
    on_up: Callable[[Facts], None] = lambda _: None
    """Called after every start, with what the child said."""
    starts: list[int] = field(default_factory=list)
    """Monotonic ns of every start."""
    _process: asyncio.subprocess.Process | None = None
    _stopping: bool = False
    _from: int = 0

    @property
    def pid(self) -> int | None:
        """Return its process id, None while it does not run."""
        process = self._process
        return None if process is None or process.returncode is not None else process.pid

    async def start(self) -> Facts:
        """Start it and wait until it is ready. Raises: ChildFailedError."""
        self._from = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *argv_of(*self.spec.argv),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.spec.env},
                # A Ctrl-C at the terminal is for this process, which ends its children in order.
                start_new_session=True,
            )
        self.starts.append(time.monotonic_ns())
        try:
            async with asyncio.timeout(READY_S):
                facts = await self._wait_ready(self._process)
        except TimeoutError:
            raise ChildFailedError(self._text(f"was not ready within {READY_S:.0f} s")) from None
        self.on_up(facts)
        return facts

    async def _wait_ready(self, process: asyncio.subprocess.Process) -> Facts:
        while True:
            facts = self.spec.read_ready(self._said())
            if facts is not None:
                return facts
            if process.returncode is not None:
                raise ChildFailedError(self._text(f"ended with exit code {process.returncode}"))
            await asyncio.sleep(LOOK_S)

    async def keep(self) -> None:
        """Start it again whenever it ends, until ``stop``.

        Raises: ChildFailedError: it refuses its input, or ends again and again.
        """
        pause_s, quick_ends = PAUSE_FIRST_S, 0
        while True:
            assert self._process is not None, "start comes before keep"
            code = await self._process.wait()
            if self._is_stopping():
                return
            ran_s = (time.monotonic_ns() - self.starts[-1]) / 1e9
            if ran_s >= RUN_GOOD_S:
                pause_s, quick_ends = PAUSE_FIRST_S, 0
            quick_ends += 1
            if code == BAD_INPUT or quick_ends >= STARTS_MAX:
                raise ChildFailedError(self._text(f"ended with exit code {code}, {quick_ends} x"))
            self.tell(f"{self.spec.name} ended ({_reason(code)}); starting it again")
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, PAUSE_MAX_S)
            if self._is_stopping():
                return
            with contextlib.suppress(ChildFailedError):
                await self.start()
                self.tell(f"{self.spec.name} is back")

    async def stop(self) -> None:
        """End it: politely, then not."""
        self._stopping = True
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
            # One that was stopped at the terminal would never hear it.
            process.send_signal(signal.SIGCONT)
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            self.tell(f"{self.spec.name} did not end within {STOP_S:.0f} s; killed")
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def _is_stopping(self) -> bool:
        return self._stopping

    def cut_log(self) -> None:
        """Empty a log that has grown too long; the child goes on at its end."""
        if self.log.exists() and self.log.stat().st_size > LOG_MAX_BYTES:
            os.truncate(self.log, 0)
            self._from = 0

    def _said(self) -> str:
        with self.log.open("rb") as log:
            log.seek(self._from)
            return log.read().decode("utf-8", errors="replace")

    def _text(self, what: str) -> str:
        lines = [line for line in self._said().splitlines() if line.strip()]
        last = f": {lines[-1][:300]}" if lines else ""
        return f"{self.spec.name} {what}{last}"


def json_line(key: str) -> Callable[[str], Facts | None]:
    """Return a reader of the first JSON object with *key* that is no line of a log."""

    def read(text: str) -> Facts | None:
        for line in text.splitlines(keepends=True):
            if line.startswith("{") and line.endswith("\n"):
                with contextlib.suppress(ValueError):
                    facts = json.loads(line)
                    if key in facts and "event" not in facts:
                        return dict(facts)
        return None

    return read


def _reason(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"
