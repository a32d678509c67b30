"""A tag speaks for the vehicle that carries its plate, and for no other."""

from __future__ import annotations

from dataclasses import replace

from lane_controller.core import commands as cmd
from lane_controller.core import events as ev
from lane_controller.core.states import Phase
from lane_controller.core.tags import TAG_OF_ANOTHER_PLATE
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
)
from tests.lane_controller.core.scenes import TAG
from tolling.devices import EtcOutcome
from tolling.messages import OperatorAction
from tolling.tariffs import EntrySource
from tolling.vehicles import Plate

OTHER = Plate(text="沪A88888")
MISREAD = Plate(text="粤B12845")
WEST = replace(EAST, entry_station="FAR", source=EntrySource.MEDIUM)
OWN = replace(TAG, plate=PLATE, entry=WEST)
NO_CAMERA = replace(CONFIG, devices=CONFIG.devices - {"camera"})
STRANGE = replace(TAG, plate=OTHER, entry=WEST)


def stopped() -> Playbook:
    """Return a lane with a vehicle at its window that nobody has read yet."""
    return Playbook().open() >> change(LOOP_1, ON)


def test_a_tag_of_another_plate_pays_nothing() -> None:
    """Neither before nor after its toll is told; the driver pays as others do."""
    early = (stopped() >> ev.TagRead(tag=STRANGE)) >> ev.PlateRead(plate=PLATE)
    _ = early >> ev.EntryKnown(passage_id=early.passage.passage_id, entry=EAST)
    late = Playbook().open().arrive() >> ev.TagRead(tag=STRANGE)
    for book in (early.told(), late):
        assert not book.gave(cmd.ChargeTag)
        assert (book.phase, book.passage.toll_due_fen) == (Phase.TENDER, 2500)
        assert TAG_OF_ANOTHER_PLATE in book.passage.remarks
        assert (book >> code()).gave(cmd.SendOrder)


def test_its_entry_is_not_believed_either() -> None:
    """The vehicle that stands there is looked up by the plate it carries."""
    book = (stopped() >> ev.TagRead(tag=STRANGE)) >> ev.PlateRead(plate=PLATE)
    assert book.gave(cmd.LookUpEntry)[0].plate == PLATE.text
    assert book.passage.entry is None


def test_a_tag_waits_for_the_cameras_word_and_no_longer() -> None:
    """Its own plate, one misread, an unreadable one and a silent camera: it is believed."""
    for plate in (PLATE, MISREAD, None):
        book = stopped() >> ev.TagRead(tag=OWN)
        assert book.phase is Phase.IDENTIFYING
        assert (book >> ev.PlateRead(plate=plate)).passage.entry == WEST
        assert book.told().gave(cmd.ChargeTag)
    silent = (stopped() >> ev.TagRead(tag=OWN)).wait(1500)
    assert silent.passage.entry == WEST
    assert silent.told().gave(cmd.ChargeTag)


def test_a_tag_that_names_no_plate_is_believed_at_once() -> None:
    """Nothing could contradict it."""
    book = stopped() >> ev.TagRead(tag=replace(OWN, plate=None))
    assert (book.phase, book.passage.entry) == (Phase.PRICED, WEST)


def test_a_lane_without_a_camera_believes_the_tag() -> None:
    """There is no other word to wait for."""
    book = Playbook(NO_CAMERA).open() >> change(LOOP_1, ON) >> ev.TagRead(tag=OWN)
    assert book.passage.entry == WEST


def test_the_attendant_who_corrects_the_plate_lets_the_tag_pay() -> None:
    """He sees that the camera was wrong; the tag is charged once."""
    book = Playbook().open().arrive() >> ev.TagRead(tag=STRANGE)
    book.act(OperatorAction.SET_PLATE, text=OTHER.text)
    assert len(book.gave(cmd.ChargeTag)) == 1


def test_a_tag_that_came_before_its_vehicle_is_compared_too() -> None:
    """Plate and tag read before loop 1 was taken may be of two vehicles."""
    book = Playbook().open() >> ev.TagRead(tag=STRANGE) >> ev.PlateRead(plate=PLATE)
    _ = book >> change(LOOP_1, ON)
    assert TAG_OF_ANOTHER_PLATE in book.passage.remarks
    assert book.passage.entry is None
    assert not book.read(loop_1=OFF).gave(cmd.ChargeTag)


def test_the_vehicles_own_tag_takes_the_place_of_a_strange_one() -> None:
    """The antenna heard the car behind first: its own is charged, and only that."""
    book = Playbook().open().arrive() >> ev.TagRead(tag=STRANGE)
    own = replace(OWN, tag_id="TAG2")
    charged = (book >> ev.TagRead(tag=own)).gave(cmd.ChargeTag)
    assert [each.tag_id for each in charged] == ["TAG2"]
    assert not (book >> ev.TagRead(tag=replace(OWN, tag_id="TAG3"))).gave(cmd.ChargeTag)


def test_the_same_tag_once_more_is_nobody_elses() -> None:
    """The camera misread the plate and the vehicle has crept: its own tag, seen again, is no next
    vehicle's."""
    book = (stopped() >> ev.TagRead(tag=OWN) >> ev.PlateRead(plate=MISREAD)).told()
    here = book.passage.passage_id
    no = EtcOutcome(reference=here, charged_fen=0, txn_id=None, reason="blocked")
    _ = book >> ev.EtcAnswered(passage_id=here, outcome=no)
    book.read(loop_2=ON)
    assert (book.phase, book.passage.crept) == (Phase.TENDER, True)
    _ = book >> ev.TagRead(tag=OWN)
    assert book.passage.passage_id == here
    assert len(book.ever(cmd.ChargeTag)) == 1


def test_a_late_plate_is_compared_too() -> None:
    """The attendant is asked for the entry, and the plate that comes then is not the tag's."""
    book = stopped() >> ev.TagRead(tag=replace(STRANGE, entry=None))
    book.wait(1500)
    assert book.passage.awaits_entry
    _ = book >> ev.PlateRead(plate=PLATE)
    assert TAG_OF_ANOTHER_PLATE in book.passage.remarks


def test_a_tag_spares_the_attendant_where_the_camera_is_silent() -> None:
    """A lane that is opened around a waiting vehicle waits for no camera any more."""
    book = Playbook().open().act(OperatorAction.CLOSE_LANE) >> change(LOOP_1, ON)
    _ = book.act(OperatorAction.OPEN_LANE) >> ev.TagRead(tag=OWN)
    assert book.wait(1500).passage.entry == WEST
