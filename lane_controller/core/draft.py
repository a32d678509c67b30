"""The working copy of one step: the state being made, the event, and the commands so far.

A Draft lives for one ``step`` only. Machines change ``state`` by ``put`` and speak by ``emit``;
nothing here
decides anything.
"""

from __future__ import annotations

from typing import Any

from lane_controller.core import commands as cmd
from lane_controller.core.events import Event
from lane_controller.core.limits import RECENT_COMMANDS_MAX, REMARKS_MAX, Limits
from lane_controller.core.states import DoneCommand, LaneState, Passage, StandingAlarm
from tolling.alarms import AlarmCode, Degraded, DegradedMode
from tolling.evolve import evolve
from tolling.inputs import Output
from tolling.messages import CommandOutcome
from tolling.pictures import DisplayPicture, PictureKind


class Draft:
    """One step in the making."""

    __slots__ = ("commands", "event", "state")

    def __init__(self, state: LaneState, event: Event) -> None:
        self.state = state
        self.event = event
        self.commands: list[cmd.Command] = []

    @property
    def limits(self) -> Limits:
        """Return the lane's bounds."""
        return self.state.config.limits

    @property
    def now_ns(self) -> int:
        """Return the moment of the event."""
        return self.event.at_ns

    def put(self, **changes: Any) -> None:
        """Change fields of the state."""
        self.state = evolve(self.state, **changes)

    def emit(self, command: cmd.Command) -> None:
        """Send a command out, after those before it."""
        self.commands.append(command)

    # ---- the arriving passage ----

    @property
    def passage(self) -> Passage:
        """Return the arriving passage; there is one."""
        assert self.state.arriving is not None, "no vehicle at the window"
        return self.state.arriving

    def put_passage(self, **changes: Any) -> None:
        """Change fields of the arriving passage."""
        self.put(arriving=evolve(self.passage, **changes))

    def remark(self, word: str) -> None:
        """Add a remark to the arriving passage once."""
        have = self.passage.remarks
        if word not in have and len(have) < REMARKS_MAX:
            self.put_passage(remarks=(*have, word))

    # ---- what people see ----

    def show(self, picture: DisplayPicture) -> None:
        """Show a picture, unless it is there already."""
        if self.state.picture != picture:
            self.put(picture=picture)
            self.emit(cmd.ShowPicture(picture=picture))

    def show_kind(self, kind: PictureKind) -> None:
        """Show a picture of the arriving passage: what is left to pay, class and plate beside the
        words."""
        passage = self.passage
        priced = passage.quote is not None
        self.show(
            DisplayPicture(
                kind=kind,
                toll_fen=passage.rest_fen if priced else None,
                vehicle_class=passage.vehicle_class if priced else None,
                plate=passage.plate.text if passage.plate else None,
            )
        )

    def lamp(self, green: bool) -> None:
        """Set the pass lamp, where it changes."""
        if self.state.lane_green is not green:
            self.put(lane_green=green)
            self.emit(cmd.SetOutput(output=Output.LANE_GREEN, on=green))

    def scanner(self, on: bool) -> None:
        """Open or shut the scan window, where it changes."""
        if self.state.scanner_on is not on:
            self.put(scanner_on=on)
            self.emit(cmd.SetScanner(on=on))

    # ---- timers, notes, alarms ----

    def wake(self, timer_id: str, after_ms: int) -> None:
        """Ask for a wakeup."""
        self.emit(cmd.RequestWakeup(timer_id=timer_id, after_ms=after_ms))

    def no_wake(self, timer_id: str) -> None:
        """Forget a wakeup."""
        self.emit(cmd.CancelWakeup(timer_id=timer_id))

    def note(self, name: str, detail: str = "") -> None:
        """Tell the journal and the pages that something happened."""
        here = self.state.arriving or self.state.leaving
        self.emit(cmd.Note(name=name, passage_id=here.passage_id if here else None, detail=detail))

    def alarm(self, code: AlarmCode, subject: str, what: str) -> None:
        """Raise an alarm that does not stand yet."""
        standing = StandingAlarm(code=code.value, subject=subject)
        if standing not in self.state.alarms:
            self.put(alarms=(*self.state.alarms, standing))
            self.emit(cmd.RaiseAlarm(code=code, subject=subject, what=what))

    def clear(self, code: AlarmCode, subject: str = "") -> None:
        """Clear an alarm that stands."""
        if not self.state.alarms:
            return
        standing = StandingAlarm(code=code.value, subject=subject)
        if standing in self.state.alarms:
            self.put(alarms=tuple(each for each in self.state.alarms if each != standing))
            self.emit(cmd.ClearAlarm(code=code, subject=subject))

    def degrade(self, name: Degraded, reason: str) -> None:
        """Enter a degraded mode; the passages in the lane remember it."""
        if all(mode.name is not name for mode in self.state.degraded):
            mode = DegradedMode(name=name, reason=reason, since_ms=self.event.wall.utc_ms)
            self.put(degraded=(*self.state.degraded, mode))
            self.emit(cmd.Note(name=f"degraded_{name}", detail=reason))
        self.mark_degraded()

    def restore(self, name: Degraded) -> None:
        """Leave a degraded mode."""
        standing = self.state.degraded
        left = tuple([mode for mode in standing if mode.name is not name])
        if len(left) < len(standing):
            self.put(degraded=left)
            self.emit(cmd.Note(name=f"restored_{name}"))

    def mark_degraded(self) -> None:
        """Write the standing degraded modes onto the passages in the lane."""
        if self.state.empty:
            return
        names = {mode.name.value for mode in self.state.degraded}
        for slot in ("arriving", "leaving"):
            passage: Passage | None = getattr(self.state, slot)
            if passage is not None and not names <= set(passage.degraded_seen):
                seen = tuple(sorted(names | set(passage.degraded_seen)))
                self.put(**{slot: evolve(passage, degraded_seen=seen)})

    # ---- people ----

    def answer(self, command_id: str, outcome: CommandOutcome, reason: str = "") -> None:
        """Tell a person how a command ended, and remember it for a repeat."""
        done = DoneCommand(command_id=command_id, outcome=outcome, reason=reason)
        self.put(done_commands=(*self.state.done_commands, done)[-RECENT_COMMANDS_MAX:])
        self.emit(cmd.AnswerOperator(command_id=command_id, outcome=outcome, reason=reason))
