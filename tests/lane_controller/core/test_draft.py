"""A step in the making: says nothing twice, forgets no degraded mode."""

from __future__ import annotations

from lane_controller.core import commands as cmd
from lane_controller.core import events as ev
from lane_controller.core.draft import Draft
from lane_controller.core.limits import RECENT_COMMANDS_MAX
from tests.lane_controller.core.playbook import Playbook
from tolling.alarms import AlarmCode, Degraded
from tolling.messages import CommandOutcome


def draft() -> Draft:
    """Return a step of a lane with a vehicle at the window."""
    book = Playbook().open().arrive()
    event = ev.Event(at_ns=book.at_ns, wall=book.wall, fact=ev.Wakeup(timer_id="x"))
    return Draft(book.state, event)


def test_what_stands_is_not_said_again() -> None:
    """Alarms, modes, lamps, scanner and pictures speak when they change."""
    subject = draft()
    for _ in range(2):
        subject.alarm(AlarmCode.ASSIST, "", "help")
        subject.degrade(Degraded.NO_ETC, "x")
        subject.lamp(True)
        subject.scanner(False)
        subject.remark("once")
    for _ in range(2):
        subject.clear(AlarmCode.ASSIST)
        subject.restore(Degraded.NO_ETC)
    kinds = [type(command) for command in subject.commands]
    assert kinds == [
        cmd.RaiseAlarm,
        cmd.Note,
        cmd.SetOutput,
        cmd.SetScanner,
        cmd.ClearAlarm,
        cmd.Note,
    ]
    assert subject.passage.remarks == ("once",)
    assert subject.passage.degraded_seen == ("no_etc",)


def test_answered_commands_are_remembered_up_to_a_bound() -> None:
    """The oldest go first."""
    subject = draft()
    for number in range(RECENT_COMMANDS_MAX + 5):
        subject.answer(str(number), CommandOutcome.CONFIRMED)
    assert len(subject.state.done_commands) == RECENT_COMMANDS_MAX
    assert subject.state.done_commands[0].command_id == "5"
