"""Receipts and roots over real HTTP, and their check with nothing but a public key."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from tests.plaza_server.api.receipt_rig import (
    PLATE,
    TOLL_FEN,
    number_of,
    person,
    query_of,
    taken,
)
from tests.plaza_server.plaza_process import LANE, PlazaProcess, command
from tolling.chain import SealedRecord
from tolling.records import PassageEnd, UnpaidReason

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.wire, pytest.mark.slow]


async def receipt(plaza: PlazaProcess, sealed: SealedRecord, *, status: int = 200) -> Any:
    """Return what a holder of the receipt is told, without any token."""
    path = f"/v1/receipts/{number_of(sealed)}{query_of(sealed)}"
    answer = await plaza.ask("GET", path, token=None)
    assert answer.status == status, answer.raw
    return answer.fields


async def checked(plaza: PlazaProcess, source: str, *more: str) -> tuple[int, Any]:
    """Run the offline check; return exit code and its last line's object."""
    key = str(plaza.home / "keys" / "plaza_public.json")
    code, out, errors = await command(
        "receipt", "verify", source, "--public-key", key, *more, "--json"
    )
    assert out, errors
    return code, json.loads(out.splitlines()[-1])


async def test_a_holder_gets_a_receipt_that_anybody_can_check(
    plaza: PlazaProcess, tmp_path: Path
) -> None:
    """Number and check code open it; file, token and QR text verify; a changed file does not."""
    sealed = await taken(plaza)
    told = await receipt(plaza, sealed)
    assert (told["state"], told["toll_fen"], told["refunded_fen"]) == ("delivered", TOLL_FEN, 0)
    assert PLATE not in json.dumps(told, ensure_ascii=False)
    assert (await receipt(plaza, sealed)) == told
    path = tmp_path / "receipt.json"
    path.write_text(json.dumps(told))
    code, found = await checked(plaza, str(path))
    assert (code, found["valid"], found["receipt_no"]) == (0, True, number_of(sealed))
    for token in (told["token"], f"{told['url']}#{told['token']}"):
        code, found = await checked(plaza, token)
        assert (code, found["toll_fen"], found["plate"]) == (0, TOLL_FEN, "浙A***45")
    changed = json.dumps(told).replace("2550", "9550")
    path.write_text(changed)
    code, found = await checked(plaza, str(path))
    assert (code, found["valid"]) == (1, False)
    other = told["url"].replace(number_of(sealed), number_of(sealed)[:-1] + "9")
    assert (await checked(plaza, f"{other}#{told['token']}"))[0] == 1


async def test_a_wrong_code_and_an_unknown_number_are_answered_alike(plaza: PlazaProcess) -> None:
    """404, byte for byte; nothing is learned by trying."""
    sealed = await taken(plaza)
    wrong = await plaza.ask("GET", f"/v1/receipts/{number_of(sealed)}?c={'A' * 16}", token=None)
    absent = await plaza.ask("GET", f"/v1/receipts/{'9' * 21}?c={'A' * 16}", token=None)
    assert (wrong.status, absent.status) == (404, 404)
    assert wrong.raw == absent.raw
    for path in (number_of(sealed), f"{number_of(sealed)}?c=short"):
        assert (await plaza.ask("GET", f"/v1/receipts/{path}", token=None)).status == 400


async def test_a_car_that_did_not_pay_has_no_receipt(plaza: PlazaProcess) -> None:
    """Its record is there, its receipt is not."""
    sealed = await taken(
        plaza, legs=(), end=PassageEnd.BACKED_OUT, unpaid_reason=UnpaidReason.BACKED_OUT
    )
    assert (await receipt(plaza, sealed, status=404))["reason"] == "no_receipt"


async def test_a_receipt_is_reimbursed_once(plaza: PlazaProcess) -> None:
    """The second is told when and by whom the first was; the public only when."""
    sealed = await taken(plaza)
    number = number_of(sealed)
    ann, bob = await person(plaza, "ann"), await person(plaza, "bob")
    body = {"why": "travel 2026-11"}
    first = await plaza.ask("POST", f"/v1/receipts/{number}/reimbursed", body, token=ann)
    assert first.status == 200, first.raw
    assert [step["event"] for step in first.fields] == ["deliver", "reimburse"]
    second = await plaza.ask("POST", f"/v1/receipts/{number}/reimbursed", body, token=bob)
    assert (second.status, second.fields["reason"]) == (409, "already_reimbursed")
    assert "by ann" in second.fields["detail"]
    assert "Beijing time" in second.fields["detail"]
    void = await plaza.ask("POST", f"/v1/receipts/{number}/voided", body, token=bob)
    assert void.status == 409
    told = await receipt(plaza, sealed)
    assert (told["state"], told["reimbursed_ms"]) == ("reimbursed", first.fields[1]["wall_ms"])
    assert "ann" not in json.dumps(told)
    history = await plaza.ask("GET", f"/v1/receipts/{number}/history", token=bob)
    assert history.fields == first.fields


