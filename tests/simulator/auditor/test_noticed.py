"""A lane that does not notice what it has lost is found; one that could not is not blamed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from simulator.auditor import Blind, Hindered, Hindrance, Loss, Lost, Tapped, audit
from simulator.auditor.noticed import DUE
from tests.simulator.auditor import runs

S = 1_000_000
LANE = "001"


def state(at_s: float, *modes: str, lane: str = LANE) -> Tapped:
    """Return a lane's state heard at that second, which names these modes."""
    degraded = [{"name": mode, "reason": "of a kind", "since_ms": 1} for mode in modes]
    body = {"lane_id": lane, "mode": "closing", "degraded": degraded}
    text = json.dumps(body | {"arriving": None, "leaving": None}, separators=(",", ":"))
    return Tapped(at_us=int(at_s * S), channel=f"toll/330101/{lane}/state", text=text)


def lost(what: Loss, from_s: float, until_s: float) -> Lost:
    """Return a loss of the one lane."""
    return Lost(lane_id=LANE, what=what, from_us=int(from_s * S), until_us=int(until_s * S))


def hindered(what: Hindrance, from_s: float, until_s: float) -> Hindered:
    """Return a while in which the one lane was hindered."""
    return Hindered(lane_id=LANE, what=what, from_us=int(from_s * S), until_us=int(until_s * S))


def unnoticed(*losses: Lost, tapped: tuple[Tapped, ...] = (), **changes: Any) -> bool:
    """Return whether the auditor says that a lane has not noticed something."""
    found = audit(runs.clean_run(lost=losses, tapped=tapped, **changes)).findings
    return any(" from " in each.what for each in found if each.rule in ("A2", "A3"))


@pytest.mark.parametrize("what", sorted(Loss))
def test_what_is_lost_is_seen_within_detection_and_two_seconds(what: Loss) -> None:
    """A state in time names a mode for it; one too late, of another mode or lane, or none does
    not."""
    due = DUE[what]
    by_s = 10 + due.within_us / S + 2
    gone = lost(what, 10, by_s + 1)
    for mode in due.modes:
        assert not unnoticed(gone, tapped=(state(11), state(by_s, mode)))
        assert unnoticed(gone, tapped=(state(11), state(by_s + 0.1, mode)))
        assert unnoticed(gone, tapped=(state(9.9, mode), state(11)))
        assert unnoticed(gone, tapped=(state(11, mode, lane="002"),))
    assert unnoticed(gone, tapped=(state(11, "clock_bad"),))
    assert unnoticed(gone), "a lane that says nothing at all hides as well"


def test_each_rule_has_its_own_losses() -> None:
    """A plaza that is gone is a mode not seen, a disk that is full a bound not kept."""
    for what, rule in ((Loss.PLAZA, "A2"), (Loss.ROOM, "A3"), (Loss.PACE, "A3")):
        verdict = audit(runs.clean_run(lost=(lost(what, 10, 20),), tapped=()))
        assert {each.rule for each in verdict.findings} == {rule}


@pytest.mark.parametrize("what", sorted(set(Loss) - {Loss.PACE}))
def test_what_is_back_before_it_must_be_seen_is_held_against_nobody(what: Loss) -> None:
    """It was lost for less than the time a lane has for it."""
    by_s = 10 + DUE[what].within_us / S + 2
    assert not unnoticed(lost(what, 10, by_s - 0.1))
    assert unnoticed(lost(what, 10, by_s))


def test_a_commit_is_slow_from_a_second_on_by_any_clock() -> None:
    """A lane whose seconds are long takes one of 1.2 s for one of a second."""
    assert not unnoticed(lost(Loss.PACE, 10, 11.4))
    assert unnoticed(lost(Loss.PACE, 10, 11.5))


def test_a_lane_that_was_dead_or_just_started_is_not_blamed() -> None:
    """From its death on until it had the time to start and to notice."""
    gone = lost(Loss.SCANNER, 10, 20)
    for until_us, broken in ((None, False), (15 * S, True), (16 * S, False)):
        blind = Blind(lane_id=LANE, from_us=9 * S, until_us=until_us, dead=True)
        assert unnoticed(gone, blind=(blind,)) is broken
    dies = Blind(lane_id=LANE, from_us=12 * S, until_us=18 * S, dead=True)
    assert not unnoticed(gone, blind=(dies,))
    other = Blind(lane_id="002", from_us=9 * S, until_us=None, dead=True)
    blind = Blind(lane_id=LANE, from_us=9 * S, until_us=None, dead=False)
    assert unnoticed(gone, blind=(other, blind)), (
        "another lane, and one that runs and reads nothing"
    )


def test_a_lane_that_dies_after_it_had_to_be_heard_is_blamed() -> None:
    """Its death excuses nothing that was due before."""
    dies = Blind(lane_id=LANE, from_us=int(12.6 * S), until_us=None, dead=True)
    assert unnoticed(lost(Loss.SCANNER, 10, 20), blind=(dies,))


def test_a_run_begins_with_lanes_that_start() -> None:
    """In the first two seconds nobody is up."""
    assert not unnoticed(lost(Loss.SCANNER, 0.5, 4.4))
    assert unnoticed(lost(Loss.SCANNER, 0.5, 4.5))


def test_a_lane_whose_line_to_the_broker_fails_is_not_blamed() -> None:
    """Nor until two seconds after; a bad line to the plaza hinders no state."""
    gone = lost(Loss.DISPLAY, 10, 20)
    assert not unnoticed(gone, hindered=(hindered(Hindrance.MUTE, 9, 16),))
    assert not unnoticed(gone, hindered=(hindered(Hindrance.MUTE, 12, 17),))
    assert unnoticed(gone, hindered=(hindered(Hindrance.MUTE, 9, 15),))
    assert unnoticed(gone, hindered=(hindered(Hindrance.DEAF, 9, 20),))


def test_an_answer_of_the_plaza_that_was_delayed_may_come_for_a_while() -> None:
    """The line was slow before it was cut; the cut itself delays nothing."""
    gone = lost(Loss.PLAZA, 30, 40)
    assert unnoticed(gone, hindered=(hindered(Hindrance.DEAF, 30, 40),))
    assert not unnoticed(gone, hindered=(hindered(Hindrance.DEAF, 20, 25),))
    assert unnoticed(gone, hindered=(hindered(Hindrance.DEAF, 10, 14.9),))
    assert unnoticed(lost(Loss.ETC, 30, 40), hindered=(hindered(Hindrance.DEAF, 20, 25),))


def test_a_lane_whose_clock_drifts_counts_by_that() -> None:
    """Five seconds of such a clock are six and a quarter."""
    late = (state(36.2, "no_plaza"),)
    assert unnoticed(lost(Loss.PLAZA, 30, 40), tapped=late)
    drifts = frozenset({LANE})
    assert not unnoticed(lost(Loss.PLAZA, 30, 40), tapped=late, clocks_off=drifts)
    assert not unnoticed(lost(Loss.PLAZA, 30, 36.2), clocks_off=drifts)
    assert unnoticed(lost(Loss.PLAZA, 30, 36.3), clocks_off=drifts)
