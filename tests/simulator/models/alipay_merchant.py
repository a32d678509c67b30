"""The merchant's side for tests of the simulated Alipay, written from the interface's description.

It shares no line with the model: it signs, percent-encodes, finds the signed text in an answer by
its offsets and verifies it with the test-only keys of tests/golden/alipay.
"""

from __future__ import annotations

import base64
import json
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from simulator.models.alipay import AlipayModel, HttpRequest, Reply
from simulator.models.alipay_values import AlipayConfig
from simulator.models.alipay_wire import Rsa2Keys

GOLDEN = Path(__file__).parents[2] / "golden" / "alipay"
S = 1_000_000_000
T0 = 5 * S
"""The instant most calls are made at: 2026-11-22 08:00:05 in Beijing."""
NUMBER = "110105001001000000001A01"


def private_key(name: str) -> rsa.RSAPrivateKey:
    """Return a test-only private key."""
    pem = (GOLDEN / f"TEST_ONLY_{name}_private_key.pem").read_bytes()
    key = serialization.load_pem_private_key(pem, password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


APP_KEY = private_key("app")
PLATFORM_KEY = private_key("platform")


def make_platform(*, seed: int = 7, **config: Any) -> AlipayModel:
    """Return a platform that knows the test-only keys."""
    keys = Rsa2Keys(platform_private=PLATFORM_KEY, app_public=APP_KEY.public_key())
    return AlipayModel(config=AlipayConfig(**config), keys=keys, rng=random.Random(seed))


@dataclass
class Answer:
    """One answer taken apart."""

    node: dict[str, Any]
    verified: bool
    name: str = ""


@dataclass
class Merchant:
    """Asks a platform as a plaza would, and believes only signed bytes."""

    platform: AlipayModel = field(default_factory=make_platform)
    stamp: str = "2026-11-22 08:00:05"
    key: rsa.RSAPrivateKey = APP_KEY
    public: rsa.RSAPublicKey = field(default_factory=PLATFORM_KEY.public_key)
    app_id: str = "2021000000000001"

    def parameters(self, call: str, biz: Any, **other: str) -> dict[str, str]:
        """Return the signed parameters of a call; *other* replaces or removes (empty) some."""
        biz_text = biz if isinstance(biz, str) else json.dumps(biz, ensure_ascii=False)
        values = {
            "app_id": self.app_id,
            "method": f"alipay.trade.{call}",
            "format": "JSON",
            "charset": "utf-8",
            "sign_type": "RSA2",
            "timestamp": self.stamp,
            "version": "1.0",
            "biz_content": biz_text,
            **other,
        }
        values.pop("sign", None)
        text = "&".join(f"{k}={v}" for k, v in sorted(values.items()) if v)
        raw = text.encode(values["charset"] if values["charset"] in ("gbk", "utf-8") else "utf-8")
        signature = self.key.sign(raw, padding.PKCS1v15(), hashes.SHA256())
        return {**values, "sign": other.get("sign", base64.b64encode(signature).decode())}

    def request(self, call: str, biz: Any, **other: str) -> HttpRequest:
        """Return a call as a form POST."""
        values = self.parameters(call, biz, **other)
        codec = "gbk" if values["charset"] == "gbk" else "utf-8"
        return post(encode(values, codec))

    def send(self, call: str, biz: Any, *, at_ns: int = T0, **other: str) -> Reply:
        """Make a call at an instant and return what happens to the connection."""
        return self.platform.handle(self.request(call, biz, **other), at_ns)

    def ask(self, call: str, biz: Any, *, at_ns: int = T0, **other: str) -> dict[str, Any]:
        """Make a call and return the node of its answer, which must be signed."""
        reply = self.send(call, biz, at_ns=at_ns, **other)
        assert reply.status == 200
        assert not reply.dropped
        answer = self.read(reply.body)
        assert answer.verified, answer
        return answer.node

    def read(self, body: bytes, codec: str = "utf-8") -> Answer:
        """Take an answer apart: the signed text is what stands between two offsets of the body."""
        text = body.decode(codec)
        name_end = text.index('":')
        start = text.index("{", name_end)
        node, end = json.JSONDecoder().raw_decode(text, start)
        whole = json.loads(text)
        name = text[2:name_end]
        signature = base64.b64decode(whole.get("sign", ""))
        try:
            self.public.verify(
                signature, text[start:end].encode(codec), padding.PKCS1v15(), hashes.SHA256()
            )
        except InvalidSignature:
            return Answer(node=node, verified=False, name=name)
        return Answer(node=node, verified=text.count(f'"{name}"') == 1, name=name)


def encode(values: dict[str, str], codec: str = "utf-8") -> bytes:
    """Return parameters percent-encoded."""
    return "&".join(
        f"{name}={quote_plus(value, encoding=codec)}" for name, value in values.items()
    ).encode()


def post(body: bytes, query: bytes = b"") -> HttpRequest:
    """Return a form POST to the gateway."""
    kind = ("Content-Type", "application/x-www-form-urlencoded;charset=utf-8")
    return HttpRequest(method="POST", path="/gateway.do", query=query, headers=(kind,), body=body)


def pay_biz(code: str, number: str = NUMBER, amount: str = "25.50", **more: str) -> dict[str, str]:
    """Return the biz_content of a barcode payment."""
    return {
        "out_trade_no": number,
        "scene": "bar_code",
        "auth_code": code,
        "product_code": "FACE_TO_FACE_PAYMENT",
        "subject": "广园站 粤A12345 一型车",
        "total_amount": amount,
        "timeout_express": "2m",
        **more,
    }
