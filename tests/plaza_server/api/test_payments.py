"""Payments over real HTTP, through a real plaza process, to a scripted gateway."""

from __future__ import annotations

import asyncio

import pytest

from tests.plaza_server import fake_gateway as far
from tests.plaza_server.plaza_process import PLAZA, TOLL_FEN, PlazaProcess

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.wire, pytest.mark.slow]


async def test_a_paid_code_answers_paid(plaza: PlazaProcess) -> None:
    """Amount, transaction number and state come with the first answer."""
    number, answer = await plaza.pay()
    assert answer.status == 200
    assert answer.fields["out_trade_no"] == number
    assert answer.fields["state"] == "paid"
    assert answer.fields["captured_fen"] == TOLL_FEN
    assert answer.fields["provider_txn_id"] == plaza.gateway.trades[number].trade_no
    assert plaza.gateway.trades[number].amount == "25.50"


async def test_the_same_request_again_gives_the_same_answer(plaza: PlazaProcess) -> None:
    """A lane that lost the answer asks again; pay is sent once."""
    body = plaza.payment()
    before = plaza.gateway.count("pay")
    first = await plaza.ask("POST", "/v1/payments", body)
    again = await plaza.ask("POST", "/v1/payments", body)
    assert first.fields["state"] == again.fields["state"] == "paid"
    assert first.fields["provider_txn_id"] == again.fields["provider_txn_id"]
    assert plaza.gateway.count("pay") == before + 1


async def test_the_same_number_with_other_content_is_a_conflict(plaza: PlazaProcess) -> None:
    """409, and nothing is sent."""
    body = plaza.payment()
    await plaza.ask("POST", "/v1/payments", body)
    before = plaza.gateway.count("pay")
    for change in ({"toll_fen": 1}, {"pay_code": plaza.payment()["pay_code"]}):
        answer = await plaza.ask("POST", "/v1/payments", body | change)
        assert (answer.status, answer.fields["code"]) == (409, 4001)
    assert plaza.gateway.count("pay") == before


async def test_one_code_pays_one_order(plaza: PlazaProcess) -> None:
    """The previous car's code, held up again, is refused by the plaza itself."""
    body = plaza.payment()
    await plaza.ask("POST", "/v1/payments", body)
    before = plaza.gateway.count("pay")
    second = plaza.payment(pay_code=body["pay_code"])
    answer = await plaza.ask("POST", "/v1/payments", second)
    assert (answer.fields["state"], answer.fields["reason_code"]) == ("refused", "code_used")
    assert answer.fields["next"] == "new_code"
    assert plaza.gateway.count("pay") == before


async def test_a_password_is_waited_for(plaza: PlazaProcess) -> None:
    """Waiting is told at once; the long poll brings paid when the payer confirmed."""
    plaza.gateway.then("pay", far.wait_for_password)
    number, answer = await plaza.pay()
    assert (answer.status, answer.fields["state"]) == (200, "waiting")
    assert answer.fields["next"] == "wait"
    plaza.gateway.trades[number].status = "TRADE_SUCCESS"
    paid = await plaza.until(number, "paid")
    assert paid["captured_fen"] == TOLL_FEN
    assert paid["version"] > answer.fields["version"]


@pytest.mark.parametrize(
    ("sub_code", "reason", "step"),
    [
        ("ACQ.PAYMENT_AUTH_CODE_INVALID", "code_invalid", "new_code"),
        ("ACQ.BUYER_BALANCE_NOT_ENOUGH", "balance", "other_tender"),
    ],
)
async def test_a_refusal_says_what_to_do(
    plaza: PlazaProcess, sub_code: str, reason: str, step: str
) -> None:
    """A signed refusal is final for this code."""
    plaza.gateway.then("pay", far.refused(sub_code))
    _, answer = await plaza.pay()
    assert answer.fields["state"] == "refused"
    assert (answer.fields["reason_code"], answer.fields["next"]) == (reason, step)
    assert answer.fields["captured_fen"] == 0


async def test_a_slow_platform_is_unknown_by_the_deadline(plaza: PlazaProcess) -> None:
    """The lane hears in time; what was charged is found by a query, never paid again."""
    release = asyncio.Event()
    plaza.gateway.then("pay", far.held(release))
    number, answer = await plaza.pay(deadline_ms=600)
    assert answer.status == 200
    assert answer.fields["state"] in ("sent", "unknown")
    paid = await plaza.until(number, "paid")
    release.set()
    assert paid["captured_fen"] == TOLL_FEN


@pytest.mark.parametrize(
    "script", [far.charge_then_drop, far.bad_signature, far.no_signature], ids=lambda s: s.__name__
)
async def test_a_charge_nobody_confirmed_is_found_by_query(
    plaza: PlazaProcess, script: far.Script
) -> None:
    """A lost or unbelievable answer is neither paid nor refused; the query decides."""
    before = plaza.gateway.count("pay")
    plaza.gateway.then("pay", script)
    number, answer = await plaza.pay(deadline_ms=300)
    assert answer.fields["state"] != "refused"
    paid = await plaza.until(number, "paid")
    assert paid["captured_fen"] == TOLL_FEN
    assert plaza.gateway.count("pay") == before + 1


