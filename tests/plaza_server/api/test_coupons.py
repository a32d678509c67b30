"""Coupons over HTTP at a real plaza: brought, held, let go, used up, and never told in clear."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from plaza_server.rules.coupon_file import COLUMNS
from plaza_server.store import coupon_queries, open_for_reading
from tests.plaza_server.api.test_refunds import person, upload
from tests.plaza_server.api.test_resources import record_body
from tests.plaza_server.plaza_process import LANE, PLAZA, PlazaProcess, command
from tolling.best_price import Reason
from tolling.canonical import canonical_bytes, from_canonical
from tolling.chain import genesis, seal
from tolling.ids import LaneId, PlazaId
from tolling.records import AuthorisedBy, Leg, PassageRecord, Tender

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.wire, pytest.mark.slow]
TEXT, OTHER, LOST = ("TLC1" + letter * 28 for letter in "QRS")
TOLL = 2_500


def file(*lines: str) -> bytes:
    """Return an issuer's file."""
    return "\n".join((",".join(COLUMNS), *lines)).encode("utf-8")


def line(number: str, text: str) -> str:
    """Return one coupon of 5 yuan that is good for long."""
    return f"{number},{text},issuer,coupon_fixed,券,500,0,2026-01-01,2099-12-31,"


def body(plaza: PlazaProcess, text: str, number: int, **changes: Any) -> dict[str, Any]:
    """Return the body of a reservation."""
    asked = {
        "passage_id": f"{PLAZA}{LANE}{plaza.epoch:03d}{number:09d}",
        "attempt": 1,
        "lane_id": LANE,
        "quote": {
            "tariff_id": "T330101",
            "tariff_version": 1,
            "row": 1,
            "entry_station": "E1",
            "entry_source": "plate",
            "vehicle_class": 1,
            "vehicle_kind": 0,
            "full_toll_fen": TOLL,
            "toll_due_fen": TOLL,
        },
        "coupon": text,
    }
    return asked | changes


async def test_a_coupon_is_brought_held_and_used_up(plaza: PlazaProcess) -> None:
    """From the issuer's file to the receipt that says why the price was less."""
    taken = await plaza.ask("POST", "/v1/coupons", file(line("K-1", TEXT)), token="admin")
    assert (taken.status, taken.fields) == (200, {"coupons": 1, "new": 1}), taken.raw
    asked = body(plaza, TEXT, 501)
    held = await plaza.ask("POST", "/v1/coupons/reserve", asked)
    assert held.status == 200, held.raw
    assert (held.fields["state"], held.fields["saved_fen"]) == ("reserved", 500)
    assert (await plaza.ask("POST", "/v1/coupons/reserve", asked)).fields == held.fields
    second = await plaza.ask("POST", "/v1/coupons/reserve", body(plaza, TEXT, 502))
    assert second.fields["reason"] == "taken"

    made = from_canonical(PassageRecord, record_body(asked["passage_id"]))
    assert isinstance(made, PassageRecord)
    legs = (
        Leg(tender=Tender.COUPON, amount_fen=500, provider_txn_id="K-1"),
        Leg(tender=Tender.CASH, amount_fen=TOLL - 500),
    )
    whole = replace(
        made,
        legs=legs,
        toll_due_fen=TOLL,
        unpaid_reason=None,
        authorised_by=AuthorisedBy.TENDER,
        why=(Reason(code="coupon_fixed", name="券", saved_fen=500),),
    )
    start = genesis(PlazaId(PLAZA), LaneId(LANE), made.epoch)
    await upload(plaza, seal(start, canonical_bytes(whole)))
    third = await plaza.ask("POST", "/v1/coupons/reserve", body(plaza, TEXT, 503))
    assert third.fields["reason"] == "used"
    store = open_for_reading(f"sqlite:///{plaza.home / 'plaza.db'}")
    with store.reading() as connection:
        (found,) = coupon_queries.coupon_lines(connection, state=None, limit=5)
    store.close()
    assert (found["state"], found["passage_id"]) == ("consumed", asked["passage_id"])


