"""States of a payment order, shared by lane and plaza, and what they mean to each."""

from __future__ import annotations

from enum import StrEnum


class OrderState(StrEnum):
    """One table for all platforms."""

    CREATED = "created"
    """Stored at the plaza with every number the platform needs; nothing sent yet."""
    SENT = "sent"
    """Handed to the process that sends pay, once."""
    WAITING = "waiting"
    """The platform waits for the driver (password)."""
    UNKNOWN = "unknown"
    """No believable answer: neither paid nor refused."""
    CLOSING = "closing"
    """Being cancelled; the end is not proven yet."""
    REFUSED = "refused"
    """A signed final refusal of pay; the driver may scan again at once."""
    PAID = "paid"
    """Captured, by a signed answer with our number and the exact amount."""
    CLOSED = "closed"
    """Proven never to be paid, or a tombstone of an order that was never sent."""
    REFUND_DUE = "refund_due"
    """Captured, and no record will name it: to be given back."""
    REFUNDING = "refunding"
    """A refund was sent, its proof is outstanding."""
    REFUNDED = "refunded"
    """Given back whole, proven."""
    MISMATCH = "mismatch"
    """A signed answer with another amount: refunded whole, alarm; no record may name it."""
    REFUND_STUCK = "refund_stuck"
    """The platform refuses the refund for good: daily retry, alarm."""


OPEN_STATES = frozenset(
    {
        OrderState.CREATED,
        OrderState.SENT,
        OrderState.WAITING,
        OrderState.UNKNOWN,
        OrderState.CLOSING,
    }
)
"""Undecided; ``open_orders`` counts them."""

CAPTURED_STATES = frozenset(
    {
        OrderState.PAID,
        OrderState.REFUND_DUE,
        OrderState.REFUNDING,
        OrderState.REFUNDED,
        OrderState.MISMATCH,
        OrderState.REFUND_STUCK,
    }
)
"""The platform took money at some time."""

OWED_STATES = frozenset(
    {
        OrderState.REFUND_DUE,
        OrderState.REFUNDING,
        OrderState.MISMATCH,
        OrderState.REFUND_STUCK,
    }
)
"""Captured, to be given back, and not proven given back yet."""


class NextStep(StrEnum):
    """What the driver can do after an answer."""

    WAIT = "wait"
    """Nothing yet: the order is being decided, or is decided well."""
    NEW_CODE = "new_code"
    """Refresh the code and hold it up again."""
    OTHER_TENDER = "other_tender"
    """Pay another way."""


class ReasonCode(StrEnum):
    """Why an order is where it is, in words of ours; stable, also shown to drivers and staff."""

    NONE = "none"
    PASSWORD = "password"  # noqa: S105 - the name of a reason, not a secret
    """The driver confirms on the phone."""
    ACCEPTED = "accepted"
    """The platform has taken the payment and says no more yet; the driver need do nothing."""
    NO_ANSWER = "no_answer"
    """The platform did not answer in time."""
    BAD_ANSWER = "bad_answer"
    """The answer is unsigned, badly signed, doubled or not ours."""
    PLATFORM_TROUBLE = "platform_trouble"
    """The platform says it does not know itself."""
    CODE_INVALID = "code_invalid"
    """Expired, used or unknown to the platform."""
    CODE_USED = "code_used"
    """This code already served another order in this plaza."""
    BALANCE = "balance"
    """Not enough money behind the code."""
    PAYER_LIMIT = "payer_limit"
    """A limit of the payer or a refused payer."""
    RISK = "risk"
    """Refused by the platform's risk control."""
    PAYMENT_FAILED = "payment_failed"
    """Refused for another reason of the payer's side."""
    MERCHANT_TROUBLE = "merchant_trouble"
    """Our own account or configuration: the platform is suspended."""
    PLATFORM_OFF = "platform_off"
    """No platform takes this wallet here, or it is suspended."""
    AMOUNT_MISMATCH = "amount_mismatch"
    """The platform captured another amount."""
    CANCELLED = "cancelled"
    """Closed on request."""
    TIMED_OUT = "timed_out"
    """The driver did not confirm in time."""
