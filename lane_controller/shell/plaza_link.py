"""The lane's calls to the plaza over HTTP: one session, kept alive, every call with its deadline.

Each call brings exactly one answer. UNREACHABLE is said only where provably nothing was sent: from
the moment a connection is in hand, a missing answer is TIMEOUT. Bodies are never logged: one of
them holds a pay code.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, assert_never

import aiohttp
import structlog

from lane_controller.engine import effects as fx
from lane_controller.engine import inputs as inp
from lane_controller.shell.clock import LaneClock
from lane_controller.shell.codes import CodeBook
from lane_controller.shell.logs import place_of
from tolling import wire
from tolling.chain import SealedRecord
from tolling.coupons import CouponAnswer, CouponCode
from tolling.errors import BadInputError, JournalError, SignatureError
from tolling.ids import LaneId, PlazaId
from tolling.messages import EnrolmentAnswer, RecordsUpload
from tolling.paycodes import PayCode
from tolling.signed_sets import SignedSet, Verifier, open_tariff
from tolling.tariffs import TariffSet

KEEP_ALIVE_S = 60
"""Shorter than the plaza's 75 s, longer than the 12 s between two cars."""
CONNECTIONS_MAX = 16
"""Long-polls, uploads and heartbeats of one lane side by side."""
CONNECT_S = 1.0
"""A plaza in the same building answers a SYN at once; the core has other tenders from 8 s on."""
UPLOAD_BYTES_MAX = wire.MAX_BODY_BYTES * 3 // 4
SETS_MAX = 16
RecordsAfter = Callable[[int, int, int], Awaitable[tuple[SealedRecord, ...]]]
Call = fx.PlazaCall
Given = inp.PlazaAnswered | inp.PlazaFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class PlazaAccess:
    """Where the plaza is, and how it knows this lane."""

    url: str
    """``http(s)://host:port``, without a trailing slash."""
    token: str
    """The lane's bearer token; a secret."""
    plaza_id: PlazaId
    lane_id: LaneId
    verify: Verifier
    """Checks signatures of the plaza's sets."""
    ca_file: Path | None = None
    """Certificate authority of an https plaza; None = the system's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Http:
    """One request as it goes out."""

    method: str
    path: str
    body: bytes | None = None


class _FailedError(Exception):
    """The call ends without an answer."""

    def __init__(self, why: inp.PlazaTrouble) -> None:
        super().__init__(why)
        self.why = why


class PlazaLink:
    """Makes calls; each brings one PlazaAnswered or PlazaFailed to *give*."""

    def __init__(
        self,
        access: PlazaAccess,
        give: Callable[[Given], None],
        *,
        codes: CodeBook,
        clock: LaneClock,
        records_after: RecordsAfter,
    ) -> None:
        self._access = access
        self._give = give
        self._codes = codes
        self._clock = clock
        self._records_after = records_after
        self._log = structlog.get_logger("lane.plaza")
        self._tasks: asyncio.TaskGroup | None = None
        self._session: aiohttp.ClientSession | None = None
        self._last_trouble: inp.PlazaTrouble | None = None
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Hold the session until cancelled."""
        async with self._open_session() as session, asyncio.TaskGroup() as tasks:
            self._session = session
            self._tasks = tasks
            self.ready.set()
            await asyncio.Event().wait()

    def begin(self, call: Call) -> None:
        """Make a call. Its answer comes by *give*, always."""
        assert self._tasks is not None, "the plaza link is not running"
        self._tasks.create_task(self._call(call), name=f"plaza {type(call.request).__name__}")

    async def fetch(self, path: str, *, deadline_s: float) -> bytes | None:
        """Return the body of a plain GET; None where there is no good answer."""
        try:
            async with asyncio.timeout(deadline_s):
                return await self._exchange(_Http(method="GET", path=path), SimpleNamespace())
        except (_FailedError, TimeoutError, aiohttp.ClientError, OSError):
            return None

    def _open_session(self) -> aiohttp.ClientSession:
        access = self._access
        context: ssl.SSLContext | bool = True
        if access.ca_file is not None:
            context = ssl.create_default_context(cafile=str(access.ca_file))
        trace = aiohttp.TraceConfig()
        trace.on_connection_create_end.append(_connected)
        trace.on_connection_reuseconn.append(_connected)
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=CONNECTIONS_MAX, keepalive_timeout=KEEP_ALIVE_S, ssl=context
            ),
            headers={"Authorization": f"Bearer {access.token}"},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S),
            trace_configs=[trace],
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    # ---- one call ----

    async def _call(self, call: Call) -> None:
        try:
            given: Given = await self._answer(call)
        except _FailedError as error:
            given = inp.PlazaFailed(call_id=call.call_id, why=error.why)
        except Exception as error:  # noqa: BLE001 - a call always answers, whatever broke here
            self._log.error("call_broke", error=type(error).__name__, at=place_of(error))
            given = inp.PlazaFailed(call_id=call.call_id, why=inp.PlazaTrouble.TIMEOUT)
        trouble = given.why if isinstance(given, inp.PlazaFailed) else None
        if trouble is not self._last_trouble:
            # Once per change: a plaza that is gone for a day fills no disk.
            self._last_trouble = trouble
            self._log.info("plaza", call=type(call.request).__name__, trouble=trouble or "none")
        self._give(given)

    async def _answer(self, call: Call) -> inp.PlazaAnswered:
        asked_at_ns = self._clock.at_ns()
        http = await self._http(call.request)
        context = SimpleNamespace(sent=False)
        try:
            async with asyncio.timeout(call.deadline_ms / 1000):
                body = await self._exchange(http, context)
        except (TimeoutError, aiohttp.ClientError, OSError):
            sent = context.sent
            why = inp.PlazaTrouble.TIMEOUT if sent else inp.PlazaTrouble.UNREACHABLE
            raise _FailedError(why) from None
        try:
            answer = self._read(call.request, body)
        except (BadInputError, SignatureError) as error:
            self._log.warning("bad_answer", where=error.where, what=error.what)
            raise _FailedError(inp.PlazaTrouble.BAD_ANSWER) from None
        if isinstance(answer, EnrolmentAnswer):
            self._clock.compare(answer.server_utc_ms, asked_at_ns=asked_at_ns)
        return inp.PlazaAnswered(call_id=call.call_id, answer=answer)

    async def _http(self, request: fx.PlazaRequest) -> _Http:
        match request:
            case fx.PostPayment():
                code = self._codes.find(request.keyed_hash, at_ns=self._clock.at_ns())
                if not isinstance(code, PayCode):
                    raise _FailedError(inp.PlazaTrouble.CODE_GONE)
                body = wire.payment_body(request.request, code)
                return _Http(method="POST", path="/v1/payments", body=body)
            case fx.GetPayment():
                path = f"/v1/payments/{request.out_trade_no}?wait_ms={request.wait_ms}"
                return _Http(method="GET", path=path)
            case fx.PostCancel():
                path = f"/v1/payments/{request.out_trade_no}/cancel"
                return _Http(method="POST", path=path, body=b"")
            case fx.PostCouponReserve():
                coupon = self._codes.find(request.keyed_hash, at_ns=self._clock.at_ns())
                if not isinstance(coupon, CouponCode):
                    raise _FailedError(inp.PlazaTrouble.CODE_GONE)
                body = wire.coupon_body(request.request, coupon)
                return _Http(method="POST", path="/v1/coupons/reserve", body=body)
            case fx.PostCouponRelease():
                body = wire.json_bytes(request.release)
                return _Http(method="POST", path="/v1/coupons/release", body=body)
            case fx.PostEntryQuery():
                body = wire.json_bytes(request.query)
                return _Http(method="POST", path="/v1/entries", body=body)
            case fx.PostRecords():
                return _Http(method="POST", path="/v1/records", body=await self._records(request))
            case fx.GetEnrolment():
                fresh = "true" if request.fresh else "false"
                path = f"/v1/lanes/{self._access.lane_id}/epoch?fresh={fresh}"
                return _Http(method="GET", path=path)
            case fx.GetTariffs():
                return _Http(method="GET", path="/v1/tariffs")
            case _:
                assert_never(request)

    async def _records(self, request: fx.PostRecords) -> bytes:
        try:
            records = await self._records_after(request.epoch, request.after_seq, request.limit)
        except JournalError as error:
            self._log.error("journal_failed", what=error.what)
            raise _FailedError(inp.PlazaTrouble.UNREACHABLE) from None
        size = 0
        fitting: list[SealedRecord] = []
        for record in records:
            size += len(wire.json_bytes(record))
            if fitting and size > UPLOAD_BYTES_MAX:
                break
            fitting.append(record)
        return wire.json_bytes(RecordsUpload(records=tuple(fitting)))

    async def _exchange(self, http: _Http, context: SimpleNamespace) -> bytes:
        """Return the body of a good answer. *context*.sent turns true before anything is sent."""
        assert self._session is not None, "the plaza link is not running"
        async with self._session.request(
            http.method,
            self._access.url + http.path,
            data=http.body,
            headers={"Content-Type": "application/json"} if http.body else None,
            allow_redirects=False,
            trace_request_ctx=context,
        ) as answer:
            trouble = trouble_of(answer.status)
            if trouble is not None:
                raise _FailedError(trouble)
            body = bytearray()
            async for chunk in answer.content.iter_any():
                body += chunk
                if len(body) > wire.MAX_BODY_BYTES:
                    raise _FailedError(inp.PlazaTrouble.BAD_ANSWER)
            return bytes(body)

    def _read(self, request: fx.PlazaRequest, body: bytes) -> Any:
        """Return the answer as a word. Raises: BadInputError, SignatureError."""
        match request:
            case fx.PostPayment() | fx.GetPayment() | fx.PostCancel():
                payment = wire.check(wire.payment_answer, body, where="answer of /v1/payments")
                if payment.out_trade_no != request.out_trade_no:
                    raise BadInputError(where="answer of /v1/payments", what="is of another order")
                return payment
            case fx.PostCouponReserve() | fx.PostCouponRelease():
                return _read_coupon(request, body)
            case fx.PostEntryQuery():
                return wire.check(wire.entry_answer, body, where="answer of /v1/entries")
            case fx.PostRecords():
                records = wire.check(wire.records_answer, body, where="answer of /v1/records")
                self._own(records.anchor.plaza_id, records.anchor.lane_id, "answer of /v1/records")
                return records
            case fx.GetEnrolment():
                where = "answer of /v1/lanes"
                enrolment = wire.check(wire.enrolment_answer, body, where=where)
                self._own(enrolment.anchor.plaza_id, enrolment.anchor.lane_id, where)
                return enrolment
            case fx.GetTariffs():
                return read_tariffs(body, verify=self._access.verify)
            case _:
                assert_never(request)

    def _own(self, plaza: PlazaId, lane: LaneId, where: str) -> None:
        if (plaza, lane) != (self._access.plaza_id, self._access.lane_id):
            raise BadInputError(where=where, what="is of another lane")


