"""Plants a known bug in a process of the stack before its ``main`` runs.

The bugs are those of the virtual world (``simulator.canaries``): one production function is
replaced from outside. The plan is a file with one JSON object, ``{"canary": NAME}``; without it the
process is as it is. This module is loaded in the processes that become lane and plaza, never in the
one that judges.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

CANARIES = "simulator.canaries"
_planted: list[Any] = []
"""A bug stays as long as its context manager is kept."""


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
