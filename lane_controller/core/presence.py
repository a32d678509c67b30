"""Vehicles in the lane: when a presence begins, goes under the boom, and ends; and its record.

Loop 1 lies at the window, loop 2 under the boom, and the shortest car covers both. A presence
begins with
loop 1 going occupied; gaps under 1 s do not end it. It ends as passed when loop 2 went occupied
and free, as
backed_out when both loops are free for 1 s and loop 2 was never occupied.
"""

from __future__ import annotations

from lane_controller.core import commands as cmd
from lane_controller.core import coupons, early, identify, under_boom
from lane_controller.core.draft import Draft
from lane_controller.core.events import InputChanged, PlateRead, TagRead
from lane_controller.core.limits import (
    BETWEEN_VEHICLES_MS_MIN,
    LOOP_2_PASS_MS_MIN,
    PRESENCE_GAP_MS,
    UNSURE_MS,
)
from lane_controller.core.sealing import seal
from lane_controller.core.states import (
    Boom,
    EtcPhase,
    LaneMode,
    LaneState,
    LeavingPhase,
    Passage,
    Phase,
)
from tolling.alarms import AlarmCode
from tolling.clock import NS_PER_MS
from tolling.evolve import evolve
from tolling.ids import make_passage_id
from tolling.inputs import Point, Reading
from tolling.records import PassageEnd
from tolling.vehicles import Plate, may_be_same_plate

GAP_NS = PRESENCE_GAP_MS * NS_PER_MS
BETWEEN_NS = BETWEEN_VEHICLES_MS_MIN * NS_PER_MS
NOT_STILL = "not_still_around_outage"
"""When last seen before an outage, or since, something was under the boom, or the boom was not
down: the vehicle need not have stayed."""
WINDOW_TIMERS = (
    "plate",
    "entry",
    "stuck",
    "presence",
    "tender",
    "cash",
    "etc",
    "coupon",
    "unsure",
)
UNAUTHORISED = "a vehicle goes through without authorisation"


def loop_changed(draft: Draft) -> None:
    """Keep the moments of the loops' edges; the joint rules read them."""
    fact = draft.event.fact
    assert isinstance(fact, InputChanged)
    state = draft.state
    if fact.point is Point.CURTAIN and fact.reading is Reading.ON:
        # A reading that is lost shows nobody: inputs lost for long doubt the vehicle themselves.
        left = state.leaving_left_window
        draft.put(
            leaving_left_window=True,
            leaving_followed=state.leaving_followed or left,
            leaving_by_curtain=state.leaving_by_curtain or not left,
            curtain_on_at_ns=draft.now_ns,
        )
    if fact.point is Point.LOOP_2:
        under_boom.loop_2_changed(draft, fact.reading)
    if fact.point is not Point.LOOP_1:
        return
    if fact.reading is Reading.OFF:
        early.forget_unwatched(draft)
        draft.put(loop_1_free_at_ns=draft.now_ns)
        if state.leaving_holds_loop_1:
            draft.wake("loop_1_gap", PRESENCE_GAP_MS)
    elif fact.reading is Reading.ON:
        free_at = state.loop_1_free_at_ns
        free_ns = 0 if free_at is None else draft.now_ns - free_at
        if free_ns >= BETWEEN_NS:
            draft.put(leaving_left_window=True, leaving_by_curtain=False)
            early.forget(draft)
        # Held from here on: a reading that is lost and comes back is no vehicle that comes.
        draft.put(loop_1_on_at_ns=early.held_since_ns(draft), loop_1_free_at_ns=None)
        if free_ns >= (BETWEEN_NS if state.leaving_flickered else GAP_NS):
            draft.put(leaving_holds_loop_1=False)


def loop_1_gap_over(draft: Draft) -> None:
    """Loop 1 has been free for 1 s: the vehicle under the boom has left it."""
    if draft.state.reading(Point.LOOP_1) is not Reading.OFF:
        return
    draft.put(leaving_holds_loop_1=False)
    early.forget(draft)


# ---- joint rules, each returns whether it changed anything ----


