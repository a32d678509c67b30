"""Journal, then release: which units wait for the disk and which effects wait for them.

At most one Commit is under way. Units and the effects that depend on them gather meanwhile and go
with the next
Commit, so the disk's own pace makes the groups. A failed Commit goes out again as it was, before
anything newer:
the journal has no gap, and nothing it promises was released.

Some units promise nothing: that a notice has arrived, that a record is at the plaza. A restart
without them says it once more. They go with the next Commit and ask for none of their own until
there are many.
"""

from __future__ import annotations

from collections.abc import Callable

from lane_controller.core.journalled import DropNotice, MarkUploaded, Unit
from lane_controller.engine.effects import Commit, Effect

PATIENT = (DropNotice, MarkUploaded)
"""Units that may wait for another one's Commit."""
PATIENT_MAX = 32


class Journal:
    """The lane's one line to its disk."""

    def __init__(self) -> None:
        self._next_id = 1
        self._units: list[Unit] = []
        self._urgent = 0
        """How many of them ask for a Commit."""
        self._held: list[Effect] = []
        self._flying: tuple[Commit, list[Effect]] | None = None

    @property
    def busy(self) -> bool:
        """Return whether a commit is under way."""
        return self._flying is not None

    @property
    def backlog(self) -> int:
        """Return how many units wait for a commit to begin; patient ones do not count."""
        return self._urgent

    def add(self, *units: Unit) -> None:
        """Make these durable with the next commit, in order."""
        self._units.extend(units)
        self._urgent += sum([not isinstance(unit, PATIENT) for unit in units])

    def hold(self, *effects: Effect) -> None:
        """Release these once everything added so far is durable."""
        self._held.extend(effects)

    def forget(self, unwanted: Callable[[Effect], bool]) -> None:
        """Drop held effects that must not happen any more, those of the commit under way too."""
        self._held = [effect for effect in self._held if not unwanted(effect)]
        if self._flying is not None:
            commit, held = self._flying
            self._flying = (commit, [effect for effect in held if not unwanted(effect)])

    def take(self, wanted: Callable[[Effect], bool]) -> list[Effect]:
        """Release these now, whatever they wait for: what must not wait longer for a disk."""
        flying = [] if self._flying is None else self._flying[1]
        taken = [effect for effect in (*flying, *self._held) if wanted(effect)]
        self.forget(wanted)
        return taken

    def release_free(self) -> list[Effect]:
        """Return effects that wait for nothing: no unit they need is under way or gathered."""
        if self._flying is not None or self._urgent:
            return []
        free, self._held = self._held, []
        return free

    def next_commit(self) -> Commit | None:
        """Return the commit to send now, or None where one is under way or nothing waits."""
        if self._flying is not None:
            return None
        if not self._urgent and len(self._units) < PATIENT_MAX:
            return None
        commit = Commit(commit_id=self._next_id, units=tuple(self._units))
        self._flying = (commit, self._held)
        self._next_id += 1
        self._units, self._held, self._urgent = [], [], 0
        return commit

    def committed(self, commit_id: int) -> list[Effect]:
        """Return what that commit releases; nothing for one that is not under way."""
        if self._flying is None or self._flying[0].commit_id != commit_id:
            return []
        released = self._flying[1]
        self._flying = None
        return released

    def again(self) -> Commit | None:
        """Return the commit under way, to be sent again after it failed."""
        return self._flying[0] if self._flying is not None else None
