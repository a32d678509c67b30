"""The merchant's side for tests of the simulated UnionPay, written from its description.

It shares no line with the model: it signs, traces certificates to the test-only root of
tests/golden/unionpay_model and believes only signed pairs.
"""

from __future__ import annotations

import base64
import hashlib
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from simulator.models.platform_wire import HttpRequest, Reply
from simulator.models.unionpay import UnionpayModel
from simulator.models.unionpay_values import UnionpayConfig
from simulator.models.unionpay_wire import RsaUnionpayKeys

GOLDEN = Path(__file__).parents[2] / "golden" / "unionpay_model"
S = 1_000_000_000
DAY = 86_400 * S
T0 = 5 * S
"""2026-11-22 08:00:05 in Beijing."""
NUMBER = "110105001001000000001A01"
TIME = "20261122080005"
BACK = "/gateway/api/backTransReq.do"
QUERY = "/gateway/api/queryTrans.do"


def private_key(name: str) -> rsa.RSAPrivateKey:
    """Return a test-only private key."""
    pem = (GOLDEN / f"TEST_ONLY_{name}_private_key.pem").read_bytes()
    key = serialization.load_pem_private_key(pem, password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


def certificate(name: str) -> str:
    """Return a test-only certificate as PEM."""
    return (GOLDEN / f"TEST_ONLY_{name}_certificate.pem").read_text(encoding="ascii")


MERCHANT_KEY = private_key("merchant")
PLATFORM = (private_key("platform"), certificate("platform"))
STRANGER = (private_key("stranger"), certificate("stranger"))
MIDDLE = x509.load_pem_x509_certificate(certificate("middle").encode())


def make_platform(*, seed: int = 7, **config: Any) -> UnionpayModel:
    """Return a platform that knows the test-only keys."""
    keys = RsaUnionpayKeys(
        platform=PLATFORM, stranger=STRANGER, merchant_public=MERCHANT_KEY.public_key()
    )
    return UnionpayModel(config=UnionpayConfig(**config), keys=keys, rng=random.Random(seed))


def to_sign(pairs: dict[str, str]) -> bytes:
    """Return the hex digest a signature covers."""
    text = "&".join(f"{k}={v}" for k, v in sorted(pairs.items()) if v and k != "signature")
    return hashlib.sha256(text.encode()).hexdigest().encode()


def taken_apart(body: bytes) -> tuple[dict[str, str], bool]:
    """Return an answer's pairs and whether middle's certificate vouches for all of them."""
    text, names, found = body.decode(), [], {}
    opened = 0
    piece = ""
    for sign in text + "&":
        opened += (sign in "{[") - (sign in "}]")
        if sign != "&" or opened:
            piece += sign
            continue
        name, _, value = piece.partition("=")
        names.append(name)
        found[name] = value
        piece = ""
    if len(names) != len(set(names)) or "signature" not in found:
        return found, False
    try:
        signer = x509.load_pem_x509_certificate(found["signPubKeyCert"].encode())
        signer.verify_directly_issued_by(MIDDLE)
        key = signer.public_key()
        assert isinstance(key, rsa.RSAPublicKey)
        signature = base64.b64decode(found["signature"])
        key.verify(signature, to_sign(found), padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, ValueError):
        return found, False
    return found, True


@dataclass
class Merchant:
    """Asks a gateway as a plaza would, and believes only signed pairs."""

    platform: UnionpayModel = field(default_factory=make_platform)
    key: rsa.RSAPrivateKey = MERCHANT_KEY

    def request(self, types: str, path: str = BACK, **said: str) -> HttpRequest:
        """Return a signed request of ``txnType/txnSubType``; an empty value leaves a field out."""
        kind, _, sub = types.partition("/")
        pairs = {
            "version": "5.1.0",
            "encoding": "UTF-8",
            "signMethod": "01",
            "certId": "68759663125",
            "txnType": kind,
            "txnSubType": sub,
            "bizType": "000000",
            "accessType": "0",
            "channelType": "08",
            "merId": "777290058110097",
            "orderId": NUMBER,
            "txnTime": TIME,
            **said,
        }
        signed = self.key.sign(to_sign(pairs), padding.PKCS1v15(), hashes.SHA256())
        pairs.setdefault("signature", base64.b64encode(signed).decode())
        body = urlencode({name: value for name, value in pairs.items() if value}).encode()
        kinds = (("Content-Type", "application/x-www-form-urlencoded"),)
        return HttpRequest(method="POST", path=path, headers=kinds, body=body)

    def send(self, types: str, *, at_ns: int = T0, path: str = BACK, **said: str) -> Reply:
        """Make a call at an instant and return what happens to the connection."""
        return self.platform.handle(self.request(types, path, **said), at_ns)

    def ask(self, types: str, *, at_ns: int = T0, path: str = BACK, **said: str) -> dict[str, str]:
        """Make a call and return the pairs of its answer, which must be signed."""
        reply = self.send(types, at_ns=at_ns, path=path, **said)
        assert reply.status == 200
        assert not reply.dropped
        pairs, verified = taken_apart(reply.body)
        assert verified, pairs
        return pairs

    def pay(self, code: str, *, at_ns: int = T0, **said: str) -> dict[str, str]:
        """Make a pay call."""
        own = {"txnAmt": "2550", "currencyCode": "156", "qrNo": code, "termId": "00000001"}
        return self.ask("01/06", at_ns=at_ns, **{**own, **said})

    def query(self, *, at_ns: int = T0, **said: str) -> dict[str, str]:
        """Make a query."""
        return self.ask("00/00", at_ns=at_ns, path=QUERY, **said)

    def refund(self, *, at_ns: int, fen: int = 2550, **said: str) -> dict[str, str]:
        """Make a refund call."""
        own = {
            "orderId": NUMBER + "R01",
            "txnTime": "20261122080100",
            "txnAmt": str(fen),
            "currencyCode": "156",
            "origOrderId": NUMBER,
            "origTxnTime": TIME,
        }
        return self.ask("04/00", at_ns=at_ns, **{**own, **said})
