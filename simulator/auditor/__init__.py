"""Judges a run by what can be seen from outside: road, platforms' books, drivers, wires, stores.

``audit(evidence) -> Verdict``; nothing of the code under test is asked or used.
"""

from simulator.auditor.audit import CHECKS, Finding, Verdict, audit
from simulator.auditor.evidence import (
    AuditedOrder,
    AuditedRecord,
    AuditedTransfer,
    CapturedTrade,
    DriverStory,
    Evidence,
    Restart,
    Tapped,
    TextSource,
)

__all__ = [
    "CHECKS",
    "AuditedOrder",
    "AuditedRecord",
    "AuditedTransfer",
    "CapturedTrade",
    "DriverStory",
    "Evidence",
    "Finding",
    "Restart",
    "Tapped",
    "TextSource",
    "Verdict",
    "audit",
]
