"""Every bound and timeout of the lane engine: unit in the name, reason beside it."""

COMMIT_SLOW_MS = 1_000
"""A commit over 1 s is a degraded mode (A3)."""
COMMIT_RETRY_MS = 500
"""A failed commit is tried again after this; the disk may have been freed."""
BEAT_MS = 1_000
"""Heartbeat to the plaza and state to the broker: 1 Hz."""
LINK_LOST_MS = 3_000
"""Plaza and broker are lost after 3 s without an answer (A2)."""
BEAT_DEADLINE_MS = 2_500
"""Longer than a beat so that a slow plaza is still one, shorter than LINK_LOST_MS."""
CALL_DEADLINE_MS = 3_000
"""Calls without a deadline of their own."""
POLL_MARGIN_MS = 2_000
"""A long-poll may take its wait and this."""
CANCEL_DEADLINE_MS = 5_000
"""The plaza asks the platform before it answers a cancel."""
UPLOAD_MAX = 100
"""Records per upload, the plaza's limit."""
UPLOAD_RETRY_MS_MIN = 1_000
UPLOAD_RETRY_MS_MAX = 30_000
"""Growing pause between failed uploads."""
NOTICES_MAX = 2_000
"""Unacknowledged notices kept; the oldest go first, and that is counted."""
NOTICE_RETRY_MS = 1_000
"""Pause before a notice that was not acknowledged is published again."""
VERSIONS_KEPT_MS = 10_000
"""A command decided on an older published state is refused as stale."""
SEGMENT_EVENTS_MAX = 5_000
"""A restart replays one segment: 5,000 events are under a second."""
SEGMENT_AGE_MS = 86_400_000
"""A segment is closed after a day in any case."""
KEEP_DAYS = 30
"""Uploaded records and closed segments stay this long in the lane, for disputes."""
TARIFF_POLL_MS = 60_000
"""How often the lane asks for newer tariff sets."""
CALLS_MAX = 64
"""Calls to the plaza under way; far beyond what one lane can cause."""

assert BEAT_DEADLINE_MS < LINK_LOST_MS
assert COMMIT_RETRY_MS < COMMIT_SLOW_MS
assert UPLOAD_RETRY_MS_MIN < UPLOAD_RETRY_MS_MAX
