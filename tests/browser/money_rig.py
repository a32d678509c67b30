"""A plaza with money that waits for a person, for the pages of money."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import Any

import pysqlite3.dbapi2 as sqlite

from plaza_server.rules.coupon_file import COLUMNS
from tests.plaza_server.api.test_refunds import person, upload
from tests.plaza_server.api.test_resources import record_body
from tests.plaza_server.plaza_process import LANE, PLAZA, PlazaProcess
from tolling.best_price import Reason
from tolling.canonical import canonical_bytes, from_canonical
from tolling.chain import SealedRecord, anchor_of, genesis, seal
from tolling.ids import LaneId, PlazaId
from tolling.records import (
    AuthorisedBy,
    Leg,
    OwedBack,
    PassageEnd,
    PassageRecord,
    Tender,
    UnpaidReason,
)
from tolling.vehicles import Plate

TOLL = 2_500
DAY_MS = 86_400_000


@dataclass(frozen=True, kw_only=True)
class Filled:
    """What is in the plaza."""

    leader: str
    """Token of a shift leader."""
    helper: str
    """Token of an attendant."""
    doubtful: str
    """Passage whose tag was debited, or not; late."""
    due: str
    """Passage whose tag is owed 10 yuan."""
    parts: str
    """Passage paid by coupon, tag and cash."""
    held: str
    """Passage of a lost journal that holds a coupon."""


def text(letter: str) -> str:
    """Return a coupon's text."""
    return "TLC1" + letter * 28


async def bring(plaza: PlazaProcess, *letters: str) -> None:
    """Import a coupon of 5 yuan for each letter."""
    lines = (
        f"K-{c},{text(c)},issuer,coupon_fixed,券,500,0,2026-01-01,2099-12-31," for c in letters
    )
    body = "\n".join((",".join(COLUMNS), *lines)).encode("utf-8")
    taken = await plaza.ask("POST", "/v1/coupons", body, token="admin")
    assert taken.status == 200, taken.raw


async def reserve(plaza: PlazaProcess, passage: str, letter: str) -> None:
    """Hold a coupon for a passage."""
    quote = {
        "tariff_id": "T330101",
        "tariff_version": 1,
        "row": 1,
        "entry_station": "E1",
        "entry_source": "plate",
        "vehicle_class": 1,
        "vehicle_kind": 0,
        "full_toll_fen": TOLL,
        "toll_due_fen": TOLL,
    }
    asked = {"passage_id": passage, "attempt": 1, "lane_id": LANE, "quote": quote}
    held = await plaza.ask("POST", "/v1/coupons/reserve", asked | {"coupon": text(letter)})
    assert held.fields["state"] == "reserved", held.raw


def made(passage: str, **changes: Any) -> PassageRecord:
    """Return a record of a car that backed out, with *changes*."""
    found = from_canonical(PassageRecord, record_body(passage))
    assert isinstance(found, PassageRecord)
    out = replace(
        found,
        end=PassageEnd.BACKED_OUT,
        unpaid_reason=UnpaidReason.BACKED_OUT,
        toll_due_fen=TOLL,
        plate=Plate(text="浙A12345"),
    )
    return replace(out, **changes)


def owing(passage: str, txn_id: str | None) -> PassageRecord:
    """Return a record that owes a tag 10 yuan."""
    tag = f"TAG{passage[-4:]}"
    owed = OwedBack(tender=Tender.ETC, tag_id=tag, amount_fen=1000, txn_id=txn_id)
    return made(passage, owed_back=(owed,))


def in_parts(passage: str) -> PassageRecord:
    """Return a record of a toll paid by coupon, tag and cash."""
    legs = (
        Leg(tender=Tender.COUPON, amount_fen=500, provider_txn_id="K-A"),
        Leg(tender=Tender.ETC, amount_fen=700, provider_txn_id="E20260101"),
        Leg(tender=Tender.CASH, amount_fen=TOLL - 1200),
    )
    return made(
        passage,
        end=PassageEnd.PASSED,
        authorised_by=AuthorisedBy.TENDER,
        unpaid_reason=None,
        legs=legs,
        why=(Reason(code="coupon_fixed", name="券", saved_fen=500),),
    )


async def filled(plaza: PlazaProcess) -> Filled:
    """Fill a fresh plaza."""
    leader = await person(plaza, "wang", "shift_leader")
    helper = await person(plaza, "li", "attendant")
    names = [f"{PLAZA}{LANE}{plaza.epoch:03d}{number:09d}" for number in (801, 802, 803, 804)]
    doubtful, due, parts, held = names
    await bring(plaza, "A", "B")
    await reserve(plaza, parts, "A")
    await reserve(plaza, held, "B")
    anchor = genesis(PlazaId(PLAZA), LaneId(LANE), plaza.epoch)
    records: list[SealedRecord] = []
    for record in (owing(doubtful, None), owing(due, "E20260102"), in_parts(parts)):
        records.append(seal(anchor, canonical_bytes(record)))
        anchor = anchor_of(records[-1])
    await upload(plaza, *records)
    fresh = await plaza.ask("GET", f"/v1/lanes/{LANE}/epoch?fresh=true")
    assert fresh.fields["epoch"] == plaza.epoch + 1
    with contextlib.closing(sqlite.connect(plaza.home / "plaza.db", timeout=5)) as books:
        books.execute(
            "UPDATE etc_dues SET noted_ms = noted_ms - ? WHERE passage_id = ?",
            (4 * DAY_MS, doubtful),
        )
        books.execute("UPDATE coupon_holds SET reserved_ms = reserved_ms - ?", (DAY_MS,))
        books.commit()
    return Filled(leader=leader, helper=helper, doubtful=doubtful, due=due, parts=parts, held=held)