def begin_presence(draft: Draft) -> bool:
    """A vehicle on loop 1 that belongs to nobody yet is a new presence."""
    state = draft.state
    if state.arriving is not None or state.leaving_holds_loop_1:
        return False
    if state.reading(Point.LOOP_1) is not Reading.ON:
        return False
    passage_id = make_passage_id(
        plaza=state.config.plaza_id,
        lane=state.config.lane_id,
        epoch=state.epoch,
        passage_no=state.next_passage_no,
    )
    draft.put(
        next_passage_no=state.next_passage_no + 1,
        arriving=Passage(
            passage_id=passage_id,
            phase=Phase.IDENTIFYING,
            arrived_at_ns=draft.now_ns,
            arrived=draft.event.wall,
            vehicle_class=state.config.default_class,
            plate_done="camera" not in state.config.devices,
            came_unseen=_nobody_seen_to_come(state, draft.now_ns),
            # Whoever broke the curtain behind the one that is leaving may be this one already.
            came_followed=state.leaving is not None and state.leaving_followed,
        ),
    )
    draft.mark_degraded()
    draft.note("vehicle_arrived")
    no_camera = draft.passage.plate_done
    draft.wake("plate", 0 if no_camera else draft.limits.plate_wait_ms)
    draft.wake("stuck", draft.limits.loop_stuck_ms)
    if state.mode is LaneMode.CLOSED:
        draft.put_passage(phase=Phase.HELD)
        identify.give_early(draft)
        identify.call_for_help(draft, "a vehicle stands in the closed lane")
        return True
    identify.take_early(draft)
    return True


def _nobody_seen_to_come(state: LaneState, now_ns: int) -> bool:
    """Return whether no edge of loop 1 told of whoever holds it, nor a plate read just now."""
    told_by_plate = state.early_plate is not None and state.early_at_ns == now_ns
    return state.loop_1_on_at_ns is None and not told_by_plate


def go_under_boom(draft: Draft) -> bool:
    """A released vehicle on loop 2 is leaving; any other is watched until it has left loop 1."""
    state = draft.state
    passage = state.arriving
    if passage is None or state.leaving is not None:
        return False
    if state.reading(Point.LOOP_2) is not Reading.ON:
        return False
    on_loop_1 = state.reading(Point.LOOP_1).occupied
    if not passage.released:
        if on_loop_1 and not passage.crept:
            draft.put_passage(crept=True)
            draft.remark("crept")
        if not under_boom.drove_into_boom(draft):
            return False
        # The next vehicle in a queue may close up before this one is off loop 1: then no loop ever
        # tells that it has gone.
    flickers = passage.released and not on_loop_1 and _flickers(state, draft.now_ns)
    if flickers:
        draft.wake("loop_1_gap", PRESENCE_GAP_MS)
    _leave_window(draft, holds_loop_1=on_loop_1 or flickers)
    draft.put(leaving_flickered=flickers and state.boom is Boom.UP)
    return True


def _flickers(state: LaneState, now_ns: int) -> bool:
    """Return whether loop 1 has lost the vehicle that comes onto loop 2 by chatter: a car covers
    both, and before a boom that is not up nobody has gone anywhere yet."""
    free_at = state.loop_1_free_at_ns
    longest_ns = BETWEEN_NS if state.boom is Boom.UP else GAP_NS
    return free_at is not None and now_ns - free_at < longest_ns


def _leave_window(draft: Draft, *, holds_loop_1: bool) -> None:
    passage = draft.passage
    if passage.phase is Phase.UNSURE:
        # Released or not, nobody watched it; the boom's state let it go (see started).
        draft.remark("drove_on_unsure")
        passage = draft.passage
    if not passage.released:
        draft.alarm(AlarmCode.VIOLATION, "", UNAUTHORISED)
        draft.note("violation")
    _hand_over_orders(draft)
    passage = draft.passage
    # The next one's hold begins with an edge; of a vehicle with another plate than the passage's it
    # has begun.
    another = passage.phase is Phase.UNSURE and identify.OTHER_PLATE in passage.remarks
    draft.put(
        leaving=passage,
        leaving_phase=LeavingPhase.UNDER_BOOM,
        leaving_holds_loop_1=holds_loop_1,
        leaving_flickered=False,
        leaving_left_window=not holds_loop_1 or under_boom.drove_into_boom(draft),
        leaving_by_curtain=holds_loop_1,
        leaving_since_ns=draft.now_ns,
        leaving_followed=False,
        leaving_curtain_blind=under_boom.curtain_broken(draft),
        arriving=None,
        loop_1_on_at_ns=draft.state.loop_1_on_at_ns if another else None,
    )
    draft.wake("under_stuck", draft.limits.loop_stuck_ms)
    _window_empty(draft)


