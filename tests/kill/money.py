"""What must hold of money after a campaign, by the platform's books and by plain SQL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from tests.kill.campaign import must
from tests.kill.office import FEE_FEN, TOLL_FEN
from tests.kill.office_campaigns import MISTAKES, Outcome

KINDS = ("at", "name", "number", "when")


def died_everywhere(outcomes: Iterable[Outcome]) -> None:
    """The process died at every point all work has, and only of that."""
    for outcome in outcomes:
        planned = _kinds(outcome.points)
        struck = _kinds(outcome.struck)
        assert struck <= planned
        assert _kinds(point for point in outcome.points if must(point, outcome.steps)) <= struck
        assert len(planned - struck) <= len(planned) // 5, sorted(planned - struck)
        assert set(outcome.statuses) == {-9}
        assert len(outcome.statuses) == len(outcome.struck)


def _kinds(points: Iterable[dict[str, Any]]) -> set[tuple[Any, ...]]:
    return {tuple(point[kind] for kind in KINDS) for point in points}


def books_agree(outcome: Outcome) -> None:
    """Platform, records, claims and ledger say the same, to the fen."""
    claimed: Counter[str] = Counter()
    for claim in outcome.claims:
        claimed[claim["out_trade_no"]] += claim["amount_fen"]
    named = outcome.legs_fen
    unnamed = {each["out_trade_no"] for each in outcome.orders if each["state"] == "paid"}
    unnamed -= set(named)
    for trade in outcome.trades:
        number = trade["out_trade_no"]
        # Whose passage is not over is waited for: its money is in suspense.
        due = TOLL_FEN if number in unnamed else named.get(number, 0)
        assert trade["captured_fen"] - trade["refunded_fen"] == due - claimed[number], number
    assert set(named) <= {trade["out_trade_no"] for trade in outcome.trades}
    kept = sum(trade["captured_fen"] - trade["refunded_fen"] for trade in outcome.trades)
    accounts = outcome.balances
    held = ("clearing:alipay", "differences:alipay", "fees:alipay")
    assert sum(accounts.get(name, 0) for name in held) == kept
    assert accounts.get("suspense", 0) == -TOLL_FEN * len(unnamed)
    assert accounts.get("refund_due", 0) == 0
    assert outcome.verified["problems"] == 0


def same_day(outcomes: list[Outcome]) -> None:
    """Every run that was killed ended as the one that was not."""
    for outcome in outcomes:
        calm, *others = outcome.states
        assert len(others) >= len(outcome.struck)
        for state in others:
            assert state == calm
        assert {each[0] for each in calm["found"]} == {"LONG", "SHORT", "AMOUNT", "DUP"}
        assert {each[0] for each in calm["found_before"]} == {"DAY"}
        # A rule healed what the bill alone knew: an order nobody could ask about is paid.
        (healed,) = (each for each in calm["found"] if not each[-1])
        assert healed[0] == "LONG"
        assert {order["state"] for order in calm["orders"]} == {"paid"}
        assert (calm["left"], calm["matched"]) == (len(MISTAKES) - 1, 5)
        # One nobody's, one missing, one yuan more, one twice: what a person has to explain.
        assert calm["difference_fen"] == TOLL_FEN + 100
        # Of nine rows; one of them 54.00 + 1.00.
        fees = sum(row[3] for row in calm["transfers"] if row[0].count("/fee/"))
        assert fees >= 9 * FEE_FEN
