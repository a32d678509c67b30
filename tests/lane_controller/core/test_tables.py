"""Every pair of state and fact is written down, and the code does what is written."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import pytest

from lane_controller.core import events as ev
from lane_controller.core.draft import Draft
from lane_controller.core.lane import machine_state, step
from lane_controller.core.tables import (
    ALL_FACTS,
    PASSAGE_TIMERS,
    STATES,
    TABLES,
    TIMERS,
    Go,
    Ignore,
    Illegal,
    Machine,
)
from tests.lane_controller.core.playbook import T0_MS
from tests.lane_controller.core.scenes import FACTS, SCENES, state_in
from tolling.alarms import AlarmCode
from tolling.clock import NS_PER_S, ClockQuality, WallTime

AT_NS = 60 * NS_PER_S
WALL = WallTime(utc_ms=T0_MS + 60_000, quality=ClockQuality.SYNCED)
PAIRS = [(machine, where) for machine in Machine for where in STATES[machine]]


def event(fact: ev.Fact) -> ev.Event:
    """Return a fact a minute after the lane's start."""
    return ev.Event(at_ns=AT_NS, wall=WALL, fact=fact)


def test_every_machine_names_every_fact_in_every_state() -> None:
    """No pair is left to a default that nobody wrote down."""
    for machine in Machine:
        assert set(TABLES[machine]) == set(ALL_FACTS)
        for rows in TABLES[machine].values():
            assert list(rows) == list(STATES[machine])


def test_rows_say_why_they_do_nothing() -> None:
    """An ignored or illegal pair has its reason, in words."""
    for table in TABLES.values():
        for rows in table.values():
            for row in rows.values():
                assert isinstance(row, Go | Ignore | Illegal)
                if isinstance(row, Ignore):
                    assert len(row.reason) > 10
                elif isinstance(row, Illegal):
                    assert len(row.what) > 10
                else:
                    assert row.to


def test_all_facts_are_known_to_the_tables_and_to_these_tests() -> None:
    """A new fact must be put into the tables and be stepped here."""
    assert set(ALL_FACTS) == set(ev.Fact.__args__) == set(FACTS)


@pytest.mark.parametrize(("machine", "where"), PAIRS, ids=str)
def test_scenes_are_where_they_say(machine: Machine, where: StrEnum) -> None:
    """The scenes of these tests are played with facts and end in the state they are named for."""
    assert where in SCENES[machine]
    assert machine_state(state_in(machine, where), machine) == where


@pytest.mark.parametrize(("machine", "where"), PAIRS, ids=str)
def test_every_fact_leads_where_the_table_says(machine: Machine, where: StrEnum) -> None:
    """Each fact steps without an exception, into a state of its row; only illegal pairs alarm."""
    before = state_in(machine, where)
    for kind in ALL_FACTS:
        row = TABLES[machine][kind][where]
        for fact in FACTS[kind]:
            if isinstance(row, Go):
                draft = Draft(before, event(fact))
                row.handler(draft)
                assert machine_state(draft.state, machine) in row.to, fact
            after, commands = step(before, event(fact))
            subject = f"{machine}.{where}.{kind.__name__}"
            alarms = {(each.code, each.subject) for each in after.alarms}
            assert ((AlarmCode.ILLEGAL_EVENT.value, subject) in alarms) == isinstance(row, Illegal)
            assert step(before, event(fact)) == (after, commands)


@pytest.mark.parametrize(("machine", "where"), PAIRS, ids=str)
def test_every_row_target_is_a_state_of_its_machine(machine: Machine, where: StrEnum) -> None:
    """A row names states of its own machine only."""
    for rows in TABLES[machine].values():
        row: Any = rows[where]
        if isinstance(row, Go):
            assert all(isinstance(state, STATES[machine]) for state in row.to)


def test_timers_of_vehicles_and_of_the_lane_are_two_sets() -> None:
    """A wakeup belongs to one handler."""
    assert not set(TIMERS) & set(PASSAGE_TIMERS)


def test_the_drawn_states_are_those_of_the_tables() -> None:
    """docs/lane-states.md is drawn from the tables: it differs only where somebody forgot."""
    from scripts import lane_diagram

    assert lane_diagram.TARGET.read_text(encoding="utf-8") == lane_diagram.document()
