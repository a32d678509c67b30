"""After a restart, or a while without loop 1: is the vehicle at the window the one from before?

Loops say so where it only stood there and stands there again: loop 1 held, nothing under the boom,
boom down, before a short outage and after it. Whatever contradicts that leaves it to the plate or
a person: something was moving when last seen, or is now, another plate was read, or the outage was
long. Where nobody says so the passage ends as left_during_outage, and who stands there is new.
"""

from __future__ import annotations

from lane_controller.core import identify, presence
from lane_controller.core.draft import Draft
from lane_controller.core.events import InputChanged, Started
from lane_controller.core.limits import (
    PRESENCE_GAP_MS,
    REMARKS_MAX,
    SAME_VEHICLE_DOWNTIME_MS_MAX,
    UNSURE_MS,
    UNSURE_PAID_MS,
)
from lane_controller.core.presence import NOT_STILL
from lane_controller.core.states import LeavingPhase, Phase
from tolling.clock import NS_PER_MS
from tolling.evolve import evolve
from tolling.inputs import Point, Reading
from tolling.records import PassageEnd

IN_DOUBT_ASKED = "in_doubt_asked"
UNLIKE = frozenset({"long_restart", "inputs_long_lost", identify.OTHER_PLATE, NOT_STILL})
"""Remarks after which loops alone do not tell that a vehicle is the same."""
GAP_NS = PRESENCE_GAP_MS * NS_PER_MS


def started(draft: Draft) -> None:
    """Nothing that stood in the lane is believed before the inputs were read."""
    fact = draft.event.fact
    assert isinstance(fact, Started)
    draft.put(lane_green=False, scanner_on=False, picture=None, loop_2_on_at_ns=None)
    if fact.downtime_ms is None or fact.downtime_ms >= PRESENCE_GAP_MS:
        # Whose plate or tag was read early may be through, and another at the window.
        draft.put(early_plate=None, early_tag=None)
    doubt(draft, fact.downtime_ms)


def doubt(draft: Draft, blind_ms: int | None) -> None:
    """The lane was not watched for a while: who stands there now may be another.

    Args:   blind_ms: how long; None where nobody knows.
    """
    short = blind_ms is not None and blind_ms <= SAME_VEHICLE_DOWNTIME_MS_MAX
    lost_ns, was_still = draft.state.loop_1_lost_at_ns, draft.state.still_when_lost
    still = _stands_still(draft) if lost_ns is None else was_still
    draft.put(loop_1_free_at_ns=None, loop_1_on_at_ns=None, loop_1_lost_at_ns=None)
    if draft.state.leaving is not None:
        # It was under the boom with an authorisation, or as a violation: loop 2 will tell when it
        # is gone.
        draft.put(leaving_phase=LeavingPhase.UNDER_BOOM)
        draft.wake("under_stuck", draft.limits.loop_stuck_ms)
        if blind_ms is None or blind_ms >= PRESENCE_GAP_MS:
            _doubt_leaving(draft)
    if draft.state.arriving is not None:
        _doubt_arriving(draft, "restart" if short else "long_restart", still=still)


def _doubt_leaving(draft: Draft) -> None:
    leaving = draft.state.leaving
    assert leaving is not None
    if NOT_STILL not in leaving.remarks and len(leaving.remarks) < REMARKS_MAX:
        draft.put(leaving=evolve(leaving, remarks=(*leaving.remarks, NOT_STILL)))


def _stands_still(draft: Draft) -> bool:
    """Return whether nothing moves in the lane, by the last readings there are: the boom is down,
    and nothing is under it but a vehicle that is leaving."""
    state = draft.state
    under = () if state.leaving is not None else tuple(state.config.under_boom)
    return (
        state.last_read(Point.BOOM_DOWN) is Reading.ON
        and state.last_read(Point.BOOM_UP) is Reading.OFF
        and all(state.last_read(point) is Reading.OFF for point in under)
    )


def _doubt_arriving(draft: Draft, remark: str, *, still: bool) -> None:
    in_doubt = draft.state.phase is Phase.UNSURE
    draft.put_passage(phase=Phase.UNSURE, under_seen=False, under_held=False)
    draft.remark(remark)
    if not still and not in_doubt:
        # It was on its way when last seen: whoever stands there now may be the next one.
        draft.remark(NOT_STILL)
    draft.scanner(False)
    draft.wake("unsure", UNSURE_MS)


def loop_1_read(draft: Draft) -> None:
    """Doubt whoever stands at the window where loop 1 could not be read for a second or more.

    One may have left meanwhile and another come, unseen: what was paid for the one must not let
    the other through. In less than a second no vehicle takes another's place; and where nobody
    stands there afterwards, there is nobody to doubt.
    """
    fact = draft.event.fact
    assert isinstance(fact, InputChanged)
    if fact.point is not Point.LOOP_1:
        return
    lost_ns, reading = draft.state.loop_1_lost_at_ns, fact.reading
    if reading is Reading.UNKNOWN and lost_ns is None:
        draft.put(loop_1_lost_at_ns=draft.now_ns, still_when_lost=_stands_still(draft))
    if reading is not Reading.ON or lost_ns is None:
        return
    draft.put(loop_1_lost_at_ns=None)
    blind_ns = draft.now_ns - lost_ns
    if blind_ns < GAP_NS:
        return
    if draft.state.leaving is not None:
        _doubt_leaving(draft)
    if draft.state.arriving is None:
        return
    short = blind_ns <= SAME_VEHICLE_DOWNTIME_MS_MAX * NS_PER_MS
    still = draft.state.still_when_lost
    _doubt_arriving(draft, "inputs_lost" if short else "inputs_long_lost", still=still)
    if draft.state.early_plate is not None and draft.state.early_at_ns >= lost_ns:
        draft.remark(identify.OTHER_PLATE)


def sure_again(draft: Draft) -> bool:
    """A lane that watches again takes the vehicle as the same: loop 1 held, loop 2 free, boom
    down, before a short outage and after it."""
    passage, state = draft.state.arriving, draft.state
    if passage is None or passage.phase is not Phase.UNSURE:
        return False
    under = state.config.under_boom
    if state.leaving is None and any(state.reading(point) is Reading.ON for point in under):
        draft.remark(NOT_STILL)
    if UNLIKE & set(draft.passage.remarks):
        return False
    same = (
        state.reading(Point.LOOP_1) is Reading.ON
        and all(state.reading(point) is Reading.OFF for point in {Point.LOOP_2, *under})
        and state.reading(Point.BOOM_DOWN) is Reading.ON
        and state.reading(Point.BOOM_UP) is Reading.OFF
    )
    if same:
        draft.note("same_vehicle_by_loops")
    return same


def unsure_over(draft: Draft) -> None:
    """Nothing proved the vehicle the same: close its passage; whoever stands there is new.

    One that has paid, behind a boom that is up, gets a person first: charging it again would be
    worse than letting it wait.
    """
    if draft.state.arriving is None or draft.state.phase is not Phase.UNSURE:
        return
    passage = draft.passage
    ask = passage.released and "long_restart" not in passage.remarks
    if ask and IN_DOUBT_ASKED not in passage.remarks:
        draft.remark(IN_DOUBT_ASKED)
        identify.call_for_help(draft, "is the vehicle at the window the one that has paid?")
        draft.wake("unsure", UNSURE_PAID_MS)
        return
    if identify.OTHER_PLATE in passage.remarks and draft.state.early_plate is not None:
        draft.put(early_at_ns=draft.now_ns)  # Whose plate that is still stands there.
    presence.leave_backwards(draft, PassageEnd.LEFT_DURING_OUTAGE)
