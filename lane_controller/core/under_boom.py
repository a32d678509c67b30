"""What tells of a vehicle under the boom: how long loop 2 is held, and the curtain."""

from __future__ import annotations

from lane_controller.core.draft import Draft
from lane_controller.core.events import InputChanged
from lane_controller.core.limits import LOOP_2_HOLD_MS_MIN
from tolling.clock import NS_PER_MS
from tolling.inputs import Point, Reading


def loop_2_changed(draft: Draft, reading: Reading) -> None:
    """Keep since when loop 2 is held, and how long it was."""
    on_at_ns = draft.state.loop_2_on_at_ns
    if reading is Reading.ON and on_at_ns is None:
        draft.put(loop_2_on_at_ns=draft.now_ns)
    elif reading is Reading.OFF and on_at_ns is not None:
        draft.put(loop_2_on_at_ns=None, loop_2_held_ns=draft.now_ns - on_at_ns)


def went_over_loop_2(draft: Draft) -> bool:
    """Return whether the hold of loop 2 that has just ended was a vehicle's: before a boom that is
    down it breaks the curtain too, or, where that cannot tell, takes its time. Close behind another
    it makes no edge of its own there."""
    state = draft.state
    if draft.passage.released:
        return True
    tells = Point.CURTAIN in state.config.under_boom and not curtain_broken(draft)
    if tells and state.leaving is None:
        return False
    return hold_left_ms(draft) == 0


def goes_under(draft: Draft) -> bool:
    """Return whether this edge shows that the vehicle at the window goes under the boom: it is on
    its way and breaks the curtain, or comes onto loop 2 with the curtain broken a moment before (of
    one look at both, either may be told first)."""
    state, fact = draft.state, draft.event.fact
    if drove_into_boom(draft):
        return draft.passage.crept or draft.passage.under_seen
    comes = isinstance(fact, InputChanged) and fact.point is Point.LOOP_2
    if not comes or state.reading(Point.LOOP_2) is not Reading.ON or not curtain_broken(draft):
        return False
    broken_ns = state.curtain_on_at_ns
    return broken_ns is not None and draft.now_ns - broken_ns < LOOP_2_HOLD_MS_MIN * NS_PER_MS


def hold_left_ms(draft: Draft) -> int:
    """Return how much longer loop 2 must be held, as it is or was until now, to be a vehicle's."""
    on_at_ns = draft.state.loop_2_on_at_ns
    held_ns = draft.state.loop_2_held_ns if on_at_ns is None else draft.now_ns - on_at_ns
    return max(0, LOOP_2_HOLD_MS_MIN - held_ns // NS_PER_MS)


def drove_into_boom(draft: Draft) -> bool:
    """Return whether the curtain is broken just now: nobody stands there who is still to pay."""
    fact = draft.event.fact
    if not isinstance(fact, InputChanged) or fact.point is not Point.CURTAIN:
        return False
    return fact.reading is Reading.ON and Point.CURTAIN in draft.state.config.under_boom


def curtain_broken(draft: Draft) -> bool:
    """Return whether a curtain under the boom is broken, or cannot be read."""
    under = draft.state.config.under_boom
    return Point.CURTAIN in under and draft.state.reading(Point.CURTAIN).occupied
