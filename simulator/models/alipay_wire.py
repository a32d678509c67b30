"""The gateway's bytes: parameters in, signature checked; answer out, signed over its raw text.

A request's parameters may stand in the query string, in the form body, or in both (one official kit
puts the system parameters in the address and only biz_content in the body), so both are merged.
Signed text: all parameters but ``sign``, empty values dropped, sorted by name, ``k=v`` joined with
``&``, values as they were before URL-encoding, in the request's charset; ``sign_type`` is part of
it. An answer is ``{"<method>_response":{...},"sign":"..."}``; the signature covers the exact text
of the inner object. Until a request's signature is verified, refusals are an ``error_response``
without a sign.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import unquote_to_bytes

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from simulator.models.alipay_values import NS_PER_MS, AlipayConfig, beijing_ns
from simulator.models.platform_wire import Fields

MSGS = {
    "10000": "Success",
    "10003": "order success pay inprocess",
    "20000": "Service Currently Unavailable",
    "40001": "Missing Required Arguments",
    "40002": "Invalid Arguments",
    "40004": "Business Failed",
    "40006": "Insufficient Permissions",
}
_CHARSETS = {"utf-8": "utf-8", "gbk": "gbk", "gb2312": "gb2312"}
_LIMITS = {"app_id": 32, "method": 128, "format": 40, "charset": 10, "sign_type": 10, "version": 3}
"""Longest value of the common parameters, in characters."""
MAX_PARAMETERS = 64
"""More pairs than the interface has names is garbage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A gateway's no to a request that never reached the books."""

    code: str
    sub_code: str
    sub_msg: str
    signed: bool = False
    """Whether the request was known to be the merchant's when it was refused."""

    def fields(self) -> Fields:
        """Return the node of the answer."""
        return {
            "code": self.code,
            "msg": MSGS[self.code],
            "sub_code": self.sub_code,
            "sub_msg": self.sub_msg,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayRequest:
    """A request whose signature was verified."""

    method: str
    charset: str
    """Python codec of the request, used for the answer too."""
    biz: Fields
    """biz_content parsed; figures are kept as the text they were written in."""


def merge_parameters(query: bytes, body: bytes) -> dict[str, bytes] | Refusal:
    """Return the parameters of address and body, percent-decoded, as bytes in the request's
    charset."""
    merged: dict[str, bytes] = {}
    pairs = [pair for part in (query, body) for pair in part.split(b"&") if pair]
    if len(pairs) > MAX_PARAMETERS:
        return Refusal(code="40002", sub_code="isv.invalid-parameter", sub_msg="参数过多")
    for pair in pairs:
        raw_name, _, raw_value = pair.partition(b"=")
        name = unquote_to_bytes(raw_name.replace(b"+", b" ")).decode("ascii", "replace")
        value = unquote_to_bytes(raw_value.replace(b"+", b" "))
        if merged.setdefault(name, value) != value:
            text = "同一参数出现两个不同的值"
            return Refusal(code="40002", sub_code="isv.invalid-parameter", sub_msg=text)
    return merged


def signing_bytes(parameters: dict[str, bytes]) -> bytes:
    """Return the text a request's signature covers, in the request's charset."""
    signed = [
        name.encode("ascii", "replace") + b"=" + value
        for name, value in sorted(parameters.items())
        if name != "sign" and value
    ]
    return b"&".join(signed)


class GatewayKeys(Protocol):
    """Who signs answers and judges requests. RSA2 on a wire; a run in virtual time may pass in
    less."""

    def sign(self, text: bytes) -> bytes:
        """Return the platform's signature of *text*."""
        ...

    def is_signed(self, text: bytes, signature: bytes) -> bool:
        """Return whether *signature* over *text* is the merchant application's."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AlipayCertificates:
    """What certificate mode adds to the keys. SNs are 32 hex digits, the MD5 of a certificate's
    issuer and serial number as text."""

    app_sn: str
    """Of the merchant application's certificate; every request names it."""
    root_sn: str
    """Of the platform's roots, joined with ``_``; every request names them."""
    platform_sn: str
    """Of the certificate that signs answers."""
    platform_pem: bytes
    next_sn: str
    """Of the one KEY_CHANGED signs with; the merchant has to fetch it."""
    next_pem: bytes
    next_keys: GatewayKeys

    def pem_of(self, serial: str) -> bytes | None:
        """Return the certificate of an SN, or None where it is none of the platform's."""
        return {self.platform_sn: self.platform_pem, self.next_sn: self.next_pem}.get(serial)


class Rsa2Keys:
    """RSASSA-PKCS1-v1_5 with SHA-256: the platform's private key and the application's public
    one."""

    def __init__(self, *, platform_private: RSAPrivateKey, app_public: RSAPublicKey) -> None:
        self._private = platform_private
        self._public = app_public

    def sign(self, text: bytes) -> bytes:
        """Return the platform's signature of *text*."""
        return self._private.sign(text, PKCS1v15(), SHA256())

    def is_signed(self, text: bytes, signature: bytes) -> bool:
        """Return whether *signature* over *text* is the merchant application's."""
        try:
            self._public.verify(signature, text, PKCS1v15(), SHA256())
        except InvalidSignature:
            return False
        return True


def signature_of(keys: GatewayKeys, text: bytes) -> str:
    """Return the signature of *text* as it stands in an answer: base64 without line breaks."""
    return base64.b64encode(keys.sign(text)).decode("ascii")


def check_request(
    parameters: dict[str, bytes],
    *,
    config: AlipayConfig,
    keys: GatewayKeys,
    wall_ns: int,
    certificates: AlipayCertificates | None = None,
) -> GatewayRequest | Refusal:
    """Return the verified request, or why the gateway refuses it."""
    text = {
        name: value.decode("ascii", "replace")
        for name, value in parameters.items()
        if name != "biz_content"
    }
    refusal = _identity(text, config)
    if refusal is None and certificates is not None:
        refusal = _certificates(text, certificates)
    if refusal is None:
        refusal = _signature(text, parameters, keys)
    if refusal is None:
        refusal = _commons(text, config, wall_ns)
    if refusal is not None:
        return refusal
    charset = _CHARSETS[text["charset"].lower()]
    biz = _biz(parameters.get("biz_content", b""), charset)
    if isinstance(biz, Refusal):
        return biz
    return GatewayRequest(method=text["method"], charset=charset, biz=biz)


def node_name(method: str) -> str:
    """Return the name of the answer's node for *method*."""
    return method.replace(".", "_") + "_response"


def answer_bytes(
    name: str, node: str, sign: str | None, *, charset: str, cert_sn: str = "", tail: str = ""
) -> bytes:
    """Return the whole body: node, the certificate's SN where there is one, then sign (left out
    where None), then *tail*."""
    parts = [f'"{name}":{node}']
    if cert_sn:
        parts.append(f'"alipay_cert_sn":"{cert_sn}"')
    if sign is not None:
        parts.append(f'"sign":"{sign}"')
    return ("{" + ",".join(parts) + tail + "}").encode(charset, "replace")


def _identity(text: dict[str, str], config: AlipayConfig) -> Refusal | None:
    for name, limit in _LIMITS.items():
        if len(text.get(name, "")) > limit:
            what = f"{name}超长"
            return Refusal(code="40002", sub_code="isv.invalid-parameter", sub_msg=what)
    if not text.get("app_id"):
        return Refusal(code="40001", sub_code="isv.missing-app-id", sub_msg="缺少appId参数")
    if text["app_id"] != config.app_id:
        return Refusal(code="40002", sub_code="isv.invalid-app-id", sub_msg="无效的AppID参数")
    if not text.get("method"):
        return Refusal(code="40001", sub_code="isv.missing-method", sub_msg="缺少方法名参数")
    return None


def _certificates(text: dict[str, str], wanted: AlipayCertificates) -> Refusal | None:
    """Return the refusal of a request that names other certificates (sub codes remembered)."""
    for name, serial in (
        ("app_cert_sn", wanted.app_sn),
        ("alipay_root_cert_sn", wanted.root_sn),
    ):
        dashed = name.replace("_", "-")
        if not text.get(name):
            code, why = f"isv.missing-{dashed}", "缺少证书序列号参数"
            return Refusal(code="40001", sub_code=code, sub_msg=why)
        if text[name] != serial:
            code, why = f"isv.invalid-{dashed}", "无效的证书序列号"
            return Refusal(code="40002", sub_code=code, sub_msg=why)
    return None


def _signature(
    text: dict[str, str], parameters: dict[str, bytes], keys: GatewayKeys
) -> Refusal | None:
    if not text.get("sign_type"):
        code, why = "isv.missing-signature-type", "缺少签名类型参数"
        return Refusal(code="40001", sub_code=code, sub_msg=why)
    if text["sign_type"] != "RSA2":
        code, why = "isv.invalid-signature-type", "无效的签名类型"
        return Refusal(code="40002", sub_code=code, sub_msg=why)
    if not text.get("sign"):
        return Refusal(code="40001", sub_code="isv.missing-signature", sub_msg="缺少签名参数")
    if text.get("charset", "").lower() not in _CHARSETS:
        return Refusal(code="40002", sub_code="isv.invalid-charset", sub_msg="字符集错误")
    try:
        signature = base64.b64decode(text["sign"], validate=True)
    except ValueError:
        signature = b""
    if not keys.is_signed(signing_bytes(parameters), signature):
        return Refusal(code="40002", sub_code="isv.invalid-signature", sub_msg="验签出错")
    return None


def _commons(text: dict[str, str], config: AlipayConfig, wall_ns: int) -> Refusal | None:
    if not text.get("timestamp"):
        code, why = "isv.missing-timestamp", "缺少时间戳参数"
        return Refusal(code="40001", sub_code=code, sub_msg=why, signed=True)
    stamped_ns = beijing_ns(text["timestamp"])
    skew_ns = config.timestamp_skew_ms * NS_PER_MS
    if stamped_ns is None or abs(stamped_ns - wall_ns) > skew_ns:
        code, why = "isv.invalid-timestamp", "非法的时间戳参数"
        return Refusal(code="40002", sub_code=code, sub_msg=why, signed=True)
    if not text.get("version"):
        code, why = "isv.missing-version", "缺少版本参数"
        return Refusal(code="40001", sub_code=code, sub_msg=why, signed=True)
    if text["version"] != "1.0":
        # The sub code for a wrong version is remembered, not read.
        code, why = "isv.invalid-parameter", "无效的版本参数"
        return Refusal(code="40002", sub_code=code, sub_msg=why, signed=True)
    if (text.get("format") or "JSON").upper() != "JSON":
        code, why = "isv.invalid-format", "无效的数据格式"
        return Refusal(code="40002", sub_code=code, sub_msg=why, signed=True)
    return None


def _biz(raw: bytes, charset: str) -> Fields | Refusal:
    try:
        # Official samples write amounts as JSON figures; kept as text they lose no digit.
        value = json.loads(raw.decode(charset), parse_float=str, parse_int=str)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        why = "biz_content不是JSON对象"
        return Refusal(code="40002", sub_code="isv.invalid-parameter", sub_msg=why, signed=True)
    return value
