"""Modbus's four tables."""

from __future__ import annotations

from enum import StrEnum


class Table(StrEnum):
    """Where a value lives in a Modbus device."""

    COIL = "coil"
    """Read by FC 01, written by FC 05."""
    DISCRETE = "discrete"
    """Read by FC 02."""
    HOLDING = "holding"
    """16-bit words, read by FC 03."""
    INPUT = "input"
    """16-bit words, read by FC 04."""

    @property
    def words(self) -> bool:
        """Return whether the table holds 16-bit words and not bits."""
        return self in (Table.HOLDING, Table.INPUT)
