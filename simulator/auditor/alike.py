"""Vehicles no lane can tell apart after a while in which it was blind.

A lane that comes back within ten seconds and finds what it saw last (loop 1 held, nothing under
the boom, boom down) takes the vehicle for the same (design.md section 4). Where another stands
there all the same, because the first rammed a boom that gave way and stood again, nothing in the
lane shows it: its driver is then asked for the toll of the one before.

So is the next driver where somebody had begun to pay and went backwards while loop 1 read held with
nobody on it: the lane keeps who has begun to pay, whatever plate it reads then.

And so is one whose plate neither camera nor tag tells, and whose tag is read as it comes onto loop
1 less than a second behind another.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from simulator.auditor.evidence import Blind, Evidence, Held
from simulator.plant.events import LogEntry, PlantEdge, What

SAME_US = 11_000_000
"""Ten seconds, and the start of a process."""
SIGHT_US = 150_000
"""An edge this fresh was not seen any more."""
BACK_US = 6_000_000
"""So long after it is back a lane may still take the one at the window for the one before: a
process starts, a module is asked again, and five seconds of doubt."""
GAP_US = 1_000_000
"""Loop 1 free for so long ends a presence."""
_COMES = frozenset({What.LOOP_1, What.AT_WINDOW})


def alike(seen: Evidence) -> Iterator[tuple[int, int]]:
    """Yield (vehicle, other vehicle) whose places were changed while a lane was blind."""
    lanes: dict[str, list[LogEntry]] = defaultdict(list)
    for entry in seen.plant_log:
        lanes[entry.lane].append(entry)
    for blind in seen.blind:
        if blind.until_us is None or blind.until_us - blind.from_us > SAME_US:
            continue
        pair = _changed_places(blind, lanes[blind.lane_id])
        if pair is not None:
            yield pair
    paid = {
        driver.vehicle_id
        for driver in seen.drivers
        if driver.backed_out and (driver.phone_fen or driver.cash_fen or driver.etc_fen)
    }
    for held in seen.held:
        yield from _kept_by_the_loop(held, lanes[held.lane_id], paid)
    nameless = {each.vehicle_id for each in seen.drivers if each.plate is None and each.etc_fen}
    for entries in lanes.values():
        yield from _nameless_behind(entries, nameless)


def _nameless_behind(entries: list[LogEntry], nameless: set[int]) -> Iterator[tuple[int, int]]:
    """Yield (who left loop 1, who came onto it within a second and whose tag names no plate)."""
    gone: tuple[int, int] | None = None
    for entry in entries:
        if not isinstance(entry, PlantEdge) or entry.what is not What.LOOP_1:
            continue
        if entry.vehicle_id is None:
            gone = None
        elif not entry.on:
            gone = entry.vehicle_id, entry.at_us
        elif gone is not None and entry.vehicle_id in nameless and entry.at_us - gone[1] < GAP_US:
            yield gone[0], entry.vehicle_id


def _kept_by_the_loop(
    held: Held, entries: list[LogEntry], paid: set[int]
) -> Iterator[tuple[int, int]]:
    """Yield (who left loop 1 with a payment begun, who came next) while it read held."""
    gone: int | None = None
    for entry in entries:
        if not isinstance(entry, PlantEdge) or entry.vehicle_id is None:
            continue
        if not held.from_us <= entry.at_us <= held.until_us + GAP_US:
            continue
        if entry.what is What.LOOP_1 and not entry.on:
            gone = entry.vehicle_id if entry.vehicle_id in paid else None
        elif entry.what in _COMES and entry.on and gone not in (None, entry.vehicle_id):
            yield gone, entry.vehicle_id
            gone = None


def _changed_places(blind: Blind, entries: list[LogEntry]) -> tuple[int, int] | None:
    assert blind.until_us is not None
    last_us = blind.from_us
    before, moving, after = None, False, None
    was_down = is_down = True
    for entry in entries:
        if not isinstance(entry, PlantEdge) or entry.at_us > blind.until_us + BACK_US:
            continue
        if entry.what is What.BOOM_DOWN:
            # Its switch, last seen and seen again: between the two it may have hung or been up.
            is_down = entry.on if entry.at_us <= blind.until_us else is_down
            was_down = entry.on if entry.at_us <= last_us else was_down
        elif entry.vehicle_id is None:
            continue
        elif entry.what in _COMES and entry.on:
            if entry.at_us <= last_us:
                before, moving = entry.vehicle_id, False
            after = entry.vehicle_id
        elif entry.what is What.LOOP_2 and entry.vehicle_id == before:
            moving = moving or entry.at_us <= last_us - SIGHT_US
    if before is None or after is None or before == after:
        return None
    if moving or not (was_down and is_down):
        return None  # The lane could see that something had happened.
    return before, after
