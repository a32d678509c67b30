"""The verdict: every check of design.md section 5 by its name; one that is not built says null,
never 0."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from simulator.auditor import availability, barrier, money
from simulator.auditor.evidence import Evidence

Check = Callable[[Evidence], Iterator[str]]

CHECKS: dict[str, Check | None] = {
    "M1": money.m1_legs,
    "M2": money.m2_ends,
    "M3": money.m3_survives,
    "M4": money.m4_unknown,
    "M5": money.m5_ledger,
    "M6": money.m6_chain,
    "M7": money.m7_codes,
    "B1": barrier.b1_no_touch,
    "B2": barrier.b2_authorised,
    "B3": barrier.b3_quiet_start,
    "B4": barrier.b4_raise_wins,
    "A1": barrier.a1_nobody_stuck,
    "A2": availability.a2_visible,
    "A3": availability.a3_bounded,
}
"""In the order they are printed. None: not built yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One breach of one rule."""

    rule: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the auditor found."""

    findings: tuple[Finding, ...]

    @property
    def clean(self) -> bool:
        """Return whether no rule was broken."""
        return not self.findings

    @property
    def violations(self) -> dict[str, int | None]:
        """Return how often each rule was broken; null for a check that is not built."""
        counts: dict[str, int | None] = {
            rule: (0 if check is not None else None) for rule, check in CHECKS.items()
        }
        for finding in self.findings:
            counts[finding.rule] = (counts[finding.rule] or 0) + 1
        return counts


def audit(seen: Evidence) -> Verdict:
    """Return the verdict on one run."""
    findings = [
        Finding(rule=rule, what=what)
        for rule, check in CHECKS.items()
        if check is not None
        for what in check(seen)
    ]
    return Verdict(findings=tuple(findings))
