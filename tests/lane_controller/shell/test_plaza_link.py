"""Calls to the plaza: every call one answer, and only what never left is called unreachable."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import pytest_asyncio

from lane_controller.engine import effects as fx
from lane_controller.engine import inputs as inp
from lane_controller.shell.clock import LaneClock
from lane_controller.shell.codes import CodeBook
from lane_controller.shell.plaza_link import PlazaAccess, PlazaLink, read_tariffs, trouble_of
from tests.lane_controller.shell.site import (
    CODE,
    KEY,
    LANE,
    PLAZA,
    ScriptedPlaza,
    until,
    verify,
)
from tolling import wire
from tolling.chain import SealedRecord
from tolling.clock import ClockQuality
from tolling.coupons import (
    CouponAnswer,
    CouponReason,
    CouponRelease,
    CouponRequest,
    HoldState,
    read_coupon,
)
from tolling.errors import BadInputError, SignatureError
from tolling.ids import OutTradeNo, PassageId
from tolling.messages import EnrolmentAnswer, PaymentAnswer, PaymentRequest
from tolling.paycodes import PayCode, Wallet, classify
from tolling.tariffs import EntrySource, Quote
from tolling.vehicles import VehicleClass, VehicleKind

NUMBER = OutTradeNo("330101001001000000001A01")
PASSAGE = PassageId("330101001001000000001")
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def no_records(_: int, __: int, ___: int) -> tuple[SealedRecord, ...]:
    """A journal without records."""
    return ()


QUOTE = Quote(
    tariff_id="t",
    tariff_version=1,
    row=1,
    entry_station="E1",
    entry_source=EntrySource.PLATE,
    vehicle_class=VehicleClass.CAR_1,
    vehicle_kind=VehicleKind.NORMAL,
    full_toll_fen=1_500,
    toll_due_fen=1_500,
)


class Caller:
    """A plaza link and what it brought."""

    def __init__(self, url: str) -> None:
        self.got: list[inp.PlazaAnswered | inp.PlazaFailed] = []
        self.codes = CodeBook(b"k" * 32)
        self.clock = LaneClock(None, last_at_ns=0)
        access = PlazaAccess(
            url=url, token="lane-token", plaza_id=PLAZA, lane_id=LANE, verify=verify
        )
        self.link = PlazaLink(
            access, self.got.append, codes=self.codes, clock=self.clock, records_after=no_records
        )

    async def call(
        self, request: fx.PlazaRequest, deadline_ms: int = 2_000
    ) -> inp.PlazaAnswered | inp.PlazaFailed:
        """Make one call and return what it brought."""
        number = len(self.got) + 1
        self.link.begin(fx.PlazaCall(call_id=number, request=request, deadline_ms=deadline_ms))
        await until(lambda: len(self.got) == number, "the call's answer")
        assert self.got[-1].call_id == number
        return self.got[-1]

    async def trouble(self, request: fx.PlazaRequest, deadline_ms: int = 2_000) -> str:
        """Make one call that fails and return why."""
        found = await self.call(request, deadline_ms)
        assert isinstance(found, inp.PlazaFailed)
        return found.why.value

    def payment(self) -> fx.PostPayment:
        """Return a payment whose code is held."""
        code = classify(CODE.encode())
        assert isinstance(code, PayCode)
        ref = self.codes.keep(code, at_ns=self.clock.at_ns(), scanned_ns=0)
        request = PaymentRequest(
            passage_id=PASSAGE,
            attempt=1,
            lane_id=LANE,
            toll_fen=1_500,
            tariff_id="t",
            tariff_version=1,
            tariff_row=1,
            vehicle_class=VehicleClass.CAR_1,
            plate=None,
            wallet=Wallet.ALIPAY,
            deadline_ms=2_000,
        )
        return fx.PostPayment(out_trade_no=NUMBER, request=request, keyed_hash=ref.keyed_hash)


@asynccontextmanager
async def caller_at(url: str) -> AsyncIterator[Caller]:
    """Run a plaza link for the length of a test."""
    found = Caller(url)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(found.link.run(), name="plaza link")
        await found.link.ready.wait()
        try:
            yield found
        finally:
            running.cancel()


@asynccontextmanager
async def raw_server(handler: Handler) -> AsyncIterator[str]:
    """Serve raw bytes on loopback."""
    server = await asyncio.start_server(handler, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.close()
        await server.wait_closed()


def saying(answer: bytes) -> Handler:
    """Return a handler that reads a request and answers these bytes."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    return handle


