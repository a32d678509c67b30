"""Vehicles on two loops: who is new, who is through, who went back, and one record for each."""

from __future__ import annotations

from dataclasses import replace

from lane_controller.core import commands as cmd
from lane_controller.core import events as ev
from lane_controller.core import presence as subject
from lane_controller.core.states import LeavingPhase, Phase
from tests.lane_controller.core.playbook import (
    CONFIG,
    CURTAIN,
    EAST,
    LOOP_2,
    OFF,
    ON,
    PLATE,
    UNKNOWN,
    Playbook,
    code,
    with_curtain,
)
from tests.lane_controller.core.scenes import TAG
from tolling.alarms import AlarmCode
from tolling.messages import OperatorAction
from tolling.orders import OrderState
from tolling.records import AuthorisedBy, PassageEnd, UnpaidReason
from tolling.vehicles import Plate

OTHER = Plate(text="沪A88888")
THIRD = Plate(text="苏B26704")


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


def test_a_crept_car_that_goes_back_has_backed_out() -> None:
    """Loop 2 free again while loop 1 is held: it went backwards."""
    book = Playbook().open().arrive().read(loop_2=ON).read(loop_2=OFF).read(loop_1=OFF).wait(1000)
    assert book.records[0].end is PassageEnd.BACKED_OUT


def test_running_through_is_a_violation_with_one_record() -> None:
    """A car that never paid drives through, fast or slow: alarm, record, boom may come down."""
    for slow_ms in (300, 3000):
        book = Playbook().open().arrive().read(loop_2=ON, loop_1=OFF)
        assert book.stands(AlarmCode.VIOLATION)
        book.wait(slow_ms).read(loop_2=OFF).wait(2000)
        (record,) = book.records
        assert record.end is PassageEnd.PASSED
        assert record.unpaid_reason is UnpaidReason.VIOLATION
        assert record.authorised_by is AuthorisedBy.NOBODY
        assert not book.stands(AlarmCode.VIOLATION)


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


def test_a_tailgater_too_close_for_loop_2_is_told_by_the_third_ones_plate() -> None:
    """Three cars bumper to bumper, and nobody sees loop 2 free between the first two: the curtain
    is broken once more, and the third is not asked for the second one's toll."""
    book = with_curtain().arrive().pay().boom_up().read(loop_2=ON, curtain=ON).wait(700)
    _ = book.read(loop_1=OFF).wait(400).read(loop_1=ON) >> ev.PlateRead(plate=OTHER)
    book.wait(50).read(curtain=OFF).wait(700).read(curtain=ON).wait(800).read(curtain=OFF)
    _ = book.wait(400).read(loop_2=OFF).wait(700) >> ev.PlateRead(plate=Plate(text="京C77777"))
    first, second = book.wait(1000).records
    assert (first.unpaid_reason, second.unpaid_reason) == (None, UnpaidReason.VIOLATION)
    assert (second.plate, "tailgated" in second.remarks) == (OTHER, True)
    assert book.passage.plate == Plate(text="京C77777")


def test_a_tailgater_whose_plate_is_read_under_the_boom_is_told_by_the_next_ones() -> None:
    """A lorry behind one that stalled: only its trailer shows loop 1 a gap, and its nose has broken
    the curtain by then. Whoever stands there after it is not asked for its toll."""
    book = with_curtain().arrive().pay().boom_up().read(loop_2=ON, curtain=ON).wait(3000)
    book.read(curtain=OFF).wait(300).read(curtain=ON).wait(1100).read(loop_1=OFF).wait(50)
    _ = book.read(loop_1=ON).wait(250) >> ev.PlateRead(plate=OTHER)
    book.wait(2000).read(curtain=OFF).wait(400).read(loop_2=OFF).wait(500)
    _ = book >> ev.PlateRead(plate=Plate(text="京C77777"))
    first, second = book.wait(1000).records
    assert (first.unpaid_reason, second.unpaid_reason) == (None, UnpaidReason.VIOLATION)
    assert (second.plate, "tailgated" in second.remarks) == (OTHER, True)
    assert book.passage.plate == Plate(text="京C77777")


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


def test_the_next_car_told_by_its_plate_is_not_forgotten_for_the_one_before() -> None:
    """Loop 1 comes back after less than a vehicle's gap, a curtain hangs there and did not break:
    the other plate is a presence all the same, and the first has left."""
    book = with_curtain().arrive().pay().boom_up().read(loop_2=ON).wait(300)
    _ = book.read(loop_1=OFF).wait(250).read(loop_1=ON) >> ev.PlateRead(plate=OTHER)
    second = book.passage.passage_id
    book.read(loop_2=OFF).wait(1100)
    assert book.passage.passage_id == second
    (first,) = book.records
    assert (first.plate, first.end) == (PLATE, PassageEnd.PASSED)


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


