"""After a restart, or a while without inputs: who stands there is the one from before, or not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lane_controller.core import commands as cmd
from lane_controller.core import events as ev
from lane_controller.core import outage as subject
from lane_controller.core.states import Phase
from tests.lane_controller.core.playbook import (
    CONFIG,
    CURTAIN,
    LOOP_1,
    LOOP_2,
    OFF,
    ON,
    PLATE,
    UNKNOWN,
    Playbook,
    change,
    code,
)
from tolling.alarms import AlarmCode
from tolling.messages import OperatorAction
from tolling.orders import OrderState
from tolling.pictures import PictureKind
from tolling.records import PassageEnd, UnpaidReason
from tolling.vehicles import Plate

OTHER = Plate(text="沪A88888")


def back(book: Playbook, *, downtime_ms: int | None = 3000, boom_up: bool = False) -> Playbook:
    """Let the process come back and read its inputs: a car on loop 1."""
    book.start("boot-2", downtime_ms)
    up, down = (ON, OFF) if boom_up else (OFF, ON)
    return book.read(boom_up=up, boom_down=down, loop_2=OFF, loop_1=ON)


def lost(book: Playbook, ms: int, *, boom_up: bool = True) -> Playbook:
    """Let nothing be read for *ms*; then somebody stands on loop 1."""
    book.read(boom_up=UNKNOWN, boom_down=UNKNOWN, loop_1=UNKNOWN, loop_2=UNKNOWN).wait(ms)
    up, down = (ON, OFF) if boom_up else (OFF, ON)
    return book.read(boom_up=up, boom_down=down, loop_1=ON, loop_2=OFF)


def test_who_stands_there_after_inputs_were_lost_is_not_taken_as_the_one_that_paid() -> None:
    """The paid car drove out unseen, the next one took its place: that one is not let through, and
    gets a passage of its own where nobody says that it is the first."""
    book = lost(Playbook().open().arrive().pay().boom_up(), 3_000)
    assert (book.phase, book.state.lane_green) == (Phase.UNSURE, False)
    first = book.passage.passage_id
    book.wait(65_000)
    (record,) = book.records
    assert (record.passage_id, record.end) == (first, PassageEnd.LEFT_DURING_OUTAGE)
    assert len(record.legs) == 1
    assert not book.passage.released


def test_a_glitch_under_a_second_raises_no_doubt() -> None:
    """No vehicle takes another's place so fast: the paid one goes on."""
    book = lost(Playbook().open().arrive().pay().boom_up(), 999)
    assert (book.phase, book.state.lane_green) == (Phase.RELEASED, True)
    book.drive_on()
    assert book.records[0].end is PassageEnd.PASSED


def test_before_a_boom_that_is_down_the_same_vehicle_goes_on_after_inputs_were_lost() -> None:
    """Loop 1 held, loop 2 free, boom down, at most 10 s: the same one, also one that has paid."""
    book = lost(Playbook().open().arrive(), 3_000, boom_up=False)
    assert book.phase is Phase.PRICED
    assert lost(Playbook().open().arrive().pay(), 3_000, boom_up=False).phase is Phase.RELEASED
    assert lost(Playbook().open().arrive(), 10_001, boom_up=False).phase is Phase.UNSURE


def test_a_plate_read_while_inputs_were_lost_is_of_who_stands_there_now() -> None:
    """The camera saw the next car come: the passage it gets in the end has its plate."""
    book = Playbook().open().arrive().pay().boom_up()
    book.read(loop_1=UNKNOWN, loop_2=UNKNOWN).wait(2_000)
    _ = book >> ev.PlateRead(plate=OTHER)
    book.wait(1_000).read(loop_1=ON, loop_2=OFF)
    assert "other_plate" in book.passage.remarks
    book.wait(65_000)
    assert book.passage.plate == OTHER


def test_another_plate_is_not_the_same_vehicle_whatever_the_loops_say() -> None:
    """Loop 1 held, loop 2 free, boom down: the camera read another car, and that has the say."""
    book = Playbook().open().arrive()
    book.read(boom_down=UNKNOWN, loop_1=UNKNOWN, loop_2=UNKNOWN).wait(3_000)
    _ = book.read(loop_1=ON) >> ev.PlateRead(plate=OTHER)
    assert book.read(boom_down=ON, loop_2=OFF).phase is Phase.UNSURE
    book.wait(5_000)
    assert book.records[0].end is PassageEnd.LEFT_DURING_OUTAGE
    assert book.passage.plate == OTHER


