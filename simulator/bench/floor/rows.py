"""The rows of one payment, as the real plaza writes them, made anew for any number.

The bench reads two payments out of a real plaza's store. What is the same in both is copied; what
holds the passage's number gets the new one; what else differs gets a count or noise of its length.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

MARK = "\x00"
"""Stands where a passage's number was."""

Statement = tuple[str, tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class Cell:
    """How one value of a row comes about."""

    kind: str
    """fixed | named | count | noise | bytes"""
    value: Any
    """The value; the text with MARK; the count's start and step; the noise's length."""

    def of(self, passage: str, number: int) -> object:
        """Return the value for one payment. *number*: counts payments, from 1."""
        match self.kind:
            case "named":
                return str(self.value).replace(MARK, passage)
            case "count":
                start, step = self.value
                return int(start) + int(step) * number
            case "noise":
                return _noise(passage, int(self.value))
            case "bytes":
                return _noise(passage, int(self.value)).encode()[: int(self.value)]
            case _:
                return self.value


@dataclass(frozen=True, slots=True)
class Row:
    """One statement of a payment's commit."""

    statement: str
    cells: tuple[Cell, ...]

    def of(self, passage: str, number: int) -> Statement:
        """Return statement and values for one payment."""
        return self.statement, tuple(cell.of(passage, number) for cell in self.cells)


@dataclass(frozen=True, slots=True)
class Payment:
    """The rows of a payment's two commits: before the call, and after its answer."""

    before: tuple[Row, ...]
    after: tuple[Row, ...]

    def commit(self, rows: tuple[Row, ...], passage: str, number: int) -> list[Statement]:
        """Return what one commit of one payment writes."""
        return [row.of(passage, number) for row in rows]


def payment_of(plain: dict[str, Any]) -> Payment:
    """Return a payment's rows from their JSON."""
    return Payment(before=_rows(plain["before"]), after=_rows(plain["after"]))


def plain_of(payment: Payment) -> dict[str, Any]:
    """Return a payment's rows as JSON types."""
    return {
        name: [[row.statement, [[cell.kind, cell.value] for cell in row.cells]] for row in rows]
        for name, rows in (("before", payment.before), ("after", payment.after))
    }


def _rows(plain: list[Any]) -> tuple[Row, ...]:
    return tuple(
        Row(statement=statement, cells=tuple(Cell(kind, value) for kind, value in cells))
        for statement, cells in plain
    )


def _noise(passage: str, length: int) -> str:
    text = hashlib.sha256(f"{passage}/{length}".encode()).hexdigest()
    return (text * (1 + length // len(text)))[:length]
