"""What the plant knows of a vehicle, and usual figures for each class."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NewType

from simulator.plant.geometry import LENGTH_MIN_MM, Span
from tolling.errors import BadInputError
from tolling.vehicles import Plate, VehicleClass

VehicleId = NewType("VehicleId", int)
"""Number of a vehicle in one plant, 1 and up."""

LENGTH_MAX_MM = 18_100
"""The longest articulated lorry the road law knows."""
MOTORCYCLE_MIN_MM = 1_900
SMALL_METAL_PERCENT = 50
"""What shows a loop less than this is a motorcycle; only such may be shorter than a car."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vehicle:
    """One vehicle and how it is driven."""

    vehicle_id: VehicleId
    plate: Plate | None
    """None: it carries no plate at all."""
    vehicle_class: VehicleClass = VehicleClass.CAR_1
    length_mm: int = 4_500
    clear_mdeg: int = 60_000
    """The least boom angle, in thousandths of a degree, under which its roof passes: with the pivot
    1 m high and 0.3 m beside the vehicle, a 1.5 m car needs 59 degrees and a 4 m lorry 84."""
    speed_mm_s: int = 5_500
    """20 km/h, as toll lanes prescribe."""
    accel_mm_s2: int = 2_000
    decel_mm_s2: int = 2_500
    gap_mm: int = 2_000
    """Distance kept to the vehicle ahead."""
    reaction_us: int = 800_000
    """From the vehicle ahead moving to this one moving."""
    axle_count: int = 2
    drawbar: Span | None = None
    """Of a lorry with a drawbar trailer: where the bar is, in mm behind the front. Loops see
    nothing there; the boom line never does a bar any good either."""
    drawbar_breaks_curtain: bool = True
    """Whether the curtain's beams meet the bar: one with beams every few centimetres does, a single
    light barrier may look over it."""
    metal_percent: int = 100
    """How much of it a loop sees, a car being 100; a motorcycle has 10 to 40."""

    def __post_init__(self) -> None:
        small = self.metal_percent < SMALL_METAL_PERCENT
        least_mm = MOTORCYCLE_MIN_MM if small else LENGTH_MIN_MM
        assert least_mm <= self.length_mm <= LENGTH_MAX_MM, f"length: {least_mm}..18100 mm"
        assert 0 <= self.metal_percent <= 1_000, "metal: 0..1000 percent"
        assert 2 <= self.axle_count <= 20, "axles: 2..20"
        bar = self.drawbar
        assert bar is None or 0 < bar.start_mm < bar.end_mm < self.length_mm, "a bar has two ends"
        assert 0 < self.clear_mdeg <= 90_000, "clear angle: 1..90000 mdeg"
        assert 500 <= self.speed_mm_s <= 15_000, "speed: 500..15000 mm/s"
        assert 100 <= self.accel_mm_s2 <= 6_000, "acceleration: 100..6000 mm/s2"
        assert 1_500 <= self.decel_mm_s2 <= 9_000, "braking: 1500..9000 mm/s2"
        assert 300 <= self.gap_mm <= 20_000, "gap: 300..20000 mm"
        assert self.reaction_us >= 0, "nobody reacts beforehand"


_LENGTHS: dict[VehicleClass, int] = {
    VehicleClass.CAR_1: 4_500,
    VehicleClass.CAR_2: 5_400,
    VehicleClass.CAR_3: 9_000,
    VehicleClass.CAR_4: 12_000,
    VehicleClass.TRUCK_1: 5_300,
    VehicleClass.TRUCK_2: 8_500,
    VehicleClass.TRUCK_3: 10_500,
    VehicleClass.TRUCK_4: 12_000,
    VehicleClass.TRUCK_5: 15_500,
    VehicleClass.TRUCK_6: 17_500,
}


def usual_vehicle(
    vehicle_id: VehicleId, plate: Plate | None, vehicle_class: VehicleClass
) -> Vehicle:
    """Return a vehicle with the usual size and temper of its class."""
    code = int(vehicle_class)
    length = _LENGTHS[VehicleClass(code - 10 if code > 20 else code)]
    axles = max(2, code % 10) if code > 10 else 2
    if length < 6_000:
        return Vehicle(
            vehicle_id=vehicle_id, plate=plate, vehicle_class=vehicle_class, length_mm=length
        )
    return Vehicle(
        vehicle_id=vehicle_id,
        plate=plate,
        vehicle_class=vehicle_class,
        length_mm=length,
        clear_mdeg=85_000,
        speed_mm_s=4_500,
        accel_mm_s2=1_000,
        decel_mm_s2=2_000,
        gap_mm=3_000,
        reaction_us=1_200_000,
        axle_count=axles,
    )


LORRY_MM, TRAILER_MM = 7_200, 6_500
BAR_MM_MIN, BAR_MM_MAX = 500, LENGTH_MAX_MM - LORRY_MM - TRAILER_MM


def drawbar_train(
    vehicle_id: VehicleId,
    plate: Plate | None,
    *,
    vehicle_class: VehicleClass = VehicleClass.TRUCK_4,
    bar_mm: int = 3_800,
    drawbar_breaks_curtain: bool = True,
) -> Vehicle:
    """Return a lorry with a trailer behind a long bar, as timber is driven; *bar_mm* 500..4,400.

    Lorry and trailer are 7.2 m and 6.5 m. A loop shorter than the bar has nothing over it for a
    moment.

    Raises: BadInputError: no train on the road has such a bar.
    """
    if not BAR_MM_MIN <= bar_mm <= BAR_MM_MAX:
        raise BadInputError(
            where="drawbar",
            what=f"{bar_mm} mm: with a lorry of {LORRY_MM} mm and a trailer of {TRAILER_MM} mm"
            f" a train is {LENGTH_MAX_MM} mm at most",
            do=f"Give a bar of {BAR_MM_MIN} to {BAR_MM_MAX} mm",
        )
    lorry = usual_vehicle(vehicle_id, plate, vehicle_class)
    return replace(
        lorry,
        length_mm=LORRY_MM + bar_mm + TRAILER_MM,
        drawbar=Span(start_mm=LORRY_MM, end_mm=LORRY_MM + bar_mm),
        drawbar_breaks_curtain=drawbar_breaks_curtain,
    )


def motorcycle(vehicle_id: VehicleId, plate: Plate | None, *, metal_percent: int = 15) -> Vehicle:
    """Return a motorcycle; it passes beside a boom that is but half up."""
    return Vehicle(
        vehicle_id=vehicle_id,
        plate=plate,
        length_mm=2_100,
        clear_mdeg=35_000,
        accel_mm_s2=3_000,
        gap_mm=1_500,
        metal_percent=metal_percent,
    )


def paced(vehicle: Vehicle, percent: int) -> Vehicle:
    """Return the same vehicle driven by somebody who takes *percent* of the usual time, 1 and up.

    What a road vehicle cannot do stays the bound: 54 km/h, 6 m/s2, and 9 m/s2 to brake.
    """
    assert percent >= 1, "nobody drives in no time"
    return replace(
        vehicle,
        speed_mm_s=max(500, min(15_000, vehicle.speed_mm_s * 100 // percent)),
        accel_mm_s2=max(100, min(6_000, vehicle.accel_mm_s2 * 100 // percent)),
        decel_mm_s2=max(1_500, min(9_000, vehicle.decel_mm_s2 * 100 // percent)),
        reaction_us=vehicle.reaction_us * percent // 100,
    )
