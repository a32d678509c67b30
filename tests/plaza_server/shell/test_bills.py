"""The bill desk on a real socket and a real store: asks, fetches, takes, reconciles, goes on."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import pytest
from aiohttp import web
from sqlalchemy import Connection

from plaza_server.platforms.bills import NotYet
from plaza_server.platforms.wechat.codec import Pen, WechatConfig
from plaza_server.platforms.wechat.codec_bills import WechatBillCalls
from plaza_server.rules.bill_units import BillImported
from plaza_server.rules.units import AddLane, Unit
from plaza_server.shell.bills import ALARM_AFTER_TRIES, RETRY_GAPS_S, BillDesk, BillSource
from plaza_server.store import Store, bill_queries, commit_group, open_store, queries
from tests.plaza_server.bench_platform import EPOCH_MS
from tests.plaza_server.platforms.wechat.golden import (
    MERCHANT_SERIAL,
    NONCE,
    PLATFORM_SIGN,
    SERIAL,
    SIGN,
    verify,
)
from tests.plaza_server.plaza_bench import LANE, PLAZA
from tolling.clock import ClockQuality, WallTime
from tolling.errors import BadInputError, RefusedError

pytestmark = [pytest.mark.asyncio, pytest.mark.wire]
GOLDEN = Path(__file__).parents[2] / "golden" / "bills"
CONTENT = (GOLDEN / "wechat" / "1900000109All2026-11-21.csv.gz").read_bytes()
SHA1 = (GOLDEN / "wechat" / "sha1.txt").read_text(encoding="ascii").strip()
ALIPAY = (GOLDEN / "alipay" / "20880211096256330156_20261121.csv.zip").read_bytes()
DAY = "2026-11-21"
NOON_MS = 1_795_320_000_000
"""2026-11-22 12:00 in Beijing."""
_P = ParamSpec("_P")
_T = TypeVar("_T")


class NoonClock:
    """Always the same noon; the platform's clock is a little apart."""

    def __init__(self, wall_ms: int = NOON_MS) -> None:
        self.wall_ms = wall_ms

    def at_ns(self) -> int:
        """Return a moment."""
        return 1_000

    def wall(self) -> WallTime:
        """Return the noon."""
        return WallTime(utc_ms=self.wall_ms, quality=ClockQuality.SYNCED)


class Direct:
    """Reads and commits in place."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def read(
        self, query: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Return what *query* finds."""
        with self.store.reading() as connection:
            return query(connection, *args, **kwargs)

    async def commit(self, *units: Unit) -> tuple[object, ...]:
        """Commit units as one group."""
        (result,) = commit_group(self.store.engine, [units])
        if isinstance(result, Exception):
            raise result
        return result


