"""Part of M1: what the readers' own books took from tags is what sealed records say of it.

Every debit is named by one record, as a leg or as owed back; nothing is named that no reader took;
and the ledger holds against issuers what the records apply and what is not given back yet. All sums
are made here, from the readers' books and the records' bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from simulator.auditor.evidence import AuditedDebit, AuditedRecord, Evidence

ETC = "etc"
Bodies = Iterator[tuple[AuditedRecord, dict[str, Any]]]


def m1_debits(seen: Evidence, records: Bodies) -> Iterator[str]:
    """Yield every debit that no record names, or more than one, or otherwise than it was."""
    if not seen.at_rest:
        return
    books = {debit.reference: debit for debit in seen.debits}
    named: Counter[str] = Counter()
    applied_fen = 0
    owed: dict[str, int] = {}
    for record, body in records:
        where = f"record {record.lane_id}/{record.seq}"
        debit = books.get(body.get("passage_id", ""))
        for number, fen, tag_id in _said(body):
            if number is not None and (debit is None or debit.txn_id != number):
                yield f"{where}: names tag debit {number}, which no reader made for it"
            elif debit is not None:
                named[debit.reference] += 1
                yield from _differs(where, debit, fen, tag_id)
        applied_fen += sum(fen for number, fen, tag_id in _said(body) if tag_id is None)
        for each in body.get("owed_back", []):
            owed[body["passage_id"]] = each["amount_fen"]
    still_here = {driver.vehicle_id for driver in seen.drivers if not driver.gone}
    for debit in seen.debits:
        if named[debit.reference] != 1 and debit.vehicle_id not in still_here:
            yield (
                f"tag debit {debit.txn_id} of {debit.amount_fen} fen is named by"
                f" {named[debit.reference]} records"
            )
    yield from _booked(seen, applied_fen, owed)


def _said(body: dict[str, Any]) -> Iterator[tuple[str | None, int, str | None]]:
    """Yield what a record says tags gave: the reader's number, fen, and the tag where it is owed
    back."""
    for leg in body.get("legs", []):
        if leg["tender"] == ETC:
            yield leg["provider_txn_id"], leg["amount_fen"], None
    for each in body.get("owed_back", []):
        yield each["txn_id"], each["amount_fen"], each["tag_id"]


def _differs(where: str, debit: AuditedDebit, fen: int, tag_id: str | None) -> Iterator[str]:
    if debit.amount_fen != fen:
        yield f"{where}: a tag gave {debit.amount_fen} fen, the record says {fen}"
    if tag_id is not None and debit.tag_id != tag_id:
        yield f"{where}: tag {debit.tag_id} gave it, the record owes it to {tag_id}"


def _booked(seen: Evidence, applied_fen: int, owed: dict[str, int]) -> Iterator[str]:
    """Yield where list or ledger say otherwise than the records."""
    rows = {row.passage_id: row.amount_fen for row in seen.etc_dues}
    for passage in sorted(rows.keys() | owed.keys()):
        if rows.get(passage) != owed.get(passage):
            yield (
                f"passage {passage}: its record owes a tag {owed.get(passage, 0)} fen, the list"
                f" says {rows.get(passage, 0)}"
            )
    due_fen = sum(row.amount_fen for row in seen.etc_dues if row.state == "due")
    moving = [t for t in seen.transfers if t.kind in ("posted", "post")]
    held = sum(t.amount_fen * ((t.debit == ETC) - (t.credit == ETC)) for t in moving)
    earned = sum(t.amount_fen for t in moving if t.credit.startswith("revenue:etc:"))
    if earned != applied_fen or held != applied_fen + due_fen:
        yield (
            f"records apply {applied_fen} fen of tags and {due_fen} are due, the ledger earned"
            f" {earned} and holds {held}"
        )


def owed_by_plate(seen: Evidence, records: Bodies) -> Counter[str]:
    """Return by plate what tags gave and records owe back, by the readers' books."""
    books = {debit.reference: debit.amount_fen for debit in seen.debits}
    found: Counter[str] = Counter()
    for _, body in records:
        if body.get("owed_back"):
            plate = (body.get("plate") or {}).get("text") or ""
            found[plate] += books.get(body.get("passage_id", ""), 0)
    return found


def alone(seen: Evidence, records: Bodies) -> set[int]:
    """Return the vehicles whose tag paid by itself: not a part beside other money, and not what
    its issuer owes back."""
    beside: set[str] = set()
    for _, body in records:
        money = {leg["tender"] for leg in body.get("legs", [])} - {"coupon"}
        if body.get("owed_back") or (ETC in money and len(money) > 1):
            beside.add(body.get("passage_id", ""))
    return {debit.vehicle_id for debit in seen.debits if debit.reference not in beside}
