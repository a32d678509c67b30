"""M1-M7: money, judged by the platforms' books, the drivers and the stored rows."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from simulator.auditor.alike import alike
from simulator.auditor.asked import m1_asked
from simulator.auditor.coupons import m1_coupons
from simulator.auditor.debits import alone, m1_debits, owed_by_plate
from simulator.auditor.evidence import AuditedRecord, DriverStory, Evidence, Tapped
from simulator.auditor.ledger import m5_rest
from simulator.auditor.left_out import m1_left_out
from simulator.auditor.prices import m1_prices
from simulator.auditor.shown import m4_shown
from simulator.auditor.twice import m1_twice

OPEN = frozenset({"created", "sent", "waiting", "unknown", "closing"})
UNSETTLED = OPEN | {"refund_due", "refunding", "mismatch"}
UNPROVEN = frozenset({"approved", "sending"})
"""Of a claim on a phone payment: granted, and not proven to be paid back."""
STUCK = "refund_stuck"
"""The platform refuses the refund for good: a person's to end, with a figure of its own."""
PHONE = frozenset({"alipay", "wechat", "unionpay"})
OWED = frozenset({"refund_due", "refunding", "mismatch", STUCK})
ACCOUNTS = frozenset(
    {
        "clearing",
        "suspense",
        "refund_due",
        "revenue",
        "fees",
        "cash_lane",
        "cash_safe",
        "etc",
        "coupon",
        "differences",
    }
)
"""What an account's name may begin with."""


def bodies(records: tuple[AuditedRecord, ...]) -> Iterator[tuple[AuditedRecord, dict[str, Any]]]:
    """Yield each record with its parsed body; one that is no JSON is skipped (M6 tells of it)."""
    for record in records:
        try:
            body = json.loads(record.body)
        except ValueError:
            continue
        if isinstance(body, dict):
            yield record, body


def m1_legs(seen: Evidence) -> Iterator[str]:
    """Legs are applied once, sum to the toll due, and are what the platforms hold at rest."""
    named: Counter[str] = Counter()
    amount: dict[str, int] = {}
    for record, body in bodies(seen.plaza_records):
        legs = body.get("legs", [])
        total = sum(leg["amount_fen"] for leg in legs)
        if total != body["toll_due_fen"] and body.get("unpaid_reason") is None:
            yield f"record {record.lane_id}/{record.seq}: legs {total}, due {body['toll_due_fen']}"
        for leg in legs:
            if leg["tender"] in PHONE:
                named[leg["out_trade_no"]] += 1
                amount[leg["out_trade_no"]] = leg["amount_fen"]
    for number, times in sorted(named.items()):
        if times > 1:
            yield f"order {number} is named by {times} legs"
    yield from m1_prices(seen, bodies(seen.plaza_records))
    yield from m1_coupons(seen, bodies(seen.plaza_records))
    yield from m1_debits(seen, bodies(seen.plaza_records))
    yield from m1_left_out(seen)
    yield from m1_asked(seen)
    if not seen.at_rest:
        return
    books = {trade.out_trade_no: trade for trade in seen.trades}
    claimed = _claimed(seen)
    for number, fen in sorted(amount.items()):
        held = books[number].captured_fen - books[number].refunded_fen if number in books else 0
        if held != fen - claimed[number]:
            yield f"order {number}: the record says {fen}, the platform holds {held}"
    stuck = {order.out_trade_no for order in seen.orders if order.state == STUCK}
    for number, trade in sorted(books.items()):
        kept = trade.captured_fen != trade.refunded_fen
        if number not in amount and kept and number not in stuck:
            yield f"order {number}: captured, named by no record and not given back"
    yield from _m1_drivers(seen)
    yield from m1_twice(seen, alone(seen, bodies(seen.plaza_records)))


def _claimed(seen: Evidence) -> Counter[str]:
    """Return by order what was given back later because somebody asked for it."""
    back: Counter[str] = Counter()
    for claim in seen.claims:
        if claim.out_trade_no is not None and claim.state == "refunded":
            back[claim.out_trade_no] += claim.amount_fen
    return back