def follow_under_boom(draft: Draft) -> bool:
    """A vehicle that came onto loop 2 right behind another breaks the curtain: it follows, and need
    not be off loop 1 before the next one takes that. So close behind that loop 2 stayed held it may
    have, and another plate at the window tells."""
    state = draft.state
    if state.arriving is None or state.leaving is None or not under_boom.drove_into_boom(draft):
        return False
    if not state.arriving.crept:
        # Loop 2 was not free between the two: the first one's trailer, or the second.
        changed = not state.arriving.maybe_followed
        draft.put_passage(maybe_followed=True)
        return changed
    _follow_close(draft, holds_loop_1=state.reading(Point.LOOP_1).occupied)
    return True


def _follow_close(draft: Draft, *, holds_loop_1: bool = False) -> None:
    """The second vehicle goes through while the first held loop 2: under one raise, or its own."""
    first = draft.state.leaving
    assert first is not None
    if not draft.passage.released:
        draft.remark("tailgated")
        draft.note("tailgated")
    follower = draft.passage
    draft.put(leaving=evolve(first, remarks=(*first.remarks, "followed_closely")))
    _end_leaving(draft)
    assert draft.state.leaving is None
    draft.put(arriving=follower)
    _leave_window(draft, holds_loop_1=holds_loop_1)


def leaving_clears(draft: Draft) -> bool:
    """Follow loop 2 under the vehicle that is leaving."""
    state = draft.state
    if state.leaving is None:
        return False
    held = state.reading(Point.LOOP_2).occupied
    if held and state.leaving_phase is LeavingPhase.CLEARING:
        draft.put(leaving_phase=LeavingPhase.UNDER_BOOM, leaving_followed=True)
        draft.no_wake("leaving")
        if state.arriving is not None and state.reading(Point.LOOP_1).occupied:
            # That one is wholly off loop 1: what comes onto loop 2 now may be the next.
            draft.put_passage(crept=True)
        return True
    if not held and state.leaving_phase is LeavingPhase.UNDER_BOOM:
        draft.put(leaving_phase=LeavingPhase.CLEARING)
        draft.wake("leaving", PRESENCE_GAP_MS)
        return True
    return False


def leaving_gone(draft: Draft) -> None:
    """Loop 2 has been free for 1 s: the vehicle is through, if it ever left the window."""
    if draft.state.leaving_phase is not LeavingPhase.CLEARING:
        return
    if _moved_on(draft):
        _end_leaving(draft)
    else:
        _never_left(draft)


def _moved_on(draft: Draft) -> bool:
    """Return whether the vehicle that held loop 2 left the window, as far as can be told.

    Loop 1 alone does not tell in a queue, where the next vehicle takes it before the first has left
    it, or so soon after that it may have been chatter. A curtain under the boom tells; without one,
    a hold of loop 2 too short for any vehicle does.
    """
    state = draft.state
    if state.arriving is not None:
        return True  # Another is at the window, told by its plate.
    told = not state.leaving_by_curtain or not under_boom.curtain_broken(draft)
    if (state.leaving_left_window and told) or state.reading(Point.LOOP_1) is not Reading.ON:
        return True
    assert state.leaving is not None
    another = state.early_plate is not None and state.early_at_ns >= state.leaving_since_ns
    if _curtain_cannot_tell(draft):
        # Another plate can.
        return another
    if another and NOT_STILL in state.leaving.remarks:
        return True
    if Point.CURTAIN in state.config.under_boom:
        return False
    held_ns = draft.now_ns - state.leaving_since_ns - GAP_NS
    return held_ns >= LOOP_2_PASS_MS_MIN * NS_PER_MS


