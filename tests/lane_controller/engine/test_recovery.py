"""Replay steps the very core again and names the first difference."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lane_controller.core import events as ev
from lane_controller.core.states import LaneMode
from lane_controller.engine import inputs as inp
from lane_controller.engine import recovery as subject
from tests.lane_controller.core.playbook import CONFIG
from tests.lane_controller.engine.rig import Rig
from tolling.errors import JournalError
from tolling.inputs import Point, Reading
from tolling.messages import OperatorAction, OperatorCommand


def test_an_empty_journal_is_a_new_lane() -> None:
    """Nothing known, time from 0."""
    found = Rig().recovered
    assert (found.at_ns, found.last_segment, found.difference) == (0, 0, None)


def test_a_replay_gives_the_very_state() -> None:
    """Same core, same state, no difference."""
    rig = Rig().open().arrive().scan()
    found = Rig(rig.disk, boot="boot-2").recovered
    assert (found.state, found.difference) == (rig.subject.state, None)


def test_the_first_difference_is_named_and_nothing_moves_by_itself() -> None:
    """Another core wrote it: event number and fact are told, the lane is attended-only."""
    rig = Rig().open().arrive()
    image = rig.disk.image()
    events = list(image.events)
    events[2] = replace(events[2], digest="0" * 64)
    events[4] = replace(events[4], digest="0" * 64)
    assert image.segment is not None
    _, difference = subject.replay(image.segment, tuple(events))
    assert difference is not None
    assert (difference.number, difference.segment) == (3, 1)
    again = Rig(rig.disk, boot="boot-2")
    again.subject._recovered = replace(again.recovered, difference=difference)
    again.start(100)
    assert again.subject.state.mode is LaneMode.ATTENDED_ONLY


def test_another_core_version_is_refused_with_what_to_do() -> None:
    """Upgrades only with the lane closed and empty."""
    image = Rig().open().disk.image()
    assert image.segment is not None
    older = replace(image, segment=replace(image.segment, core_version="0"))
    with pytest.raises(JournalError, match="close the lane"):
        subject.recover(CONFIG, older)


def test_a_closed_and_empty_lane_is_taken_over_by_another_core_version() -> None:
    """The engine begins a segment when the lane is closed and empty; an upgrade starts from it."""
    rig = Rig().open()
    boot_id = rig.subject.state.boot_id
    assert boot_id is not None
    order = OperatorCommand(
        command_id="c",
        action=OperatorAction.CLOSE_LANE,
        operator="li",
        reason="the end of the day",
        passage_id=None,
        boot_id=boot_id,
        state_version=1,
        local=True,
    )
    rig.give(inp.PersonOrdered(command=order))
    image = rig.disk.image()
    assert image.segment is not None
    older = replace(image, segment=replace(image.segment, core_version="0"))
    state = subject.recover(CONFIG, older).state
    assert state.mode is LaneMode.CLOSED
    assert state.next_passage_no == rig.subject.state.next_passage_no
    assert state.epoch == rig.subject.state.epoch
    rig.give(ev.InputChanged(point=Point.LOOP_1, reading=Reading.ON))
    stirred = rig.disk.image()
    assert stirred.segment is not None
    older = replace(stirred, segment=replace(stirred.segment, core_version="0"))
    with pytest.raises(JournalError, match="close the lane"):
        subject.recover(CONFIG, older)
