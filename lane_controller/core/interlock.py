"""The barrier's own machine: where the boom is, and the only rule that asks to lower it.

It knows limits, detectors and time, and of the vehicles only whether one is authorised or under
the boom.
Echoes and answers are not motion: only a limit switch is. A raise beats a lower at once; nothing
is commanded on
start. Fault, stale and unknown detectors count as occupied.
"""

from __future__ import annotations

from lane_controller.core import commands as cmd
from lane_controller.core.draft import Draft
from lane_controller.core.events import BarrierFailed, InputChanged, LowerAnswered
from lane_controller.core.limits import (
    BOOM_LOWERS_MS_MIN,
    BOOM_SETTLE_MS,
    CLEAR_BEFORE_LOWER_MS,
    LOWER_REFUSALS_MAX,
    RAISE_RETRIES_MAX,
)
from lane_controller.core.states import Boom, Phase
from tolling.alarms import AlarmCode, Degraded
from tolling.clock import NS_PER_MS
from tolling.ids import PassageId
from tolling.inputs import Output, Point, Reading
from tolling.messages import CommandOutcome


def raise_boom(
    draft: Draft,
    reason: cmd.RaiseReason,
    passage_id: PassageId | None,
    *,
    after_commit: bool = False,
) -> None:
    """Raise now, whatever the boom does; *after_commit*: once its reason is in the journal."""
    draft.put(raise_retries=0, lower_refusals=0, lowered_at_ns=None)
    draft.emit(cmd.RaiseBoom(reason=reason, passage_id=passage_id, after_commit=after_commit))
    if draft.state.lower_command_id is not None:
        _answer_lower(draft, CommandOutcome.REFUSED, "raise_beats_lower")
    if draft.state.boom is not Boom.UP:
        draft.put(boom=Boom.RAISING)
        draft.wake("boom", draft.limits.boom_travel_ms)
        if _stands_up(draft):
            # A lower was pulsed a moment ago and may not have moved it: look again soon.
            draft.wake("boom_settle", BOOM_SETTLE_MS)
    elif draft.state.raise_command_id is not None:
        _answer_raise(draft, CommandOutcome.CONFIRMED, "")


def order_raise(
    draft: Draft, command_id: str, reason: cmd.RaiseReason, passage_id: PassageId | None
) -> None:
    """Raise for a person, who is answered when the upper limit says so."""
    expect_raise(draft, command_id)
    raise_boom(draft, reason, passage_id)


def expect_raise(draft: Draft, command_id: str) -> None:
    """Answer this command by the next readback of the upper limit."""
    if draft.state.raise_command_id is not None:
        _answer_raise(draft, CommandOutcome.UNKNOWN, "ordered_again")
    draft.put(raise_command_id=command_id)


def input_changed(draft: Draft) -> None:
    """Take one input into account."""
    fact = draft.event.fact
    assert isinstance(fact, InputChanged)
    if not draft.state.inputs:
        # First reading after a start: nobody knows what the lamps showed when the last run ended.
        tell_lamps(draft)
    draft.put(inputs={**draft.state.inputs, fact.point.value: fact.reading})
    if fact.reading is not Reading.UNKNOWN:
        draft.put(read={**draft.state.read, fact.point.value: fact.reading})
    _input_alarm(draft, fact.point, fact.reading)
    if fact.point in (Point.BOOM_UP, Point.BOOM_DOWN):
        _limits_changed(draft, fact.point)
    if fact.point in draft.state.config.under_boom:
        _under_boom_changed(draft, fact.reading)


def tell_lamps(draft: Draft) -> None:
    """Set both lamps to what they should show, whatever they show now."""
    green, canopy = draft.state.lane_green, draft.state.canopy_green
    draft.emit(cmd.SetOutput(output=Output.LANE_GREEN, on=green))
    draft.emit(cmd.SetOutput(output=Output.CANOPY_GREEN, on=canopy))


