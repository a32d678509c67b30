"""Vehicles on two loops: who is new, who is through, who went back, and one record for each."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lane_controller.core import commands as cmd
from lane_controller.core import events as ev
from lane_controller.core import presence as subject
from lane_controller.core.states import LeavingPhase, Phase
from tests.lane_controller.core.playbook import (
    CONFIG,
    EAST,
    LOOP_1,
    OFF,
    ON,
    PLATE,
    UNKNOWN,
    Playbook,
    change,
    code,
)
from tolling.alarms import AlarmCode
from tolling.inputs import Point
from tolling.messages import OperatorAction
from tolling.orders import OrderState
from tolling.pictures import PictureKind
from tolling.records import AuthorisedBy, PassageEnd, UnpaidReason
from tolling.vehicles import Plate

OTHER = Plate(text="沪A88888")


def back(book: Playbook, *, downtime_ms: int | None = 3000, boom_up: bool = False) -> Playbook:
    """Let the process come back and read its inputs: a car on loop 1."""
    book.start("boot-2", downtime_ms)
    up, down = (ON, OFF) if boom_up else (OFF, ON)
    return book.read(boom_up=up, boom_down=down, loop_2=OFF, loop_1=ON)


def test_the_gap_is_a_second_in_ns() -> None:
    """Gaps under 1 s do not count."""
    assert subject.GAP_NS == 1_000_000_000


def test_backed_out_before_paying_is_sealed_without_a_leg() -> None:
    """Both loops free for 1 s and loop 2 never occupied: backed out."""
    book = Playbook().open().arrive().read(loop_1=OFF).wait(999)
    assert book.phase is Phase.TENDER
    book.wait(1)
    assert book.records[0].end is PassageEnd.BACKED_OUT
    assert not book.state.scanner_on


def test_chatter_of_loop_1_is_one_presence() -> None:
    """A loop that drops the vehicle for less than 1 s makes no second one."""
    book = Playbook().open().arrive()
    for _ in range(5):
        book.read(loop_1=OFF).wait(600).read(loop_1=ON).wait(100)
    assert book.phase is Phase.TENDER
    assert not book.records


def test_chatter_while_another_is_under_the_boom_is_no_tailgating() -> None:
    """Loop 1 flickers under a car that waits behind one under the boom: it stays at the window."""
    book = Playbook().open().arrive().pay().boom_up().read(loop_2=ON, loop_1=OFF).wait(1000)
    book.arrive().read(loop_1=OFF).wait(200).read(loop_1=ON).wait(2000)
    assert book.phase is Phase.TENDER
    assert not book.records


def test_chatter_of_a_car_that_crept_onto_loop_2_is_no_violation() -> None:
    """A car that stands on both loops and flickers on loop 1 may still pay."""
    book = Playbook().open().arrive().read(loop_2=ON)
    assert "crept" in book.passage.remarks
    book.read(loop_1=OFF).wait(300).read(loop_1=ON)
    assert (book.phase, book.stands(AlarmCode.VIOLATION)) == (Phase.TENDER, False)
    book.pay()
    assert book.state.leaving_phase is LeavingPhase.UNDER_BOOM


def test_a_crept_car_that_goes_back_has_backed_out() -> None:
    """Loop 2 free again while loop 1 is held: it went backwards."""
    book = Playbook().open().arrive().read(loop_2=ON).read(loop_2=OFF).read(loop_1=OFF).wait(1000)
    assert book.records[0].end is PassageEnd.BACKED_OUT


def test_running_through_is_a_violation_with_one_record() -> None:
    """A car that never paid drives through, fast or slow: alarm, record, boom may come down."""
    for slow_ms in (100, 3000):
        book = Playbook().open().arrive().read(loop_2=ON, loop_1=OFF)
        assert book.stands(AlarmCode.VIOLATION)
        book.wait(slow_ms).read(loop_2=OFF).wait(2000)
        (record,) = book.records
        assert record.end is PassageEnd.PASSED
        assert record.unpaid_reason is UnpaidReason.VIOLATION
        assert record.authorised_by is AuthorisedBy.NOBODY
        assert not book.stands(AlarmCode.VIOLATION)


def with_curtain() -> Playbook:
    """Return an open lane with a light curtain under its boom."""
    config = replace(CONFIG, under_boom=frozenset({Point.LOOP_2, Point.CURTAIN}))
    return Playbook(config).open().read(curtain=OFF)


def test_a_runner_is_told_from_the_car_that_closes_up_behind_it() -> None:
    """It breaks the boom and the next car takes loop 1 before it is off: a violation of its own,
    and the next car is new."""
    book = with_curtain().arrive().read(loop_2=ON).wait(300).read(curtain=ON)
    assert book.stands(AlarmCode.VIOLATION)
    book.wait(2000).read(curtain=OFF).wait(400).read(loop_2=OFF).wait(1000)
    (record,) = book.records
    assert record.unpaid_reason is UnpaidReason.VIOLATION
    assert book.passage.passage_id != record.passage_id
    assert book.phase is Phase.IDENTIFYING


def test_a_dirty_curtain_makes_nobody_at_the_window_a_violation() -> None:
    """The curtain reads broken all the time; a car that creeps onto loop 2 may still pay."""
    book = with_curtain().read(curtain=ON).arrive().read(loop_2=ON)
    assert (book.phase, book.stands(AlarmCode.VIOLATION)) == (Phase.TENDER, False)


def test_a_tailgater_is_told_from_the_car_that_closes_up_behind_it() -> None:
    """Three cars bumper to bumper under one raise: the second is a violation, the third new."""
    book = with_curtain().arrive().pay().boom_up().read(loop_2=ON, curtain=ON).wait(700)
    book.read(loop_1=OFF).wait(600).read(curtain=OFF).wait(200)
    _ = book.read(loop_1=ON) >> ev.PlateRead(plate=OTHER)
    book.wait(100).read(loop_2=OFF).wait(600).read(loop_2=ON).wait(200).read(curtain=ON)
    book.wait(300).read(loop_1=OFF).wait(500).read(curtain=OFF).wait(300)
    book.read(loop_1=ON, loop_2=OFF).wait(1000)
    first, second = book.records
    assert (first.unpaid_reason, second.unpaid_reason) == (None, UnpaidReason.VIOLATION)
    assert (second.plate, "tailgated" in second.remarks) == (OTHER, True)
    assert book.passage.passage_id.endswith("3")


def test_tailgating_is_two_records_and_one_authorisation() -> None:
    """The second car under one raise is recorded as a violation that tailgated."""
    for second_ms in (300, 5000):
        book = Playbook().open().arrive().pay().boom_up().read(loop_2=ON, loop_1=OFF)
        book.wait(1000).read(loop_1=ON).wait(100).read(loop_1=OFF).wait(second_ms)
        book.read(loop_2=OFF).wait(2000)
        first, second = book.records
        assert (first.unpaid_reason, second.unpaid_reason) == (None, UnpaidReason.VIOLATION)
        assert "followed_closely" in first.remarks or second_ms == 300
        assert book.state.empty


def test_a_paid_car_close_behind_is_no_tailgater() -> None:
    """Two cars that paid, bumper to bumper: two paid records, no violation."""
    book = Playbook().open().arrive().pay().boom_up().read(loop_2=ON, loop_1=OFF).wait(1000)
    book.arrive().pay("c2").read(loop_1=OFF).wait(1500).read(loop_2=OFF).wait(2000)
    assert [len(record.legs) for record in book.records] == [1, 1]
    assert "tailgated" not in book.records[1].remarks


def test_another_plate_tells_a_tailgater_from_a_trailer() -> None:
    """Loop 1 and loop 2 are free for less than 1 s, as between lorry and trailer; but the camera
    reads another plate: two records, and the second is a violation."""
    book = Playbook().open().arrive().pay().boom_up().read(loop_2=ON).wait(800)
    _ = book.read(loop_1=OFF).wait(500).read(loop_1=ON) >> ev.PlateRead(plate=OTHER)
    book.wait(250).read(loop_2=OFF).wait(850).read(loop_2=ON).wait(2000)
    book.read(loop_1=OFF).wait(1100).read(loop_2=OFF).wait(2000)
    first, second = book.records
    assert (first.unpaid_reason, second.unpaid_reason) == (None, UnpaidReason.VIOLATION)
    assert second.plate == OTHER
    assert book.state.empty


def test_the_same_plate_once_more_is_still_a_trailer() -> None:
    """A camera that is triggered again by the trailer reads the lorry's plate or none at all."""
    for plate in (PLATE, None):
        book = Playbook().open().arrive().pay().boom_up().read(loop_2=ON).wait(800)
        _ = book.read(loop_1=OFF).wait(500).read(loop_1=ON) >> ev.PlateRead(plate=plate)
        book.wait(800).read(loop_1=OFF).wait(1100).read(loop_2=OFF).wait(2000)
        assert len(book.records) == 1


