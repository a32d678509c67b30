"""The platforms' daily bills: fetched after 10:00 with growing pauses, taken whole, reconciled.

Nothing is remembered here: which bill is missing is asked of the store, so a restart goes on where
it was. The newest days are reconciled again each time, because a payment at midnight, a refund on
its way or a bill that came late heals only with what came after it. Parsing takes seconds for a
large plaza and runs in a thread; commits are short and go between the payments'.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import aiohttp
import structlog
from sqlalchemy import Connection

from plaza_server.config import PlazaConfig
from plaza_server.platforms.alipay import bill as alipay_bill
from plaza_server.platforms.bill_files import PACKED_MAX
from plaza_server.platforms.bills import BillCalls, BillHere, NoBill, NotYet
from plaza_server.platforms.calls import HttpAnswer, HttpCall
from plaza_server.platforms.unionpay import bill as unionpay_bill
from plaza_server.platforms.wechat import bill as wechat_bill
from plaza_server.rules.bill_units import (
    BillImported,
    EndReconciliation,
    ImportBill,
    Looked,
    reconcile_units,
)
from plaza_server.rules.bills import Bill, day_of, shift_day, window_of
from plaza_server.rules.orders import Moment
from plaza_server.rules.reconcile_values import DayReport
from plaza_server.rules.units import NoteAlarm, Unit
from plaza_server.shell.clock import Clock, new_boot_id
from plaza_server.store import bill_queries
from tolling.alarms import AlarmCode
from tolling.errors import BadInputError, RefusedError

READY_AFTER_MS = 10 * 3_600_000
"""Both large platforms have yesterday's bill from 10:00 in Beijing on (facts: failures 4.6)."""
RETRY_GAPS_S = (60, 120, 300, 600, 1_200, 1_800, 3_600)
"""Between tries for a bill that is not there; the last one repeats until it is."""
FIRST_S = 60
"""After a start, before anything is fetched: first comes what was left open."""
ALARM_AFTER_TRIES = 8
"""Two hours of trying: until then a platform is only late."""
IDLE_S = 900
"""How often it is looked whether a new day's bills are due."""
EXCHANGE_S = 120
"""One call or download."""
ANSWER_MAX = 2 * PACKED_MAX
"""Bytes of one answer: a bill in base64 within a form is a third longer than packed."""
AGAIN_DAYS = 3
"""Days before a reconciled one that are looked at again."""

_P = ParamSpec("_P")
_T = TypeVar("_T")
Commit = Callable[..., Awaitable[tuple[object, ...]]]
"""Commits units as one group and returns their results; raises what the store raises."""
Progress = Callable[[int, int], None]
"""Hears how many numbers of how many are done."""


