"""Replay of a journal: the same core gives the same commands, event by event."""

from __future__ import annotations

from dataclasses import dataclass

from lane_controller.core.limits import CORE_VERSION
from lane_controller.engine.recovery import Difference, replay
from lane_controller.store import LaneStore
from tolling.errors import BadInputError, JournalError


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """How one segment's replay went."""

    segment: int
    events: int
    core_version: str
    """That wrote it."""
    difference: Difference | None

    @property
    def same_core(self) -> bool:
        """Return whether this very core version wrote the segment."""
        return self.core_version == CORE_VERSION

    def text(self) -> str:
        """Return the result as one line for people."""
        head = f"segment {self.segment}: {self.events} events, core {self.core_version}"
        if not self.same_core:
            head += f" (this is core {CORE_VERSION})"
        if self.difference is None:
            return f"{head}: same commands"
        found = self.difference
        return f"{head}: first difference at event {found.number} ({found.fact}): {found.what}"

    def plain(self) -> dict[str, object]:
        """Return the result as JSON data."""
        found = self.difference
        return {
            "segment": self.segment,
            "events": self.events,
            "core_version": self.core_version,
            "this_core_version": CORE_VERSION,
            "same": found is None,
            "first_difference": None
            if found is None
            else {"number": found.number, "fact": found.fact, "what": found.what},
        }


def replay_segments(store: LaneStore, only: int | None = None) -> list[Replayed]:
    """Replay all segments, or one.

    Raises: JournalError: there is no such segment, or a row cannot be read by this core.
    """
    results: list[Replayed] = []
    for number in store.segments() if only is None else (only,):
        segment, events = store.segment(number)
        try:
            _, difference = replay(segment, events)
        except BadInputError as error:
            raise JournalError(
                where=f"journal segment {number}",
                what=f"cannot be read by core {CORE_VERSION}: {error}",
                do=f"Replay it with core {segment.core_version}",
            ) from None
        results.append(
            Replayed(
                segment=number,
                events=len(events),
                core_version=segment.core_version,
                difference=difference,
            )
        )
    return results
