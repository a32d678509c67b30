"""A day's lanes are spread over plazas, and what came of them is put together again."""

from dataclasses import replace
from pathlib import Path

import pytest

from simulator.days import PlazaDay, PlazaDone, in_sum, plazas_of, run_plaza
from simulator.world.day import DayResult

pytestmark = pytest.mark.simulation
RESULT = DayResult(
    vehicles=3,
    events=10,
    world_ns=5,
    at_rest=True,
    windows=2,
    violations={"M1": 0, "B1": 0},
    findings=(),
    unjudged=0,
    most_aboard=4,
    most_log=7,
    most_tapped=9,
)


def spread(lanes: int, plazas: int) -> tuple[PlazaDay, ...]:
    """Return that many lanes in that many plazas."""
    return plazas_of(
        lanes=lanes, plazas=plazas, seed=5, hours=1, profile="day_2017", folder=Path("unused")
    )


def done(job: PlazaDay, result: DayResult) -> PlazaDone:
    """Return a plaza's day with that result."""
    return PlazaDone(
        job=job,
        result=result,
        core_s=1.0,
        memory_by_hour_mib=(100,),
        memory_end_mib=100,
        memory_mib=100,
    )


def test_lanes_are_spread_as_evenly_as_they_can_be() -> None:
    """Every lane has a plaza, none has two more than another, and each plaza has its own chance."""
    subject = spread(lanes=23, plazas=4)
    assert [job.lanes for job in subject] == [6, 6, 6, 5]
    assert [job.seed for job in subject] == [5, 6, 7, 8]
    assert [job.plaza for job in subject] == [1, 2, 3, 4]


def test_what_one_plaza_broke_is_in_the_sum_with_its_name() -> None:
    """Counts are added, a finding says whose it is, and one that is not at rest is enough."""
    first, second = spread(lanes=2, plazas=2)
    bad = replace(
        RESULT,
        at_rest=False,
        violations={"M1": 1, "B1": 0},
        findings=("M1 charged twice",),
        most_log=90,
    )
    subject = in_sum([done(first, RESULT), done(second, bad)])
    assert subject.vehicles == 6
    assert subject.violations == {"B1": 0, "M1": 1}
    assert subject.findings == ("plaza 2: M1 charged twice",)
    assert not subject.at_rest
    assert subject.most_log == 90


def test_a_plazas_stores_are_gone_when_its_day_is_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They lie in the folder that was named while it runs; each hour is one line."""
    (job,) = spread(lanes=1, plazas=1)
    lain: set[Path] = set()
    subject = run_plaza(
        replace(job, folder=tmp_path),
        lambda world_ms, vehicles: lain.update(tmp_path.rglob("*.db")),
    )
    assert {path.name for path in lain} >= {"plaza.db", "lane-001.db"}
    assert list(tmp_path.iterdir()) == []
    assert subject.result.vehicles > 20
    told = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in told] == ["hour 1"]
