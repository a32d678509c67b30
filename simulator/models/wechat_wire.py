"""WeChat Pay v3's bytes: the Authorization header judged, answers signed over their raw bytes.

A request's signature covers method, path with query, timestamp, nonce and body, an answer's
timestamp, nonce and body, each line ended by a line feed; both are RSASSA-PKCS1-v1_5 with SHA-256
in base64. A request stamped more than five minutes off is 401 SIGN_ERROR, and so is one in
milliseconds. A refusal before the signature is known to be good is not signed.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import unquote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256

from simulator.models.platform_values import Randomness
from simulator.models.platform_wire import NS_PER_MS, NS_PER_S, Fields, HttpRequest
from simulator.models.wechat_values import No, WechatConfig, refused, rfc3339

SCHEME = "WECHATPAY2-SHA256-RSA2048"
PROBE_PREFIX = "WECHATPAY/SIGNTEST/"
"""How the signature of probe traffic begins; it must fail verification (remembered, not read)."""
_PAIR = re.compile(r'\s*([a-z_]+)="([^"]*)"\s*')
_LIMITS = {"mchid": 32, "nonce_str": 32, "signature": 1_024, "timestamp": 20, "serial_no": 64}
_SECONDS = re.compile(r"\d{10}", re.ASCII)
NONCE_LENGTH = 32
GCM_NONCE_LENGTH = 12
GCM_ABOUT = "certificate"
"""Associated data of an encrypted certificate."""


class WechatKeys(Protocol):
    """Who signs answers and judges requests. RSA on a wire; a run in virtual time may pass in
    less."""

    def sign(self, text: bytes, serial: str) -> bytes:
        """Return the platform's signature of *text* with the key called *serial*."""
        ...

    def is_signed(self, text: bytes, signature: bytes) -> bool:
        """Return whether *signature* over *text* is the merchant's."""
        ...


class RsaWechatKeys:
    """The platform's private keys by serial, and the public key of the merchant's certificate."""

    def __init__(
        self, *, platform: Mapping[str, RSAPrivateKey], merchant_public: RSAPublicKey
    ) -> None:
        self._platform = dict(platform)
        self._merchant = merchant_public

    def sign(self, text: bytes, serial: str) -> bytes:
        """Return the platform's signature of *text* with the key called *serial*."""
        return self._platform[serial].sign(text, PKCS1v15(), SHA256())

    def is_signed(self, text: bytes, signature: bytes) -> bool:
        """Return whether *signature* over *text* is the merchant's."""
        try:
            self._merchant.verify(signature, text, PKCS1v15(), SHA256())
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformCertificate:
    """One platform certificate as ``GET /v3/certificates`` hands it out."""

    serial: str
    """As Wechatpay-Serial names it, upper-case hex."""
    begins_ns: int
    """Unix time in ns."""
    ends_ns: int
    pem: bytes = field(repr=False)


def request_text(request: HttpRequest, timestamp: str, nonce: str) -> bytes:
    """Return the text a request's signature covers."""
    head = f"{request.method}\n{request.target}\n{timestamp}\n{nonce}\n"
    return head.encode("utf-8", "replace") + request.body + b"\n"


def answer_text(timestamp: str, nonce: str, body: bytes) -> bytes:
    """Return the text an answer's signature covers."""
    return f"{timestamp}\n{nonce}\n".encode("ascii") + body + b"\n"


def check_request(
    request: HttpRequest, *, config: WechatConfig, keys: WechatKeys, wall_ns: int
) -> No | None:
    """Return why the request is not believed, or None where it is the merchant's."""
    if not request.header("accept") or not request.header("user-agent"):
        return refused("PARAM_ERROR", "Http头缺少Accept或User-Agent")
    scheme, _, rest = request.header("authorization").partition(" ")
    if scheme != SCHEME:
        return refused("SIGN_ERROR", "Http头Authorization值格式错误")
    said = _pairs(rest)
    if said is None:
        return refused("SIGN_ERROR", "Http头Authorization值格式错误")
    if _SECONDS.fullmatch(said["timestamp"]) is None:
        return _late()
    if abs(int(said["timestamp"]) * NS_PER_S - wall_ns) > config.timestamp_skew_ms * NS_PER_MS:
        return _late()
    if said["mchid"] != config.merchant_id:
        return refused("SIGN_ERROR", "商户号与签名的商户号不一致")
    if said["serial_no"].upper() != config.merchant_serial.upper():
        return refused("SIGN_ERROR", "商户证书序列号有误")
    try:
        signature = base64.b64decode(said["signature"], validate=True)
    except ValueError:
        signature = b""
    text = request_text(request, said["timestamp"], said["nonce_str"])
    return None if keys.is_signed(text, signature) else refused("SIGN_ERROR")


def body_fields(body: bytes) -> Fields | None:
    """Return the members of a JSON object, figures kept as figures; None where it is none."""
    try:
        value = json.loads(body.decode("utf-8"))
        # Half a surrogate pair is legal JSON and no text.
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def query_fields(query: bytes) -> Fields | None:
    """Return the parameters of an address, percent-decoded; None where one stands twice."""
    found: Fields = {}
    for pair in query.decode("ascii", "replace").split("&"):
        name, _, value = pair.partition("=")
        if name and found.setdefault(unquote(name), unquote(value)) != unquote(value):
            return None
    return found


def nonce_of(rng: Randomness, length: int = NONCE_LENGTH) -> str:
    """Return a nonce of hex digits."""
    return f"{rng.randrange(16**length):0{length}x}"


def encrypted(certificate: PlatformCertificate, key: bytes, rng: Randomness) -> Fields:
    """Return one member of the certificates' list, the certificate under the APIv3 key.

    Args:   key: 32 bytes.
    """
    nonce = nonce_of(rng, GCM_NONCE_LENGTH)
    sealed = AESGCM(key).encrypt(nonce.encode("ascii"), certificate.pem, GCM_ABOUT.encode("ascii"))
    return {
        "effective_time": rfc3339(certificate.begins_ns),
        "encrypt_certificate": {
            "algorithm": "AEAD_AES_256_GCM",
            "associated_data": GCM_ABOUT,
            "ciphertext": base64.b64encode(sealed).decode("ascii"),
            "nonce": nonce,
        },
        "expire_time": rfc3339(certificate.ends_ns),
        "serial_no": certificate.serial,
    }


def _late() -> No:
    return refused("SIGN_ERROR", "Http头Authorization中的timestamp与发起请求的时间不得超过5分钟")


def _pairs(text: str) -> dict[str, str] | None:
    """Return the members of an Authorization header, or None where one is missing or wrong."""
    found: dict[str, str] = {}
    for part in text.split(","):
        pair = _PAIR.fullmatch(part)
        if pair is None or pair.group(1) in found:
            return None
        found[pair.group(1)] = pair.group(2)
    if set(found) != set(_LIMITS):
        return None
    fits = all(0 < len(found[name]) <= limit for name, limit in _LIMITS.items())
    return found if fits else None