def _curtain_cannot_tell(draft: Draft) -> bool:
    """Return whether the curtain, with nothing on loop 2, says nothing of who left it.

    It is dirty or cut where it is broken now. So it was where it was broken before the vehicle came
    and is not any more: the vehicle broke it unseen, or did not.
    """
    return draft.state.leaving_curtain_blind or under_boom.curtain_broken(draft)


def _never_left(draft: Draft) -> None:
    """Loop 2 came and went while loop 1 held on: chatter, or a bump. The vehicle still stands at
    the window, and its authorisation is still its own.

    Where nobody watched meanwhile, or the curtain cannot tell, it may as well be gone, and the next
    one stands there.
    """
    passage = draft.state.leaving
    assert passage is not None
    in_doubt = NOT_STILL in passage.remarks or _curtain_cannot_tell(draft)
    draft.put(
        arriving=evolve(passage, phase=Phase.UNSURE if in_doubt else Phase.RELEASED),
        leaving=None,
        leaving_phase=LeavingPhase.ABSENT,
        leaving_holds_loop_1=False,
    )
    if in_doubt:
        draft.remark(NOT_STILL)
    draft.remark("loop_2_came_and_went")
    draft.note("loop_2_came_and_went")
    draft.no_wake("under_stuck")
    draft.wake("stuck", draft.limits.loop_stuck_ms)
    if in_doubt:
        draft.wake("unsure", UNSURE_MS)


def _end_leaving(draft: Draft) -> None:
    passage = draft.state.leaving
    assert passage is not None
    end = PassageEnd.PASSED
    if "drove_on_unsure" in passage.remarks:
        end = PassageEnd.LEFT_DURING_OUTAGE
    draft.put(
        leaving=None,
        leaving_phase=LeavingPhase.ABSENT,
        leaving_holds_loop_1=False,
        lower_armed=True,
    )
    draft.no_wake("leaving")
    draft.no_wake("under_stuck")
    draft.clear(AlarmCode.VIOLATION)
    draft.clear(AlarmCode.LOOP_STUCK, Point.LOOP_2.value)
    seal(draft, passage, end)


def watch_window(draft: Draft) -> bool:
    """Start or stop the second after which a vehicle off loop 1 has left: on or back.

    Loop 1 loses a vehicle for shorter gaps (drawbar, chatter), so nothing is decided before.
    """
    state = draft.state
    passage = state.arriving
    fact = draft.event.fact
    if passage is None or not isinstance(fact, InputChanged):
        return False
    if not passage.under_held and under_boom.goes_under(draft):
        draft.put_passage(under_held=True)
    if fact.point not in (Point.LOOP_1, Point.LOOP_2):
        return False
    loop_1 = state.reading(Point.LOOP_1)
    if loop_1 is Reading.ON:
        _still_there(draft)
    elif _on_loop_2(draft):
        if not passage.under_seen:
            draft.put_passage(under_seen=True)
            if not passage.released and state.leaving is None:
                draft.alarm(AlarmCode.VIOLATION, "", UNAUTHORISED)
    elif passage.under_seen and not passage.under_held:
        draft.put_passage(under_held=under_boom.went_over_loop_2(draft))
    if loop_1 is not Reading.OFF:
        draft.no_wake("presence")
    elif fact.point is Point.LOOP_1 or _second_is_over(draft):
        # An edge of loop 2 does not begin the second anew: it is loop 1's. Once that is over, a
        # loop 2 that flickers decides with its next edge.
        over = fact.reading is Reading.OFF and fact.point is Point.LOOP_2 and not passage.released
        draft.wake("presence", 0 if over else PRESENCE_GAP_MS)
    return False


def _second_is_over(draft: Draft) -> bool:
    """Return whether loop 1 has been free for 1 s already, as far as is known."""
    free_at = draft.state.loop_1_free_at_ns
    return free_at is None or draft.now_ns - free_at >= GAP_NS


def _still_there(draft: Draft) -> None:
    if not draft.passage.under_seen:
        return
    draft.put_passage(under_seen=False, under_held=False, maybe_followed=True)
    leaving = draft.state.leaving
    if leaving is None or leaving.released:
        draft.clear(AlarmCode.VIOLATION)


