"""One seed, one run, one small result that can cross a process boundary."""

from __future__ import annotations

import contextlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from simulator.auditor import CHECKS, audit
from simulator.canaries import planted
from simulator.fuzz.pairs import collected
from simulator.fuzz.plan import ALL, BadPicksError, Picks, plan
from simulator.world.build import WorldConfig, WorldResult, build_world, run_world
from simulator.world.world import World
from tolling.alarms import AlarmCode

LIVENESS = "LIVENESS"
"""Faults are over and something does not end."""
CRASH = "CRASH"
"""An exception in the world, or an assertion that failed in a lane's program."""
FINDINGS_KEPT = 8
FINDING_CHARS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedJob:
    """One seed to run."""

    seed: int
    picks: Picks = ALL
    canary: str | None = None
    """A known bug that is planted for this run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedResult:
    """What came of one seed."""

    seed: int
    vehicles: int
    violations: dict[str, int | None]
    """Rule -> how often it was broken; null for a check that is not built."""
    findings: tuple[str, ...]
    """The first of them, each as ``rule: what``."""
    fault_kinds: tuple[str, ...]
    pairs: frozenset[str]
    """(state, event) pairs of lane core and order table that were looked up."""
    trace_hash: str
    """Empty where the world could not even be drawn."""
    world_ns: int
    cpu_ns: int

    @property
    def broken(self) -> frozenset[str]:
        """Return the rules that were broken."""
        return frozenset(rule for rule, count in self.violations.items() if count)


def run_seed(job: SeedJob, *, debug: bool = False) -> SeedResult:
    """Run one seed and judge it.

    Args:   debug: let an exception of the world through with its trace.
    """
    try:
        config = plan(job.seed, job.picks)
    except BadPicksError:
        raise
    except Exception as error:
        if debug:
            raise
        return _unplanned(job.seed, error)
    return run_config(job.seed, config, canary=job.canary, debug=debug)


def _unplanned(seed: int, error: Exception) -> SeedResult:
    """Return the result of a seed whose world could not even be drawn."""
    findings = [(CRASH, f"the world cannot be drawn: {_last_line(error)}")]
    return SeedResult(
        seed=seed,
        vehicles=0,
        violations=_counted(findings, judged=False),
        findings=tuple(f"{rule}: {what}"[:FINDING_CHARS] for rule, what in findings),
        fault_kinds=(),
        pairs=frozenset(),
        trace_hash="",
        world_ns=0,
        cpu_ns=0,
    )


def _last_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


def run_config(
    seed: int,
    config: WorldConfig,
    *,
    canary: str | None = None,
    debug: bool = False,
    on_built: Callable[[World], None] | None = None,
) -> SeedResult:
    """Run one world and judge it. *on_built* gets it before it starts, to read along."""
    began_ns = time.process_time_ns()
    with _planted(canary), collected() as pairs:
        world = build_world(seed, config)
        if on_built is not None:
            on_built(world)
        result: WorldResult | None = None
        try:
            result = run_world(world)
        except Exception as error:
            # Whatever breaks a world is a finding.
            if debug:
                raise
            findings = [(CRASH, f"the world broke off: {_last_line(error)}")]
        else:
            findings = _findings(world, result)
    _close(world)
    return SeedResult(
        seed=seed,
        vehicles=0 if result is None else result.vehicles,
        violations=_counted(findings, judged=result is not None),
        findings=tuple(f"{rule}: {what}"[:FINDING_CHARS] for rule, what in findings)[
            :FINDINGS_KEPT
        ],
        fault_kinds=tuple(sorted(world.fault_kinds)),
        pairs=frozenset(pairs),
        trace_hash=world.heap.trace_hash,
        world_ns=world.heap.now_ns,
        cpu_ns=time.process_time_ns() - began_ns,
    )


@contextlib.contextmanager
def _planted(canary: str | None) -> Iterator[None]:
    if canary is None:
        yield
        return
    with planted(canary):
        yield


def _findings(world: World, result: WorldResult) -> list[tuple[str, str]]:
    found = [(finding.rule, finding.what) for finding in audit(result.evidence).findings]
    found += [(LIVENESS, what) for what in _unended(world, result)]
    found += [(CRASH, what) for what in _faults_caught(world)]
    return found


def _counted(findings: list[tuple[str, str]], *, judged: bool) -> dict[str, int | None]:
    """Return findings by rule; a world that broke off was judged by no check."""
    counts: dict[str, int | None] = {
        rule: 0 if judged and check is not None else None for rule, check in CHECKS.items()
    }
    counts |= {LIVENESS: 0 if judged else None, CRASH: 0}
    for rule, count in Counter(rule for rule, _ in findings).items():
        counts[rule] = count
    return counts


def _unended(world: World, result: WorldResult) -> Iterator[str]:
    """Yield what has not ended though every fault is over."""
    standing = len(world.site.cars) - result.vehicles
    if standing:
        yield f"{standing} vehicles are still in the lanes"
    if result.open_orders:
        yield f"{result.open_orders} orders are still open"
    if result.unsent_records:
        yield f"{result.unsent_records} records are not at the plaza"
    if not result.at_rest and not (standing or result.open_orders or result.unsent_records):
        yield "lanes and plaza do not come to rest"


def _faults_caught(world: World) -> Iterator[str]:
    """Yield every assertion that failed in a lane's core: its engine caught it, and told."""
    for tap in world.tap.seen:
        if f'"{AlarmCode.CORE_FAULT}"' not in tap.text or not tap.channel.endswith("/alarm"):
            continue
        notice = json.loads(tap.text)
        if notice["code"] == AlarmCode.CORE_FAULT and notice["raised"]:
            yield f"lane {notice['lane_id']} caught a fault of its own: {notice['what']}"


def _close(world: World) -> None:
    """Close the run's databases: a process runs thousands of seeds."""
    for journal in world.journals.values():
        journal.dispose()
    world.plaza_store.engine.dispose()
