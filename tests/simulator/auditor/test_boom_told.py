"""What a lane tells of its boom: B2 and B4, one fact spoilt at a time.

The boom is down until 20 s and is lifted by hand then, or stands as its limits' inputs read.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from simulator.auditor import Blind, Evidence, Hindered, Hindrance, LimitFault, Tapped, audit
from simulator.plant.events import BoomMove, Contact, Heading, LogEntry, MoveCause, PlantEdge, What
from tests.simulator.auditor.runs import LANE, S, clean_run
from tolling.inputs import Output

UP = What.BOOM_UP
DOWN = What.BOOM_DOWN


def limit(at_s: float, what: What, on: bool) -> PlantEdge:
    """Return a limit switch that turns."""
    return PlantEdge(at_us=int(at_s * S), lane=LANE, what=what, on=on)


def state(
    made_s: float, barrier: str = "down", *words: str, heard_s: float | None = None
) -> Tapped:
    """Return a state of the lane; *words*: its alarms."""
    text = json.dumps(
        {"alarms": list(words), "barrier": barrier, "utc_ms": int(made_s * 1_000)},
        separators=(",", ":"),
    )
    at_us = int((made_s if heard_s is None else heard_s) * S)
    return Tapped(at_us=at_us, channel="toll/330101/001/state", text=text)


def alarm(made_s: float, *, raised: bool = True, heard_s: float | None = None) -> Tapped:
    """Return the alarm about a boom that moved."""
    told = {"code": "boom_moved", "raised": raised, "utc_ms": int(made_s * 1_000)}
    at_us = int((made_s if heard_s is None else heard_s) * S)
    return Tapped(at_us=at_us, channel="toll/330101/001/alarm", text=json.dumps(told))


def run(*log: LogEntry, **changes: Any) -> Evidence:
    """Return a run with what the lane's inputs did written down."""
    known = {"hindered": (), "limit_faults": (), "wall_base_ms": 0}
    return clean_run(plant_log=log, **{**known, **changes})


def found(subject: Evidence, rule: str) -> list[str]:
    """Return what is found of the boom's limits, or of its being lifted."""
    words = ("its state of", "was lifted")
    whats = [each.what for each in audit(subject).findings if each.rule == rule]
    return [what for what in whats if any(word in what for word in words)]


def stuck(what: What, reads: bool | None, from_s: float = 20, until_s: float = 40) -> LimitFault:
    """Return a limit's input that does not follow its switch."""
    return LimitFault(
        lane_id=LANE, what=what, reads=reads, from_us=int(from_s * S), until_us=int(until_s * S)
    )


def blind(from_s: float, until_s: float | None, *, dead: bool = False) -> Blind:
    """Return a while in which the lane could not read."""
    until_us = None if until_s is None else int(until_s * S)
    return Blind(lane_id=LANE, from_us=int(from_s * S), until_us=until_us, dead=dead)


BOTH = (stuck(UP, True),)
NONE = (stuck(DOWN, False),)


def test_a_lane_whose_limits_both_read_reached_says_so() -> None:
    """Within a second; a state from before, or of a lane that could not read, proves nothing."""
    assert not found(run(limit_faults=BOTH, tapped=(state(20.9, "unknown"),)), "B4")
    hidden = run(limit_faults=BOTH, tapped=(state(21.1, "unknown"),))
    assert found(hidden, "B4")
    assert not found(replace(hidden, tapped=(state(21.1, "unknown", "boom_limits"),)), "B4")
    assert not found(replace(hidden, blind=(blind(19, 20.2),)), "B4")
    assert found(replace(hidden, blind=(blind(17, 18),)), "B4")
    assert not found(replace(hidden, blind=(blind(10, None),)), "B4")
    assert not found(replace(hidden, limit_faults=(stuck(UP, None),)), "B4"), "this and that"
    assert not found(replace(hidden, limit_faults=None), "B4"), "on wires"
    assert not found(replace(hidden, clocks_off=frozenset({LANE})), "B4")
    late = state(19.9, "unknown", heard_s=30)
    assert not found(replace(hidden, tapped=(late,)), "B4"), "made before"


def test_a_boom_at_no_limit_is_a_fault_after_its_time() -> None:
    """Three seconds for the boom and one to say so, from the last pulse on."""
    early, late = state(23.9, "moved"), state(24.1, "moved")
    assert not found(run(limit_faults=NONE, tapped=(early,)), "B4")
    hidden = run(limit_faults=NONE, tapped=(late,))
    assert found(hidden, "B4")
    for word in ("boom_limits", "boom_not_up", "boom_not_down", "barrier_fault"):
        assert not found(replace(hidden, tapped=(state(24.1, "moved", word),)), "B4")
    pulsed = Contact(at_us=21 * S, lane=LANE, output=Output.RAISE, closed=True, acted=True)
    assert not found(replace(hidden, plant_log=(pulsed,)), "B4")
    assert found(replace(hidden, plant_log=(pulsed,), tapped=(state(25.1, "raising"),)), "B4")
    assert not found(replace(hidden, blind=(blind(18, 19.5),)), "B4")
    assert not found(replace(hidden, limit_faults=(stuck(DOWN, False, until_s=24),)), "B4")


def test_a_boom_that_really_reaches_nothing_is_a_fault_too() -> None:
    """Its switches say so themselves; each span is told of once."""
    log = (limit(20, DOWN, False),)
    states = (state(24.5, "raising"), state(25.5, "raising"))
    assert len(found(run(*log, tapped=states), "B4")) == 1
    assert not found(run(*log, limit(23, UP, True), tapped=states), "B4")


