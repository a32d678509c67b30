"""Which (state, event) pairs of the tables a run has looked up, seen from outside.

The lane core's tables and the plaza's order table are data that production code looks rows up in.
For the time of a run each is replaced by one that says the same and keeps what was asked; nothing
in production code knows of it. A pair is written ``arriving.tender.CodeScanned`` or
``order.sent.captured``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from typing import Any

from lane_controller.core import tables
from plaza_server.rules import order_table, orders

ORDER = "order"


class _Row(dict[StrEnum, Any]):
    """A fact's row of one machine: state -> what to do.

    It fills itself: the first look-up of a state is noted, and those after it cost nothing.
    """

    def __init__(self, row: Mapping[StrEnum, Any], machine: str, fact: type[Any], seen: set[str]):
        super().__init__()
        self._row = row
        self._of = machine, fact
        self._seen = seen

    def __missing__(self, state: StrEnum) -> Any:
        found = self[state] = self._row[state]
        machine, fact = self._of
        self._seen.add(lane_pair(machine, state.value, fact))
        return found


class _Pairs(dict[Any, Any]):
    """The order table: (state, event) -> what to do. It fills itself as ``_Row`` does."""

    def __init__(self, table: Mapping[Any, Any], seen: set[str]):
        super().__init__()
        self._table = table
        self._seen = seen

    def __missing__(self, pair: Any) -> Any:
        found = self[pair] = self._table[pair]
        self._seen.add(order_pair(*pair))
        return found


def lane_pair(machine: str, state: str, fact: type[Any]) -> str:
    """Return the name of a pair of the lane core."""
    return f"{machine}.{state}.{fact.__name__}"


def order_pair(state: str, event: str) -> str:
    """Return the name of a pair of the order table."""
    return f"{ORDER}.{state}.{event}"


def all_pairs() -> frozenset[str]:
    """Return every pair there is."""
    lane = {
        lane_pair(machine.value, state.value, fact)
        for machine, table in tables.TABLES.items()
        for fact, row in table.items()
        for state in row
    }
    return frozenset(lane | {order_pair(*pair) for pair in order_table.TABLE})


@contextmanager
def collected() -> Iterator[set[str]]:
    """Keep every pair that is looked up inside the with block."""
    seen: set[str] = set()
    machines = dict(tables.TABLES)
    honest = order_table.TABLE
    watched: Any = orders  # It looks rows up in the table it imported by name.
    for machine, table in machines.items():
        tables.TABLES[machine] = {
            fact: _Row(row, machine.value, fact, seen) for fact, row in table.items()
        }
    watched.TABLE = _Pairs(honest, seen)
    try:
        yield seen
    finally:
        tables.TABLES.update(machines)
        watched.TABLE = honest
