"""A lane whose journal cannot grow (A3): who is in it ends the passage, and nobody else begins one.

What the lane itself says of it, once a second and at every change, has to agree with that: it is
closing while somebody is in it, and closed when nobody is. Whoever drives into a closed lane is
held for a person from the first moment on. And whoever was in it when it said so has a record in
its journal at the end, unless the lane died meanwhile: what could not be stored died with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from simulator.auditor.evidence import Evidence, Tapped

MODE = "disk_full"
_NAMED = f'"name":"{MODE}"'
OPEN, CLOSING, CLOSED = "open", "closing", "closed"
HELD = "held"
"""A vehicle for which nothing is done until a person says what."""
US_PER_MS = 1_000


def full_disk(seen: Evidence) -> Iterator[str]:
    """Yield lanes that go on as if there were room, and passages that were begun and are lost."""
    present: dict[tuple[str, str], int] = {}
    for tapped, body in _states(seen.tapped):
        lane_id = str(body.get("lane_id"))
        for what in _as_if_there_were_room(body):
            yield f"lane {lane_id} has a full disk and {what} at {tapped.at_us} us"
        if body.get("mode") != CLOSED:
            for here in (body.get("arriving"), body.get("leaving")):
                if here is not None:
                    present.setdefault((lane_id, str(here["passage_id"])), tapped.at_us)
    yield from _unrecorded(seen, present)


def _states(tapped: tuple[Tapped, ...]) -> Iterator[tuple[Tapped, dict[str, Any]]]:
    for each in tapped:
        if _NAMED in each.text and each.channel.endswith("/state"):
            yield each, json.loads(each.text)


def _as_if_there_were_room(body: dict[str, Any]) -> Iterator[str]:
    mode, arriving, leaving = body.get("mode"), body.get("arriving"), body.get("leaving")
    if mode == OPEN:
        yield "is open"
    if mode == CLOSING and arriving is None and leaving is None:
        yield "does not close with nobody in it"
    # Nobody can have ordered anything yet for one that came at this moment.
    comes = arriving if arriving is not None and arriving["since_ms"] == 0 else None
    if mode == CLOSED and comes is not None and comes["phase"] != HELD:
        yield f"begins passage {comes['passage_id']}"


def _unrecorded(seen: Evidence, present: dict[tuple[str, str], int]) -> Iterator[str]:
    """Yield passages that were under way as their lane's disk was full and have no record."""
    if not seen.at_rest or not present:
        return
    ends = [(blind.lane_id, blind.from_us) for blind in seen.blind if blind.dead]
    ends += [(start.lane_id or "", start.at_us) for start in seen.restarts]
    for (lane_id, passage_id), at_us in sorted(present.items()):
        died = any(lane == lane_id and died_us >= at_us for lane, died_us in ends)
        named = f'"{passage_id}"'
        if not died and not any(named in each.body for each in seen.lane_records):
            yield f"lane {lane_id}: passage {passage_id} was in it, and has no record"
