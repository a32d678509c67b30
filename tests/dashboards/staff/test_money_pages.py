"""What a page of money shows of the plaza's answers: every state has words, no cell is raw HTML."""

from __future__ import annotations

from typing import Any

import pytest

from dashboards.staff.money_pages import OUTCOMES, money_page
from dashboards.staff.passage_page import passage_page
from dashboards.staff.sessions import Sessions
from plaza_server.rules.coupons import HeldBy
from plaza_server.rules.etc_dues import MOVES
from plaza_server.rules.passages import LegState, Settled
from tests.dashboards.staff.test_money_view import NOW_MS, view
from tolling.orders import OrderState

NUMBER = "330101001001000000801"
DUE: dict[str, Any] = {
    "passage_id": NUMBER,
    "lane_id": "001",
    "tag_id": "<TAG>",
    "amount_fen": 1000,
    "txn_id": None,
    "state": "doubtful",
    "noted_ms": NOW_MS,
    "late": False,
}
HOLD: dict[str, Any] = {
    "hold_id": f"{NUMBER}C01",
    "passage_id": NUMBER,
    "lane_id": "001",
    "coupon_no": "<K>",
    "amount_fen": 500,
    "reserved_ms": NOW_MS,
    "held_by": "nothing",
}


def shown(*, dues: list[Any] | None = None, holds: list[Any] | None = None, role: str) -> str:
    """Return the page of somebody with a role."""
    session = Sessions(now_ms=lambda: 0).open(token="t", name="wang", role=role)
    return money_page(view(session=session), dues or [], holds or [])


def test_what_may_be_said_is_what_the_plaza_takes() -> None:
    """No choice that would be refused, none left out."""
    assert {(state, word) for state, words in OUTCOMES.items() for word in words} == {
        (state.value, word.value) for state, word in MOVES
    }


def test_nothing_that_waits_is_said_too() -> None:
    """An empty list is no missing one."""
    assert shown(role="admin").count("Nothing waits for a person") == 2


def test_texts_of_others_are_escaped() -> None:
    """A tag's number comes from a reader, a coupon's from an issuer."""
    page = shown(dues=[DUE], holds=[HOLD], role="shift_leader")
    assert "&lt;TAG&gt;" in page
    assert "&lt;K&gt;" in page
    assert "<TAG>" not in page


def test_only_a_shift_leader_is_offered_to_let_a_coupon_go() -> None:
    """Others are told who may."""
    assert 'name="reason"' in shown(holds=[HOLD], role="shift_leader")
    page = shown(holds=[HOLD], role="attendant")
    assert 'name="reason"' not in page
    assert "Only a shift leader" in page


@pytest.mark.parametrize("held", [each for each in HeldBy if each is not HeldBy.NOTHING])
def test_a_coupon_that_a_record_may_name_is_only_told(held: HeldBy) -> None:
    """And only once its record is a day late: until then its car may stand at the window."""
    young = HOLD | {"held_by": held.value}
    assert NUMBER not in shown(holds=[young], role="shift_leader")
    late = young | {"reserved_ms": NOW_MS - 86_400_000}
    page = shown(holds=[late], role="shift_leader")
    assert "over 24 h" in page
    assert 'name="reason"' not in page


@pytest.mark.parametrize("order", [None, *OrderState])
def test_a_passage_without_a_record_shows_its_legs(order: OrderState | None) -> None:
    """Each order state beside each state of a leg, and nothing as a bare code."""
    leg = {
        "tender": "alipay",
        "amount_fen": 2500,
        "named": False,
        "number": "N1",
        "order": order,
        "back_fen": 0,
    }
    legs = [leg | {"state": state.value} for state in LegState]
    found: dict[str, Any] = {
        "passage_id": NUMBER,
        "lane_id": "001",
        "record": None,
        "applied_fen": 0,
        "owed_fen": 2500,
        "legs": legs,
    }
    for settled in Settled:
        page = passage_page(view(), found | {"settled": settled.value})
        assert page.count("data-leg=") == len(LegState)
        assert "not here yet" in page
        for code in ("not_booked", "refund_due", "given_back"):
            assert f">{code}<" not in page
