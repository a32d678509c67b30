"""Ids are built from one another and read back."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tolling.words import LANES, PLAZAS
from tolling import ids
from tolling.ids import LaneId, OutTradeNo, PassageId, PlazaId

PASSAGE = "510001003001000000042"


@given(PLAZAS, LANES, st.integers(0, 999), st.integers(1, 999_999_999))
def test_a_passage_id_reads_back(plaza: PlazaId, lane: LaneId, epoch: int, number: int) -> None:
    """The parts of a passage_id are those it was made of."""
    subject = ids.make_passage_id(plaza=plaza, lane=lane, epoch=epoch, passage_no=number)
    assert re.fullmatch("[0-9]{21}", subject)
    assert ids.parse_passage_id(subject) == ids.PassageParts(
        plaza_id=plaza, lane_id=lane, epoch=epoch, passage_no=number
    )


@given(st.integers(1, 99), st.integers(1, 99))
def test_order_and_refund_numbers_read_back(attempt: int, number: int) -> None:
    """Orders and refunds read back, and hold nothing but digits and capital letters."""
    order = ids.make_out_trade_no(PassageId(PASSAGE), attempt)
    refund = ids.make_out_refund_no(order, number)
    assert (len(order), len(refund)) == (24, 27)
    assert re.fullmatch("[0-9A-Z]+", refund)
    assert ids.parse_out_trade_no(order) == (PASSAGE, attempt)
    assert ids.parse_out_refund_no(refund) == (order, number)


@pytest.mark.parametrize(
    "text", ["", PASSAGE[:-1], PASSAGE + "0", PASSAGE[:12] + "0" * 9, "٣" * 21]
)
def test_other_text_is_no_passage_id(text: str) -> None:
    """Short, long, foreign digits or passage number 0 are refused."""
    with pytest.raises(ValueError, match="passage_id"):
        ids.parse_passage_id(text)


@pytest.mark.parametrize(
    "text", ["", f"{PASSAGE}A00", f"{PASSAGE}B01", f"{PASSAGE}A1", f"{PASSAGE}A01\n"]
)
def test_other_text_is_no_order_number(text: str) -> None:
    """Attempt 0, another letter or another length is refused."""
    with pytest.raises(ValueError, match="out_trade_no"):
        ids.parse_out_trade_no(text)


def test_a_lane_without_an_epoch_makes_no_order() -> None:
    """An order number of epoch 0 is refused: such a lane takes no phone money."""
    passage = ids.make_passage_id(
        plaza=PlazaId("510001"), lane=LaneId("003"), epoch=0, passage_no=1
    )
    with pytest.raises(ValueError, match="epoch"):
        ids.parse_out_trade_no(ids.make_out_trade_no(passage, 1))


@pytest.mark.parametrize("text", ["", f"{PASSAGE}A01", f"{PASSAGE}A01R00", f"{PASSAGE}A00R01"])
def test_other_text_is_no_refund_number(text: str) -> None:
    """Refund 0, or the number of no order, is refused."""
    with pytest.raises(ValueError, match="out_"):
        ids.parse_out_refund_no(text)


def test_plaza_and_lane_ids_are_checked() -> None:
    """A plaza is six ASCII digits, a lane three."""
    assert ids.plaza_id("510001") == "510001"
    assert ids.lane_id("003") == "003"
    for wrong in ("", "51000", "5100011", "51000a", "٣" * 6):
        with pytest.raises(ValueError, match="six digits"):
            ids.plaza_id(wrong)
    for wrong in ("3", "0033", "00a"):
        with pytest.raises(ValueError, match="three digits"):
            ids.lane_id(wrong)


@pytest.mark.parametrize("number", [0, 100])
def test_attempts_and_refunds_have_two_digits(number: int) -> None:
    """Attempt or refund 0 or 100 trips the assertion."""
    with pytest.raises(AssertionError):
        ids.make_out_trade_no(PassageId(PASSAGE), number)
    with pytest.raises(AssertionError):
        ids.make_out_refund_no(OutTradeNo(f"{PASSAGE}A01"), number)