def _m1_drivers(seen: Evidence) -> Iterator[str]:
    if seen.misread_plates:
        return
    applied: dict[str, Counter[str]] = defaultdict(Counter)
    given = _claimed(seen)
    for _, body in bodies(seen.plaza_records):
        plate = (body.get("plate") or {}).get("text")
        for leg in body.get("legs", []):
            kind = "phone" if leg["tender"] in PHONE else leg["tender"]
            back = given[leg["out_trade_no"]] if kind == "phone" else 0
            applied[plate or ""][kind] += leg["amount_fen"] - back
    for plate, fen in owed_by_plate(seen, bodies(seen.plaza_records)).items():
        applied[plate]["etc"] += fen
    stuck, nameless = _stuck_of(seen), _nameless_legs(seen)
    for group in _purses(seen):
        told = [driver for driver in group if driver.plate in applied]
        if len(told) < len(group) or not all(driver.gone for driver in group):
            continue
        for kind in ("phone", "cash", "etc"):
            paid = sum(getattr(driver, f"{kind}_fen") for driver in group)
            if kind == "phone":
                paid -= sum(stuck[driver.vehicle_id] for driver in group)
            claimed = sum(applied[driver.plate or ""][kind] for driver in group)
            if kind == "cash" and claimed != paid:
                # Whoever backs out is handed his cash at the window.
                paid -= sum(driver.cash_fen for driver in group if driver.backed_out)
            lanes = {driver.lane_id for driver in group}
            if paid != claimed and not any(nameless[lane, kind, paid - claimed] for lane in lanes):
                who = ", ".join(str(driver.vehicle_id) for driver in group)
                yield f"vehicle {who}: paid {paid} by {kind}, applied {claimed}"


def _nameless_legs(seen: Evidence) -> Counter[tuple[str, str, int]]:
    """Return lane, tender and amount of every leg on a record without a plate: after a restart a
    vehicle may be a new one to its lane, and no camera looks at it again."""
    legs: Counter[tuple[str, str, int]] = Counter()
    for record, body in bodies(seen.plaza_records):
        if body.get("plate") is None:
            for leg in body.get("legs", []):
                kind = "phone" if leg["tender"] in PHONE else leg["tender"]
                legs[record.lane_id, kind, leg["amount_fen"]] += 1
    return legs


def _stuck_of(seen: Evidence) -> Counter[int]:
    """Return by payer what a platform keeps though it was asked to give it back (M2's one
    exception)."""
    stuck = {order.out_trade_no for order in seen.orders if order.state == STUCK}
    kept: Counter[int] = Counter()
    for trade in seen.trades:
        if trade.out_trade_no in stuck and trade.payer is not None:
            kept[trade.payer] += trade.captured_fen - trade.refunded_fen
    return kept


def _purses(seen: Evidence) -> Iterator[list[DriverStory]]:
    """Yield the drivers, those together of whom one may have paid for the other: they held up one
    another's codes, or no lane could tell them apart."""
    head = {driver.vehicle_id: driver.vehicle_id for driver in seen.drivers}
    for one, other in (*seen.borrowed, *alike(seen)):
        if one not in head or other not in head:
            continue
        old, new = head[one], head[other]
        head = {vehicle: new if top == old else top for vehicle, top in head.items()}
    groups: dict[int, list[DriverStory]] = defaultdict(list)
    for driver in seen.drivers:
        groups[head[driver.vehicle_id]].append(driver)
    yield from groups.values()


def m2_ends(seen: Evidence) -> Iterator[str]:
    """Undecided orders and refunds due end without a person."""
    if not seen.at_rest:
        return
    for order in seen.orders:
        if order.state in UNSETTLED:
            yield f"order {order.out_trade_no} rests in state {order.state}"
    for claim in seen.claims:
        if claim.out_trade_no is not None and claim.state in UNPROVEN:
            yield f"claim {claim.claim_id} rests in state {claim.state}"