async def test_a_held_coupon_is_let_go(plaza: PlazaProcess) -> None:
    """And another vehicle may have it; its late request again holds nothing."""
    await plaza.ask("POST", "/v1/coupons", file(line("K-2", OTHER)), token="admin")
    asked = body(plaza, OTHER, 601)
    await plaza.ask("POST", "/v1/coupons/reserve", asked)
    release = {name: asked[name] for name in ("passage_id", "attempt", "lane_id")}
    gone = await plaza.ask("POST", "/v1/coupons/release", release)
    assert (gone.status, gone.fields["state"]) == (200, "released")
    assert (await plaza.ask("POST", "/v1/coupons/reserve", asked)).fields["state"] == "released"
    again = await plaza.ask("POST", "/v1/coupons/reserve", body(plaza, OTHER, 602))
    assert again.fields["state"] == "reserved"


async def test_a_coupon_of_a_lost_journal_is_let_go_by_a_shift_leader(
    plaza: PlazaProcess,
) -> None:
    """Refused to others and while the lane may have its journal; kept with who and why; the command
    line says the same."""
    await plaza.ask("POST", "/v1/coupons", file(line("K-3", LOST)), token="admin")
    asked = body(plaza, LOST, 650)
    assert (await plaza.ask("POST", "/v1/coupons/reserve", asked)).fields["state"] == "reserved"
    leader = await person(plaza, "wang", "shift_leader")
    helper = await person(plaza, "li", "attendant")
    path = f"/v1/coupons/holds/{asked['passage_id']}C01/release"
    why = {"reason": "lane box burnt"}
    early = await plaza.ask("POST", path, why, token=leader)
    assert early.status == 403, early.raw
    assert "may still have the journal" in early.fields["detail"]
    for token in ("lane", "admin", helper):
        assert (await plaza.ask("POST", path, why, token=token)).status == 403
    for wrong in ({}, {"reason": ""}, {"reason": "r" * 201}, {**why, "by": "li"}):
        assert (await plaza.ask("POST", path, wrong, token=leader)).status == 400
    fresh = await plaza.ask("GET", f"/v1/lanes/{LANE}/epoch?fresh=true")
    assert fresh.fields["epoch"] == plaza.epoch + 1
    assert (await plaza.ask("POST", path, why, token=helper)).status == 403
    holds = await plaza.ask("GET", "/v1/coupons/holds", token=leader)
    waiting = {each["coupon_no"]: each["held_by"] for each in holds.fields["holds"]}
    assert waiting["K-3"] == "nothing"
    assert (await plaza.ask("GET", "/v1/coupons/holds")).status == 403
    arguments = (path.split("/")[4], "--reason", why["reason"], "--url", plaza.url, "--json")
    config = ("--config", str(plaza.home / "plaza.toml"))
    code, out, err = await command(
        "coupons", "release", *arguments, *config, environment={"PLAZA_TOKEN": leader}
    )
    assert code == 0, err
    done = json.loads(out.splitlines()[-1])
    assert (done["state"], done["released_by"]) == ("released", "wang")
    again = await plaza.ask("POST", path, {"reason": "once more"}, token=leader)
    assert (again.status, again.fields) == (200, done)
    plaza.epoch = fresh.fields["epoch"]
    other = await plaza.ask("POST", "/v1/coupons/reserve", body(plaza, LOST, 1))
    assert other.fields["state"] == "reserved"


async def test_wrong_requests_name_the_field_and_repeat_nothing(plaza: PlazaProcess) -> None:
    """No text of a coupon is in any answer, file or log of this plaza."""
    for changes in (
        {"coupon": "TLC1" + "q" * 28},
        {"coupon": TEXT + "A"},
        {"attempt": 0},
        {"passage_id": "1" * 21},
        {"extra": TEXT},
        {"quote": TEXT},
    ):
        asked = body(plaza, TEXT, 700) | changes
        answer = await plaza.ask("POST", "/v1/coupons/reserve", asked)
        assert answer.status in (400, 403, 422), answer.raw
    other = await plaza.ask("POST", "/v1/coupons/reserve", body(plaza, TEXT, 1, lane_id="002"))
    assert other.status in (400, 403)
    nobody = await plaza.ask("POST", "/v1/coupons", file(line("K-9", TEXT)))
    assert nobody.status in (401, 403)
    bad = await plaza.ask(
        "POST", "/v1/coupons", file(line("K-9", TEXT), f"=A,{OTHER}"), token="admin"
    )
    assert bad.status == 400, bad.raw
    assert "line 3" in json.loads(bad.raw)["detail"]
    kept = plaza.kept()
    assert TEXT.encode() not in kept
    assert OTHER.encode() not in kept
