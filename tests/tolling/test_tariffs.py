"""A passage is priced by one row of the set in force."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tolling.words import tariff_sets
from tolling.clock import ClockQuality, WallTime
from tolling.errors import TariffGapError
from tolling.tariffs import (
    SETS_KEPT_MAX,
    TOLL_MAX_FEN,
    EntrySource,
    TariffRow,
    TariffSet,
    in_force,
    kept_with,
    quote,
)
from tolling.vehicles import EXEMPT_KINDS, VehicleClass, VehicleKind


def row(number: int, station: str, toll_fen: int, distance_m: int) -> TariffRow:
    """Return a row for the smallest car."""
    return TariffRow(
        row=number,
        entry_station=station,
        vehicle_class=VehicleClass.CAR_1,
        toll_fen=toll_fen,
        distance_m=distance_m,
    )


ROWS = (row(1, "E1", 500, 10_000), row(2, "E2", 900, 30_000), row(3, "E3", 800, 30_000))
TARIFF = TariffSet(tariff_id="T", version=1, made_at_ms=0, effective_from_ms=1000, rows=ROWS)


@given(tariff_sets(), st.data(), st.sampled_from(VehicleKind))
def test_a_known_entry_is_priced_by_its_row(
    tariff: TariffSet, data: st.DataObject, kind: VehicleKind
) -> None:
    """The quote names the row's toll; exempt kinds owe nothing, others owe it whole."""
    expected = data.draw(st.sampled_from(tariff.rows))
    subject = quote(
        tariff,
        entry_station=expected.entry_station,
        entry_source=EntrySource.MEDIUM,
        vehicle_class=expected.vehicle_class,
        vehicle_kind=kind,
    )
    assert (subject.row, subject.full_toll_fen) == (expected.row, expected.toll_fen)
    assert (subject.tariff_id, subject.tariff_version) == (tariff.tariff_id, tariff.version)
    assert subject.entry_source is EntrySource.MEDIUM
    assert subject.toll_due_fen == (0 if kind in EXEMPT_KINDS else expected.toll_fen)


def test_an_unknown_entry_is_the_farthest() -> None:
    """Without an entry the farthest row counts, the dearer of two, and the quote says so."""
    subject = quote(
        TARIFF,
        entry_station=None,
        entry_source=EntrySource.PLATE,
        vehicle_class=VehicleClass.CAR_1,
    )
    assert (subject.row, subject.entry_station) == (2, "E2")
    assert subject.entry_source is EntrySource.FARTHEST


@pytest.mark.parametrize(("station", "vehicle_class"), [("E9", 1), (None, 2), ("E1", 2)])
def test_no_row_is_an_error_for_people(station: str | None, vehicle_class: int) -> None:
    """A station or class without a row names the tariff and what is missing."""
    with pytest.raises(
        TariffGapError, match=f"tariff T version 1: no row .* class {vehicle_class}"
    ):
        quote(
            TARIFF,
            entry_station=station,
            entry_source=EntrySource.DECLARED,
            vehicle_class=VehicleClass(vehicle_class),
        )


NEXT = replace(TARIFF, version=2, effective_from_ms=2000)
FIXED = replace(TARIFF, version=3, effective_from_ms=2000)


@pytest.mark.parametrize(
    ("utc_ms", "quality", "version"),
    [
        (999, ClockQuality.SYNCED, 1),
        (1000, ClockQuality.SYNCED, 1),
        (1999, ClockQuality.SYNCED, 1),
        (2000, ClockQuality.SYNCED, 3),
        (2000, ClockQuality.HOLDOVER, 3),
        (9999, ClockQuality.BAD, 1),
    ],
)
def test_the_set_in_force_follows_a_good_clock(
    utc_ms: int, quality: ClockQuality, version: int
) -> None:
    """The latest started set counts, of two the higher version; a bad clock keeps the current."""
    now = WallTime(utc_ms=utc_ms, quality=quality)
    assert in_force([FIXED, NEXT, TARIFF], current=TARIFF, now=now).version == version


@pytest.mark.parametrize(
    "rows",
    [
        (),
        (row(1, "E1", -1, 1),),
        (row(1, "E1", TOLL_MAX_FEN + 1, 1),),
        (row(1, "E1", 1, -1),),
        (row(0, "E1", 1, 1),),
        (row(1, "E1", 1, 1), row(2, "E1", 2, 1)),
        (row(1, "E1", 1, 1), row(1, "E2", 1, 1)),
    ],
)
def test_a_set_has_sound_rows(rows: tuple[TariffRow, ...]) -> None:
    """An empty set, a toll out of range, a doubled row or number trips the assertion."""
    with pytest.raises(AssertionError):
        replace(TARIFF, rows=rows)


def begins(version: int, at_ms: int) -> TariffSet:
    """Return a version that begins then."""
    return replace(TARIFF, version=version, effective_from_ms=at_ms)


def test_what_is_to_come_is_kept_where_the_plaza_leaves_it_out() -> None:
    """What is over is forgotten; what was heard stands by its start among what is kept."""
    current, soon, later = begins(1, 1000), begins(2, 2000), begins(3, 3000)
    heard = kept_with([later], held=[begins(0, 500), current, soon], current=current)
    assert heard == (soon, later)
    assert kept_with([soon, later], held=heard, current=soon) == (soon, later)
    assert kept_with([later], held=(), current=None) == (later,)


def test_of_one_version_the_content_heard_last_counts() -> None:
    """A version that was put off begins only once."""
    put_off = begins(2, 5000)
    assert kept_with([put_off], held=[TARIFF, begins(2, 2000)], current=TARIFF) == (put_off,)


def test_no_more_than_a_few_left_out_sets_are_kept() -> None:
    """The next to come are."""
    held = [begins(number, 1000 * number) for number in range(2, 40)]
    kept = kept_with([TARIFF], held=held[::-1], current=TARIFF)
    assert kept == (TARIFF, *held[:SETS_KEPT_MAX])
