"""Judges a run by what can be seen from outside: road, platforms' books, drivers, wires, stores.

``audit(evidence) -> Verdict``; nothing of the code under test is asked or used.
"""

from simulator.auditor.audit import CHECKS, Finding, Verdict, audit
from simulator.auditor.evidence import (
    AuditedClaim,
    AuditedCoupon,
    AuditedDebit,
    AuditedOrder,
    AuditedRecord,
    AuditedTariff,
    AuditedTransfer,
    Blind,
    CapturedTrade,
    CaptureStood,
    CashWord,
    CouponRow,
    DriverStory,
    EtcDueRow,
    Evidence,
    Hindered,
    Hindrance,
    Ordered,
    Restart,
    Tapped,
    TextSource,
)

__all__ = [
    "CHECKS",
    "AuditedClaim",
    "AuditedCoupon",
    "AuditedDebit",
    "AuditedOrder",
    "AuditedRecord",
    "AuditedTariff",
    "AuditedTransfer",
    "Blind",
    "CaptureStood",
    "CapturedTrade",
    "CashWord",
    "CouponRow",
    "DriverStory",
    "EtcDueRow",
    "Evidence",
    "Finding",
    "Hindered",
    "Hindrance",
    "Ordered",
    "Restart",
    "Tapped",
    "TextSource",
    "Verdict",
    "audit",
]
