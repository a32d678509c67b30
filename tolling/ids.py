"""Identifiers and how they are built from one another.

``passage_id`` = plaza(6) lane(3) epoch(3) passage_no(9), 21 digits; ``out_trade_no`` =
passage_id + ``A`` + attempt(2); ``out_refund_no`` = out_trade_no + ``R`` + nn. All of [0-9A-Z]:
UnionPay takes no ``_``. The epoch comes from the plaza at enrolment, so a lane that lost its
journal cannot reuse a number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NewType

from tolling.evolve import quick

PlazaId = NewType("PlazaId", str)
"""Six digits, the toll plaza."""
LaneId = NewType("LaneId", str)
"""Three digits, the lane within its plaza."""
PassageId = NewType("PassageId", str)
"""21 digits, one vehicle through one lane."""
OutTradeNo = NewType("OutTradeNo", str)
"""24 characters, our number of one payment order."""
OutRefundNo = NewType("OutRefundNo", str)
"""27 characters, our number of one refund of one order."""
BootId = NewType("BootId", str)
"""Random text that names one run of one process."""

MAX_ATTEMPT = 99
MAX_REFUND = 99
MAX_EPOCH = 999
MAX_PASSAGE_NO = 999_999_999

_PASSAGE = re.compile(r"(\d{6})(\d{3})(\d{3})(\d{9})", re.ASCII)
_TRADE = re.compile(r"(\d{21})A(\d{2})", re.ASCII)
_REFUND = re.compile(r"(\d{21}A\d{2})R(\d{2})", re.ASCII)


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class PassageParts:
    """What a passage_id says."""

    plaza_id: PlazaId
    lane_id: LaneId
    epoch: int
    passage_no: int


def plaza_id(text: str) -> PlazaId:
    """Return *text* as a plaza id. Raises: ValueError: it is not six digits."""
    if re.fullmatch(r"\d{6}", text, re.ASCII) is None:
        raise ValueError("a plaza id is six digits")
    return PlazaId(text)


def lane_id(text: str) -> LaneId:
    """Return *text* as a lane id. Raises: ValueError: it is not three digits."""
    if re.fullmatch(r"\d{3}", text, re.ASCII) is None:
        raise ValueError("a lane id is three digits")
    return LaneId(text)


def make_passage_id(*, plaza: PlazaId, lane: LaneId, epoch: int, passage_no: int) -> PassageId:
    """Return the 21-digit number of passage *passage_no* (1..999,999,999) of one lane and epoch.

    Epoch 0 numbers cash passages of a lane the plaza has not enrolled yet; no order carries one.
    """
    assert len(plaza) == 6, "a plaza id is six digits"
    assert len(lane) == 3, "a lane id is three digits"
    assert 0 <= epoch <= MAX_EPOCH, "epoch out of range"
    assert 1 <= passage_no <= MAX_PASSAGE_NO, "passage number out of range"
    return PassageId(f"{plaza}{lane}{epoch:03d}{passage_no:09d}")


def parse_passage_id(text: str) -> PassageParts:
    """Return the parts of a passage_id. Raises: ValueError: no lane ever made such a number."""
    found = _PASSAGE.fullmatch(text)
    if found is None or int(found.group(4)) == 0:
        raise ValueError("a passage_id is 21 digits with a passage number from 1")
    plaza, lane, epoch, number = found.groups()
    return PassageParts(
        plaza_id=PlazaId(plaza), lane_id=LaneId(lane), epoch=int(epoch), passage_no=int(number)
    )


def make_out_trade_no(passage: PassageId, attempt: int) -> OutTradeNo:
    """Return the order number of attempt 1..99 of a passage."""
    assert 1 <= attempt <= MAX_ATTEMPT, "attempt out of range"
    return OutTradeNo(f"{passage}A{attempt:02d}")


def parse_out_trade_no(text: str) -> tuple[PassageId, int]:
    """Return (passage_id, attempt). Raises: ValueError: the text is no out_trade_no."""
    found = _TRADE.fullmatch(text)
    if found is None or int(found.group(2)) == 0:
        raise ValueError("an out_trade_no is a passage_id, 'A' and two digits from 01")
    if parse_passage_id(found.group(1)).epoch == 0:
        raise ValueError("a lane without an epoch makes no order")
    return PassageId(found.group(1)), int(found.group(2))


def make_out_refund_no(order: OutTradeNo, number: int) -> OutRefundNo:
    """Return the number of refund 1..99 of an order."""
    assert 1 <= number <= MAX_REFUND, "refund number out of range"
    return OutRefundNo(f"{order}R{number:02d}")


def parse_out_refund_no(text: str) -> tuple[OutTradeNo, int]:
    """Return (out_trade_no, number). Raises: ValueError: the text is no out_refund_no."""
    found = _REFUND.fullmatch(text)
    if found is None or int(found.group(2)) == 0:
        raise ValueError("an out_refund_no is an out_trade_no, 'R' and two digits from 01")
    parse_out_trade_no(found.group(1))
    return OutTradeNo(found.group(1)), int(found.group(2))
