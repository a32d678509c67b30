"""The barrier's machine: raise beats lower, only limits are motion, nothing lowers on a vehicle."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lane_controller.core import commands as cmd
from lane_controller.core import events as ev
from lane_controller.core import interlock as subject
from lane_controller.core.limits import LOWER_REFUSALS_MAX, RAISE_RETRIES_MAX
from lane_controller.core.states import Boom
from tests.lane_controller.core.playbook import (
    CONFIG,
    CURTAIN,
    LOOP_2,
    OFF,
    ON,
    UNKNOWN,
    Playbook,
)
from tolling.alarms import AlarmCode
from tolling.devices import Device, Health
from tolling.inputs import LowerRefusal, Output
from tolling.messages import CommandOutcome, OperatorAction


def lowering() -> Playbook:
    """Return a lane whose boom was told to lower after a car."""
    book = Playbook().open().arrive().pay().boom_up().read(loop_2=ON, loop_1=OFF).wait(500)
    return book.read(loop_2=OFF).wait(1000)


def test_lower_is_asked_a_second_after_the_car() -> None:
    """Not before every detector has been free for 1 s (B1)."""
    book = Playbook().open().arrive().pay().boom_up().read(loop_2=ON, loop_1=OFF)
    book.read(loop_2=OFF).wait(999)
    assert not book.gave(cmd.LowerIfClear)
    assert book.wait(1).gave(cmd.LowerIfClear)


def test_the_curtain_counts_too() -> None:
    """With two detectors both must be free and readable."""
    config = replace(CONFIG, under_boom=frozenset({LOOP_2, CURTAIN}))
    book = Playbook(config).open().arrive().pay().boom_up().read(loop_2=ON, loop_1=OFF)
    book.read(loop_2=OFF).wait(3000)
    assert not book.ever(cmd.LowerIfClear), "the curtain was never read"
    book.read(curtain=OFF).wait(999).read(curtain=UNKNOWN).read(curtain=OFF).wait(999)
    assert not book.ever(cmd.LowerIfClear)
    assert book.wait(1).gave(cmd.LowerIfClear)


@pytest.mark.parametrize("reading", [ON, UNKNOWN])
def test_what_turns_while_lowering_raises_at_once(reading: str) -> None:
    """Occupied or unreadable: raise with reason safety, which authorises nobody (B1, B2)."""
    book = lowering().read(loop_2=reading)  # type: ignore[arg-type]
    assert book.gave(cmd.RaiseBoom) == [
        cmd.RaiseBoom(reason=cmd.RaiseReason.SAFETY, passage_id=None)
    ]
    assert book.stands(AlarmCode.LOWER_OBSTRUCTED)
    book.boom_up().read(loop_2=OFF).wait(1000)
    assert book.gave(cmd.LowerIfClear), "the same lower is due again"


def test_a_raise_before_the_boom_left_its_limit_is_seen_by_the_settled_limit() -> None:
    """Raised again while still up: after a moment the limit counts."""
    book = lowering().arrive().pay("c2")
    assert book.state.boom is Boom.RAISING
    assert book.wait(300).state.boom is Boom.UP


def test_a_refused_lower_is_tried_again_and_told_after_five() -> None:
    """The driver read something under the boom: later again; a person is told in the end."""
    book = lowering()
    for _ in range(LOWER_REFUSALS_MAX):
        assert not book.stands(AlarmCode.BOOM_NOT_DOWN)
        _ = book >> ev.LowerAnswered(refusal=LowerRefusal.OCCUPIED)
        assert book.state.boom is Boom.UP
        book.wait(1000)
    assert book.stands(AlarmCode.BOOM_NOT_DOWN)
    _ = book >> ev.LowerAnswered(refusal=None)
    book.boom_down()
    assert not book.stands(AlarmCode.BOOM_NOT_DOWN)


def test_a_boom_moved_by_hand_is_not_ours_to_lower() -> None:
    """Key, hand or spring: an event and an alarm, and no command of the lane."""
    book = Playbook().open().arrive().pay().boom_up().drive_on()
    book.boom_up().wait(5000)
    assert len(book.ever(cmd.LowerIfClear)) == 1
    assert book.stands(AlarmCode.BOOM_MOVED)
    book.boom_down()
    assert not book.stands(AlarmCode.BOOM_MOVED)


def test_both_limits_or_none_for_too_long_is_a_fault() -> None:
    """B4."""
    book = Playbook().open().read(boom_up=ON)
    assert (book.state.boom, book.stands(AlarmCode.BOOM_LIMITS)) == (Boom.UNKNOWN, True)
    book.read(boom_up=OFF)
    assert not book.stands(AlarmCode.BOOM_LIMITS)
    book.read(boom_down=OFF).wait(3000)
    assert book.stands(AlarmCode.BOOM_LIMITS)


def test_an_upper_limit_that_lies_does_not_say_that_a_boom_is_up() -> None:
    """Raised while both limits read on, it is up when the lower one has let go of it: until then a
    paid car is raised for again, and a person is told."""
    book = Playbook().open().arrive().read(boom_up=ON).pay()
    assert book.wait(300).state.boom is Boom.RAISING
    assert book.stands(AlarmCode.BOOM_LIMITS)
    assert book.wait(3_000).gave(cmd.RaiseBoom)
    assert book.stands(AlarmCode.BOOM_NOT_UP)
    assert not book.read(boom_up=OFF).stands(AlarmCode.BOOM_LIMITS)
    book = Playbook().open().arrive().read(boom_up=ON).pay().wait(3_000)
    assert book.read(boom_down=OFF).state.boom is Boom.UP
    assert not book.stands(AlarmCode.BOOM_NOT_UP)


def test_who_has_paid_is_let_through_though_the_lower_limit_lies() -> None:
    """The boom is up where the upper one begins to say so as it rises; what is wrong is told."""
    book = Playbook().open().arrive().pay().wait(900).read(boom_up=ON)
    assert (book.state.boom, book.state.lane_green) == (Boom.UP, True)
    assert book.stands(AlarmCode.BOOM_LIMITS)
    book.read(loop_2=ON, loop_1=OFF).wait(500).read(loop_2=OFF).wait(1000)
    assert book.gave(cmd.LowerIfClear)


def test_a_person_is_answered_though_both_limits_begin_to_read_on() -> None:
    """The raise is not known to have worked, and neither is the lower."""
    book = Playbook().open().read(boom_up=ON).act(OperatorAction.RAISE)
    assert book.wait(3_000).result() == (CommandOutcome.UNKNOWN, "no_upper_limit")
    book = Playbook().open().read(boom_down=OFF, boom_up=ON).wait(1_000)
    book.act(OperatorAction.LOWER)
    _ = book >> ev.LowerAnswered(refusal=None)
    assert book.read(boom_down=ON).wait(3_000).result()[0] is CommandOutcome.UNKNOWN
    assert book.state.boom is Boom.UNKNOWN


def lowered_past_a_lie(*, first: bool) -> Playbook:
    """Return a lane whose boom has just left its upper limit on the way down, while the lower one
    reads on: since before the lower was asked, or since the pulse."""
    book = Playbook().open().arrive().pay().boom_up().read(loop_2=ON, loop_1=OFF).wait(500)
    if first:
        book.read(boom_down=ON)
    book.read(loop_2=OFF).wait(1000)
    assert book.gave(cmd.LowerIfClear)
    _ = book >> ev.LowerAnswered(refusal=None)
    if not first:
        book.read(boom_down=ON)
    return book.read(boom_up=OFF)


@pytest.mark.parametrize("first", [True, False])
def test_a_lower_limit_that_lies_does_not_say_that_a_boom_is_down(first: bool) -> None:
    """It comes down: what gets under it raises it still (B1). It is down when its time is over."""
    book = lowered_past_a_lie(first=first)
    assert book.state.boom is Boom.LOWERING
    book.read(loop_2=ON)
    assert [each.reason for each in book.gave(cmd.RaiseBoom)] == [cmd.RaiseReason.SAFETY]
    book = lowered_past_a_lie(first=first).wait(3_000)
    assert book.state.boom is Boom.DOWN
    assert not book.stands(AlarmCode.BOOM_LIMITS)
    assert not book.stands(AlarmCode.BOOM_NOT_DOWN)


def test_a_boom_is_not_down_sooner_than_booms_come_down() -> None:
    """A lower limit that is shorted on its way: what comes under it raises it (B1); it is down when
    its time is over."""
    for wait_ms, boom in ((599, Boom.LOWERING), (600, Boom.DOWN)):
        book = lowering()
        _ = book >> ev.LowerAnswered(refusal=None)
        book.read(boom_up=OFF).wait(wait_ms).read(boom_down=ON)
        assert book.state.boom is boom
        assert bool(book.read(loop_2=ON).gave(cmd.RaiseBoom)) is (boom is Boom.LOWERING)
    book = lowering()
    _ = book >> ev.LowerAnswered(refusal=None)
    book.read(boom_up=OFF).wait(100).read(boom_down=ON).wait(2_900)
    assert book.state.boom is Boom.DOWN
    assert not book.stands(AlarmCode.BOOM_NOT_DOWN)


def test_a_boom_that_is_half_way_down_may_be_down_at_once() -> None:
    """It was stopped on its way, and is lowered from there."""
    book = Playbook().open().read(boom_down=OFF).wait(4_000).act(OperatorAction.LOWER)
    _ = book >> ev.LowerAnswered(refusal=None)
    book.wait(200).read(boom_down=ON)
    assert book.state.boom is Boom.DOWN
    assert book.result() == (CommandOutcome.CONFIRMED, "")


@pytest.mark.parametrize("under_first", [True, False])
def test_a_lower_limit_that_flickers_on_the_way_down_is_no_boom_that_is_down(
    under_first: bool,
) -> None:
    """What comes under it then raises it, whether the limit reads on at that moment or not (B1)."""
    book = lowering()
    _ = book >> ev.LowerAnswered(refusal=None)
    book.read(boom_up=OFF).wait(700).read(boom_down=ON).wait(100)
    if under_first:
        book.read(loop_2=ON).read(boom_down=OFF)
    else:
        book.read(boom_down=OFF).read(loop_2=ON)
    assert [each.reason for each in book.gave(cmd.RaiseBoom)] == [cmd.RaiseReason.SAFETY]


def test_a_boom_that_leaves_its_lower_limit_later_was_moved() -> None:
    """By hand, key or spring, and the lane raises it for nobody; within its time that is told."""
    book = lowering()
    _ = book >> ev.LowerAnswered(refusal=None)
    book.boom_down().wait(2_000).read(boom_down=OFF)
    assert (book.state.boom, book.stands(AlarmCode.BOOM_MOVED)) == (Boom.LOWERING, True)
    assert book.wait(100).stands(AlarmCode.BOOM_NOT_DOWN)
    book = lowering()
    _ = book >> ev.LowerAnswered(refusal=None)
    book.boom_down().wait(2_100).read(boom_down=OFF, loop_2=ON)
    assert (book.state.boom, book.stands(AlarmCode.BOOM_MOVED)) == (Boom.MOVED, True)
    assert not book.gave(cmd.RaiseBoom)


def test_a_refused_lower_leaves_a_boom_with_both_limits_on_unknown() -> None:
    """It is not up by one limit that the other denies."""
    book = lowering().read(boom_down=ON)
    _ = book >> ev.LowerAnswered(refusal=LowerRefusal.OCCUPIED)
    assert book.state.boom is Boom.UNKNOWN


def test_a_boom_that_does_not_rise_is_raised_again_then_told() -> None:
    """Three more pulses, an alarm; a person's next raise begins anew."""
    book = Playbook().open().arrive().pay().wait(60_000)
    assert len(book.ever(cmd.RaiseBoom)) == 1 + RAISE_RETRIES_MAX
    assert book.stands(AlarmCode.BOOM_NOT_UP)
    assert book.act(OperatorAction.RAISE).gave(cmd.RaiseBoom)
    book.boom_up()
    assert book.result()[0] is CommandOutcome.CONFIRMED
    assert not book.stands(AlarmCode.BOOM_NOT_UP)


