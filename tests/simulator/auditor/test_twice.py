"""M1: one tender of a vehicle is kept, and no second one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from simulator.auditor.twice import m1_twice as subject
from tests.simulator.auditor.runs import body, chain, clean_run

RUN = clean_run()
PAID = (replace(RUN.trades[0], payer=1),)
AND_CASH = (replace(RUN.drivers[0], cash_fen=2500),)


def found(by_tag: frozenset[int] = frozenset(), **changes: Any) -> list[str]:
    """Return what is found where vehicle 1 paid by phone, with *changes*."""
    return list(subject(clean_run(**({"trades": PAID} | changes)), set(by_tag)))


def test_one_tender_is_well_and_two_are_not() -> None:
    """Phone and cash, phone and tag, phone twice."""
    again = replace(PAID[0], out_trade_no="B", code_no=2)
    assert found() == []
    assert found(drivers=AND_CASH) == [
        "vehicle 1 paid 2 times: 2500 by phone, 2500 in cash, 0 by tag"
    ]
    assert found(frozenset({1}), drivers=(replace(RUN.drivers[0], etc_fen=2500),))
    assert found(drivers=(replace(RUN.drivers[0], etc_fen=500),)) == [], "a part is no second one"
    assert found(trades=(*PAID, again))
    assert found(trades=(*PAID, replace(again, refunded_fen=2500))) == []


def test_what_nobody_can_help_is_not_held_against_a_lane() -> None:
    """A borrowed code, a refund that is refused for good, a vehicle in doubt after an outage, and a
    run that is still under way."""
    stuck = (replace(RUN.orders[0], state="refund_stuck"),)
    doubted = chain(body(), body(end="left_during_outage"))
    assert found(drivers=AND_CASH, borrowed=((2, 1),)) == []
    assert found(drivers=AND_CASH, orders=stuck) == []
    assert found(drivers=AND_CASH, lane_records=doubted) == []
    assert found(drivers=AND_CASH, at_rest=False) == []
    elsewhere = tuple(replace(record, lane_id="002") for record in doubted)
    assert found(drivers=AND_CASH, lane_records=elsewhere)