def _read_coupon(request: fx.PostCouponReserve | fx.PostCouponRelease, body: bytes) -> CouponAnswer:
    where = "answer of /v1/coupons"
    answer = wire.check(wire.coupon_answer, body, where=where)
    asked = request.request if isinstance(request, fx.PostCouponReserve) else request.release
    if (answer.passage_id, answer.attempt) != (asked.passage_id, asked.attempt):
        raise BadInputError(where=where, what="is of another coupon")
    return answer


async def _connected(_: aiohttp.ClientSession, context: SimpleNamespace, __: Any) -> None:
    if context.trace_request_ctx is not None:
        context.trace_request_ctx.sent = True


def trouble_of(status: int) -> inp.PlazaTrouble | None:
    """Return what an HTTP status means for a call, None where its body is the answer."""
    if 200 <= status < 300:
        return None
    if status == 404:
        return inp.PlazaTrouble.NOT_FOUND
    if status in (408, 425, 429) or status >= 500:
        # The same call may be taken later: whether this one did anything is not known.
        return inp.PlazaTrouble.SERVER
    if status >= 400:
        return inp.PlazaTrouble.REJECTED
    return inp.PlazaTrouble.BAD_ANSWER


def read_tariffs(body: bytes, *, verify: Verifier) -> tuple[TariffSet, ...]:
    """Return the checked sets of GET /v1/tariffs: a list of signed sets, or an object with one.

    Raises: BadInputError: no such answer. SignatureError: a set is not provably the plaza's.
    """
    where = "answer of /v1/tariffs"
    try:
        plain = json.loads(body)
    except (ValueError, RecursionError):
        raise BadInputError(where=where, what="not JSON") from None
    listed = plain.get("sets") if isinstance(plain, dict) else plain
    if not isinstance(listed, list) or len(listed) > SETS_MAX:
        raise BadInputError(where=where, what=f"not a list of at most {SETS_MAX} signed sets")
    found: list[TariffSet] = []
    for number, each in enumerate(listed):
        text = json.dumps(each, ensure_ascii=False)
        envelope: SignedSet = wire.check(wire.signed_set, text, where=f"{where}, set {number}")
        found.append(open_tariff(envelope, verify=verify))
    return tuple(found)
