"""A driver reads back from the display's lines what the lane meant."""

from __future__ import annotations

import pytest

from simulator.people.reading import Seen, read_display
from tolling.pictures import DisplayPicture, PictureKind, picture_lines
from tolling.vehicles import VehicleClass


@pytest.mark.parametrize("kind", list(PictureKind))
def test_every_picture_is_understood(kind: PictureKind) -> None:
    """Each picture's own words tell its kind, also padded with blanks."""
    lines = tuple(f"{line:<16}" for line in picture_lines(DisplayPicture(kind=kind)))
    assert read_display(lines) == Seen(kind=kind, toll_fen=None)


@pytest.mark.parametrize("toll_fen", [1, 500, 2_500, 2_550, 999_900])
def test_the_toll_is_read_to_the_fen(toll_fen: int) -> None:
    """The amount on the display is the amount the driver knows."""
    picture = DisplayPicture(
        kind=PictureKind.TOLL, toll_fen=toll_fen, vehicle_class=VehicleClass.CAR_1, plate="京A12345"
    )
    assert read_display(picture_lines(picture)) == Seen(kind=PictureKind.TOLL, toll_fen=toll_fen)


def test_a_dark_or_garbled_display_tells_nothing() -> None:
    """No lines, or lines nobody knows, have no meaning."""
    assert read_display(()) == Seen(kind=None, toll_fen=None)
    assert read_display(("####", "12元元")) == Seen(kind=None, toll_fen=None)