class FarEnd:
    """WeChat's bill calls on a real socket, answered as a test scripts them."""

    def __init__(self) -> None:
        self.url = ""
        self.content = CONTENT
        self.sha1 = SHA1
        self.refusal: tuple[int, str] | None = None
        self.file_status = 200
        self.asked: list[str] = []

    async def serve(self, request: web.Request) -> web.Response:
        """Answer one request."""
        self.asked.append(request.path)
        if request.path == "/v3/billdownload/file":
            return web.Response(status=self.file_status, body=self.content)
        status, fields = (
            200,
            {
                "download_url": f"{self.url}/v3/billdownload/file?token=t1",
                "hash_type": "SHA1",
                "hash_value": self.sha1,
            },
        )
        if self.refusal is not None:
            status, fields = self.refusal[0], {"code": self.refusal[1], "message": "no"}
        body = json.dumps(fields).encode()
        stamp = str(NOON_MS // 1000)
        signed = PLATFORM_SIGN(f"{stamp}\nabc\n".encode() + body + b"\n")
        headers = {
            "Wechatpay-Timestamp": stamp,
            "Wechatpay-Nonce": "abc",
            "Wechatpay-Signature": base64.b64encode(signed).decode("ascii"),
            "Wechatpay-Serial": SERIAL,
            "Wechatpay-Signature-Type": "WECHATPAY2-SHA256-RSA2048",
        }
        return web.Response(status=status, body=body, headers=headers)


@asynccontextmanager
async def served() -> AsyncIterator[FarEnd]:
    """Serve a far end."""
    far = FarEnd()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", far.serve)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert runner.addresses
    far.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield far
    finally:
        await runner.cleanup()


@asynccontextmanager
async def desk_at(url: str, clock: NoonClock | None = None) -> AsyncIterator[tuple[Any, Store]]:
    """Give a desk with WeChat at *url* and Alipay by file, over a fresh store."""
    store = open_store("sqlite://")
    direct = Direct(store)
    lane = AddLane(lane_id=LANE, plaza_id=PLAZA, token_hash="0" * 64, now_ms=EPOCH_MS)
    await direct.commit(lane)
    calls = WechatBillCalls(
        WechatConfig(base_url=url, mchid="1900000109", appid="wx8888888888888888"),
        Pen(sign=SIGN, serial=MERCHANT_SERIAL, nonce=lambda: NONCE),
        verify=verify,
    )
    sources = {
        "wechat": BillSource(merchant="1900000109", fee_rate_bp=60, calls=calls),
        "alipay": BillSource(merchant="2088021109625633", fee_rate_bp=60, calls=None),
    }
    desk = BillDesk(
        sources=sources, commit=direct.commit, reader=direct, clock=clock or NoonClock()
    )
    try:
        yield desk, store
    finally:
        store.close()


def differences(store: Store) -> list[str]:
    """Return what is left of the day."""
    with store.reading() as connection:
        found = bill_queries.bill_differences(connection, DAY, standing=True)
    return sorted(each.what for each in found)


def alarms(store: Store) -> list[tuple[str, str]]:
    """Return the alarms that stand."""
    with store.reading() as connection:
        return [(each.code, each.subject) for each in queries.alarms(connection)]


async def test_a_bill_is_fetched_checked_and_reconciled() -> None:
    """Money of no order of ours is all left for a person; again changes nothing."""
    async with served() as far, desk_at(far.url) as (subject, store):
        closed = await subject.close_day("wechat", DAY)
        assert closed.report is not None
        # Three payments and two refunds that nobody here knows.
        assert (closed.report.matched, closed.report.left) == (0, 5)
        assert closed.report.difference_fen == 12190 - 9640
        assert closed.report.fee_fen == 15
        assert differences(store) == ["LONG"] * 5
        assert alarms(store) == [("bill_differences", f"wechat {DAY}")]
        again = await subject.close_day("wechat", DAY)
        assert again.report is not None
        assert (again.report.left, again.report.difference_fen) == (5, 12190 - 9640)
        assert far.asked == ["/v3/bill/tradebill", "/v3/billdownload/file"]


@pytest.mark.parametrize(("refusal", "why"), [((400, "STATEMENT_CREATING"), "STATEMENT_CREATING")])
async def test_a_bill_that_is_not_made_yet_is_missing(refusal: tuple[int, str], why: str) -> None:
    """Nothing is stored; the reason is told."""
    async with served() as far, desk_at(far.url) as (subject, store):
        far.refusal = refusal
        closed = await subject.close_day("wechat", DAY)
        assert (closed.report, closed.missing) == (None, why)
        with store.reading() as connection:
            assert bill_queries.bills_in_force(connection, DAY) == ()


async def test_a_day_without_payments_is_a_bill_without_rows() -> None:
    """By the platform's signed word, so it proves absence."""
    async with served() as far, desk_at(far.url) as (subject, _):
        far.refusal = (400, "NO_STATEMENT_EXIST")
        closed = await subject.close_day("wechat", DAY)
        assert closed.report is not None
        assert (closed.report.bill.pay_count, closed.report.left) == (0, 0)


async def test_a_file_that_was_changed_on_its_way_is_refused() -> None:
    """Another SHA-1: nothing of it was taken; a dead address is only a missing bill."""
    async with served() as far, desk_at(far.url) as (subject, store):
        far.sha1 = hashlib.sha1(b"other", usedforsecurity=False).hexdigest()
        with pytest.raises(BadInputError, match="another SHA-1"):
            await subject.fetch("wechat", DAY)
        far.sha1, far.file_status = SHA1, 404
        assert await subject.fetch("wechat", DAY) == NotYet(why="download http 404")
        with store.reading() as connection:
            assert bill_queries.bills_in_force(connection, DAY) == ()


async def test_a_platform_out_of_reach_is_a_missing_bill() -> None:
    """The kind of failure is told, nothing else."""
    async with served() as far:
        gone = far.url
    async with desk_at(gone) as (subject, _):
        assert await subject.fetch("wechat", DAY) == NotYet(why="ClientConnectorError")
        assert await subject.fetch("alipay", DAY) == NotYet(why="bring it as a file")


async def test_a_bill_is_taken_from_a_file() -> None:
    """Whole; another merchant's, another day's or an unknown platform's is refused."""
    async with desk_at("http://127.0.0.1:9") as (subject, _):
        taken = await subject.take("alipay", DAY, ALIPAY, name="a.zip")
        assert taken == BillImported(bill_no=1, version=1, new=True)
        with pytest.raises(BadInputError, match="not the bill of 2026-11-20"):
            await subject.take("alipay", "2026-11-20", ALIPAY, name="a.zip")
        with pytest.raises(BadInputError, match="not configured here"):
            await subject.take("unionpay", DAY, ALIPAY, name="a.zip")
        with pytest.raises(RefusedError, match="no bill of that day"):
            await subject.reconcile("wechat", DAY)
        heard: list[tuple[int, int]] = []
        report = await subject.reconcile(
            "alipay", DAY, progress=lambda done, whole: heard.append((done, whole))
        )
        assert (heard[0], heard[-1]) == ((0, 3), (3, 3))
        assert report.bill.pay_count == 3


async def test_a_day_is_due_from_ten_on_until_it_is_closed() -> None:
    """Before that nothing is asked; a refused bill is tried again later."""
    early = NoonClock(NOON_MS - 3 * 3_600_000)
    async with served() as far, desk_at(far.url, early) as (subject, store):
        assert await subject._try("wechat") == ("2026-11-22", "")
        assert far.asked == []
        early.wall_ms = NOON_MS
        far.refusal = (400, "STATEMENT_CREATING")
        assert await subject._try("wechat") == (DAY, "STATEMENT_CREATING")
        await subject._tell_missing("wechat", DAY, "STATEMENT_CREATING", ALARM_AFTER_TRIES - 1)
        assert alarms(store) == []
        await subject._tell_missing("wechat", DAY, "STATEMENT_CREATING", ALARM_AFTER_TRIES)
        assert alarms(store) == [("bill_missing", f"wechat {DAY}")]
        far.refusal, far.content = None, b"\x1f\x8bbroken"
        assert await subject._try("wechat") == (DAY, "refused")
        far.content = CONTENT
        assert await subject._try("wechat") == (DAY, "")
        assert alarms(store) == [("bill_differences", f"wechat {DAY}")]
        asked = len(far.asked)
        assert await subject._try("wechat") == (DAY, "")
        assert len(far.asked) == asked
    assert list(RETRY_GAPS_S) == sorted(RETRY_GAPS_S)


async def test_what_a_bill_has_moved_is_looked_at_at_once() -> None:
    """The engine is told with every reconciled day, and not with a bill that is only taken."""
    looked: list[int] = []
    store = open_store("sqlite://")
    direct = Direct(store)
    sources = {"alipay": BillSource(merchant="2088021109625633", fee_rate_bp=60, calls=None)}
    subject = BillDesk(
        sources=sources,
        commit=direct.commit,
        reader=direct,
        clock=NoonClock(),
        healed=lambda: looked.append(1),
    )
    await subject.take("alipay", DAY, ALIPAY, name="bill.zip")
    assert looked == []
    await subject.reconcile("alipay", DAY)
    assert looked == [1]
    store.close()
