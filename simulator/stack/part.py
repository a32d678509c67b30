"""One process of a stack over all its starts, kept running as systemd would."""

from __future__ import annotations

import contextlib
import json
import math
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any, TypeVar

from simulator.stack.nursery import Child, Nursery
from simulator.stack.operator_port import PortError
from simulator.stack.site_client import ApiError

_T = TypeVar("_T")
LOOK_S = 0.04
RESTART_S = 0.1
"""systemd's RestartSec."""
RESTART_MAX_S = 2.0
"""The pause doubles up to here while the process ends again at once."""
RUN_GOOD_S = 10.0
"""Whoever ran so long is started again without a longer pause."""
SERVE_S = 60.0
"""Within which a process says that it serves, on a machine that is busy with ten others."""


class StackError(Exception):
    """A part of the stack does not do what it should; one line for people."""


def until(read: Callable[[], _T], what: str, within_s: float = 20.0) -> _T:
    """Return the first value of *read* that is not false.

    Who does not answer because it was just killed has no value yet.
    Raises: StackError: none came; it says *what* was waited for.
    """
    end = time.monotonic() + within_s
    value: _T | None = None
    while not value:
        if time.monotonic() >= end:
            raise StackError(f"waited {within_s:.0f} s for {what}")
        with contextlib.suppress(OSError, HTTPException, PortError, ApiError):
            value = read()
        if not value:
            time.sleep(LOOK_S)
    return value


@dataclass(kw_only=True)
class Part:
    """One process."""

    nursery: Nursery
    name: str
    module: str
    arguments: tuple[str, ...]
    logs: Path
    at_us: Callable[[], int]
    on_up: Callable[[dict[str, Any]], None] = lambda _: None
    on_down: Callable[[], None] = lambda: None
    plan: Path | None = None
    clock: Path | None = None
    """How wrong its wall clock is; None: it has the machine's."""
    file_bytes_max: int | None = None
    starts_us: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    """Of every end, in order."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What it said when it was ready."""
    child: Child | None = None
    up: threading.Event = field(default_factory=threading.Event)
    """Set while it says it serves."""
    wanted: bool = False
    kept: bool = True
    """Started again when it dies."""
    failure: str = ""
    serve_s: float = SERVE_S
    """Within which it must say that it serves."""
    _turn: threading.RLock = field(default_factory=threading.RLock)
    _pause_s: float = RESTART_S
    _down_s: float | None = None
    """How long it stays away after its next end."""

    @property
    def out(self) -> Path:
        """Return the file of its standard output."""
        return self.logs / f"{self.name.replace(' ', '-')}.out"

    @property
    def log(self) -> Path:
        """Return the file of its standard error."""
        return self.logs / f"{self.name.replace(' ', '-')}.log"

    @property
    def pid(self) -> int | None:
        """Return its number, None while it does not run."""
        child = self.child
        return None if child is None or child.ended.is_set() else child.pid

    def start(self) -> None:
        """Start it and wait until it serves. Raises: StackError: it does not."""
        self.wanted = True
        self._begin(within_s=self.serve_s)
        if not self.up.is_set():
            raise StackError(self.failure or f"{self.name} does not serve")

    def _begin(self, *, within_s: float) -> None:
        with self._turn:
            if not self.wanted:
                return
            # What the one before said is not what this one says.
            self.out.unlink(missing_ok=True)
            self.starts_us.append(self.at_us())
            child = self.child = self.nursery.start(
                self.module,
                *self.arguments,
                out=self.out,
                log=self.log,
                plan=self.plan,
                clock=self.clock,
                file_bytes_max=self.file_bytes_max,
                on_end=self._ended,
            )
        try:
            said = until(
                lambda: self._first_line() or child.ended.is_set(),
                f"{self.name} to serve",
                within_s,
            )
        except StackError as error:
            self.failure = str(error)
            return
        if not isinstance(said, dict):
            last = self.log.read_text(errors="replace").strip().splitlines()[-1:]
            self.failure = f"{self.name} ended at its start: {last}"
            return
        with self._turn:
            if child.ended.is_set() or child is not self.child:
                return  # It served for a moment; its end is told by another thread.
            self.facts = said
            self.on_up(said)
            self.up.set()

    def _first_line(self) -> dict[str, Any] | None:
        with contextlib.suppress(OSError, ValueError):
            line = self.out.read_text().partition("\n")[0]
            found = json.loads(line)
            return found if isinstance(found, dict) else None
        return None

    def _ended(self, child: Child) -> None:
        with self._turn:  # Its start is noted before its end is.
            self.up.clear()
            self.on_down()
            assert child.status is not None, "a process that ended has a status"
            self.statuses.append(child.status)
            again = child is self.child
        if self.wanted and self.kept and again:
            time.sleep(self._pause())
            # However long it takes to come back: who gave it up would never hear that it serves.
            self._begin(within_s=math.inf)

    def _pause(self) -> float:
        """Return how long it stays away now."""
        down_s, self._down_s = self._down_s, None
        if down_s is not None:
            return down_s
        ran_s = (self.at_us() - self.starts_us[-1]) / 1e6
        pause_s = RESTART_S if ran_s >= RUN_GOOD_S else self._pause_s
        self._pause_s = min(pause_s * 2, RESTART_MAX_S)
        return pause_s

    def kill_for(self, down_s: float) -> bool:
        """Kill it with SIGKILL and have it stay away so long; return whether it was there."""
        self._down_s = down_s
        if self.signal(signal.SIGKILL):
            return True
        self._down_s = None
        return False

    def kill(self) -> None:
        """Kill it with SIGKILL; it is started again. Raises: StackError: it does not die."""
        child = self.child
        if child is None:
            return
        before = len(self.statuses)
        child.kill()
        until(lambda: child.ended.is_set() and len(self.statuses) > before, f"{self.name} to die")

    def signal(self, number: signal.Signals) -> bool:
        """Send it a signal; return whether it was there."""
        child = self.child
        if child is None or child.ended.is_set():
            return False
        child.kill(number)
        return True

    def wait_up(self, within_s: float = SERVE_S) -> None:
        """Wait until it serves (again). Raises: StackError: it does not."""
        if not self.up.wait(within_s):
            raise StackError(self.failure or f"{self.name} is not up again")

    def stop(self, *, hard: bool = False) -> int:
        """End it for good (until the next ``start``); return its exit status."""
        with self._turn:
            self.wanted = False
            child = self.child
        if child is None:
            return 0
        child.kill(signal.SIGKILL if hard else signal.SIGTERM)
        status = child.wait()
        self.up.clear()
        return status
