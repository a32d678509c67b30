"""Part of B3: no output stays closed for longer than it may.

A contact that moves the boom is closed for a moment. A lane that dies meanwhile cannot open it:
whoever starts again reads its outputs first and opens those that read closed. Nor can one whose
module takes no command. Both are given their while, and a moment to begin; so is the next fault
that strikes within that moment.
"""

from __future__ import annotations

from collections.abc import Iterator

from simulator.auditor.evidence import Blind, Evidence
from simulator.plant.events import Contact, Lamp
from tolling.inputs import Output

LONGEST_US = {
    Output.RAISE: 2_000_000,
    Output.LOWER: 2_000_000,
    Output.ALARM: 60_000_000,
}
"""Barriers want 0.2 to 1 s; a lane file may ask for 2 s at most. The alarm is for people near the
lane: nobody hears it after a minute."""
BEGINS_US = 1_000_000
"""So long after its process or its module is there again a lane has looked at its outputs. It takes
half a second to begin, and a poll 0.1 s."""


def b3_longest_on(seen: Evidence) -> Iterator[str]:
    """Yield outputs that were on for longer than they may be. On wires nobody writes down when a
    lane was dead or its module cut off, so there this is not judged."""
    if seen.hindered is None:
        return
    since_us: dict[tuple[str, Output], int] = {}
    which: tuple[str, Output]
    over_us = 0
    for entry in seen.plant_log:
        over_us = entry.at_us
        if isinstance(entry, Contact):
            on = entry.closed
        elif isinstance(entry, Lamp) and entry.output in LONGEST_US:
            on = entry.on
        else:
            continue
        which = (entry.lane, entry.output)
        if on:
            since_us.setdefault(which, entry.at_us)
        elif which in since_us:
            yield from _too_long(seen, which, since_us.pop(which), entry.at_us)
    if seen.tapped:
        over_us = max(over_us, seen.tapped[-1].at_us)
    for which, on_us in sorted(since_us.items()):
        yield from _too_long(seen, which, on_us, over_us)


def _too_long(seen: Evidence, which: tuple[str, Output], on_us: int, off_us: int) -> Iterator[str]:
    lane, output = which
    if off_us - on_us <= LONGEST_US[output]:
        return
    due_us = _due_us(on_us + LONGEST_US[output], [b for b in seen.blind if b.lane_id == lane])
    if due_us is not None and off_us > due_us:
        yield f"lane {lane}: {output} was on from {on_us} us to {off_us} us"


def _due_us(due_us: int, spans: list[Blind]) -> int | None:
    """Return when an output that is due off must be, where nobody could switch it meanwhile; None:
    never."""
    for blind in sorted(spans, key=lambda each: each.from_us):
        if blind.from_us > due_us:
            break
        if blind.until_us is None:
            return None
        due_us = max(due_us, blind.until_us + BEGINS_US)
    return due_us
