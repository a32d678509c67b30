"""Plants a known bug in a process of the stack before its ``main`` runs.

The bugs are those of the virtual world (``simulator.canaries``): one production function is
replaced from outside. The plan is a file with one JSON object, ``{"canary": NAME}``; without it the
process is as it is. This module is loaded in the processes that become lane and plaza, never in the
one that judges.
"""

from __future__ import annotations

import importlib
import json
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

CANARIES = "simulator.canaries"
_planted: list[Any] = []
"""A bug stays as long as its context manager is kept."""


def known() -> tuple[str, ...]:
    """Return the names of all bugs, read from the table of their first seeds: loading the bugs
    would load lane and plaza."""
    table = files("simulator") / "canaries" / "found.toml"
    return tuple(sorted(tomllib.loads(table.read_text(encoding="utf-8"))["first_seed"]))


def plant(module: str, plan: Path) -> None:
    """Plant what *plan* names, if it is there. *module*: whose process this is; a bug of another
    program does no harm."""
    del module
    if not plan.exists():
        return
    name = json.loads(plan.read_text())["canary"]
    known = importlib.import_module(CANARIES).CANARIES
    if name not in known:
        raise SystemExit(f"there is no canary {name}; there are {', '.join(sorted(known))}")
    bug = known[name].plant()
    bug.__enter__()
    _planted.append(bug)
