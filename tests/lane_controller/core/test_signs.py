"""What the lane shows to whoever comes."""

from __future__ import annotations

from tests.lane_controller.core.playbook import OFF, ON, Playbook
from tolling.messages import OperatorAction
from tolling.pictures import PictureKind


def test_an_empty_open_lane_says_welcome_and_a_closed_one_closed() -> None:
    """The picture follows the canopy light, and is shown again once everybody is through."""
    book = Playbook().open()
    assert book.state.picture is not None
    assert book.state.picture.kind is PictureKind.WELCOME
    book.arrive()
    assert book.state.picture.kind is PictureKind.TOLL
    book.pay().boom_up().drive_on()
    assert book.state.picture.kind is PictureKind.WELCOME
    book.act(OperatorAction.CLOSE_LANE)
    assert book.state.picture.kind is PictureKind.CLOSED


def test_the_lamp_is_green_only_with_the_boom_up_and_its_vehicle_before_it() -> None:
    """Red while the boom rises; red again as the vehicle comes onto loop 2."""
    book = Playbook().open().arrive().pay()
    assert not book.state.lane_green
    book.boom_up()
    assert book.state.lane_green
    book.read(loop_2=ON)
    assert not book.state.lane_green
    book.read(loop_1=OFF, loop_2=OFF)
    assert not book.state.lane_green
