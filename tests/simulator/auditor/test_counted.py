"""As many records as vehicles, also beside a loop that lies: B2, one fact spoilt at a time.

One vehicle is on the loops from 1 s to 10 s and is recorded then, another from 101 s to 110 s.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeAlias

import pytest

from simulator.auditor import Blind, Lying, audit
from simulator.auditor.evidence import Held
from simulator.plant.events import Contact, LogEntry, Passage, PlantEdge, What
from simulator.plant.vehicles import VehicleId
from tests.simulator.auditor.runs import LANE, S, body, chain, clean_run, edge, road

BASE_MS = 1_795_305_600_000
_Times: TypeAlias = tuple[float, float]


def again(entry: LogEntry) -> LogEntry:
    """Return what the other vehicle does, a hundred seconds later."""
    if isinstance(entry, Passage):
        nose_us, tail_us = entry.nose_us + 100 * S, entry.tail_us + 100 * S
        return replace(entry, vehicle_id=VehicleId(2), nose_us=nose_us, tail_us=tail_us)
    later = replace(entry, at_us=entry.at_us + 100 * S)
    return replace(later, vehicle_id=VehicleId(2)) if isinstance(later, PlantEdge) else later


LOG = (*road(), *map(again, road()))


def record(arrived_s: float, sealed_s: float) -> dict[str, Any]:
    """Return a violator's record."""
    return body(
        legs=[],
        unpaid_reason="violation",
        authorised_by="nobody",
        arrived={"utc_ms": BASE_MS + int(arrived_s * 1_000)},
        sealed={"utc_ms": BASE_MS + int(sealed_s * 1_000)},
    )


FIRST, SECOND = record(1.1, 11.1), record(101.1, 111.1)


def found(*records: dict[str, Any], **changes: Any) -> bool:
    """Return whether the count is found wrong."""
    known = {"plant_log": LOG, "wall_base_ms": BASE_MS}
    run = clean_run(lane_records=chain(*records), **{**known, **changes})
    return any("vehicles passed" in finding.what for finding in audit(run).findings)


def lie(from_s: float, until_s: float | None) -> tuple[Lying, ...]:
    """Return a while in which a loop lied."""
    until_us = None if until_s is None else int(until_s * S)
    return (Lying(lane_id=LANE, from_us=int(from_s * S), until_us=until_us),)


def test_every_vehicle_has_one_record() -> None:
    """One is missing, or one is too many."""
    assert not found(FIRST, SECOND)
    assert found(FIRST)
    assert found(FIRST, SECOND, SECOND)


@pytest.mark.parametrize("lying", [lie(5, 8), lie(12, 20), lie(90, 97), lie(110, 200)])
def test_who_was_there_while_a_loop_lied_is_left_out(lying: tuple[Lying, ...]) -> None:
    """And who came within five seconds of it, in whatever way he is recorded; the other is not."""
    lied_first = lying[0].from_us < 50 * S
    left_out, counted = (FIRST, SECOND) if lied_first else (SECOND, FIRST)
    for records in ((), (left_out,), (left_out, left_out)):
        assert not found(*records, counted, lying=lying)
        assert found(*records, lying=lying)
        assert found(*records, counted, counted, lying=lying)


def test_between_two_lies_is_counted_too() -> None:
    """Each while by itself: one too many there does not stand for one that is missing here."""
    lying = (*lie(50, 60), *lie(200, 210))
    assert not found(FIRST, SECOND, lying=lying)
    assert found(FIRST, FIRST, lying=lying)
    assert found(SECOND, SECOND, lying=lying)
    assert found(FIRST, SECOND, record(230, 240), lying=lying)
    assert not found(FIRST, SECOND, record(55, 57), lying=lying)


def test_a_record_that_reaches_into_a_lie_is_nobodys() -> None:
    """It may be of one whom no loop showed."""
    assert not found(FIRST, SECOND, record(40, 55), record(55, 80), lying=lie(50, 60))
    assert not found(FIRST, lying=lie(50, None))