def test_a_failed_raise_is_pulsed_again() -> None:
    """A device error under the pulse: again, a few times; a boom that is up is no alarm."""
    book = Playbook().open().arrive().pay()
    for _ in range(RAISE_RETRIES_MAX):
        _ = book >> ev.BarrierFailed(raising=True)
        assert book.wait(700).gave(cmd.RaiseBoom)
    _ = book >> ev.BarrierFailed(raising=True)
    assert book.stands(AlarmCode.BOOM_NOT_UP)
    book.boom_up()
    _ = book >> ev.BarrierFailed(raising=True)
    assert not book.stands(AlarmCode.BOOM_NOT_UP)
    assert not (book >> ev.Wakeup(timer_id="raise_again")).given


def test_a_boom_that_does_not_come_down_is_told_and_left() -> None:
    """No second lower without a passage; a person is called."""
    book = lowering()
    _ = book >> ev.BarrierFailed(raising=False)
    book.wait(10_000)
    assert book.stands(AlarmCode.BOOM_NOT_DOWN)
    assert len(book.ever(cmd.LowerIfClear)) == 1


def test_a_person_lowers_under_the_same_interlock() -> None:
    """Refused with the hindrance's name; confirmed by the lower limit only."""
    book = Playbook().open().act(OperatorAction.LOWER)
    assert book.result() == (CommandOutcome.REFUSED, "not_clear")
    book.wait(1000).act(OperatorAction.LOWER)
    assert book.result() == (CommandOutcome.CONFIRMED, "")
    book.boom_up().act(OperatorAction.LOWER, command_id="one")
    assert book.gave(cmd.LowerIfClear)
    book.act(OperatorAction.LOWER, command_id="two")
    assert book.gave(cmd.AnswerOperator)[0].command_id == "one"
    book.boom_down()
    assert book.result()[0] is CommandOutcome.CONFIRMED
    book.arrive().pay().act(OperatorAction.LOWER)
    assert book.result()[1] == "vehicle_released"
    book.boom_up().read(loop_2=ON).act(OperatorAction.LOWER)
    assert book.result()[1] == "vehicle_under_boom"


