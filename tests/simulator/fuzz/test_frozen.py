"""A world written down is the world that was drawn."""

from dataclasses import replace
from pathlib import Path

import pytest

from simulator.fuzz.frozen import (
    read_regression,
    regression_text,
    scenario_file,
    scenario_text,
)
from simulator.fuzz.plan import FaultPick, Picks, plan
from simulator.fuzz.run import SeedJob, run_config, run_seed
from simulator.scenarios.running import run_scenario
from simulator.scenarios.scenario import canonical, load_scenario, read_scenario
from simulator.world.build import WorldConfig
from simulator.world.faults import KillAt
from tests.simulation.test_regressions import FILES
from tolling.errors import BadInputError
from tolling.tariffs import TariffRow
from tolling.vehicles import VehicleClass


def test_a_regression_is_read_as_it_was_written(tmp_path: Path) -> None:
    """What, rule, seed, command and the very world; the comments tell it to people."""
    for seed in (3, 4, 5):
        picks = Picks(faults=(FaultPick(index=0, divisor=2),), cars=(1, 2))
        job = SeedJob(seed=seed, picks=picks)
        path = tmp_path / f"{seed}.toml"
        path.write_text(regression_text(job, what='it "broke"', rule="M1"), encoding="utf-8")
        subject = read_regression(path)
        assert subject.world == plan(seed, picks)
        assert (subject.what, subject.rule, subject.seed) == ('it "broke"', "M1", seed)
        assert subject.command == f"toll-sim fuzz --seeds {seed} --faults 0/2 --cars 1,2"
        assert path.read_text(encoding="utf-8").startswith("# ")


@pytest.mark.parametrize("text", ["what = 1 2", "seed = 1", "\xff"])
def test_another_file_is_refused_by_its_name(tmp_path: Path, text: str) -> None:
    """Whoever edits one is told which and why."""
    path = tmp_path / "broken.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(BadInputError, match=r"broken\.toml"):
        read_regression(path)


@pytest.mark.simulation
def test_a_shrunk_seed_is_a_scenario_with_the_very_trace(tmp_path: Path) -> None:
    """The world of a job, written as YAML and run by ``toll-sim scenario``, is that world."""
    job = SeedJob(seed=4, picks=Picks(faults=(FaultPick(index=1),), cars=(1, 2), first_lanes=2))
    path = tmp_path / "found.yaml"
    path.write_text(scenario_text(job, what="one fen is missing", rule="M1"), encoding="utf-8")
    subject = load_scenario(path)
    assert subject.expected.violations == {"M1": 0}
    outcome = run_scenario(subject)
    assert outcome.trace_hash == run_seed(job).trace_hash
    assert outcome.ok
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# drawn by: toll-sim fuzz --seeds 4 --faults 1 --cars 1,2 ")
    assert "# found: M1: one fen is missing\n" in text


def test_a_scenario_of_a_planted_bug_says_that_the_bug_is_not_in_it() -> None:
    """A file plants nothing: whoever runs it must not take its silence for a proof."""
    job = SeedJob(seed=4, picks=Picks(faults=(), cars=(1,)), canary="code_kept_in_clear")
    text = scenario_text(job, what="a code in clear", rule="M7")
    assert "# not in this file: the planted bug code_kept_in_clear," in text


@pytest.mark.parametrize("rule", ["LIVENESS", "CRASH"])
def test_what_is_no_rule_of_the_auditor_is_expected_by_every_scenario(rule: str) -> None:
    """All leave, all comes to rest, the run ends: a file that says nothing expects as much."""
    text = scenario_file(what="x", rule=rule, seed=1, heading=[], config=WorldConfig(cars=()))
    subject = read_scenario(text).expected
    assert (subject.violations, subject.gone, subject.at_rest) == ({}, None, True)


@pytest.mark.slow
def test_every_regression_can_be_said_as_a_scenario() -> None:
    """What the shrinker has left so far, with nothing lost."""
    for path in FILES:
        kept = read_regression(path)
        text = scenario_file(
            what=kept.what, rule=kept.rule, seed=kept.seed, heading=[], config=kept.world
        )
        assert canonical(read_scenario(text).config) == canonical(kept.world), path.name


@pytest.mark.simulation
def test_a_regression_runs_the_same_as_its_scenario() -> None:
    """To the same trace, fault by fault."""
    kept = read_regression(FILES[0])
    text = scenario_file(
        what=kept.what, rule=kept.rule, seed=kept.seed, heading=[], config=kept.world
    )
    whole = run_config(kept.seed, kept.world)
    assert run_scenario(read_scenario(text)).trace_hash == whole.trace_hash


_EMPTY = WorldConfig(lanes=1, cars=())
_ROW = TariffRow(
    row=7, entry_station="EAST", vehicle_class=VehicleClass.CAR_1, toll_fen=800, distance_m=1
)


@pytest.mark.parametrize(
    ("config", "why"),
    [
        (replace(_EMPTY, start_ms=_EMPTY.start_ms + 1), "is finer than a second"),
        (replace(_EMPTY, tariff_rows=(_ROW,)), "read back with other tariff_rows"),
        (
            replace(_EMPTY, faults=(KillAt(at_ms=1, process="lane 009", down_ms=1),)),
            "there is no process `lane 009` here",
        ),
    ],
)
def test_what_a_scenario_cannot_say_is_refused_with_its_reason(
    config: WorldConfig, why: str
) -> None:
    """Nothing is left out in silence, and the other form of file is named."""
    with pytest.raises(BadInputError, match=why) as caught:
        scenario_file(what="x", rule="M1", seed=1, heading=[], config=config)
    assert "keep it whole as .toml" in str(caught.value)
