"""Expectations are judged by what was seen, and every one of them can fail."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from simulator.auditor import (
    AuditedOrder,
    AuditedRecord,
    AuditedTransfer,
    CapturedTrade,
    DriverStory,
    Evidence,
    Finding,
    Tapped,
    Verdict,
)
from simulator.plant.events import Display
from simulator.scenarios.expectations import Came, Checked, Expectations, Shown, judge
from simulator.world.bills import BillCame
from tolling.ids import LaneId

DRIVER = DriverStory(
    lane_id="001",
    vehicle_id=1,
    plate=None,
    phone_fen=0,
    cash_fen=800,
    etc_fen=0,
    gone=True,
    backed_out=False,
)


def record(seq: int, **body: Any) -> AuditedRecord:
    """Return a record at the plaza."""
    whole = {"legs": [{"tender": "cash"}], "end": "passed", "unpaid_reason": None, **body}
    return AuditedRecord(
        lane_id="001",
        epoch=1,
        seq=seq,
        previous_hash="",
        chain_hash="",
        body=json.dumps(whole),
        plaza_id="320200",
    )


def alarm(code: str, *, raised: bool = True) -> Tapped:
    """Return an alarm on the wire."""
    text = json.dumps({"code": code, "raised": raised})
    return Tapped(at_us=1, channel="toll/320200/001/alarm", text=text)


SEEN = Evidence(
    at_rest=True,
    plant_log=(
        Display(at_us=2_000_000, lane=LaneId("001"), lines=("请出示付款码", "8.00元"), green=False),
    ),
    trades=(
        CapturedTrade(
            platform="alipay",
            out_trade_no="a",
            captured_fen=800,
            refunded_fen=300,
            paid_at_us=1,
            code_no=1,
        ),
    ),
    drivers=(DRIVER,),
    lane_records=(),
    plaza_records=(record(1), record(2, legs=[], end="backed_out", unpaid_reason="backed_out")),
    orders=(
        AuditedOrder(
            out_trade_no="a", state="paid", toll_fen=800, captured_fen=800, refunded_fen=300
        ),
    ),
    transfers=(),
    tapped=(alarm("disk_full"), alarm("plaza_lost", raised=False)),
    texts=(),
    codes=(),
    restarts=(),
    misread_plates=False,
)


def came(evidence: Evidence = SEEN, *findings: Finding, at_rest: bool = True) -> Came:
    """Return a run that ended after 90 s."""
    return Came(
        evidence=evidence,
        verdict=Verdict(findings=findings),
        at_rest=at_rest,
        ended_us=90_000_000,
    )


def wrong(expected: Expectations, run: Came | None = None) -> list[Checked]:
    """Return the expectations that were not met."""
    return [check for check in judge(expected, run or came()) if not check.ok]


def test_a_clean_run_is_what_a_file_that_says_nothing_expects() -> None:
    """No rule broken, everybody gone, at rest."""
    assert wrong(Expectations()) == []
    assert len(judge(Expectations(), came())) == 3


def test_a_broken_rule_fails_a_file_that_says_nothing() -> None:
    """The auditor's finding is told as a count of its rule."""
    (check,) = wrong(Expectations(), came(SEEN, Finding(rule="B1", what="struck")))
    assert (check.what, check.seen) == ("no rule is broken", "B1 1")


def test_a_car_that_stays_fails_a_file_that_says_nothing() -> None:
    """So does a plaza that comes to no rest, and a lane that caught a fault of its own."""
    stays = replace(SEEN, drivers=(replace(DRIVER, gone=False),), tapped=(alarm("core_fault"),))
    said = [check.what for check in wrong(Expectations(), came(stays, at_rest=False))]
    assert said == [
        "comes to rest",
        "every vehicle left the lanes",
        "no lane catches a fault of its own",
    ]


