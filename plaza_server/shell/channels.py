"""A payment platform as this process uses it: its client, and the certificates it depends on.

Made from one part of the plaza file. Every key and certificate is loaded and tried here, so a wrong
one is told at start or by ``check-config`` with its file's name, not by the first car.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from plaza_server.config import AlipayPart, PlatformPart, UnionpayPart
from plaza_server.platforms.alipay.certificates import CertificateBook, load_certificate_mode
from plaza_server.platforms.alipay.codec import AlipayCodec, AlipayConfig
from plaza_server.platforms.alipay.codec_bills import AlipayBillCalls
from plaza_server.platforms.alipay.codec_certificates import build_download, read_download
from plaza_server.platforms.bills import BillCalls
from plaza_server.platforms.calls import HttpAnswer, HttpCall, Signer
from plaza_server.platforms.certificates import (
    Expiry,
    chain_check,
    expiry_of,
    load_certificates,
    load_own_certificate,
)
from plaza_server.platforms.client import ClientLimits, HttpPlatformClient
from plaza_server.platforms.keys import refuse_own_key, rsa_check, rsa_signer
from plaza_server.platforms.unionpay.codec import NO_NOTIFY_URL, UnionpayCodec, UnionpayConfig
from plaza_server.platforms.unionpay.codec_bills import UnionpayBillCalls
from plaza_server.rules.outcomes import Evidence
from plaza_server.rules.policies import policy_of
from plaza_server.shell.platform_watch import Keeper
from tolling.clock import NS_PER_MS


class CertificateFetcher(Protocol):
    """Fetches certificates of a platform that its answers have named. Off every payment's path."""

    def tell(self, on_wanted: Callable[[], None]) -> None:
        """Call *on_wanted* whenever there is something to fetch."""

    def next_call(self, *, now_ms: int) -> HttpCall | None:
        """Return the call that fetches the next one; None: there is none to fetch."""

    def take(self, answer: HttpAnswer | Evidence) -> str:
        """Take the last call's answer and return what came of it, for the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One platform, ready to be started."""

    client: HttpPlatformClient
    expiries: Callable[[], tuple[Expiry, ...]] = field(default=lambda: ())
    """The certificates it depends on, as they are now."""
    fetcher: CertificateFetcher | None = None
    keeper: Keeper | None = None
    """Fetches what its answers are verified with, where none of our files holds it."""
    bills: BillCalls | None = None
    """Asks for its daily bills; None: a person brings them as files."""


def system_wall_ms() -> int:
    """Return UTC milliseconds: a certificate's time is looked at with the same clock as ours."""
    return time.time_ns() // NS_PER_MS


def limits_of(part: PlatformPart, platform: str) -> ClientLimits:
    """Return how long a platform's calls may take."""
    return ClientLimits(
        connect_ms=part.connect_ms,
        pay_ms=part.pay_ms,
        other_ms=part.other_ms,
        hedge_query_ms=policy_of(platform).hedge_query_ms,
    )


def alipay_channel(part: AlipayPart, home: Path) -> Channel:
    """Return Alipay in key mode or certificate mode. Raises: BadInputError."""
    sign = rsa_signer(home / part.app_private_key)
    files = part.certificates
    if files is None:
        assert part.alipay_public_key is not None
        verify = rsa_check(home / part.alipay_public_key)
        refuse_own_key(sign, verify, where=str(home / part.alipay_public_key))
        codec = AlipayCodec(_account(part), sign=sign, verify=verify)
        bills = AlipayBillCalls(_account(part), sign=sign, verify=verify, account=part.seller_id)
        return Channel(client=HttpPlatformClient(codec, limits_of(part, codec.name)), bills=bills)
    ours, theirs, roots = (home / each for each in files)
    mode = load_certificate_mode(
        app_cert=ours,
        alipay_cert=theirs,
        alipay_root_cert=roots,
        sign=sign,
        wall_ms=system_wall_ms,
    )
    account = _account(part, app_cert_sn=mode.app_cert_sn, alipay_root_cert_sn=mode.root_cert_sn)
    codec = AlipayCodec(account, sign=sign, verify=mode.book.keys)
    keys = mode.book.keys
    return Channel(
        client=HttpPlatformClient(codec, limits_of(part, codec.name)),
        bills=AlipayBillCalls(account, sign=sign, verify=keys, account=part.seller_id),
        expiries=lambda: (mode.own, mode.book.expiry()),
        fetcher=AlipayFetcher(account, sign=sign, book=mode.book),
    )


def _account(
    part: AlipayPart, *, app_cert_sn: str = "", alipay_root_cert_sn: str = ""
) -> AlipayConfig:
    return AlipayConfig(
        gateway_url=part.gateway_url,
        app_id=part.app_id,
        store_id=part.store_id,
        timeout_minutes=part.timeout_minutes,
        app_cert_sn=app_cert_sn,
        alipay_root_cert_sn=alipay_root_cert_sn,
    )


class AlipayFetcher:
    """Fetches what Alipay's certificate book wants, one certificate per call."""

    def __init__(self, account: AlipayConfig, *, sign: Signer, book: CertificateBook) -> None:
        self._account = account
        self._sign = sign
        self._book = book
        self._asked = ""

    def tell(self, on_wanted: Callable[[], None]) -> None:
        """Call *on_wanted* whenever an answer named a certificate we do not hold."""
        self._book.tell(on_wanted)

    def next_call(self, *, now_ms: int) -> HttpCall | None:
        """Return the download of the first wanted certificate."""
        if not self._book.wanted:
            return None
        self._asked = self._book.wanted[0]
        return build_download(self._account, self._asked, now_ms=now_ms, sign=self._sign)

    def take(self, answer: HttpAnswer | Evidence) -> str:
        """Hold the certificate where it can be believed. Either way its SN is wanted no more: the
        next answer that names it wants it again, so a lie does not become a loop."""
        assert self._asked, "no download was asked for"
        serial, self._asked = self._asked, ""
        found: bytes | Evidence = Evidence.TIMEOUT
        if isinstance(answer, Evidence):
            found = answer
        else:
            found = read_download(answer, serial, judge=self._book.judge, known=self._book.keys)
        held = isinstance(found, bytes) and self._book.add(found, serial)
        self._book.forget(serial)
        return f"{serial} held" if held else f"{serial} refused: {found!s:.40}"


def unionpay_channel(part: UnionpayPart, home: Path) -> Channel:
    """Return UnionPay, profile unverified. Raises: BadInputError."""
    sign = rsa_signer(home / part.sign_private_key)
    ours = load_own_certificate(home / part.sign_certificate, sign)
    middle, root = home / part.middle_certificate, home / part.root_certificate
    verify = chain_check(
        root=root, middle=middle, owner=part.platform_owner, wall_ms=system_wall_ms
    )
    account = UnionpayConfig(
        gateway_url=part.gateway_url,
        query_url=part.query_url or part.gateway_url,
        merchant_id=part.merchant_id,
        certificate_id=str(ours.serial_number),
        notify_url=part.notify_url or NO_NOTIFY_URL,
    )
    codec = UnionpayCodec(account, sign=sign, verify=verify)
    bills = None
    if part.file_url:
        bills = UnionpayBillCalls(account, file_url=part.file_url, sign=sign, verify=verify)
    ends = (
        expiry_of(ours, name="sign_certificate"),
        expiry_of(load_certificates(middle)[0], name="middle_certificate"),
        expiry_of(load_certificates(root)[0], name="root_certificate"),
    )
    client = HttpPlatformClient(codec, limits_of(part, codec.name))
    return Channel(client=client, expiries=lambda: ends, bills=bills)
