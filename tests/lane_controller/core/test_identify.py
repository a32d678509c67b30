"""Plate, entry, class and price: bounded waits, the price that stays, the window that waits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lane_controller.core import commands as cmd
from lane_controller.core import events as ev
from lane_controller.core.states import LaneConfig, LaneMode, Phase
from tests.lane_controller.core.playbook import (
    CONFIG,
    EAST,
    LOOP_1,
    OFF,
    ON,
    PLATE,
    Playbook,
    change,
    code,
    tariff,
)
from tests.lane_controller.core.scenes import TAG, priced
from tolling.alarms import AlarmCode
from tolling.ids import PassageId
from tolling.messages import OperatorAction
from tolling.orders import OrderState
from tolling.pictures import PictureKind
from tolling.tariffs import EntrySource
from tolling.vehicles import VehicleKind

UNATTENDED = replace(CONFIG, attended=False)


def test_plate_then_entry_then_price() -> None:
    """The plate is looked up at the plaza and its entry priced, once."""
    book = Playbook().open() >> change(LOOP_1, ON) >> ev.PlateRead(plate=PLATE)
    assert book.gave(cmd.LookUpEntry)[0].plate == PLATE.text
    _ = book >> ev.PlateRead(plate=None)
    assert book.passage.plate == PLATE
    _ = book >> ev.EntryKnown(passage_id=PassageId("other"), entry=EAST)
    assert book.phase is Phase.IDENTIFYING
    _ = book >> ev.EntryKnown(passage_id=book.passage.passage_id, entry=EAST)
    assert book.gave(cmd.ShowToll)[0].picture.toll_fen == 2500


def test_nobody_waits_longer_for_camera_or_plaza() -> None:
    """1.5 s for the plate, 2 s for the entry; then the farthest entry, marked."""
    book = (Playbook(UNATTENDED).open() >> change(LOOP_1, ON)).wait(1500)
    assert book.passage.quote is not None
    assert book.passage.quote.entry_source is EntrySource.FARTHEST
    assert "farthest_entry" in book.passage.remarks
    lane = Playbook(UNATTENDED).open() >> change(LOOP_1, ON)
    book = (lane >> ev.PlateRead(plate=PLATE)).wait(2000)
    assert "entry_not_answered" in book.passage.remarks
    assert book.phase is Phase.PRICED


def test_the_plate_of_a_car_that_followed_through_is_not_the_next_ones() -> None:
    """A car drives through close behind another; what the camera read of it is forgotten."""
    book = Playbook().open().arrive().pay().boom_up().read(loop_2=ON, loop_1=OFF).wait(800)
    _ = book.read(loop_1=ON) >> ev.PlateRead(plate=replace(PLATE, text="苏B00023"))
    book.wait(600).read(loop_1=OFF).wait(1000)
    assert book.state.leaving is not None
    book.read(loop_1=ON)
    assert (book.phase, book.passage.plate) == (Phase.IDENTIFYING, None)


def test_the_plate_of_a_car_that_followed_is_not_that_of_one_that_follows_it() -> None:
    """Three cars with less than a second of loop 1 between them, the first without a plate: what
    was read of the second, which drove through, is not asked of the third."""
    book = Playbook().open() >> change(LOOP_1, ON) >> ev.PlateRead(plate=None)
    book.act(OperatorAction.SET_ENTRY, text="E1").told().pay().boom_up().read(loop_2=ON)
    book.wait(800).read(loop_1=OFF).wait(800)
    _ = book.read(loop_1=ON) >> ev.PlateRead(plate=replace(PLATE, text="苏B00023"))
    book.wait(200).read(loop_2=OFF).wait(600).read(loop_2=ON).wait(500).read(loop_1=OFF)
    book.wait(900).read(loop_2=OFF, loop_1=ON)
    assert book.state.arriving is None
    book.wait(1000)
    assert (book.phase, book.passage.plate) == (Phase.IDENTIFYING, None)


def test_the_plate_of_a_car_that_waits_behind_stays_its_own() -> None:
    """The same reading, and the car flickers on loop 1 and stays: it is identified by it."""
    other = replace(PLATE, text="苏B00023")
    book = Playbook().open().arrive().pay().boom_up().read(loop_2=ON, loop_1=OFF).wait(800)
    _ = book.read(loop_1=ON) >> ev.PlateRead(plate=other)
    book.wait(600).read(loop_1=OFF).wait(200).read(loop_1=ON).read(loop_2=OFF).wait(1000)
    assert book.passage.plate == other


def test_a_lane_without_a_camera_prices_at_once() -> None:
    """It has nothing to wait for."""
    blind = replace(UNATTENDED, devices=frozenset({"display"}))
    book = Playbook(blind).open() >> change(LOOP_1, ON)
    assert book.wait(0).phase is Phase.PRICED


def entryless() -> Playbook:
    """Return an attended lane with a vehicle of which nobody knows where it entered."""
    book = Playbook().open() >> change(LOOP_1, ON) >> ev.PlateRead(plate=None)
    assert (book.phase, book.passage.awaits_entry) == (Phase.HELD, True)
    assert book.stands(AlarmCode.ASSIST)
    assert not book.ever(cmd.ShowToll)
    return book


def test_the_attendant_enters_an_unknown_entry() -> None:
    """No price is told before; the station entered prices the vehicle and the call is over."""
    book = entryless()
    assert not (book >> code()).gave(cmd.SendOrder)
    book.act(OperatorAction.SET_ENTRY, text="E1").told()
    assert (book.phase, book.passage.toll_due_fen) == (Phase.TENDER, 2500)
    assert book.passage.quote is not None
    assert book.passage.quote.entry_source is EntrySource.DECLARED
    assert not book.stands(AlarmCode.ASSIST)


def test_the_attendant_may_say_that_nobody_knows() -> None:
    """The farthest entry, marked."""
    book = entryless().act(OperatorAction.SET_ENTRY, text="*").told()
    assert (book.phase, book.passage.toll_due_fen) == (Phase.TENDER, 9000)
    assert "farthest_entry" in book.passage.remarks


def test_a_late_answer_spares_the_attendant() -> None:
    """The plaza's answer or the tag comes after the call for help: it prices the vehicle."""
    book = (Playbook().open() >> change(LOOP_1, ON) >> ev.PlateRead(plate=PLATE)).wait(2000)
    assert book.passage.awaits_entry
    here = book.passage.passage_id
    assert (book >> ev.EntryKnown(passage_id=here, entry=None)).passage.awaits_entry
    _ = book >> ev.EntryKnown(passage_id=here, entry=EAST)
    assert (book.phase, book.passage.toll_due_fen) == (Phase.PRICED, 2500)
    tagged = entryless() >> ev.TagRead(tag=replace(TAG, entry=EAST))
    assert (tagged.phase, tagged.passage.toll_due_fen) == (Phase.PRICED, 2500)
    assert not tagged.stands(AlarmCode.ASSIST)


