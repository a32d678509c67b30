"""What the gateway's two-character answer codes mean for us. Data only.

One table serves all products: ``respCode`` says what became of the request, and in an answer to a
query ``origRespCode`` says in the same words what became of the asked-for transaction. What is in
no set proves nothing: it is UNKNOWN, and a query or the next day's bill decides.

Source: the table of answer codes in the platform's interface specification, part 5 (appendix), as
five independent public programs list it word for word; what follows from a code for a merchant is
told by the platform's demo programs (03, 04, 05: ask again; 34: "may be taken as not decided yet";
everything else: failed). Nobody here has seen a live answer: the profile is unverified.
"""

from __future__ import annotations

from plaza_server.rules.outcomes import Refused
from tolling.orders import NextStep, ReasonCode

SUCCESS = "00"
"""Of a pay, reversal or refund: accepted, and no more than that. Of a query: answered."""
FLAWED_SUCCESS = "A6"
"""Money moved, something beside it did not."""
CAPTURED = frozenset({SUCCESS, FLAWED_SUCCESS})
"""As ``origRespCode``: the payer's money was taken."""

IN_PROGRESS = frozenset({"05", "70", "82"})
"""Accepted and not decided: 05 ask later; 70 and 82 the payer types something."""
UNDECIDED = frozenset({"03", "04", "83"})
"""No answer behind the gateway in time, state not known, the issuer works on it."""
BUSY = frozenset({"02", "06", "37", "39"})
"""The gateway is closed, busy, or asked too often; nothing is said about a transaction."""
REPEATED = "12"
"""Our number is known there: what it knows about it, a query tells."""

NO_SUCH_ORDER = "34"
NO_SUCH_ORIGINAL = "35"
"""The original does not exist, or is in a state that allows no reversal or refund."""
GIVEN_BACK = "45"
"""The original has been refunded or cancelled already."""
REVERSED = "46"
"""The original has been reversed: whatever was taken went back."""

CONFIG_CODES = frozenset({"10", "11", "13", "31", "32", "43", "92", "93", "94", "95", "96"})
"""Our text, our signature, a field of ours, our account, our rights, our licence: ours to fix."""


def _refused(reason: ReasonCode, step: NextStep) -> Refused:
    return Refused(reason=reason, next=step)


_RESCAN = _refused(ReasonCode.CODE_INVALID, NextStep.NEW_CODE)
_FAILED = _refused(ReasonCode.PAYMENT_FAILED, NextStep.NEW_CODE)
_BALANCE = _refused(ReasonCode.BALANCE, NextStep.OTHER_TENDER)
_PAYER = _refused(ReasonCode.PAYER_LIMIT, NextStep.OTHER_TENDER)
_RISK = _refused(ReasonCode.RISK, NextStep.OTHER_TENDER)

PAY_REFUSALS: dict[str, Refused] = {
    # The code: wrong state, not there, its token has run out.
    "86": _RESCAN,
    "88": _RESCAN,
    "89": _RESCAN,
    "80": _RESCAN,
    "64": _BALANCE,
    "90": _BALANCE,
    # The card, its bank, its limits.
    "30": _PAYER,
    "33": _PAYER,
    "40": _PAYER,
    "44": _PAYER,
    "60": _PAYER,
    "61": _PAYER,
    "62": _PAYER,
    "63": _PAYER,
    "66": _PAYER,
    "67": _PAYER,
    "68": _PAYER,
    "72": _PAYER,
    "73": _PAYER,
    "76": _PAYER,
    "77": _PAYER,
    "78": _PAYER,
    "81": _PAYER,
    "85": _PAYER,
    "87": _PAYER,
    "38": _RISK,
    # A failure without a cause, a wrong password, a pause too long: a fresh code may do.
    "01": _FAILED,
    "65": _FAILED,
    "69": _FAILED,
    "71": _FAILED,
    "91": _FAILED,
}
"""Signed and final: as ``respCode`` of a pay, and as ``origRespCode`` of a query. Not here, so
UNKNOWN: 42, 74, 75 (money was taken, what for is not known), 99 (any error)."""

REFUND_REFUSALS: dict[str, bool] = {
    NO_SUCH_ORIGINAL: False,
    # Not this amount, not this original, or all of it went back already: the same again fails.
    "33": True,
    "36": True,
    GIVEN_BACK: True,
    "38": False,
    "64": False,
    "90": False,
    "01": False,
    "60": False,
}
"""Code of a refund -> whether no later try can succeed."""

assert not set(PAY_REFUSALS) & (IN_PROGRESS | UNDECIDED | BUSY | CONFIG_CODES | CAPTURED)
assert not set(REFUND_REFUSALS) & (IN_PROGRESS | UNDECIDED | BUSY | CONFIG_CODES | CAPTURED)


def normal_code(value: bytes | None) -> str:
    """Return an answer code, two digits or capitals, or empty where *value* is none."""
    if value is None or len(value) != 2 or not value.isalnum() or value != value.upper():
        return ""
    return value.decode("ascii")