def m3_survives(seen: Evidence) -> Iterator[str]:
    """What a lane sealed is at the plaza; what was answered as paid is in the plaza's store."""
    if seen.at_rest:
        at_plaza = {(r.lane_id, r.epoch, r.seq): r.chain_hash for r in seen.plaza_records}
        for record in seen.lane_records:
            place = (record.lane_id, record.epoch, record.seq)
            if at_plaza.get(place) != record.chain_hash:
                yield f"record {record.lane_id}/{record.seq} is in the lane and not at the plaza"
    stored = {order.out_trade_no: order for order in seen.orders}
    for number, state in _answered(seen):
        if state == "paid" and (number not in stored or stored[number].captured_fen == 0):
            yield f"order {number} was answered as paid and is not so stored"


def _answered(seen: Evidence) -> Iterator[tuple[str, str]]:
    for message in seen.tapped:
        yield from _answered_in(message)


def _answered_in(message: Tapped) -> Iterator[tuple[str, str]]:
    """Yield the order and state an answer about a payment tells; nothing of any other message."""
    if "/v1/payments" not in message.channel:
        return
    try:
        body = json.loads(message.text)
    except ValueError:
        return
    if isinstance(body, dict) and "out_trade_no" in body and "state" in body:
        yield str(body["out_trade_no"]), str(body["state"])


def m4_unknown(seen: Evidence) -> Iterator[str]:
    """Nothing was answered or shown as paid that no platform captured, or is answered, shown or
    rests as refused though captured."""
    books = {trade.out_trade_no: trade for trade in seen.trades}
    for number, state in sorted(set(_answered(seen))):
        captured = books[number].captured_fen if number in books else 0
        if state == "paid" and captured == 0:
            yield f"order {number} was answered as paid, and no platform captured it"
    yield from _m4_answered(seen)
    yield from m4_shown(seen, bodies(seen.lane_records))
    for order in seen.orders:
        trade = books.get(order.out_trade_no)
        if trade is None or trade.captured_fen == 0:
            if order.captured_fen:
                yield f"order {order.out_trade_no} is stored as captured and is not in the books"
            continue
        kept = trade.captured_fen - trade.refunded_fen
        if order.state in ("refused", "closed") and kept and seen.at_rest:
            yield f"order {order.out_trade_no} rests as {order.state}, the platform holds {kept}"


def _m4_answered(seen: Evidence) -> Iterator[str]:
    """Yield answers that called an order refused when its money had been taken already."""
    paid_at = {t.out_trade_no: t.paid_at_us for t in seen.trades if t.paid_at_us is not None}
    told: set[str] = set()
    for message in seen.tapped:
        for number, state in _answered_in(message):
            if state != "refused" or number in told or number not in paid_at:
                continue
            if paid_at[number] <= message.at_us:
                told.add(number)
                yield f"order {number} was answered as refused, and the platform had captured it"


def m5_ledger(seen: Evidence) -> Iterator[str]:
    """A transfer moves one amount once; a pending one is posted or voided at most once; what is
    owed is what orders and claims say; what was captured rests where records put it."""
    yield from _m5_accounts(seen)
    yield from m5_rest(seen, bodies(seen.plaza_records))
    pending = {t.transfer_id: t for t in seen.transfers if t.kind == "pending"}
    ended: Counter[str] = Counter()
    for transfer in seen.transfers:
        if transfer.amount_fen <= 0 or transfer.debit == transfer.credit:
            yield f"transfer {transfer.transfer_id} moves nothing"
        if transfer.kind in ("post", "void"):
            if transfer.pending_id not in pending:
                yield f"transfer {transfer.transfer_id} ends a pending one that is not there"
                continue
            ended[transfer.pending_id] += 1
            if transfer.amount_fen != pending[transfer.pending_id].amount_fen:
                yield f"transfer {transfer.transfer_id} ends another amount than was pending"
    for number, times in sorted(ended.items()):
        if times > 1:
            yield f"pending transfer {number} was ended {times} times"


