"""What WeChat Pay's error codes mean for us. Data only.

Source: the pages of v3 code payment, query, reverse and refunds (400 PARAM_ERROR, INVALID_REQUEST,
401 SIGN_ERROR, 500 SYSTEM_ERROR are common to all), and the business codes of the older micropay,
which the v3 calls answer with underscores. Where both spellings are seen, both are listed. What is
in no table proves nothing: it is UNKNOWN, and a query decides.
"""

from __future__ import annotations

from plaza_server.rules.outcomes import Refused
from tolling.orders import NextStep, ReasonCode

USER_PAYING = frozenset({"USERPAYING", "USER_PAYING"})
"""The payer types a password. With HTTP 202 or 4xx, or as a trade state of a 200."""

NOT_THERE = frozenset({"ORDER_NOT_EXIST", "ORDERNOTEXIST", "RESOURCE_NOT_EXISTS"})
"""No such order, or no such refund."""

CONFIG_CODES = frozenset(
    {
        "SIGN_ERROR",
        "NO_AUTH",
        "NOAUTH",
        "MCH_NOT_EXISTS",
        "MCHID_NOT_EXIST",
        "APPID_NOT_EXIST",
        "APPID_MCHID_NOT_MATCH",
        "CERT_ERROR",
    }
)
"""Key, clock or account: ours to fix, whatever was asked."""

PAY_CONFIG_CODES = frozenset({"PARAM_ERROR"})
"""Of pay alone: every pay is built alike, so the next one fails too. A query has been answered so
for two minutes about an order that was paid all the while: there it is one order's trouble."""

TOO_OFTEN = frozenset({"FREQUENCY_LIMITED", "FREQUENCY_LIMIT_EXCEED", "RATELIMIT_EXCEEDED"})
"""Not looked at: nothing was done."""


def _refused(reason: ReasonCode, step: NextStep) -> Refused:
    return Refused(reason=reason, next=step)


_RESCAN = _refused(ReasonCode.CODE_INVALID, NextStep.NEW_CODE)
_BALANCE = _refused(ReasonCode.BALANCE, NextStep.OTHER_TENDER)
_PAYER = _refused(ReasonCode.PAYER_LIMIT, NextStep.OTHER_TENDER)
_RISK = _refused(ReasonCode.RISK, NextStep.OTHER_TENDER)

PAY_REFUSALS: dict[str, Refused] = {
    "AUTH_CODE_ERROR": _RESCAN,
    "AUTH_CODE_INVALID": _RESCAN,
    "AUTH_CODE_EXPIRED": _RESCAN,
    "AUTHCODEEXPIRE": _RESCAN,
    "NOT_ENOUGH": _BALANCE,
    "NOTENOUGH": _BALANCE,
    "NOT_SUPPORT_CARD": _BALANCE,
    "NOTSUPORTCARD": _BALANCE,
    "ACCOUNT_ERROR": _PAYER,
    "USER_ACCOUNT_ABNORMAL": _PAYER,
    "BUYER_MISMATCH": _PAYER,
    "OPENID_MISMATCH": _PAYER,
    # "The trade breaks a business rule": risk control, or a limit of the payer.
    "RULE_LIMIT": _RISK,
    # Our number was closed or reversed before pay arrived: a new code brings a new number.
    "ORDER_CLOSED": _refused(ReasonCode.PAYMENT_FAILED, NextStep.NEW_CODE),
    "ORDER_REVERSED": _refused(ReasonCode.PAYMENT_FAILED, NextStep.NEW_CODE),
}
"""Signed and final for this pay call. Not here, so UNKNOWN and queried: SYSTEM_ERROR, BANK_ERROR;
TRADE_ERROR ("the user did not enter the password": the order may still be open); OUT_TRADE_NO_USED
and ORDER_PAID (paid, but by which call?); INVALID_REQUEST (used for half a dozen things)."""

CANCEL_DONE = frozenset({"ORDER_CLOSED", "ORDER_REVERSED"})
"""Answers to reverse that say there is nothing left to reverse."""

REFUND_REFUSALS: dict[str, bool] = {
    "NOT_ENOUGH": False,
    "NOTENOUGH": False,
    # Seen minutes after a payment, and the same call succeeded later.
    "RESOURCE_NOT_EXISTS": False,
    "ORDER_NOT_EXIST": False,
    "ORDER_NOT_READY": False,
    "USER_ACCOUNT_ABNORMAL": True,
    # More than was paid, older than a year, or given back already: a person must look.
    "INVALID_REQUEST": True,
    "REFUND_FEE_MISMATCH": True,
    "TRADE_OVERDUE": True,
}
"""code -> whether no later try can succeed."""


def normal_code(value: object) -> str:
    """Return an error code where *value* is one, else empty text."""
    if not isinstance(value, str) or len(value) > 64 or not value.isascii():
        return ""
    return value if value.replace("_", "").isalnum() else ""
