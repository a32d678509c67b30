"""From the journal back to a state: pure replay of the newest segment.

The store hands over what it holds as a JournalImage; nothing is asked of the clock. Replay steps
the very core that
wrote the segment and compares the command digests: equal for the same core version, else the first
difference is
named. After three faults within a minute the segment is not replayed: the lane starts
attended-only.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from lane_controller.core.commands import Command
from lane_controller.core.events import EpochGranted, Event, InputChanged, OperatorActed, Started
from lane_controller.core.journalled import AppendEvent, JournalImage, OpenSegment
from lane_controller.core.lane import initial_state, step, step_aside
from lane_controller.core.limits import CORE_VERSION
from lane_controller.core.states import LaneConfig, LaneMode, LaneState
from tolling.canonical import canonical_bytes, from_canonical
from tolling.chain import Anchor, genesis
from tolling.clock import NS_PER_S
from tolling.errors import BadInputError, JournalError
from tolling.inputs import Point, Reading
from tolling.messages import AlarmNotice, LaneNotice
from tolling.records import PassageRecord

FAULTS_MAX = 3
FAULT_WINDOW_NS = 60 * NS_PER_S
"""Three faults in a minute would come again: such a segment is not replayed at a start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Where a replay went another way than the journal."""

    segment: int
    number: int
    fact: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What an engine begins with."""

    state: LaneState
    last_segment: int
    at_ns: int
    """Moment of the last event, on the lane's base; 0 in an empty journal."""
    anchor: Anchor | None
    uploaded_seq: int
    unsealed: tuple[tuple[int, PassageRecord], ...]
    notices: tuple[tuple[int, LaneNotice | AlarmNotice], ...]
    last_notice: int
    difference: Difference | None
    faults: bool
    """The journal was not replayed because it made the program fail again and again."""


def command_digest(commands: tuple[Command, ...]) -> str:
    """Return the digest of what an event gave."""
    return hashlib.sha256(canonical_bytes(commands)).hexdigest()


def config_hash(config: LaneConfig) -> str:
    """Return the hash of what the core knows of the lane file."""
    return hashlib.sha256(canonical_bytes(config)).hexdigest()


def replay(
    segment: OpenSegment, events: tuple[AppendEvent, ...]
) -> tuple[LaneState, Difference | None]:
    """Step a segment's events again. Return the state behind them and the first difference.

    Raises: BadInputError: a row is no event or no state.
    """
    state: LaneState = from_canonical(LaneState, segment.snapshot)
    first: Difference | None = None
    for row in events:
        event: Event = from_canonical(Event, row.body)
        try:
            state, commands = (step_aside if row.aside else step)(state, event)
            digest = command_digest(commands)
        except AssertionError as error:
            state, _ = step_aside(state, event)
            digest = f"fault: {error}"
        if digest != row.digest and first is None:
            first = Difference(
                segment=segment.segment,
                number=row.number,
                fact=type(event.fact).__name__,
                what="this core gives other commands for the event than the journal says",
            )
    return state, first


def recover(config: LaneConfig, image: JournalImage) -> Recovered:
    """Return what the engine begins with.

    Raises: JournalError: the journal is another core version's or another lane's.
    """
    at_ns = image.events[-1].at_ns if image.events else 0
    state, difference, faults = initial_state(config), None, False
    if image.segment is not None:
        if image.segment.core_version != CORE_VERSION:
            state = _other_version(image)
        elif _keeps_failing(image.events):
            state, faults = _unreplayed(image), True
        else:
            state, difference = replay(image.segment, image.events)
        _check_same_lane(state.config, config)
        state = replace(state, config=config)
    return Recovered(
        state=state,
        last_segment=image.segment.segment if image.segment else 0,
        at_ns=at_ns,
        anchor=image.anchor,
        uploaded_seq=image.uploaded_seq,
        unsealed=tuple(
            (number, from_canonical(PassageRecord, body)) for number, body in image.unsealed
        ),
        notices=image.notices,
        last_notice=image.last_notice,
        difference=difference,
        faults=faults,
    )


def _other_version(image: JournalImage) -> LaneState:
    """Return the state an upgrade begins with: a lane that was closed and empty, and stayed so.

    The engine opens a segment at the moment a lane is closed and empty, so nothing of the other
    version needs to be stepped again.
    """
    assert image.segment is not None
    refused = JournalError(
        where=f"journal segment {image.segment.segment}",
        what=f"written by core version {image.segment.core_version}, this is {CORE_VERSION}",
        do="Start the old version, close the lane and let it run empty, then start this one",
    )
    try:
        state: LaneState = from_canonical(LaneState, image.segment.snapshot)
        facts = [from_canonical(Event, row.body).fact for row in image.events]
    except BadInputError as error:
        raise refused from error
    arrived = InputChanged(point=Point.LOOP_1, reading=Reading.ON)
    stirred = any(fact == arrived or isinstance(fact, Started | OperatorActed) for fact in facts)
    if not state.empty or state.mode is not LaneMode.CLOSED or stirred:
        raise refused
    return state


def _check_same_lane(journalled: LaneConfig, config: LaneConfig) -> None:
    was, now = (f"plaza {each.plaza_id} lane {each.lane_id}" for each in (journalled, config))
    if was != now:
        raise JournalError(
            where="the lane's journal",
            what=f"it is of {was}, the lane file says {now}",
            do="Start with the lane file of that lane, or give this lane a journal of its own",
        )


def _keeps_failing(events: tuple[AppendEvent, ...]) -> bool:
    aside = [row.at_ns for row in events if row.aside]
    return len(aside) >= FAULTS_MAX and aside[-1] - aside[-FAULTS_MAX] <= FAULT_WINDOW_NS


def _unreplayed(image: JournalImage) -> LaneState:
    assert image.segment is not None
    state: LaneState = from_canonical(LaneState, image.segment.snapshot)
    facts = [from_canonical(Event, row.body).fact for row in image.events]
    granted = [fact.epoch for fact in facts if isinstance(fact, EpochGranted)]
    # Every event could have begun a passage: skip that many numbers rather than use one twice.
    return replace(
        state,
        epoch=granted[-1] if granted else state.epoch,
        mode=LaneMode.ATTENDED_ONLY,
        mode_reason="the journal makes the program fail",
        next_passage_no=state.next_passage_no + len(image.events) + 1,
        arriving=None,
        leaving=None,
    )


def first_anchor(state: LaneState, anchor: Anchor | None) -> Anchor:
    """Return the anchor the next record follows in the state's epoch."""
    if anchor is not None and anchor.epoch == state.epoch:
        return anchor
    return genesis(state.config.plaza_id, state.config.lane_id, state.epoch)
