"""What every part of the engine works with: the present moment, ids, effects, and what commits are
for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from plaza_server.engine.effects import Alarm, Commit, Effect
from plaza_server.rules.limits import LEASE_MS
from plaza_server.rules.orders import AlarmNote, Moment
from plaza_server.rules.units import Lease, NoteAlarm, Unit
from tolling.clock import NS_PER_MS, WallTime
from tolling.ids import BootId, PlazaId
from tolling.paycodes import Wallet

_Then = TypeVar("_Then")


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """What one plaza process is."""

    plaza_id: PlazaId
    plaza_name: str
    """As the driver reads it on the phone."""
    boot_id: BootId
    """New for every engine object: answers to an earlier one are dropped by their ids."""
    platforms: tuple[tuple[Wallet, str], ...]
    """Which platform takes which wallet's codes."""
    exclusive: bool
    """This is the only process on its store."""
    payee: str | None = None
    """Whose tolls are taken here, as revenue accounts name it; None: the plaza's own."""


class Desk(Generic[_Then]):
    """The moment of the input being handled, and the effects it has led to so far."""

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        self.now_ns = 0
        self.wall_ms = 0
        self._number = 0
        self._effects: list[Effect] = []
        self._commits: dict[str, tuple[_Then, int]] = {}
        """By id: what it is for, and since when it is under way; the oldest first."""

    def begin(self, at_ns: int, wall: WallTime) -> None:
        """Open the handling of one input."""
        assert at_ns >= self.now_ns, "time went backwards"
        assert not self._effects, "the effects of the last input were not taken"
        self.now_ns = at_ns
        self.wall_ms = wall.utc_ms

    def take(self) -> list[Effect]:
        """Return the effects of this input, in order."""
        effects, self._effects = self._effects, []
        return effects

    def emit(self, effect: Effect) -> None:
        """Add one effect."""
        self._effects.append(effect)

    def alarms(self, notes: Sequence[AlarmNote]) -> None:
        """Publish alarms that a commit has stored."""
        for note in notes:
            self.emit(
                Alarm(code=note.code, raised=note.raised, subject=note.subject, what=note.what)
            )

    def new_id(self) -> str:
        """Return an id no other engine object gives."""
        self._number += 1
        return f"{self.config.boot_id}:{self._number}"

    def commit(self, unit: Unit, then: _Then) -> None:
        """Ask for *unit* to be written; *then* says what it was for, and comes back with its
        result."""
        commit_id = self.new_id()
        self._commits[commit_id] = (then, self.now_ns)
        self.emit(Commit(commit_id=commit_id, units=(unit,)))

    def commit_alarm(self, note: AlarmNote, then: _Then) -> None:
        """Ask for an alarm to be stored; it is published only where that changes anything."""
        unit = NoteAlarm(
            code=note.code,
            raised=note.raised,
            subject=note.subject,
            what=note.what,
            now_ms=self.wall_ms,
        )
        self.commit(unit, then)

    def ended(self, commit_id: str) -> _Then | None:
        """Return what a commit was for, once; None for another engine's."""
        then, _ = self._commits.pop(commit_id, (None, 0))
        return then

    def store_lags(self, bound_ms: int) -> bool:
        """Return whether a commit has been under way for longer than that."""
        oldest = next(iter(self._commits.values()), None)
        return oldest is not None and self.now_ns - oldest[1] > bound_ms * NS_PER_MS

    def moment(self) -> Moment:
        """Return now, as rows keep it."""
        return Moment(at_ns=self.now_ns, wall_ms=self.wall_ms)

    def lease(self, *, steal: bool = False) -> Lease:
        """Return this process's lease from now on."""
        return Lease(
            owner=self.config.boot_id,
            until_ms=self.wall_ms + LEASE_MS,
            steal=steal or self.config.exclusive,
        )
