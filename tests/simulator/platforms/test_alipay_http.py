"""The simulated Alipay on a real socket: delays, broken connections, keep-alive, control API."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from simulator.platforms.alipay_http import AlipayHttp
from simulator.platforms.clock import RealClock
from simulator.platforms.server import PortTakenError, serving
from tests.simulator.models.alipay_merchant import NUMBER, Merchant, make_platform, pay_biz

pytestmark = pytest.mark.wire

STAMP = "2026-11-22 08:00:00"
FORM = {"Content-Type": "application/x-www-form-urlencoded;charset=utf-8"}
NAMED = {"out_trade_no": NUMBER}


class FixedWallClock(RealClock):
    """The machine's monotonic clock with the wall clock of the golden day."""

    def wall_base_ns(self) -> int:
        """Return the morning of 2026-11-22 in Beijing."""
        return 1_795_305_600 * 1_000_000_000


@dataclass
class Bench:
    """A running server, a client on it and the merchant's side of the protocol."""

    port: int
    client: aiohttp.ClientSession
    merchant: Merchant

    @property
    def gateway(self) -> str:
        """Return the gateway's address."""
        return f"http://127.0.0.1:{self.port}/gateway.do"

    async def control(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Make a control call and return status and JSON."""
        address = f"http://127.0.0.1:{self.port}/_sim{path}"
        async with self.client.request(method, address, json=body) as answer:
            return answer.status, json.loads(await answer.read())

    async def code(self, **wanted: Any) -> str:
        """Return a fresh pay code."""
        status, body = await self.control("POST", "/codes", {"buyer_id": "d1", **wanted})
        assert status == 201
        return str(body["code"])

    async def send(self, call: str, biz: Any) -> bytes:
        """Make a gateway call and return the answer's bytes."""
        data = self.merchant.request(call, biz).body
        async with self.client.post(self.gateway, data=data, headers=FORM) as answer:
            return await answer.read()

    async def ask(self, call: str, biz: Any) -> dict[str, Any]:
        """Make a gateway call and return the verified node."""
        answer = self.merchant.read(await self.send(call, biz))
        assert answer.verified
        return answer.node

    async def inject(self, kind: str, **more: Any) -> int:
        """Inject a fault."""
        status, body = await self.control("POST", "/faults", {"kind": kind, **more})
        assert status == 201, body
        return int(body["fault_id"])


@asynccontextmanager
async def bench(latency_ms: int = 0) -> AsyncIterator[Bench]:
    """Run a server with a client on it."""
    clock = FixedWallClock()
    model = make_platform(latency_ms=latency_ms, wall_base_ns=clock.wall_base_ns())
    app = AlipayHttp(model=model, clock=clock).application()
    async with serving(app) as port, aiohttp.ClientSession() as client:
        yield Bench(port=port, client=client, merchant=Merchant(platform=model, stamp=STAMP))


@pytest.mark.asyncio
async def test_a_payment_over_http_is_paid_and_booked() -> None:
    """Code from the control API, payment over the gateway, trade in the books, charge in the
    wallet."""
    async with bench() as subject:
        answer = await subject.ask("pay", pay_biz(await subject.code()))
        assert answer["code"] == "10000"
        _, books = await subject.control("GET", "/trades")
        (trade,) = books["trades"]
        assert (trade["out_trade_no"], trade["captured_fen"]) == (NUMBER, 2550)
        assert trade["state"] == "TRADE_SUCCESS"
        _, wallet = await subject.control("GET", "/wallets/d1")
        assert [charge["amount_fen"] for charge in wallet["charges"]] == [2550]


@pytest.mark.asyncio
async def test_parameters_in_the_address_arrive_as_written() -> None:
    """System parameters in the query string, biz_content in the body: the signature still fits."""
    async with bench() as subject:
        values = subject.merchant.parameters("query", NAMED)
        biz = {"biz_content": values.pop("biz_content")}
        async with subject.client.post(subject.gateway, params=values, data=biz) as answer:
            read = subject.merchant.read(await answer.read())
        assert read.verified
        assert read.node["sub_code"] == "ACQ.TRADE_NOT_EXIST"


@pytest.mark.asyncio
async def test_connections_are_kept_alive() -> None:
    """Ten calls in a row use one connection."""
    async with bench() as subject:
        reader, writer = await asyncio.open_connection("127.0.0.1", subject.port)
        body = subject.merchant.request("query", NAMED).body
        head = f"POST /gateway.do HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        for _ in range(10):
            writer.write(head.encode() + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
            lines = answer.decode().lower().split("\r\n")
            length = next(line for line in lines if line.startswith("content-length:"))
            node = subject.merchant.read(await reader.readexactly(int(length.split(":")[1])))
            assert node.verified
        writer.close()
        await writer.wait_closed()


@pytest.mark.slow
@pytest.mark.asyncio
async def test_a_slow_answer_comes_after_its_delay_and_others_pass_it() -> None:
    """Latency and slowness are carried out on the wire, each request for itself."""
    async with bench(latency_ms=50) as subject:
        await subject.inject("slow", ms=400, calls=["pay"])
        loop = asyncio.get_running_loop()
        code = await subject.code()
        order: list[str] = []

        async def call(name: str, biz: dict[str, str]) -> None:
            await subject.ask(name, biz)
            order.append(name)

        begun = loop.time()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(call("pay", pay_biz(code)), name="slow pay")
            tasks.create_task(call("query", NAMED), name="query beside it")
        assert order == ["query", "pay"]
        assert loop.time() - begun >= 0.45


@pytest.mark.asyncio
async def test_a_lost_answer_breaks_the_connection_after_the_charge() -> None:
    """The client sees a broken connection; a query on a new one finds the trade paid."""
    async with bench() as subject:
        await subject.inject("answer_lost", calls=["pay"])
        biz = pay_biz(await subject.code())
        with pytest.raises(aiohttp.ClientConnectionError):
            await subject.send("pay", biz)
        assert (await subject.ask("query", NAMED))["trade_status"] == "TRADE_SUCCESS"


@pytest.mark.asyncio
async def test_a_client_that_gives_up_has_still_paid() -> None:
    """A timeout at the merchant does not undo the charge, and the server goes on."""
    async with bench() as subject:
        await subject.inject("slow", ms=60_000, calls=["pay"])
        biz = pay_biz(await subject.code())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await subject.send("pay", biz)
        assert (await subject.ask("query", NAMED))["trade_status"] == "TRADE_SUCCESS"


@pytest.mark.asyncio
async def test_a_half_answer_breaks_in_its_body() -> None:
    """Status line and headers come, the body stops in its middle."""
    async with bench() as subject:
        await subject.inject("half_answer")
        with pytest.raises(aiohttp.ClientPayloadError):
            await subject.send("query", NAMED)


@pytest.mark.asyncio
async def test_a_request_dropped_before_leaves_no_trade() -> None:
    """The connection breaks and the books are empty."""
    async with bench() as subject:
        await subject.inject("dropped_before")
        biz = pay_biz(await subject.code())
        with pytest.raises(aiohttp.ClientConnectionError):
            await subject.send("pay", biz)
        assert (await subject.control("GET", "/trades"))[1]["trades"] == []


@pytest.mark.asyncio
async def test_too_much_body_is_refused_and_the_server_goes_on() -> None:
    """A body over the limit gets 413; the next call works."""
    async with bench() as subject:
        async with subject.client.post(subject.gateway, data=b"x" * 200_000) as answer:
            assert answer.status == 413
        assert (await subject.ask("query", NAMED))["code"] == "40004"


@pytest.mark.asyncio
async def test_faults_are_listed_counted_and_cleared() -> None:
    """What was armed is listed with its counts until it is cleared."""
    async with bench() as subject:
        number = await subject.inject("bad_signature", times=None, calls=["query"])
        assert not subject.merchant.read(await subject.send("query", NAMED)).verified
        _, listed = await subject.control("GET", "/faults")
        (fault,) = listed["faults"]
        assert (fault["fault_id"], fault["kind"]) == (number, "bad_signature")
        assert (fault["armed"], fault["seen"], fault["fired"]) == (True, 1, 1)
        assert await subject.control("DELETE", f"/faults/{number}") == (200, {"cleared": True})
        assert subject.merchant.read(await subject.send("query", NAMED)).verified
        assert (await subject.control("DELETE", "/faults/999"))[0] == 404
        assert (await subject.control("DELETE", "/faults"))[0] == 200


@pytest.mark.asyncio
async def test_status_calls_wallets_and_latency_are_told() -> None:
    """The rest of the control API answers what its page says."""
    async with bench() as subject:
        assert await subject.control("PUT", "/latency", {"latency_ms": 7, "jitter_ms": 2}) == (
            200,
            {"latency_ms": 7, "jitter_ms": 2},
        )
        await subject.ask("pay", pay_biz(await subject.code(behaviour="confirms", after_ms=90_000)))
        _, status = await subject.control("GET", "/status")
        assert (status["latency_ms"], status["trades"]) == (7, 1)
        _, calls = await subject.control("GET", "/calls")
        assert [call["code"] for call in calls["calls"]] == ["10003"]
        _, wallets = await subject.control("GET", "/wallets")
        assert wallets["wallets"] == [{"buyer_id": "d1", "charges": []}]


@pytest.mark.asyncio
async def test_todays_bill_is_written_on_demand() -> None:
    """Rows and day are told; more mistakes than payments are refused."""
    async with bench() as subject:
        await subject.ask("pay", pay_biz(await subject.code()))
        status, written = await subject.control("POST", "/bills", {"mistakes": ["dup"]})
        assert (status, written["rows"]) == (201, 2)
        wrong = {"day": written["day"], "mistakes": ["dup", "long"]}
        status, problem = await subject.control("POST", "/bills", wrong)
        assert (status, problem["code"]) == (409, "no_such_bill")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "/codes", {}, 422, "bad_field"),
        ("POST", "/codes", {"buyer_id": "d", "wish": 1}, 422, "bad_field"),
        ("POST", "/codes", {"buyer_id": "d", "prefix": 24}, 422, "bad_field"),
        ("POST", "/codes", {"buyer_id": "d", "behaviour": "secret-wish"}, 422, "bad_field"),
        ("POST", "/faults", {"kind": "flood"}, 422, "bad_field"),
        ("POST", "/faults", {"kind": "slow", "calls": ["secret-wish"]}, 422, "bad_field"),
        ("POST", "/faults", {"kind": "slow", "ms": 600_001}, 422, "bad_field"),
        ("PUT", "/latency", [], 422, "bad_field"),
        ("POST", "/bills", {"mistakes": ["secret-wish"]}, 422, "bad_field"),
        ("GET", "/wallets/nobody", None, 404, "unknown_buyer"),
        ("GET", "/nothing", None, 404, "unknown_path"),
        ("DELETE", "/codes", None, 404, "unknown_path"),
    ],
)
async def test_a_wrong_control_call_gets_one_clear_problem(
    method: str, path: str, body: Any, status: int, code: str
) -> None:
    """The answer names the field and what is wrong with it, and never repeats what was sent."""
    async with bench() as subject:
        got, problem = await subject.control(method, path, body)
        assert (got, problem["code"], problem["status"]) == (status, code, status)
        assert problem["detail"]
        assert "secret-wish" not in json.dumps(problem)


@pytest.mark.asyncio
async def test_a_control_body_that_is_no_json_is_refused() -> None:
    """Half a JSON text is a bad request, not a crash."""
    async with bench() as subject:
        address = f"http://127.0.0.1:{subject.port}/_sim/codes"
        async with subject.client.post(address, data=b'{"buyer') as answer:
            assert answer.status == 400
            assert json.loads(await answer.read())["code"] == "bad_json"


@pytest.mark.asyncio
async def test_a_taken_port_is_named() -> None:
    """A second server on the same port says which and what to do."""
    async with bench() as subject:
        app = AlipayHttp(model=make_platform(), clock=FixedWallClock()).application()
        with pytest.raises(PortTakenError, match=str(subject.port)):
            async with serving(app, port=subject.port):
                pytest.fail("the port was taken")