def test_the_tag_of_the_next_car_does_not_pay_for_one_that_drove_through() -> None:
    """The antenna is quicker than the camera; the tag's own plate tells whose it is."""
    book = Playbook().open().arrive().read(loop_2=ON).wait(400).read(loop_1=OFF).wait(30)
    _ = book.read(loop_1=ON) >> ev.TagRead(tag=replace(TAG, plate=OTHER))
    assert not book.gave(cmd.ChargeTag)
    assert (book.phase, book.passage.tag) == (Phase.IDENTIFYING, replace(TAG, plate=OTHER))
    assert book.state.leaving is not None
    assert book.state.leaving.plate == PLATE
    same = Playbook().open().arrive().read(loop_2=ON).wait(400).read(loop_1=OFF).wait(30)
    _ = same.read(loop_1=ON) >> ev.TagRead(tag=replace(TAG, plate=PLATE))
    assert same.gave(cmd.ChargeTag)


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


def _behind_a_lying_loop() -> Playbook:
    """A runner passes close behind a paid car while loop 1 reads held for ever; the next passage
    has the runner's plate."""
    book = Playbook().open().arrive().pay().boom_up().read(loop_2=ON).wait(900)
    _ = book >> ev.PlateRead(plate=OTHER)
    book.wait(900).read(loop_2=OFF).wait(1500)
    assert (book.passage.plate, book.passage.crept) == (OTHER, False)
    return book


def test_another_plate_where_none_was_seen_to_come_is_of_the_one_that_came() -> None:
    """A cut loop wire reads held: the passage begun for it had the plate of a runner, and the next
    driver must not be asked for the runner's toll."""
    book = _behind_a_lying_loop()
    runner = book.passage.passage_id
    _ = book >> ev.PlateRead(plate=THIRD)
    assert (book.passage.plate, book.passage.passage_id != runner) == (THIRD, True)
    assert (book.records[-1].passage_id, book.records[-1].plate) == (runner, OTHER)
    assert book.records[-1].unpaid_reason is UnpaidReason.VIOLATION


def test_its_own_plate_misread_or_a_strange_tag_is_no_other_vehicle() -> None:
    """One character may be misread, and drivers carry strange tags."""
    for fact in (
        ev.PlateRead(plate=Plate(text="沪A88880")),
        ev.PlateRead(plate=None),
        ev.TagRead(tag=replace(TAG, plate=THIRD)),
    ):
        book = _behind_a_lying_loop()
        here = book.passage.passage_id
        _ = book >> fact
        assert (book.passage.passage_id, book.passage.plate) == (here, OTHER)


def test_the_one_that_came_stays_whatever_the_camera_reads_next() -> None:
    """Its own plate told of it: more plates are of those behind it, and begin nothing."""
    book = _behind_a_lying_loop()
    _ = book >> ev.PlateRead(plate=THIRD)
    here, records = book.passage.passage_id, len(book.records)
    for plate in (OTHER, THIRD, Plate(text="京C55555")):
        _ = book >> ev.PlateRead(plate=plate)
    assert (book.passage.passage_id, len(book.records)) == (here, records)


def test_whoever_has_begun_to_pay_stands_there() -> None:
    """An order is on its way: no plate gives its vehicle's place to another."""
    book = _behind_a_lying_loop()
    _ = book >> ev.EntryKnown(passage_id=book.passage.passage_id, entry=EAST)
    _ = book.boom_down().told() >> code("c9")
    here = book.passage.passage_id
    _ = book >> ev.PlateRead(plate=THIRD)
    assert (book.passage.passage_id, book.phase) == (here, Phase.PAYING)
    assert not book.gave(cmd.CancelOrder)


def test_a_vehicle_in_a_queue_is_not_ended_by_the_plate_behind_it() -> None:
    """Loop 1 was free for less than a second before it: its presence begins late, and it came."""
    book = Playbook().open().arrive().pay().boom_up().read(loop_2=ON).wait(900)
    book.read(loop_1=OFF).wait(600).read(loop_1=ON).wait(300).read(loop_2=OFF).wait(1500)
    _ = book >> ev.PlateRead(plate=OTHER)
    here = book.passage.passage_id
    _ = book >> ev.PlateRead(plate=THIRD)
    assert (book.passage.passage_id, book.passage.plate) == (here, OTHER)


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