def test_the_second_of_loop_1_is_not_begun_anew_by_loop_2() -> None:
    """A car drives through and is off loop 1 for 1.4 s before the next one comes: it has left,
    whatever loop 2 did meanwhile, and the next one is another passage."""
    book = Playbook().open().arrive().read(loop_2=ON, loop_1=OFF).wait(900).read(loop_2=OFF)
    first = book.passage.passage_id
    book.wait(500).read(loop_1=ON)
    (record,) = book.records
    assert (record.passage_id, record.unpaid_reason) == (first, UnpaidReason.VIOLATION)
    assert book.passage.passage_id != first


def test_the_next_car_is_not_asked_for_the_toll_of_one_that_drove_through() -> None:
    """A car drives through unpaid with another close behind: what the camera reads then is the
    next vehicle's, which gets a passage of its own; without it nobody can tell."""
    for gap_ms, over in ((300, False), (800, True)):
        book = Playbook().open().arrive().read(loop_2=ON, loop_1=OFF).wait(gap_ms)
        if over:
            book.read(loop_2=OFF)
        first = book.passage.passage_id
        _ = book.read(loop_1=ON).wait(250) >> ev.PlateRead(plate=OTHER)
        assert book.passage.passage_id != first
        assert book.passage.plate == OTHER
        book.read(loop_2=OFF).wait(1500)
        (record,) = book.records
        assert record.passage_id == first
        assert (record.end, record.unpaid_reason) == (PassageEnd.PASSED, UnpaidReason.VIOLATION)


