"""A seed's run told whole: its make-up, what happened, which rules it broke."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simulator.fuzz.plan import describe, plan
from simulator.fuzz.run import SeedJob, SeedResult, run_config
from simulator.fuzz.telling import Telling
from simulator.world.world import World

LINES_MAX = 160
HEAD_LINES = 30
"""Of a longer run the first lines and the last ones are told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A run told."""

    lines: tuple[str, ...]
    result: SeedResult


def tell(job: SeedJob) -> Story:
    """Run a seed once more and tell what happens in it."""
    config = plan(job.seed, job.picks)
    tellings: list[Telling] = []

    def on_built(world: World) -> None:
        tellings.append(Telling(world))

    result = run_config(job.seed, config, canary=job.canary, on_built=on_built)
    lines = _bounded(tellings[0].lines())
    return Story(lines=(*describe(config), *lines, *_ends(result)), result=result)


def _bounded(lines: Sequence[str]) -> Sequence[str]:
    if len(lines) <= LINES_MAX:
        return lines
    left_out = len(lines) - LINES_MAX
    gap = f"            ... {left_out} lines left out ..."
    return [*lines[:HEAD_LINES], gap, *lines[HEAD_LINES + left_out :]]


def _ends(result: SeedResult) -> list[str]:
    return [f"BROKEN  {finding}" for finding in result.findings]
