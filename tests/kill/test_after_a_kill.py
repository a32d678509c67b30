"""What a restarted process finds, and what it makes of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from simulator.plant import Contact
from simulator.stack import evidence
from simulator.stack.nursery import Nursery
from simulator.stack.part import until
from simulator.stack.plan import PLAZA, QUICK, Plan
from simulator.stack.site_client import ask
from simulator.stack.stack import Stack
from tolling.inputs import Output

pytestmark = [pytest.mark.kill, pytest.mark.slow]
LANE = "001"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, nursery: Nursery) -> Iterator[Stack]:
    """Give one stack for the whole file; each test leaves it at rest and the books clean."""
    subject = Stack(tmp_path_factory.mktemp("a") / "s", nursery, Plan(lanes=(LANE,), limits=QUICK))
    with subject.running():
        subject.shows(LANE, "欢迎")
        yield subject


@pytest.fixture(autouse=True)
def clean(stack: Stack) -> Iterator[None]:
    """Ask the auditor after each test."""
    yield
    assert stack.audit().findings == ()


def plan(stack: Stack, part: str, **point: Any) -> None:
    """Have *part* killed at a point of the next payment."""
    path = stack.parts[part].plan
    assert path is not None
    path.write_text(json.dumps(point))


def lower_and_raise_pulses(stack: Stack) -> list[Contact]:
    """Return every pulse the boom ever got."""
    log = stack.gather().plant_log
    return [entry for entry in log if isinstance(entry, Contact) and entry.closed]


def last_record(stack: Stack) -> Any:
    """Return the body of the record that came last."""
    return stack.records()[-1]


@pytest.mark.long
def test_the_resolver_finds_a_charge_whose_answer_died_with_the_plaza(stack: Stack) -> None:
    """The plaza dies between the platform's charge and its own commit; the charge is found."""
    plan(stack, "plaza", at="send", name="trade.pay", number=1, when="after")
    deaths = len(stack.plaza.statuses)
    car = stack.site.spawn(LANE)
    until(lambda: len(stack.plaza.statuses) > deaths, "the plaza to die")
    until(lambda: stack.site.memory(car)["gone_us"], "the car to leave", 40)
    stack.wait_rest()
    trade = stack.site.trades()[-1]
    order = stack.orders(f"out_trade_no = '{trade['out_trade_no']}'")[0]
    assert trade["captured_fen"] == order["captured_fen"] == 5_400
    pays = [c for c in stack.site.calls() if c["method"].endswith("trade.pay")]
    assert [c["out_trade_no"] for c in pays].count(trade["out_trade_no"]) == 1


def test_a_cancel_of_an_unknown_number_keeps_a_late_payment_from_the_platform(
    stack: Stack,
) -> None:
    """The tombstone is stored, lives through kill -9, and answers the late POST."""
    token = (stack.layout.lane(LANE) / "plaza.token").read_text().strip()
    passage = f"{PLAZA}{LANE}001999999999"
    number = f"{passage}A01"
    calls = len(stack.site.calls())

    def lane_asks(path: str, body: object) -> Any:
        return ask(stack.plaza.facts["url"], "POST", path, body, token=token)

    assert lane_asks(f"/v1/payments/{number}/cancel", b"")["state"] == "closed"
    stack.plaza.kill()
    stack.plaza.wait_up()
    code = stack.site.platform("POST", "/codes", {"buyer_id": "late"})["code"]
    body = {
        "passage_id": passage,
        "attempt": 1,
        "lane_id": LANE,
        "toll_fen": 5_400,
        "tariff_id": f"T{PLAZA}",
        "tariff_version": 1,
        "tariff_row": 1,
        "vehicle_class": 1,
        "plate": None,
        "wallet": "alipay",
        "deadline_ms": 2_000,
        "pay_code": code,
    }
    assert lane_asks("/v1/payments", body)["state"] == "closed"
    assert len(stack.site.calls()) == calls
    (order,) = stack.orders(f"out_trade_no = '{number}'")
    assert (order["state"], order["captured_fen"]) == ("closed", 0)


