"""Runs a scenario in virtual time and judges it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from simulator.auditor import CHECKS, audit
from simulator.scenarios.amounts import span_text
from simulator.scenarios.expectations import Came, Checked, judge
from simulator.scenarios.scenario import Scenario, to_config
from simulator.scenarios.steps import Step
from simulator.world.build import WorldResult, build_world, run_world
from simulator.world.world import World
from tolling.ids import BootId, LaneId
from tolling.messages import CommandResult, OperatorCommand

if TYPE_CHECKING:
    from simulator.fuzz.telling import Telling

NS_PER_US = 1_000
PERSON = "person"
"""Who gives a scenario's commands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a scenario."""

    scenario: Scenario
    checks: tuple[Checked, ...]
    violations: dict[str, int | None]
    findings: tuple[str, ...]
    """Each breach of a rule in words."""
    trace_hash: str
    """Empty on wires."""
    vehicles: int
    """That left the lanes."""
    timeline: tuple[str, ...]
    notes: tuple[str, ...] = ()
    """What a reader of the result must know, such as a fault that wires cannot show."""

    @property
    def ok(self) -> bool:
        """Return whether everything came as expected."""
        return all(check.ok for check in self.checks)

    def plain(self) -> dict[str, object]:
        """Return it as JSON data."""
        return {
            "scenario": self.scenario.name,
            "ok": self.ok,
            "expectations": [check.plain() for check in self.checks],
            "violations": self.violations,
            "trace_hash": self.trace_hash,
            "vehicles": self.vehicles,
            "notes": list(self.notes),
        }


class People:
    """Gives a scenario's commands at their times and keeps the answers."""

    def __init__(self, world: World, steps: tuple[Step, ...]) -> None:
        self._world = world
        self._steps = steps
        self._answers: dict[int, str] = {}

    def begin(self) -> None:
        """Set every command for its time."""
        for number, step in enumerate(self._steps):
            at_ns = step.at_us * NS_PER_US
            self._world.heap.schedule(at_ns, partial(self._order, number, step))

    def _order(self, number: int, step: Step) -> None:
        lane = self._world.lanes[LaneId(step.lane)]
        view = lane.view()
        if view is None:
            self._answers[number] = "the lane is down"
            return
        command = OperatorCommand(
            command_id=f"{step.lane}-{PERSON}-{number + 1}",
            action=step.action,
            operator=PERSON,
            reason=step.reason,
            passage_id=None if view.arriving is None else view.arriving.passage_id,
            boot_id=BootId(view.boot_id),
            state_version=view.state_version,
            text=step.text,
            number=step.number,
            local=True,
        )
        self._world.site.booths[LaneId(step.lane)].write_down(command)
        lane.order(command, partial(self._told, number))

    def _told(self, number: int, result: CommandResult | None) -> None:
        if result is None:
            self._answers[number] = "the lane died meanwhile"
        else:
            reason = f" ({result.reason})" if result.reason else ""
            self._answers[number] = f"{result.outcome}{reason}"

    def checks(self) -> tuple[Checked, ...]:
        """Return each command whose answer matters."""
        checks = []
        for number, step in enumerate(self._steps):
            if step.answer is None:
                continue
            seen = self._answers.get(number, "no answer")
            ok = seen.partition(" ")[0] == step.answer.value
            what = f"{step.action} at {span_text(step.at_us)} is {step.answer}"
            checks.append(Checked(what=what, ok=ok, seen=seen))
        return tuple(checks)


def run_scenario(scenario: Scenario, *, timeline: bool = False) -> Outcome:
    """Run a scenario in virtual time.

    Args: timeline: tell what happened; it costs time.
    """
    world = build_world(scenario.seed, to_config(scenario))
    told = _telling(world) if timeline else None
    people = People(world, scenario.steps)
    people.begin()
    try:
        result = run_world(world)
    except Exception as error:  # noqa: BLE001 - whatever breaks a world is what came of it
        last = f"{type(error).__name__}: {error}".splitlines()[0]
        outcome = _broken_off(scenario, world, last)
    else:
        outcome = _outcome(scenario, result, people.checks())
    if told is not None:
        outcome = replace(outcome, timeline=told.lines())
    close(world)
    return outcome


def _telling(world: World) -> Telling:
    # The words are fuzz's; its package is loaded only where somebody wants to read them.
    from simulator.fuzz.telling import Telling

    return Telling(world)


def close(world: World) -> None:
    """Give the databases of a run back."""
    world.plaza_store.engine.dispose()
    for journal in world.journals.values():
        journal.dispose()


def _outcome(scenario: Scenario, result: WorldResult, more: tuple[Checked, ...]) -> Outcome:
    verdict = audit(result.evidence)
    came = Came(
        evidence=result.evidence,
        verdict=verdict,
        at_rest=result.at_rest,
        ended_us=result.world_ns // NS_PER_US,
        bill=result.bill,
    )
    return Outcome(
        scenario=scenario,
        checks=(*judge(scenario.expected, came), *more),
        violations=verdict.violations,
        findings=tuple(f"{each.rule}: {each.what}" for each in verdict.findings),
        trace_hash=result.trace_hash,
        vehicles=result.vehicles,
        timeline=(),
    )


def _broken_off(scenario: Scenario, world: World, last: str) -> Outcome:
    return Outcome(
        scenario=scenario,
        checks=(Checked(what="the run comes to its end", ok=False, seen=last),),
        violations=dict.fromkeys(CHECKS),
        findings=(f"the world broke off: {last}",),
        trace_hash=world.heap.trace_hash,
        vehicles=sum(world.site.is_gone(car.vehicle.vehicle_id) for car in world.site.cars),
        timeline=(),
    )
