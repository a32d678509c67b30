"""What the lane shows is what people see, unless the display is dark or unplugged."""

from __future__ import annotations

from simulator.models.device_faults import DeviceFault, DeviceTrouble
from simulator.models.display import FeeDisplayModel
from simulator.plant import Display, LaneGeometry, Plant
from tolling.ids import LaneId
from tolling.pictures import DisplayPicture, PictureKind

LANE = LaneId("001")


def test_a_picture_is_put_before_peoples_eyes_once() -> None:
    """Lines and lamp are seen; the same picture again is no new sight."""
    plant = Plant({LANE: LaneGeometry()})
    subject = FeeDisplayModel(plant, LANE)
    for now_ns in (0, 5_000_000_000):
        subject.show_picture(DisplayPicture(kind=PictureKind.TOLL, toll_fen=2_500), now_ns)
    assert plant.view(LANE).display[0] == "请出示付款码"
    assert sum(isinstance(entry, Display) for entry in plant.log) == 1
    subject.show_picture(DisplayPicture(kind=PictureKind.PAID), 6_000_000_000)
    assert plant.view(LANE).display_green


def test_a_dark_display_takes_frames_and_shows_nothing_until_it_is_well() -> None:
    """The lane cannot know; people see nothing; afterwards the last picture is there."""
    plant = Plant({LANE: LaneGeometry()})
    subject = FeeDisplayModel(plant, LANE)
    subject.inject(DeviceTrouble(kind=DeviceFault.DARK), 0)
    subject.show(("toll",), True, 0)
    assert plant.view(LANE).display == ()
    assert not plant.view(LANE).display_green
    subject.clear(now_ns=1_000_000)
    assert plant.view(LANE).display == ("toll",)


def test_an_unplugged_display_forgets_what_it_was_not_told() -> None:
    """Frames sent while it was unplugged never arrived."""
    plant = Plant({LANE: LaneGeometry()})
    subject = FeeDisplayModel(plant, LANE)
    subject.show(("old",), False, 0)
    subject.inject(DeviceTrouble(kind=DeviceFault.UNPLUGGED), 0)
    assert plant.view(LANE).display == ()
    subject.show(("new",), False, 0)
    subject.clear(now_ns=0)
    assert plant.view(LANE).display == ("old",)
    assert subject.frames == 1
