"""A scripted far end of the Alipay gateway on a real socket, for tests of the plaza's edges.

It keeps its own books, checks our signatures with its own few lines, and does once what a test
scripted before it goes on as usual. It shares no code with the plaza's codec.
"""

from __future__ import annotations

import asyncio
import base64
import functools
import json
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

GOLDEN = Path(__file__).parents[1] / "golden" / "alipay_codec"
APP_ID = "2021000000000001"
Reply = web.Response | None
Script = Callable[["FakeGateway", str, dict[str, Any]], Awaitable[Reply]]


@dataclass
class Trade:
    """One line of the gateway's books."""

    amount: str
    status: str
    trade_no: str
    refunded: str = "0.00"


@dataclass
class FakeGateway:
    """Books, script and what was asked."""

    url: str = ""
    trades: dict[str, Trade] = field(default_factory=dict)
    used_codes: set[str] = field(default_factory=set)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    script: dict[str, deque[Script]] = field(default_factory=lambda: defaultdict(deque))
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def then(self, method: str, *scripts: Script) -> None:
        """Do these, one per call, at the next calls of alipay.trade.<method>."""
        self.script[method].extend(scripts)

    def count(self, method: str) -> int:
        """Return how often alipay.trade.<method> was asked."""
        return sum(1 for name, _ in self.asked if name == method)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer one call."""
        form = dict(parse_qsl((await request.read()).decode("utf-8"), keep_blank_values=True))
        assert self.signature_holds(form), "our request is not signed as the platform asks"
        method = form["method"].removeprefix("alipay.trade.")
        biz = json.loads(form["biz_content"])
        self.asked.append((method, biz))
        self.arrived.set()
        waiting = self.script[method]
        reply = await waiting.popleft()(self, method, biz) if waiting else self.usual(method, biz)
        if reply is None:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return reply

    def signature_holds(self, form: dict[str, str]) -> bool:
        """Return whether the merchant's key made the signature."""
        key = private_key("merchant").public_key()
        text = "&".join(f"{k}={form[k]}" for k in sorted(form) if k != "sign" and form[k])
        key.verify(
            base64.b64decode(form["sign"]), text.encode(), padding.PKCS1v15(), hashes.SHA256()
        )
        return form["app_id"] == APP_ID and len(form["timestamp"]) == 19

    def usual(self, method: str, biz: dict[str, Any]) -> web.Response:
        """Answer as an honest platform does."""
        number = biz["out_trade_no"]
        trade = self.trades.get(number)
        if method == "pay":
            return self.answer(method, self.charge(biz))
        if trade is None:
            return self.refuse(method, "ACQ.TRADE_NOT_EXIST")
        known = {"code": "10000", "msg": "Success", "out_trade_no": number}
        known["trade_no"] = trade.trade_no
        if method == "query":
            known |= {"trade_status": trade.status, "total_amount": trade.amount}
            if trade.status == "TRADE_SUCCESS" or trade.refunded != "0.00":
                known["send_pay_date"] = "2026-11-22 10:30:06"
        elif method == "cancel":
            paid = trade.status == "TRADE_SUCCESS"
            trade.refunded = trade.amount if paid else trade.refunded
            trade.status = "TRADE_CLOSED"
            known |= {"action": "refund" if paid else "close", "retry_flag": "N"}
        elif method == "refund":
            first = trade.refunded == "0.00"
            trade.refunded, trade.status = biz["refund_amount"], "TRADE_CLOSED"
            known |= {"fund_change": "Y" if first else "N", "refund_fee": trade.refunded}
        elif trade.refunded != "0.00":
            known |= {"out_request_no": biz["out_request_no"], "refund_amount": trade.refunded}
        return self.answer(method, known)

    def charge(self, biz: dict[str, Any], status: str = "TRADE_SUCCESS") -> dict[str, Any]:
        """Take the money (or ask for a password) and return the answer's fields."""
        number, code = biz["out_trade_no"], biz["auth_code"]
        assert number not in self.trades, "pay was sent twice"
        assert code not in self.used_codes, "a code was spent twice"
        self.used_codes.add(code)
        trade_no = f"20261122220014{len(self.trades):014d}"
        self.trades[number] = Trade(biz["total_amount"], status, trade_no)
        return {
            "code": "10000" if status == "TRADE_SUCCESS" else "10003",
            "msg": "Success",
            "out_trade_no": number,
            "trade_no": trade_no,
            "total_amount": biz["total_amount"],
            "gmt_payment": "2026-11-22 10:30:06",
        }

    def refuse(self, method: str, sub_code: str) -> web.Response:
        """Refuse with a business code."""
        return self.answer(
            method, {"code": "40004", "msg": "Business Failed", "sub_code": sub_code}
        )

    def answer(self, method: str, fields: dict[str, Any]) -> web.Response:
        """Return a signed answer."""
        return web.Response(text=self.signed(method, fields, "platform"), content_type="text/html")

    def signed(self, method: str, fields: dict[str, Any], who: str) -> str:
        """Return the body signed by *who*."""
        node = f"alipay_trade_{method.replace('.', '_')}_response"
        value = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
        return f'{{"{node}":{value},"sign":"{sign(who, value)}"}}'


