"""Makes a failing seed smaller: fewer faults, fewer cars, fewer lanes, shorter faults.

A smaller world counts where it still breaks the rule the whole seed broke first. Leaving something
out moves everything behind it, so nothing is taken for granted: every step is a run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from simulator.fuzz.plan import FaultPick, can_shorten, plan
from simulator.fuzz.run import SeedJob, SeedResult, run_seed
from simulator.world.build import lane_ids

RUNS_MAX = 120
SECONDS_MAX = 120.0
DIVISORS = (16, 4, 2)
"""Tried on each fault's durations, the shortest first."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shrunk:
    """The smallest world that was found."""

    job: SeedJob
    result: SeedResult
    rule: str
    """The rule it breaks."""
    runs: int
    finished: bool
    """False where runs or time were used up before nothing more could be left out."""


class _SpentError(Exception):
    """Runs or time are used up."""


class _Search:
    def __init__(self, job: SeedJob, result: SeedResult, rule: str, clock: _Clock) -> None:
        self.job = job
        self.result = result
        self.rule = rule
        self.runs = 0
        self._clock = clock

    def fails(self, smaller: SeedJob) -> bool:
        """Try a smaller world and keep it where the same rule is broken."""
        if self.runs >= self._clock.runs_max or self._clock.over:
            raise _SpentError
        self.runs += 1
        result = run_seed(smaller)
        if not result.violations.get(self.rule):
            return False
        self.job, self.result = smaller, result
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Clock:
    runs_max: int
    seconds_max: float
    now_s: Callable[[], float]
    began_s: float

    @property
    def over(self) -> bool:
        return self.now_s() - self.began_s > self.seconds_max


def shrink(
    job: SeedJob,
    result: SeedResult,
    *,
    now_s: Callable[[], float],
    runs_max: int = RUNS_MAX,
    seconds_max: float = SECONDS_MAX,
) -> Shrunk:
    """Return the smallest world found within the bounds that breaks the rule *result* names first.

    Args:   result: of *job*, which breaks a rule. now_s: seconds that only go forward.
    """
    assert result.findings, "a seed that is clean cannot be made smaller"
    rule = result.findings[0].partition(":")[0]
    clock = _Clock(runs_max=runs_max, seconds_max=seconds_max, now_s=now_s, began_s=now_s())
    search = _Search(_spelt_out(job), result, rule, clock)
    try:
        _less_of_everything(search)
    except _SpentError:
        finished = False
    else:
        finished = True
    return Shrunk(
        job=search.job, result=search.result, rule=rule, runs=search.runs, finished=finished
    )


def _spelt_out(job: SeedJob) -> SeedJob:
    """Return the job with every fault and car named."""
    config = plan(job.seed, replace(job.picks, faults=None, cars=None, first_lanes=None))
    assert config.cars is not None
    cars = tuple(int(car.vehicle.vehicle_id) for car in config.cars)
    faults = tuple(FaultPick(index=index) for index in range(len(config.faults)))
    picks = replace(
        job.picks,
        faults=faults if job.picks.faults is None else job.picks.faults,
        cars=cars if job.picks.cars is None else job.picks.cars,
    )
    return replace(job, picks=picks)


def _less_of_everything(search: _Search) -> None:
    _one_lane(search)
    while True:
        before = search.job
        faults = search.job.picks.faults
        cars = search.job.picks.cars
        assert faults is not None
        assert cars is not None
        _fewer(faults, lambda left: search.fails(_with(search.job, faults=left)))
        _fewer(cars, lambda left: search.fails(_with(search.job, cars=left)))
        _fewer_lanes(search)
        _shorter_faults(search)
        if search.job == before:
            return


def _one_lane(search: _Search) -> None:
    """Try the cars of each lane alone, the largest step where a bug is one lane's."""
    config = plan(search.job.seed, search.job.picks)
    assert config.cars is not None
    for lane in sorted({car.lane_id for car in config.cars}):
        cars = tuple(int(car.vehicle.vehicle_id) for car in config.cars if car.lane_id == lane)
        if len(cars) < len(config.cars) and search.fails(_with(search.job, cars=cars)):
            return


def _with(job: SeedJob, **changes: object) -> SeedJob:
    return replace(job, picks=replace(job.picks, **changes))  # type: ignore[arg-type]


def _fewer(items: Sequence[T], fails: Callable[[tuple[T, ...]], bool]) -> tuple[T, ...]:
    """Leave out all, then pieces that get smaller, down to single items."""
    left = tuple(items)
    if left and fails(()):
        return ()
    size = len(left) // 2
    while size >= 1:
        start = 0
        while start < len(left) > 1:
            rest = left[:start] + left[start + size :]
            if rest and fails(rest):
                left = rest
            else:
                start += size
        size //= 2
    return left


def _fewer_lanes(search: _Search) -> None:
    whole = plan(search.job.seed, replace(search.job.picks, first_lanes=None))
    assert whole.cars is not None
    used = {car.lane_id for car in whole.cars}
    names = lane_ids(whole.lanes)
    most = max((names.index(lane) + 1 for lane in used), default=1)
    if most < (search.job.picks.first_lanes or whole.lanes):
        search.fails(_with(search.job, first_lanes=most))


def _shorter_faults(search: _Search) -> None:
    faults = search.job.picks.faults
    assert faults is not None
    drawn = plan(search.job.seed, replace(search.job.picks, faults=None, first_lanes=None)).faults
    for each in faults:
        if each.divisor > 1 or not can_shorten(drawn[each.index]):
            continue
        for divisor in DIVISORS:
            now = search.job.picks.faults
            assert now is not None
            shorter = tuple(
                replace(one, divisor=divisor) if one.index == each.index else one for one in now
            )
            if search.fails(_with(search.job, faults=shorter)):
                break


def command_of(job: SeedJob) -> str:
    """Return the one command that runs this very world."""
    parts = ["toll-sim fuzz", f"--seeds {job.seed}", job.picks.flags()]
    if job.canary is not None:
        parts.append(f"--canary {job.canary}")
    return " ".join(part for part in parts if part)
