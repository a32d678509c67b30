"""The judges of stored rows: what they let pass and what they name."""

from __future__ import annotations

from dataclasses import asdict
from enum import Enum
from typing import Any

import pytest

from plaza_server.rules import verify as subject
from plaza_server.rules.facts import (
    CancelAsked,
    OrderFact,
    PayAnswered,
    RecordSaid,
    RefundAnswered,
    RefundStarted,
    SendPay,
)
from plaza_server.rules.ledger import Transfer
from plaza_server.rules.ledger_chain import link, stream_start
from plaza_server.rules.orders import Order, RecordMark, apply
from plaza_server.rules.outcomes import Closed, NotThere, RefundDone
from plaza_server.rules.records import local_legs
from tests.plaza_server.plaza_bench import TOLL, record
from tests.plaza_server.rules.values import AT, LATE, NUMBER, fresh, paid, queried
from tolling.ids import make_out_refund_no
from tolling.orders import OrderState, ReasonCode
from tolling.records import Leg, Tender

CAUGHT = PayAnswered(outcome=paid(), cancel_out=False)
CANCEL = CancelAsked(reason=ReasonCode.CANCELLED)
GONE = queried(NotThere(), **LATE)
NAMED, OMITTED = RecordSaid(leg_fen=TOLL), RecordSaid(leg_fen=None)
START = RefundStarted(out_refund_no=make_out_refund_no(NUMBER, 1))
BACK = RefundAnswered(outcome=RefundDone(refunded_total_fen=TOLL), by_query=True)


def row_of(transfer: Transfer) -> dict[str, Any]:
    """Return *transfer* as the database gives it."""
    return _plain(asdict(transfer))


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {k: v.value if isinstance(v, Enum) else v for k, v in values.items()}