def test_a_late_plate_is_looked_up() -> None:
    """The camera answers while the attendant is asked: the plaza may know."""
    book = entryless() >> ev.PlateRead(plate=PLATE)
    assert book.gave(cmd.LookUpEntry)[0].plate == PLATE.text
    book.wait(2000)
    assert book.passage.awaits_entry


def test_an_exempt_vehicle_needs_no_entry() -> None:
    """Its kind alone lets it go."""
    book = entryless().act(OperatorAction.SET_KIND, number=int(VehicleKind.EMERGENCY))
    assert book.gave(cmd.RaiseBoom)


def test_a_class_typed_before_the_entry_waits_for_it() -> None:
    """A correction does not price by the farthest entry behind the attendant's back."""
    book = entryless().act(OperatorAction.SET_CLASS, number=2)
    assert book.passage.awaits_entry
    book.act(OperatorAction.SET_ENTRY, text="E1").told()
    assert book.passage.toll_due_fen == 4000


def test_a_tag_names_entry_and_class() -> None:
    """Its entry is taken without a look-up; a typed class stays."""
    tag = replace(TAG, entry=EAST)
    book = Playbook().open() >> change(LOOP_1, ON) >> ev.TagRead(tag=tag)
    assert book.passage.toll_due_fen == 2500
    typed = (Playbook().open() >> change(LOOP_1, ON)).act(OperatorAction.SET_CLASS, number=2)
    _ = typed >> ev.TagRead(tag=tag)
    assert typed.passage.toll_due_fen == 4000


def test_a_free_row_is_a_release_without_an_order() -> None:
    """Toll 0 makes no order, only a record."""
    book = Playbook().open().arrive().act(OperatorAction.SET_ENTRY, text="FREE")
    assert book.gave(cmd.RaiseBoom)
    assert book.passage.unpaid_reason is None


def test_no_tariff_holds_the_vehicle_until_one_comes() -> None:
    """No price can be told: a person is called; the set that comes prices it."""
    book = Playbook(UNATTENDED).start()
    book.read(boom_down=ON, boom_up=OFF, loop_2=OFF, loop_1=ON).wait(1500)
    assert book.phase is Phase.HELD
    assert book.stands(AlarmCode.NO_TARIFF)
    _ = book >> ev.TariffsInstalled(sets=(tariff(),))
    assert book.phase is Phase.PRICED


