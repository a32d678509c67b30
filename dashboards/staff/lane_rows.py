"""A lane's state as one row of the wall: only codes and figures, words are the page's."""

from __future__ import annotations

from typing import Any

from tolling.devices import Health
from tolling.inputs import Point, Reading
from tolling.messages import LaneSnapshot, PassageView

AT_ENTRY = frozenset({"unsure", "identifying", "priced"})
"""Phases of the arriving vehicle before its toll is shown; later ones are at the scan window."""
WORKING = frozenset({Health.OK.value, Health.ASSUMED.value})


def lane_row(snapshot: LaneSnapshot, *, heard_ms: int) -> dict[str, Any]:
    """Return the row of one lane.

    Args:   heard_ms: when its state was made, on the feed's clock.
    """
    arriving = snapshot.arriving
    devices = snapshot.devices
    return {
        "heard_ms": heard_ms,
        "mode": snapshot.mode,
        "attended": snapshot.attended,
        "green": snapshot.lane_green,
        "zones": _zones(snapshot),
        "boom": boom_seen(snapshot),
        "car": _car(arriving or snapshot.leaving),
        "devices_ok": sum(1 for health in devices.values() if health in WORKING),
        "devices_all": len(devices),
        "devices_bad": sorted(name for name, health in devices.items() if health not in WORKING),
        "degraded": [mode.name.value for mode in snapshot.degraded],
        "alarms": list(snapshot.alarms),
        "unsent": snapshot.unsent_records,
        "passages": snapshot.passages_total,
    }


def boom_seen(snapshot: LaneSnapshot) -> str:
    """Return where the limit switches say the boom is: up, down, raising, lowering, between or
    unknown.

    The commanded direction only names the way between two limits that both read off.
    """
    up = snapshot.inputs.get(Point.BOOM_UP.value, Reading.UNKNOWN)
    down = snapshot.inputs.get(Point.BOOM_DOWN.value, Reading.UNKNOWN)
    if Reading.UNKNOWN in (up, down) or up is down is Reading.ON:
        return "unknown"
    if up is Reading.ON:
        return "up"
    if down is Reading.ON:
        return "down"
    return snapshot.barrier if snapshot.barrier in {"raising", "lowering"} else "between"


def _zones(snapshot: LaneSnapshot) -> list[str]:
    """Return the three zones in driving direction: full, free or unknown."""
    loop_1 = snapshot.inputs.get(Point.LOOP_1.value, Reading.UNKNOWN)
    loop_2 = snapshot.inputs.get(Point.LOOP_2.value, Reading.UNKNOWN)
    arriving = snapshot.arriving
    at_entry = arriving is None or arriving.phase in AT_ENTRY
    window = _zone(loop_1, arriving is not None)
    entry, scan = (window, "free") if at_entry else ("free", window)
    if window == "unknown":
        entry = scan = "unknown"
    return [entry, scan, _zone(loop_2, snapshot.leaving is not None)]


def _zone(reading: Reading, vehicle: bool) -> str:
    if reading is Reading.UNKNOWN:
        return "unknown"
    return "full" if vehicle or reading is Reading.ON else "free"


def _car(passage: PassageView | None) -> dict[str, Any] | None:
    if passage is None:
        return None
    return {
        "passage_id": passage.passage_id,
        "plate": passage.plate,
        "class": None if passage.vehicle_class is None else int(passage.vehicle_class),
        "kind": passage.vehicle_kind.name.lower(),
        "toll_fen": passage.toll_fen,
        "phase": "awaits_entry" if passage.awaits_entry else passage.phase,
        "order": None if passage.order_state is None else passage.order_state.value,
        "reason": None if passage.order_reason is None else passage.order_reason.value,
        "since_ms": passage.since_ms,
    }
