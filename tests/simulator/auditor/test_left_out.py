"""M1 while a run goes on: what no record names is due in the commit that learns of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulator.auditor import CaptureStood, audit
from tests.simulator.auditor.runs import ORDER, S, clean_run

LEFT_OUT = CaptureStood(
    at_us=90 * S,
    out_trade_no=ORDER,
    state="refund_due",
    toll_fen=2500,
    captured_fen=2500,
    due_fen=2500,
    recorded=True,
)


def found(*captures: CaptureStood, at_rest: bool = True) -> list[str]:
    """Return what M1 says of the clean run with captures that stood so."""
    findings = audit(clean_run(captures=captures, at_rest=at_rest)).findings
    return [each.what for each in findings if each.rule == "M1"]


@pytest.mark.parametrize(
    "state", ["refund_due", "refunding", "refunded", "refund_stuck", "mismatch"]
)
def test_a_capture_that_is_owed_or_given_back_breaks_nothing(state: str) -> None:
    """The record leaves it out, and it is due with all that was captured."""
    assert found(replace(LEFT_OUT, state=state)) == []


@pytest.mark.parametrize("state", ["paid", "closed", "refused", "closing", "unknown"])
def test_a_capture_left_out_and_not_owed_is_found_once(state: str) -> None:
    """It stood so behind two commits, and was due behind the third: too late."""
    wrong = replace(LEFT_OUT, state=state)
    later = replace(LEFT_OUT, at_us=120 * S)
    what = f"order {ORDER}: its passage's record leaves it out, and its state is {state}"
    assert found(wrong, replace(wrong, at_us=95 * S), later) == [
        f"{what}, behind a commit at {90 * S} us"
    ]


@pytest.mark.parametrize("due_fen", [0, 2499, 5000])
def test_what_is_due_and_not_booked_whole_is_found(due_fen: int) -> None:
    """The order says refund_due, and the ledger another sum."""
    assert len(found(replace(LEFT_OUT, due_fen=due_fen))) == 1


def test_nothing_is_given_back_before_the_record_is_there() -> None:
    """But for another amount than was asked for, and what the platform itself has given back."""
    early = replace(LEFT_OUT, recorded=False)
    for state in ("refund_due", "refunding"):
        assert len(found(replace(early, state=state))) == 1
        assert found(replace(early, state=state, captured_fen=2600)) == []
    for state in ("refunded", "mismatch", "paid", "closing"):
        assert found(replace(early, state=state)) == []


def test_a_run_that_is_not_at_rest_is_judged_as_well() -> None:
    """It holds behind every commit, whatever comes after."""
    assert len(found(replace(LEFT_OUT, state="paid"), at_rest=False)) == 1
