"""The merchant's side for tests of the simulated WeChat Pay, written from its description.

It shares no line with the model: it signs, verifies with the test-only keys of
tests/golden/wechat_model and believes only signed bytes.
"""

from __future__ import annotations

import base64
import json
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from simulator.models.platform_wire import HttpRequest, Reply
from simulator.models.wechat import WechatModel
from simulator.models.wechat_values import WechatConfig
from simulator.models.wechat_wire import PlatformCertificate, RsaWechatKeys

GOLDEN = Path(__file__).parents[2] / "golden" / "wechat_model"
S = 1_000_000_000
DAY = 86_400 * S
WALL_BASE_S = 1_795_305_600
"""2026-11-22 08:00:00 in Beijing."""
T0 = 5 * S
NUMBER = "110105001001000000001A01"
APP_ID = "wxd678efh567hg6787"
MERCHANT_ID = "1900000109"
MERCHANT_SERIAL = "5157F09EFDC096DE15EBE81A47057A7232F1B8E1"
PLATFORM_SERIAL = "7132D72A03E93CDDF8C03BBD1F37EEDF00000001"
NEXT_SERIAL = "7132D72A03E93CDDF8C03BBD1F37EEDF00000002"
PUBLIC_KEY_ID = "PUB_KEY_ID_0119000001092026112200000001"
API_V3_KEY = b"test-only-32-bytes-of-apiv3-key!"
QUERY = f"/v3/pay/transactions/out-trade-no/{NUMBER}?mchid={MERCHANT_ID}"
REVERSE = f"/v3/pay/transactions/out-trade-no/{NUMBER}/reverse"
REFUNDS = "/v3/refund/domestic/refunds"
OWNER = {"appid": APP_ID, "mchid": MERCHANT_ID}