def test_the_next_car_bumper_to_bumper_with_one_that_drove_through_is_told_by_its_plate() -> None:
    """Loop 1 is never free between them, loop 2 comes and goes: the other plate tells."""
    book = Playbook().open().arrive().read(loop_2=ON).wait(4000).read(loop_2=OFF).wait(300)
    first = book.passage.passage_id
    _ = book >> ev.PlateRead(plate=OTHER)
    (record,) = book.records
    assert (record.passage_id, record.unpaid_reason) == (first, UnpaidReason.VIOLATION)
    assert book.passage.plate == OTHER


def test_the_same_car_or_no_plate_behind_a_flicker_stays_the_passage() -> None:
    """Loop 1 flickers over an occupied loop 2: the same plate again, or none, is no next car."""
    for plate in (PLATE, None):
        book = Playbook().open().arrive().read(loop_2=ON, loop_1=OFF).wait(300)
        first = book.passage.passage_id
        _ = book.read(loop_1=ON) >> ev.PlateRead(plate=plate)
        assert (book.phase, book.passage.passage_id) == (Phase.TENDER, first)


def test_another_plate_without_a_gap_is_a_misreading() -> None:
    """The camera speaks once more of a car that never moved: nothing changes."""
    book = Playbook().open().arrive()
    first = book.passage
    _ = book >> ev.PlateRead(plate=OTHER)
    assert book.passage == first


def test_a_trailer_gap_is_one_vehicle() -> None:
    """The drawbar leaves loop 1 or loop 2 free for less than 1 s: one record."""
    book = Playbook().open().arrive().pay().boom_up().read(loop_2=ON).wait(300)
    book.read(loop_1=OFF).wait(400).read(loop_1=ON).wait(300).read(loop_2=OFF).wait(500)
    assert book.state.leaving_phase is LeavingPhase.CLEARING
    book.read(loop_2=ON).wait(300).read(loop_1=OFF).wait(1200)
    assert not book.records
    book.read(loop_2=OFF).wait(1000)
    assert len(book.records) == 1
    assert book.state.empty


def test_the_next_car_arrives_while_the_first_is_under_the_boom() -> None:
    """Loop 1 free for a second and held again is the next presence."""
    book = Playbook().open().arrive().pay().boom_up().read(loop_2=ON).wait(300).read(loop_1=OFF)
    book.wait(1500).read(loop_1=ON)
    assert book.passage.passage_id.endswith("2")
    assert book.state.leaving is not None


def test_a_long_vehicle_holds_both_loops_then_the_next_one_comes_at_once() -> None:
    """Loop 1 taken again within a second belongs to the first until it is through."""
    book = Playbook().open().arrive().pay().boom_up().read(loop_2=ON).wait(900).read(loop_1=OFF)
    book.wait(500).read(loop_1=ON)
    assert book.state.arriving is None
    book.read(loop_2=OFF).wait(1000)
    assert book.passage.passage_id.endswith("2")


def test_a_paid_car_that_passes_an_unreadable_loop_2_has_passed() -> None:
    """Unknown counts as occupied: its money is kept, it did not back out."""
    book = Playbook().open().arrive().pay().boom_up().read(loop_2=UNKNOWN, loop_1=OFF)
    book.wait(3000).read(loop_2=OFF).wait(1000)
    (record,) = book.records
    assert (record.end, len(record.legs)) == (PassageEnd.PASSED, 1)


