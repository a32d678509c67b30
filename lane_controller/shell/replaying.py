"""Replay of a journal: the same core gives the same commands, event by event.

A difference is explained for a person: where and when, what the event was, what this core does on
it, how far that is from what the journal holds (it keeps a digest of the commands, not the commands
themselves), and what such a difference usually means.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lane_controller.core.commands import Command
from lane_controller.core.events import Event
from lane_controller.core.journalled import AppendEvent, OpenSegment
from lane_controller.core.lane import step, step_aside
from lane_controller.core.limits import CORE_VERSION
from lane_controller.core.states import LaneState
from lane_controller.engine.recovery import Difference, command_digest, config_hash, replay
from lane_controller.shell.event_words import command_words, fact_words
from lane_controller.store import LaneStore
from tolling.canonical import canonical_bytes, from_canonical
from tolling.clock import NS_PER_MS
from tolling.errors import BadInputError, JournalError

_DIGEST = re.compile(r"[0-9a-f]{64}|fault: .*", re.DOTALL)
MISSING_SHOWN = 5
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """A difference, for a person."""

    number: int
    """Of the event in its segment."""
    fact: str
    """The event's kind."""
    event: str
    """The event in words."""
    after_ms: int
    """Since the segment's first event."""
    utc: str
    """The lane's wall clock at the event."""
    expected: str
    """Digest in the journal."""
    given: str
    """Digest of what this core does, or how it failed."""
    commands: tuple[str, ...]
    """What this core does."""
    compared: str
    """How the journal's digest can be had from these commands; empty where it cannot."""
    means: tuple[str, ...]
    """What such a difference usually means, the likeliest first."""

    def lines(self) -> list[str]:
        """Return it as lines for people."""
        seconds = f"{self.after_ms // 1000}.{self.after_ms % 1000:03d}"
        said = [f"    does {each}" for each in self.commands] or ["    does nothing"]
        if self.compared:
            said.append(f"    {self.compared}")
        return [
            f"  when      {self.utc}, {seconds} s into the segment",
            f"  event     {self.number}: {self.event}",
            f"  journal   commands with digest {self.expected[:64]}",
            f"  this core commands with digest {self.given[:64]}",
            *said,
            *(f"  means     {each}" for each in self.means),
        ]

    def plain(self) -> dict[str, object]:
        """Return it as JSON data."""
        return {
            "number": self.number,
            "fact": self.fact,
            "event": self.event,
            "after_ms": self.after_ms,
            "utc": self.utc,
            "expected_digest": self.expected,
            "given_digest": self.given,
            "commands": list(self.commands),
            "compared": self.compared,
            "means": list(self.means),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """How one segment's replay went."""

    segment: int
    events: int
    core_version: str
    """That wrote it."""
    difference: Difference | None
    explained: Explained | None = None
    """The difference in full."""
    missing: tuple[int, ...] = ()
    """Numbers of events that are not there, though later ones are."""

    @property
    def same(self) -> bool:
        """Return whether the segment is whole and gives the same commands."""
        return self.difference is None and not self.missing

    @property
    def same_core(self) -> bool:
        """Return whether this very core version wrote the segment."""
        return self.core_version == CORE_VERSION

    def text(self) -> str:
        """Return the result as lines for people; one where nothing differs."""
        head = f"segment {self.segment}: {self.events} events, core {self.core_version}"
        if not self.same_core:
            head += f" (this is core {CORE_VERSION})"
        if self.missing:
            shown = ", ".join(str(number) for number in self.missing[:MISSING_SHOWN])
            head += f", without event {shown} (rows were deleted)"
        if self.difference is None:
            return f"{head}: same commands"
        found = self.difference
        first = f"{head}: first difference at event {found.number} ({found.fact}): {found.what}"
        more = [] if self.explained is None else self.explained.lines()
        return "\n".join([first, *more])

    def plain(self) -> dict[str, object]:
        """Return the result as JSON data."""
        found = self.difference
        first: dict[str, object] | None = None
        if found is not None:
            more = {} if self.explained is None else self.explained.plain()
            first = {**more, "number": found.number, "fact": found.fact, "what": found.what}
        return {
            "segment": self.segment,
            "events": self.events,
            "core_version": self.core_version,
            "this_core_version": CORE_VERSION,
            "same": self.same,
            "missing_events": list(self.missing),
            "first_difference": first,
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
                what=f"cannot be read by core {CORE_VERSION}: {_unreadable(events)}{error}",
                do=f"Replay it with core {segment.core_version}",
            ) from None
        explained = None if difference is None else explain(segment, events, difference)
        results.append(
            Replayed(
                segment=number,
                events=len(events),
                core_version=segment.core_version,
                difference=difference,
                explained=explained,
                missing=_missing(events),
            )
        )
    return results


def _missing(events: tuple[AppendEvent, ...]) -> tuple[int, ...]:
    """Return the numbers that are not there: events are counted from 1 without a gap."""
    there = {row.number for row in events}
    return tuple(number for number in range(1, max(there, default=0)) if number not in there)


def _unreadable(events: tuple[AppendEvent, ...]) -> str:
    """Return which event cannot be read; nothing where it is the snapshot."""
    for row in events:
        try:
            from_canonical(Event, row.body)
        except BadInputError:
            return f"event {row.number}: "
    return ""


def explain(
    segment: OpenSegment, events: tuple[AppendEvent, ...], difference: Difference
) -> Explained:
    """Return what is to be known of a segment's first difference. It is stepped to once more."""
    state: LaneState = from_canonical(LaneState, segment.snapshot)
    hash_of_snapshot = config_hash(state.config)
    first: Event = from_canonical(Event, events[0].body)
    for row in events:
        event: Event = from_canonical(Event, row.body)
        before = state
        state, commands, digest = _stepped(before, event, aside=row.aside)
        if row.number != difference.number:
            continue
        wall = _EPOCH + timedelta(milliseconds=event.wall.utc_ms)
        return Explained(
            number=row.number,
            fact=difference.fact,
            event=fact_words(event.fact),
            after_ms=(event.at_ns - first.at_ns) // NS_PER_MS,
            utc=f"{wall:%Y-%m-%d %H:%M:%S}.{event.wall.utc_ms % 1000:03d} UTC",
            expected=row.digest,
            given=digest,
            commands=tuple(command_words(command) for command in commands),
            compared=_compared(commands, row.digest),
            means=tuple(_means(segment, events, row, event, hash_of_snapshot)),
        )
    raise AssertionError("a difference is at one of the segment's events")


def _stepped(
    state: LaneState, event: Event, *, aside: bool
) -> tuple[LaneState, tuple[Command, ...], str]:
    try:
        after, commands = (step_aside if aside else step)(state, event)
    except AssertionError as error:
        after, _ = step_aside(state, event)
        return after, (), f"fault: {error}"
    return after, commands, command_digest(commands)


def _compared(commands: tuple[Command, ...], digest: str) -> str:
    """Return how the journal's digest can be had from what this core does.

    A digest cannot be read back, but a small change can be tried: nothing done at all, one command
    more now than then, or the same ones in another order.
    """
    if commands and digest == command_digest(()):
        return "then nothing was done on this event"
    for index, command in enumerate(commands):
        if digest == command_digest(commands[:index] + commands[index + 1 :]):
            return f"then the same was done, but for: {command_words(command)}"
    for index in range(len(commands) - 1):
        one, other = commands[index], commands[index + 1]
        if digest == command_digest((*commands[:index], other, one, *commands[index + 2 :])):
            return "then the same was done, two of the commands in another order"
    return ""


def _means(
    segment: OpenSegment,
    events: tuple[AppendEvent, ...],
    row: AppendEvent,
    event: Event,
    hash_of_snapshot: str,
) -> Iterator[str]:
    """Yield what such a difference usually means, the likeliest first."""
    damaged = list(_damage(segment, events, row, event, hash_of_snapshot))
    yield from damaged
    if segment.core_version != CORE_VERSION:
        yield (
            f"another core wrote it ({segment.core_version}, this is {CORE_VERSION}): commands may"
            " differ on purpose; look into the changelog, or replay with that version"
        )
    elif row.digest.startswith("fault: "):
        yield "the event made the program fail when it came, and does not any more: it is repaired"
    elif not damaged:
        yield (
            "the core was changed without a new CORE_VERSION, or it asks for something that is no"
            " event (a clock, dice, the order of a set): replay under two PYTHONHASHSEEDs"
        )


def _damage(
    segment: OpenSegment,
    events: tuple[AppendEvent, ...],
    row: AppendEvent,
    event: Event,
    hash_of_snapshot: str,
) -> Iterator[str]:
    if hash_of_snapshot != segment.config_hash:
        yield (
            "the config hash is another: the segment was opened with another lane file than its"
            " snapshot holds, so the row of the segment was changed or damaged"
        )
    if _DIGEST.fullmatch(row.digest) is None:
        yield "the journal's digest is none: the row was changed or damaged"
    if row.at_ns != event.at_ns or canonical_bytes(event) != row.body:
        yield "the event's row does not agree with itself: it was changed or damaged"
    before = [number for number in _missing(events) if number < row.number]
    if before:
        yield f"event {before[0]} is missing before it: rows were deleted"
