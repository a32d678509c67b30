"""One process of a stack over all its starts, kept running as systemd would."""

from __future__ import annotations

import contextlib
import json
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any, TypeVar

from tests.stack.nursery import Child, Nursery
from tests.stack.site_client import ApiError
from tolling.errors import TollError

_T = TypeVar("_T")
LOOK_S = 0.04
RESTART_S = 0.1
"""systemd's RestartSec."""


def until(read: Callable[[], _T], what: str, within_s: float = 20.0) -> _T:
    """Return the first value of *read* that is not false; fail with *what* was waited for.

    Who does not answer because it was just killed has no value yet.
    """
    end = time.monotonic() + within_s
    value: _T | None = None
    while not value:
        assert time.monotonic() < end, f"waited {within_s:.0f} s for {what}"
        with contextlib.suppress(OSError, HTTPException, TollError, ApiError):
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

    @property
    def out(self) -> Path:
        """Return the file of its standard output."""
        return self.logs / f"{self.name.replace(' ', '-')}.out"

    @property
    def log(self) -> Path:
        """Return the file of its standard error."""
        return self.logs / f"{self.name.replace(' ', '-')}.log"

    def start(self) -> None:
        """Start it and wait until it serves. Raises: AssertionError: it does not."""
        self.wanted = True
        self._begin()
        assert self.up.is_set(), self.failure

    def _begin(self) -> None:
        # What the one before said is not what this one says.
        self.out.unlink(missing_ok=True)
        self.starts_us.append(self.at_us())
        self.child = self.nursery.start(
            self.module,
            *self.arguments,
            out=self.out,
            log=self.log,
            plan=self.plan,
            file_bytes_max=self.file_bytes_max,
            on_end=self._ended,
        )
        child = self.child
        try:
            said = until(
                lambda: self._first_line() or child.ended.is_set(), f"{self.name} to serve"
            )
        except AssertionError as error:
            self.failure = str(error)
            return
        if not isinstance(said, dict):
            last = self.log.read_text(errors="replace").strip().splitlines()[-1:]
            self.failure = f"{self.name} ended at its start: {last}"
            return
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
        self.up.clear()
        self.on_down()
        assert child.status is not None
        self.statuses.append(child.status)
        if self.wanted and self.kept and child is self.child:
            time.sleep(RESTART_S)
            if self.wanted:
                self._begin()

    def kill(self) -> None:
        """Kill it with SIGKILL; it is started again."""
        assert self.child is not None
        before = len(self.statuses)
        self.child.kill()
        until(lambda: len(self.statuses) > before, f"{self.name} to die")

    def wait_up(self) -> None:
        """Wait until it serves (again)."""
        assert self.up.wait(20), self.failure or f"{self.name} is not up again"

    def stop(self, *, hard: bool = False) -> int:
        """End it for good (until the next ``start``); return its exit status."""
        self.wanted = False
        if self.child is None:
            return 0
        self.child.kill(signal.SIGKILL if hard else signal.SIGTERM)
        status = self.child.wait()
        self.up.clear()
        return status
