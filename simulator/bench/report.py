"""What a bench came to: one table for people, one JSON object for machines."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from rich.table import Table

from simulator.bench.figures import Spread, ratio
from simulator.bench.payments import PAYMENTS_RATIO_MIN, StoreFigures
from simulator.bench.world import WorldSpeed

RAISE_RATIO_MAX = 2.0
BOOM_FLOOR_MS = 1_500
"""Platform 600 ms and boom 900 ms: what no program can shorten."""
BOOM_RATIO_MAX = 1.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """All figures of one run."""

    floor: Spread | None = None
    """The bare programs between the blocks of ours, ours idle beside them."""
    floor_alone: Spread | None = None
    """The bare programs before ours were started."""
    ours: Spread | None = None
    boom_up: Spread | None = None
    breakdown: dict[str, float | None] = field(default_factory=dict)
    world: WorldSpeed | None = None
    payments: tuple[StoreFigures, ...] = ()

    @property
    def raise_ratio(self) -> float | None:
        """Return scan to raise over the floor's, medians."""
        if self.floor is None or self.ours is None:
            return None
        return ratio(self.ours.p50_ms, self.floor.p50_ms)

    @property
    def boom_ratio(self) -> float | None:
        """Return scan to boom up over what platform and boom take, medians."""
        return None if self.boom_up is None else ratio(self.boom_up.p50_ms, BOOM_FLOOR_MS)


def as_json(result: Result) -> dict[str, Any]:
    """Return all figures as JSON types."""
    return {
        "scan_to_raise": {
            "floor": _plain(result.floor),
            "floor_alone": _plain(result.floor_alone),
            "ours": _plain(result.ours),
            "ratio_p50": result.raise_ratio,
            "ratio_p50_max": RAISE_RATIO_MAX,
        },
        "scan_to_boom_up": {
            "floor_ms": BOOM_FLOOR_MS,
            "ours": _plain(result.boom_up),
            "ratio_p50": result.boom_ratio,
            "ratio_p50_max": BOOM_RATIO_MAX,
        },
        "breakdown": result.breakdown,
        "world": None if result.world is None else _world(result.world),
        "payments": [
            {"store": each.store, **asdict(point), "times_floor": point.times_floor}
            for each in result.payments
            for point in each.points
        ]
        or None,
        "payments_times_floor_min": PAYMENTS_RATIO_MIN,
    }


def table(result: Result) -> Table:
    """Return the figures for people."""
    found = Table(title="scan to raise, and to the open boom")
    for name in ("what", "cars", "p50 ms", "p99 ms", "x floor", "at most"):
        found.add_column(name, justify="left" if name == "what" else "right")
    rows = (
        ("floor: the same hops, bare", result.floor, None, None),
        ("floor before ours ran", result.floor_alone, None, None),
        ("ours: scan to raise", result.ours, result.raise_ratio, RAISE_RATIO_MAX),
        (
            "ours: scan to boom up (floor 1500 ms)",
            result.boom_up,
            result.boom_ratio,
            BOOM_RATIO_MAX,
        ),
    )
    for what, spread, times, limit in rows:
        if spread is not None:
            tail = "-" if spread.p99_ms is None else f"{spread.p99_ms:.1f}"
            cells = (str(spread.samples), f"{spread.p50_ms:.1f}", tail, _text(times), _text(limit))
            found.add_row(what, *cells)
    for name, value in result.breakdown.items():
        found.add_row(f"  {name}", "", _text(value), "", "", "")
    if result.world is not None:
        world = result.world
        speeds = f"{world.ours_per_s:g} of {world.floor_per_s:g} vehicles per core-second"
        what = f"virtual world, {world.seeds} seeds: {speeds}"
        found.add_row(what, str(world.vehicles), "-", "-", _text(world.times), "-")
    return found


def payments_table(stores: tuple[StoreFigures, ...]) -> Table:
    """Return durable payments per second, ours and the bare handler's, for people."""
    title = f"durable payments (at 64 callers at least {PAYMENTS_RATIO_MIN:g} x the bare handler)"
    found = Table(title=title)
    for name in ("store", "callers"):
        found.add_column(name)
    for name in (
        *("ours /s", "bare /s", "x bare", "rows alone /s", "ours ms CPU", "+ query", "bare ms CPU"),
        *("ours p50 ms", "p99 ms", "bare p50 ms", "commits each", "rows alone", "queries"),
        *("unpaid", "load"),
    ):
        found.add_column(name, justify="right")
    for store in stores:
        for point in store.points:
            ours, bare = point.ours, point.floor
            figures = (
                *(ours.per_s, bare.per_s, point.times_floor, point.rows_per_s),
                *(ours.cpu_ms, ours.cpu_ms_in_all, bare.cpu_ms),
                *(ours.p50_ms, ours.p99_ms, bare.p50_ms),
                *(ours.commits_per_payment, point.rows_commits_per_payment, ours.queries),
                *(ours.unpaid + bare.unpaid, point.machine_load),
            )
            found.add_row(store.store, str(point.callers), *map(_text, figures))
    return found


def _world(world: WorldSpeed) -> dict[str, Any]:
    return {
        "seeds": world.seeds,
        "vehicles": world.vehicles,
        "vehicles_per_core_s": world.ours_per_s,
        "bare_heap_per_core_s": world.floor_per_s,
        "times_the_heap": world.times,
    }


def _plain(spread: Spread | None) -> dict[str, Any] | None:
    return None if spread is None else asdict(spread)


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"
