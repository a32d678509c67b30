"""Carries actions out on a running stack, and undoes them in their time.

Everything happens in the thread that runs the stack: a process that was frozen is woken, a line is
mended and a disk is emptied by a timer in one queue, and all that is still standing is undone when
the faults end.
"""

from __future__ import annotations

import heapq
import itertools
import json
import signal
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict
from http.client import HTTPException
from pathlib import Path
from typing import Any

from simulator.chaos.actions import Action, Kind
from simulator.stack.disk import SmallDisk
from simulator.stack.part import Part
from simulator.stack.postgres import Database
from simulator.stack.proxy import GOOD, Cut, Manners, Way
from simulator.stack.site_client import ApiError
from simulator.stack.stack import Stack

Tell = Callable[[str], None]


class Hands:
    """Does and undoes."""

    def __init__(
        self, stack: Stack, disks: Mapping[str, SmallDisk], *, kept_in: Path, tell: Tell
    ) -> None:
        """Make them.

        Args:   disks: by lane. kept_in: the file that gets every action, a JSON line each.
                tell: takes a line for people.
        """
        self._stack = stack
        self._disks = disks
        self._kept_in = kept_in
        self._tell = tell
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self.counts: Counter[str] = Counter()
        """Actions that were carried out, by kind."""
        self._do: Mapping[Kind, Callable[[Action], Callable[[], None] | None]] = {
            Kind.KILL_LANE: self._kill,
            Kind.KILL_PLAZA: self._kill,
            Kind.KILL_BROKER: self._kill_broker,
            Kind.STOP_LANE: self._stop,
            Kind.STOP_PLAZA: self._stop,
            Kind.STOP_BROKER: self._stop_broker,
            Kind.LINE_CUT: self._line,
            Kind.LINE_HANG: self._line,
            Kind.LINE_DELAY: self._line,
            Kind.LINE_NARROW: self._line,
            Kind.LINE_DROP: self._line,
            Kind.DISK_FULL: self._fill,
            Kind.UNPLUG: self._unplug,
            Kind.DEVICE: self._device,
            Kind.PLATFORM: self._platform,
            Kind.KILL_DATABASE: self._kill_database,
            Kind.STOP_DATABASE: self._stop_database,
            Kind.RESTART_DATABASE: self._restart_database,
        }

    # ---- when ----

    def do(self, action: Action, now_ms: int) -> None:
        """Carry one action out; note whether it could be."""
        done, trouble, undo = True, "", None
        try:
            undo = self._do[action.kind](action)
        except _NotNowError as error:
            done, trouble = False, str(error)
        except (OSError, HTTPException, ApiError) as error:
            done, trouble = False, repr(error)
        if done:
            self.counts[action.kind.value] += 1
        if undo is not None:
            heapq.heappush(self._due, (now_ms + action.for_ms, next(self._numbers), undo))
        self._note(action, now_ms, done=done, trouble=trouble)

    def undo_due(self, now_ms: int) -> None:
        """Undo what has lasted its time."""
        while self._due and self._due[0][0] <= now_ms:
            heapq.heappop(self._due)[2]()

    @property
    def next_ms(self) -> int | None:
        """Return when something is to be undone next."""
        return self._due[0][0] if self._due else None

    def heal(self) -> None:
        """End every fault there is, whoever began it."""
        while self._due:
            heapq.heappop(self._due)[2]()
        self._stack.wires.mend()
        for disk in self._disks.values():
            disk.free()
        self._stack.site.heal()

    def _note(self, action: Action, now_ms: int, *, done: bool, trouble: str) -> None:
        plain: dict[str, Any] = {**asdict(action), "kind": action.kind.value, "at_ms": now_ms}
        plain |= {"plant_us": self._stack.at_us(), "done": done}
        if trouble:
            plain["trouble"] = trouble
        with self._kept_in.open("a", encoding="utf-8") as file:
            file.write(json.dumps(plain, ensure_ascii=False) + "\n")
        detail = " ".join(f"{key}={value}" for key, value in action.what.items())
        lasting = f" for {action.for_ms / 1_000:.1f} s" if action.for_ms else ""
        failed = f" (not done: {trouble})" if trouble else ""
        text = f"{now_ms / 1_000:7.1f} s  {action.kind.value:16} {action.target}"
        self._tell(f"{text}{lasting}{' ' if detail else ''}{detail}{failed}")

    # ---- processes ----

    def _part(self, action: Action) -> Part:
        return self._stack.parts[action.target]

    def _kill(self, action: Action) -> None:
        part = self._part(action)
        if part.pid is None:
            raise _NotNowError("it is down already")
        part.signal(signal.SIGKILL)

    def _stop(self, action: Action) -> Callable[[], None]:
        part = self._part(action)
        child = part.child
        if child is None or not part.signal(signal.SIGSTOP):
            raise _NotNowError("it is down")
        return lambda: child.kill(signal.SIGCONT)

    def _kill_broker(self, action: Action) -> Callable[[], None]:
        del action
        if self._stack.broker_pid is None:
            raise _NotNowError("it is down already")
        self._stack.kill_broker()
        return self._stack.start_broker

    def _stop_broker(self, action: Action) -> Callable[[], None]:
        del action
        pid = self._stack.broker_pid
        if pid is None:
            raise _NotNowError("it is down")
        self._stack.signal_broker(signal.SIGSTOP)
        return lambda: self._stack.signal_broker(signal.SIGCONT)

    # ---- lines, disks, devices, platforms ----

    def _line(self, action: Action) -> Callable[[], None]:
        wires, line = self._stack.wires, action.target
        if wires.lines[line].manners != GOOD:
            raise _NotNowError("the line is bad already")
        wires.behave(line, manners_of(action))
        return lambda: wires.behave(line, GOOD)

    def _fill(self, action: Action) -> Callable[[], None]:
        disk = self._disks[action.target.removeprefix("lane ")]
        if not disk.fill():
            raise _NotNowError("the lane is down")
        return disk.free

    def _unplug(self, action: Action) -> None:
        _, lane, device = action.target.split()
        self._stack.site.fault(lane, device, "unplugged", for_ms=action.for_ms)

    def _device(self, action: Action) -> None:
        _, lane, device = action.target.split()
        lasting = {"for_ms": action.for_ms} if action.for_ms else {}
        body = {key: value for key, value in action.what.items() if key != "kind"}
        self._stack.site.fault(lane, device, action.what["kind"], **body, **lasting)

    def _platform(self, action: Action) -> None:
        body = {key: value for key, value in action.what.items() if key != "kind"}
        self._stack.site.platform_fault(action.what["kind"], platform=action.target, **body)

    # ---- the database ----

    def _database(self) -> Database:
        database = self._stack.database
        if database is None or database.pid is None:
            raise _NotNowError("it is down")
        return database

    def _kill_database(self, action: Action) -> Callable[[], None]:
        del action
        database = self._database()
        database.kill()
        return database.start

    def _stop_database(self, action: Action) -> Callable[[], None]:
        del action
        database = self._database()
        database.freeze()
        return database.thaw

    def _restart_database(self, action: Action) -> None:
        del action
        self._database().restart()


class _NotNowError(Exception):
    """What was to be broken is broken already."""


def manners_of(action: Action) -> Manners:
    """Return what a line does under an action."""
    what = action.what
    match action.kind:
        case Kind.LINE_CUT:
            return Manners(cut=Cut(what["cut"]))
        case Kind.LINE_HANG:
            return Manners(hang=True)
        case Kind.LINE_DELAY:
            jitter_ms = what["jitter_ms"]
            return Manners(
                to_server=Way(delay_ms=what["there_ms"], jitter_ms=jitter_ms),
                to_client=Way(delay_ms=what["back_ms"], jitter_ms=jitter_ms),
            )
        case Kind.LINE_NARROW:
            way = Way(bytes_per_s=what["bytes_per_s"])
            return Manners(to_server=way, to_client=way)
        case Kind.LINE_DROP:
            return Manners(drop_after_bytes=what["after_bytes"])
        case _:
            raise AssertionError(f"{action.kind} is nothing a line does")
