"""Traffic without end, as dense as the lanes can take: a lane that stands gets no more cars."""

from __future__ import annotations

import random
from collections.abc import Mapping
from http.client import HTTPException

from simulator.people import draw_behaviour
from simulator.stack.site_client import ApiError, SiteClient

PER_LANE = 3
"""One at the window, one that leaves and one that comes up."""
MIX: Mapping[str, int] = {
    "phone_ok": 45,
    "slow_phone": 5,
    "needs_password": 7,
    "slow_password": 2,
    "never_confirms": 2,
    "closes_dialog": 2,
    "balance_short": 2,
    "expired_code": 2,
    "previous_code": 2,
    "screenshot": 2,
    "double_scan": 4,
    "half_code": 1,
    "ride_code": 1,
    "pays_cash": 9,
    "pays_etc": 6,
    "changes_to_cash": 4,
    "backs_out": 2,
    "pays_and_backs_out": 2,
}
"""Every way to pay, and those who make trouble with it, far more often than on a road."""


class Traffic:
    """Keeps every lane supplied."""

    def __init__(self, site: SiteClient, lanes: tuple[str, ...], *, seed: int) -> None:
        self._site = site
        self._lanes = lanes
        self._dice = {lane: random.Random(f"{seed}/chaos/traffic/{lane}") for lane in lanes}
        self.sent = 0

    def fill(self) -> None:
        """Send as many as there is room for; nobody while the site does not answer."""
        try:
            status = self._site.status()
            for lane in self._lanes:
                for _ in range(PER_LANE - len(status["lanes"][lane]["vehicles"])):
                    self._site.spawn(lane, draw_behaviour(MIX, self._dice[lane]).name)
                    self.sent += 1
        except (OSError, HTTPException, ApiError):
            return
