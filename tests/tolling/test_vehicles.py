"""Classes, kinds and plates by the national codes."""

from __future__ import annotations

import pytest

from tolling.vehicles import (
    EXEMPT_KINDS,
    UNREADABLE_PLATE,
    Plate,
    PlateColour,
    VehicleClass,
    VehicleKind,
    is_plate_text,
    may_be_same_plate,
    normalise_plate_text,
    parse_plate,
)


def test_classes_have_the_national_codes() -> None:
    """Passenger cars are 1-4, trucks 11-16, special work vehicles 21-26."""
    assert sorted(VehicleClass) == [1, 2, 3, 4, *range(11, 17), *range(21, 27)]


def test_every_kind_but_normal_is_exempt() -> None:
    """Only a normal vehicle pays, and kinds have the national codes."""
    assert set(VehicleKind) - EXEMPT_KINDS == {VehicleKind.NORMAL}
    assert sorted(VehicleKind) == [0, 6, 8, 10, 12, 14, 21, 22, 23]


@pytest.mark.parametrize(
    "text",
    [
        "粤B12345",
        "京AD12345",
        "沪A1234学",
        "粤Z1234港",
        "川A1234警",
        "鲁B1234挂",
        "沪A1234领",
        "VA12345",
    ],
)
def test_a_mainland_plate_is_a_plate(text: str) -> None:
    """Ordinary, new-energy, learner, border, police, trailer, consular, army plates are taken."""
    assert is_plate_text(text)
    assert Plate(text=text).colour is PlateColour.UNKNOWN


@pytest.mark.parametrize(
    "text",
    [
        "",
        "粤B1234",
        "粤B1234567",
        "粤BI2345",
        "B12345",
        "粤b12345",
        "VA１２３４５",
        UNREADABLE_PLATE,
    ],
)
def test_other_text_is_no_plate(text: str) -> None:
    """Short, long, lower-case, full-width and unreadable texts are none."""
    assert not is_plate_text(text)
    assert parse_plate(text) is None or text == "粤b12345"
    with pytest.raises(AssertionError):
        Plate(text=text)


def test_a_typed_plate_is_brought_to_normal_form() -> None:
    """Dots, dashes, blanks and small letters of a typed plate do not matter."""
    assert normalise_plate_text(" 粤b·12-3.4•5\t") == "粤B12345"
    subject = parse_plate("粤b·12345", PlateColour.BLUE)
    assert subject == Plate(text="粤B12345", colour=PlateColour.BLUE)


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ("粤B12345", True),
        ("粤B12845", True),
        ("沪B12345", True),
        ("粤B12846", False),
        ("粤B123456", False),
    ],
)
def test_one_character_may_be_misread(other: str, same: bool) -> None:
    """Two readings of one plate differ in one character at most, and never in length."""
    here, there = Plate(text="粤B12345"), Plate(text=other)
    assert may_be_same_plate(here, there) is may_be_same_plate(there, here) is same