def _input_alarm(draft: Draft, point: Point, reading: Reading) -> None:
    if reading is Reading.UNKNOWN:
        draft.alarm(AlarmCode.INPUT_FAULT, point.value, f"input {point} cannot be read")
        draft.degrade(Degraded.NO_INPUTS, f"input {point} cannot be read")
        return
    draft.clear(AlarmCode.INPUT_FAULT, point.value)
    if all(alarm.code != AlarmCode.INPUT_FAULT.value for alarm in draft.state.alarms):
        draft.restore(Degraded.NO_INPUTS)


def _limits_changed(draft: Draft, changed: Point) -> None:
    up = draft.state.reading(Point.BOOM_UP)
    down = draft.state.reading(Point.BOOM_DOWN)
    if up is Reading.ON and down is Reading.ON:
        draft.alarm(AlarmCode.BOOM_LIMITS, "", "both limit switches are on")
        draft.degrade(Degraded.BARRIER_FAULT, "both limit switches are on")
        if draft.state.boom is Boom.RAISING and changed is Point.BOOM_UP:
            _is_up(draft)  # It has come there: the lower limit, which did not change, lies.
        elif draft.state.boom not in (Boom.RAISING, Boom.LOWERING):
            draft.put(boom=Boom.UNKNOWN)  # What was commanded goes on: its time says how it ends.
        return
    if up is Reading.ON:
        _reached_up(draft)
    elif down is Reading.ON:
        if draft.state.boom is Boom.LOWERING and (changed is Point.BOOM_UP or _too_soon(draft)):
            return  # It has only left the upper limit: the lower one lies, or read so before.
        _reached_down(draft)
    elif Reading.UNKNOWN in (up, down):
        if draft.state.boom in (Boom.UP, Boom.DOWN, Boom.MOVED):
            draft.put(boom=Boom.UNKNOWN)
    else:
        _left_limits(draft)


def _stands_up(draft: Draft) -> bool:
    """Return whether the upper limit says so and the lower one does not deny it."""
    up = draft.state.reading(Point.BOOM_UP) is Reading.ON
    return up and draft.state.reading(Point.BOOM_DOWN) is not Reading.ON


def _stands_down(draft: Draft) -> bool:
    """Return whether the lower limit says so and the upper one does not deny it."""
    down = draft.state.reading(Point.BOOM_DOWN) is Reading.ON
    return down and draft.state.reading(Point.BOOM_UP) is Reading.OFF


def _reached_up(draft: Draft) -> None:
    was = draft.state.boom
    if was is Boom.LOWERING:
        draft.clear(AlarmCode.BOOM_LIMITS)
        return  # It has not left the limit yet: the pulse was a moment ago.
    _limits_healthy(draft)
    if was is Boom.DOWN:
        draft.alarm(AlarmCode.BOOM_MOVED, "", "the boom went up without a command")
    _is_up(draft)


def _is_up(draft: Draft) -> None:
    draft.put(boom=Boom.UP, raise_retries=0)
    draft.no_wake("boom")
    draft.clear(AlarmCode.BOOM_NOT_UP)
    if draft.state.raise_command_id is not None:
        _answer_raise(draft, CommandOutcome.CONFIRMED, "")


def _reached_down(draft: Draft) -> None:
    was = draft.state.boom
    if was is Boom.RAISING:
        draft.clear(AlarmCode.BOOM_LIMITS)
        return  # It has not left the limit yet: the pulse was a moment ago.
    draft.put(boom=Boom.DOWN, lower_refusals=0)
    draft.no_wake("boom")
    _limits_healthy(draft)
    draft.clear(AlarmCode.BOOM_NOT_DOWN)
    draft.clear(AlarmCode.BOOM_NOT_UP)
    draft.clear(AlarmCode.LOWER_OBSTRUCTED)
    if was is Boom.LOWERING:
        draft.clear(AlarmCode.BOOM_MOVED)
    elif was in (Boom.UP, Boom.MOVED):
        draft.note("boom_moved_down_without_command")
        draft.clear(AlarmCode.BOOM_MOVED)
    if draft.state.lower_command_id is not None:
        _answer_lower(draft, CommandOutcome.CONFIRMED, "")


