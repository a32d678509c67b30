"""A scenario's own tariff, and the wall clock it starts at."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from simulator.scenarios.derived import by_name
from simulator.scenarios.nodes import Node, Problems, Text
from simulator.scenarios.shapes import BAD, Key, ListOf, OneOf, Record, Schema, Shape, Whole, Words
from simulator.scenarios.writer import Plain
from simulator.world.build import START_LEAST_MS, START_MOST_MS
from tolling.tariffs import TOLL_MAX_FEN, TariffRow
from tolling.vehicles import VehicleClass

WORLD = "world"
"""The tariff every world has that is given no other."""
ROWS_MAX = 10_000
_BEIJING = timezone(timedelta(hours=8))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_DAY, _TIME = "20[0-9]{2}-[0-9]{2}-[0-9]{2}", "[0-9]{2}:[0-9]{2}(:[0-9]{2})?"
MOMENT_PATTERN = f"^{_DAY}T{_TIME}(Z|[+-][0-9]{{2}}:[0-9]{{2}})$"


@dataclass(frozen=True, slots=True)
class Moment(Shape):
    """A wall time with its offset, to the second, as UTC milliseconds."""

    def read(self, node: Node, problems: Problems) -> Any:
        """Return UTC milliseconds."""
        hint = "write date, time and offset, as 2026-11-22T08:00:00+08:00"
        if not isinstance(node, Text):
            problems.add(node.line, f"one moment is meant here: {hint}")
            return BAD
        said = node.text[:40]
        try:
            moment = datetime.fromisoformat(node.text)
        except ValueError:
            problems.add(node.line, f"`{said}` is no moment: {hint}")
            return BAD
        if moment.tzinfo is None:
            problems.add(node.line, f"`{said}` does not say where: {hint}")
            return BAD
        if moment.microsecond:
            problems.add(node.line, f"`{said}` is finer than a second, which is counted here")
            return BAD
        ms = (moment - _EPOCH) // _SECOND * 1_000
        if not START_LEAST_MS <= ms <= START_MOST_MS:
            problems.add(node.line, f"`{said}` is not within the years 2026 to 2099")
            return BAD
        return ms

    def write(self, value: Any) -> Plain:
        """Return the moment in Beijing."""
        return (_EPOCH + timedelta(milliseconds=int(value))).astimezone(_BEIJING).isoformat()

    def schema(self) -> Schema:
        """Return the JSON schema."""
        return {"type": "string", "pattern": MOMENT_PATTERN}


def _make_row(read: dict[str, Any]) -> TariffRow:
    return TariffRow(
        row=1,
        entry_station=read["entry"],
        vehicle_class=read["class"],
        toll_fen=read["toll_fen"],
        distance_m=read["distance_m"],
    )


def _take_row(row: TariffRow) -> dict[str, Any]:
    return {
        "entry": row.entry_station,
        "class": row.vehicle_class,
        "toll_fen": row.toll_fen,
        "distance_m": row.distance_m,
    }


_STATION = Words(
    what="a station", pattern=r"^[0-9A-Za-z-]{1,32}$", hint="use letters, digits and -, at most 32"
)
ROW = Record(
    keys={
        "entry": Key(shape=_STATION, about="the entry station"),
        "class": Key(shape=by_name(VehicleClass), default=VehicleClass.CAR_1),
        "toll_fen": Key(shape=Whole(most=TOLL_MAX_FEN)),
        "distance_m": Key(
            shape=Whole(most=10_000_000), default=0, about="the largest is the farthest entry"
        ),
    },
    what="row of the tariff",
    make=_make_row,
    take=_take_row,
)


@dataclass(frozen=True, slots=True)
class Tariff(Shape):
    """The world's own tariff by its name (no rows), or rows; they are numbered as they stand."""

    def read(self, node: Node, problems: Problems) -> Any:
        """Return the rows."""
        if isinstance(node, Text):
            read = _NAMED.read(node, problems)
            return BAD if read is BAD else ()
        rows = _ROWS.read(node, problems)
        if rows is BAD:
            return BAD
        seen: set[tuple[str, VehicleClass]] = set()
        for row, item in zip(rows, node.items, strict=True):  # type: ignore[union-attr]
            key = (row.entry_station, row.vehicle_class)
            if key in seen:
                what = f"entry {row.entry_station} has two rows for class {int(key[1])}"
                problems.add(item.line, f"{what}: leave one of them")
            seen.add(key)
        if len(seen) < len(rows):
            return BAD
        return tuple(replace(row, row=number) for number, row in enumerate(rows, 1))

    def write(self, value: Any) -> Plain:
        """Return the name or the rows."""
        return _ROWS.write(value) if value else WORLD

    def schema(self) -> Schema:
        """Return the JSON schema."""
        return {"anyOf": [_NAMED.schema(), _ROWS.schema()]}


_NAMED = OneOf(words=(WORLD,), what="tariff")
_ROWS = ListOf(item=ROW, least=1, most=ROWS_MAX)
TARIFF = Tariff()
