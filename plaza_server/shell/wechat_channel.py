"""WeChat Pay as this process uses it: its client, and what keeps its certificates."""

from __future__ import annotations

import secrets
from pathlib import Path

from plaza_server.config import WechatPart
from plaza_server.platforms.certificates import Expiry
from plaza_server.platforms.client import Addresses, HttpPlatformClient
from plaza_server.platforms.keys import refuse_own_key, rsa_check, rsa_signer
from plaza_server.platforms.wechat.certificates import CertificateBook
from plaza_server.platforms.wechat.codec import Pen, WechatCodec, WechatConfig
from plaza_server.platforms.wechat.codec_bills import WechatBillCalls
from plaza_server.platforms.wechat.envelope import SerialCheck
from plaza_server.platforms.wechat.sealing import load_apiv3_key, unsealer
from plaza_server.shell.channels import Channel, limits_of, system_wall_ms
from plaza_server.shell.clock import SystemClock
from plaza_server.shell.wechat_certificates import CertificateKeeper

NONCE_BYTES = 16
"""The platform's own examples have 32 characters."""


def wechat_channel(part: WechatPart, home: Path, *, plaza_id: str) -> Channel:
    """Return WeChat Pay in certificate mode or public-key mode. Raises: BadInputError."""
    pen = Pen(
        sign=rsa_signer(home / part.merchant_private_key),
        serial=part.merchant_serial.upper(),
        nonce=_nonce,
    )
    if part.mode == "public_key":
        return _with_public_key(part, home, pen, plaza_id)
    account = _account(part, plaza_id)
    unseal = unsealer(load_apiv3_key(None if part.apiv3_key is None else home / part.apiv3_key))
    book = CertificateBook(wall_ms=system_wall_ms)
    codec = _codec(account, pen, book.verify)
    client = HttpPlatformClient(
        codec,
        limits_of(part, codec.name),
        ready=lambda: book.ready,
        addresses=_addresses(part),
    )
    keeper = CertificateKeeper(
        client=client, book=book, config=account, pen=pen, unseal=unseal, clock=SystemClock()
    )

    def expiries() -> tuple[Expiry, ...]:
        ends_ms = book.ends_ms
        if ends_ms is None:
            return ()
        return (Expiry(name="wechat.apiv3_key certificates", not_after_ms=ends_ms),)

    bills = WechatBillCalls(account, pen, verify=book.verify)
    return Channel(client=client, expiries=expiries, keeper=keeper, bills=bills)


def _with_public_key(part: WechatPart, home: Path, pen: Pen, plaza_id: str) -> Channel:
    assert part.wechatpay_public_key is not None
    path, key_id = home / part.wechatpay_public_key, part.wechatpay_public_key_id
    check = rsa_check(path)
    refuse_own_key(pen.sign, check, where=str(path))

    def verify(serial: str, signature: bytes, message: bytes) -> bool:
        return serial == key_id and check(signature, message)

    account = _account(part, plaza_id, answer_key=key_id)
    codec = _codec(account, pen, verify)
    bills = WechatBillCalls(account, pen, verify=verify)
    client = HttpPlatformClient(codec, limits_of(part, codec.name), addresses=_addresses(part))
    return Channel(client=client, bills=bills)


def _addresses(part: WechatPart) -> Addresses | None:
    if not part.second_url:
        return None
    return Addresses(first=part.base_url, second=part.second_url)


def _account(part: WechatPart, plaza_id: str, *, answer_key: str = "") -> WechatConfig:
    return WechatConfig(
        base_url=part.base_url,
        mchid=part.mchid,
        appid=part.appid,
        device_ip=part.device_ip,
        store_id=part.store_id,
        out_store_id=plaza_id,
        answer_key=answer_key,
    )


def _codec(account: WechatConfig, pen: Pen, verify: SerialCheck) -> WechatCodec:
    return WechatCodec(account, sign=pen.sign, serial=pen.serial, verify=verify, nonce=pen.nonce)


def _nonce() -> str:
    return secrets.token_hex(NONCE_BYTES).upper()
