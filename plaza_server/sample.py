"""A first tariff and a few entries, so that a fresh plaza can take its first car at once."""

from __future__ import annotations

from plaza_server.rules.units import AddEntry
from tolling.ids import PlazaId
from tolling.tariffs import TariffRow, TariffSet
from tolling.vehicles import VehicleClass

DAY_MS = 86_400_000
STATIONS: tuple[tuple[str, int], ...] = (
    ("清溪", 18_000),
    ("望江", 34_500),
    ("柳林", 52_000),
    ("石桥", 78_200),
    ("云顶", 121_000),
)
"""Entry station and distance to this plaza in metres; invented."""
_FEN_PER_KM: dict[VehicleClass, int] = {
    VehicleClass.CAR_1: 45,
    VehicleClass.CAR_2: 68,
    VehicleClass.CAR_3: 90,
    VehicleClass.CAR_4: 113,
    VehicleClass.TRUCK_1: 45,
    VehicleClass.TRUCK_2: 86,
    VehicleClass.TRUCK_3: 128,
    VehicleClass.TRUCK_4: 165,
    VehicleClass.TRUCK_5: 175,
    VehicleClass.TRUCK_6: 205,
    VehicleClass.WORK_1: 45,
    VehicleClass.WORK_2: 86,
    VehicleClass.WORK_3: 128,
    VehicleClass.WORK_4: 165,
    VehicleClass.WORK_5: 175,
    VehicleClass.WORK_6: 205,
}
_PLATES: tuple[tuple[str, VehicleClass], ...] = (
    ("浙A12345", VehicleClass.CAR_1),
    ("浙B66K88", VehicleClass.CAR_1),
    ("苏E8P210", VehicleClass.CAR_1),
    ("沪AD12345", VehicleClass.CAR_1),
    ("皖C77889", VehicleClass.TRUCK_2),
)


def sample_tariff(plaza: PlazaId, *, now_ms: int) -> TariffSet:
    """Return version 1 of the plaza's tariff, in force since yesterday. Tolls are whole yuan."""
    rows: list[TariffRow] = []
    for station, distance_m in STATIONS:
        for vehicle_class, fen_per_km in _FEN_PER_KM.items():
            yuan = max(1, (distance_m * fen_per_km + 50_000) // 100_000)
            rows.append(
                TariffRow(
                    row=len(rows) + 1,
                    entry_station=station,
                    vehicle_class=vehicle_class,
                    toll_fen=yuan * 100,
                    distance_m=distance_m,
                )
            )
    return TariffSet(
        tariff_id=f"T{plaza}",
        version=1,
        made_at_ms=now_ms,
        effective_from_ms=now_ms - DAY_MS,
        rows=tuple(rows),
    )


def sample_entries(*, now_ms: int) -> tuple[AddEntry, ...]:
    """Return a few vehicles that entered within the last hours."""
    return tuple(
        AddEntry(
            entry_id=f"sample-{number}",
            plate=plate,
            medium_id=None,
            entry_station=STATIONS[number % len(STATIONS)][0],
            entered_ms=now_ms - (number + 1) * 1_800_000,
            vehicle_class=vehicle_class,
        )
        for number, (plate, vehicle_class) in enumerate(_PLATES)
    )