def test_the_next_car_behind_one_that_drove_through_unseen_has_its_own_passage() -> None:
    """Inputs come back with a car under the boom and another taking the window: its plate tells."""
    book = Playbook().open().arrive()
    first = book.passage.passage_id
    book.read(loop_1=UNKNOWN, loop_2=UNKNOWN).wait(3_000).read(loop_1=OFF, loop_2=ON).wait(200)
    _ = book.read(loop_1=ON).wait(250) >> ev.PlateRead(plate=OTHER)
    assert (book.passage.plate, book.passage.passage_id != first) == (OTHER, True)
    book.read(loop_2=OFF).wait(1_000)
    assert [record.passage_id for record in book.records] == [first]


def test_a_plate_that_left_with_its_vehicle_is_not_the_next_ones() -> None:
    """The doubted vehicle drives away; who comes after it has no plate of it."""
    book = back(Playbook().open().arrive().pay(), downtime_ms=60_000)
    _ = book >> ev.PlateRead(plate=OTHER)
    book.read(loop_1=OFF).wait(1_500).read(loop_1=ON)
    assert book.passage.plate is None


def test_the_same_vehicle_by_loops_goes_on() -> None:
    """Loop 1 held, loop 2 free, boom down, 3 s down: the same presence, its toll shown again."""
    book = back(Playbook().open().arrive())
    assert (book.phase, len(book.records)) == (Phase.PRICED, 0)
    assert book.told().passage.passage_id.endswith("1")


def test_an_order_open_at_the_kill_is_asked_and_never_sent_again() -> None:
    """The order is polled, paid releases the same vehicle."""
    book = back(Playbook().open().arrive() >> code())
    assert book.phase is Phase.PAYING
    assert book.gave(cmd.PollOrder)
    assert book.answer(OrderState.PAID).phase is Phase.RELEASED
    assert len(book.ever(cmd.SendOrder)) == 1


def test_a_paid_vehicle_before_a_boom_that_is_down_is_raised_again() -> None:
    """Paid, killed before the boom rose: the same vehicle, raised again."""
    book = back(Playbook().open().arrive().pay())
    assert book.gave(cmd.RaiseBoom)[0].reason is cmd.RaiseReason.TENDER
    book.boom_up().drive_on()
    assert book.records[0].end is PassageEnd.PASSED


@pytest.mark.parametrize(("downtime_ms", "boom_up"), [(None, False), (10_001, False)])
def test_in_doubt_the_vehicle_is_a_new_one_and_the_paid_leg_applied(
    downtime_ms: int | None, boom_up: bool
) -> None:
    """Long outage: after 5 s without proof, left_during_outage with its leg."""
    book = back(Playbook().open().arrive().pay(), downtime_ms=downtime_ms, boom_up=boom_up)
    assert book.phase is Phase.UNSURE
    assert not book.state.lane_green
    assert not book.gave(cmd.RaiseBoom)
    book.wait(5000)
    (record,) = book.records
    assert (record.end, len(record.legs)) == (PassageEnd.LEFT_DURING_OUTAGE, 1)
    assert record.dwell_ms == 0
    assert book.phase is Phase.IDENTIFYING


def test_a_paid_vehicle_in_doubt_gets_a_person_before_it_is_charged_again() -> None:
    """Paid, boom up, short outage: help is called after 5 s; only a minute later it counts as
    new."""
    book = back(Playbook().open().arrive().pay(), downtime_ms=2000, boom_up=True)
    book.wait(5000)
    assert book.phase is Phase.UNSURE
    assert book.stands(AlarmCode.ASSIST)
    assert not book.records
    other = back(Playbook().open().arrive().pay(), downtime_ms=2000, boom_up=True).wait(5000)
    assert other.act(OperatorAction.SAME_VEHICLE).phase is Phase.RELEASED
    assert not other.stands(AlarmCode.ASSIST)
    book.wait(60_000)
    assert book.records[0].end is PassageEnd.LEFT_DURING_OUTAGE
    assert len(book.records[0].legs) == 1


def test_a_person_says_that_it_is_another_vehicle() -> None:
    """The one that has paid is gone: its passage ends with its leg, and the next is served at
    once."""
    book = back(Playbook().open().arrive().pay(), downtime_ms=2000, boom_up=True)
    book.act(OperatorAction.OTHER_VEHICLE)
    (record,) = book.records
    assert (record.end, len(record.legs)) == (PassageEnd.LEFT_DURING_OUTAGE, 1)
    assert book.phase is Phase.IDENTIFYING
    assert not book.stands(AlarmCode.ASSIST)
    assert book.act(OperatorAction.OTHER_VEHICLE).result()[1] == "not_in_doubt"


def test_the_plate_proves_the_vehicle_after_a_long_outage() -> None:
    """The same plate goes on, another or none does not."""
    book = back(Playbook().open().arrive().pay(), downtime_ms=60_000)
    _ = book >> ev.PlateRead(plate=None) >> ev.PlateRead(plate=OTHER)
    assert book.phase is Phase.UNSURE
    _ = book >> ev.PlateRead(plate=PLATE)
    assert book.phase is Phase.RELEASED
    assert book.gave(cmd.RaiseBoom)