def http(status: int, body: bytes, more: str = "") -> bytes:
    """Return an HTTP answer."""
    head = f"HTTP/1.1 {status} X\r\n{more}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@pytest_asyncio.fixture
async def plaza() -> AsyncIterator[ScriptedPlaza]:
    """A plaza on loopback."""
    found = ScriptedPlaza()
    await found.start()
    yield found
    await found.stop()


@pytest.mark.wire
@pytest.mark.asyncio
async def test_payment_carries_its_code_and_brings_its_answer(plaza: ScriptedPlaza) -> None:
    """The code goes out in the one body that spends it; a forgotten code sends nothing."""
    async with caller_at(plaza.url) as subject:
        request = subject.payment()
        found = await subject.call(request)
        subject.codes.drop(request.keyed_hash)
        gone = await subject.trouble(request)

    assert isinstance(found, inp.PlazaAnswered)
    assert isinstance(found.answer, PaymentAnswer)
    assert found.answer.out_trade_no == NUMBER
    assert gone == "code_gone"
    assert plaza.codes == [CODE]


@pytest.mark.wire
@pytest.mark.asyncio
async def test_enrolment_compares_the_clock(plaza: ScriptedPlaza) -> None:
    """The heartbeat's answer makes the clock synced."""
    async with caller_at(plaza.url) as subject:
        assert subject.clock.wall().quality is ClockQuality.BAD
        found = await subject.call(fx.GetEnrolment(fresh=True))
        quality = subject.clock.wall().quality

    assert isinstance(found, inp.PlazaAnswered)
    assert isinstance(found.answer, EnrolmentAnswer)
    assert quality is ClockQuality.SYNCED


@pytest.mark.wire
@pytest.mark.asyncio
async def test_plaza_that_is_not_there_is_unreachable(plaza: ScriptedPlaza) -> None:
    """A refused connection proves that nothing was sent."""
    await plaza.stop()
    async with caller_at(plaza.url) as subject:
        assert await subject.trouble(subject.payment()) == "unreachable"


@pytest.mark.wire
@pytest.mark.asyncio
async def test_plaza_that_says_nothing_is_a_timeout() -> None:
    """Once connected, silence is never called unreachable: the request may be there."""
    ended = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(4_096):
            pass
        writer.close()
        ended.set()

    async with raw_server(silent) as url:
        async with caller_at(url) as subject:
            assert await subject.trouble(subject.payment(), deadline_ms=1_000) == "timeout"
        await ended.wait()


_OTHER = json.dumps(
    {
        "out_trade_no": "330101001001000000002A01",
        "state": "paid",
        "reason_code": "none",
        "next": "wait",
        "captured_fen": 1_500,
        "provider_txn_id": "x",
        "version": 3,
    }
).encode()