def lived(*facts: OrderFact) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return an order and its transfers as rows, after *facts* behind its sending."""
    order: Order = fresh()
    rows: list[dict[str, Any]] = []
    for fact in (SendPay(), *facts):
        done = apply(order, fact, at=AT)
        order = done.order
        rows += [row_of(transfer) for transfer in done.transfers]
    return _plain(asdict(order)), rows


LIVES: dict[str, tuple[OrderFact, ...]] = {
    "sent": (),
    "paid": (CAUGHT,),
    "earned": (CAUGHT, NAMED),
    "earned late": (NAMED, CAUGHT),
    "refund_due": (CAUGHT, OMITTED),
    "refunding": (CAUGHT, OMITTED, START),
    "refunded": (CAUGHT, OMITTED, START, BACK),
    "closed": (CANCEL, GONE),
    "closed, captured later": (CANCEL, GONE, queried(paid())),
    "another amount": (queried(paid(TOLL + 1)),),
    "given back by a cancel": (CANCEL, queried(Closed(refunded_fen=TOLL))),
    "another amount given back": (CANCEL, queried(Closed(refunded_fen=TOLL - 1))),
}


@pytest.mark.parametrize("life", LIVES)
def test_the_rows_of_every_life_are_right(life: str) -> None:
    """Whatever the rules make of an order, its transfers follow from it."""
    order, rows = lived(*LIVES[life])
    assert subject.judge_order(order, rows) is None
    assert all(subject.judge_transfer(row) is None for row in rows)


@pytest.mark.parametrize("life", LIVES)
def test_every_row_too_few_or_changed_is_named(life: str) -> None:
    """Take one away, change its amount, its accounts or its kind: the row or its order."""
    order, rows = lived(*LIVES[life])
    for at, row in enumerate(rows):
        others = rows[:at] + rows[at + 1 :]
        assert subject.judge_order(order, others) is not None, row
        for change in (
            {"amount_fen": row["amount_fen"] + 1},
            {"debit": row["credit"], "credit": row["debit"]},
            {"kind": "void" if row["kind"] != "void" else "post"},
            {"pending_id": "other"},
        ):
            found = subject.judge_order(order, [*others, {**row, **change}])
            assert found is not None, (row, change)
            assert found[0] in {row["transfer_id"], NUMBER}


def test_a_row_too_many_is_named() -> None:
    """Of an order that was never sent, and of one that is closed."""
    never = _plain(asdict(fresh()))
    assert subject.judge_order(never, []) is None
    _, rows = lived(CAUGHT)
    assert subject.judge_order(never, rows[:1]) == (
        f"{NUMBER}/capture",
        "its order is created and does not call for it",
    )
    closed, _ = lived(CANCEL, GONE)
    found = subject.judge_order(closed, rows)
    assert found is not None
    assert found[0] == f"{NUMBER}/capture/end"


@pytest.mark.parametrize(
    ("life", "change", "what"),
    [
        ("sent", {"captured_fen": TOLL}, "is sent with 2550 fen captured"),
        ("paid", {"pending": True}, "does not call for it"),
        ("earned", {"record": RecordMark.NONE.value}, "does not call for it"),
        ("earned", {"payee": "other"}, "credit is revenue:alipay:310101"),
        ("refunded", {"refunded_fen": 1}, "1 of 2550 fen given back"),
        ("refund_due", {"refunded_fen": 1}, "1 of 2550 fen given back"),
        ("refund_due", {"state": OrderState.PAID.value}, "does not call for it"),
    ],
)
def test_an_order_that_is_not_what_its_rows_say_is_named(
    life: str, change: dict[str, Any], what: str
) -> None:
    """The rows stand, the order was changed."""
    order, rows = lived(*LIVES[life])
    found = subject.judge_order({**order, **change}, rows)
    assert found is not None
    assert what in found[1]


def test_a_captured_order_has_no_pending_transfer() -> None:
    """Made to agree otherwise, it still says that it stands."""
    order, rows = lived(CAUGHT)
    opening = [row for row in rows if row["kind"] == "pending"]
    found = subject.judge_order({**order, "pending": True}, opening)
    assert found == (NUMBER, "is captured, and its pending transfer stands")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"kind": "gift"}, "gift"),
        ({"amount_fen": 0}, "moves 0 fen"),
        ({"debit": "pocket"}, "pocket is not in the chart"),
        ({"credit": "pocket"}, "pocket is not in the chart"),
        ({"debit": "cash_safe"}, "no transfer goes from cash_safe to suspense"),
        ({"kind": "post"}, "does not say which"),
        ({"pending_id": "x"}, "does not end it"),
    ],
)
def test_a_transfer_that_cannot_be_is_named(change: dict[str, Any], what: str) -> None:
    """By itself, before anything else is looked at."""
    _, rows = lived()
    assert subject.judge_transfer(rows[0]) is None
    found = subject.judge_transfer({**rows[0], **change})
    assert found is not None
    assert what in found


def test_a_stream_goes_on_by_one_and_by_its_hash() -> None:
    """The next number with the right hash; anything else is named."""
    _, rows = lived(CAUGHT)
    rows = [{**row, "at_ns": 1, "wall_ms": 2} for row in rows]
    start = stream_start("boot")
    middle = link(start, "boot", rows[0])
    link(middle, "boot", rows[1])
    assert subject.judge_link(start, rows[0]) is None
    assert subject.head_after(rows[0]) == middle
    assert subject.judge_link(middle, rows[1]) is None
    assert subject.judge_link(start, rows[1]) == "number 2 of its stream follows number 0"
    changed = {**rows[1], "amount_fen": 1}
    assert subject.judge_link(middle, changed) == "its hash does not fit it and the row before it"


def test_every_leg_is_booked_as_it_stands() -> None:
    """Cash and ETC by their own transfers, phone legs by their orders' revenue."""
    legs = (Leg(tender=Tender.CASH, amount_fen=50), Leg(tender=Tender.ETC, amount_fen=TOLL - 50))
    made = local_legs(record(1, legs=legs), "001/001/1", "310101")
    earned = {"transfer_id": f"{NUMBER}/revenue", "amount_fen": 7}
    booked = {row.transfer_id: row_of(row) for row in made} | {f"{NUMBER}/revenue": earned}
    assert subject.judge_legs(made, {NUMBER: 7}, booked) is None
    elsewhere = {**row_of(made[0]), "credit": "revenue:cash:other"}
    assert subject.judge_legs(made, {}, booked | {made[0].transfer_id: elsewhere}) is None
    for change, what in (
        ({"amount_fen": 9}, "books 9 fen"),
        ({"debit": "cash_lane:002"}, "cash_lane:002"),
        ({"kind": "void"}, "moves nothing"),
    ):
        changed = booked | {made[0].transfer_id: {**row_of(made[0]), **change}}
        found = subject.judge_legs(made, {}, changed)
        assert found is not None
        assert (found[0], what in found[1]) == (made[0].transfer_id, True)
    missing = subject.judge_legs(made, {}, {})
    assert missing == ("001/001/1/leg/1", "the record has this leg, and no transfer books it")
    assert subject.judge_legs((), {NUMBER: 8}, booked) == (
        f"{NUMBER}/revenue",
        "books 7 fen, the record says 8",
    )
    assert subject.judge_legs((), {NUMBER: 8}, {}) == (
        NUMBER,
        "a record names it, and its capture is not revenue",
    )


def test_the_lives_end_where_their_names_say() -> None:
    """A life that went another way would prove nothing."""
    states = {life: lived(*facts)[0]["state"] for life, facts in LIVES.items()}
    assert states["closed"] == "closed"
    assert states["closed, captured later"] == "paid"
    assert states["another amount"] == "mismatch"
    assert states["given back by a cancel"] == states["another amount given back"] == "refunded"
