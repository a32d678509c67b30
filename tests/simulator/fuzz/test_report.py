"""Sums over seeds."""

from simulator.auditor import CHECKS
from simulator.fuzz.report import Totals
from simulator.fuzz.run import CRASH, LIVENESS, SeedResult


def result(seed: int, **counts: int | None) -> SeedResult:
    """Return one seed's result with these violations."""
    violations: dict[str, int | None] = {
        rule: 0 if check is not None else None for rule, check in CHECKS.items()
    }
    violations |= {LIVENESS: 0, CRASH: 0, **counts}
    return SeedResult(
        seed=seed,
        vehicles=20,
        violations=violations,
        findings=tuple(f"{rule}: it broke" for rule, count in counts.items() if count),
        fault_kinds=("kill",) if seed % 2 else ("line_cut",),
        pairs=frozenset({f"order.sent.{seed}"}),
        trace_hash=f"{seed:032x}",
        world_ns=10**9,
        cpu_ns=2 * 10**9,
    )


def test_the_last_line_has_its_names_and_every_rule() -> None:
    """Exactly the names scripts read, and null for what no seed was judged by."""
    subject = Totals()
    for seed in (1, 2):
        subject.add(result(seed))
    figures = subject.as_dict()
    assert list(figures)[:8] == [
        "seeds",
        "vehicles",
        "vehicles_per_s",
        "violations",
        "failing_seeds",
        "fault_kinds",
        "pairs_reached",
        "trace_hash",
    ]
    assert set(figures["violations"]) == {*CHECKS, LIVENESS, CRASH}
    assert (figures["seeds"], figures["vehicles"], figures["pairs_reached"]) == (2, 40, 2)
    assert figures["vehicles_per_s"] == 10.0
    assert figures["fault_kinds"] == ["kill", "line_cut"]
    assert figures["failing_seeds"] == []


def test_violations_add_up_and_unjudged_ones_stay_null() -> None:
    """A seed that broke off was judged by no check; others still count."""
    subject = Totals()
    broke_off = dict.fromkeys(CHECKS)
    subject.add(result(1, **broke_off, CRASH=1))
    assert subject.as_dict()["violations"]["M1"] is None
    subject.add(result(2, M1=3, M2=1))
    subject.add(result(3, M1=2))
    figures = subject.as_dict()
    assert (figures["violations"]["M1"], figures["violations"]["CRASH"]) == (5, 1)
    assert figures["failing_seeds"] == [1, 2, 3]
    assert subject.rules() == {"CRASH": 1, "M1": 2, "M2": 1}


def test_the_trace_hash_is_over_the_seeds_in_their_order() -> None:
    """Other seeds, or another order, have another one."""
    hashes = []
    for seeds in ((1, 2), (1, 2), (2, 1), (1,), ()):
        subject = Totals()
        for seed in seeds:
            subject.add(result(seed))
        hashes.append(subject.as_dict()["trace_hash"])
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 4