def test_a_person_proves_the_vehicle_after_a_long_outage() -> None:
    """The attendant says it is the same one."""
    book = back(Playbook().open().arrive().pay(), downtime_ms=60_000)
    book.act(OperatorAction.SAME_VEHICLE)
    assert book.phase is Phase.RELEASED
    assert book.act(OperatorAction.SAME_VEHICLE).result()[1] == "not_in_doubt"


def test_whom_a_person_let_through_unpaid_is_not_told_that_he_has_paid() -> None:
    """It goes on after an outage as the vehicle it was: let through, and nothing paid."""
    book = back(Playbook().open().arrive().act(OperatorAction.RAISE), downtime_ms=60_000)
    book.act(OperatorAction.SAME_VEHICLE)
    assert [each.picture.kind for each in book.gave(cmd.ShowPicture)] == [PictureKind.FREE]
    book = back(Playbook().open().arrive().pay(), downtime_ms=60_000)
    book.act(OperatorAction.SAME_VEHICLE)
    assert [each.picture.kind for each in book.gave(cmd.ShowPicture)] == [PictureKind.PAID]


def test_a_vehicle_gone_during_the_outage_is_sealed() -> None:
    """Nobody stands there: left_during_outage, its orders handed over, nothing raised."""
    book = (Playbook().open().arrive() >> code()).start("boot-2", 3000)
    book.read(boom_up=OFF, boom_down=ON, loop_1=OFF, loop_2=OFF).wait(1000)
    (record,) = book.records
    assert record.unpaid_reason is UnpaidReason.LEFT_DURING_OUTAGE
    assert book.ever(cmd.CancelOrder)
    assert len(book.ever(cmd.RaiseBoom)) == 0


def test_a_vehicle_that_drives_on_unproven_is_sealed_once() -> None:
    """It goes under the open boom while in doubt: left_during_outage, its leg applied."""
    book = Playbook().open().arrive().pay().boom_up().start("boot-2", 3000)
    book.read(boom_up=ON, boom_down=OFF, loop_1=ON, loop_2=ON).wait(500).read(loop_1=OFF)
    book.read(loop_2=OFF).wait(1000)
    (record,) = book.records
    assert (record.end, len(record.legs)) == (PassageEnd.LEFT_DURING_OUTAGE, 1)


def test_a_vehicle_under_the_boom_at_the_kill_is_followed_on() -> None:
    """It was authorised: loop 2 tells when it is gone, the boom comes down after it."""
    book = Playbook().open().arrive().pay().boom_up().read(loop_2=ON).start("boot-2", 2000)
    book.read(boom_up=ON, boom_down=OFF, loop_1=ON, loop_2=ON).wait(300).read(loop_1=OFF)
    book.read(loop_2=OFF).wait(1000)
    assert book.records[0].end is PassageEnd.PASSED
    assert book.gave(cmd.LowerIfClear)


def test_a_start_commands_no_boom() -> None:
    """Read first: no raise and no lower on start, whatever stood in the journal (B3)."""
    book = Playbook().open().arrive().pay().start("boot-2", 100)
    assert not book.gave(cmd.RaiseBoom)
    assert not book.gave(cmd.LowerIfClear)
    _ = book >> change(LOOP_1, ON)
    assert not book.gave(cmd.RaiseBoom)


def test_one_that_was_moving_at_the_kill_need_not_be_who_stands_there_now() -> None:
    """It was on loop 2 before a boom that was down: it may have rammed it and be gone, and the
    next driver is not asked for its toll."""
    book = back((Playbook().open().arrive() >> code()).read(loop_2=ON))
    assert book.phase is Phase.UNSURE
    assert subject.NOT_STILL in book.passage.remarks
    book.wait(5_000)
    assert book.records[0].end is PassageEnd.LEFT_DURING_OUTAGE
    assert not book.passage.orders


def test_a_boom_that_came_down_meanwhile_lets_no_loop_speak_for_the_vehicle() -> None:
    """Up at the kill, down afterwards, and by no command of ours: somebody did something."""
    book = back(Playbook().open().arrive().pay().boom_up())
    assert book.phase is Phase.UNSURE
    assert not book.gave(cmd.RaiseBoom)
    assert book.act(OperatorAction.SAME_VEHICLE).phase is Phase.RELEASED


def test_a_second_kill_does_not_wash_off_a_doubt() -> None:
    """What the life between saw is no sign of who stood there before the first."""
    book = back((Playbook().open().arrive() >> code()).read(loop_2=ON))
    assert back(book).phase is Phase.UNSURE
    still = Playbook().open().arrive().start("boot-2", 500)
    assert back(still).phase is Phase.PRICED


