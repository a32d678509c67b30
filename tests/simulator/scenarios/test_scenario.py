"""A scenario file is read whole or refused whole, and any plan of a world can be written as one."""

from pathlib import Path

import pytest
from hypothesis import given

from simulator.auditor import CHECKS
from simulator.people import UNRULY_MIX
from simulator.scenarios.expectations import Expectations, Shown
from simulator.scenarios.nodes import BadScenarioError
from simulator.scenarios.running import run_scenario
from simulator.scenarios.scenario import (
    Scenario,
    canonical,
    from_config,
    load_scenario,
    read_scenario,
    to_config,
    write_scenario,
)
from simulator.scenarios.steps import Step
from simulator.world.build import WorldConfig, build_world, lane_ids, run_world
from simulator.world.swarm import draw_faults
from tests.simulator.scenarios.drawn import configs
from tolling.messages import CommandOutcome, OperatorAction


def refused(text: str) -> list[str]:
    """Return the lines of what is wrong with *text*."""
    with pytest.raises(BadScenarioError) as caught:
        read_scenario(text, where="f")
    return str(caught.value).splitlines()


@pytest.mark.slow
@given(configs())
def test_any_plan_of_a_world_reads_back(config: WorldConfig) -> None:
    """A plan written as a scenario and read again is the same plan."""
    read = read_scenario(from_config(7, config))
    assert (read.seed, canonical(to_config(read))) == (7, canonical(config))


@pytest.mark.simulation
@pytest.mark.parametrize("seed", [3, 8])
def test_a_written_plan_runs_the_same(seed: int) -> None:
    """The run of a written and read plan has the trace of the plan itself."""
    faults = draw_faults(seed, lanes=lane_ids(2), until_ms=60_000)
    config = WorldConfig(vehicles=4, mix=UNRULY_MIX, faults=faults)
    whole = run_world(build_world(seed, config))
    outcome = run_scenario(read_scenario(from_config(seed, config)))
    assert outcome.trace_hash == whole.trace_hash


def test_a_whole_scenario_reads_back() -> None:
    """People's steps and all expectations come back as they were."""
    scenario = Scenario(
        name="all-of-it",
        seed=11,
        config=canonical(WorldConfig(lanes=3, cars=(), attended=False, latency_ms=50)),
        shows_en="everything: at once",
        shows_zh="全部",
        steps=(
            Step(
                at_us=1_500,
                lane="002",
                action=OperatorAction.RAISE,
                reason="a reason",
                text="苏B00001",
                number=3,
                answer=CommandOutcome.REFUSED,
            ),
        ),
        expected=Expectations(
            violations=dict.fromkeys(CHECKS, 2),
            gone=4,
            at_rest=False,
            tenders={"alipay": 1, "none": 2},
            orders={},
            ends={"passed": 3},
            unpaid={"exempt": 1},
            records=3,
            captured_fen=800,
            refunded_fen=0,
            kept_fen=-3,
            cash_fen=1,
            shown=(Shown(text="欢迎", lane="001", before_us=5, after_us=3),),
            never_shown=(Shown(text="no"),),
            alarms=("disk_full",),
            no_alarms=("clock_bad", "plaza_lost"),
            rest_before_us=90_000_000,
        ),
    )
    assert read_scenario(write_scenario(scenario)) == scenario


def test_findings_are_comments_of_a_file_that_expects_none() -> None:
    """A shrunk seed is a regression: it fails until its bug is repaired."""
    text = from_config(3, WorldConfig(cars=()), ["M1: one fen\nis missing"], name="bug-17")
    assert text.startswith("# found: M1: one fen is missing\n")
    assert read_scenario(text).expected == Expectations()


def test_several_problems_are_told_at_once_in_the_order_of_lines() -> None:
    """Nobody repairs a file one error at a time."""
    lines = refused(
        "scenario: 1\nattended: yes\nvehicles:\n  - {at: 4}\n  - {lane: '001'}\nseeed: 3\n"
    )
    assert [line.split(":")[1] for line in lines] == ["2", "4", "5", "6"]


