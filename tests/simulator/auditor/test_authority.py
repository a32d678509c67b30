"""B2: who was let through by a person is who that person meant."""

from __future__ import annotations

from typing import Any

from simulator.auditor import Ordered, audit
from tests.simulator.auditor.runs import S, body, chain, clean_run

ORDER = Ordered(lane_id="001", at_us=5 * S, passage_id="P1", vehicle_id=1)


def rules(*ordered: Ordered, told: bool = True, **changes: Any) -> set[str]:
    """Return the rules broken where a person let the one vehicle through."""
    plain = {"authorised_by": "attendant", "unpaid_reason": "released", "legs": []}
    records = chain(body(passage_id="P1", **(plain | changes)))
    run = clean_run(
        lane_records=records,
        plaza_records=records,
        trades=(),
        drivers=(),
        orders=(),
        transfers=(),
        tapped=(),
        ordered=ordered if told else None,
    )
    return {finding.rule for finding in audit(run).findings}


def test_an_order_for_that_passage_and_vehicle_is_its_authority() -> None:
    """Also one that was given before anybody stood at the window; and nothing is judged where
    nobody wrote orders down."""
    assert rules(ORDER) == set()
    assert rules(Ordered(lane_id="001", at_us=5 * S, passage_id="P1", vehicle_id=None)) == set()
    assert rules(told=False) == set()


def test_an_order_for_another_passage_or_none_is_not() -> None:
    """A raise that was meant for the one before lets this one through."""
    assert rules() == {"B2"}
    assert rules(Ordered(lane_id="001", at_us=5 * S, passage_id="P0", vehicle_id=1)) == {"B2"}
    assert rules(Ordered(lane_id="001", at_us=5 * S, passage_id=None, vehicle_id=1)) == {"B2"}


def test_another_vehicle_than_the_one_that_was_meant_is_found() -> None:
    """It never went through after the order: somebody else did, on its authority."""
    assert rules(Ordered(lane_id="001", at_us=5 * S, passage_id="P1", vehicle_id=2)) == {"B2"}
    late = Ordered(lane_id="001", at_us=11 * S, passage_id="P1", vehicle_id=1)
    assert rules(late) == {"B2"}
    assert rules(late, end="backed_out", unpaid_reason="backed_out") <= {"B2"}


def test_who_paid_needs_nobody() -> None:
    """A tender is an authority of its own."""
    assert "B2" not in rules(authorised_by="tender", unpaid_reason="released")