def test_a_persons_lower_ends_in_words_when_it_does_not_come() -> None:
    """Refused by the driver, beaten by a raise, or never at the limit: each is answered."""
    for end in ("refused", "raise", "overdue"):
        book = Playbook().open().boom_up().wait(1000).act(OperatorAction.LOWER)
        if end == "refused":
            _ = book >> ev.LowerAnswered(refusal=LowerRefusal.STALE)
            assert book.result() == (CommandOutcome.REFUSED, "stale")
        elif end == "raise":
            book.act(OperatorAction.RAISE, passage_id=None)
            assert book.result() == (CommandOutcome.REFUSED, "raise_beats_lower")
        else:
            book.wait(3000)
            assert book.result()[0] is CommandOutcome.UNKNOWN


def test_an_unreadable_input_is_named_until_it_reads() -> None:
    """Fault per input, degraded mode until all read; a limit that cannot be read is no limit."""
    book = Playbook().open().read(boom_down=UNKNOWN, loop_1=UNKNOWN)
    assert book.state.boom is Boom.UNKNOWN
    book.read(loop_1=OFF)
    assert book.stands(AlarmCode.INPUT_FAULT)
    book.read(boom_down=ON)
    assert not book.stands(AlarmCode.INPUT_FAULT)
    assert book.state.boom is Boom.DOWN


