"""Tests of simulator.bench.report."""

from __future__ import annotations

import io
import json

from rich.console import Console

from simulator.bench import report as subject
from simulator.bench.figures import Spread
from simulator.bench.payments import Load, Point, StoreFigures, merged
from simulator.bench.world import WorldSpeed

FLOOR = Spread(samples=500, p50_ms=8.0, p99_ms=20.0)
OURS = Spread(samples=500, p50_ms=14.0, p99_ms=40.0)
BOOM = Spread(samples=60, p50_ms=1_560.0, p99_ms=None)
WHOLE = subject.Result(floor=FLOOR, ours=OURS, boom_up=BOOM, breakdown={"plaza_cpu": None})


def test_the_object_holds_floor_ours_ratio_and_limit() -> None:
    """Whoever reads the last line can judge by it alone."""
    found = json.loads(json.dumps(subject.as_json(WHOLE)))
    raises, boom = found["scan_to_raise"], found["scan_to_boom_up"]
    assert raises["floor"] == {"samples": 500, "p50_ms": 8.0, "p99_ms": 20.0}
    assert (raises["ratio_p50"], raises["ratio_p50_max"]) == (1.75, 2.0)
    assert (boom["ratio_p50"], boom["ratio_p50_max"]) == (1.04, 1.05)
    assert boom["ours"]["p99_ms"] is None


def test_the_world_is_told_beside_the_bare_heap() -> None:
    """Vehicles per core-second of both, and how many times the heap's effort."""
    speed = WorldSpeed(seeds=20, vehicles=480, ours_per_s=15.0, floor_per_s=6_000.0)
    result = subject.Result(world=speed)
    world = subject.as_json(result)["world"]
    assert (world["vehicles_per_core_s"], world["bare_heap_per_core_s"]) == (15.0, 6_000.0)
    assert world["times_the_heap"] == 400.0
    shown = io.StringIO()
    Console(file=shown, width=160).print(subject.table(result))
    assert "15 of 6000 vehicles per core-second" in shown.getvalue()


def test_what_was_not_measured_is_null() -> None:
    """A figure left out is null, never 0."""
    found = subject.as_json(subject.Result())
    assert found["scan_to_raise"]["ratio_p50"] is None
    assert found["scan_to_boom_up"]["ours"] is None
    assert found["payments"] is None


def test_the_table_shows_figures_and_limits() -> None:
    """People see medians, tails where there are any, and how many times the floor ours is."""
    shown = io.StringIO()
    Console(file=shown, width=120).print(subject.table(WHOLE))
    text = shown.getvalue()
    for part in ("8.0", "20.0", "14.0", "40.0", "1.75", "1560.0", "1.04"):
        assert part in text


BARE = Load(payments=5000, per_s=1_000.0, cpu_ms=0.8, p50_ms=60.0, p99_ms=90.0)
PAID = Load(
    payments=3000, per_s=600.0, cpu_ms=1.4, p50_ms=100.0, p99_ms=150.0, commits_per_payment=0.4
)
PAYMENTS = (
    StoreFigures(
        store="sqlite", points=(Point(callers=64, floor=BARE, ours=PAID, rows_per_s=4_000.0),)
    ),
)


def test_durable_payments_are_told_beside_the_bare_handler() -> None:
    """Both sides' rates and CPU, how many times the floor ours is, and what rows alone would do."""
    (point,) = subject.as_json(subject.Result(payments=PAYMENTS))["payments"]
    assert (point["store"], point["callers"], point["times_floor"]) == ("sqlite", 64, 0.6)
    assert (point["ours"]["cpu_ms"], point["floor"]["cpu_ms"]) == (1.4, 0.8)
    shown = io.StringIO()
    Console(file=shown, width=160).print(subject.payments_table(PAYMENTS))
    for part in ("sqlite", "64", "600", "1000", "0.6", "4000", "1.4", "0.8", "150", "0.4"):
        assert part in shown.getvalue()


def test_rounds_are_told_by_their_median() -> None:
    """One lucky or unlucky round decides nothing; counts are added up."""
    loads = [
        Load(
            payments=count,
            per_s=rate,
            cpu_ms=rate / 10,
            p50_ms=1.0,
            p99_ms=None,
            signed_calls=count,
        )
        for count, rate in ((10, 5.0), (30, 50.0), (20, 20.0))
    ]
    found = merged(loads)
    assert (found.payments, found.signed_calls) == (60, 60)
    assert (found.per_s, found.cpu_ms, found.p99_ms) == (20.0, 2.0, None)
    point = Point(callers=1, floor=found, ours=found, rows_per_s=1.0, ratios=(0.3, 0.9, 0.5))
    assert point.times_floor == 0.5