def private_key(name: str) -> rsa.RSAPrivateKey:
    """Return a test-only private key."""
    pem = (GOLDEN / f"TEST_ONLY_{name}_private_key.pem").read_bytes()
    key = serialization.load_pem_private_key(pem, password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


MERCHANT_KEY = private_key("merchant")
PLATFORM_KEYS = {
    PLATFORM_SERIAL: private_key("platform"),
    NEXT_SERIAL: private_key("next"),
    PUBLIC_KEY_ID: private_key("public_key_mode"),
}


def certificate(name: str, serial: str) -> PlatformCertificate:
    """Return a test-only certificate as the platform keeps it."""
    pem = (GOLDEN / f"TEST_ONLY_{name}_certificate.pem").read_bytes()
    read = x509.load_pem_x509_certificate(pem)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    begins = int((read.not_valid_before_utc - epoch).total_seconds()) * S
    ends = int((read.not_valid_after_utc - epoch).total_seconds()) * S
    return PlatformCertificate(serial=serial, begins_ns=begins, ends_ns=ends, pem=pem)


def make_platform(*, seed: int = 7, **config: Any) -> WechatModel:
    """Return a platform that knows the test-only keys."""
    return WechatModel(
        config=WechatConfig(**config),
        keys=RsaWechatKeys(platform=PLATFORM_KEYS, merchant_public=MERCHANT_KEY.public_key()),
        rng=random.Random(seed),
        certificates=(
            certificate("platform", PLATFORM_SERIAL),
            certificate("next", NEXT_SERIAL),
        ),
        api_v3_key=API_V3_KEY,
    )


@dataclass
class Merchant:
    """Asks a platform as a plaza would, and believes only signed bytes."""

    platform: WechatModel = field(default_factory=make_platform)
    key: rsa.RSAPrivateKey = MERCHANT_KEY
    said: dict[str, str] = field(default_factory=dict)
    """Members of the Authorization header that are told otherwise than they are."""
    serial: str = ""
    """Which key answers shall be signed with."""
    skew_s: int = 0

    def request(
        self, method: str, path: str, body: Any = None, *, at_ns: int = T0, **more: str
    ) -> HttpRequest:
        """Return a signed request."""
        raw = b"" if body is None else json.dumps(body).encode()
        stamp = str(WALL_BASE_S + at_ns // S + self.skew_s)
        values = {
            "mchid": MERCHANT_ID,
            "nonce_str": "593BEC0C930BF1AFEB40B4A08C8FB242",
            "timestamp": stamp,
            "serial_no": MERCHANT_SERIAL,
            **self.said,
        }
        text = f"{method}\n{path}\n{values['timestamp']}\n{values['nonce_str']}\n".encode()
        signed = self.key.sign(text + raw + b"\n", padding.PKCS1v15(), hashes.SHA256())
        values.setdefault("signature", base64.b64encode(signed).decode())
        pairs = ",".join(f'{name}="{value}"' for name, value in values.items())
        headers = {
            "Authorization": f"WECHATPAY2-SHA256-RSA2048 {pairs}",
            "Accept": "application/json",
            "User-Agent": "plaza/1",
            "Content-Type": "application/json",
            **({"Wechatpay-Serial": self.serial} if self.serial else {}),
            **more,
        }
        return HttpRequest(method=method, path=path, headers=tuple(headers.items()), body=raw)

    def send(self, method: str, path: str, body: Any = None, *, at_ns: int = T0) -> Reply:
        """Make a call at an instant and return what happens to the connection."""
        return self.platform.handle(self.request(method, path, body, at_ns=at_ns), at_ns)

    def ask(
        self, method: str, path: str, body: Any = None, *, at_ns: int = T0
    ) -> tuple[int, dict[str, Any]]:
        """Make a call and return status and members of its answer, which must be signed."""
        reply = self.send(method, path, body, at_ns=at_ns)
        assert not reply.dropped
        assert verified(reply), reply
        return reply.status, json.loads(reply.body)

    def pay(self, code: str, *, at_ns: int = T0, **more: Any) -> tuple[int, dict[str, Any]]:
        """Make a pay call."""
        return self.ask("POST", "/v3/pay/transactions/codepay", pay_body(code, **more), at_ns=at_ns)

    def query(self, *, at_ns: int = T0) -> dict[str, Any]:
        """Make a query that must find the order."""
        status, found = self.ask("GET", QUERY, at_ns=at_ns)
        assert status == 200, found
        return found

    def reverse(self, *, at_ns: int) -> tuple[int, dict[str, Any]]:
        """Make a reverse call."""
        return self.ask("POST", REVERSE, OWNER, at_ns=at_ns)

    def refund(
        self, number: str = "R1", fen: int = 2550, *, at_ns: int = T0, total: int = 2550
    ) -> tuple[int, dict[str, Any]]:
        """Make a refund call."""
        body = {
            "out_trade_no": NUMBER,
            "out_refund_no": number,
            "amount": {"refund": fen, "total": total, "currency": "CNY"},
        }
        return self.ask("POST", REFUNDS, body, at_ns=at_ns)


def header(reply: Reply, name: str) -> str:
    """Return a header of an answer, or empty text."""
    return {key.lower(): value for key, value in reply.headers}.get(name.lower(), "")


def verified(reply: Reply) -> bool:
    """Return whether an answer is signed with the key it names."""
    key = PLATFORM_KEYS.get(header(reply, "Wechatpay-Serial"))
    if key is None:
        return False
    stamp, nonce = header(reply, "Wechatpay-Timestamp"), header(reply, "Wechatpay-Nonce")
    text = f"{stamp}\n{nonce}\n".encode() + reply.body + b"\n"
    try:
        signature = base64.b64decode(header(reply, "Wechatpay-Signature"), validate=True)
        key.public_key().verify(signature, text, padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True


def pay_body(code: str, number: str = NUMBER, fen: int = 2550, **more: Any) -> dict[str, Any]:
    """Return the body of a code payment."""
    return {
        **OWNER,
        "description": "广园站,粤A12345 一型车",
        "out_trade_no": number,
        "attach": "lane 1",
        "payer": {"auth_code": code},
        "amount": {"total": fen, "currency": "CNY"},
        "scene_info": {"device_ip": "10.0.0.1", "store_info": {"out_id": "GY01"}},
        **more,
    }
