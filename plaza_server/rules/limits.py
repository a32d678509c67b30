"""Every bound and delay of the plaza's money rules: unit in the name, why this number, where from.

Relations between them are asserted at import, so a wrong edit stops the start and not a payment.
"""

from __future__ import annotations

# ---- one payment, while its driver waits ----

PAY_DEADLINE_MS = 2_500
"""One pay call. A platform answers in 0.3-0.6 s; later answers are found by query (facts: payments
1a)."""
QUERY_DEADLINE_MS = 2_000
"""The first query of each phase. It is repeated, so it may be impatient while a driver waits."""
QUERY_PATIENCE = (1, 2, 5)
"""Times that, for the first, second and every later query of a phase: a platform that answers
slowly for an hour is slow, and not silent; asked impatiently for ever it never tells (M2)."""
HEDGE_QUERY_MS = 1_000
"""A query that is silent for so long is asked once more beside it: a platform answers in 0.3-0.6
s."""
CANCEL_DEADLINE_MS = 5_000
"""One cancel. A cancel given up too early may still be carried out, so it gets more time."""
REFUND_DEADLINE_MS = 10_000
"""One refund or refund query: nobody stands and waits for it."""
CALL_GUARD_MS = 1_000
"""Past a call's own deadline the engine counts it as unanswered, whatever became of its carrier."""
POLL_GAPS_MS = (600, 600, 800, 1_000, 2_000)
"""Queries of a waiting or unknown order after pay was answered: at 0.6, 1.2, 2.0, 3.0 s, then every
2 s (the last gap repeats). Source: facts, payments 1a, lane timings."""
UNKNOWN_LIMIT_MS = 8_000
"""An unknown order is cancelled this long after pay was sent: other tenders are offered then."""
WAITING_LIMIT_MS = 40_000
"""A waiting order is cancelled this long after pay was sent; WeChat revokes code orders at 45 s
itself."""
WECHAT_CANCEL_FROM_MS = 15_000
"""WeChat carries out no reverse earlier than this after pay (facts: payments 1b, timings)."""
WECHAT_REVOKES_AFTER_MS = 45_000
"""WeChat revokes an unpaid code order by itself."""
CANCEL_ANSWER_MS = 1_500
"""A cancel request is answered within this; the lane locks cash for at most 2 s (cash_begin)."""
LONG_POLL_LIMIT_MS = 60_000
"""No poll is held longer, whatever it asks for."""
ANSWER_MARGIN_MS = 50
"""A payment is answered this much before the lane's own deadline, so that the answer still
counts."""
RETRY_AFTER_MS_MIN = 500
"""The shortest pause a lane is told to keep between two cancels of one order."""
RETRY_AFTER_MS = 2_000
"""What a lane is told while an order is being cancelled; then until the second query is due."""
OPEN_ORDERS_PER_PASSAGE_MAX = 2
"""A second tender may begin while the first is undecided; a third may not."""

# ---- proof ----

SECOND_QUERY_AFTER_MS = 60_000
"""``closed`` needs a query at least this long after pay was sent: until then a pay call delayed on
its way may still be carried out. A cancel without a believable end may undo a capture for as
long."""
CONFIRM_GAPS_MS = (5_000, 15_000, 30_000, 120_000, 600_000, 3_600_000)
"""Queries that confirm a paid order, off the path: three within 60 s, then rarely."""
CONFIRM_QUIET_MS = 1_000
"""The first of them goes once no pay has been under way for so long: a driver waits for a pay, and
nobody for this. Platforms also limit how often they are asked."""
CONFIRM_LATEST_MS = 45_000
"""It is put off no longer than this after the order was paid, whatever is under way."""
CONFIRM_AT_ONCE_MAX = 8
"""Of those that were put off, so many are under way at once."""
CLOSING_GAPS_MS = (100, 1_500, 3_000, 5_000, 10_000, 20_000, 40_000, 120_000, 600_000, 3_600_000)
"""Queries (each with its cancel at once behind it where needed) of a closing order, growing. The
first gap is the one between a cancel and the query that believes it: a lane waits for both. A
platform that answers errors for minutes and then ``paid`` was seen in the field (135 s)."""
REFUSED_GAPS_MS = (60_000, 60_000, 300_000, 1_800_000, 3_600_000)
"""Queries of a refused order, off the path; the first is the proof."""
REFUND_GAPS_MS = (0, 2_000, 10_000, 60_000, 300_000, 1_800_000, 3_600_000)
"""Refund calls of one refund number; the same number again moves no more money."""
REFUND_QUERY_GAP_MS = 1_000
"""From an accepted refund to the refund query that proves it."""
REFUND_STUCK_GAP_MS = 86_400_000
"""A refund the platform refuses for good is tried once a day."""
RECORD_MISSING_AFTER_MS = 86_400_000
"""A captured order whose passage has no sealed record by then is an alarm."""