@functools.cache
def private_key(who: str) -> rsa.RSAPrivateKey:
    """Return one of the golden keys. Loading it checks its primes: longer than a payment takes."""
    key = serialization.load_pem_private_key(
        (GOLDEN / f"{who}_private.pem").read_bytes(), password=None
    )
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


def sign(who: str, text: str) -> str:
    """Return the base64 signature of one of the golden keys."""
    made = private_key(who).sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    return base64.b64encode(made).decode()


# ---- scripts ----


async def wait_for_password(gateway: FakeGateway, method: str, biz: dict[str, Any]) -> Reply:
    """Create the order; the payer must confirm."""
    return gateway.answer(method, gateway.charge(biz, "WAIT_BUYER_PAY"))


async def charge_then_drop(gateway: FakeGateway, method: str, biz: dict[str, Any]) -> Reply:
    """Take the money; the answer never arrives."""
    gateway.charge(biz)
    return None


async def drop(gateway: FakeGateway, method: str, biz: dict[str, Any]) -> Reply:
    """Do nothing and hang up."""
    return None


async def bad_signature(gateway: FakeGateway, method: str, biz: dict[str, Any]) -> Reply:
    """Take the money; sign with a key that is not the platform's."""
    return web.Response(text=gateway.signed(method, gateway.charge(biz), "merchant"))


async def no_signature(gateway: FakeGateway, method: str, biz: dict[str, Any]) -> Reply:
    """Take the money; do not sign."""
    body = json.loads(gateway.signed(method, gateway.charge(biz), "platform"))
    del body["sign"]
    return web.Response(text=json.dumps(body))


async def doubled_node(gateway: FakeGateway, method: str, biz: dict[str, Any]) -> Reply:
    """A signed refusal, and behind it an unsigned success of the same name."""
    refused = {"code": "40004", "sub_code": "ACQ.PAYMENT_AUTH_CODE_INVALID"}
    body = gateway.signed(method, refused, "platform")
    paid = json.dumps({"code": "10000", "out_trade_no": biz["out_trade_no"]})
    return web.Response(text=f'{body[:-1]},"alipay_trade_pay_response":{paid}}}')


def refused(sub_code: str) -> Script:
    """Refuse with this sub_code."""

    async def script(gateway: FakeGateway, method: str, biz: dict[str, Any]) -> Reply:
        return gateway.refuse(method, sub_code)

    return script


def held(release: asyncio.Event) -> Script:
    """Take the money at once, answer only when released."""

    async def script(gateway: FakeGateway, method: str, biz: dict[str, Any]) -> Reply:
        fields = gateway.charge(biz)
        await release.wait()
        return gateway.answer(method, fields)

    return script


def raw(status: int, body: bytes) -> Script:
    """Answer these bytes."""

    async def script(gateway: FakeGateway, method: str, biz: dict[str, Any]) -> Reply:
        headers = {"Location": "http://127.0.0.1:9/"} if status == 302 else None
        return web.Response(status=status, body=body, headers=headers)

    return script


@asynccontextmanager
async def gateway_served() -> AsyncIterator[FakeGateway]:
    """Serve a gateway on a free port of loopback."""
    gateway = FakeGateway()
    app = web.Application()
    app.router.add_post("/gateway.do", gateway.serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    gateway.url = f"http://{host}:{port}/gateway.do"
    try:
        yield gateway
    finally:
        await runner.cleanup()
