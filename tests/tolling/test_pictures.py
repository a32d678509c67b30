"""Every picture fits the fee display whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tolling.words import PLATES
from tolling.pictures import (
    LINE_BYTES,
    LINES,
    DisplayPicture,
    PictureKind,
    class_text,
    fits,
    picture_lines,
)
from tolling.vehicles import VehicleClass


@given(
    st.sampled_from(PictureKind),
    st.none() | st.integers(0, 10**13),
    st.none() | st.sampled_from(VehicleClass),
    st.none() | PLATES.map(lambda plate: plate.text) | st.text("é元A😀", max_size=30),
)
def test_every_picture_fits(
    kind: PictureKind, toll_fen: int | None, vehicle_class: VehicleClass | None, plate: str | None
) -> None:
    """Four lines, each at most 16 GB18030 bytes, whatever is to be shown."""
    subject = DisplayPicture(kind=kind, toll_fen=toll_fen, vehicle_class=vehicle_class, plate=plate)
    lines = picture_lines(subject)
    assert len(lines) == LINES
    assert all(len(line.encode("gb18030")) <= LINE_BYTES == 16 for line in lines)


def test_a_toll_is_shown_with_class_and_plate() -> None:
    """The toll stands in yuan with two decimals, the class in two signs, the plate as it is."""
    subject = DisplayPicture(
        kind=PictureKind.TOLL, toll_fen=2550, vehicle_class=VehicleClass.CAR_1, plate="粤B12345"
    )
    assert picture_lines(subject) == ("请出示付款码", "25.50元", "客1", "粤B12345")


@pytest.mark.parametrize(
    ("toll_fen", "line"),
    [(99_999_999_999, "999999999.99元"), (10**13, "金额见收费员")],
)
def test_an_amount_is_whole_or_words(toll_fen: int, line: str) -> None:
    """An amount too long for the line is replaced by words, never cut."""
    subject = DisplayPicture(kind=PictureKind.TOLL, toll_fen=toll_fen)
    assert picture_lines(subject)[1] == line


def test_a_plate_that_does_not_fit_is_left_out() -> None:
    """A text too long for the line is not shown in part."""
    subject = DisplayPicture(kind=PictureKind.WELCOME, plate="A" * 17)
    assert picture_lines(subject) == ("欢迎光临", "", "", "")
    assert not fits("A" * 17)


def test_the_display_lamp_is_green_only_to_go() -> None:
    """Only paid and free show green."""
    green = {kind for kind in PictureKind if DisplayPicture(kind=kind).green}
    assert green == {PictureKind.PAID, PictureKind.FREE}


def test_classes_are_told_in_two_signs() -> None:
    """A class is its family and its number."""
    assert class_text(VehicleClass.CAR_4) == "客4"
    assert class_text(VehicleClass.TRUCK_3) == "货3"
    assert class_text(VehicleClass.WORK_6) == "专6"
    assert len({class_text(each) for each in VehicleClass}) == len(VehicleClass)
