"""A scenario runs in virtual time and tells what came of it."""

import pytest

from simulator.scenarios.running import run_scenario
from simulator.scenarios.scenario import Scenario, read_scenario
from simulator.world.world import World

pytestmark = pytest.mark.simulation


def scenario(more: str = "") -> Scenario:
    """Return one car that shows no phone, and more."""
    driver = "{like: phone_ok, reaction: 10min}"
    head = f"scenario: 1\nseed: 5\nvehicles:\n  - {{at: 4s, behaviour: {driver}}}\n"
    return read_scenario(head + more)


RAISE = "attendant:\n  - {at: 20s, do: raise, reason: let through, answer: confirmed}\n"


def test_a_person_acts_at_the_time_the_file_says() -> None:
    """The attendant raises for a car that shows no phone; its record says released."""
    outcome = run_scenario(scenario(f"{RAISE}expect:\n  unpaid: {{released: 1}}\n"))
    assert [check.what for check in outcome.checks if not check.ok] == []
    assert outcome.vehicles == 1


def test_a_command_that_ends_otherwise_fails_the_scenario() -> None:
    """A raise without a reason is refused; the file expected it confirmed."""
    subject = run_scenario(scenario(RAISE.replace("reason: let through, ", "")))
    (check,) = [check for check in subject.checks if not check.ok]
    assert check.what == "raise at 20s is confirmed"
    assert check.seen.startswith("refused")


def test_a_command_to_a_lane_that_is_down_has_no_answer() -> None:
    """Nobody hears a person whose lane is dead."""
    more = "faults:\n  - {on: lane 001, verb: kill, when: {at: 19s}, down: 5s}\n"
    subject = run_scenario(scenario(RAISE + more))
    assert "the lane is down" in [check.seen for check in subject.checks]


def test_the_timeline_tells_people_and_road_in_order() -> None:
    """Somebody who was not there can follow what happened."""
    lines = run_scenario(scenario(RAISE), timeline=True).timeline
    words = "\n".join(lines)
    seconds = [float(line.split(" s ")[0]) for line in lines]
    assert seconds == sorted(seconds)
    for part in ("vehicle 1 drives into the lane", "RAISES the boom", "has left the lane"):
        assert part in words


def test_telling_changes_nothing() -> None:
    """A run that is read along is the same run."""
    told = run_scenario(scenario(RAISE), timeline=True)
    assert told.trace_hash == run_scenario(scenario(RAISE)).trace_hash


def test_a_world_that_breaks_is_a_failed_scenario(monkeypatch: pytest.MonkeyPatch) -> None:
    """An assertion inside the world is what came of it, not the end of the program."""

    def broken(*given: object) -> None:
        raise AssertionError("two vehicles on one spot")

    monkeypatch.setattr(World, "run_to_rest", broken, raising=True)
    monkeypatch.setattr(World, "start", broken, raising=True)
    subject = run_scenario(scenario())
    assert not subject.ok
    assert "two vehicles on one spot" in subject.checks[0].seen
