"""Claims over HTTP and by the command line, at a real plaza with a real gateway."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from tests.plaza_server.api.test_resources import record_body
from tests.plaza_server.plaza_process import (
    LANE,
    PLAZA,
    TOLL_FEN,
    Answer,
    PlazaProcess,
    command,
)
from tolling.canonical import canonical_bytes, from_canonical
from tolling.chain import anchor_of, genesis, seal
from tolling.ids import LaneId, OutTradeNo, PassageId, PlazaId
from tolling.records import AuthorisedBy, Leg, PassageRecord, Tender

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.wire, pytest.mark.slow]


async def person(plaza: PlazaProcess, name: str, role: str) -> str:
    """Register somebody and return their token."""
    body = {"name": name, "role": role, "pin": "4829"}
    answer = await plaza.ask("PUT", f"/v1/operators/{name}", body, token="admin")
    assert answer.status == 200, answer.raw
    return str(answer.fields["token"])


def settled(passage: str, leg: Leg, *, before: Any = None) -> Any:
    """Return the sealed record of a passage that was paid by *leg*."""
    made = from_canonical(PassageRecord, record_body(passage))
    assert isinstance(made, PassageRecord)
    orders = () if leg.out_trade_no is None else (leg.out_trade_no,)
    whole = replace(
        made,
        legs=(leg,),
        orders=orders,
        toll_due_fen=leg.amount_fen,
        unpaid_reason=None,
        authorised_by=AuthorisedBy.TENDER,
    )
    start = genesis(PlazaId(PLAZA), LaneId(LANE), made.epoch)
    anchor = start if before is None else anchor_of(before)
    return seal(anchor, canonical_bytes(whole))


async def upload(plaza: PlazaProcess, *records: Any) -> None:
    """Send sealed records."""
    fields = [json.loads(canonical_bytes(each)) for each in records]
    for each in fields:
        each.pop("_", None)
    answer = await plaza.ask("POST", "/v1/records", {"records": fields})
    assert (answer.status, answer.fields["refused"]) == (200, None), answer.raw


async def until_asked(plaza: PlazaProcess, body: dict[str, Any], token: str) -> Answer:
    """Ask until the payment is proven, which a query does some seconds behind it."""
    for _ in range(100):
        answer = await plaza.ask("POST", "/v1/refunds", body, token=token)
        if answer.status != 403 or "proven" not in answer.fields["detail"]:
            return answer
        await asyncio.sleep(0.2)
    raise AssertionError("never proven")


async def until_state(plaza: PlazaProcess, claim: str, state: str) -> dict[str, Any]:
    """Read a claim until it is in *state*."""
    fields: dict[str, Any] = {}
    for _ in range(150):
        fields = (await plaza.ask("GET", f"/v1/refunds/{claim}", token="admin")).fields
        if fields["state"] == state:
            return fields
        await asyncio.sleep(0.1)
    raise AssertionError(f"{fields} never came to {state}")


@pytest.mark.long
async def test_a_claim_is_asked_approved_and_paid_back(plaza: PlazaProcess) -> None:
    """By phone through the gateway, by cash through a person; nothing happens twice."""
    leader = await person(plaza, "wang", "shift_leader")
    helper = await person(plaza, "li", "attendant")
    number, paid = await plaza.pay()
    assert paid.fields["state"] == "paid"
    phone, cash = number[:21], f"{number[:12]}999999999"
    leg = Leg(tender=Tender.ALIPAY, amount_fen=TOLL_FEN, out_trade_no=OutTradeNo(number))
    first = settled(phone, leg)
    coins = Leg(tender=Tender.CASH, amount_fen=TOLL_FEN)
    await upload(plaza, first, settled(PassageId(cash), coins, before=first))

    body = {"request_id": "request-0001", "receipt_no": phone, "reason": "wrong class"}
    asked = await until_asked(plaza, body, helper)
    assert asked.status == 200, asked.raw
    assert (asked.fields["state"], asked.fields["amount_fen"]) == ("asked", TOLL_FEN)
    claim = asked.fields["claim_id"]
    again = await plaza.ask("POST", "/v1/refunds", body, token=helper)
    assert again.fields == asked.fields
    other = await plaza.ask("POST", "/v1/refunds", body | {"reason": "x"}, token=helper)
    assert (other.status, other.fields["reason"]) == (409, "conflict")

    decision = f"/v1/refunds/{claim}/decision"
    no = await plaza.ask("POST", decision, {"decision": "approve"}, token=helper)
    assert no.status == 403
    yes = await plaza.ask("POST", decision, {"decision": "approve"}, token=leader)
    assert (yes.status, yes.fields["decided_by"]) == (200, "wang")
    ended = await until_state(plaza, claim, "refunded")
    assert ended["out_refund_no"] == f"{number}R02"
    assert plaza.gateway.trades[number].refunded == "25.50"
    assert plaza.gateway.count("refund") == 1

    part = {"request_id": "request-0002", "receipt_no": cash, "reason": "r", "amount_fen": 50}
    coin = (await plaza.ask("POST", "/v1/refunds", part, token=helper)).fields["claim_id"]
    for step in ("approve", "paid_out"):
        path = f"/v1/refunds/{coin}/decision"
        done = await plaza.ask("POST", path, {"decision": step}, token=leader)
        assert done.status == 200, done.raw
    listed = await plaza.ask("GET", f"/v1/refunds?receipt_no={cash}", token=helper)
    assert [each["state"] for each in listed.fields["claims"]] == ["paid_out"]
    newest = await plaza.ask("GET", "/v1/refunds?state=refunded", token="admin")
    assert [each["claim_id"] for each in newest.fields["claims"]] == [claim]

    await _by_command(plaza, cash, leader)
    code, out, errors = await command("verify", "--config", str(plaza.home / "plaza.toml"))
    assert code == 0, (out, errors)


async def _by_command(plaza: PlazaProcess, receipt: str, token: str) -> None:
    """Ask, approve and list by the command line; the token is in the environment alone."""
    where = ("--config", str(plaza.home / "plaza.toml"), "--url", plaza.url)
    asking = ("refund", "ask", receipt, *where, "--reason", "r", "--fen", "60", "--json")
    code, out, errors = await command(*asking, environment={"PLAZA_TOKEN": token})
    assert code == 0, errors
    claim = json.loads(out)["claim_id"]
    environment = {"PLAZA_TOKEN": token}
    for verb in ("approve", "paid-out"):
        code, out, errors = await command("refund", verb, claim, *where, environment=environment)
        assert (code, claim in out) == (0, True), errors
    code, out, errors = await command("refund", "list", *where, environment=environment)
    assert (code, len(out.splitlines())) == (0, 3), errors
    for arguments, said in (
        (("refund", "refuse", claim, *where, "--reason", "r"), "paid_out, not asked"),
        (("refund", "ask", "1" * 21, *where, "--reason", "r"), "no such receipt"),
    ):
        code, _, errors = await command(*arguments, environment=environment)
        assert (code, said in errors, errors.count("\n")) == (2, True, 1), errors
    code, _, errors = await command("refund", "list", *where, environment={"PLAZA_TOKEN": ""})
    assert (code, "PLAZA_TOKEN" in errors) == (2, True)
    nowhere = (*where[:2], "--url", "http://127.0.0.1:9")
    code, _, errors = await command("refund", "list", *nowhere, environment=environment)
    assert (code, "does not answer" in errors, errors.count("\n")) == (2, True, 1)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/refunds", {"request_id": "short", "receipt_no": "1", "reason": "r"}),
        ("POST", "/v1/refunds", {"request_id": "request-9", "receipt_no": "1" * 21, "reason": ""}),
        ("POST", f"/v1/refunds/{'1' * 21}C01/decision", {"decision": "maybe"}),
        ("POST", "/v1/refunds/none/decision", {"decision": "approve"}),
        ("GET", "/v1/refunds?state=happy", None),
    ],
)
async def test_a_claim_that_is_none_is_named(
    plaza: PlazaProcess, method: str, path: str, body: object
) -> None:
    """Field or parameter, without its value."""
    token = await person(plaza, "zhao", "shift_leader")
    answer = await plaza.ask(method, path, body, token=token)
    assert (answer.status, answer.fields["reason"]) == (400, "bad_input")


async def test_claims_are_for_staff_alone(plaza: PlazaProcess) -> None:
    """Lanes and strangers hear nothing; nobody asks as the admin."""
    body = {"request_id": "request-0003", "receipt_no": "1" * 21, "reason": "r"}
    for token, status in (("lane", 403), ("admin", 403), (None, 401)):
        assert (await plaza.ask("POST", "/v1/refunds", body, token=token)).status == status
    assert (await plaza.ask("GET", "/v1/refunds", token="lane")).status == 403
    missing = await plaza.ask("GET", f"/v1/refunds/{'1' * 21}C01", token="admin")
    assert missing.status == 404