async def test_a_voided_receipt_is_not_reimbursed(plaza: PlazaProcess) -> None:
    """409 says that it is void."""
    sealed = await taken(plaza)
    number, leader = number_of(sealed), await person(plaza, "eve")
    body = {"why": "printed twice"}
    assert (
        await plaza.ask("POST", f"/v1/receipts/{number}/voided", body, token=leader)
    ).status == 200
    refused = await plaza.ask("POST", f"/v1/receipts/{number}/reimbursed", body, token=leader)
    assert (refused.status, refused.fields["reason"]) == (409, "already_voided")
    assert (await receipt(plaza, sealed))["voided_ms"] is not None


@pytest.mark.parametrize("token", [None, "lane", "admin"])
@pytest.mark.parametrize("what", ["reimbursed", "voided"])
async def test_only_staff_move_receipts(plaza: PlazaProcess, token: str | None, what: str) -> None:
    """A lane and the admin are no person; nobody is nobody."""
    path = f"/v1/receipts/{'1' * 21}/{what}"
    answer = await plaza.ask("POST", path, {"why": "x"}, token=token)
    assert answer.status == (401 if token is None else 403)


async def test_a_reason_may_hold_no_code(plaza: PlazaProcess) -> None:
    """Sixteen digits in a row may be a driver's; they are not stored."""
    leader = await person(plaza, "joe")
    path = f"/v1/receipts/{'1' * 21}/voided"
    for why in ("", "x" * 65, "see 2876543210987654 there"):
        assert (await plaza.ask("POST", path, {"why": why}, token=leader)).status == 400


async def test_a_lane_gets_what_it_prints_of_its_own_passages(plaza: PlazaProcess) -> None:
    """Address and token in one QR; no other lane's."""
    sealed = await taken(plaza)
    number = number_of(sealed)
    link = await plaza.ask("GET", f"/v1/receipts/{number}/link")
    assert link.status == 200, link.raw
    assert link.fields["qr"].startswith(f"{link.fields['url']}#")
    assert (await checked(plaza, link.fields["qr"]))[0] == 0
    other = number[:6] + "002" + number[9:]
    assert (await plaza.ask("GET", f"/v1/receipts/{other}/link")).status == 403
    assert (await plaza.ask("GET", f"/v1/receipts/{number}/link", token=None)).status == 401
    picture = await plaza.ask("GET", f"/v1/receipts/{number}/qr.svg{query_of(sealed)}", token=None)
    assert picture.headers["Content-Type"].startswith("image/svg+xml")
    assert ET.fromstring(picture.raw).tag.endswith("svg")


async def test_a_closed_root_proves_every_record_to_a_second_party(
    plaza: PlazaProcess, tmp_path: Path
) -> None:
    """Proof, roots and their growth hold offline; a forged root does not."""
    first, second = await taken(plaza), await taken(plaza)
    path = f"/v1/receipts/{number_of(first)}/proof{query_of(first)}"
    early = await plaza.ask("GET", path, token=None)
    assert (early.status, early.fields["reason"]) == (409, "no_root_yet")
    closed = await plaza.ask("POST", "/v1/roots", token="admin")
    assert closed.status == 201, closed.raw
    await taken(plaza)
    assert (await plaza.ask("POST", "/v1/roots", token="admin")).status == 201
    files = {name: tmp_path / f"{name}.json" for name in ("receipt", "proof", "roots", "other")}
    files["receipt"].write_text(json.dumps(await receipt(plaza, first)))
    files["proof"].write_bytes((await plaza.ask("GET", path, token=None)).raw)
    config = str(plaza.home / "plaza.toml")
    code, _, errors = await command(
        "roots", "export", "--config", config, "--out", str(files["roots"])
    )
    assert code == 0, errors
    more = ("--proof", str(files["proof"]), "--roots", str(files["roots"]))
    code, found = await checked(plaza, str(files["receipt"]), *more)
    assert (code, found["root_no"], found["witnessed"]) == (0, 2, True)
    code, found = await checked(plaza, str(files["roots"]))
    assert (code, found["roots"], found["last"]["size"]) == (0, 2, found["last"]["size"])
    files["other"].write_text(json.dumps(await receipt(plaza, second)))
    assert (await checked(plaza, str(files["other"]), *more))[0] == 1
    lines = files["roots"].read_text().splitlines()
    files["roots"].write_text(lines[0] + "\n")
    code, found = await checked(plaza, str(files["receipt"]), *more)
    assert (code, found["valid"]) == (1, False)
    public = (await plaza.ask("GET", "/v1/roots", token=None)).fields
    assert [each["head"]["root_no"] for each in public] == [1, 2]
    grown = await plaza.ask("GET", "/v1/roots/1/consistency/2", token=None)
    assert (grown.status, grown.fields["new"]) == (200, public[1])
    assert (await plaza.ask("GET", "/v1/roots/2/consistency/1", token=None)).status == 404
    assert (await plaza.ask("POST", "/v1/roots")).status == 403


