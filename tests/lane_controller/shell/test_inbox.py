"""The queue in front of the engine: bounded, in order, and no loop forgotten."""

from __future__ import annotations

import pytest

from lane_controller.core.events import InputChanged, NotCodeScanned
from lane_controller.engine.inputs import TimerDue
from lane_controller.shell.inbox import QUEUE_SOFT_MAX, Inbox
from tolling.inputs import Point, Reading
from tolling.paycodes import NotAPayCode


@pytest.mark.asyncio
async def test_inputs_come_out_in_order() -> None:
    """What came first goes first."""
    subject = Inbox()
    for number in range(3):
        subject.put(TimerDue(timer_id=str(number)))

    assert [await subject.get() for _ in range(3)] == [TimerDue(timer_id=str(n)) for n in range(3)]


@pytest.mark.asyncio
async def test_flood_drops_scans_and_keeps_the_newest_reading() -> None:
    """Beyond the bound scans are dropped and counted; a point's newest reading always arrives."""
    subject = Inbox()
    for _ in range(QUEUE_SOFT_MAX):
        subject.put(NotCodeScanned(reason=NotAPayCode.EMPTY))
    for number in range(10_000):
        subject.put(NotCodeScanned(reason=NotAPayCode.EMPTY))
        reading = Reading.ON if number % 2 else Reading.OFF
        subject.put(InputChanged(point=Point.LOOP_2, reading=reading))

    assert len(subject) == QUEUE_SOFT_MAX + 1
    assert subject.dropped == 10_000
    for _ in range(QUEUE_SOFT_MAX):
        await subject.get()
    assert await subject.get() == InputChanged(point=Point.LOOP_2, reading=Reading.ON)
    assert len(subject) == 0