class StoreReader(Protocol):
    """Runs query functions off the loop."""

    async def read(
        self, query: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Return what *query* finds."""


class Parser(Protocol):
    """One platform's parse_bill."""

    def __call__(self, data: bytes, *, day: str, merchant: str = "", name: str = "bill") -> Bill:
        """Return the bill. Raises: BadInputError."""


PARSERS: dict[str, Parser] = {
    alipay_bill.NAME: alipay_bill.parse_bill,
    wechat_bill.NAME: wechat_bill.parse_bill,
    unionpay_bill.NAME: unionpay_bill.parse_bill,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BillSource:
    """What is known of one platform's bills."""

    merchant: str
    """Whose bills are taken; empty: anybody's."""
    fee_rate_bp: int
    calls: BillCalls | None
    """None: a person brings files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayClosed:
    """What became of one platform's day."""

    platform: str
    day: str
    report: DayReport | None
    """None: its bill is not here."""
    missing: str = ""
    """Why there is no bill, in the platform's own code."""


def sources_of(config: PlazaConfig, calls: Mapping[str, BillCalls | None]) -> dict[str, BillSource]:
    """Return the sources of every configured platform."""
    parts = config.platforms
    merchants = {
        alipay_bill.NAME: "" if parts.alipay is None else parts.alipay.seller_id,
        wechat_bill.NAME: "" if parts.wechat is None else parts.wechat.mchid,
        unionpay_bill.NAME: "" if parts.unionpay is None else parts.unionpay.merchant_id,
    }
    return {
        name: BillSource(
            merchant=merchants[name], fee_rate_bp=part.fee_rate_bp, calls=calls.get(name)
        )
        for name, _, part in parts.configured()
    }


class BillDesk:
    """Takes bills and reconciles them, one at a time."""

    def __init__(
        self,
        *,
        sources: Mapping[str, BillSource],
        commit: Commit,
        reader: StoreReader,
        clock: Clock,
        healed: Callable[[], None] = lambda: None,
    ) -> None:
        """Make the desk.

        Args:   healed: called once bills have moved orders, so that what they left to do (a refund)
                begins at once.
        """
        self._sources = dict(sources)
        self._commit = commit
        self._reader = reader
        self._clock = clock
        self._healed = healed
        self._owner = new_boot_id()
        self._one = asyncio.Lock()
        self._log = structlog.get_logger("plaza.bills")

    @property
    def platforms(self) -> tuple[str, ...]:
        """Configured platforms, sorted."""
        return tuple(sorted(self._sources))

    # ---- taking ----

    async def take(self, platform: str, day: str, content: bytes, *, name: str) -> BillImported:
        """Take a bill a person brought.

        Raises: BadInputError: refused whole; names the file and the first wrong line.
        """
        merchant = self._source(platform).merchant
        parse = PARSERS[platform]
        bill = await asyncio.to_thread(parse, content, day=day, merchant=merchant, name=name)
        return await self._store(bill, content, source="file")

    async def fetch(self, platform: str, day: str) -> BillImported | NotYet:
        """Ask the platform for a bill and take it, once.

        Raises: BadInputError: what came is no bill; nothing of it was taken.
        """
        calls = self._source(platform).calls
        if calls is None:
            return NotYet(why="bring it as a file")
        async with aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept-Encoding": "identity", "User-Agent": "open-toll-lane"},
            auto_decompress=False,
            trust_env=False,
        ) as session:
            answer = await _exchange(session, calls.ask(day, now_ms=self._now_ms()))
            if isinstance(answer, str):
                return NotYet(why=answer)
            # A bill may be in the answer itself: megabytes to verify and to take apart.
            now_ms = self._now_ms()
            found = await asyncio.to_thread(calls.read, day, answer, now_ms=now_ms)
            if isinstance(found, NotYet):
                return found
            if isinstance(found, NoBill):
                return await self._store(_empty(calls, day), b"", source="platform")
            content, sha1 = b"", ""
            if isinstance(found, BillHere):
                content = found.content
            else:
                sha1 = found.sha1
                file = await _exchange(session, calls.fetch(found, now_ms=self._now_ms()))
                if isinstance(file, str):
                    return NotYet(why=file)
                if file.status != 200:
                    return NotYet(why=f"download http {file.status}")
                content = file.body
        bill = await asyncio.to_thread(calls.parse, content, day, name=found.name, sha1=sha1)
        return await self._store(bill, content, source="platform")

    async def _store(self, bill: Bill, content: bytes, *, source: str) -> BillImported:
        unit = ImportBill(bill=bill, content=content, source=source, at=self._moment())
        result = await self._do(unit)
        assert isinstance(result, BillImported)
        await self._note(
            AlarmCode.BILL_MISSING,
            raised=False,
            subject=f"{bill.platform} {bill.day}",
            what="it is here",
        )
        self._log.info(
            "bill",
            platform=bill.platform,
            day=bill.day,
            rows=len(bill.rows),
            version=result.version,
            new=result.new,
        )
        return result

    # ---- reconciling ----

    async def reconcile(
        self, platform: str, day: str, *, progress: Progress = lambda _done, _all: None
    ) -> DayReport:
        """Look at every number of a day and return what stands then.

        Raises: RefusedError: no bill of that day is here.
        """
        rate = self._source(platform).fee_rate_bp
        async with self._one:
            numbers = await self._reader.read(bill_queries.numbers_to_look_at, platform, day)
            done = 0
            progress(done, len(numbers))
            for unit in reconcile_units(
                platform,
                day,
                numbers,
                fee_rate_bp=rate,
                owner=self._owner,
                at=self._moment(),
            ):
                looked = await self._do(unit)
                assert isinstance(looked, Looked)
                done += len(unit.numbers)
                progress(done, len(numbers))
            if await self._report(platform, day) is None:
                raise _no_bill(platform, day)
            await self._do(EndReconciliation(platform=platform, day=day, at=self._moment()))
        self._healed()
        report = await self._report(platform, day)
        assert report is not None
        await self._note(
            AlarmCode.BILL_DIFFERENCES,
            raised=report.left > 0,
            subject=f"{platform} {day}",
            what=f"{report.left} differences for a person: plaza-server reconcile --day {day}",
        )
        self._log.info(
            "reconciled",
            platform=platform,
            day=day,
            matched=report.matched,
            healed=report.healed,
            left=report.left,
            difference_fen=report.difference_fen,
        )
        return report

    async def close_day(
        self, platform: str, day: str, *, progress: Progress = lambda _done, _all: None
    ) -> DayClosed:
        """Fetch a day's bill where it is missing, reconcile it, and the days before it again."""
        missing = ""
        if await self._report(platform, day) is None:
            fetched = await self.fetch(platform, day)
            missing = fetched.why if isinstance(fetched, NotYet) else ""
        if missing:
            return DayClosed(platform=platform, day=day, report=None, missing=missing)
        report = await self.reconcile(platform, day, progress=progress)
        for back in range(1, AGAIN_DAYS + 1):
            earlier = shift_day(day, -back)
            if await self._report(platform, earlier) is not None:
                await self.reconcile(platform, earlier)
        return DayClosed(platform=platform, day=day, report=report)

    async def _report(self, platform: str, day: str) -> DayReport | None:
        reports = await self._reader.read(bill_queries.day_reports, day)
        return next((each for each in reports if each.platform == platform), None)

    # ---- by itself ----

    async def run(self) -> None:
        """Close every day by itself, for ever."""
        tries: dict[tuple[str, str], int] = {}
        await asyncio.sleep(FIRST_S)
        while True:
            pause = IDLE_S
            for platform in self.platforms:
                if self._sources[platform].calls is None:
                    continue
                try:
                    day, missing = await self._try(platform)
                except Exception as error:  # noqa: BLE001 - its supervisor
                    day, missing = "", type(error).__name__
                    self._log.error("bill_broke", platform=platform, error=missing)
                if missing:
                    count = tries[platform, day] = tries.get((platform, day), 0) + 1
                    pause = min(pause, RETRY_GAPS_S[min(count, len(RETRY_GAPS_S)) - 1])
                    self._log.warning("bill_missing", platform=platform, day=day, why=missing)
                    await self._tell_missing(platform, day, missing, count)
            await asyncio.sleep(pause)

    async def _tell_missing(self, platform: str, day: str, why: str, count: int) -> None:
        """Raise the alarm once trying has gone on for hours."""
        if not day or count < ALARM_AFTER_TRIES:
            return
        what = f"no bill after {count} tries ({why}). Fetch it in the merchant pages: --file"
        try:
            await self._note(
                AlarmCode.BILL_MISSING, raised=True, subject=f"{platform} {day}", what=what
            )
        except Exception as error:  # noqa: BLE001 - its supervisor: the next try says it again
            self._log.error("bill_broke", platform=platform, error=type(error).__name__)

    async def _try(self, platform: str) -> tuple[str, str]:
        """Close the day that is due, where it is not closed yet. Returns: that day, and what is
        missing of it."""
        now_ms = self._now_ms()
        today = day_of(platform, now_ms)
        if now_ms < window_of(platform, today)[0] + READY_AFTER_MS:
            return today, ""
        day = shift_day(today, -1)
        report = await self._report(platform, day)
        if report is not None and not report.stale:
            return day, ""
        try:
            closed = await self.close_day(platform, day)
        except (BadInputError, RefusedError) as error:
            self._log.error("bill_refused", platform=platform, day=day, what=str(error))
            return day, "refused"
        return day, closed.missing

    # ---- parts ----

    def _source(self, platform: str) -> BillSource:
        source = self._sources.get(platform)
        if source is None:
            raise BadInputError(
                where="platform",
                what="not configured here",
                do=f"One of: {', '.join(self.platforms) or 'none'}",
            )
        return source

    async def _note(self, code: AlarmCode, *, raised: bool, subject: str, what: str) -> None:
        now_ms = self._now_ms()
        await self._do(
            NoteAlarm(code=code, raised=raised, subject=subject, what=what, now_ms=now_ms)
        )

    async def _do(self, unit: Unit) -> object:
        (result,) = await self._commit(unit)
        return result

    def _now_ms(self) -> int:
        return self._clock.wall().utc_ms

    def _moment(self) -> Moment:
        return Moment(at_ns=self._clock.at_ns(), wall_ms=self._now_ms())


def _no_bill(platform: str, day: str) -> RefusedError:
    return RefusedError(
        where=f"{platform} {day}", what="no bill of that day is here", do="Import it first"
    )


def _empty(calls: BillCalls, day: str) -> Bill:
    """Return the bill of a day on which nothing happened, by the platform's signed word."""
    text = f"{calls.name}/{day}/{calls.merchant}/nothing happened"
    return Bill(
        platform=calls.name,
        day=day,
        merchant=calls.merchant,
        rows=(),
        digest=hashlib.sha256(text.encode("utf-8")).hexdigest(),
    )


async def _exchange(session: aiohttp.ClientSession, call: HttpCall) -> HttpAnswer | str:
    """Send one request, once; return the whole answer, or why there is none."""
    options: dict[str, Any] = {"allow_redirects": False}
    options["timeout"] = aiohttp.ClientTimeout(total=EXCHANGE_S)
    try:
        async with session.request(
            call.method, call.url, data=call.body or None, headers=dict(call.headers), **options
        ) as response:
            body = bytearray()
            async for chunk in response.content.iter_chunked(64 * 1024):
                body += chunk
                if len(body) > ANSWER_MAX:
                    return "too_long"
            headers = tuple((k, v) for k, v in response.headers.items())
            return HttpAnswer(status=response.status, headers=headers, body=bytes(body))
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        return type(error).__name__


assert list(RETRY_GAPS_S) == sorted(RETRY_GAPS_S), "gaps grow"
assert len(RETRY_GAPS_S) <= ALARM_AFTER_TRIES, "a late platform is no alarm"
