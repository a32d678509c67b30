"""The lane core: ``step(state, event) -> (state, commands)``. Total, pure, and the only door into
the machines.

Each event goes through the machines in the order of states.py, then the rules on the joint state
run until nothing
changes. An illegal pair keeps the state and raises an alarm. An assertion is a fault of ours and
leaves ``step``;
the engine catches it in one place, steps that event with ``step_aside`` (the interlock alone) and
goes on with ``step_safety``.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from operator import attrgetter

from lane_controller.core import commands as cmd
from lane_controller.core import (
    conditions,
    identify,
    interlock,
    outage,
    paying,
    people,
    presence,
    signs,
)
from lane_controller.core.draft import Draft
from lane_controller.core.events import Event, FaultCaught, OperatorActed, Wakeup
from lane_controller.core.states import LaneConfig, LaneMode, LaneState
from lane_controller.core.tables import PASSAGE_TIMERS, TABLES, TIMERS, Go, Illegal, Machine
from tolling.alarms import AlarmCode
from tolling.ids import OutTradeNo
from tolling.messages import OperatorAction

ROUNDS_MAX = 12
"""Joint rules settle within a few rounds; more is a loop of ours."""

Rule = Callable[[Draft], bool]


def _resume_when_sure(draft: Draft) -> bool:
    if not outage.sure_again(draft):
        return False
    identify.resume(draft)
    return True


SAFETY_RULES: tuple[Rule, ...] = (interlock.lower_when_allowed,)

JOINT_RULES: tuple[Rule, ...] = (
    presence.leaving_clears,
    presence.go_under_boom,
    presence.follow_under_boom,
    presence.begin_presence,
    presence.watch_window,
    _resume_when_sure,
    people.cash_ready_now,
    conditions.tariff_follows,
    conditions.clock_follows,
    conditions.phone_money_follows,
    conditions.close_when_empty,
    conditions.canopy_follows,
    signs.lamp_follows,
    signs.idle_picture,
    *SAFETY_RULES,
)


def initial_state(config: LaneConfig) -> LaneState:
    """Return the state of a lane that has never run."""
    return LaneState(config=config)


_MACHINES = tuple(Machine)
_PLACE: dict[Machine, Callable[[LaneState], StrEnum]] = {
    Machine.CONDITIONS: attrgetter("mode"),
    Machine.INTERLOCK: attrgetter("boom"),
    Machine.LEAVING: attrgetter("leaving_phase"),
    Machine.ARRIVING: attrgetter("phase"),
}


def machine_state(state: LaneState, machine: Machine) -> StrEnum:
    """Return where one machine is."""
    return _PLACE[machine](state)


def step(state: LaneState, event: Event) -> tuple[LaneState, tuple[cmd.Command, ...]]:
    """Return the state after *event* and what goes out because of it.

    Raises: AssertionError: a fault of this program; the caller keeps *state* and uses
    ``step_safety``.
    """
    attended_only = state.mode is LaneMode.ATTENDED_ONLY and not _is_reset(event)
    if attended_only or isinstance(event.fact, FaultCaught):
        return step_safety(state, event)
    draft = Draft(state, event)
    for machine in _MACHINES:
        _step_machine(draft, machine)
    if isinstance(event.fact, Wakeup):
        _wake(draft, event.fact.timer_id)
    _settle(draft, JOINT_RULES)
    return draft.state, tuple(draft.commands)


def step_safety(state: LaneState, event: Event) -> tuple[LaneState, tuple[cmd.Command, ...]]:
    """Step what goes on in an attended-only lane: conditions, interlock and raises of people.

    Raises: AssertionError: a fault of this program; the caller keeps *state* and uses
    ``step_aside``.
    """
    draft = Draft(state, event)
    _step_machine(draft, Machine.CONDITIONS)
    return _step_interlock(draft)


def step_aside(state: LaneState, event: Event) -> tuple[LaneState, tuple[cmd.Command, ...]]:
    """Step an event that made the rest fail: the interlock takes it, and nothing else."""
    return _step_interlock(Draft(state, event))


def _step_interlock(draft: Draft) -> tuple[LaneState, tuple[cmd.Command, ...]]:
    event = draft.event
    _step_machine(draft, Machine.INTERLOCK)
    if isinstance(event.fact, Wakeup) and event.fact.timer_id in (
        "boom",
        "boom_settle",
        "raise_again",
    ):
        TIMERS[event.fact.timer_id](draft)
    draft.put(lower_armed=False)  # Nothing lowers by itself here.
    return draft.state, tuple(draft.commands)


def _is_reset(event: Event) -> bool:
    fact = event.fact
    return isinstance(fact, OperatorActed) and fact.command.action is OperatorAction.RESET


def _step_machine(draft: Draft, machine: Machine) -> None:
    place = _PLACE[machine]
    before = place(draft.state)
    row = TABLES[machine][type(draft.event.fact)][before]
    if isinstance(row, Go):
        row.handler(draft)
        after = place(draft.state)
        assert after in row.to, f"{machine}: {before} -> {after} is not in the table"
    elif isinstance(row, Illegal):
        fact = type(draft.event.fact).__name__
        draft.alarm(AlarmCode.ILLEGAL_EVENT, f"{machine}.{before}.{fact}", row.what)


def _wake(draft: Draft, timer_id: str) -> None:
    name, _, number = timer_id.partition(":")
    if name in TIMERS:
        TIMERS[name](draft)
    elif draft.state.arriving is None:
        return
    elif name in PASSAGE_TIMERS:
        PASSAGE_TIMERS[name](draft)
    elif name == "order":
        paying.order_overdue(draft, OutTradeNo(number))
    elif name == "poll":
        paying.poll_due(draft, OutTradeNo(number))


def _settle(draft: Draft, rules: tuple[Rule, ...]) -> None:
    for _ in range(ROUNDS_MAX):
        changed = False
        for rule in rules:
            changed = rule(draft) or changed
        if not changed:
            return
    raise AssertionError("the joint rules do not settle")