async def test_a_doubled_node_is_never_paid(plaza: PlazaProcess) -> None:
    """An unsigned success behind a signed refusal makes nothing of either."""
    plaza.gateway.then("pay", far.doubled_node)
    number, answer = await plaza.pay(deadline_ms=300)
    assert answer.fields["state"] in ("sent", "unknown")
    assert number not in plaza.gateway.trades
    ended = await plaza.ask("POST", f"/v1/payments/{number}/cancel")
    assert ended.fields["state"] in ("closing", "unknown", "closed")
    assert ended.fields["captured_fen"] == 0


async def test_a_cancelled_unknown_number_never_reaches_a_platform(plaza: PlazaProcess) -> None:
    """The tombstone answers a late POST."""
    body = plaza.payment()
    number = f"{body['passage_id']}A01"
    assert (await plaza.ask("GET", f"/v1/payments/{number}")).status == 404
    cancelled = await plaza.ask("POST", f"/v1/payments/{number}/cancel")
    assert (cancelled.status, cancelled.fields["state"]) == (200, "closed")
    before = plaza.gateway.count("pay")
    late = await plaza.ask("POST", "/v1/payments", body)
    assert late.fields["state"] == "closed"
    assert plaza.gateway.count("pay") == before


async def test_a_cancelled_waiting_order_is_closing(plaza: PlazaProcess) -> None:
    """202 with a time to ask again, until the end is proven."""
    plaza.gateway.then("pay", far.wait_for_password)
    number, _ = await plaza.pay()
    answer = await plaza.ask("POST", f"/v1/payments/{number}/cancel")
    assert (answer.status, answer.fields["state"]) == (202, "closing")
    assert answer.fields["retry_after_ms"] > 0


async def test_another_lane_learns_nothing(plaza: PlazaProcess) -> None:
    """A lane neither pays, polls nor cancels for another."""
    made = await plaza.ask("POST", "/v1/lanes", {"lane_id": "002"}, token="admin")
    other = made.fields["token"]
    number, _ = await plaza.pay()
    assert (await plaza.ask("POST", "/v1/payments", plaza.payment(), token=other)).status == 403
    assert (await plaza.ask("GET", f"/v1/payments/{number}", token=other)).status == 404
    cancel = await plaza.ask("POST", f"/v1/payments/{number}/cancel", token=other)
    assert cancel.status == 403


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"surprise": 1}, "surprise"),
        ({"toll_fen": 0}, "toll_fen"),
        ({"toll_fen": "2550"}, "toll_fen"),
        ({"toll_fen": 25.5}, "toll_fen"),
        ({"lane_id": "1"}, "lane_id"),
        ({"vehicle_class": 99}, "vehicle_class"),
        ({"pay_code": "6901234567892"}, "pay_code"),
        ({"pay_code": "2812345678901234"[:15] + "x"}, "pay_code"),
        ({"wallet": "wechat"}, "wallet"),
        ({"deadline_ms": 0}, "deadline_ms"),
        ({"passage_id": f"{PLAZA}009001000000001"}, "passage_id"),
    ],
)
async def test_a_wrong_field_is_named(
    plaza: PlazaProcess, change: dict[str, object], names: str
) -> None:
    """400 with the field's name, and no word of the input."""
    body = plaza.payment() | change
    answer = await plaza.ask("POST", "/v1/payments", body)
    assert (answer.status, answer.fields["code"]) == (400, 2001)
    assert names in answer.fields["detail"]
    assert str(body["pay_code"]).encode() not in answer.raw


async def test_a_code_as_a_fields_name_is_not_echoed(plaza: PlazaProcess) -> None:
    """Even the name of an unknown field may be a secret."""
    body = plaza.payment()
    answer = await plaza.ask("POST", "/v1/payments", body | {str(body["pay_code"]): 1})
    assert answer.status == 400
    assert str(body["pay_code"]).encode() not in answer.raw


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b'{"a":' * 5000])
async def test_what_is_no_json_object_is_refused(plaza: PlazaProcess, body: bytes) -> None:
    """One clear problem; the process goes on."""
    answer = await plaza.ask("POST", "/v1/payments", body)
    assert answer.status in (400, 413)
    assert answer.headers["Content-Type"] == "application/problem+json"


async def test_a_body_too_long_is_refused(plaza: PlazaProcess) -> None:
    """413 before it is read to its end."""
    answer = await plaza.ask("POST", "/v1/payments", b"x" * 40_000)
    assert (answer.status, answer.fields["reason"]) == (413, "too_large")


async def test_no_pay_code_is_left_anywhere(plaza: PlazaProcess) -> None:
    """Database, journal, log and every answer of all tests before: no code in clear."""
    await plaza.pay()
    kept = plaza.kept()
    assert b"platform_answered" in kept, "the log is among what is searched"
    assert plaza.lane_token.encode() not in b"".join(
        path.read_bytes() for path in plaza.home.rglob("*") if path.is_file()
    )
    for code in plaza.codes:
        assert code.encode() not in kept
