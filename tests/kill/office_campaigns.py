"""Kills plaza processes at every commit and send of a payment, a claim's refund and a day's bill.

With one process the one that died is started again and finishes; with two on PostgreSQL it stays
dead until the other has finished alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from simulator.stack.nursery import Nursery
from simulator.stack.part import until
from tests.kill.campaign import PLAZA_STEPS, TRIES, TRIES_MAX, Steps, must, points_of
from tests.kill.office import WORK_S, Office

REFUND_STEPS: Steps = {
    ("commit", "AskRefund"): 1,
    ("commit", "DecideClaim"): 1,
    ("commit", "ApplyClaim"): 2,
    ("send", "trade.refund"): 1,
    ("send", "trade.fastpay.refund.query"): 1,
}
"""Asked for, approved, begun, sent, proven by a query, and that written down."""
BILL_QUERY = "data.dataservice.bill.downloadurl.query"
BILL_STEPS: Steps = {
    ("send", BILL_QUERY): 1,
    ("send", "download"): 1,
    ("commit", "ImportBill"): 1,
    ("commit", "LookAtNumbers"): 3,
    ("commit", "EndReconciliation"): 2,
}
"""Fetched, taken, looked through a few numbers at a time, closed; and the day before once more."""
MISTAKES = ("long", "short", "amount", "dup", "day")
STEP_FEN = 100
"""The smallest refund of a campaign; each next one is a fen more."""


@dataclass(kw_only=True)
class Outcome:
    """What came of killing one plaza process at its share of the points."""

    steps: Steps
    points: list[dict[str, Any]]
    struck: list[dict[str, Any]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    amounts_fen: list[int] = field(default_factory=list)
    """Of every refund that was asked for, each once."""
    states: list[dict[str, Any]] = field(default_factory=list)
    """Of reconciling: what stood after each kill, the first without one."""
    orders: list[dict[str, Any]] = field(default_factory=list)
    claims: list[dict[str, Any]] = field(default_factory=list)
    legs_fen: dict[str, int] = field(default_factory=dict)
    """Order number -> what its passage's record applies of it."""
    trades: list[dict[str, Any]] = field(default_factory=list)
    """The platform's books."""
    balances: dict[str, int] = field(default_factory=dict)
    verified: dict[str, Any] = field(default_factory=dict)


Work = Callable[[Office, Outcome], None]
"""Does one piece of work, whoever dies of it."""
Kill = Callable[[Path, Nursery, int, int, int], Outcome]
"""Folder, nursery, plaza processes, which share of how many -> what came of it."""


def side_by_side(kill: Kill, root: Path, nursery: Nursery, *, plazas: int) -> list[Outcome]:
    """Run a campaign in two offices, each with half of the points."""
    with ThreadPoolExecutor(2) as pool:
        shares = [
            pool.submit(kill, root / str(share), nursery, plazas, share, 2) for share in (0, 1)
        ]
        return [share.result() for share in shares]


def kill_payments(root: Path, nursery: Nursery, plazas: int, share: int, of: int) -> Outcome:
    """Kill the plaza at its share of the points of payments."""
    office = Office(root, nursery, plazas=plazas)
    with office.running():
        return _campaign(office, PLAZA_STEPS, _pay, share, of)


def kill_refunds(root: Path, nursery: Nursery, plazas: int, share: int, of: int) -> Outcome:
    """Kill the plaza at its share of the points of claims' refunds."""
    office = Office(root, nursery, plazas=plazas)
    with office.running():
        receipt = office.settle(office.post())

        def refund(office: Office, outcome: Outcome) -> None:
            _refund(office, outcome, receipt)

        return _campaign(office, REFUND_STEPS, refund, share, of)


def kill_reconciliations(root: Path, nursery: Nursery, plazas: int, share: int, of: int) -> Outcome:
    """Kill the plaza at its share of the points of closing a day, each time from the same books."""
    office = Office(root, nursery, plazas=plazas)
    with office.running():
        for number in [office.post() for _ in range(7)]:
            office.settle(number)
        # The last one was charged and nobody here knows it, until the bill says so.
        office.gateway("POST", "/faults", {"kind": "answer_lost", "calls": ["pay"]})
        mute = {"kind": "http_5xx", "calls": ["query", "cancel"], "times": None}
        office.gateway("POST", "/faults", mute)
        last = office.post()
        until(lambda: office.order(last)["state"] == "unknown", "nobody to know")
        day = str(office.gateway("POST", "/bills", {"mistakes": MISTAKES})["day"])
        # The day before has its one row of today; it is looked at again behind today.
        _close(office, _before(day))
        office.stop()
        office.put_away()

        def reconcile(office: Office, outcome: Outcome) -> None:
            office.stop()
            office.take_out()
            office.start()
            outcome.states.append(_reconcile(office, day))

        return _campaign(office, BILL_STEPS, reconcile, share, of)


