"""Whose plate or tag was read while the vehicle before it was still under the boom, and until when.

What is read early (identify.plate_early, tag_early) waits for its vehicle's presence. It is
forgotten where that vehicle has gone without one: it followed too closely, or nobody watched.
"""

from __future__ import annotations

from lane_controller.core.draft import Draft
from lane_controller.core.limits import PRESENCE_GAP_MS, UNREAD_MS_MAX
from tolling.clock import NS_PER_MS

GAP_NS = PRESENCE_GAP_MS * NS_PER_MS
UNREAD_NS = UNREAD_MS_MAX * NS_PER_MS


def held_since_ns(draft: Draft) -> int:
    """Return since when loop 1 counts as held, now that it is.

    Where nobody watched it for a second or more, a vehicle whose plate or tag was read before has
    it or had it meanwhile: once it is free again, that one is gone.
    """
    state = draft.state
    lost_ns, read = state.loop_1_lost_at_ns, state.early_plate or state.early_tag
    if state.loop_1_free_at_ns is not None or read is None:
        return draft.now_ns
    unwatched = lost_ns is None or draft.now_ns - lost_ns >= GAP_NS
    return state.early_at_ns if unwatched else draft.now_ns


def forget(draft: Draft) -> None:
    """Whoever held loop 1 last, close behind the vehicle under the boom, has left it too: what was
    read of that one is not the next one's."""
    state = draft.state
    held_ns, free_ns = state.loop_1_on_at_ns, state.loop_1_free_at_ns
    if held_ns is None and state.leaving_followed:
        held_ns = state.leaving_since_ns  # No gap was seen between the two.
    if state.arriving is not None or held_ns is None or free_ns is None:
        return
    if held_ns <= state.early_at_ns <= free_ns:
        draft.put(early_plate=None, early_tag=None)


def forget_unwatched(draft: Draft) -> None:
    """Loop 1 reads free, and could not be read for a second or more: whoever's plate or tag was
    read meanwhile, or while that was not known yet, came and went."""
    state = draft.state
    lost_ns = state.loop_1_lost_at_ns
    if state.arriving is not None or lost_ns is None or draft.now_ns - lost_ns < GAP_NS:
        return
    if state.early_at_ns >= lost_ns - UNREAD_NS:
        draft.put(early_plate=None, early_tag=None)
