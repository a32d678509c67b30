"""A plaza whose slow proofs take a tenth of the time: a short run cannot wait a minute per order.

The plaza believes that an order is closed only 60 s after its pay was sent. A hurried run keeps
every rule and every relation between the bounds and shrinks the bounds themselves, in the process
that becomes the plaza, before the modules that copy them are imported. The simulated platform keeps
its own time, which is far below.
"""

from __future__ import annotations

import importlib
import sys

SHORT: dict[str, int | tuple[int, ...]] = {
    "PAY_DEADLINE_MS": 1_000,
    "QUERY_DEADLINE_MS": 1_000,
    "HEDGE_QUERY_MS": 400,
    "CANCEL_DEADLINE_MS": 1_500,
    "POLL_GAPS_MS": (200, 300, 400, 500),
    "UNKNOWN_LIMIT_MS": 3_000,
    "WAITING_LIMIT_MS": 5_500,
    "WECHAT_CANCEL_FROM_MS": 1_500,
    "SECOND_QUERY_AFTER_MS": 6_000,
    "CONFIRM_GAPS_MS": (400, 1_000, 2_000, 10_000),
    "CLOSING_GAPS_MS": (100, 300, 600, 1_000, 2_000, 4_000, 10_000),
    "REFUSED_GAPS_MS": (6_000, 6_000, 30_000),
    "REFUND_GAPS_MS": (0, 500, 1_000, 6_000, 30_000),
    "REFUND_QUERY_GAP_MS": 200,
    "BREAKER_GAPS_MS": (2_000, 4_000, 8_000),
    "RETRY_AFTER_MS": 500,
    "SWEEP_GAP_MS": 1_000,
    "LEASE_MS": 9_000,
    "LEASE_MS_MAX": 18_000,
}


def hurry() -> None:
    """Shrink the plaza's bounds. Raises: AssertionError: it is too late, they were copied."""
    late = [name for name in sys.modules if name.startswith("plaza_server.engine")]
    assert not late, f"{late[0]} has its bounds already"
    limits = importlib.import_module("plaza_server.rules.limits")
    for name, value in SHORT.items():
        assert hasattr(limits, name), f"no bound is called {name}"
        setattr(limits, name, value)
