"""A failing seed made smaller, within bounds."""

from dataclasses import replace

import pytest

from simulator.fuzz.plan import FaultPick, Picks, plan
from simulator.fuzz.run import SeedJob, run_seed
from simulator.fuzz.shrink import command_of, shrink
from simulator.fuzz.story import tell

pytestmark = pytest.mark.simulation
SMALL = Picks(vehicles=8)


def test_a_bug_every_car_shows_shrinks_to_one_car_and_no_fault() -> None:
    """What is left still breaks the rule, is told in one command, and that command repeats it."""
    job = SeedJob(seed=2, picks=SMALL, canary="code_kept_in_clear")
    failing = run_seed(job)
    assert failing.broken == {"M7"}
    subject = shrink(job, failing, now_s=lambda: 0.0)
    assert (subject.rule, subject.finished) == ("M7", True)
    assert subject.job.picks.faults == ()
    assert subject.job.picks.cars is not None
    assert len(subject.job.picks.cars) == 1
    assert subject.job.picks.first_lanes is not None
    again = run_seed(subject.job)
    assert again == replace(subject.result, cpu_ns=again.cpu_ns)
    (car,) = subject.job.picks.cars
    lanes = subject.job.picks.first_lanes
    assert command_of(subject.job) == (
        f"toll-sim fuzz --seeds 2 --vehicles 8 --faults none --cars {car}"
        f" --first-lanes {lanes} --canary code_kept_in_clear"
    )


def test_the_fault_a_bug_needs_stays_and_gets_shorter() -> None:
    """An unknown answer read as paid needs one answer that proves nothing, and no other fault."""
    few = Picks(vehicles=4)
    jobs = [SeedJob(seed=n, picks=few, canary="unknown_read_as_paid") for n in range(1, 20)]
    found = ((each, run_seed(each)) for each in jobs)
    job, failing = next(pair for pair in found if pair[1].violations.get("M4"))
    subject = shrink(job, replace(failing, findings=("M4: first",)), now_s=lambda: 0.0)
    faults = subject.job.picks.faults
    assert subject.finished
    assert faults is not None
    assert len(faults) <= 2 < len(plan(job.seed, few).faults)
    assert subject.result.violations["M4"]


def test_runs_and_time_are_bounded() -> None:
    """With nothing left to spend the job comes back as it was, and says so."""
    job = SeedJob(seed=2, picks=SMALL, canary="code_kept_in_clear")
    failing = run_seed(job)
    spent = shrink(job, failing, now_s=lambda: 0.0, runs_max=0)
    assert (spent.runs, spent.finished, spent.result) == (0, False, failing)
    clock = iter(range(1000))
    late = shrink(job, failing, now_s=lambda: float(next(clock)), seconds_max=2.0)
    assert late.runs <= 3
    assert not late.finished


def test_a_command_names_only_what_was_picked() -> None:
    """A whole seed is its number."""
    assert command_of(SeedJob(seed=17)) == "toll-sim fuzz --seeds 17"
    picks = Picks(faults=(FaultPick(index=0), FaultPick(index=3, divisor=4)), cars=(2, 5))
    said = command_of(SeedJob(seed=17, picks=picks))
    assert said == "toll-sim fuzz --seeds 17 --faults 0,3/4 --cars 2,5"


def test_a_timeline_tells_the_way_of_a_car_and_ends_with_what_is_broken() -> None:
    """Seconds, who and what, in lines that fit a terminal."""
    picks = Picks(vehicles=2, faults=(), cars=(1,), first_lanes=1)
    story = tell(SeedJob(seed=2, picks=picks, canary="code_kept_in_clear"))
    text = "\n".join(story.lines)
    for words in ("drives into the lane", "comes onto loop 1", "is through", "asks to lower"):
        assert words in text
    assert story.lines[-1].startswith("BROKEN  M7: a pay code in clear")
    assert all(len(line) <= 310 for line in story.lines)
    moments = [float(line[:9]) for line in story.lines if line[9:11] == " s"]
    assert moments == sorted(moments)
