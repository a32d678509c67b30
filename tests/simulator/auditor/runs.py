"""A clean little run for the auditor, to be spoilt one fact at a time."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

from simulator.auditor import (
    AuditedOrder,
    AuditedRecord,
    AuditedTransfer,
    CapturedTrade,
    DriverStory,
    Evidence,
    Tapped,
)
from simulator.plant.events import (
    BoomMove,
    Contact,
    Heading,
    LogEntry,
    MoveCause,
    Passage,
    PlantEdge,
    What,
)
from simulator.plant.vehicles import VehicleId
from tolling.ids import LaneId
from tolling.inputs import Output

LANE = LaneId("001")
ORDER = "330101001001000000001A01"
CODE = "281234567890123456"
S = 1_000_000


def body(**changes: Any) -> dict[str, Any]:
    """Return a paid passage's record."""
    leg = {"tender": "alipay", "amount_fen": 2500, "out_trade_no": ORDER}
    plain: dict[str, Any] = {
        "toll_due_fen": 2500,
        "legs": [leg],
        "unpaid_reason": None,
        "end": "passed",
        "authorised_by": "tender",
        "plate": {"text": "浙A12345"},
    }
    return plain | changes


def chain(*plains: dict[str, Any]) -> tuple[AuditedRecord, ...]:
    """Return records sealed one behind the other, by the documented format."""
    out: list[AuditedRecord] = []
    previous = hashlib.sha256(b"open-toll-lane genesis 330101 001 1").hexdigest()
    for seq, plain in enumerate(plains, 1):
        text = json.dumps(plain, ensure_ascii=False)
        head = f"{previous}\n330101\n001\n1\n{seq}\n{len(text.encode())}\n".encode()
        digest = hashlib.sha256(head + text.encode()).hexdigest()
        out.append(
            AuditedRecord(
                lane_id="001",
                epoch=1,
                seq=seq,
                previous_hash=previous,
                chain_hash=digest,
                body=text,
                plaza_id="330101",
            )
        )
        previous = digest
    return tuple(out)


def edge(at_s: float, what: What, on: bool) -> PlantEdge:
    """Return an edge of the one vehicle."""
    return PlantEdge(at_us=int(at_s * S), lane=LANE, what=what, on=on, vehicle_id=VehicleId(1))


def pulse(at_s: float, output: Output, heading: Heading) -> tuple[LogEntry, ...]:
    """Return a pulse and the motion it gives."""
    at_us = int(at_s * S)
    cause = MoveCause.PULSE
    return (
        Contact(at_us=at_us, lane=LANE, output=output, closed=True, acted=True),
        BoomMove(at_us=at_us, lane=LANE, heading=heading, cause=cause, angle_mdeg=0),
        Contact(at_us=at_us, lane=LANE, output=output, closed=False, acted=False),
    )


def still(at_s: float) -> BoomMove:
    """Return the boom at a limit."""
    at_us = int(at_s * S)
    cause = MoveCause.LIMIT
    return BoomMove(at_us=at_us, lane=LANE, heading=Heading.STILL, cause=cause, angle_mdeg=0)


def road(*, lower_s: float = 12.0) -> tuple[LogEntry, ...]:
    """Return the plant's log of one car that pays and passes."""
    passage = Passage(
        lane=LANE,
        vehicle_id=VehicleId(1),
        plate="浙A12345",
        nose_us=8 * S,
        tail_us=10 * S,
        nose_mdeg=90_000,
        least_mdeg=90_000,
        lane_green=True,
        struck=False,
    )
    entries: list[LogEntry] = [
        edge(1, What.LOOP_1, True),
        *pulse(6, Output.RAISE, Heading.UP),
        still(6.9),
        edge(8, What.LOOP_2, True),
        edge(9, What.LOOP_1, False),
        edge(10, What.LOOP_2, False),
        passage,
        *pulse(lower_s, Output.LOWER, Heading.DOWN),
        still(lower_s + 0.9),
    ]
    return tuple(sorted(entries, key=lambda entry: entry.at_us))


def booked() -> tuple[AuditedTransfer, ...]:
    """Return the one order's way through the ledger: pending, captured, earned."""
    pending = AuditedTransfer(
        transfer_id="1",
        debit="clearing:alipay",
        credit="suspense",
        amount_fen=2500,
        kind="pending",
        pending_id=None,
        out_trade_no=ORDER,
    )
    captured = replace(pending, transfer_id="2", kind="post", pending_id="1")
    earned = replace(
        pending, transfer_id="3", kind="posted", debit="suspense", credit="revenue:alipay:330101"
    )
    return pending, captured, earned


def clean_run(**changes: Any) -> Evidence:
    """Return a run no rule is broken in, with *changes* to it."""
    records = chain(body())
    run = Evidence(
        at_rest=True,
        plant_log=road(),
        trades=(
            CapturedTrade(
                platform="alipay",
                out_trade_no=ORDER,
                captured_fen=2500,
                refunded_fen=0,
                paid_at_us=5 * S,
                code_no=1,
            ),
        ),
        drivers=(
            DriverStory(
                lane_id="001",
                vehicle_id=1,
                plate="浙A12345",
                phone_fen=2500,
                cash_fen=0,
                etc_fen=0,
                gone=True,
                backed_out=False,
            ),
        ),
        lane_records=records,
        plaza_records=records,
        orders=(
            AuditedOrder(
                out_trade_no=ORDER,
                state="paid",
                toll_fen=2500,
                captured_fen=2500,
                refunded_fen=0,
            ),
        ),
        transfers=booked(),
        tapped=(
            Tapped(
                at_us=5 * S,
                channel="POST /v1/payments",
                text=json.dumps({"out_trade_no": ORDER, "state": "paid"}),
            ),
        ),
        texts=(),
        codes=(CODE,),
        restarts=(),
        misread_plates=False,
    )
    return replace(run, **changes)
