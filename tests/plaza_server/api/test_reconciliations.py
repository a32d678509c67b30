"""Bills over real HTTP against a real plaza process: taken whole, matched, carried away."""

from __future__ import annotations

import csv
import hashlib
import io
from pathlib import Path
from typing import Any

import pytest

from tests.plaza_server.plaza_process import PlazaProcess

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.wire, pytest.mark.slow]
GOLDEN = Path(__file__).parents[2] / "golden" / "bills" / "alipay"
BILL = (GOLDEN / "20880211096256330156_20261121.csv.zip").read_bytes()
DAY = "2026-11-21"
PLACE = f"/v1/reconciliations/{DAY}"


async def put(plaza: PlazaProcess, content: bytes, day: str = DAY) -> Any:
    """Bring a bill as the admin."""
    path = f"/v1/reconciliations/{day}/bills/alipay?name=a.zip"
    return await plaza.ask("PUT", path, content, token="admin")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/reconciliations"),
        ("PUT", f"{PLACE}/bills/alipay"),
        ("GET", PLACE),
        ("GET", f"{PLACE}/differences.csv"),
        ("GET", f"{PLACE}/settlements/330101.csv"),
    ],
)
async def test_lanes_and_strangers_see_no_bill(plaza: PlazaProcess, method: str, path: str) -> None:
    """Staff and the admin only."""
    assert (await plaza.ask(method, path, token="lane")).status == 403
    assert (await plaza.ask(method, path, token=None)).status == 401


async def test_a_bill_is_taken_and_its_day_told(plaza: PlazaProcess) -> None:
    """Four movements of no order here; again and again the same."""
    first = await put(plaza, BILL)
    assert first.status == 200, first.raw
    assert (first.fields["version"], first.fields["left"]) == (1, 4)
    assert first.fields["difference_fen"] == 12190 - 1000
    assert (await put(plaza, BILL)).fields["left"] == 4
    told = await plaza.ask("GET", PLACE, token="admin")
    (report,) = told.fields["reports"]
    assert (report["platform"], report["runs"], report["stale"]) == ("alipay", 2, False)
    (nobody,) = told.fields["payees"]
    assert (nobody["payee"], nobody["totals"]["pay_fen"]) == ("", 12190)
    found = told.fields["differences"]
    # The golden bill's fees are of another contract than this plaza's: FEE heals by the bill.
    assert {each["what"] for each in found} == {"LONG", "FEE"}
    assert all((each["what"] == "LONG") == bool(each["action"]) for each in found)


async def test_a_day_is_reconciled_again_on_request(plaza: PlazaProcess) -> None:
    """A bill that is here is not fetched; one that is not is told as missing."""
    await put(plaza, BILL)
    body = {"day": DAY}
    answer = await plaza.ask("POST", "/v1/reconciliations", body, token="admin")
    (closed,) = answer.fields["days"]
    assert (closed["platform"], closed["missing"], closed["report"]["left"]) == ("alipay", "", 4)
    body = {"day": "2026-11-01", "platform": "alipay"}
    answer = await plaza.ask("POST", "/v1/reconciliations", body, token="admin")
    (closed,) = answer.fields["days"]
    assert closed["report"] is None
    assert closed["missing"]


async def test_a_bad_bill_is_refused_with_its_line_and_leaves_nothing(
    plaza: PlazaProcess,
) -> None:
    """400 names file and line; the day has no bill."""
    detail = (GOLDEN / "detail.csv").read_bytes()
    bad = detail.replace("云岭站".encode("gbk"), "=岭站".encode("gbk"), 1)
    answer = await put(plaza, bad)
    assert answer.status == 400
    assert "a.zip line 6: 商品名称 starts like a formula" in answer.fields["detail"]
    other = await put(plaza, BILL, day="2026-11-19")
    assert (other.status, "not the bill of 2026-11-19" in other.fields["detail"]) == (400, True)
    told = await plaza.ask("GET", "/v1/reconciliations/2026-11-19", token="admin")
    assert (told.fields["reports"], told.fields["differences"]) == ([], [])


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/reconciliations/2026-02-30", None),
        ("POST", "/v1/reconciliations", {"day": "2026-02-30"}),
        ("POST", "/v1/reconciliations", {"day": DAY, "platform": "paypal"}),
        ("POST", "/v1/reconciliations", {"day": 20261121}),
        ("PUT", f"{PLACE}/bills/wechat", b"x"),
    ],
)
async def test_wrong_requests_are_problems(
    plaza: PlazaProcess, method: str, path: str, body: object
) -> None:
    """No day of the calendar, no platform of this plaza, no text."""
    answer = await plaza.ask(method, path, body, token="admin")
    assert answer.status == 400, answer.raw
    assert answer.headers["Content-Type"].startswith("application/problem+json")


async def test_files_can_be_carried_away(plaza: PlazaProcess) -> None:
    """Differences and settlement as CSV, the latter with totals and hash."""
    await put(plaza, BILL)
    answer = await plaza.ask("GET", f"{PLACE}/differences.csv?standing=true", token="admin")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.reader(io.StringIO(answer.raw.decode(), newline="")))
    assert len(rows) == 5
    answer = await plaza.ask("GET", f"{PLACE}/settlements/330101.csv", token="admin")
    assert f"settlement_{DAY}_330101.csv" in answer.headers["Content-Disposition"]
    body, _, digest = answer.raw.decode().rpartition("sha256,")
    assert digest.strip() == hashlib.sha256(body.encode()).hexdigest()