def _left_limits(draft: Draft) -> None:
    if draft.state.boom in (Boom.UP, Boom.DOWN):
        draft.alarm(AlarmCode.BOOM_MOVED, "", "the boom left its limit without a command")
        left_ms = _comes_down_ms(draft) if draft.state.boom is Boom.DOWN else 0
        draft.put(boom=Boom.LOWERING if left_ms else Boom.MOVED)
        draft.wake("boom", left_ms or draft.limits.boom_travel_ms)
        if left_ms and _under_boom_held(draft):
            _turn(draft)
    elif draft.state.boom is Boom.UNKNOWN:
        draft.put(boom=Boom.MOVED)
        draft.wake("boom", draft.limits.boom_travel_ms)


def _too_soon(draft: Draft) -> bool:
    """Return whether the boom was told to come down so short a time ago that none is down yet."""
    lowered_ns = draft.state.lowered_at_ns
    return lowered_ns is not None and draft.now_ns - lowered_ns < BOOM_LOWERS_MS_MIN * NS_PER_MS


def _comes_down_ms(draft: Draft) -> int:
    """Return for how long the boom may still be coming down as it was told to: a lower limit that
    lets go of it in that time had only flickered."""
    lowered_ns = draft.state.lowered_at_ns
    if lowered_ns is None:
        return 0
    return max(0, draft.limits.boom_travel_ms - (draft.now_ns - lowered_ns) // NS_PER_MS)


def _limits_healthy(draft: Draft) -> None:
    draft.clear(AlarmCode.BOOM_LIMITS)
    draft.restore(Degraded.BARRIER_FAULT)


def _under_boom_changed(draft: Draft, reading: Reading) -> None:
    if reading.occupied:
        draft.put(clear_since_ns=None)
        if _coming_down(draft):
            _turn(draft)
        return
    restart_clear(draft)


def _coming_down(draft: Draft) -> bool:
    """Return whether the boom is on its way down by our command, also one that is overdue there:
    a slow boom is still a boom that comes down."""
    if draft.state.boom is Boom.LOWERING:
        return True
    late = any(alarm.code == AlarmCode.BOOM_NOT_DOWN.value for alarm in draft.state.alarms)
    return draft.state.boom is Boom.MOVED and late


def _turn(draft: Draft) -> None:
    raise_boom(draft, cmd.RaiseReason.SAFETY, None)
    draft.alarm(AlarmCode.LOWER_OBSTRUCTED, "", "something came under the lowering boom")


def restart_clear(draft: Draft) -> None:
    """Begin the second of quiet before a lower, where every detector under the boom is free."""
    under = draft.state.config.under_boom
    if all(draft.state.reading(point) is Reading.OFF for point in under):
        draft.put(clear_since_ns=draft.now_ns)
        draft.wake("clear", CLEAR_BEFORE_LOWER_MS)


def is_clear(draft: Draft) -> bool:
    """Return whether every detector under the boom has been free and healthy long enough (B1)."""
    since = draft.state.clear_since_ns
    return since is not None and draft.now_ns - since >= CLEAR_BEFORE_LOWER_MS * NS_PER_MS


def lower_hindrance(draft: Draft) -> str:
    """Return why the boom must not be lowered now, in one word; empty where it may."""
    state = draft.state
    if state.leaving is not None:
        return "vehicle_under_boom"
    if state.arriving is not None and state.arriving.released:
        return "vehicle_released"
    if state.arriving is not None and state.phase is Phase.UNSURE:
        return "vehicle_unsure"
    return "" if is_clear(draft) else "not_clear"


def lower_when_allowed(draft: Draft) -> bool:
    """Ask to lower after a presence has ended and all is clear. Return whether it was asked."""
    state = draft.state
    if state.lower_armed and state.boom is Boom.DOWN:
        # Used up: a boom that a person moves by hand or key later is not ours to lower.
        draft.put(lower_armed=False)
        return True
    if not state.lower_armed or state.boom not in (Boom.UP, Boom.MOVED, Boom.UNKNOWN):
        return False
    if lower_hindrance(draft):
        return False
    _lower(draft)
    return True


def _lower(draft: Draft) -> None:
    draft.lamp(False)
    draft.put(boom=Boom.LOWERING)
    _keep_lowered_at(draft)
    draft.emit(cmd.LowerIfClear())
    draft.wake("boom", draft.limits.boom_travel_ms)


def order_lower(draft: Draft, command_id: str) -> None:
    """Lower for a person, under the same interlock."""
    hindrance = lower_hindrance(draft)
    if hindrance:
        draft.answer(command_id, CommandOutcome.REFUSED, hindrance)
        return
    if draft.state.boom is Boom.DOWN:
        draft.answer(command_id, CommandOutcome.CONFIRMED)
        return
    if draft.state.lower_command_id is not None:
        _answer_lower(draft, CommandOutcome.UNKNOWN, "ordered_again")
    draft.put(lower_command_id=command_id)
    if draft.state.boom is not Boom.LOWERING:
        _lower(draft)


def lower_answered(draft: Draft) -> None:
    """The driver pulsed, or refused after reading the detectors afresh."""
    fact = draft.event.fact
    assert isinstance(fact, LowerAnswered)
    if fact.refusal is None:
        _lower_pulsed(draft)
        return
    if draft.state.boom is not Boom.LOWERING:
        return
    draft.put(boom=_not_lowered(draft), lower_refusals=draft.state.lower_refusals + 1)
    draft.no_wake("boom")
    draft.note("lower_refused", fact.refusal.value)
    if draft.state.lower_command_id is not None:
        _answer_lower(draft, CommandOutcome.REFUSED, fact.refusal.value)
    if draft.state.lower_refusals >= LOWER_REFUSALS_MAX:
        draft.alarm(AlarmCode.BOOM_NOT_DOWN, "", f"lowering is refused: {fact.refusal}")
    draft.put(clear_since_ns=None)
    restart_clear(draft)


def _not_lowered(draft: Draft) -> Boom:
    """Return where a boom is that did not come down as it was asked to."""
    if _stands_up(draft):
        return Boom.UP
    both = draft.state.reading(Point.BOOM_UP) is Reading.ON
    return Boom.UNKNOWN if both else Boom.MOVED


def _lower_pulsed(draft: Draft) -> None:
    """The boom comes down from this moment on, however long ago it was asked for.

    A slow disk or line may have held the pulse back, even until it was given up: then the boom that
    left its limit meanwhile did so by our command.
    """
    if draft.state.boom in (Boom.UP, Boom.MOVED, Boom.UNKNOWN):
        draft.put(boom=Boom.LOWERING)
        draft.clear(AlarmCode.BOOM_MOVED)
        if _under_boom_held(draft):
            _turn(draft)
            return
    if draft.state.boom is Boom.LOWERING:
        _keep_lowered_at(draft)
        draft.wake("boom", draft.limits.boom_travel_ms)


def _keep_lowered_at(draft: Draft) -> None:
    """Keep when the boom was told to come down: one that is half way down already, as if it had
    been told before."""
    before_ms = 0 if draft.state.reading(Point.BOOM_UP) is Reading.ON else BOOM_LOWERS_MS_MIN
    draft.put(lowered_at_ns=draft.now_ns - before_ms * NS_PER_MS)


def _under_boom_held(draft: Draft) -> bool:
    under = draft.state.config.under_boom
    return any(draft.state.reading(point).occupied for point in under)


def barrier_failed(draft: Draft) -> None:
    """The line failed under a pulse: raise again a few times; never lower again blindly."""
    fact = draft.event.fact
    assert isinstance(fact, BarrierFailed)
    if not fact.raising:
        draft.note("lower_not_confirmed_by_line")
        return
    if draft.state.boom is Boom.UP:
        draft.note("raise_not_confirmed_by_line")  # It is up by its limit switch.
        return
    if draft.state.boom is not Boom.RAISING or draft.state.raise_retries >= RAISE_RETRIES_MAX:
        draft.alarm(AlarmCode.BOOM_NOT_UP, "", "the barrier did not take the raise")
        return
    draft.put(raise_retries=draft.state.raise_retries + 1)
    draft.wake("raise_again", 200 * draft.state.raise_retries)


def raise_again(draft: Draft) -> None:
    """A failed raise is due again."""
    if draft.state.boom is Boom.RAISING:
        draft.emit(cmd.RaiseBoom(reason=cmd.RaiseReason.SAFETY, passage_id=None))


def boom_settled(draft: Draft) -> None:
    """The boom was told to rise while still at its upper limit: if it is there now, it never
    left."""
    if draft.state.boom is Boom.RAISING and _stands_up(draft):
        _reached_up(draft)


def boom_overdue(draft: Draft) -> None:
    """No limit was reached in time."""
    boom = draft.state.boom
    if boom is Boom.RAISING:
        draft.alarm(AlarmCode.BOOM_NOT_UP, "", "the upper limit was not reached in time")
        draft.degrade(Degraded.BARRIER_FAULT, "the upper limit was not reached in time")
        if draft.state.raise_command_id is not None:
            _answer_raise(draft, CommandOutcome.UNKNOWN, "no_upper_limit")
        if draft.state.raise_retries < RAISE_RETRIES_MAX:
            draft.put(raise_retries=draft.state.raise_retries + 1)
            draft.emit(cmd.RaiseBoom(reason=cmd.RaiseReason.SAFETY, passage_id=None))
            draft.wake("boom", draft.limits.boom_travel_ms)
    elif boom is Boom.LOWERING and _stands_down(draft):
        _reached_down(draft)  # That switch lied while the boom came down; it is there by now.
    elif boom is Boom.LOWERING:
        draft.alarm(AlarmCode.BOOM_NOT_DOWN, "", "the lower limit was not reached in time")
        draft.degrade(Degraded.BARRIER_FAULT, "the lower limit was not reached in time")
        draft.put(boom=_not_lowered(draft), lower_armed=False)
        if draft.state.lower_command_id is not None:
            _answer_lower(draft, CommandOutcome.UNKNOWN, "no_lower_limit")
    elif boom is Boom.MOVED:
        draft.alarm(AlarmCode.BOOM_LIMITS, "", "no limit switch is on")
        draft.degrade(Degraded.BARRIER_FAULT, "no limit switch is on")


def started(draft: Draft) -> None:
    """Forget what was believed of the barrier: it is read first, and nothing is commanded."""
    if draft.state.raise_command_id is not None:
        _answer_raise(draft, CommandOutcome.UNKNOWN, "restarted")
    if draft.state.lower_command_id is not None:
        _answer_lower(draft, CommandOutcome.UNKNOWN, "restarted")
    draft.put(
        inputs={},
        boom=Boom.UNKNOWN,
        clear_since_ns=None,
        lower_armed=False,
        lowered_at_ns=None,
        raise_retries=0,
        lower_refusals=0,
    )


def _answer_raise(draft: Draft, outcome: CommandOutcome, reason: str) -> None:
    command_id = draft.state.raise_command_id
    assert command_id is not None
    draft.put(raise_command_id=None)
    draft.answer(command_id, outcome, reason)


def _answer_lower(draft: Draft, outcome: CommandOutcome, reason: str) -> None:
    command_id = draft.state.lower_command_id
    assert command_id is not None
    draft.put(lower_command_id=None)
    draft.answer(command_id, outcome, reason)