def _m5_accounts(seen: Evidence) -> Iterator[str]:
    """Yield transfers between what are no accounts, and a wrong sum of what is owed."""
    owed = 0
    for transfer in seen.transfers:
        for name in (transfer.debit, transfer.credit):
            if name.partition(":")[0] not in ACCOUNTS:
                yield f"transfer {transfer.transfer_id} names {name}, which is no account"
        if transfer.kind in ("posted", "post"):
            owed += transfer.amount_fen * (transfer.credit == "refund_due")
            owed -= transfer.amount_fen * (transfer.debit == "refund_due")
    wanted = sum(o.captured_fen - o.refunded_fen for o in seen.orders if o.state in OWED)
    wanted += sum(c.amount_fen for c in seen.claims if c.state in UNPROVEN | {"stuck"})
    wanted += sum(due.amount_fen for due in seen.etc_dues if due.state == "due")
    if seen.at_rest and owed != wanted:
        yield f"the ledger owes {owed} fen, orders, claims and tags say {wanted}"


def m6_chain(seen: Evidence) -> Iterator[str]:
    """Sealed records have no gap and no fork; every hash fits its exact bytes."""
    for where, records in (("lane", seen.lane_records), ("plaza", seen.plaza_records)):
        chains: dict[tuple[str, int], list[AuditedRecord]] = defaultdict(list)
        for record in records:
            chains[record.lane_id, record.epoch].append(record)
        for (lane, epoch), chain in sorted(chains.items()):
            yield from _m6_one(f"{where} {lane} epoch {epoch}", chain)
        yield from _m6_passages(where, records)


def _m6_passages(where: str, records: tuple[AuditedRecord, ...]) -> Iterator[str]:
    """Yield passages with more than one record: one vehicle makes exactly one."""
    times = Counter(str(body.get("passage_id")) for _, body in bodies(records))
    for passage, count in sorted(times.items()):
        if count > 1:
            yield f"{where}: passage {passage} has {count} records"


def _m6_one(name: str, chain: list[AuditedRecord]) -> Iterator[str]:
    chain = sorted(chain, key=lambda record: record.seq)
    first = chain[0]
    text = f"open-toll-lane genesis {first.plaza_id} {first.lane_id} {first.epoch}"
    previous = hashlib.sha256(text.encode()).hexdigest() if first.seq == 1 else first.previous_hash
    expected = first.seq
    for record in chain:
        if record.seq != expected:
            yield f"{name}: record {record.seq} follows {expected - 1}"
        body = record.body.encode()
        head = (
            f"{record.previous_hash}\n{record.plaza_id}\n{record.lane_id}\n{record.epoch}\n"
            f"{record.seq}\n{len(body)}\n"
        )
        if hashlib.sha256(head.encode() + body).hexdigest() != record.chain_hash:
            yield f"{name}: the hash of record {record.seq} does not fit its bytes"
        if record.previous_hash != previous:
            yield f"{name}: record {record.seq} does not follow record {expected - 1}"
        previous, expected = record.chain_hash, record.seq + 1


def m7_codes(seen: Evidence) -> Iterator[str]:
    """A code serves one order, and is in no file, topic, log or answer in clear."""
    by_code: dict[tuple[str, int], set[str]] = defaultdict(set)
    for trade in seen.trades:
        by_code[trade.platform, trade.code_no].add(trade.out_trade_no)
    for (platform, number), orders in sorted(by_code.items()):
        if len(orders) > 1:
            yield f"{platform} code {number} served {len(orders)} orders"
    needles = [code.encode() for code in sorted(set(seen.codes)) if code]
    everything = "\n".join([message.text for message in seen.tapped]).encode()
    if any(needle in everything for needle in needles):
        # In one of them, then: in all at once is found ten times as fast as in each.
        for message in seen.tapped:
            data = message.text.encode()
            if any(needle in data for needle in needles):
                yield f"a pay code in clear on {message.channel}"
    for source in seen.texts:
        if any(needle in source.data for needle in needles):
            yield f"a pay code in clear in {source.name}"