async def test_the_page_says_it_to_everybody(plaza: PlazaProcess) -> None:
    """By ?lang= and Accept-Language; unknown is told as such, whatever was typed."""
    sealed = await taken(plaza)
    page = f"/r/{number_of(sealed)}{query_of(sealed)}"
    good = await plaza.ask("GET", page, token=None)
    assert good.headers["Content-Type"].startswith("text/html")
    assert "default-src 'none'" in good.headers["Content-Security-Policy"]
    text = good.raw.decode()
    assert "✓ 有效" in text
    assert "浙A***45" in text
    assert PLATE not in text
    assert "<script" not in text
    assert "✓ Valid" in (await plaza.ask("GET", f"{page}&lang=en", token=None)).raw.decode()
    headers = {"Accept-Language": "en-GB,en;q=0.9,zh;q=0.1"}
    async with plaza.session.get(f"{plaza.url}{page}", headers=headers) as answer:
        assert "✓ Valid" in await answer.text()
    for odd in ("/r/%00", "/r/x?c=%E4%B8%AD", f"/r/{'9' * 21}?c={'A' * 16}", "/r/1?lang=%22"):
        unknown = await plaza.ask("GET", odd, token=None)
        assert unknown.status == 404
        assert "查无此收据" in unknown.raw.decode()


async def test_fares_are_priced_with_everything_one_is_entitled_to(plaza: PlazaProcess) -> None:
    """The cheapest lawful price, its reasons in both languages, and bad entitlements refused."""
    asked = {"vehicle_class": 1}
    plain = await plaza.ask("POST", "/v1/fares", asked)
    assert plain.status == 200, plain.raw
    toll = plain.fields["price_fen"]
    assert toll == (await plaza.ask("GET", "/v1/fares?vehicle_class=1")).fields["toll_due_fen"]
    hand = [
        {"kind": "etc_rate", "name": "ETC", "off_rate": 500},
        {"kind": "coupon_fixed", "name": "C1", "amount_fen": 100},
        {"kind": "coupon_fixed", "name": "C2", "amount_fen": 200},
    ]
    best = (await plaza.ask("POST", "/v1/fares", asked | {"entitlements": hand})).fields
    assert best["price_fen"] == (toll * 95 + 50) // 100 - 200
    assert best["chosen"] == ["ETC", "C2"]
    assert best["why"][1]["chinese"] == "优惠券，减 2.00 元"
    for wrong in (
        {"kind": "coupon_fixed", "name": "C"},
        {"kind": "gift", "name": "C"},
        {"kind": "etc_rate", "name": "C", "off_rate": 20_000},
    ):
        answer = await plaza.ask("POST", "/v1/fares", asked | {"entitlements": [wrong]})
        assert answer.status == 400
    many = [hand[0]] * 33
    assert (await plaza.ask("POST", "/v1/fares", asked | {"entitlements": many})).status == 400


async def test_asking_too_often_is_bounded(plaza: PlazaProcess) -> None:
    """One address is told to wait, payments are not: other routes go on. Last in this file."""
    answer = await plaza.ask("GET", "/v1/roots", token=None)
    for _ in range(200):
        answer = await plaza.ask("GET", f"/v1/receipts/{'9' * 21}?c={'A' * 16}", token=None)
        if answer.status == 429:
            break
    assert (answer.status, answer.headers["Retry-After"]) == (429, "60")
    assert (await plaza.ask("GET", f"/v1/lanes/{LANE}/epoch")).status == 200