def queue(first: _Times, second: _Times) -> tuple[LogEntry, ...]:
    """Return one behind the other, each by when it comes onto loop 1 and is through."""
    log: list[LogEntry] = []
    for number, (came_s, through_s) in enumerate((first, second), 1):
        who = VehicleId(number)
        came = replace(edge(came_s, What.LOOP_1, True), vehicle_id=who)
        under = replace(edge(through_s - 1, What.LOOP_2, True), vehicle_id=who)
        off = replace(edge(through_s - 0.5, What.LOOP_1, False), vehicle_id=who)
        clear = replace(edge(through_s, What.LOOP_2, False), vehicle_id=who)
        (passage,) = (each for each in road() if isinstance(each, Passage))
        nose_us, tail_us = int((through_s - 1) * S), int(through_s * S)
        gone = replace(passage, vehicle_id=who, nose_us=nose_us, tail_us=tail_us)
        log += [came, under, off, clear, gone]
    return tuple(log)


def test_who_waits_behind_another_has_his_record_when_that_one_has_got_his() -> None:
    """A loop lied as he came onto loop 1; his record began when it did no more (seed 287)."""
    log = queue((1, 60), (58, 80))
    records = record(1.1, 62), record(62.1, 81)
    assert not found(*records, plant_log=log, lying=lie(50, 56))
    assert found(*records, records[1], plant_log=log, lying=lie(50, 56))


def test_a_record_may_wait_until_loop_2_is_quiet() -> None:
    """It flickers behind one who is through, and lies soon after: what is sealed then began
    before he was through (seed 3434), and is no later one's."""
    assert not found(FIRST, record(101.1, 115), lying=lie(114, 120))
    assert found(FIRST, record(111, 115), lying=lie(114, 120))
    assert found(FIRST, lying=lie(114, 120))


def test_a_record_may_have_begun_before_its_vehicle_came_where_loop_1_was_held() -> None:
    """Whoever held it first, in a lie; who came to it then has that record (seed 4269)."""
    held = (Held(lane_id=LANE, from_us=40 * S, until_us=105 * S),)
    records = FIRST, record(45, 111.1)
    assert not found(*records, lying=lie(30, 60), held=held)
    assert found(*records, lying=lie(30, 60))
    over = (replace(held[0], until_us=50 * S),)
    assert found(*records, lying=lie(30, 60), held=over)


def test_by_a_clock_that_was_wrong_a_lane_with_a_lie_is_not_counted() -> None:
    """Without a lie it is: how many there are needs no clock."""
    off = frozenset({LANE})
    assert not found(lying=lie(50, 60), clocks_off=off)
    assert found(FIRST, clocks_off=off)
    assert found(FIRST, lying=(replace(lie(50, 60)[0], lane_id="002"),), clocks_off=off)


def test_one_that_holds_loop_1_with_another_was_there_from_the_window_on() -> None:
    """Its own edge comes when the other has left; it stood at the window while the loop lied."""
    log = [entry for entry in LOG if not isinstance(entry, Contact)]
    at_window = replace(edge(61, What.AT_WINDOW, True), vehicle_id=VehicleId(2))
    assert found(FIRST, plant_log=tuple(log), lying=lie(50, 60))
    seen = tuple(sorted((*log, at_window), key=lambda entry: entry.at_us))
    assert not found(FIRST, plant_log=seen, lying=lie(50, 60))


def test_a_death_is_good_for_a_record_more_or_less_in_its_own_while_alone() -> None:
    """Who was there while the lane was dead may have a record, two, or none."""
    dead = (Blind(lane_id=LANE, from_us=5 * S, until_us=6 * S, dead=True),)
    assert not found(SECOND, blind=dead)
    assert not found(SECOND, blind=dead, lying=lie(50, 60))
    assert not found(FIRST, FIRST, SECOND, blind=dead, lying=lie(50, 60))
    assert found(FIRST, blind=dead, lying=lie(50, 60))
    assert found(FIRST, SECOND, SECOND, blind=dead, lying=lie(50, 60))


def test_a_raise_for_nobody_is_found_but_while_a_loop_lies() -> None:
    """A loop that hears the lane beside shows somebody who is not there."""
    raised = (*LOG, *(replace(entry, at_us=300 * S) for entry in LOG if isinstance(entry, Contact)))
    run = clean_run(plant_log=raised, lane_records=chain(FIRST, SECOND), wall_base_ms=BASE_MS)

    def rules(**changes: Any) -> list[str]:
        whats = [finding.what for finding in audit(replace(run, **changes)).findings]
        return [what for what in whats if "no vehicle in the lane" in what]

    assert rules()
    assert rules(lying=lie(50, 60))
    assert not rules(lying=lie(250, 296))