@pytest.mark.wire
@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"", "timeout"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{", "timeout"),
        (b"no http at all\r\n\r\n", "timeout"),
        (http(200, b"{}"), "bad_answer"),
        (http(200, b"not json"), "bad_answer"),
        (http(200, b"[" * 100_000), "bad_answer"),
        (http(200, b"x" * (2 << 20)), "bad_answer"),
        (http(200, _OTHER), "bad_answer"),
        (http(302, b"", "Location: http://127.0.0.1:1/\r\n"), "bad_answer"),
        (http(404, b"{}"), "not_found"),
        (http(409, b"{}"), "rejected"),
        (http(401, b"{}"), "rejected"),
        (http(429, b"{}"), "server"),
        (http(503, b"{}"), "server"),
    ],
)
async def test_wrong_answer_has_its_name(
    answer: bytes, why: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Whatever comes back, the call ends with one trouble, and no code is logged."""
    async with raw_server(saying(answer)) as url, caller_at(url) as subject:
        assert await subject.trouble(subject.payment(), deadline_ms=1_000) == why

    out = capfd.readouterr()
    assert CODE not in out.out + out.err


@pytest.mark.parametrize(
    ("status", "why"),
    [(200, None), (202, None), (301, "bad_answer"), (408, "server"), (422, "rejected")],
)
def test_status_has_its_meaning(status: int, why: str | None) -> None:
    """A retryable status is no rejection: nobody knows what the call did."""
    assert trouble_of(status) == why


def test_tariff_of_another_key_is_refused() -> None:
    """A set that is not provably the plaza's is refused whole, as is a text that is none."""
    with pytest.raises(BadInputError, match="not JSON"):
        read_tariffs(b"{", verify=verify)
    with pytest.raises(BadInputError, match="not a list"):
        read_tariffs(b"{}", verify=verify)
    with pytest.raises(BadInputError, match="set 0"):
        read_tariffs(b"[1]", verify=verify)
    assert read_tariffs(b"[]", verify=verify) == ()


@pytest.mark.wire
@pytest.mark.asyncio
async def test_tariffs_are_checked_by_signature(plaza: ScriptedPlaza) -> None:
    """The plaza's sets are taken by its key; the same sets by another key are not."""
    async with caller_at(plaza.url) as subject:
        body = await subject.link.fetch("/v1/tariffs", deadline_s=2)
        assert await subject.link.fetch("/v1/nothing", deadline_s=2) is None

    assert body is not None
    assert [each.tariff_id for each in read_tariffs(body, verify=verify)] == ["t"]
    with pytest.raises(SignatureError):
        read_tariffs(body, verify=lambda _, signature, __: signature == KEY.sign(b"other"))


@pytest.mark.asyncio
async def test_a_coupon_leaves_in_the_body_that_reserves_it_and_nowhere_else() -> None:
    """Its answer comes back as a word; an answer about another coupon is none."""
    bodies: list[bytes] = []
    answer = CouponAnswer(
        passage_id=PASSAGE, attempt=1, state=HoldState.REFUSED, reason=CouponReason.UNKNOWN
    )

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(re.search(rb"Content-Length: (\d+)", head)[1])  # type: ignore[index]
        bodies.append(head + await reader.readexactly(length))
        said = wire.json_bytes(answer)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(said) + said)
        await writer.drain()
        writer.close()

    async with raw_server(handle) as url, caller_at(url) as subject:
        code = read_coupon("TLC1" + "A" * 28)
        assert code is not None
        ref = subject.codes.keep_coupon(code, at_ns=subject.clock.at_ns(), scanned_ns=0)
        request = CouponRequest(passage_id=PASSAGE, attempt=1, lane_id=LANE, quote=QUOTE)
        asked = fx.PostCouponReserve(request=request, keyed_hash=ref.keyed_hash, deadline_ms=2_000)
        found = await subject.call(asked)
        assert isinstance(found, inp.PlazaAnswered)
        assert found.answer == answer
        parsed = wire.parse_coupon(bodies[0].partition(b"\r\n\r\n")[2], where="body")
        assert parsed == (request, code)
        gone = CouponRelease(passage_id=PASSAGE, attempt=1, lane_id=LANE)
        assert isinstance(await subject.call(fx.PostCouponRelease(release=gone)), inp.PlazaAnswered)
        assert code.reveal().encode() not in bodies[1]
        other = replace(request, attempt=2)
        assert await subject.trouble(replace(asked, request=other)) == "bad_answer"
        subject.codes.drop(ref.keyed_hash)
        assert await subject.trouble(asked) == "code_gone"
