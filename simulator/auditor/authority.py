"""Part of B2: whom a person let through. Judged by the orders as they were given, each with the
passage it named and the vehicle that stood before that person's eyes, and by who drove through.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from simulator.auditor.evidence import Evidence, Ordered
from simulator.auditor.money import bodies
from simulator.plant.events import Passage


def b2_by_person(seen: Evidence) -> Iterator[str]:
    """Yield records of vehicles a person let through, and no person ever ordered so."""
    if seen.ordered is None:
        return
    named: dict[str, list[Ordered]] = defaultdict(list)
    for order in seen.ordered:
        if order.passage_id is not None:
            named[order.passage_id].append(order)
    through: dict[int, int] = {
        entry.vehicle_id: entry.tail_us for entry in seen.plant_log if isinstance(entry, Passage)
    }
    for record, body in bodies(seen.lane_records):
        if body["authorised_by"] != "attendant":
            continue
        name, orders = f"record {record.lane_id}/{record.seq}", named[str(body["passage_id"])]
        if not orders:
            yield f"{name}: let through by a person, and no order names its passage"
        elif body["end"] == "passed" and not _went(orders, through):
            who = ", ".join(str(order.vehicle_id) for order in orders)
            yield f"{name}: a person let vehicle {who} through, and another went"


def _went(orders: list[Ordered], through: dict[int, int]) -> bool:
    """Return whether one of the vehicles that were meant went through after its order."""
    if any(order.vehicle_id is None for order in orders):
        return True  # Nobody stood at the window yet: it was rolling up.
    return any(
        through.get(order.vehicle_id, -1) >= order.at_us
        for order in orders
        if order.vehicle_id is not None
    )
