"""One world written down whole, so that it stays what it was when other seeds draw other faults.

A regression is a file of TOML: what the bug was in one line, the seed (it feeds every stream of
chance), and the world as canonical JSON. The command that drew it stands beside it for people. The
same world as a scenario is a file of YAML that people read and change; a world that scenarios
cannot say is refused there, never written as another one.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

from simulator.auditor import CHECKS
from simulator.fuzz.plan import describe, plan
from simulator.fuzz.run import SeedJob
from simulator.fuzz.shrink import command_of
from simulator.scenarios.expectations import Expectations
from simulator.scenarios.nodes import BadScenarioError
from simulator.scenarios.scenario import canonical, from_config, read_scenario
from simulator.world.build import WorldConfig
from tolling.canonical import canonical_bytes, from_canonical
from tolling.errors import BadInputError

SCENARIO_SUFFIXES = (".yaml", ".yml")
REGRESSION_SUFFIX = ".toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Regression:
    """One bug that was found."""

    what: str
    """What it was, in one line."""
    rule: str
    """The rule it broke."""
    seed: int
    command: str
    """What drew the world when it was found."""
    world: WorldConfig


def regression_text(job: SeedJob, *, what: str, rule: str) -> str:
    """Return the file of a failing job."""
    return regression_file(
        what=what,
        rule=rule,
        seed=job.seed,
        command=command_of(job),
        config=plan(job.seed, job.picks),
    )


def regression_file(*, what: str, rule: str, seed: int, command: str, config: WorldConfig) -> str:
    """Return the file of one world."""
    lines = [f"# {line}" for line in describe(config)]
    facts = {"what": what, "rule": rule, "seed": seed, "command": command}
    # A JSON text or number is a TOML one as well.
    lines += [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in facts.items()]
    body = canonical_bytes(config).decode("utf-8")
    assert "'" not in body, "a literal TOML text holds no apostrophe"
    return "\n".join([*lines, f"world = '{body}'", ""])


def scenario_text(job: SeedJob, *, what: str, rule: str) -> str:
    """Return a failing job as a scenario that expects its rule to hold.

    Raises: BadInputError: see ``scenario_file``.
    """
    command = command_of(job)
    heading = [f"drawn by: {command}"]
    if job.canary is not None:
        heading.append(f"not in this file: the planted bug {job.canary}, without which it passes")
    config = plan(job.seed, job.picks)
    return scenario_file(what=what, rule=rule, seed=job.seed, heading=heading, config=config)


def scenario_file(
    *, what: str, rule: str, seed: int, heading: list[str], config: WorldConfig
) -> str:
    """Return the scenario of one world; its run has the trace of the world itself.

    Args:   heading: comments of the file.
    Raises: BadInputError: the world holds something the grammar of scenarios cannot say.
    """
    # LIVENESS and CRASH are no rules of the auditor: whoever expects nothing else expects of every
    # run that all leave, that it comes to rest and that it ends.
    expected = Expectations(violations={rule: 0} if rule in CHECKS else {})
    text = from_config(
        seed,
        config,
        [f"{rule}: {what}"],
        name=f"seed-{seed}-{rule.lower()}",
        shows_en=f"What made seed {seed} break {rule}, made smaller.",
        heading=[*heading, *describe(config)],
        expected=expected,
    )
    try:
        read = canonical(read_scenario(text).config)
    except BadScenarioError as error:
        raise _unsaid("; ".join(problem.what for problem in error.problems)) from error
    wanted = canonical(config)
    lost = [f.name for f in fields(config) if getattr(read, f.name) != getattr(wanted, f.name)]
    if lost:
        raise _unsaid(f"it would be read back with other {', '.join(lost)}")
    return text


def _unsaid(why: str) -> BadInputError:
    what = f"this world cannot be said in a scenario: {why}"
    return BadInputError(where="scenario", what=what, do=f"keep it whole as {REGRESSION_SUFFIX}")


def read_regression(path: Path) -> Regression:
    """Return what a file says.

    Raises: BadInputError: it is no such file; it says where and why.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
        return Regression(
            what=found["what"],
            rule=found["rule"],
            seed=found["seed"],
            command=found["command"],
            world=from_canonical(WorldConfig, found["world"].encode("utf-8")),
        )
    except (tomllib.TOMLDecodeError, KeyError, UnicodeDecodeError) as error:
        what = f"{type(error).__name__}: {error}"
        raise BadInputError(where=path.name, what=what) from error