def test_a_wrong_word_hides_no_unknown_place() -> None:
    """A file is refused once, with what is wrong in it and with what it names that is not there."""
    lines = refused(
        "scenario: 1\nlanes: 1\nvehicles:\n"
        "  - {at: 1s, behaviour: phone_okk}\n"
        "  - {at: 1s, lane: '003'}\n"
        "faults:\n"
        "  - {on: lane 004, verb: kill, when: {at: 1s}}\n"
        "  - {on: platform.wechat, verb: slow, by: 1s}\n"
        "attendant:\n  - {at: 1s, lane: '005', do: raise}\n"
        "expect:\n  shown:\n    - {text: x, lane: '009'}\n  nevershown: []\n"
    )
    assert [line.split(":")[1] for line in lines] == ["4", "5", "7", "8", "10", "13", "14"]


def test_places_are_not_guessed_where_their_number_cannot_be_read() -> None:
    """How many lanes there are is the problem; what it leaves open is none."""
    lines = refused(
        "scenario: 1\nlanes: many\nvehicles:\n  - {at: 1s, lane: '003'}\n"
        "world: {plazas: 1000000000}\nfaults:\n  - {on: plaza 2, verb: kill, when: {at: 1s}}\n"
    )
    assert [line.split(":")[1] for line in lines] == ["2"]


@pytest.mark.parametrize("key", ["shown", "never_shown"])
def test_a_display_of_a_lane_that_is_not_there_is_no_expectation(key: str) -> None:
    """Else `never_shown` would hold of a lane nobody has."""
    text = (
        f"scenario: 1\nspawn: {{vehicles: 1}}\nexpect:\n  {key}:\n    - {{text: a, lane: '009'}}\n"
    )
    (line,) = refused(text)
    assert line == "f:5: there is no lane `009` here: this scenario has 001"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("scenario: 2\nfuture: 3\n", "f:1: is format 2: this program reads 1"),
        ("name: x\nspawn: {vehicles: 1}\n", "`scenario` is missing"),
        ("scenario: 1\n", "nobody comes: add `vehicles:` or `spawn:`"),
        ("scenario: 1\nname: A b\nspawn: {vehicles: 1}\n", "f:2: `A b` is not a name"),
        ("scenario: 1\ntariff: other\nspawn: {vehicles: 1}\n", "use one of world"),
        ("scenario: 1\nstart: 2020-01-01\nspawn: {vehicles: 1}\n", "2026-11-22T08:00:00+08:00"),
        ("scenario: 1\nlanes: 0\nspawn: {vehicles: 1}\n", "0 is not within 1..999"),
        ("scenario: 1\nworld: {plazas: 9}\nspawn: {vehicles: 1}\n", "plazas: 1.."),
        (
            (
                "scenario: 1\nspawn: {vehicles: 1}\nfaults:\n  - {on: lane 002, verb: kill,"
                " when: {at: 1s}}\n"
            ),
            "f:4: there is no process `lane 002` here",
        ),
        (
            (
                "scenario: 1\nspawn: {vehicles: 1}\nfaults:\n  - {on: line plaza 2-platform,"
                " verb: cut, when: {for: 1s}}\n"
            ),
            "f:4: there is no line `plaza 2-platform` here",
        ),
        (
            "scenario: 1\nspawn: {vehicles: 1}\nattendant:\n  - {at: 1s, lane: '009', do: raise}\n",
            "f:4: there is no lane `009` here",
        ),
        (
            "scenario: 1\nspawn: {vehicles: 2}\nvehicles:\n  - {at: 1s, id: 2}\n",
            "f:4: id 2 is a spawned vehicle's",
        ),
    ],
)
def test_a_wrong_file_is_refused_with_what_to_do(text: str, words: str) -> None:
    """Each mistake is named with its line."""
    assert words in "\n".join(refused(text))


def test_a_file_without_a_name_has_its_own(tmp_path: Path) -> None:
    """The file's name is the scenario's, unless it says another."""
    path = tmp_path / "my-day.yaml"
    path.write_text("scenario: 1\nspawn: {vehicles: 1}\n", encoding="utf-8")
    assert load_scenario(path).name == "my-day"
    path.write_bytes(b"scenario: 1\n# \xff\n")
    with pytest.raises(BadScenarioError, match="UTF-8"):
        load_scenario(path)
