"""The calls a payment platform is asked, in words common to all platforms."""

from __future__ import annotations

from enum import StrEnum


class CallKind(StrEnum):
    """Calls of a payment platform."""

    PAY = "pay"
    """Once per order, for ever."""
    QUERY = "query"
    CANCEL = "cancel"
    """Close the order, or give back what it captured; WeChat and UnionPay call it reverse."""
    REFUND = "refund"
    """Of ``order.refund_fen`` under ``order.out_refund_no``; again moves no more money."""
    REFUND_QUERY = "refund_query"
