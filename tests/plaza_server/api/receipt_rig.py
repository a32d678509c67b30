"""Helper of the receipt tests: a lane that seals cash passages and uploads them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from tests.plaza_server.plaza_process import LANE, PLAZA, PlazaProcess
from tolling import wire
from tolling.canonical import canonical_bytes
from tolling.chain import SealedRecord, anchor_of, seal
from tolling.clock import ClockQuality, WallTime
from tolling.ids import BootId, LaneId, PassageId, PlazaId
from tolling.receipts import check_code
from tolling.records import AuthorisedBy, Leg, PassageEnd, PassageRecord, Tender
from tolling.tariffs import EntrySource, Quote
from tolling.vehicles import Plate, VehicleClass, VehicleKind

PLATE = "浙A12345"
TOLL_FEN = 2550
LEFT_MS = 1_795_314_605_000


def told(passage: str, **changes: Any) -> PassageRecord:
    """Return the record of a car that paid in cash and passed."""
    car, kind, now = VehicleClass.CAR_1, VehicleKind.NORMAL, ClockQuality.SYNCED
    made = PassageRecord(
        plaza_id=PlazaId(PLAZA),
        lane_id=LaneId(LANE),
        epoch=int(passage[9:12]),
        passage_id=PassageId(passage),
        boot_id=BootId("b1"),
        arrived=WallTime(utc_ms=LEFT_MS - 9_000, quality=now),
        sealed=WallTime(utc_ms=LEFT_MS, quality=now),
        dwell_ms=9000,
        end=PassageEnd.PASSED,
        authorised_by=AuthorisedBy.TENDER,
        unpaid_reason=None,
        plate=Plate(text=PLATE),
        plate_read=None,
        vehicle_class=car,
        vehicle_kind=kind,
        quote=Quote(
            tariff_id="T330101",
            tariff_version=1,
            row=1,
            entry_station="东湖站",
            entry_source=EntrySource.PLATE,
            vehicle_class=car,
            vehicle_kind=kind,
            full_toll_fen=TOLL_FEN,
            toll_due_fen=TOLL_FEN,
        ),
        toll_due_fen=TOLL_FEN,
        legs=(Leg(tender=Tender.CASH, amount_fen=TOLL_FEN),),
        orders=(),
        attended=True,
        degraded=(),
        remarks=(),
        operator=None,
        operator_reason=None,
    )
    return replace(made, **changes)


async def taken(plaza: PlazaProcess, **changes: Any) -> SealedRecord:
    """Let one more car pay in cash and pass; return its record once the plaza has it."""
    answer = await plaza.ask("GET", f"/v1/lanes/{LANE}/epoch")
    enrolled = wire.check(wire.enrolment_answer, answer.raw, where="epoch")
    passage = str(plaza.payment()["passage_id"])
    sealed = seal(enrolled.anchor, canonical_bytes(told(passage, **changes)))
    fields = json.loads(canonical_bytes(sealed))
    del fields["_"]
    answer = await plaza.ask("POST", "/v1/records", {"records": [fields]})
    assert answer.fields["anchor"]["chain_hash"] == anchor_of(sealed).chain_hash, answer.raw
    return sealed


def number_of(sealed: SealedRecord) -> str:
    """Return the receipt number of a record."""
    return str(json.loads(sealed.body)["passage_id"])


def query_of(sealed: SealedRecord) -> str:
    """Return the query that opens a record's receipt."""
    return f"?c={check_code(sealed.chain_hash)}"


async def person(plaza: PlazaProcess, name: str) -> str:
    """Register a person; return the token."""
    body = {"name": name, "role": "shift_leader", "pin": "2468"}
    answer = await plaza.ask("PUT", f"/v1/operators/{name}", body, token="admin")
    assert answer.status == 200, answer.raw
    return str(answer.fields["token"])
