"""What was read of the next vehicle early: kept for its presence, forgotten where it has gone."""

from __future__ import annotations

import pytest

from lane_controller.core import early as subject
from lane_controller.core import events as ev
from lane_controller.core.limits import PRESENCE_GAP_MS
from lane_controller.core.states import Phase
from tests.lane_controller.core.playbook import (
    OFF,
    ON,
    PLATE,
    UNKNOWN,
    Playbook,
    with_curtain,
)
from tolling.messages import OperatorAction
from tolling.vehicles import Plate

OTHER = Plate(text="沪A88888")


def test_a_second_unwatched_is_the_gap_of_a_presence() -> None:
    """One bound for both: what a gap of loop 1 ends, a loss of its reading puts in doubt."""
    assert subject.GAP_NS == PRESENCE_GAP_MS * 1_000_000


def test_a_plate_read_while_inputs_were_lost_is_not_asked_of_the_next_but_one() -> None:
    """A paid car left unseen, the second drives after it and is off loop 1 for 0.9 s before the
    third comes: what the camera read of the second is not the third's."""
    book = with_curtain().arrive().pay().boom_up().read(loop_1=UNKNOWN, loop_2=UNKNOWN)
    _ = book.read(curtain=UNKNOWN).wait(1500) >> ev.PlateRead(plate=OTHER)
    book.wait(800).read(curtain=ON, loop_1=ON, loop_2=ON).wait(200).read(loop_1=OFF).wait(500)
    book.read(curtain=OFF).wait(400).read(loop_2=OFF, loop_1=ON).wait(1200)
    (record,) = book.records
    assert record.plate == PLATE
    assert book.passage.plate is None


def test_the_plate_of_one_that_followed_without_a_gap_is_not_the_next_ones() -> None:
    """A paid car whose plate nobody read, a second so close that loop 1 shows no gap; the camera
    reads it, the curtain is broken once more, and loop 1 is free for a second: it has gone too."""
    book = with_curtain().read(loop_1=ON).wait(2_000).act(OperatorAction.SET_ENTRY, text="E1")
    book.told().pay().boom_up().read(loop_2=ON, curtain=ON).wait(1500)
    _ = book >> ev.PlateRead(plate=OTHER)
    book.wait(800).read(curtain=OFF).wait(500).read(loop_2=OFF).wait(100).read(loop_1=OFF)
    book.read(loop_2=ON).wait(200).read(curtain=ON).wait(400).read(curtain=OFF).wait(300)
    book.read(loop_2=OFF).wait(200).read(loop_1=ON).wait(1500)
    assert len(book.records) == 1
    assert book.passage.plate is None


def followed_to(plate: Plate | None) -> Plate | None:
    """Return the plate of whoever holds loop 1 at last: the first paid and had none, a second
    drove after it as close as its trailer, and the camera then read *plate*."""
    book = with_curtain().read(loop_1=ON).wait(2_000).act(OperatorAction.SET_ENTRY, text="E1")
    book.told().pay().boom_up().read(loop_2=ON).wait(300).read(curtain=ON).wait(500)
    _ = book.read(loop_1=OFF).wait(500).read(loop_1=ON) >> ev.PlateRead(plate=OTHER)
    book.wait(300).read(curtain=OFF).wait(200).read(loop_2=OFF).wait(800).read(loop_2=ON)
    _ = book.wait(3_000).read(loop_2=OFF).wait(500) >> ev.PlateRead(plate=plate)
    book.wait(600)
    assert len(book.records) == 1
    return book.passage.plate


def test_a_plate_read_early_is_nobodys_where_the_camera_then_sees_one_without() -> None:
    """The second may be through, and the third, whose plate cannot be read, be at the window: he is
    not asked for the second's toll. Where the camera says nothing more it is the second."""
    assert followed_to(None) is None
    assert followed_to(OTHER) == OTHER


@pytest.mark.parametrize(("downtime_ms", "kept"), [(300, True), (1_000, False), (None, False)])
def test_what_was_read_before_a_dead_second_is_nobodys(downtime_ms: int | None, kept: bool) -> None:
    """Its vehicle may have driven through meanwhile, and the next one be at the window."""
    book = Playbook().open().arrive().pay().boom_up().read(loop_2=ON).wait(500).read(loop_1=OFF)
    _ = book.wait(400) >> ev.PlateRead(plate=OTHER)
    book.start(downtime_ms=downtime_ms)
    assert (book.state.early_plate == OTHER) is kept


@pytest.mark.parametrize(
    ("read_ms", "lost_ms", "kept"),
    [(500, 1_500, False), (1_400, 1_500, False), (500, 900, True), (-26, 1_500, False)],
)
def test_what_was_read_while_nobody_saw_loop_1_is_nobodys_once_that_is_free(
    read_ms: int, lost_ms: int, kept: bool
) -> None:
    """Its vehicle came and went (seed 3055): whoever comes next is not asked for its toll. A module
    is known to be silent some time after it has begun to be."""
    book = Playbook().open().wait(10_000)
    if read_ms < 0:
        _ = (book >> ev.PlateRead(plate=OTHER)).wait(-read_ms)
    book.read(loop_1=UNKNOWN)
    if read_ms >= 0:
        _ = book.wait(read_ms) >> ev.PlateRead(plate=OTHER)
    book.wait(lost_ms - max(read_ms, 0)).read(loop_1=OFF)
    assert (book.state.early_plate == OTHER) is kept
    book.wait(5_000).read(loop_1=ON)
    assert book.passage.plate == (OTHER if kept else None)


def test_a_plate_read_early_is_of_the_vehicle_that_comes_to_a_closed_lane() -> None:
    """It is held there and let through by a person; the next one is not asked for its toll."""
    book = Playbook().open().arrive().pay().boom_up().read(loop_2=ON).wait(500).read(loop_1=OFF)
    _ = book.act(OperatorAction.CLOSE_LANE).wait(600) >> ev.PlateRead(plate=OTHER)
    book.wait(400).read(loop_2=OFF).wait(1000).read(loop_1=ON)
    assert (book.phase, book.passage.plate) == (Phase.HELD, OTHER)
    assert book.state.early_plate is None
