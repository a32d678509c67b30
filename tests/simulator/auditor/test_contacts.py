"""How long an output may be on: B3, one fact spoilt at a time.

The contact for raising closes at 6 s, and the log goes on until 60 s.
"""

from __future__ import annotations

from typing import Any

import pytest

from simulator.auditor import Blind, Tapped, audit
from simulator.plant.events import Contact, Lamp, LogEntry
from tests.simulator.auditor.runs import LANE, S, clean_run
from tolling.inputs import Output

LAST = Tapped(at_us=60 * S, channel="GET /v1/payments/x", text="{}")


def contact(at_s: float, closed: bool, output: Output = Output.RAISE) -> Contact:
    """Return a contact that closes or opens."""
    return Contact(at_us=int(at_s * S), lane=LANE, output=output, closed=closed, acted=closed)


def found(*log: LogEntry, **changes: Any) -> list[str]:
    """Return what is found of outputs that were on too long."""
    run = clean_run(plant_log=log, **{"hindered": (), "tapped": (LAST,), **changes})
    whats = [each.what for each in audit(run).findings if each.rule == "B3"]
    return [what for what in whats if "was on from" in what]


def dead(from_s: float, until_s: float | None, *, process: bool = True) -> Blind:
    """Return a while in which the lane, or its module, was not there."""
    until_us = None if until_s is None else int(until_s * S)
    return Blind(lane_id=LANE, from_us=int(from_s * S), until_us=until_us, dead=process)


@pytest.mark.parametrize("output", [Output.RAISE, Output.LOWER])
def test_a_contact_is_closed_for_two_seconds_at_most(output: Output) -> None:
    """Longer is found, also where it is never opened any more."""
    assert not found(contact(6, True, output), contact(8, False, output))
    assert found(contact(6, True, output), contact(8.1, False, output))
    assert found(contact(6, True, output))
    assert not found(contact(58.5, True, output))


def test_the_alarm_sounds_for_a_minute_at_most() -> None:
    """It is a level, and ends all the same."""
    on = Lamp(at_us=6 * S, lane=LANE, output=Output.ALARM, on=True)
    assert not found(on, Lamp(at_us=66 * S, lane=LANE, output=Output.ALARM, on=False))
    assert found(on, Lamp(at_us=67 * S, lane=LANE, output=Output.ALARM, on=False))


@pytest.mark.parametrize("process", [True, False])
def test_nobody_opens_it_while_the_lane_or_its_module_is_not_there(process: bool) -> None:
    """It is opened within a second of its being back, and not later."""
    log = (contact(6, True), contact(17, False))
    assert found(*log)
    assert not found(*log, blind=(dead(7, 16.5, process=process),))
    assert not found(*log, blind=(dead(7, 12, process=process), dead(12.9, 16.5, process=process)))
    assert not found(*log, blind=(dead(7, None, process=process),))
    assert found(*log, blind=(dead(7, 15.9, process=process),))
    assert found(*log, blind=(dead(8.1, 16.5, process=process),)), "it was due at 8 s"
    other = Blind(lane_id="002", from_us=7 * S, until_us=16 * S, dead=process)
    assert found(*log, blind=(other,)), "another lane's"


def test_on_wires_nobody_knows_when_it_could_be_opened() -> None:
    """Where the whiles are not written down nothing is judged."""
    assert not found(contact(6, True), hindered=None)