@pytest.mark.long
def test_a_refund_that_was_due_is_carried_out_by_the_next_plaza(stack: Stack) -> None:
    """The car pays and backs out; the plaza dies with the refund stored and unsent."""
    stack.site.platform_fault("http_5xx", calls=["refund"], times=2)
    car = stack.site.spawn(LANE, "pays_and_backs_out")
    until(lambda: stack.orders("state IN ('refund_due', 'refunding')"), "a refund to be due", 40)
    stack.plaza.kill()
    stack.plaza.wait_up()
    stack.wait_rest()
    number = stack.orders("state = 'refunded'")[-1]["out_trade_no"]
    (trade,) = [t for t in stack.site.trades() if t["out_trade_no"] == number]
    assert trade["captured_fen"] == trade["refunded_fen"] == 5_400
    assert stack.site.memory(car)["paid_fen"] == 0
    assert last_record(stack)["end"] == "backed_out"


def test_the_same_car_is_known_by_the_loops_after_a_short_outage(stack: Stack) -> None:
    """It stands before the boom that is down: its passage goes on and it pays as the same."""
    car = stack.site.spawn(LANE, "slow_phone")
    stack.shows(LANE, "请出示付款码")
    passage = stack.view(LANE)["arriving"]["passage_id"]
    stack.lane(LANE).kill()
    stack.lane(LANE).wait_up()
    until(lambda: stack.site.memory(car)["gone_us"], "the car to leave", 40)
    stack.wait_rest()
    record = last_record(stack)
    assert (record["passage_id"], record["end"]) == (passage, "passed")
    assert "restart" in record["remarks"]
    assert len(record["legs"]) == 1


def test_a_car_that_paid_and_left_while_the_lane_was_down_keeps_what_it_paid(
    stack: Stack,
) -> None:
    """The boom was up for it; the next car in its place is a passage of its own and pays itself."""
    plan(stack, f"lane {LANE}", at="commit", name="any", number=6, when="after")
    lane = stack.lane(LANE)
    deaths = len(lane.statuses)
    records = len(stack.records())
    cars = [stack.site.spawn(LANE), stack.site.spawn(LANE)]
    lane.kept = False
    until(lambda: len(lane.statuses) > deaths, "the lane to die")
    until(lambda: stack.site.lane(LANE)["view"]["boom_up"], "the boom to be up")
    if not stack.site.memory(cars[0])["went_us"]:
        # Its lamp is dark since the lane died before it was green: the booth waves it through.
        stack.site.ask("POST", f"/lanes/{LANE}/boom", {"action": "hand_up"})
    lane.kept = True
    lane.start()
    stack.wait_left(*cars)
    stack.wait_rest()
    found = stack.records()[records:]
    assert [len(record["legs"]) for record in found] == [1, 1]
    assert found[0]["end"] in ("passed", "left_during_outage")
    assert found[1]["end"] == "passed"
    raises = [p for p in lower_and_raise_pulses(stack) if p.output is Output.RAISE]
    assert raises


def test_notices_live_through_kill_9_of_the_broker(stack: Stack) -> None:
    """What was not acknowledged is said again once the broker is back, in order, and kept until
    then."""
    heard = len(stack.wires.messages("event"))
    stack.kill_broker()
    until(lambda: not stack.health(LANE)["broker_up"], "the lane to miss the broker")
    stack.site.spawn(LANE)
    until(lambda: stack.site.status()["lanes"][LANE]["vehicles"] == [], "the car to leave", 40)
    journal = stack.layout.journal(LANE)
    kept = evidence.rows(journal, "SELECT number, body FROM notices ORDER BY number")
    assert kept
    stack.lane(LANE).kill()
    stack.lane(LANE).wait_up()
    stack.start_broker()
    until(lambda: not evidence.rows(journal, "SELECT number FROM notices"), "the notices to go", 30)
    said = stack.wires.messages("event")[heard:]
    names = [json.loads(row["body"]).get("name") for row in kept]
    told = [notice["name"] for notice in said]
    for name in names:
        assert name is None or name in told
