"""Plates of made-up vehicles, by number, so that a plaza's entries can be written beforehand."""

from __future__ import annotations

from tolling.vehicles import Plate, PlateColour

SERIES = ("浙A", "苏B", "皖C", "沪D", "京E")
PER_SERIES = 90_000


def plate_of(number: int) -> Plate:
    """Return the plate of the *number*-th vehicle of automatic traffic, from 1."""
    assert 1 <= number <= len(SERIES) * PER_SERIES, "no more plates than that"
    series, serial = divmod(number - 1, PER_SERIES)
    return Plate(text=f"{SERIES[series]}{10_000 + serial}", colour=PlateColour.BLUE)