def _campaign(office: Office, steps: Steps, work: Work, share: int, of: int) -> Outcome:
    """Do the work once in peace, then once for each of the points; strike each."""
    outcome = Outcome(steps=steps, points=[])
    begin = len(office.points())
    work(office, outcome)
    found = points_of(office.points()[begin:], steps)
    outcome.points = found[share::of]
    for point in outcome.points:
        for _ in range(TRIES_MAX if must(point, steps) else TRIES):
            if _strike(office, outcome, point, work):
                break
    return _told(office, outcome)


def _strike(office: Office, outcome: Outcome, point: dict[str, Any], work: Work) -> bool:
    """Do the work with a death at *point*; return whether the process came there."""
    first = office.parts["plaza"]
    if first.pid is None:
        first.start()
    first.wait_up()
    # Of two processes the other one finishes alone.
    first.kept = len(office.names) == 1
    deaths = len(first.statuses)
    office.plan(point)
    work(office, outcome)
    struck = office.plan_spent()
    if struck:
        until(lambda: -9 in first.statuses[deaths:], "the death to be told")
    first.kept = True
    return struck


def _told(office: Office, outcome: Outcome) -> Outcome:
    """Add what stands at the end."""
    first = office.parts["plaza"]
    outcome.struck = [line for line in office.points() if line["struck"]]
    outcome.statuses = [status for status in first.statuses if status != 0]
    outcome.orders = office.rows("SELECT * FROM orders")
    outcome.claims = office.rows("SELECT * FROM claims")
    outcome.legs_fen = office.legs_fen()
    outcome.trades = office.trades()
    outcome.balances = office.balances()
    office.stop()
    outcome.verified = office.verify()
    return outcome


# ---- work ----


def _pay(office: Office, outcome: Outcome) -> None:
    """Bring one driver; whatever became of the order, a record is sealed and the books rest."""
    office.bring()


def _refund(office: Office, outcome: Outcome, receipt: str) -> None:
    """Have one claim asked for by one person and approved by another, and see it paid back."""
    number = len(outcome.amounts_fen)
    body = {
        "request_id": f"kill-claim-{number:04d}",
        "receipt_no": receipt,
        "amount_fen": STEP_FEN + number,
        "reason": "wrong class",
    }
    outcome.amounts_fen.append(STEP_FEN + number)
    claim = office.ask_until_answered("POST", "/v1/refunds", body, by="helper")["claim_id"]
    decision = {"decision": "approve"}
    office.ask_until_answered("POST", f"/v1/refunds/{claim}/decision", decision, by="leader")

    def refunded() -> bool:
        (row,) = office.rows(f"SELECT state FROM claims WHERE claim_id = '{claim}'")
        return bool(row["state"] == "refunded")

    until(refunded, f"claim {claim} to be paid back", WORK_S)
    # The same claim once more, word for word, and the same decision: nothing moves.
    again = office.ask_until_answered("POST", "/v1/refunds", body, by="helper")
    assert (again["claim_id"], again["state"]) == (claim, "refunded")


def _reconcile(office: Office, day: str) -> dict[str, Any]:
    """Close a day twice; return what stands then, told without times."""
    before = _before(day)
    _close(office, day)
    moved = office.transfers()
    second = _close(office, day)
    assert office.transfers() == moved, "reconciled again, money moved again"
    told = office.ask_until_answered("GET", f"/v1/reconciliations/{day}")
    settlement = office.ask_text(f"/v1/reconciliations/{day}/settlements/330101.csv")
    return {
        "matched": second["matched"],
        "left": second["left"],
        "difference_fen": second["difference_fen"],
        "found": _findings(told["differences"]),
        "found_before": _findings(
            office.ask_until_answered("GET", f"/v1/reconciliations/{before}")["differences"]
        ),
        "settlement": settlement,
        "orders": office.rows(
            "SELECT out_trade_no, state, captured_fen FROM orders ORDER BY out_trade_no"
        ),
        "balances": office.balances(),
        "transfers": moved,
    }


def _close(office: Office, day: str) -> dict[str, Any]:
    """Have a day closed, whoever dies of it; return its report."""
    (closed,) = office.ask_until_answered("POST", "/v1/reconciliations", {"day": day})["days"]
    assert closed["missing"] == "", closed
    report: dict[str, Any] = closed["report"]
    return report


def _before(day: str) -> str:
    return (date.fromisoformat(day) - timedelta(days=1)).isoformat()


def _findings(differences: Sequence[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """Return what was found, without the times at which."""
    keys = ("what", "key", "bill_fen", "ours_fen", "action")
    return sorted(tuple(str(each[key]) for key in keys) for each in differences)
