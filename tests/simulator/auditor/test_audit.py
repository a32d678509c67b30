"""The auditor is silent about a clean run and names the rule of every spoilt one."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from simulator.auditor import (
    CHECKS,
    AuditedClaim,
    AuditedTransfer,
    Restart,
    Tapped,
    TextSource,
    audit,
)
from simulator.plant.events import Heading, Strike, StrikeCause, What
from simulator.plant.vehicles import VehicleId
from tests.simulator.auditor import runs
from tolling.inputs import Output

BASE = runs.clean_run()
TRADE = BASE.trades[0]
DRIVER = BASE.drivers[0]
STORED = BASE.orders[0]


def rules(**changes: Any) -> set[str]:
    """Return the rules broken in the clean run with *changes*."""
    return {finding.rule for finding in audit(runs.clean_run(**changes)).findings}


def test_a_clean_run_breaks_nothing() -> None:
    """A car that pays and passes gives no finding, and unbuilt checks say null."""
    subject = audit(BASE)
    assert subject.clean
    assert subject.violations == {
        rule: (0 if check is not None else None) for rule, check in CHECKS.items()
    }
    assert list(subject.violations)[:7] == [f"M{n}" for n in range(1, 8)]


def records(**changes: Any) -> dict[str, Any]:
    """Return both stores holding one record with *changes*."""
    sealed = runs.chain(runs.body(**changes))
    return {"lane_records": sealed, "plaza_records": sealed}


def answered(state: str) -> tuple[Tapped, ...]:
    """Return an answer seen on the wire."""
    text = json.dumps({"out_trade_no": runs.ORDER, "state": state})
    return (Tapped(at_us=1, channel="GET /v1/payments/x", text=text),)


SPOILT: list[tuple[str, str, dict[str, Any]]] = [
    ("legs do not sum", "M1", records(toll_due_fen=3000)),
    ("a capture nobody names", "M1", records(legs=[], unpaid_reason="released")),
    ("refunded behind the record", "M1", {"trades": (replace(TRADE, refunded_fen=2500),)}),
    ("named, never captured", "M1", {"trades": ()}),
    ("the driver paid twice", "M1", {"drivers": (replace(DRIVER, cash_fen=2500),)}),
    ("an open order", "M2", {"orders": (replace(STORED, state="unknown"),)}),
    ("a refund that never came", "M2", {"orders": (replace(STORED, state="refund_due"),)}),
    ("a record lost on the way", "M3", {"plaza_records": ()}),
    ("paid, and forgotten", "M3", {"orders": ()}),
    ("paid by nobody", "M4", {"trades": (replace(TRADE, captured_fen=0),)}),
    ("refused, and charged", "M4", {"orders": (replace(STORED, state="refused"),)}),
    ("a code in a message", "M7", {"tapped": (Tapped(at_us=1, channel="x", text=runs.CODE),)}),
    (
        "a code in a log",
        "M7",
        {"texts": (TextSource(name="lane.log", data=f"scan {runs.CODE}".encode()),)},
    ),
    (
        "one code, two orders",
        "M7",
        {"trades": (TRADE, replace(TRADE, out_trade_no="B", captured_fen=0))},
    ),
    ("lowered too soon", "B1", {"plant_log": runs.road(lower_s=10.5)}),
    ("a car still waits", "A1", {"drivers": (replace(DRIVER, gone=False),)}),
    ("nobody let it pass", "B2", records(authorised_by="nobody")),
    ("one passed unrecorded", "B2", {"lane_records": (), "plaza_records": ()}),
    (
        "raised for nobody",
        "B2",
        {"plant_log": (*runs.road(), *runs.pulse(30, Output.RAISE, Heading.UP))},
    ),
    (
        "lowered while rising",
        "B4",
        {
            "plant_log": (
                *runs.road(),
                *runs.pulse(30, Output.RAISE, Heading.UP),
                *runs.pulse(30.2, Output.LOWER, Heading.DOWN),
            )
        },
    ),
]


@pytest.mark.parametrize(("name", "rule", "changes"), SPOILT, ids=[each[0] for each in SPOILT])
def test_a_spoilt_run_breaks_its_rule(name: str, rule: str, changes: dict[str, Any]) -> None:
    """Each single fault is found under its rule."""
    assert rule in rules(**changes), name


def test_a_boom_on_a_roof_breaks_b1() -> None:
    """A strike while lowering is found whatever the detectors said."""
    strike = Strike(
        at_us=13_000_000,
        lane=runs.LANE,
        vehicle_id=VehicleId(1),
        cause=StrikeCause.LOWERED_ON,
        angle_mdeg=45_000,
        lowering=True,
    )
    assert "B1" in rules(plant_log=(*runs.road(), strike))


def test_a_lower_after_a_start_breaks_b3() -> None:
    """Nothing is lowered between a start and the end of a presence, but what was owed before."""
    late = Restart(at_us=20_000_000, process="lane 001", lane_id="001")
    log = (*runs.road(), *runs.pulse(21, Output.LOWER, Heading.DOWN))
    assert "B3" in rules(restarts=(late,), plant_log=log)
    for at_us in (500_000, 11_000_000):
        restart = Restart(at_us=at_us, process="lane 001", lane_id="001")
        assert "B3" not in rules(restarts=(restart,))


def test_a_changed_or_missing_record_breaks_m6() -> None:
    """A changed byte, a gap and a fork are each found."""
    first, second = runs.chain(runs.body(), runs.body(legs=[], unpaid_reason="violation"))
    forged = replace(first, body=first.body.replace("2500", "9500"))
    assert "M6" in rules(plaza_records=(forged,))
    gap = replace(second, seq=3)
    assert "M6" in rules(plaza_records=(first, gap))
    fork = replace(second, previous_hash="0" * 64)
    assert "M6" in rules(plaza_records=(first, fork))


def test_a_pending_transfer_ended_twice_breaks_m5() -> None:
    """One pending transfer is posted or voided once, with its own amount."""
    again = AuditedTransfer(
        transfer_id="3",
        debit="clearing:alipay",
        credit="suspense",
        amount_fen=2500,
        kind="void",
        pending_id="1",
    )
    assert "M5" in rules(transfers=(*BASE.transfers, again))
    other = replace(BASE.transfers[1], amount_fen=2400)
    assert "M5" in rules(transfers=(BASE.transfers[0], other))


def booked(name: str, debit: str, credit: str, amount_fen: int = 1000) -> AuditedTransfer:
    """Return a transfer that moves its amount at once."""
    return AuditedTransfer(
        transfer_id=name,
        debit=debit,
        credit=credit,
        amount_fen=amount_fen,
        kind="posted",
        pending_id=None,
    )


def test_what_a_claim_gave_back_is_no_breach() -> None:
    """The record stands, the platform holds less by what was granted later, and no fen else."""
    claim = AuditedClaim(claim_id="c", out_trade_no=runs.ORDER, amount_fen=1000, state="refunded")
    rows = (
        booked("due", "revenue:alipay:330101", "refund_due"),
        booked("back", "refund_due", "clearing:alipay"),
    )
    back = {
        "claims": (claim,),
        "trades": (replace(TRADE, refunded_fen=1000),),
        "drivers": (replace(DRIVER, phone_fen=1500),),
        "transfers": (*BASE.transfers, *rows),
    }
    assert rules(**back) == set()
    assert "M1" in rules(**{**back, "claims": ()})
    assert "M1" in rules(**{**back, "trades": BASE.trades})
    assert "M1" in rules(**{**back, "drivers": BASE.drivers})
    for state in ("approved", "sending"):
        resting = (replace(claim, state=state),)
        assert "M2" in rules(**{**back, "claims": resting})
    cash = AuditedClaim(claim_id="c", out_trade_no=None, amount_fen=1000, state="approved")
    assert rules(claims=(cash,), transfers=(*BASE.transfers, rows[0])) == set()


def test_money_owed_in_the_ledger_alone_breaks_m5() -> None:
    """refund_due is what orders and claims are owed; an account outside the chart is none."""
    due = booked("due", "suspense", "refund_due")
    assert rules(transfers=(*BASE.transfers, due)) == {"M5"}
    pocket = booked("x", "pocket", "suspense")
    assert rules(transfers=(*BASE.transfers, pocket)) == {"M5"}


def test_an_unfinished_run_is_not_judged_for_liveness() -> None:
    """While faults run, open orders and waiting cars are no breach."""
    orders = (replace(STORED, state="unknown"),)
    drivers = (replace(DRIVER, gone=False),)
    assert rules(at_rest=False, orders=orders, drivers=drivers) == set()


def test_a_fresh_edge_need_not_be_known() -> None:
    """A car that comes under the boom within the reading time before the pulse is no breach."""
    late = (*runs.road(), runs.edge(11.95, What.LOOP_2, True))
    log = tuple(sorted(late, key=lambda entry: entry.at_us))
    assert "B1" not in rules(plant_log=log)
