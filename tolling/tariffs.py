"""Tariff sets and the fare quote. Pure: the lane prices with the same function the plaza serves.

A set is versioned, has separate "made" and "effective" times and is signed (see signed_sets). The
row used goes onto the record, so every charge can be computed again. Which set is in force is
decided by exit time; a bad clock keeps the set in force.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from tolling.clock import ClockQuality, WallTime
from tolling.errors import TariffGapError
from tolling.evolve import quick
from tolling.vehicles import EXEMPT_KINDS, VehicleClass, VehicleKind

TOLL_MAX_FEN = 10_000_000
"""100,000 yuan, far above any toll; the plaza's edge refuses a larger payment (*)."""

SETS_KEPT_MAX = 16
"""A lane keeps so many sets that the plaza no longer names; a tariff changes a few times a year."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class TariffRow:
    """The toll from one entry station to this plaza for one class."""

    row: int
    """1 and up, the line in the set."""
    entry_station: str
    vehicle_class: VehicleClass
    toll_fen: int
    """0..TOLL_MAX_FEN."""
    distance_m: int
    """0 and up; the largest is the farthest entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TariffSet:
    """All tolls of one plaza from one moment on."""

    tariff_id: str
    version: int
    made_at_ms: int
    """UTC milliseconds when the set was made."""
    effective_from_ms: int
    """UTC milliseconds from which it is in force, compared with the exit time."""
    rows: tuple[TariffRow, ...]

    def __post_init__(self) -> None:
        assert self.rows, "a tariff set has rows"
        assert all(0 <= row.toll_fen <= TOLL_MAX_FEN for row in self.rows), "a toll out of range"
        assert all(row.distance_m >= 0 for row in self.rows), "a distance is not negative"
        assert all(row.row >= 1 for row in self.rows), "rows are numbered from 1"
        keys = {(row.entry_station, row.vehicle_class) for row in self.rows}
        assert len(keys) == len(self.rows), "two rows for one entry station and class"
        assert len({row.row for row in self.rows}) == len(self.rows), "two rows with one number"


class EntrySource(StrEnum):
    """How the entry station became known."""

    MEDIUM = "medium"
    """Card, tag or paper QR of the vehicle."""
    PLATE = "plate"
    """Found by the plate at the plaza."""
    DECLARED = "declared"
    """Entered by an attendant."""
    FARTHEST = "farthest"
    """Nothing known: the farthest entry, marked."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """The priced toll of one passage."""

    tariff_id: str
    tariff_version: int
    row: int
    """The row used; of an exempt vehicle too, so the waived toll can be told."""
    entry_station: str
    entry_source: EntrySource
    vehicle_class: VehicleClass
    vehicle_kind: VehicleKind
    full_toll_fen: int
    """The row's toll."""
    toll_due_fen: int
    """What is to be paid: the row's toll, or 0 where the kind is exempt."""


def quote(
    tariff: TariffSet,
    *,
    entry_station: str | None,
    entry_source: EntrySource,
    vehicle_class: VehicleClass,
    vehicle_kind: VehicleKind = VehicleKind.NORMAL,
) -> Quote:
    """Return the toll of one vehicle.

    Args:   entry_station: None prices from the farthest entry, and the quote says so.
    Raises: TariffGapError: no row covers the station and class.
    """
    rows = [row for row in tariff.rows if row.vehicle_class is vehicle_class]
    if entry_station is not None:
        rows = [row for row in rows if row.entry_station == entry_station]
    if not rows:
        station = entry_station or "any entry"
        raise TariffGapError(
            where=f"tariff {tariff.tariff_id} version {tariff.version}",
            what=f"no row for entry {station}, class {int(vehicle_class)}",
            do="Enter another entry station, or have the tariff corrected at the plaza",
        )
    best = max(rows, key=lambda row: (row.distance_m, row.toll_fen, -row.row))
    return Quote(
        tariff_id=tariff.tariff_id,
        tariff_version=tariff.version,
        row=best.row,
        entry_station=best.entry_station,
        entry_source=entry_source if entry_station is not None else EntrySource.FARTHEST,
        vehicle_class=vehicle_class,
        vehicle_kind=vehicle_kind,
        full_toll_fen=best.toll_fen,
        toll_due_fen=0 if vehicle_kind in EXEMPT_KINDS else best.toll_fen,
    )


def kept_with(
    heard: Sequence[TariffSet], *, held: Sequence[TariffSet], current: TariffSet | None
) -> tuple[TariffSet, ...]:
    """Return what a lane holds once it has *heard* the plaza's sets, by their start.

    Beside them it keeps what it *held* that begins after the *current* one. Nobody withdraws a
    signed set: where the plaza leaves one out, the plaza's clock says that its time is over, and a
    clock can be wrong. Of one version with two contents the one heard now counts. Of more than
    SETS_KEPT_MAX to come only those are kept that come first.
    """
    versions = {(each.tariff_id, each.version) for each in heard}
    to_come = [
        each
        for each in held
        if current is not None
        and each.effective_from_ms > current.effective_from_ms
        and (each.tariff_id, each.version) not in versions
    ]
    kept = sorted(to_come, key=_by_start)[:SETS_KEPT_MAX]
    return tuple(sorted((*heard, *kept), key=_by_start))


def _by_start(tariff: TariffSet) -> tuple[int, int]:
    return tariff.effective_from_ms, tariff.version


def in_force(sets: Sequence[TariffSet], *, current: TariffSet, now: WallTime) -> TariffSet:
    """Return the set in force at *now*; with a bad clock the current one stays."""
    if now.quality is ClockQuality.BAD:
        return current
    started = [each for each in sets if each.effective_from_ms <= now.utc_ms]
    if not started:
        return current
    return max(started, key=_by_start)