def plate_at_window(draft: Draft) -> None:
    """Take the camera's word for the vehicle at the window, which need not be the one it was.

    One that drives through unpaid with another close behind leaves loop 1 for less than a second,
    or not at all. Only the plate tells then whose toll the driver at the window is asked for.
    """
    fact = draft.event.fact
    assert isinstance(fact, PlateRead)
    if _is_next_one(draft, fact.plate) or _another_came(draft, fact.plate):
        draft.put(early_plate=fact.plate, early_at_ns=draft.now_ns)
        _window_is_the_next_ones(draft)
    elif draft.state.phase in (Phase.UNSURE, Phase.IDENTIFYING):
        identify.plate_read(draft)
    elif draft.state.phase is Phase.HELD:
        identify.plate_late(draft)


def tag_at_window(draft: Draft) -> None:
    """Take a tag for the vehicle at the window, which need not be the one it was.

    A tag knows its vehicle's plate, and the antenna is quicker than the camera: close behind one
    that drives through unpaid, the next one's tag would pay for it.
    """
    fact = draft.event.fact
    assert isinstance(fact, TagRead)
    known = draft.passage.tag
    if known is not None and known.tag_id == fact.tag.tag_id:
        return  # It comes into the field once more; its plate may have been misread.
    if _is_next_one(draft, fact.tag.plate):
        draft.put(early_tag=fact.tag, early_at_ns=draft.now_ns)
        _window_is_the_next_ones(draft)
    else:
        identify.tag_read(draft)


def _window_is_the_next_ones(draft: Draft) -> None:
    """Whoever was at the window has gone on, under the boom or through."""
    if draft.state.leaving is not None:
        _follow_close(draft)
    else:
        _leave_window(draft, holds_loop_1=False)
    if draft.state.reading(Point.LOOP_2) is Reading.OFF:
        _end_leaving(draft)


def _is_next_one(draft: Draft, plate: Plate | None) -> bool:
    """Return whether *plate* is of a vehicle close behind the one that was at the window.

    It is where that one may have left: loop 1 came back within a second over a held loop 2. So it
    is in a queue of such, where the one before is not off loop 2 either.
    """
    passage, leaving = draft.passage, draft.state.leaving
    if plate is None or passage.plate_read is None or passage.plate_read.text == plate.text:
        return False
    if leaving is not None and leaving.plate_read == plate:
        return False  # The camera speaks once more of the vehicle under the boom.
    if passage.maybe_followed or passage.crept:
        return True
    # Behind a trailer it is so for every vehicle; one of them may be read once more, a digit wrong.
    return passage.came_followed and not may_be_same_plate(plate, passage.plate_read)


def _another_came(draft: Draft, plate: Plate | None) -> bool:
    """Return whether *plate* is of the vehicle that came to where none was seen to come.

    The passage was begun because loop 1 was held, as a loop that lies is for ever: the one whose
    plate was read before may be long gone. A tag does not tell that, drivers carry strange ones.
    Whoever has begun to pay stands there; and a vehicle in doubt is a person's to tell.
    """
    passage = draft.passage
    known = passage.plate_read
    if plate is None or known is None or not passage.came_unseen:
        return False
    paying = passage.orders or passage.coupons or passage.etc is not EtcPhase.NONE
    if paying or passage.phase is Phase.UNSURE:
        return False
    leaving = draft.state.leaving
    if leaving is not None and leaving.plate_read == plate:
        return False
    return not may_be_same_plate(plate, known)


def plate_after_release(draft: Draft) -> None:
    """The vehicle at the window may go: what the camera reads now is of the next one.

    It counts where that may stand at the window already: after a queue's gap too short to be seen,
    or while loop 1 cannot be read.
    """
    fact = draft.event.fact
    assert isinstance(fact, PlateRead)
    passage, state = draft.passage, draft.state
    other = fact.plate is not None and fact.plate != passage.plate_read
    if state.loop_1_lost_at_ns is not None and other:
        draft.put(early_plate=fact.plate, early_at_ns=draft.now_ns)
    elif state.leaving is not None and (passage.maybe_followed or passage.came_followed):
        plate_at_window(draft)


