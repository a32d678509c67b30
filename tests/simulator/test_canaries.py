"""Planted bugs: each is found by the auditor, and is gone when the canary is."""

import pytest

from simulator.auditor import audit
from simulator.canaries import CANARIES, planted
from simulator.world.build import build_world, run_world

pytestmark = pytest.mark.simulation
SEEDS = range(1, 6)


@pytest.mark.parametrize("name", sorted(CANARIES))
def test_a_planted_bug_is_found_within_a_few_seeds_and_only_while_it_is_there(name: str) -> None:
    """The same worlds are clean without the bug; with it a rule it names is broken."""
    canary = CANARIES[name]
    assert canary.what
    for seed in SEEDS:
        clean = run_world(build_world(seed, canary.world(seed)))
        assert clean.at_rest
        assert audit(clean.evidence).findings == ()
        with planted(name):
            bad = run_world(build_world(seed, canary.world(seed)))
        broken = {finding.rule for finding in audit(bad.evidence).findings}
        if broken & canary.rules:
            return
    pytest.fail(f"{name} was not found in {len(SEEDS)} seeds")
