"""One world written down whole, so that it stays what it was when other seeds draw other faults.

A regression is a file of TOML: what the bug was in one line, the seed (it feeds every stream of
chance), and the world as canonical JSON. The command that drew it stands beside it for people.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path

from simulator.fuzz.plan import describe, plan
from simulator.fuzz.run import SeedJob
from simulator.fuzz.shrink import command_of
from simulator.world.build import WorldConfig
from tolling.canonical import canonical_bytes, from_canonical
from tolling.errors import BadInputError


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
