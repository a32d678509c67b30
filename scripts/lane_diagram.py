"""Draw docs/lane-states.md from the lane core's tables; --check only compares."""

from __future__ import annotations

import sys
from collections import defaultdict
from enum import StrEnum
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from lane_controller.core.tables import (  # noqa: E402
    ALL_FACTS,
    STATES,
    TABLES,
    Go,
    Illegal,
    Machine,
)

TARGET = ROOT / "docs" / "lane-states.md"
HEAD = """\
# States of the lane

Drawn by `scripts/lane_diagram.py` from `lane_controller/core/tables.py`; do not edit by hand.
An arrow says which facts may lead from one state to the other. The joint rules of
`lane_controller/core/lane.py` and the orders of people move vehicles and boom besides: they are
not arrows here. A fact that leaves a machine where it is stands in the table only.
"""


def diagram(machine: Machine) -> list[str]:
    """Return the Mermaid lines of one machine."""
    arrows: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for fact in ALL_FACTS:
        for state, row in TABLES[machine][fact].items():
            if isinstance(row, Go):
                for target in sorted(row.to):
                    if target != state:
                        arrows[state.value, target.value].append(fact.__name__)
    first = next(iter(STATES[machine]))
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {first.value}"]
    for (state_from, state_to), facts in sorted(arrows.items()):
        lines.append(f"    {state_from} --> {state_to}: {', '.join(facts)}")
    return [*lines, "```"]


def cell(machine: Machine, state: StrEnum, fact: type) -> str:
    """Return what one pair does, in words."""
    row = TABLES[machine][fact][state]
    if isinstance(row, Go):
        targets = ", ".join(each.value for each in STATES[machine] if each in row.to)
        return f"`{row.handler.__module__.rpartition('.')[2]}.{row.handler.__name__}` → {targets}"
    if isinstance(row, Illegal):
        return f"**illegal**: {row.what}"
    return f"ignored: {row.reason}"


def pairs(machine: Machine) -> list[str]:
    """Return the table of all pairs of one machine; states that do the same share a row."""
    lines = ["| fact | in | what happens |", "|---|---|---|"]
    for fact in ALL_FACTS:
        groups: defaultdict[str, list[str]] = defaultdict(list)
        for state in STATES[machine]:
            groups[cell(machine, state, fact)].append(state.value)
        for what, states in groups.items():
            where = "every state" if len(states) == len(STATES[machine]) else ", ".join(states)
            lines.append(f"| {fact.__name__} | {where} | {what} |")
    return lines


def document() -> str:
    """Return the whole page."""
    parts = [HEAD]
    for machine in Machine:
        parts.append(f"## {machine.value}\n")
        kind = STATES[machine]
        parts.append("\n".join(f"- `{state.value}`" for state in kind) + "\n")
        parts.append("\n".join(diagram(machine)) + "\n")
        parts.append("\n".join(pairs(machine)) + "\n")
    return "\n".join(parts)


def main() -> None:
    """Write the page, or with --check compare it."""
    wanted = document()
    if "--check" not in sys.argv[1:]:
        TARGET.write_text(wanted, encoding="utf-8")
        return
    have = TARGET.read_text(encoding="utf-8") if TARGET.exists() else ""
    if have != wanted:
        print("docs/lane-states.md differs from the tables: run scripts/lane_diagram.py")
        sys.exit(1)


if __name__ == "__main__":
    main()
