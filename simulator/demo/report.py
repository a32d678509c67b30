"""The closing line of a judged run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from simulator.auditor import Verdict
from simulator.demo.files import Layout
from simulator.stack.evidence import Outside, by_tender, rows

P99_FROM = 200
"""Fewer samples give no p99."""
_OPEN = (
    "SELECT count(*) AS n FROM orders"
    " WHERE state IN ('created', 'sent', 'waiting', 'unknown', 'closing')"
)
_UNSENT = (
    "SELECT count(*) AS n FROM records r WHERE r.seq >"
    " coalesce((SELECT u.seq FROM uploads u WHERE u.epoch = r.epoch), 0)"
)
_UNSEALED = "SELECT count(*) AS n FROM unsealed"
_PLATFORM = (
    "SELECT captured_ms - sent_ms AS ms FROM orders"
    " WHERE captured_ms IS NOT NULL AND sent_ms IS NOT NULL ORDER BY ms"
)
_BODIES = "SELECT body FROM records"


def summary(layout: Layout, outside: Outside, verdict: Verdict) -> dict[str, Any]:
    """Return the figures of a run that has ended, as printed."""
    timings = [timing for timing in outside.timings if timing["straight"]]
    raise_ms = [_ms(timing["scan_to_raise_us"]) for timing in timings]
    up_ms = [_ms(timing["scan_to_boom_up_us"]) for timing in timings]
    platform = [row["ms"] for row in rows(layout.plaza_store, _PLATFORM)]
    return {
        "vehicles": sum(1 for driver in outside.drivers if driver.gone),
        "by_tender": by_tender(row["body"] for row in rows(layout.plaza_store, _BODIES)),
        "scan_to_raise_ms": {"p50": percentile(raise_ms, 50), "p99": percentile(raise_ms, 99)},
        "scan_to_boom_up_ms": {"p50": percentile(up_ms, 50), "p99": percentile(up_ms, 99)},
        "platform_ms": {"p50": percentile(platform, 50)},
        "unsent_records": sum(unsent(layout, lane) for lane in layout.lanes),
        "open_orders": int(rows(layout.plaza_store, _OPEN)[0]["n"]),
        "violations": verdict.violations,
    }


def failed(figures: dict[str, Any], *, wanted: int) -> str | None:
    """Return why a run is no good, None where it is."""
    broken = {rule: n for rule, n in figures["violations"].items() if n}
    if broken:
        return "violations: " + ", ".join(f"{rule} {n} x" for rule, n in broken.items())
    if figures["vehicles"] != wanted:
        return f"{figures['vehicles']} of {wanted} vehicles left their lanes in time"
    if figures["open_orders"] or figures["unsent_records"]:
        return f"{figures['open_orders']} open orders, {figures['unsent_records']} unsent records"
    return None


def unsent(layout: Layout, lane: str) -> int:
    """Return how many sealed or unsealed records of a lane the plaza has not acknowledged."""
    journal = layout.journal(lane)
    return int(rows(journal, _UNSENT)[0]["n"]) + int(rows(journal, _UNSEALED)[0]["n"])


def percentile(samples: Sequence[float | None], percent: int) -> float | None:
    """Return a percentile by nearest rank in 0.1 ms; None of nothing, and a p99 of under 200."""
    known = sorted(sample for sample in samples if sample is not None)
    if not known or (percent > 50 and len(known) < P99_FROM):
        return None
    return round(known[max(0, -(-len(known) * percent // 100) - 1)], 1)


def _ms(us: int | None) -> float | None:
    return None if us is None else us / 1000
