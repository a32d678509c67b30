"""The camera says the plate a little later, or says less, or something else."""

from __future__ import annotations

import random

from simulator.models.camera import READ_MS, PlateCameraModel, colour_of
from simulator.models.device_faults import DeviceFault, DeviceTrouble
from tolling.vehicles import Plate, PlateColour

PLATE = Plate(text="京A12345", colour=PlateColour.BLUE)


def test_a_plate_is_read_after_its_time() -> None:
    """The reading names the plate and comes with the usual delay."""
    shot = PlateCameraModel(random.Random(1)).sees(PLATE, 7)
    assert shot is not None
    assert shot.plate == PLATE
    assert shot.at_ns == 7 + READ_MS * 1_000_000


def test_faults_make_it_silent_blind_or_wrong() -> None:
    """Silent says nothing, unreadable says no plate, misread changes exactly one character."""
    subject = PlateCameraModel(random.Random(1))
    for kind in (DeviceFault.SILENT, DeviceFault.UNREADABLE, DeviceFault.MISREAD):
        subject.inject(DeviceTrouble(kind=kind, times=1), 0)
    assert subject.sees(PLATE, 0) is None
    blind = subject.sees(PLATE, 0)
    assert blind is not None
    assert (blind.plate, blind.confidence_percent) == (None, 0)
    wrong = subject.sees(PLATE, 0)
    assert wrong is not None
    assert wrong.plate is not None
    differing = [one for one, two in zip(wrong.plate.text, PLATE.text, strict=True) if one != two]
    assert len(differing) == 1


def test_a_vehicle_without_a_plate_is_seen_without_one() -> None:
    """No plate on the car, no plate in the reading."""
    shot = PlateCameraModel(random.Random(1)).sees(None, 0)
    assert shot is not None
    assert shot.plate is None


def test_electric_cars_carry_green_plates() -> None:
    """Eight characters are an electric car's."""
    assert colour_of("京AD12345") is PlateColour.GREEN
    assert colour_of("京A12345") is PlateColour.BLUE