def test_something_under_the_boom_after_the_start_is_a_vehicle_that_moves() -> None:
    """Loop 2 or the curtain is held as the lane looks again: the one from before drives out."""
    book = Playbook().open().arrive().start("boot-2", 3_000)
    book.read(boom_up=OFF, boom_down=ON, loop_2=ON, loop_1=ON).read(loop_2=OFF)
    assert book.phase is Phase.UNSURE
    curtained = replace(CONFIG, under_boom=frozenset({LOOP_2, CURTAIN}))
    book = Playbook(curtained).open().read(curtain=OFF).arrive().start("boot-2", 3_000)
    book.read(boom_up=OFF, boom_down=ON, curtain=ON, loop_2=OFF, loop_1=ON).read(curtain=OFF)
    assert book.phase is Phase.UNSURE


def test_the_vehicle_under_the_boom_does_not_make_the_one_behind_it_doubtful() -> None:
    """Loop 2 is held by the one that drove through; the next one stood at the window and stands
    there still."""
    book = Playbook().open().arrive().read(loop_2=ON, loop_1=OFF).wait(1_000)
    book.read(loop_1=ON).wait(2_000)
    second = book.passage.passage_id
    book.start("boot-2", 1_000).read(boom_up=OFF, boom_down=ON, loop_2=ON, loop_1=ON)
    assert book.phase is Phase.UNSURE
    book.read(loop_2=OFF)
    assert (book.phase, book.passage.passage_id) == (Phase.IDENTIFYING, second)


def test_one_that_was_moving_when_inputs_were_lost_is_in_doubt() -> None:
    """The module fell silent with a car on loop 2 before a boom that was down."""
    book = lost(Playbook().open().arrive().read(loop_2=ON), 3_000, boom_up=False)
    assert book.phase is Phase.UNSURE
    assert subject.NOT_STILL in book.passage.remarks


def test_a_start_while_inputs_are_lost_asks_what_was_seen_before_the_loss() -> None:
    """Loop 2 was held when the module fell silent: the restart afterwards forgets nothing."""
    book = Playbook().open().arrive().read(loop_2=ON)
    book.read(boom_down=UNKNOWN, boom_up=UNKNOWN, loop_1=UNKNOWN, loop_2=UNKNOWN).wait(500)
    assert back(book).phase is Phase.UNSURE


def under_a_lying_loop_2() -> Playbook:
    """Return a lane whose paid car stands at the window while loop 2's wire is cut."""
    book = Playbook(replace(CONFIG, under_boom=frozenset({LOOP_2, CURTAIN}))).open()
    return book.read(curtain=OFF).arrive().pay().boom_up().read(loop_2=ON).wait(300)


def test_a_start_of_a_moment_does_not_make_a_vehicle_pass_that_stands() -> None:
    """Loop 2 lied, and was mended as the lane came back: no curtain was broken, loop 1 is held."""
    book = under_a_lying_loop_2().start("boot-2", 331)
    book.read(boom_down=OFF, boom_up=ON, curtain=OFF, loop_1=ON, loop_2=OFF).wait(3_000)
    assert book.phase is Phase.RELEASED
    assert not book.records
    assert not book.ever(cmd.LowerIfClear)


def test_after_a_longer_one_a_person_says_who_stands_there() -> None:
    """In three seconds it may have driven out and the next come: the boom stays up meanwhile."""
    book = under_a_lying_loop_2().start("boot-2", 3_000)
    book.read(boom_down=OFF, boom_up=ON, curtain=OFF, loop_1=ON, loop_2=OFF).wait(7_000)
    assert book.phase is Phase.UNSURE
    assert book.stands(AlarmCode.ASSIST)
    assert not book.ever(cmd.LowerIfClear)
    book.act(OperatorAction.OTHER_VEHICLE)
    assert [record.end for record in book.records] == [PassageEnd.LEFT_DURING_OUTAGE]
    assert book.phase is Phase.IDENTIFYING


def test_the_next_car_is_seen_at_once_where_the_first_was_off_loop_1_at_the_kill() -> None:
    """Whoever holds loop 1 now is no trailer of the one under the boom."""
    book = Playbook().open().arrive().pay().boom_up().read(loop_2=ON, loop_1=OFF).wait(1_000)
    book.start("boot-2", 2_000).read(boom_up=ON, boom_down=OFF, loop_1=ON, loop_2=ON)
    assert book.phase is Phase.IDENTIFYING
    book.read(loop_2=OFF).wait(1_000)
    assert [record.end for record in book.records] == [PassageEnd.PASSED]
