"""Everything but payments, over real HTTP against a real plaza process."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from plaza_server.shell.staff import pin_fits
from tests.plaza_server.plaza_process import LANE, PLAZA, PlazaProcess
from tolling import wire
from tolling.canonical import canonical_bytes
from tolling.chain import genesis, seal
from tolling.clock import ClockQuality, WallTime
from tolling.ids import BootId, LaneId, PassageId, PlazaId
from tolling.records import AuthorisedBy, PassageEnd, PassageRecord, UnpaidReason
from tolling.signed_sets import open_tariff
from tolling.vehicles import VehicleClass, VehicleKind

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.wire, pytest.mark.slow]
NOW = WallTime(utc_ms=1_795_314_605_000, quality=ClockQuality.SYNCED)


def record_body(passage: str) -> bytes:
    """Return the canonical text of a vehicle that ran through."""
    return canonical_bytes(
        PassageRecord(
            plaza_id=PlazaId(PLAZA),
            lane_id=LaneId(LANE),
            epoch=int(passage[9:12]),
            passage_id=PassageId(passage),
            boot_id=BootId("b1"),
            arrived=NOW,
            sealed=NOW,
            dwell_ms=5000,
            end=PassageEnd.PASSED,
            authorised_by=AuthorisedBy.NOBODY,
            unpaid_reason=UnpaidReason.VIOLATION,
            plate=None,
            plate_read=None,
            vehicle_class=VehicleClass.CAR_1,
            vehicle_kind=VehicleKind.NORMAL,
            quote=None,
            toll_due_fen=0,
            legs=(),
            orders=(),
            attended=False,
            degraded=(),
            remarks=(),
            operator=None,
            operator_reason=None,
        )
    )


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/payments"),
        ("GET", f"/v1/payments/{PLAZA}001001000000001A01"),
        ("POST", f"/v1/payments/{PLAZA}001001000000001A01/cancel"),
        ("POST", "/v1/records"),
        ("POST", "/v1/entries"),
        ("GET", "/v1/tariffs"),
        ("GET", "/v1/operators"),
        ("GET", "/v1/lanes"),
        ("POST", "/v1/lanes/001/commands"),
    ],
)
@pytest.mark.parametrize("token", [None, "x" * 43, "ünïcode"])
async def test_without_a_good_token_nothing_is_told(
    plaza: PlazaProcess, method: str, path: str, token: str | None
) -> None:
    """401, and how to ask."""
    if token is not None and not token.isascii():
        token = token.encode().decode("latin-1")
    answer = await plaza.ask(method, path, {}, token=token)
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.fields["reason"] == "unauthorized"


@pytest.mark.parametrize(
    ("method", "path", "token"),
    [
        ("POST", "/v1/lanes", "lane"),
        ("GET", "/v1/lanes", "lane"),
        ("POST", "/v1/tariffs", "lane"),
        ("PUT", "/v1/entries/e1", "lane"),
        ("PUT", "/v1/operators/w1", "lane"),
        ("POST", "/v1/payments", "admin"),
        ("POST", "/v1/records", "admin"),
        ("POST", "/v1/lanes/001/commands", "admin"),
        ("GET", "/v1/lanes/002/epoch", "lane"),
    ],
)
async def test_a_token_opens_only_its_own_doors(
    plaza: PlazaProcess, method: str, path: str, token: str
) -> None:
    """A lane is no admin, the admin no lane, a lane no other lane."""
    assert (await plaza.ask(method, path, {}, token=token)).status == 403


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere/281234567890123456", 404),
        ("DELETE", "/v1/payments", 405),
        ("GET", "/v1/payments/281234567890123456", 400),
        ("GET", f"/v1/payments/{PLAZA}001001000000001A00", 400),
        ("GET", f"/v1/payments/{'0' * 21}A01", 400),
        ("POST", f"/v1/payments/{'0' * 21}A01/cancel", 400),
        ("GET", f"/v1/payments/{PLAZA}001001000000001A01?wait_ms=soon", 400),
        ("GET", f"/v1/payments/{PLAZA}001001000000001A01?wait_ms=99999999", 400),
        ("GET", "/v1/fares?vehicle_class=7", 400),
    ],
)
async def test_a_wrong_address_is_a_problem_without_its_text(
    plaza: PlazaProcess, method: str, path: str, status: int
) -> None:
    """The problem names the place and repeats nothing."""
    answer = await plaza.ask(method, path)
    assert answer.status == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.fields["status"] == status
    for text in ("281234567890123456", "soon", "99999999"):
        assert text.encode() not in answer.raw


async def test_a_new_token_ends_the_old_one(plaza: PlazaProcess) -> None:
    """Registering a lane again keeps its epoch and replaces its token at once."""
    first = (await plaza.ask("POST", "/v1/lanes", {"lane_id": "007"}, token="admin")).fields
    path = "/v1/lanes/007/epoch"
    one = await plaza.ask("GET", path, token=first["token"])
    again = (await plaza.ask("POST", "/v1/lanes", {"lane_id": "007"}, token="admin")).fields
    assert (await plaza.ask("GET", path, token=first["token"])).status == 401
    two = await plaza.ask("GET", path, token=again["token"])
    assert (one.status, two.status) == (200, 200)
    assert one.fields["epoch"] == two.fields["epoch"]
    listed = (await plaza.ask("GET", "/v1/lanes", token="admin")).fields
    assert "007" in [line["lane_id"] for line in listed]


async def test_sealed_records_are_taken_once_and_in_order(plaza: PlazaProcess) -> None:
    """The new anchor comes back; the same upload again changes nothing; a forged one is refused."""
    enrolled = wire.check(
        wire.enrolment_answer,
        (await plaza.ask("GET", f"/v1/lanes/{LANE}/epoch")).raw,
        where="epoch",
    )
    assert enrolled.anchor == genesis(PlazaId(PLAZA), LaneId(LANE), enrolled.epoch)
    passage = str(plaza.payment()["passage_id"])
    sealed = seal(enrolled.anchor, record_body(passage))
    upload = {"records": [json.loads(canonical_bytes(sealed))]}
    del upload["records"][0]["_"]
    for _ in range(2):
        answer = await plaza.ask("POST", "/v1/records", upload)
        assert answer.status == 200, answer.raw
        assert answer.fields["anchor"]["seq"] == 1
        assert answer.fields["anchor"]["chain_hash"] == sealed.chain_hash
        assert answer.fields["refused"] is None
    forged: dict[str, Any] = upload["records"][0] | {"seq": 2}
    answer = await plaza.ask("POST", "/v1/records", {"records": [forged]})
    assert answer.fields["refused"] == "forged"
    assert answer.fields["anchor"]["seq"] == 1


@pytest.mark.parametrize("records", [[], None, [{}] * 3, 7])
async def test_an_upload_that_is_none_is_named(plaza: PlazaProcess, records: object) -> None:
    """400 naming the field."""
    answer = await plaza.ask("POST", "/v1/records", {"records": records})
    assert answer.status == 400
    assert "records" in answer.fields["detail"]


async def test_a_lane_opens_the_tariff_with_the_key_it_was_given(plaza: PlazaProcess) -> None:
    """What is served verifies against the public file; a changed set does not."""
    public = json.loads((plaza.home / "keys" / "plaza_public.json").read_text())
    assert (await plaza.ask("GET", "/v1/key")).fields == public
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public["public_key"]))

    def verify(key_id: str, signature: bytes, message: bytes) -> bool:
        try:
            key.verify(signature, message)
        except InvalidSignature:
            return False
        return key_id == public["key_id"]

    (found,) = (await plaza.ask("GET", "/v1/tariffs")).fields
    envelope = wire.check(wire.signed_set, json.dumps(found), where="set")
    tariff = open_tariff(envelope, verify=verify)
    assert tariff.rows
    one = await plaza.ask("GET", f"/v1/tariffs/{tariff.tariff_id}/{tariff.version}")
    assert one.fields == found
    assert (await plaza.ask("GET", f"/v1/tariffs/{tariff.tariff_id}/77")).status == 404


async def test_the_fare_is_the_lanes_own_quote(plaza: PlazaProcess) -> None:
    """Known station, farthest for none, a gap is told."""
    known = await plaza.ask("GET", "/v1/fares?vehicle_class=1&entry_station=石桥")
    assert known.status == 200
    assert known.fields["toll_due_fen"] == 3500
    far = await plaza.ask("GET", "/v1/fares?vehicle_class=1&vehicle_kind=10")
    assert (far.fields["entry_source"], far.fields["toll_due_fen"]) == ("farthest", 0)
    gap = await plaza.ask("GET", "/v1/fares?vehicle_class=1&entry_station=Nowhere")
    assert (gap.status, gap.fields["code"]) == (404, 2201)


async def test_a_published_tariff_is_signed_and_its_version_is_final(plaza: PlazaProcess) -> None:
    """A new version is stored once; the same version with other content is refused."""
    tariff: dict[str, Any] = {
        "tariff_id": "NEXT",
        "version": 1,
        "made_at_ms": 1,
        "effective_from_ms": 4_000_000_000_000,
        "rows": [
            {
                "row": 1,
                "entry_station": "A",
                "vehicle_class": 1,
                "toll_fen": 100,
                "distance_m": 1000,
            }
        ],
    }
    first = await plaza.ask("POST", "/v1/tariffs", tariff, token="admin")
    assert first.status == 201, first.raw
    assert (await plaza.ask("POST", "/v1/tariffs", tariff, token="admin")).status == 200
    sets = (await plaza.ask("GET", "/v1/tariffs")).fields
    assert {each["set_id"] for each in sets} == {"NEXT", f"T{PLAZA}"}
    tariff["rows"][0]["toll_fen"] = 200
    other = await plaza.ask("POST", "/v1/tariffs", tariff, token="admin")
    assert (other.status, other.fields["code"]) == (409, 4001)
    tariff["rows"] = []
    assert (await plaza.ask("POST", "/v1/tariffs", tariff, token="admin")).status == 400


async def test_an_entry_is_stored_once_and_found(plaza: PlazaProcess) -> None:
    """By plate however it was typed, by medium, and not for strangers."""
    body = {
        "entry_station": "望江",
        "entered_ms": NOW.utc_ms,
        "vehicle_class": 1,
        "plate": "浙C·55555",
        "medium_id": "M-1",
    }
    for new in (True, False):
        stored = await plaza.ask("PUT", "/v1/entries/e-1", body, token="admin")
        assert (stored.status, stored.fields) == (200, {"new": new})
    for query in ({"plate": "浙C55555"}, {"medium_id": "M-1"}):
        found = (await plaza.ask("POST", "/v1/entries", query)).fields["entry"]
        assert (found["entry_station"], found["entered_ms"]) == ("望江", NOW.utc_ms)
    assert (await plaza.ask("POST", "/v1/entries", {"plate": "浙C00000"})).fields == {"entry": None}
    assert (await plaza.ask("POST", "/v1/entries", {})).status == 400
    wrong = await plaza.ask("PUT", "/v1/entries/e-2", body | {"plate": "??"}, token="admin")
    assert (wrong.status, "plate" in wrong.fields["detail"]) == (400, True)


async def test_staff_are_listed_for_lanes_without_their_pins(plaza: PlazaProcess) -> None:
    """A lane gets slow hashes that expire; the person gets a token of their own."""
    body = {"name": "王芳", "role": "attendant", "pin": "482913"}
    made = await plaza.ask("PUT", "/v1/operators/w1", body, token="admin")
    assert made.status == 200, made.raw
    listed = await plaza.ask("GET", "/v1/operators")
    assert b"482913" not in plaza.kept()
    (person,) = listed.fields["operators"]
    assert pin_fits("482913", person["pin_hash"])
    assert listed.fields["expires_ms"] > listed.fields["made_ms"]
    assert (await plaza.ask("GET", "/v1/lanes", token=made.fields["token"])).status == 200


async def test_a_command_without_a_broker_is_refused_before_it_is_stored(
    plaza: PlazaProcess,
) -> None:
    """503, so that nobody believes it was sent."""
    body = {"name": "李娜", "role": "assistant", "pin": "1234"}
    token = (await plaza.ask("PUT", "/v1/operators/w2", body, token="admin")).fields["token"]
    command = {"command_id": "c-0000001", "action": "raise", "boot_id": "b", "state_version": 1}
    answer = await plaza.ask("POST", f"/v1/lanes/{LANE}/commands", command, token=token)
    assert (answer.status, answer.fields["reason"]) == (503, "no_broker")
    wrong = command | {"action": "explode"}
    answer = await plaza.ask("POST", f"/v1/lanes/{LANE}/commands", wrong, token=token)
    assert answer.status == 400


async def test_health_and_figures_are_plain(plaza: PlazaProcess) -> None:
    """A supervisor and Prometheus need no token."""
    await plaza.pay()
    health = await plaza.ask("GET", "/health", token=None)
    assert (health.status, health.fields["status"]) == (200, "ok")
    figures = (await plaza.ask("GET", "/metrics", token=None)).raw.decode()
    results = 'toll_payment_results_total{channel="alipay",plaza="330101",result="paid"} 1.0'
    assert results in figures
    for name in ("toll_payment_seconds_bucket", "toll_doubt_orders", "toll_build_info"):
        assert name in figures


async def test_the_documentation_needs_no_other_host(plaza: PlazaProcess) -> None:
    """The page, its script and the OpenAPI text all come from the plaza."""
    page = (await plaza.ask("GET", "/docs", token=None)).raw.decode()
    assert "https://" not in page
    for asset in ("swagger-ui-bundle.js", "swagger-ui.css"):
        assert f"/assets/{asset}" in page
        assert (await plaza.ask("GET", f"/assets/{asset}", token=None)).status == 200
    text = await plaza.ask("GET", "/openapi.json", token=None)
    assert "/v1/payments/{out_trade_no}/cancel" in text.fields["paths"]


async def test_a_body_with_a_member_nobody_knows_is_refused_whole(plaza: PlazaProcess) -> None:
    """What people's tools send: a misspelt member is never left out silently. Words that lanes and
    the tariff's office sign or seal may come from another version, and say more than is known here.
    """
    text = (await plaza.ask("GET", "/openapi.json", token=None)).fields
    bodies = {
        f"{method.upper()} {path}": content["schema"]
        for path, operations in text["paths"].items()
        for method, operation in operations.items()
        for kind, content in operation.get("requestBody", {}).get("content", {}).items()
        if kind == "application/json"
    }
    assert len(bodies) > 10
    loose = [name for name, schema in bodies.items() if schema.get("additionalProperties", True)]
    assert set(loose) == {
        "POST /v1/records",
        "POST /v1/tariffs",
        "POST /v1/entries",
        "POST /v1/coupons/release",
    }
    lane = {"lane_id": "009", "lane_ids": "typo"}
    answer = await plaza.ask("POST", "/v1/lanes", lane, token="admin")
    assert answer.status == 400
