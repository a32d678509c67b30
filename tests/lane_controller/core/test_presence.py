"""Vehicles on two loops: who is new, who is through, who went back, and one record for each."""

from __future__ import annotations

import pytest

from lane_controller.core import commands as cmd
from lane_controller.core import events as ev
from lane_controller.core import presence as subject
from lane_controller.core.states import LeavingPhase, Phase
from tests.lane_controller.core.playbook import (
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