def test_lamps_are_told_after_a_start_and_after_their_module_was_away() -> None:
    """Nobody knows what a lamp shows after a crash or a power cut: it is told again."""
    book = Playbook().open().arrive().pay().boom_up().start("boot-2", 500)
    book.read(loop_1=ON)
    assert cmd.SetOutput(output=Output.LANE_GREEN, on=False) in book.given
    assert cmd.SetOutput(output=Output.CANOPY_GREEN, on=True) in book.given
    _ = book >> ev.DeviceChanged(device=Device.LAMPS, health=Health.OK, what="")
    assert len(book.gave(cmd.SetOutput)) == 2


def test_a_restart_answers_who_waits_for_the_boom() -> None:
    """The person is told that nobody knows."""
    book = Playbook().open().arrive().act(OperatorAction.RAISE).start("boot-2", 100)
    assert book.result() == (CommandOutcome.UNKNOWN, "restarted")
    book = Playbook().open().boom_up().wait(1000).act(OperatorAction.LOWER).start("boot-2", 1)
    assert book.result() == (CommandOutcome.UNKNOWN, "restarted")
    assert subject.lower_hindrance


def test_the_time_to_come_down_counts_from_the_pulse() -> None:
    """A slow disk held the lower back: the boom has its whole time from when it was told."""
    book = lowering().wait(2_750)
    _ = book >> ev.LowerAnswered(refusal=None)
    book.read(boom_up=OFF).wait(2_900)
    assert book.state.boom is Boom.LOWERING
    assert book.read(loop_2=ON).gave(cmd.RaiseBoom)


