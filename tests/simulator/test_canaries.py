"""Planted bugs: each is found by the auditor, and is gone when the canary is."""

from pathlib import Path

import pytest

from simulator.canaries import CANARIES, SEEDS_MAX, found_at
from simulator.fuzz.run import SeedJob, run_config, run_seed

pytestmark = pytest.mark.simulation
SEEDS = range(1, 6)
ROOT = Path(__file__).parents[2]


def test_there_are_at_least_twelve_and_each_says_what_it_is() -> None:
    """A canary is one sentence, and names the rules it breaks."""
    assert len(CANARIES) >= 12
    for canary in CANARIES.values():
        assert canary.what.endswith("."), canary.name
        assert canary.rules, canary.name


def test_the_docs_name_every_one() -> None:
    """Who reads how the claims are tested finds every planted bug by the rule that finds it."""
    text = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
    assert [name for name in CANARIES if f"`{name}`" not in text] == []


@pytest.mark.parametrize("name", sorted(CANARIES))
def test_a_planted_bug_is_found_within_a_few_seeds_and_only_while_it_is_there(name: str) -> None:
    """The same worlds are clean without the bug; with it a rule it names is broken."""
    canary = CANARIES[name]
    for seed in SEEDS:
        clean = run_config(seed, canary.world(seed))
        assert clean.findings == ()
        if run_config(seed, canary.world(seed), canary=name).broken & canary.rules:
            return
    pytest.fail(f"{name} was not found in {len(SEEDS)} seeds")


def test_the_first_seed_that_found_each_is_noted_and_within_bounds() -> None:
    """Every canary was met by a default seed, none later than the bound."""
    subject = found_at()
    assert subject.keys() == CANARIES.keys()
    assert all(1 <= seed <= SEEDS_MAX for seed in subject.values())


@pytest.mark.parametrize("name", sorted(CANARIES))
def test_default_seeds_find_every_canary(name: str) -> None:
    """The noted seed breaks a rule the canary names; where seeds have shifted, another does."""
    noted = found_at()[name]
    for seed in (noted, *(each for each in range(1, SEEDS_MAX + 1) if each != noted)):
        if run_seed(SeedJob(seed=seed, canary=name)).broken & CANARIES[name].rules:
            return
    pytest.fail(f"{name} was not found in {SEEDS_MAX} default seeds")
