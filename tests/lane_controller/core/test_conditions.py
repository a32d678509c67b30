"""Every degraded mode has a name, begins and ends, and stops no vehicle that has paid."""

from __future__ import annotations

import pytest

from lane_controller.core import commands as cmd
from lane_controller.core import conditions as subject
from lane_controller.core import events as ev
from lane_controller.core.states import LaneMode, Phase
from tests.lane_controller.core.playbook import EAST, LOOP_1, ON, PLATE, Playbook, change, tariff
from tolling.alarms import AlarmCode, Degraded
from tolling.clock import ClockQuality
from tolling.devices import Device, Health
from tolling.inputs import Output
from tolling.messages import OperatorAction


def names(book: Playbook) -> set[Degraded]:
    """Return the degraded modes that stand."""
    return {mode.name for mode in book.state.degraded}


def device(book: Playbook, what: Device, health: Health) -> Playbook:
    """Let a device's health change."""
    return book >> ev.DeviceChanged(device=what, health=health, what="seen")


@pytest.mark.parametrize("what", subject.DEGRADED_OF)
def test_a_lost_device_is_named_and_a_paid_car_still_leaves(what: Device) -> None:
    """A1, A2: alarm and mode with the device's name; paid still raises; both end with it."""
    book = device(Playbook().open(), what, Health.LOST)
    assert subject.DEGRADED_OF[what] in names(book)
    assert book.stands(AlarmCode.DEVICE_LOST)
    assert book.arrive().pay().phase is Phase.RELEASED
    assert subject.DEGRADED_OF[what].value in book.passage.degraded_seen
    device(device(book, what, Health.CONNECTING), what, Health.OK)
    assert subject.DEGRADED_OF[what] not in names(book)
    assert not book.stands(AlarmCode.DEVICE_LOST)


def test_a_device_that_comes_back_is_told_what_it_missed() -> None:
    """Scanner on, picture shown, held toll shown."""
    book = Playbook().open().arrive()
    assert device(book, Device.SCANNER, Health.OK).gave(cmd.SetScanner)
    assert device(book, Device.DISPLAY, Health.OK).gave(cmd.ShowPicture)
    assert device(book, Device.PRINTER, Health.LOST).stands(AlarmCode.DEVICE_LOST)


def test_a_barrier_with_a_standing_alarm_stays_at_fault() -> None:
    """That its line answers does not heal a boom that does not rise."""
    book = device(Playbook().open().arrive().pay().wait(60_000), Device.BARRIER, Health.OK)
    assert Degraded.BARRIER_FAULT in names(book)


def test_links_are_named() -> None:
    """Plaza and broker, lost and back."""
    book = Playbook().open() >> ev.LinkChanged(link="broker", up=False)
    assert Degraded.NO_BROKER in names(book)
    _ = book >> ev.LinkChanged(link="plaza", up=False)
    assert {Degraded.NO_PLAZA, Degraded.NO_PHONE_MONEY} <= names(book)
    _ = book >> ev.LinkChanged(link="plaza", up=True) >> ev.LinkChanged(link="broker", up=True)
    assert not names(book)


def test_a_bad_clock_is_named_and_keeps_the_tariff() -> None:
    """The set in force stays, whatever the clock says."""
    book = Playbook().open()
    _ = book >> ev.TariffsInstalled(sets=(tariff(), tariff(2, 3300)))
    assert book.state.tariff is not None
    assert book.state.tariff.version == 2
    book.quality = ClockQuality.BAD
    _ = book >> ev.TariffsInstalled(sets=(tariff(), tariff(2), tariff(3)))
    assert book.state.tariff.version == 2
    assert book.stands(AlarmCode.CLOCK_BAD)
    book.quality = ClockQuality.SYNCED
    _ = book >> change(LOOP_1, ON)
    assert Degraded.CLOCK_BAD not in names(book)


def test_without_an_epoch_cash_only() -> None:
    """Numbered from the wall clock, no phone money, an alarm."""
    book = Playbook().open(epoch=0).arrive()
    assert book.stands(AlarmCode.NO_EPOCH)
    assert Degraded.NO_PHONE_MONEY in names(book)
    assert book.state.next_passage_no > 1_000_000
    book.act(OperatorAction.CASH_BEGIN).act(OperatorAction.CASH_TAKEN)
    assert book.phase is Phase.RELEASED
    _ = book >> ev.EpochGranted(epoch=1)
    assert (book.state.next_passage_no, book.stands(AlarmCode.NO_EPOCH)) == (1, False)


def test_an_older_epoch_is_not_taken_again() -> None:
    """Its numbers would be used twice."""
    book = Playbook().open(epoch=2).arrive() >> ev.EpochGranted(epoch=1)
    assert (book.state.epoch, book.state.next_passage_no) == (2, 2)


def test_a_full_disk_closes_after_the_present_vehicle() -> None:
    """The vehicle finishes, then closed; room opens again; slow is another word."""
    book = Playbook().open().arrive() >> ev.StoreChanged(store=ev.StoreState.FULL)
    assert book.state.mode is LaneMode.CLOSING
    book.act(OperatorAction.CASH_BEGIN).act(OperatorAction.CASH_TAKEN).boom_up().drive_on()
    assert book.state.mode is LaneMode.CLOSED
    assert not book.state.canopy_green
    book.start("boot-2", 100)
    assert book.state.store is ev.StoreState.FULL, "a restart makes no room"
    _ = book >> ev.StoreChanged(store=ev.StoreState.OK)
    assert book.state.mode is LaneMode.OPEN
    assert cmd.SetOutput(output=Output.CANOPY_GREEN, on=True) in book.given
    _ = book >> ev.StoreChanged(store=ev.StoreState.SLOW)
    assert Degraded.SLOW_STORE in names(book)
    book.start("boot-3", 100)
    assert Degraded.SLOW_STORE not in names(book)


def test_room_on_the_disk_serves_whoever_was_held_before_the_closed_lane() -> None:
    """He drove in while it was full: he is asked for his toll, and no person has to come."""
    book = Playbook().open() >> ev.StoreChanged(store=ev.StoreState.FULL)
    assert book.state.mode is LaneMode.CLOSED
    _ = book >> change(LOOP_1, ON) >> ev.PlateRead(plate=PLATE)
    assert (book.phase, book.stands(AlarmCode.ASSIST)) == (Phase.HELD, True)
    _ = book >> ev.StoreChanged(store=ev.StoreState.OK)
    assert book.gave(cmd.LookUpEntry)
    _ = book >> ev.EntryKnown(passage_id=book.passage.passage_id, entry=EAST)
    assert book.ever(cmd.ShowToll)
    assert not book.stands(AlarmCode.ASSIST)


def test_a_lost_plaza_with_a_vehicle_at_the_window_offers_cash() -> None:
    """And the reason of no phone money says which of the three it is."""
    book = Playbook().open().arrive() >> ev.LinkChanged(link="plaza", up=False)
    reasons = {mode.name: mode.reason for mode in book.state.degraded}
    assert "plaza" in reasons[Degraded.NO_PHONE_MONEY]
    full = Playbook().open() >> ev.StoreChanged(store=ev.StoreState.FULL)
    reasons = {mode.name: mode.reason for mode in full.state.degraded}
    assert "journal" in reasons[Degraded.NO_PHONE_MONEY]