@pytest.mark.parametrize(
    ("right", "not_so"),
    [
        ({"gone": 1}, {"gone": 0}),
        ({"tenders": {"cash": 1, "none": 1}}, {"tenders": {"cash": 1}}),
        ({"orders": {"paid": 1, "closed": 0}}, {"orders": {}}),
        ({"ends": {"passed": 1, "backed_out": 1}}, {"ends": {"passed": 2}}),
        ({"unpaid": {"backed_out": 1}}, {"unpaid": {"exempt": 1}}),
        ({"records": 2}, {"records": 3}),
        ({"captured_fen": 800}, {"captured_fen": 801}),
        ({"refunded_fen": 300}, {"refunded_fen": 0}),
        ({"kept_fen": 500}, {"kept_fen": 800}),
        ({"cash_fen": 800}, {"cash_fen": 0}),
        ({"alarms": ("disk_full",)}, {"alarms": ("plaza_lost",)}),
        ({"no_alarms": ("plaza_lost",)}, {"no_alarms": ("disk_full",)}),
        ({"rest_before_us": 90_000_000}, {"rest_before_us": 89_000_000}),
        ({"shown": (Shown(text="8.00"),)}, {"shown": (Shown(text="9.00"),)}),
        (
            {"shown": (Shown(text="付款码", lane="001", before_us=2_000_001),)},
            {"shown": (Shown(text="付款码", before_us=2_000_000),)},
        ),
        (
            {"never_shown": (Shown(text="付款码", lane="002"),)},
            {"never_shown": (Shown(text="付款码", after_us=1_000_000),)},
        ),
        (
            {"shown": (Shown(text="付款码", after_us=1_999_999),)},
            {"shown": (Shown(text="付款码", after_us=2_000_000),)},
        ),
    ],
)
def test_each_expectation_is_met_or_not(right: dict[str, Any], not_so: dict[str, Any]) -> None:
    """What was seen meets the one and fails the other, and nothing else."""
    assert wrong(Expectations(**right)) == []
    assert len(wrong(Expectations(**not_so))) == 1


def test_an_expected_violation_must_come() -> None:
    """A file may show what a bug does: its rule is broken as often as it says."""
    broken = came(SEEN, Finding(rule="M1", what="a fen"))
    assert wrong(Expectations(violations={"M1": 1}), broken) == []
    assert len(wrong(Expectations(violations={"M1": 2}), broken)) == 1
    assert len(wrong(Expectations(violations={"M1": 1}))) == 1


def closed(held_fen: int = 500) -> Came:
    """Return a run whose day was closed, the ledger holding so much of the platform's 500 fen."""
    moved = AuditedTransfer(
        transfer_id="t",
        debit="clearing:alipay",
        credit="suspense",
        amount_fen=held_fen,
        kind="posted",
        pending_id=None,
    )
    pending = replace(moved, transfer_id="p", kind="pending")
    bill = BillCame(found={"LONG": 1, "DAY": 1}, left=1, unexplained_fen=800)
    return replace(came(replace(SEEN, transfers=(moved, pending))), bill=bill)


@pytest.mark.parametrize(
    ("right", "not_so"),
    [
        ({"differences": {"LONG": 1, "DAY": 1}}, {"differences": {"LONG": 1}}),
        ({"left_for_a_person": 1}, {"left_for_a_person": 0}),
        ({"unexplained_fen": 800}, {"unexplained_fen": 0}),
    ],
)
def test_what_a_bill_found_is_expected_or_not(
    right: dict[str, Any], not_so: dict[str, Any]
) -> None:
    """Where no day was closed nothing of it can come."""
    assert wrong(Expectations(**right), closed()) == []
    assert len(wrong(Expectations(**not_so), closed())) == 1
    (check,) = wrong(Expectations(**right))
    assert check.what == "the day is closed by its bill"


def test_a_ledger_that_holds_another_sum_than_the_platforms_fails_every_closed_day() -> None:
    """To the fen, whatever the file says."""
    (check,) = wrong(Expectations(), closed(held_fen=501))
    assert (check.what, check.seen) == (
        "clearing, fees and differences hold what the platforms do: 500 fen",
        "501 fen",
    )