def test_a_paid_car_that_passes_while_the_module_is_silent_has_passed() -> None:
    """Both loops unreadable while it drove through."""
    book = Playbook().open().arrive().pay().boom_up().read(loop_2=UNKNOWN, loop_1=UNKNOWN)
    book.wait(3000).read(loop_1=OFF, loop_2=OFF).wait(1000)
    assert book.records[0].end is PassageEnd.PASSED


def test_an_unpaid_car_and_an_unreadable_loop_2_wait_for_a_reading() -> None:
    """Nothing is decided of a car that may stand on an unreadable loop."""
    book = Playbook().open().arrive().read(loop_2=UNKNOWN, loop_1=OFF).wait(3000)
    assert not book.records
    book.read(loop_2=OFF).wait(1000)
    assert book.records[0].end is PassageEnd.BACKED_OUT


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


def test_three_bumper_to_bumper_are_three_passages_by_their_plates() -> None:
    """The second leaves loop 1 for a moment while the first still holds loop 2, and the third takes
    it: the third driver is not asked for the second one's toll, nor let through on it."""
    third = Plate(text="浙C33333")
    for paid in (False, True):
        book = Playbook().open().arrive().read(loop_2=ON, loop_1=OFF).wait(300)
        first = book.passage.passage_id
        _ = book.read(loop_1=ON).wait(250) >> ev.PlateRead(plate=OTHER)
        second = book.passage.passage_id
        _ = book >> ev.EntryKnown(passage_id=book.passage.passage_id, entry=EAST)
        book.told().wait(1_600)
        if paid:
            book.pay()
        book.read(loop_1=OFF).wait(60).read(loop_1=ON).wait(250)
        _ = book >> ev.PlateRead(plate=third)
        assert book.passage.passage_id not in (first, second)
        assert (book.passage.plate, book.passage.released) == (third, False)
        book.read(loop_2=OFF).wait(1_500)
        assert [record.passage_id for record in book.records] == [first, second]


def test_the_plate_of_the_vehicle_under_the_boom_once_more_is_nobodys() -> None:
    """Loop 1 flickers while the one before is under the boom, whose plate is read again."""
    book = Playbook().open().arrive().pay().boom_up().read(loop_2=ON, loop_1=OFF).wait(1_000)
    _ = book.read(loop_1=ON).wait(100) >> ev.PlateRead(plate=OTHER)
    waits = book.passage.passage_id
    _ = book.read(loop_1=OFF).wait(200).read(loop_1=ON) >> ev.PlateRead(plate=PLATE)
    assert (book.passage.passage_id, book.records) == (waits, [])


def test_a_loop_held_for_two_minutes_calls_a_person() -> None:
    """At the window and under the boom: a person looks; the alarm ends with the vehicle."""
    book = Playbook().open().arrive().wait(120_000)
    assert book.stands(AlarmCode.LOOP_STUCK)
    book.pay().boom_up().read(loop_2=ON, loop_1=OFF).wait(1000)
    assert not book.stands(AlarmCode.LOOP_STUCK)
    book.wait(120_000)
    assert book.stands(AlarmCode.LOOP_STUCK)
    book.read(loop_2=OFF).wait(1000)
    assert not book.stands(AlarmCode.LOOP_STUCK)
    for timer in ("stuck", "under_stuck", "presence", "leaving", "loop_1_gap", "unsure"):
        _ = book >> ev.Wakeup(timer_id=timer)
    assert not book.state.alarms


def test_the_pass_lamp_is_green_only_with_the_boom_up() -> None:
    """Green means: boom at its upper limit and an authorised vehicle."""
    book = Playbook().open().arrive().pay()
    assert not book.state.lane_green
    book.boom_up()
    assert book.state.lane_green
    book.drive_on()
    assert not book.state.lane_green


def test_the_idle_display_says_open_or_closed() -> None:
    """With nobody in the lane the display says whether it is open."""
    book = Playbook().open()
    assert book.state.picture is not None
    assert book.state.picture.kind is PictureKind.WELCOME
    book.act(OperatorAction.CLOSE_LANE)
    assert book.state.picture.kind is PictureKind.CLOSED


# ---- restarts ----


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


def test_a_vehicle_at_the_window_keeps_its_release_when_loop_2_chatters() -> None:
    """Loop 2 came and went while loop 1 held on: nothing passed, nothing is lowered or charged."""
    book = Playbook().open().arrive().pay().boom_up()
    book.read(loop_2=ON).read(loop_2=OFF).wait(3000)
    assert book.phase is Phase.RELEASED
    assert not book.records
    assert not book.ever(cmd.LowerIfClear)
    assert len(book.ever(cmd.SendOrder)) == 1
    book.drive_on()
    assert book.records[0].end is PassageEnd.PASSED
    assert len(book.records) == 1


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
