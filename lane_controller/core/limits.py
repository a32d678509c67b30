"""Every bound and timeout of the lane core: unit in the name, reason beside it.

A lane file may override those in ``Limits``; their relations are asserted whenever a Limits is
made.
"""

from __future__ import annotations

from dataclasses import dataclass

CORE_VERSION = "15"
"""Goes into every journal segment; raised with every change that alters any command for any
event."""

PRESENCE_GAP_MS = 1_000
"""Loops drop a vehicle for shorter gaps (drawbar trailers, chatter): field programs ignore under 1
s."""
BETWEEN_VEHICLES_MS_MIN = 300
"""Loop 1 free for so long lies between two vehicles, 1 m apart at 3 m/s; shorter it may be chatter
of one that stands, seen at two or three polls in a row."""
LOOP_2_HOLD_MS_MIN = 300
"""Nobody runs over loop 2 sooner: 2 m of motorcycle, 1 m of loop, 10 m/s. Shorter it is chatter."""
LOOP_2_PASS_MS_MIN = 500
"""No vehicle is off loop 2 again sooner: 4 m at 28 km/h, and it starts from rest."""
CLEAR_BEFORE_LOWER_MS = 1_000
"""Every detector under the boom is free this long before the core asks to lower (B1)."""
ORDERS_OPEN_MAX = 2
"""At most two undecided orders per passage: a third driver's phone waits."""
ORDERS_MAX = 20
"""Orders per passage at all; the driver goes to another tender then. Attempts have two digits."""
CASH_LOCK_MS = 2_000
"""Cash waits this long for the answer of a cancelled phone order."""
RECENT_COMMANDS_MAX = 64
"""Remembered command ids: a repeat within the broker's redelivery time is answered as before."""
UNREAD_MS_MAX = 1_000
"""What is said to be unreadable was read last up to so long before: a driver waits 0.5 s for an
answer, and its poll."""
EARLY_READ_MS_MAX = 10_000
"""A plate or tag read before its vehicle's presence begins is kept this long: in a queue the next
vehicle stands at the window while the one before it is still under the boom."""
BOOM_LOWERS_MS_MIN = 600
"""No toll boom comes down in less: they take 0.6 to 1.8 s. A lower limit that says so lies."""
BOOM_SETTLE_MS = 300
"""A boom told to rise at its upper limit is read again after this: a few polls at 20 ms."""
RAISE_RETRIES_MAX = 3
"""Raise pulses after a device error; more often a person looks first."""
LOWER_REFUSALS_MAX = 5
"""Lower refusals in a row before a person is told."""
COUPONS_MAX = 5
"""Coupons asked about per passage; then the driver pays the toll as it stands."""
RECENT_CODES_MAX = 32
"""Hashes of codes of earlier passages: the previous car's code is told from this car's."""
SAME_VEHICLE_DOWNTIME_MS_MAX = 10_000
"""After a longer outage a vehicle on loop 1 need not be the one from before."""
UNSURE_MS = 5_000
"""How long a restarted lane waits for plate, person or movement before it takes the vehicle as
new."""
UNSURE_PAID_MS = 60_000
"""How long a person is waited for where the vehicle in doubt has paid; it may drive on
meanwhile."""
REMARKS_MAX = 16
"""Remarks kept per passage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds a lane file may override."""

    plate_wait_ms: int = 1_500
    """A camera answers within some 0.5 s of the vehicle stopping; later the driver waits for
    nothing."""
    entry_wait_ms: int = 2_000
    """Entry look-up at the plaza; then the farthest entry (or the attendant) decides."""
    second_tender_ms: int = 8_000
    """From here other tenders are offered and unknown orders go to the resolver."""
    waiting_order_ms: int = 40_000
    """A waiting order is cancelled then; WeChat revokes at 45 s by itself."""
    order_deadline_ms: int = 3_000
    """How long the plaza may take to answer POST before the lane takes the order as unknown."""
    poll_wait_ms: int = 5_000
    """Long-poll of an order's state."""
    poll_retry_ms: int = 500
    """Pause before a failed poll or cancel is tried again."""
    boom_travel_ms: int = 3_000
    """The boom reaches a limit within this; slower is a fault. GB/T 24973 class O ends at 4 s."""
    loop_stuck_ms: int = 120_000
    """A loop occupied so long without progress: a person looks."""
    etc_wait_ms: int = 3_000
    """A tag charge ends within this."""
    coupon_wait_ms: int = 2_000
    """The plaza says within this whether a coupon is held; then the lane goes on without it."""

    def __post_init__(self) -> None:
        assert 0 < self.plate_wait_ms <= self.second_tender_ms
        assert 0 < self.entry_wait_ms <= self.second_tender_ms
        assert self.order_deadline_ms < self.second_tender_ms < self.waiting_order_ms
        assert self.poll_retry_ms < self.poll_wait_ms <= self.second_tender_ms
        assert 500 <= self.boom_travel_ms <= 10_000
        assert self.etc_wait_ms < self.second_tender_ms
        assert 100 <= self.coupon_wait_ms < self.second_tender_ms
        assert self.waiting_order_ms < self.loop_stuck_ms
