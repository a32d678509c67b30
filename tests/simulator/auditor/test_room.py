"""A lane whose disk is full closes behind whoever is in it, and what it began has a record."""

from __future__ import annotations

import json
from typing import Any

from simulator.auditor import Blind, Restart, Tapped, audit
from tests.simulator.auditor import runs

FULL = {"name": "disk_full", "reason": "the journal cannot grow", "since_ms": 1}
S = 1_000_000


def passage(number: str = "2", phase: str = "tender", since_ms: int = 700) -> dict[str, Any]:
    """Return what a state tells of one passage."""
    return {"passage_id": number, "phase": phase, "since_ms": since_ms}


def state(mode: str, **changes: Any) -> Tapped:
    """Return the state of a lane with a full disk, heard at ten seconds."""
    body = {"lane_id": "001", "mode": mode, "arriving": None, "leaving": None, "degraded": [FULL]}
    text = json.dumps(body | changes, separators=(",", ":"))
    return Tapped(at_us=10 * S, channel="toll/330101/001/state", text=text)


def broken(*tapped: Tapped, **changes: Any) -> int | None:
    """Return how often the auditor finds A3 broken in a clean run with these messages."""
    return audit(runs.clean_run(tapped=tapped, **changes)).violations["A3"]


def test_a_lane_that_closes_is_well() -> None:
    """Closing with somebody in it, closed with nobody; a fault of the program closes it too."""
    here = passage(number="1")
    record = runs.chain(runs.body(passage_id="1"))
    stores = {"lane_records": record, "plaza_records": record}
    assert broken(state("closing", arriving=here), state("closed"), **stores) == 0
    assert broken(state("closing", leaving=here), state("attended_only"), **stores) == 0


def test_a_lane_that_stays_open_is_found() -> None:
    """Whether somebody is in it or not; a lane with room may be open."""
    assert broken(state("open")) == 1
    assert broken(state("open", degraded=[])) == 0


def test_a_lane_that_does_not_close_behind_the_last_one_is_found() -> None:
    """Nobody is in it, and it is closing still."""
    assert broken(state("closing")) == 1


def test_a_closed_lane_that_begins_a_passage_is_found() -> None:
    """Whoever drives in is held, until a person has ordered something for it."""
    for phase, since_ms, times in (
        ("held", 0, 0),
        ("identifying", 0, 1),
        ("tender", 0, 1),
        ("tender", 900, 0),
    ):
        comes = passage(phase=phase, since_ms=since_ms)
        assert broken(state("closed", arriving=comes)) == times


def test_a_passage_that_was_under_way_has_a_record() -> None:
    """Of whoever was in the lane when it said that its disk is full, unless the lane died."""
    under_way = state("closing", arriving=passage(number="2"))
    assert broken(under_way) == 1
    assert broken(under_way, at_rest=False) == 0
    for from_s, lane, times in ((11, "001", 0), (11, "002", 1), (5, "001", 1)):
        dead = Blind(lane_id=lane, from_us=from_s * S, until_us=None, dead=True)
        assert broken(under_way, blind=(dead,)) == times
        begins = Restart(at_us=from_s * S, process=f"lane {lane}", lane_id=lane)
        assert broken(under_way, restarts=(begins,)) == times
    assert broken(state("closed", arriving=passage(phase="held"))) == 0, "a person's matter"