def test_readings_lost_for_a_moment_show_nobody_who_left_the_window() -> None:
    """Loop 2's wire was cut and is mended while the module restarts: the paid car stands at the
    window all the time, and passes later, once."""
    book = with_curtain().arrive() >> code()
    book.read(loop_2=ON).answer(OrderState.PAID).wait(50)
    book.read(loop_1=UNKNOWN, loop_2=UNKNOWN, curtain=UNKNOWN).wait(200)
    book.read(loop_1=ON, loop_2=OFF, curtain=OFF).boom_up().wait(3000)
    assert book.records == []
    assert book.state.arriving is not None
    assert book.state.arriving.released
    book.read(loop_2=ON, curtain=ON).wait(500).read(loop_1=OFF).wait(1500)
    book.read(curtain=OFF, loop_2=OFF).wait(2000)
    (record,) = book.records
    assert record.end is PassageEnd.PASSED


def under_boom_when_readings_are_lost() -> Playbook:
    """Return a lane whose paid car was under the boom as its inputs were lost for two seconds; when
    they are back somebody holds loop 1."""
    book = with_curtain().arrive().pay().boom_up().read(loop_2=ON).wait(500)
    book.read(loop_1=UNKNOWN, loop_2=UNKNOWN, curtain=UNKNOWN).wait(2000)
    return book


def test_who_stands_there_after_readings_were_lost_for_long_may_be_the_next() -> None:
    """The paid car may have gone through unseen: a person says who it is."""
    book = under_boom_when_readings_are_lost().read(loop_1=ON, loop_2=OFF, curtain=OFF).wait(1500)
    assert book.state.phase is Phase.UNSURE


def test_another_plate_read_while_readings_were_lost_tells_that_the_first_is_gone() -> None:
    """The paid car passed; the one at the window pays for itself."""
    book = under_boom_when_readings_are_lost() >> ev.PlateRead(plate=OTHER)
    book.read(loop_1=ON, loop_2=OFF, curtain=OFF).wait(1500)
    (record,) = book.records
    assert record.end is PassageEnd.PASSED
    assert record.plate == PLATE
    assert book.state.arriving is not None
    assert book.state.arriving.plate == OTHER
    assert not book.state.arriving.released


def test_a_curtain_that_is_cut_cannot_tell_whether_a_vehicle_has_left() -> None:
    """Curtain and loop 2 both lie: a person says who stands there, and nobody is asked twice."""
    book = Playbook(replace(CONFIG, under_boom=frozenset({LOOP_2, CURTAIN}))).open()
    book.read(curtain=ON).arrive().pay().boom_up()
    book.read(loop_2=ON).wait(5_000).read(loop_2=OFF).wait(1_000)
    assert book.phase is Phase.UNSURE
    assert not book.records
    book.wait(5_000)
    assert book.stands(AlarmCode.ASSIST)
    assert book.act(OperatorAction.SAME_VEHICLE).phase is Phase.RELEASED


def test_another_plate_tells_it_where_the_curtain_is_cut() -> None:
    """The camera has read the next one: the first is gone."""
    book = Playbook(replace(CONFIG, under_boom=frozenset({LOOP_2, CURTAIN}))).open()
    book.read(curtain=ON).arrive().pay().boom_up().read(loop_2=ON).wait(3_000)
    _ = book >> ev.PlateRead(plate=OTHER)
    book.read(loop_2=OFF).wait(1_000)
    assert [record.end for record in book.records] == [PassageEnd.PASSED]
    assert book.passage.plate == OTHER


def test_a_curtain_mended_as_loop_2_comes_free_cannot_tell_it_either() -> None:
    """Cut before the paid car came onto loop 2, it broke for nobody: the next one's plate tells."""
    book = with_curtain().arrive().pay().read(curtain=ON).boom_up().read(loop_2=ON).wait(3_000)
    book.read(loop_2=OFF).wait(200).read(curtain=OFF).wait(300)
    _ = book >> ev.PlateRead(plate=OTHER)
    book.wait(500)
    assert [record.end for record in book.records] == [PassageEnd.PASSED]
    assert book.passage.plate == OTHER
    assert not book.passage.released


def test_nobody_goes_on_anothers_release_because_a_curtain_was_mended() -> None:
    """No plate tells who stands there: it is in doubt, and a person is asked."""
    book = with_curtain().arrive().pay().read(curtain=ON).boom_up().read(loop_2=ON).wait(3_000)
    book.read(curtain=OFF).wait(200).read(loop_2=OFF).wait(1_000)
    assert book.phase is Phase.UNSURE
    book.wait(5_000)
    assert book.stands(AlarmCode.ASSIST)
