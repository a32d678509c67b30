"""Two hundred whole plazas, each with its own drivers, platform and faults: no rule is broken.

TOLL_FUZZ_SEEDS=A..B takes other seeds, TOLL_FUZZ_JOBS=N other than two processes. Fewer than two
hundred leave more pairs unreached than the list explains.
"""

import os

import pytest

from simulator.fuzz.excuses import reason_of, told_of
from simulator.fuzz.pairs import all_pairs
from simulator.fuzz.report import Totals
from simulator.fuzz.run import SeedJob, run_seed
from simulator.fuzz.shrink import command_of
from simulator.pool import run_all

pytestmark = [pytest.mark.seeds, pytest.mark.timeout(3600)]
SEEDS = os.environ.get("TOLL_FUZZ_SEEDS", "1..200")
WORKERS = int(os.environ.get("TOLL_FUZZ_JOBS", "2"))


@pytest.fixture(scope="module")
def totals() -> Totals:
    """Return what all the seeds came to."""
    first, _, last = SEEDS.partition("..")
    jobs = [SeedJob(seed=seed) for seed in range(int(first), int(last or first) + 1)]
    sums = Totals()
    for result in run_all(jobs, run_seed, workers=WORKERS):
        sums.add(result)
    return sums


def test_no_seed_breaks_a_rule(totals: Totals) -> None:
    """Every check that is built says 0 for every seed; each failing one is told as a command."""
    failing = [
        f"{command_of(SeedJob(seed=result.seed))}: {result.findings[0]}"
        for result in totals.failing
    ]
    assert failing == []


def test_the_faults_are_not_too_tame(totals: Totals) -> None:
    """Kills, disks, lines, clocks, the platform and every device fail somewhere in these seeds."""
    kinds = totals.fault_kinds
    assert len(kinds) >= 30
    for family in (
        "kill",
        "commit_",
        "line_",
        "clock_",
        "platform_",
        "io_",
        "scanner_",
        "display_",
    ):
        assert any(kind.startswith(family) for kind in kinds), family


def test_no_pair_is_excused_that_is_reached(totals: Totals) -> None:
    """The list of never-reached pairs is true: none of it is reached by these seeds."""
    assert totals.pairs <= all_pairs()
    assert sorted(pair for pair in totals.pairs if reason_of(pair)) == []


def test_every_pair_that_is_not_reached_has_its_reason(totals: Totals) -> None:
    """Whoever adds a state or an event adds what brings a vehicle to it, or says why none comes."""
    unreached = all_pairs() - totals.pairs
    assert sorted(pair for pair in unreached if told_of(pair) is None) == []
