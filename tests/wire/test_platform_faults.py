"""The payment platform misbehaves on its real wire: the driver is charged once and goes.

The plaza keeps all its bounds here; only its call limits come from its file. Each trouble has a
lane of its own and they are started one after the other, so that their waits run side by side.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from simulator.stack.nursery import Nursery
from simulator.stack.part import until
from simulator.stack.plan import Plan
from simulator.stack.stack import Stack

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.long]
TOLL_FEN = 5_400
LIMITS = {"order_deadline_ms": 2_000}
TROUBLES: dict[str, dict[str, Any]] = {
    "answer_lost": {"calls": ["pay"]},
    "slow": {"calls": ["pay"], "ms": 30_000},
    "password_wait": {"calls": ["pay"], "ms": 5_000},
    "bad_signature": {"calls": ["pay"]},
    "half_answer": {"calls": ["pay"]},
    "duplicate_node": {"calls": ["pay"]},
}


@dataclass(kw_only=True)
class Troubled:
    """One car under one trouble."""

    kind: str
    lane: str
    vehicle: int
    passage: str


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, true_nursery: Nursery) -> Iterator[Stack]:
    """Give a stack with a lane for each trouble."""
    lanes = tuple(f"{number:03d}" for number in range(1, len(TROUBLES) + 1))
    slow = {"pay_ms": 1_000, "other_ms": 1_500}
    plan = Plan(lanes=lanes, limits=LIMITS, platforms={"alipay": slow})
    subject = Stack(tmp_path_factory.mktemp("f") / "s", true_nursery, plan)
    with subject.running():
        yield subject


@pytest.fixture(scope="module")
def troubled(stack: Stack) -> dict[str, Troubled]:
    """Give a car for each trouble, all gone and everything at rest."""
    found: dict[str, Troubled] = {}
    for lane, (kind, more) in zip(stack.plan.lanes, TROUBLES.items(), strict=True):
        number = stack.site.platform_fault(kind, **more)
        vehicle = stack.site.spawn(lane)
        passage = until(partial(_passage, stack, lane), "the car at the window")
        until(partial(_fired, stack, number), f"{kind} to strike")
        found[kind] = Troubled(kind=kind, lane=lane, vehicle=vehicle, passage=passage)
    stack.wait_gone(len(TROUBLES))
    stack.wait_rest()
    return found


def _passage(stack: Stack, lane: str) -> str:
    arriving = stack.view(lane)["arriving"]
    return arriving["passage_id"] if arriving else ""


def _fired(stack: Stack, number: int) -> bool:
    faults = stack.site.platform("GET", "/faults")["faults"]
    return any(one["fault_id"] == number and one["fired"] for one in faults)


@pytest.mark.parametrize("kind", TROUBLES)
def test_the_driver_is_charged_once_and_goes(
    stack: Stack, troubled: dict[str, Troubled], kind: str
) -> None:
    """One trade at the platform, one leg on the record, no cash, and the money was taken once."""
    subject = troubled[kind]
    trades = [t for t in stack.site.trades() if t["out_trade_no"].startswith(subject.passage)]
    assert [(t["captured_fen"], t["refunded_fen"]) for t in trades] == [(TOLL_FEN, 0)]
    (record,) = [r for r in stack.records() if r["passage_id"] == subject.passage]
    assert [(leg["tender"], leg["amount_fen"]) for leg in record["legs"]] == [("alipay", TOLL_FEN)]
    memory = stack.site.memory(subject.vehicle)
    assert memory["paid_fen"] == TOLL_FEN
    assert memory["asked_cash_us"] is None
    (order,) = stack.orders(f"passage_id = '{subject.passage}'")
    assert (order["state"], order["captured_fen"]) == ("paid", TOLL_FEN)


def test_pay_was_sent_once_whatever_came_back(stack: Stack, troubled: dict[str, Troubled]) -> None:
    """After any doubt nobody sends pay again: only queries follow."""
    for subject in troubled.values():
        calls = [c for c in stack.site.calls() if c["out_trade_no"].startswith(subject.passage)]
        assert [c["method"] for c in calls].count("alipay.trade.pay") == 1


def test_nobody_waits_for_the_platform_longer_than_a_query_takes(
    stack: Stack, troubled: dict[str, Troubled]
) -> None:
    """A lost, slow or unprovable answer costs the call's limit and a query, never the 30 s."""
    for kind in ("answer_lost", "slow", "bad_signature", "half_answer", "duplicate_node"):
        memory = stack.site.memory(troubled[kind].vehicle)
        shown_us = memory["codes_shown"][0][0]
        assert memory["went_us"] - shown_us < 6_000_000, kind
    memory = stack.site.memory(troubled["password_wait"].vehicle)
    waited_us = memory["went_us"] - memory["codes_shown"][0][0]
    assert 5_000_000 <= waited_us < 9_000_000


def test_the_auditor_finds_nothing(stack: Stack, troubled: dict[str, Troubled]) -> None:
    """Money and barrier rules held in every lane."""
    assert troubled
    assert stack.audit().findings == ()
