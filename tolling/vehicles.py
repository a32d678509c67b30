"""Vehicle classes, kinds and plates by the national codes.

Source: JT/T 489-2019 (classes, in force since 2020-01-01) and the national road data dictionary
(numeric codes). Trucks and special work vehicles are classed by total axles.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum, StrEnum


class VehicleClass(IntEnum):
    """The toll class; the value is the national code."""

    CAR_1 = 1
    """Passenger, shorter than 6 m, at most 9 persons."""
    CAR_2 = 2
    """Passenger, shorter than 6 m, 10 to 19 persons, and passenger-car trains."""
    CAR_3 = 3
    """Passenger, 6 m or longer, at most 39 persons."""
    CAR_4 = 4
    """Passenger, 6 m or longer, 40 persons or more."""
    TRUCK_1 = 11
    """2 axles, shorter than 6 m and lighter than 4.5 t."""
    TRUCK_2 = 12
    """2 axles, 6 m or longer, or 4.5 t or heavier."""
    TRUCK_3 = 13
    """3 axles."""
    TRUCK_4 = 14
    """4 axles."""
    TRUCK_5 = 15
    """5 axles."""
    TRUCK_6 = 16
    """6 axles and more."""
    WORK_1 = 21
    """Special work vehicle, as truck class 1."""
    WORK_2 = 22
    """Special work vehicle, as truck class 2."""
    WORK_3 = 23
    """Special work vehicle, 3 axles."""
    WORK_4 = 24
    """Special work vehicle, 4 axles."""
    WORK_5 = 25
    """Special work vehicle, 5 axles."""
    WORK_6 = 26
    """Special work vehicle, 6 axles and more."""


class VehicleKind(IntEnum):
    """How the vehicle is treated; the value is the national code."""

    NORMAL = 0
    """Pays its toll."""
    OFFICIAL = 6
    """Road authority's own vehicle."""
    MILITARY_POLICE = 8
    """Armed forces and police."""
    EMERGENCY = 10
    """Fire service, ambulance, rescue on duty."""
    FREE = 12
    """Free for another named reason."""
    CONVOY = 14
    """Part of a convoy let through together."""
    GREEN_CHANNEL = 21
    """Fresh farm produce, full load."""
    HARVESTER = 22
    """Cross-region harvester with certificate."""
    RELIEF = 23
    """Disaster relief."""


EXEMPT_KINDS = frozenset(kind for kind in VehicleKind if kind is not VehicleKind.NORMAL)
"""Kinds that pay nothing but still get a record."""


class PlateColour(StrEnum):
    """Ground colour of the plate."""

    BLUE = "blue"
    YELLOW = "yellow"
    GREEN = "green"
    YELLOW_GREEN = "yellow_green"
    WHITE = "white"
    BLACK = "black"
    UNKNOWN = "unknown"
    """The camera read characters but no colour."""


_PROVINCES = "京津冀晋蒙辽吉黑沪苏浙皖闽赣鲁豫鄂湘粤桂琼渝川贵云藏陕甘青宁新"
_PLATE = re.compile(
    rf"[{_PROVINCES}][A-Z][A-HJ-NP-Z0-9]{{4,5}}[A-HJ-NP-Z0-9挂学警港澳使领]|[A-Z]{{2}}[0-9]{{5}}"
)
UNREADABLE_PLATE = "默A00000"
"""What the national record format puts where no plate could be read."""


MISREAD_MAX = 1
"""Characters in which two readings of one plate may differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plate:
    """A plate as read or typed."""

    text: str
    """Province character, letter and 5 or 6 characters, without separators."""
    colour: PlateColour = PlateColour.UNKNOWN

    def __post_init__(self) -> None:
        assert is_plate_text(self.text), "plate text was not checked at the edge"


def may_be_same_plate(one: Plate, other: Plate) -> bool:
    """Return whether two readings may be of one plate: at most one character differs.

    A camera takes an 8 for a B. Two vehicles of one province and town whose plates differ in a
    single character hardly ever follow each other.
    """
    if len(one.text) != len(other.text):
        return False
    return sum(a != b for a, b in zip(one.text, other.text, strict=True)) <= MISREAD_MAX


def normalise_plate_text(text: str) -> str:
    """Return *text* in upper case without the dots, dashes and blanks people put into plates."""
    return re.sub(r"[\s·.\-•]", "", text).upper()


def is_plate_text(text: str) -> bool:
    """Return whether *text* is a mainland plate in normal form."""
    return _PLATE.fullmatch(text) is not None


def parse_plate(text: str, colour: PlateColour = PlateColour.UNKNOWN) -> Plate | None:
    """Return the plate written in *text*, or None where it is none (as cameras often say)."""
    normal = normalise_plate_text(text)
    return Plate(text=normal, colour=colour) if is_plate_text(normal) else None