def test_a_gap_in_the_tariff_takes_the_old_price_back() -> None:
    """A class without a row: no scan, no cash and no late frame opens a window at a wrong price."""
    book = Playbook().open().arrive().act(OperatorAction.SET_CLASS, number=16)
    assert (book.phase, book.passage.quote) == (Phase.HELD, None)
    assert book.stands(AlarmCode.TARIFF_GAP)
    assert book.told().phase is Phase.HELD
    assert not (book >> code()).gave(cmd.SendOrder)
    book.act(OperatorAction.SET_CLASS, number=1).told()
    assert (book.phase, book.stands(AlarmCode.TARIFF_GAP)) == (Phase.TENDER, False)


def test_a_tariff_switch_keeps_the_price_that_was_shown() -> None:
    """In force between display and payment: this vehicle pays what it saw, the next one not."""
    book = Playbook().open()
    _ = book >> ev.TariffsInstalled(sets=(tariff(), tariff(2, 3300, from_ms=1_790_000_005_000)))
    book.arrive().wait(6000)
    assert (book >> code()).gave(cmd.SendOrder)[0].request.toll_fen == 2500
    book.answer(OrderState.PAID)
    book.boom_up().drive_on().arrive()
    assert book.records[0].quote is not None
    assert book.records[0].quote.tariff_version == 1
    assert book.passage.toll_due_fen == 3300


@pytest.mark.parametrize(("config", "phase"), [(CONFIG, Phase.TENDER), (UNATTENDED, Phase.HELD)])
def test_a_toll_that_cannot_be_told(config: LaneConfig, phase: Phase) -> None:
    """Attended: the booth's screen tells it; unattended: help is called, and the display's return
    opens the window."""
    book = (Playbook(config).open() >> change(LOOP_1, ON)).act(OperatorAction.SET_ENTRY, text="E1")
    here = book.passage.passage_id
    _ = book >> ev.TollNotShown(passage_id=here)
    assert book.phase is phase
    assert book.stands(AlarmCode.TOLL_NOT_SHOWN)
    assert book.told().phase is Phase.TENDER
    assert not book.stands(AlarmCode.TOLL_NOT_SHOWN)


def test_a_toll_shown_for_another_vehicle_opens_nothing() -> None:
    """A late frame of the last car."""
    book = priced()
    from tolling.devices import Device

    _ = book >> ev.TollShown(passage_id=PassageId("other"), device=Device.DISPLAY)
    assert book.phase is Phase.PRICED


def test_a_restart_while_identifying_asks_again() -> None:
    """The look-up's answer is lost with the process: asked again once the plaza is heard."""
    book = Playbook().open() >> change(LOOP_1, ON) >> ev.PlateRead(plate=PLATE)
    book.start("boot-2", 1000).read(boom_up=OFF, boom_down=ON, loop_2=OFF, loop_1=ON)
    assert book.phase is Phase.IDENTIFYING
    _ = book >> ev.LinkChanged(link="plaza", up=True)
    assert book.wait(1500).gave(cmd.LookUpEntry)


def test_a_restart_with_a_handed_over_order_asks_for_its_end_again() -> None:
    """The cancel may never have left."""
    book = (Playbook().open().arrive() >> code()).act(OperatorAction.RAISE).start("boot-2", 1000)
    book.read(boom_up=OFF, boom_down=ON, loop_2=OFF, loop_1=ON)
    assert book.phase is Phase.RELEASED
    assert book.gave(cmd.CancelOrder)


def test_a_vehicle_in_a_closed_lane_waits_for_a_person() -> None:
    """A closed lane prices nobody by itself; opening it serves whoever stands there."""
    book = Playbook().open().act(OperatorAction.CLOSE_LANE)
    assert book.state.mode is LaneMode.CLOSED
    _ = book >> change(LOOP_1, ON) >> ev.PlateRead(plate=PLATE)
    assert book.phase is Phase.HELD
    assert book.stands(AlarmCode.ASSIST)
    assert not book.ever(cmd.ShowToll)
    book.act(OperatorAction.OPEN_LANE)
    assert book.gave(cmd.LookUpEntry)
    _ = book >> ev.EntryKnown(passage_id=book.passage.passage_id, entry=EAST)
    assert book.ever(cmd.ShowToll)
    assert not book.stands(AlarmCode.ASSIST)


def test_phone_money_is_offered_again_when_the_plaza_is_back() -> None:
    """A driver sent to cash by an outage may pay by phone once it is over."""
    book = Playbook().open().arrive().told()
    _ = book >> ev.LinkChanged(link="plaza", up=False)
    assert book.state.picture is not None
    assert book.state.picture.kind is PictureKind.OTHER_TENDER
    _ = book >> ev.LinkChanged(link="plaza", up=True)
    assert book.state.picture.kind is PictureKind.TOLL
    assert (book >> code()).gave(cmd.SendOrder)
