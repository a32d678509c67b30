"""A scripted far end of WeChat Pay v3 on a real socket, for tests of the plaza's edges.

It keeps its own books, checks our signatures with its own few lines, and does once what a test
scripted before it goes on as usual. It shares no code with the plaza's codec.
"""

from __future__ import annotations

import base64
import functools
import json
import re
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

GOLDEN = Path(__file__).parents[1] / "golden" / "wechat_codec"
MCHID, APPID = "1900000109", "wx8888888888888888"
SERIAL = "5157F09EFDC096DE15EBE81A47057A7232F1B8E1"
NEXT_SERIAL = "6E1D414B17AFC0A15A2E4491C9C14927801AF3EC"
MERCHANT_SERIAL = "1DDE55AD98ED71D6EDD4A4A16996DE7B47773A8C"
PUBLIC_KEY_ID = "PUB_KEY_ID_0114232134912410000000000000"
SIGNERS = {SERIAL: "platform", NEXT_SERIAL: "platform_next", PUBLIC_KEY_ID: "public_key"}
Said = tuple[int, dict[str, Any]]


@dataclass
class FakeWechat:
    """Books, script and what was asked."""

    url: str = ""
    trades: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Method and path of each request that was ours."""
    script: deque[Said] = field(default_factory=deque)
    """Answers given in place of the books', one per request."""
    signs_by: str = SERIAL
    listed: tuple[str, ...] = (SERIAL,)
    """Serials in the certificates' list."""
    connections: set[str] = field(default_factory=set)
    """The far ends seen: one for each connection."""

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer one call."""
        body = await request.read()
        assert request.transport is not None
        self.connections.add(str(request.transport.get_extra_info("peername")))
        if not _is_ours(request, body):
            return web.json_response({"code": "SIGN_ERROR", "message": "x"}, status=401)
        self.asked.append((request.method, request.path))
        if self.script:
            status, fields = self.script.popleft()
        else:
            status, fields = self.usual(request, body)
        wanted = request.headers.get("Wechatpay-Serial", self.signs_by)
        return _signed(status, fields, wanted)

    def usual(self, request: web.Request, body: bytes) -> Said:
        """Answer as an honest platform does."""
        path = request.path
        if path == "/v3/certificates":
            return 200, {"data": [_sealed(serial) for serial in self.listed]}
        if path == "/v3/pay/transactions/codepay":
            said = json.loads(body)
            number = said["out_trade_no"]
            assert number not in self.trades, "pay was sent twice"
            self.trades[number] = {"appid": APPID, "mchid": MCHID, "out_trade_no": number} | {
                "trade_state": "SUCCESS",
                "transaction_id": f"4200002611{len(self.trades):018d}",
                "amount": {"total": said["amount"]["total"], "currency": "CNY"},
                "success_time": "2026-11-22T10:30:06+08:00",
            }
            return 200, self.trades[number]
        number = path.split("/")[5] if len(path.split("/")) > 5 else ""
        trade = self.trades.get(number)
        if trade is None:
            return 404, {"code": "ORDER_NOT_EXIST", "message": "x"}
        if path.endswith("/reverse"):
            trade["trade_state"] = "REVOKED"
            return 200, {"appid": APPID, "mchid": MCHID, "out_trade_no": number}
        return 200, trade


def _is_ours(request: web.Request, body: bytes) -> bool:
    """Return whether the merchant's key made the signature, and just now."""
    said = dict(re.findall(r'(\w+)="([^"]*)"', request.headers.get("Authorization", "")))
    text = f"{request.method}\n{request.path_qs}\n{said['timestamp']}\n{said['nonce_str']}\n"
    private_key("merchant").public_key().verify(
        base64.b64decode(said["signature"]),
        text.encode() + body + b"\n",
        padding.PKCS1v15(),
        hashes.SHA256(),
    )
    known = (said["mchid"], said["serial_no"]) == (MCHID, MERCHANT_SERIAL)
    return known and abs(int(said["timestamp"]) - time.time()) < 300


def _signed(status: int, fields: dict[str, Any], serial: str) -> web.Response:
    body = json.dumps(fields, ensure_ascii=False).encode()
    stamp, nonce = str(int(time.time())), "e63973074d9d78aff8fb62277b5f95a0"
    made = private_key(SIGNERS[serial]).sign(
        f"{stamp}\n{nonce}\n".encode() + body + b"\n", padding.PKCS1v15(), hashes.SHA256()
    )
    headers = {
        "Wechatpay-Timestamp": stamp,
        "Wechatpay-Nonce": nonce,
        "Wechatpay-Serial": serial,
        "Wechatpay-Signature": base64.b64encode(made).decode(),
        "Wechatpay-Signature-Type": "WECHATPAY2-SHA256-RSA2048",
    }
    return web.Response(status=status, body=body, headers=headers, content_type="application/json")


def _sealed(serial: str) -> dict[str, Any]:
    pem = (GOLDEN / f"{SIGNERS[serial]}_certificate.pem").read_bytes()
    secret = (GOLDEN / "apiv3.key").read_bytes().strip()
    sealed = AESGCM(secret).encrypt(b"d215b0511e9c", pem, b"certificate")
    return {
        "serial_no": serial,
        "encrypt_certificate": {
            "algorithm": "AEAD_AES_256_GCM",
            "nonce": "d215b0511e9c",
            "associated_data": "certificate",
            "ciphertext": base64.b64encode(sealed).decode(),
        },
    }


@functools.cache
def private_key(who: str) -> rsa.RSAPrivateKey:
    """Return one of the golden keys. Loading it checks its primes: longer than a payment takes."""
    key = serialization.load_pem_private_key(
        (GOLDEN / f"{who}_private.pem").read_bytes(), password=None
    )
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


@asynccontextmanager
async def wechat_served() -> AsyncIterator[FakeWechat]:
    """Serve a platform on a free port of loopback."""
    platform = FakeWechat()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", platform.serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    platform.url = f"http://{host}:{port}"
    try:
        yield platform
    finally:
        await runner.cleanup()
