"""What a point map must hold."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hw.barrier import point_map as subject
from hw.barrier.point_map import Action, InputWire, OutputWire, PointMap, Polarity
from hw.config import ContactBarrierConfig
from hw.links.tables import Table
from tests.hw.barrier.rig import adam
from tolling.inputs import Output, Point, Reading

GOOD = ContactBarrierConfig.model_validate(adam(502)).point_map()


def with_input(point: Point, **changes: Any) -> PointMap:
    """Return the good map with one input changed."""
    wires = tuple(replace(wire, **changes) if wire.point is point else wire for wire in GOOD.inputs)
    return replace(GOOD, inputs=wires)


def with_output(output: Output, **changes: Any) -> PointMap:
    """Return the good map with one output changed."""
    wires = tuple(
        replace(wire, **changes) if wire.output is output else wire for wire in GOOD.outputs
    )
    return replace(GOOD, outputs=wires)


def without(*names: Point | Output) -> PointMap:
    """Return the good map without some points."""
    return replace(
        GOOD,
        inputs=tuple(wire for wire in GOOD.inputs if wire.point not in names),
        outputs=tuple(wire for wire in GOOD.outputs if wire.output not in names),
    )


def test_good_map_has_no_problem() -> None:
    """A complete, safely wired map is taken."""
    assert subject.check_point_map(GOOD) == []


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        (without(Point.BOOM_UP), "input boom_up is not wired"),
        (without(Point.LOOP_1), "input loop_1 is not wired"),
        (without(Output.LANE_GREEN), "output lane_green is not wired"),
        (without(Output.RAISE), "output raise is not wired"),
        (with_input(Point.LOOP_2, polarity=Polarity.ENERGISED_OCCUPIED), "must be energised_free"),
        (with_input(Point.CURTAIN, polarity=Polarity.ACTIVE_HIGH), "must be energised_free"),
        (with_input(Point.BOOM_UP, polarity=Polarity.ENERGISED_FREE), "is a limit switch"),
        (with_input(Point.LOOP_1, module="nowhere"), "module nowhere, which is not there"),
        (with_input(Point.LOOP_1, address=0), "share one contact"),
        (with_input(Point.LOOP_1, address=500), "over 120 addresses"),
        (with_input(Point.LOOP_1, table=Table.DISCRETE), "more than one table"),
        (with_input(Point.LOOP_1, bit=3), "a bit of a table of bits"),
        (with_output(Output.RAISE, action=Action.HOLD), "hold-to-open"),
        (with_output(Output.LANE_GREEN, action=Action.HOLD), "hold-to-open"),
        (with_output(Output.RAISE, action=Action.LEVEL), "must be a pulse"),
        (with_output(Output.LOWER, inverted=True), "must not be inverted"),
        (with_output(Output.RAISE, on_ms=5000), "pulse of 5000 ms"),
        (with_output(Output.RAISE, action=Action.TIMED), "no timed pulse"),
        (
            with_output(Output.RAISE, action=Action.TIMED, timed_address=512, on_ms=250),
            "steps of 100 ms",
        ),
        (with_output(Output.LANE_GREEN, action=Action.PULSE), "is a level, not a pulse"),
        (with_output(Output.ALARM, on_ms=0), "needs a longest on-time"),
        (replace(GOOD, inputs=(*GOOD.inputs, GOOD.inputs[0])), "wired more than once"),
        (replace(GOOD, under_boom=frozenset({Point.LOOP_2})), "leaves out curtain"),
        (replace(GOOD, under_boom=frozenset({Point.CURTAIN})), "leaves out loop_2"),
        (
            replace(GOOD, under_boom=frozenset({Point.LOOP_2, Point.CURTAIN, Point.BOOM_UP})),
            "is no detector",
        ),
        (
            replace(without(Point.CURTAIN), under_boom=frozenset({Point.LOOP_2, Point.CURTAIN})),
            "curtain, which is not wired",
        ),
    ],
)
def test_unsafe_or_incomplete_map_is_refused(changed: PointMap, problem: str) -> None:
    """Each rule of wiring is refused with a sentence that names the point."""
    assert any(problem in found for found in subject.check_point_map(changed))


@pytest.mark.parametrize(
    ("polarity", "energised", "reading"),
    [
        (Polarity.ENERGISED_FREE, True, Reading.OFF),
        (Polarity.ENERGISED_FREE, False, Reading.ON),
        (Polarity.ACTIVE_HIGH, True, Reading.ON),
        (Polarity.ACTIVE_HIGH, False, Reading.OFF),
        (Polarity.ACTIVE_LOW, True, Reading.OFF),
        (Polarity.ACTIVE_LOW, False, Reading.ON),
    ],
)
def test_polarity_gives_the_reading(polarity: Polarity, energised: bool, reading: Reading) -> None:
    """A detector is free with current; a limit is reached as wired."""
    wire = InputWire(point=Point.LOOP_1, module="m", table=Table.COIL, address=0, polarity=polarity)
    assert wire.reading(energised) is reading


def test_readings_come_from_bits_and_words() -> None:
    """A wire is found at its address, and at its bit within a word."""
    bit = InputWire(
        point=Point.BOOM_UP, module="m", table=Table.COIL, address=7, polarity=Polarity.ACTIVE_HIGH
    )
    assert subject.readings((bit,), 5, (0, 0, 1)) == {Point.BOOM_UP: Reading.ON}
    word = replace(bit, table=Table.HOLDING, bit=9)
    assert subject.readings((word,), 7, (1 << 9,)) == {Point.BOOM_UP: Reading.ON}
    assert subject.read_span((bit, replace(bit, address=4))) == (4, 4)


def test_output_is_found_by_its_meaning() -> None:
    """An output that is not wired is None."""
    found = GOOD.output(Output.RAISE)
    assert isinstance(found, OutputWire)
    assert GOOD.output(Output.CANOPY_GREEN) is None
