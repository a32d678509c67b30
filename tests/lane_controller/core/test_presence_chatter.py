"""Loops that lose a vehicle for a moment: one vehicle, one record."""

from __future__ import annotations

from lane_controller.core import events as ev
from lane_controller.core.states import LeavingPhase, Phase
from tests.lane_controller.core.playbook import (
    OFF,
    ON,
    PLATE,
    UNKNOWN,
    Playbook,
    code,
    with_curtain,
)
from tolling.alarms import AlarmCode
from tolling.inputs import Point
from tolling.orders import OrderState
from tolling.records import PassageEnd
from tolling.vehicles import Plate

OTHER = Plate(text="沪A88888")
OFF_BY_ONE = Plate(text=PLATE.text[:-1] + "0")


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


def test_a_car_that_pays_while_loop_1_flickers_and_loop_2_is_cut_is_no_new_one() -> None:
    """Nobody has left the window before the boom is up; it passes as who it is, asked once."""
    book = Playbook().open().arrive() >> code()
    book.read(loop_2=ON, loop_1=OFF).wait(100)
    book.answer(OrderState.PAID).wait(50).read(loop_1=ON)
    assert book.state.arriving is None
    book.boom_up().wait(3000).read(loop_1=OFF).wait(1500)
    assert not book.state.leaving_holds_loop_1
    book.read(loop_2=OFF).wait(2000)
    (record,) = book.records
    assert record.legs
    assert book.state.empty


def test_a_paid_car_that_flickers_as_it_comes_onto_loop_2_is_one_car() -> None:
    """The shortest car covers both loops: loop 1, free at that moment, has it still, and nobody
    new."""
    for book in (Playbook().open(), with_curtain()):
        book.arrive().pay().boom_up().read(loop_1=OFF).wait(100).read(loop_2=ON)
        book.wait(50).read(loop_1=ON)
        assert book.state.arriving is None
        if Point.CURTAIN in book.state.config.under_boom:
            book.read(curtain=ON).wait(700).read(curtain=OFF)
        book.wait(100).read(loop_1=OFF).wait(1050).read(loop_2=OFF).wait(1000)
        (record,) = book.records
        assert record.end is PassageEnd.PASSED
        assert book.state.empty


def test_the_next_car_close_behind_one_that_flickered_has_its_own_presence() -> None:
    """It takes loop 1 within a second; once the first is through, its toll is shown."""
    for book in (Playbook().open(), with_curtain()):
        book.arrive().pay().boom_up().read(loop_1=OFF).wait(100).read(loop_2=ON)
        book.wait(50).read(loop_1=ON)
        if Point.CURTAIN in book.state.config.under_boom:
            book.read(curtain=ON).wait(700).read(curtain=OFF)
        book.wait(100).read(loop_1=OFF).wait(500).read(loop_1=ON).wait(300)
        book.read(loop_2=OFF).wait(1000)
        (record,) = book.records
        assert record.end is PassageEnd.PASSED
        assert book.passage.passage_id != record.passage_id
        assert not book.passage.released


def test_chatter_of_loop_1_while_loop_2_lies_is_no_vehicle_that_has_left() -> None:
    """Loop 2's wire was cut and mended, loop 1 flickered as it came back: nothing broke the
    curtain, and the paid car stands there still."""
    book = with_curtain()
    book.arrive().pay().boom_up()
    book.read(loop_2=ON).wait(8_000).read(loop_1=OFF, loop_2=OFF).wait(200).read(loop_1=ON)
    book.wait(3_000)
    assert book.phase is Phase.RELEASED
    assert not book.records
    book.read(loop_2=ON, curtain=ON, loop_1=OFF).wait(500).read(loop_2=OFF, curtain=OFF)
    book.wait(1_000)
    assert [record.end for record in book.records] == [PassageEnd.PASSED]


def test_a_gap_of_loop_1_as_between_two_vehicles_tells_that_the_first_has_left() -> None:
    """A third of a second between two on loop 1: the first is gone, whatever the curtain says."""
    book = with_curtain()
    book.arrive().pay().boom_up()
    book.read(loop_2=ON).wait(500).read(loop_1=OFF).wait(300).read(loop_1=ON, loop_2=OFF)
    book.wait(1_000)
    assert [record.end for record in book.records] == [PassageEnd.PASSED]
    assert book.phase is Phase.IDENTIFYING


def test_loop_1_lost_for_a_moment_under_a_standing_vehicle_is_no_new_one() -> None:
    """It holds both loops under the boom; a reading that comes back is no edge of another."""
    book = Playbook().open().arrive().pay().boom_up().read(loop_2=ON).wait(1_500)
    book.read(loop_1=UNKNOWN, loop_2=UNKNOWN).wait(400).read(loop_1=ON, loop_2=ON)
    assert book.state.arriving is None
    book.wait(3_000).read(loop_1=OFF).wait(500).read(loop_2=OFF).wait(1_000)
    assert [record.end for record in book.records] == [PassageEnd.PASSED]


def test_a_runner_close_behind_a_paid_motorcycle_has_a_record() -> None:
    """A motorcycle does not cover both loops: between the two, loop 1 is free for longer than it
    flickers."""
    book = Playbook().open().arrive().pay().boom_up().read(loop_1=OFF).wait(300).read(loop_2=ON)
    book.wait(300).read(loop_2=OFF).wait(100).read(loop_1=ON).wait(200).read(loop_2=ON).wait(400)
    book.read(loop_1=OFF).wait(400).read(loop_2=OFF).wait(2000)
    assert len(book.records) == 2


def test_the_next_one_is_seen_where_the_first_came_onto_loop_2_as_it_left_loop_1() -> None:
    """Both edges come with one poll, and the first stops under the boom."""
    book = Playbook().open().arrive().pay().boom_up().read(loop_1=OFF, loop_2=ON).wait(600)
    book.read(loop_1=ON).wait(500)
    assert book.state.arriving is not None


def test_one_digit_read_wrong_is_no_other_vehicle() -> None:
    """A car behind a trailer pays, and its plate is read again, one digit off."""
    book = Playbook().open().arrive().pay().boom_up().read(loop_2=ON).wait(600)
    book.read(loop_1=OFF).wait(1100).read(loop_2=OFF).wait(700).read(loop_2=ON)
    book.arrive() >> code("c2")
    assert book.passage.came_followed
    _ = book >> ev.PlateRead(plate=OFF_BY_ONE)
    assert book.phase is Phase.PAYING
    assert not book.records
