"""Loop 2 and the curtain: who went under a boom that is down, and what is chatter."""

from __future__ import annotations

import pytest

from lane_controller.core.states import Phase
from tests.lane_controller.core.playbook import OFF, ON, UNKNOWN, Playbook, with_curtain
from tolling.alarms import AlarmCode
from tolling.records import PassageEnd, UnpaidReason


@pytest.mark.parametrize("first_ms", [100, 400, 900, 950])
def test_chatter_of_loop_2_behind_one_that_backed_out_is_no_runner(first_ms: int) -> None:
    """No vehicle holds loop 2 for so short: nobody went through, whenever it begins to flicker,
    and the window is free while it still does."""
    book = Playbook().open().arrive().read(loop_1=OFF).wait(first_ms)
    for _ in range(9):
        book.read(loop_2=ON).wait(150).read(loop_2=OFF).wait(120)
    (record,) = book.records
    assert record.end is PassageEnd.BACKED_OUT
    assert not book.stands(AlarmCode.VIOLATION)
    assert book.state.empty


def test_a_runner_that_flickers_on_loop_2_at_its_end_has_run_through() -> None:
    """It held loop 2 for long enough before."""
    book = Playbook().open().arrive().read(loop_2=ON).wait(200).read(loop_1=OFF).wait(300)
    book.read(loop_2=OFF).wait(50).read(loop_2=ON).wait(100).read(loop_2=OFF).wait(1000)
    (record,) = book.records
    assert (record.end, record.unpaid_reason) == (PassageEnd.PASSED, UnpaidReason.VIOLATION)


def test_a_runner_whose_loop_2_cannot_be_read_for_a_moment_has_run_through() -> None:
    """It is held from the first reading on, also from before the loss."""
    book = Playbook().open().arrive().read(loop_2=ON).wait(200).read(loop_1=OFF, loop_2=UNKNOWN)
    book.wait(50).read(loop_2=ON).wait(100).read(loop_2=OFF).wait(1000)
    (record,) = book.records
    assert record.end is PassageEnd.PASSED


def test_no_runner_is_seen_where_the_curtain_was_never_broken() -> None:
    """Loop 2 flickers as slowly as it likes behind one that backed out."""
    book = with_curtain().arrive().read(loop_1=OFF).wait(100)
    book.read(loop_2=ON).wait(500).read(loop_2=OFF).wait(1000)
    (record,) = book.records
    assert record.end is PassageEnd.BACKED_OUT
    assert not book.stands(AlarmCode.VIOLATION)


def test_one_that_breaks_the_curtain_while_loop_2_flickers_has_run_through() -> None:
    """Loop 2 reads free just as it does."""
    book = with_curtain().arrive().read(loop_2=ON).wait(100).read(loop_2=OFF).wait(100)
    book.read(curtain=ON).wait(50).read(loop_2=ON).wait(50).read(loop_1=OFF).wait(100)
    book.read(loop_2=OFF).wait(300).read(curtain=OFF).wait(1000)
    (record,) = book.records
    assert (record.end, record.unpaid_reason) == (PassageEnd.PASSED, UnpaidReason.VIOLATION)


def test_where_the_curtain_cannot_tell_a_runner_is_told_by_its_time_on_loop_2() -> None:
    """The curtain is broken all the time: 100 ms are chatter, 400 ms are a vehicle."""
    for held_ms, end in ((100, PassageEnd.BACKED_OUT), (400, PassageEnd.PASSED)):
        book = with_curtain().read(curtain=ON).wait(1_000).arrive().read(loop_1=OFF).wait(100)
        book.read(loop_2=ON).wait(held_ms).read(loop_2=OFF).wait(1000)
        (record,) = book.records
        assert record.end is end


def test_a_paid_car_at_the_window_has_not_left_where_loop_2_and_the_curtain_lie_together() -> None:
    """Loop 2's wire is cut, then the curtain's; loop 2's is mended: a person is asked whether the
    car that stands there is the one that has paid, and no driver to pay once more."""
    book = with_curtain().arrive().pay().boom_up()
    book.read(loop_2=ON).wait(2_000).read(curtain=ON).wait(3_000).read(loop_2=OFF).wait(1_500)
    assert not book.records
    assert (book.phase, book.passage.released) == (Phase.UNSURE, True)


def test_a_car_that_broke_the_curtain_and_is_through_has_left() -> None:
    """Loop 1 shows no gap; the curtain is whole again."""
    book = with_curtain().arrive().pay().boom_up()
    book.read(loop_2=ON).wait(500).read(curtain=ON).wait(900).read(curtain=OFF).wait(200)
    book.read(loop_2=OFF).wait(1_500)
    assert len(book.records) == 1


@pytest.mark.parametrize("paid", [True, False])
def test_a_curtain_broken_before_a_vehicle_went_anywhere_says_nothing_of_it(paid: bool) -> None:
    """Somebody walks under the boom, or a wire is loose: who then reverses out has backed out."""
    book = with_curtain().arrive().read(curtain=ON).wait(80).read(curtain=OFF).wait(500)
    if paid:
        book.pay().boom_up()
    book.read(loop_1=OFF).wait(1500)
    (record,) = book.records
    assert (record.end, record.legs) == (PassageEnd.BACKED_OUT, ())


def test_somebody_under_the_boom_and_a_flicker_of_loop_2_make_no_runner() -> None:
    """The vehicle had not come near loop 2 when the curtain was broken."""
    book = with_curtain().arrive().read(curtain=ON).wait(80).read(curtain=OFF).wait(500)
    book.read(loop_1=OFF).wait(200).read(loop_2=ON).wait(100).read(loop_2=OFF).wait(1000)
    assert [record.end for record in book.records] == [PassageEnd.BACKED_OUT]


def test_a_tailgater_that_shows_the_curtain_no_gap_has_run_through() -> None:
    """It holds loop 2 after the first, as long as a vehicle does."""
    book = with_curtain().arrive().pay().boom_up().read(loop_2=ON).wait(300).read(curtain=ON)
    book.wait(500).read(loop_1=OFF).wait(1200).read(loop_1=ON).wait(1500)
    book.read(loop_1=OFF).wait(300).read(curtain=OFF).wait(300).read(loop_2=OFF).wait(2000)
    first, second = book.records
    assert (first.unpaid_reason, second.unpaid_reason) == (None, UnpaidReason.VIOLATION)


def test_time_in_which_the_lane_was_dead_is_no_hold_of_loop_2() -> None:
    """Loop 2 was held as the process died, and for 100 ms after it came back."""
    book = Playbook().open().arrive().read(loop_2=ON).wait(100).start("boot-2", 5_000)
    book.read(loop_1=ON, loop_2=ON).wait(100).read(loop_2=OFF)
    assert book.state.loop_2_held_ns == 100_000_000


def test_a_runner_whose_edges_come_with_one_look_has_run_through() -> None:
    """The curtain's edge is told before loop 2's."""
    book = with_curtain().arrive().read(curtain=ON, loop_2=ON).wait(300).read(loop_1=OFF).wait(200)
    book.read(curtain=OFF).wait(100).read(loop_2=OFF).wait(1000)
    (record,) = book.records
    assert (record.end, record.unpaid_reason) == (PassageEnd.PASSED, UnpaidReason.VIOLATION)
