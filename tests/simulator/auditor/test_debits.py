"""M1: what readers took from tags, against records, list and ledger."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.auditor import AuditedDebit, AuditedTransfer, DriverStory, EtcDueRow, audit
from tests.simulator.auditor.runs import ORDER, body, chain, clean_run

PASSAGE = "330101001001000000009"
DEBIT = AuditedDebit(reference=PASSAGE, tag_id="TAG9", vehicle_id=9, amount_fen=500, txn_id="P-1")
OWED = {"tender": "etc", "tag_id": "TAG9", "amount_fen": 500, "txn_id": "P-1"}
DUE = EtcDueRow(passage_id=PASSAGE, amount_fen=500, state="due")
TAG_LEG = {"tender": "etc", "amount_fen": 500, "provider_txn_id": "P-1", "out_trade_no": None}


def gone(**owed: Any) -> dict[str, Any]:
    """Return the record of a vehicle that backed out after its tag was debited."""
    return body(
        passage_id=PASSAGE,
        legs=[],
        unpaid_reason="backed_out",
        end="backed_out",
        owed_back=[OWED | owed],
        plate=None,
    )


def paid(**leg: Any) -> dict[str, Any]:
    """Return the record of a vehicle whose tag paid a part and cash the rest."""
    cash = {"tender": "cash", "amount_fen": 2000, "out_trade_no": None}
    return body(passage_id=PASSAGE, legs=[TAG_LEG | leg, cash], plate=None)


def move(number: str, debit: str, credit: str, fen: int = 500) -> AuditedTransfer:
    """Return one posted transfer."""
    return AuditedTransfer(
        transfer_id=number,
        debit=debit,
        credit=credit,
        amount_fen=fen,
        kind="posted",
        pending_id=None,
    )


BACK = (move("etc/p/taken", "etc", "suspense"), move("etc/p/due", "suspense", "refund_due"))
CASH = move("001/001/2/leg/2", "cash_lane:001", "revenue:cash:330101", 2000)
EARNED = (move("001/001/2/leg/1", "etc", "revenue:etc:330101"), CASH)


def found(*records: dict[str, Any], **changes: Any) -> list[str]:
    """Return what M1 and M5 say of a run that rests, with those records behind the usual one."""
    sealed = chain(body(), *records)
    seen = clean_run()
    transfers = (*seen.transfers, *changes.pop("moved", ()))
    usual: dict[str, Any] = {"lane_records": sealed, "plaza_records": sealed, "at_rest": True}
    run = clean_run(**(usual | {"transfers": transfers} | changes))
    return [each.what for each in audit(run).findings if each.rule in ("M1", "M5")]


def test_a_debit_that_is_applied_or_owed_back_is_no_finding() -> None:
    """Reader, record, list and ledger agree."""
    assert found() == []
    assert found(gone(), debits=(DEBIT,), etc_dues=(DUE,), moved=BACK) == []
    assert found(paid(), debits=(DEBIT,), moved=EARNED) == []


def test_what_nobody_knew_may_have_been_taken_or_not() -> None:
    """The record says so, and nothing is booked yet."""
    doubt = EtcDueRow(passage_id=PASSAGE, amount_fen=500, state="doubtful")
    assert found(gone(txn_id=None), debits=(DEBIT,), etc_dues=(doubt,)) == []
    assert found(gone(txn_id=None), etc_dues=(doubt,)) == []


@pytest.mark.parametrize(
    ("records", "changes", "what"),
    [
        ((), {"debits": (DEBIT,)}, "is named by 0 records"),
        (
            (gone(), gone()),
            {"debits": (DEBIT,), "etc_dues": (DUE,), "moved": BACK},
            "is named by 2 records",
        ),
        ((gone(),), {"etc_dues": (DUE,), "moved": BACK}, "which no reader made"),
        ((paid(provider_txn_id="P-2"),), {"debits": (DEBIT,), "moved": EARNED}, "no reader made"),
        (
            (gone(amount_fen=400),),
            {"debits": (DEBIT,), "etc_dues": (DUE,), "moved": BACK},
            "the record says 400",
        ),
        (
            (gone(tag_id="TAG8"),),
            {"debits": (DEBIT,), "etc_dues": (DUE,), "moved": BACK},
            "owes it to TAG8",
        ),
        ((gone(),), {"debits": (DEBIT,), "moved": BACK}, "the list says 0"),
        ((gone(),), {"debits": (DEBIT,), "etc_dues": (DUE,)}, "holds 0"),
        ((gone(),), {"debits": (DEBIT,), "etc_dues": (DUE,)}, "tags say 500"),
        ((paid(),), {"debits": (DEBIT,)}, "the ledger earned 0"),
    ],
)
def test_everything_else_is_told(
    records: tuple[dict[str, Any], ...], changes: dict[str, Any], what: str
) -> None:
    """Named by nobody or twice, by another sum or tag, not listed, not booked."""
    said = found(*records, **changes)
    assert any(what in each for each in said), said


def test_a_vehicle_that_is_still_there_has_no_record_yet() -> None:
    """Its debit is looked for when it has gone."""
    here = DriverStory(
        lane_id="001",
        vehicle_id=9,
        plate="浙A99999",
        phone_fen=0,
        cash_fen=0,
        etc_fen=500,
        gone=False,
        backed_out=False,
    )
    assert found(debits=(DEBIT,), drivers=(*clean_run().drivers, here)) == []
    assert ORDER