def _on_loop_2(draft: Draft) -> bool:
    """Return whether the vehicle at the window may hold loop 2.

    An unreadable loop 2 says so of a released vehicle only: the boom is down before any other.
    """
    loop_2 = draft.state.reading(Point.LOOP_2)
    return loop_2 is Reading.ON or (loop_2 is Reading.UNKNOWN and draft.passage.released)


def presence_gone(draft: Draft) -> None:
    """Loop 1 has been free for 1 s: the vehicle went on over loop 2, or left backwards."""
    state = draft.state
    if state.arriving is None or state.reading(Point.LOOP_1) is not Reading.OFF:
        return
    loop_2 = state.reading(Point.LOOP_2)
    if loop_2 is Reading.ON and not draft.passage.released and under_boom.hold_left_ms(draft) > 0:
        draft.wake("presence", under_boom.hold_left_ms(draft))  # So far it may be chatter.
        return
    went = draft.passage.under_seen and draft.passage.under_held
    if _on_loop_2(draft) or (loop_2 is Reading.OFF and went):
        if state.leaving is not None:
            _follow_close(draft)
        else:
            _leave_window(draft, holds_loop_1=False)
        if loop_2 is Reading.OFF:
            _end_leaving(draft)
        return
    if loop_2 is Reading.UNKNOWN and state.leaving is None:
        return  # It may stand on loop 2; the next reading tells.
    end = PassageEnd.BACKED_OUT
    if draft.passage.phase is Phase.UNSURE:
        end = PassageEnd.LEFT_DURING_OUTAGE
        if identify.OTHER_PLATE in draft.passage.remarks:
            draft.put(early_plate=None)  # It went with whoever stood there.
    leave_backwards(draft, end)


def leave_backwards(draft: Draft, end: PassageEnd) -> None:
    """End the arriving presence without a passage through the boom."""
    _hand_over_orders(draft)
    passage = draft.passage
    draft.put(arriving=None, lower_armed=draft.state.lower_armed or passage.released)
    if draft.state.leaving is None:
        draft.clear(AlarmCode.VIOLATION)
    draft.note(end.value)
    seal(draft, passage, end)
    _window_empty(draft)


def _hand_over_orders(draft: Draft) -> None:
    """The vehicle leaves the window: every undecided order is the plaza's to end."""
    coupons.drop_asked(draft)
    orders = []
    for order in draft.passage.orders:
        draft.no_wake(f"order:{order.out_trade_no}")
        draft.no_wake(f"poll:{order.out_trade_no}")
        if order.open:
            draft.emit(cmd.ForgetCode(keyed_hash=order.keyed_hash))
            if not order.handed_over:
                draft.emit(cmd.CancelOrder(out_trade_no=order.out_trade_no))
                order = evolve(order, handed_over=True)
        orders.append(order)
    draft.put_passage(orders=tuple(orders))
    if draft.passage.etc_open:
        # The last chance to know before its record is sealed: also of a charge that was given up
        # here before it went out, which its reader then says.
        draft.emit(cmd.AskTag(passage_id=draft.passage.passage_id))


def _window_empty(draft: Draft) -> None:
    draft.scanner(False)
    for timer in WINDOW_TIMERS:
        draft.no_wake(timer)
    for code in (AlarmCode.ASSIST, AlarmCode.ORDER_UNKNOWN, AlarmCode.TOLL_NOT_SHOWN):
        draft.clear(code)
    draft.clear(AlarmCode.TARIFF_GAP)
    draft.clear(AlarmCode.LOOP_STUCK, Point.LOOP_1.value)


def window_stuck(draft: Draft) -> None:
    """Somebody stands at the window for very long without progress."""
    if draft.state.arriving is not None:
        draft.alarm(AlarmCode.LOOP_STUCK, Point.LOOP_1.value, "loop 1 is held without progress")


def under_boom_stuck(draft: Draft) -> None:
    """Something holds loop 2 for very long: a breakdown under the boom, or the loop itself."""
    if draft.state.leaving is not None:
        draft.alarm(AlarmCode.LOOP_STUCK, Point.LOOP_2.value, "loop 2 is held without progress")