def test_a_shorted_wire_beats_a_cut_one() -> None:
    """Both limits read reached where one is shorted, whatever else is wrong with it."""
    faults = (stuck(UP, True), stuck(UP, False))
    assert found(run(limit_faults=faults, tapped=(state(22, "unknown"),)), "B4")


def test_no_boom_is_up_or_down_before_its_limit_says_so() -> None:
    """An echo is not motion; half a second later an input is known."""
    rising = (limit(20, DOWN, False), limit(20.9, UP, True), limit(30, UP, False))
    assert found(run(*rising, tapped=(state(20.7, "up"),)), "B4")
    assert found(run(*rising, tapped=(state(20.7, "down"),)), "B4")
    assert not found(run(*rising, tapped=(state(20.4, "down"), state(21, "up"))), "B4")
    assert not found(run(*rising, tapped=(state(30.4, "up"),)), "B4")
    echo = run(*rising, tapped=(state(30.7, "up"),))
    assert found(echo, "B4")
    assert not found(replace(echo, blind=(blind(29.8, 30.2),)), "B4")
    assert not found(replace(echo, limit_faults=BOTH), "B4"), "its input says so"


LIFTED = (
    BoomMove(at_us=20 * S, lane=LANE, heading=Heading.UP, cause=MoveCause.HAND, angle_mdeg=0),
    limit(20, DOWN, False),
    limit(20.9, UP, True),
)


def test_a_boom_lifted_by_hand_is_told_of() -> None:
    """By the alarm, when it gets through, or by a state that shows it; not by one taken back."""
    assert found(run(*LIFTED, tapped=()), "B2")
    for told in (alarm(20.1), alarm(20.1, heard_s=300), state(20.3, "moved", "boom_moved")):
        assert not found(run(*LIFTED, tapped=(told,)), "B2")
    assert found(run(*LIFTED, tapped=(alarm(21.1),)), "B2"), "too late"
    assert found(run(*LIFTED, tapped=(alarm(15), alarm(16, raised=False))), "B2")
    assert not found(run(*LIFTED, tapped=(alarm(15),)), "B2"), "it stands already"
    spring = (replace(LIFTED[0], cause=MoveCause.SPRING), *LIFTED[1:])
    assert found(run(*spring, tapped=()), "B2")


def test_by_a_clock_that_was_wrong_nobody_knows_when_it_was_told() -> None:
    """Heard after it is enough then, before it is not."""
    off = frozenset({LANE})
    assert not found(run(*LIFTED, tapped=(alarm(90, heard_s=20.2),), clocks_off=off), "B2")
    assert found(run(*LIFTED, tapped=(alarm(20.1, heard_s=19),), clocks_off=off), "B2")


def test_a_boom_that_moves_by_command_is_no_event() -> None:
    """Nor is one that was told to rise, came down all the same, and is lifted then."""
    pulse = replace(LIFTED[0], cause=MoveCause.PULSE)
    assert not found(run(pulse, *LIFTED[1:], tapped=()), "B2")
    raised = Contact(at_us=10 * S, lane=LANE, output=Output.RAISE, closed=True, acted=False)
    assert not found(run(raised, *LIFTED, tapped=()), "B2")
    lowered = replace(raised, at_us=15 * S, output=Output.LOWER)
    assert found(run(raised, lowered, *LIFTED, tapped=()), "B2")


@pytest.mark.parametrize(("at_ms", "known"), [(20_090, False), (20_600, True)])
def test_a_boom_that_is_raised_as_it_is_lifted_is_no_event(at_ms: int, known: bool) -> None:
    """The lane had moved it itself before it could read that it had gone (seed 1575)."""
    raised = Contact(at_us=at_ms * 1_000, lane=LANE, output=Output.RAISE, closed=True, acted=True)
    log = (LIFTED[0], LIFTED[1], raised, LIFTED[2])
    assert bool(found(run(*log, tapped=()), "B2")) is known


def test_a_lane_that_cannot_know_is_not_asked_who_lifted_its_boom() -> None:
    """Dead, blind, a limit that lies, an order not carried out; nor is a run that has not ended."""
    hidden = run(*LIFTED, tapped=())
    assert not found(replace(hidden, at_rest=False), "B2")
    assert not found(replace(hidden, limit_faults=None), "B2"), "on wires"
    for dead, asked in (((18, 19.5), False), ((30, 32), False), ((5, 6), True), ((40, 42), True)):
        assert bool(found(replace(hidden, blind=(blind(*dead, dead=True),)), "B2")) is asked
    for silent, asked in (((0.5, 1.5), True), ((20.5, 22), False), ((22, 23), True)):
        lifted = run(limit(1, DOWN, False), limit(18, DOWN, True), *LIFTED, tapped=())
        assert bool(found(replace(lifted, blind=(blind(*silent),)), "B2")) is asked
    for lies in (stuck(DOWN, False, 15), stuck(UP, True, 15), stuck(UP, True, 19.5, 19.8)):
        assert not found(replace(hidden, limit_faults=(lies,)), "B2")
    assert not found(replace(hidden, limit_faults=(stuck(DOWN, True),)), "B2")
    assert found(replace(hidden, limit_faults=NONE), "B2"), "it is off either way"
    assert found(replace(hidden, limit_faults=(stuck(UP, True, 10, 12),)), "B2")
    unraised = Hindered(lane_id=LANE, what=Hindrance.RAISE, from_us=10 * S, until_us=12 * S)
    assert not found(replace(hidden, hindered=(unraised,)), "B2")
    lamp = replace(unraised, what=Hindrance.LAMP)
    assert found(replace(hidden, hindered=(lamp,)), "B2")
    short = (*LIFTED[:2], limit(20.3, DOWN, True))
    assert not found(run(*short, tapped=()), "B2"), "nobody saw it"