def test_a_boom_overdue_on_its_way_down_turns_for_a_vehicle() -> None:
    """However slowly it comes down, it comes down on nobody (B1)."""
    book = lowering()
    _ = book >> ev.LowerAnswered(refusal=None)
    book.read(boom_up=OFF).wait(3_000)
    assert book.stands(AlarmCode.BOOM_NOT_DOWN)
    assert book.read(loop_2=ON).gave(cmd.RaiseBoom) == [
        cmd.RaiseBoom(reason=cmd.RaiseReason.SAFETY, passage_id=None)
    ]
    assert book.stands(AlarmCode.LOWER_OBSTRUCTED)


def test_a_boom_moved_by_hand_does_not_turn() -> None:
    """What the lane never commanded it does not turn either: a person's hand is on it."""
    book = Playbook().open().arrive().pay().boom_up().read(boom_up=OFF)
    assert book.state.boom is Boom.MOVED
    assert not book.read(loop_2=ON).gave(cmd.RaiseBoom)


def test_a_lower_that_was_pulsed_after_all_is_no_movement_of_strangers() -> None:
    """Given up, and pulsed by a slow line then: it is our lower again, with all its time."""
    book = lowering().wait(3_000)
    assert book.state.boom is Boom.UP
    book.read(boom_up=OFF)
    assert book.stands(AlarmCode.BOOM_MOVED)
    _ = book >> ev.LowerAnswered(refusal=None)
    assert (book.state.boom, book.stands(AlarmCode.BOOM_MOVED)) == (Boom.LOWERING, False)
    assert book.read(loop_2=ON).gave(cmd.RaiseBoom)


def test_a_late_pulse_turns_at_once_where_a_vehicle_has_come() -> None:
    """The vehicle came under the boom between giving up and the pulse."""
    book = lowering().wait(3_000).read(loop_2=ON)
    assert not book.gave(cmd.RaiseBoom)
    assert (book >> ev.LowerAnswered(refusal=None)).gave(cmd.RaiseBoom)
