"""What the gateway's codes and the trades' sub_codes mean for us. Data only.

Source: the platform's tables of common errors and of alipay.trade.pay/query/cancel/refund with
their documented remedies. What is in no table proves nothing: it is UNKNOWN, and a query decides.
"""

from __future__ import annotations

from plaza_server.rules.outcomes import Refused
from tolling.orders import NextStep, ReasonCode

SUCCESS = "10000"
WAITING = "10003"
"""Order created, the payer must confirm or type a password."""
BUSINESS_FAILED = "40004"
"""Look at sub_code."""
CONFIG_CODES = frozenset({"20001", "40001", "40002", "40006"})
"""Token, missing parameter, invalid parameter (signature, app id, timestamp), permission: ours to
fix."""

SYSTEM_ERROR = "ACQ.SYSTEM_ERROR"
TRADE_NOT_EXIST = "ACQ.TRADE_NOT_EXIST"


def _refused(reason: ReasonCode, step: NextStep) -> Refused:
    return Refused(reason=reason, next=step)


_RESCAN = _refused(ReasonCode.CODE_INVALID, NextStep.NEW_CODE)
_FAILED = _refused(ReasonCode.PAYMENT_FAILED, NextStep.NEW_CODE)
_BALANCE = _refused(ReasonCode.BALANCE, NextStep.OTHER_TENDER)
_PAYER = _refused(ReasonCode.PAYER_LIMIT, NextStep.OTHER_TENDER)
_RISK = _refused(ReasonCode.RISK, NextStep.OTHER_TENDER)
_MERCHANT = _refused(ReasonCode.MERCHANT_TROUBLE, NextStep.OTHER_TENDER)

PAY_REFUSALS: dict[str, Refused] = {
    "ACQ.PAYMENT_AUTH_CODE_INVALID": _RESCAN,
    "ACQ.ILLEGAL_AUTH_CODE": _RESCAN,
    "ACQ.AUTH_CODE_INVALID_OR_EXPIRE": _RESCAN,
    # Refresh the code and try once more; how often is the rules' affair.
    "ACQ.PULL_MOBILE_CASHIER_FAIL": _FAILED,
    "ACQ.PAYMENT_FAIL": _FAILED,
    # Our number was closed before pay arrived: a new code brings a new number.
    "ACQ.TRADE_HAS_CLOSE": _FAILED,
    "ACQ.BUYER_BALANCE_NOT_ENOUGH": _BALANCE,
    "ACQ.BUYER_BANKCARD_BALANCE_NOT_ENOUGH": _BALANCE,
    "ACQ.ERROR_BALANCE_PAYMENT_DISABLE": _BALANCE,
    "ACQ.NO_PAYMENT_INSTRUMENTS_AVAILABLE": _BALANCE,
    "ACQ.MOBILE_PAYMENT_SWITCH_OFF": _PAYER,
    "ACQ.USER_FACE_PAYMENT_SWITCH_OFF": _PAYER,
    "ACQ.BUYER_SELLER_EQUAL": _PAYER,
    "ACQ.TRADE_BUYER_NOT_MATCH": _PAYER,
    "ACQ.BUYER_ENABLE_STATUS_FORBID": _PAYER,
    "ACQ.ERROR_BUYER_CERTIFY_LEVEL_LIMIT": _PAYER,
    "ACQ.BUYER_PAYMENT_AMOUNT_DAY_LIMIT_ERROR": _PAYER,
    "ACQ.BUYER_PAYMENT_AMOUNT_MONTH_LIMIT_ERROR": _PAYER,
    # The limits of the merchant, not of the payer: the reason tells staff so.
    "ACQ.BEYOND_PAY_RESTRICTION": _MERCHANT,
    "ACQ.BEYOND_PER_RECEIPT_RESTRICTION": _MERCHANT,
    "ACQ.PAYMENT_REQUEST_HAS_RISK": _RISK,
}
"""Signed and final for this pay call. Not here, so UNKNOWN and queried: SYSTEM_ERROR;
TRADE_HAS_SUCCESS (paid, but by whom?); CONTEXT_INCONSISTENT (our number is known there with other
content)."""

CONFIG_SUB_CODES = frozenset(
    {
        "ACQ.INVALID_PARAMETER",
        "ACQ.PARTNER_ERROR",
        "ACQ.ACCESS_FORBIDDEN",
        "ACQ.INVALID_STORE_ID",
        "ACQ.EXIST_FORBIDDEN_WORD",
        "ACQ.TOTAL_FEE_EXCEED",
        "ACQ.SELLER_BEEN_BLOCKED",
    }
)
CONFIG_SUB_CODE_PREFIX = "ACQ.SUB_MERCHANT_"

REFUND_REFUSALS: dict[str, bool] = {
    "ACQ.SELLER_BALANCE_NOT_ENOUGH": False,
    "ACQ.REASON_TRADE_BEEN_FREEZEN": False,
    "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL": True,
    # We only refund what was captured: it is there, or will be.
    "ACQ.TRADE_NOT_EXIST": False,
    "ACQ.TRADE_HAS_FINISHED": True,
}
"""sub_code -> whether no later try can succeed."""


def normal_sub_code(text: object) -> str:
    """Return a sub_code in its right spelling, or empty. The wild also shows
    ``AQC.SYSTEM_ERROR``."""
    if not isinstance(text, str) or len(text) > 64:
        return ""
    if not all(mark.isascii() and (mark.isalnum() or mark in "._-") for mark in text):
        return ""
    return f"ACQ.{text[4:]}" if text.startswith("AQC.") else text


def is_config_sub_code(sub_code: str) -> bool:
    """Return whether a business failure is ours to fix, for every method alike."""
    return sub_code in CONFIG_SUB_CODES or sub_code.startswith(CONFIG_SUB_CODE_PREFIX)