# ---- breaker ----

BREAKER_UNKNOWN_MAX = 5
"""Pay calls without proof in a row that suspend a platform: its lanes should offer cash at once."""
BREAKER_BAD_SIGNATURE_MAX = 3
"""Unprovable answers in a row that suspend a platform: somebody or something stands between."""
BREAKER_GAPS_MS = (30_000, 60_000, 300_000, 900_000)
"""How long a platform stays off before one payment may try it again, growing."""

# ---- leases and bounds ----

STORE_LAGS_MS = 1_000
"""A commit under way for longer than this: lanes' heartbeats go through the store, and hear of it
(design.md section 5, A3)."""

SWEEP_GAP_MS = 30_000
"""How often leases are renewed and orphaned orders looked for."""
LEASE_MS = 90_000
"""How long a plaza process that stopped renewing keeps an order; three sweeps."""
LEASE_MS_MAX = 2 * LEASE_MS
"""A lease that seems to run longer was written by a clock that was wrong, and nobody keeps it: with
clocks up to LEASE_MS apart none is that long."""
SWEEP_GAP_EXCLUSIVE_MS = 600_000
"""The same where this process is the only one: nobody's orders can be orphaned while it lives, and
a commit of unknown end brings the next sweep forward."""
SWEEP_LIMIT = 500
"""Orders taken over by one sweep; a full one is followed by the next at once."""
SWEEP_AGAIN_MS = 200
"""From a full sweep to the next one."""
JOBS_MAX = 20_000
"""Orders one process works on; beyond it new payments are turned away with ``busy``. A plaza of 200
lanes has some hundreds."""
WAITERS_MAX = 10_000
"""Requests held open; beyond it a poll is answered at once."""
RECORDS_PER_UPLOAD_MAX = 100
"""Sealed records in one upload (contract of RecordsUpload)."""
COMMIT_RETRY_MS = 1_000
"""From a failed commit of a platform's answer to asking the platform again."""
COMMIT_RETRY_MS_MAX = 60_000
"""A store that stays broken is tried once a minute for each fact."""
SUBJECT_LENGTH_MAX = 128
"""Characters of an order's subject; the narrowest platform takes 127 bytes more than this needs in
ASCII, the text is cut, never refused."""

assert PAY_DEADLINE_MS < UNKNOWN_LIMIT_MS < WAITING_LIMIT_MS < SECOND_QUERY_AFTER_MS
assert CANCEL_ANSWER_MS < 2_000, "the lane locks cash for at most 2 s"
assert sum(CONFIRM_GAPS_MS[:3]) <= 60_000, "a paid order is confirmed within 60 s"
assert CONFIRM_GAPS_MS[0] < CONFIRM_LATEST_MS < 60_000, "also where it was put off"
assert REFUSED_GAPS_MS[0] >= SECOND_QUERY_AFTER_MS
assert 2 * SWEEP_GAP_MS + QUERY_DEADLINE_MS * QUERY_PATIENCE[-1] <= LEASE_MS, (
    "a live process never loses a lease"
)
assert QUERY_DEADLINE_MS * QUERY_PATIENCE[-1] >= 2 * CANCEL_DEADLINE_MS, (
    "a query is as patient as any call in the end"
)
assert max(CLOSING_GAPS_MS) <= 3_600_000, "an open order is looked at every hour"
for _gaps in (POLL_GAPS_MS, CLOSING_GAPS_MS, BREAKER_GAPS_MS, REFUND_GAPS_MS):
    assert list(_gaps) == sorted(_gaps), "gaps grow"
