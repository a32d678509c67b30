"""What a plaza's files hold: keys, secrets, staff, broker and platforms, loaded and tried."""

from __future__ import annotations

import os
from pathlib import Path

from plaza_server.config import AlipayPart, MqttPart, PlazaConfig
from plaza_server.platforms.alipay.codec import AlipayCodec, AlipayConfig
from plaza_server.platforms.client import ClientLimits, HttpPlatformClient
from plaza_server.platforms.keys import refuse_own_key, rsa_check, rsa_signer
from plaza_server.platforms.ports import PlatformClient
from plaza_server.shell.signing import CODE_KEY_BYTES, SigningKey, load_secret, load_signing_key
from plaza_server.shell.staff import StaffBook
from plaza_server.shell.telemetry import Broker
from tolling.brokers import broker_address
from tolling.errors import BadInputError

MIN_ADMIN_TOKEN = 16
"""Characters; `init` makes 43."""


class Parts:
    """Everything a plaza needs from its files, loaded and tried. Raises BadInputError on the first
    wrong one."""

    def __init__(self, config: PlazaConfig, home: Path) -> None:
        self.config = config
        self.home = home
        self.key: SigningKey = load_signing_key(home / config.keys.signing_key)
        self.code_key = load_secret(home / config.keys.code_hash_key, min_bytes=CODE_KEY_BYTES)
        self.admin_token = _admin_token(home / config.keys.admin_token)
        self.staff = StaffBook(home / config.staff.file)
        self.staff.members()
        self.broker = None if config.mqtt is None else _broker(config.mqtt, home)
        self.clients: dict[str, PlatformClient] = {}
        if config.platforms.alipay is not None:
            self.clients["alipay"] = _alipay(config.platforms.alipay, home)

    def write_public_file(self) -> None:
        """Write what a lane is given: the public half of the signing key."""
        path = self.home / self.config.keys.public_file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.key.public_file_text(), encoding="ascii")


def _admin_token(path: Path) -> str:
    token = os.environ.get("PLAZA_ADMIN_TOKEN", "")
    where = "environment PLAZA_ADMIN_TOKEN"
    if not token:
        where = str(path)
        try:
            token = path.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            raise BadInputError(
                where=where, what="cannot be read", do="Make it with: plaza-server init"
            ) from None
    if len(token) < MIN_ADMIN_TOKEN:
        raise BadInputError(where=where, what=f"shorter than {MIN_ADMIN_TOKEN} characters")
    return token


def _broker(part: MqttPart, home: Path) -> Broker:
    path = home / part.password_file
    try:
        password = path.read_text(encoding="utf-8").partition("\n")[0]
    except (OSError, UnicodeDecodeError):
        raise BadInputError(where=f"[mqtt] password_file {path}", what="cannot be read") from None
    address = broker_address(part.url, where="[mqtt] url")
    return Broker(address=address, user=part.user, password=password)


def _alipay(part: AlipayPart, home: Path) -> PlatformClient:
    sign = rsa_signer(home / part.app_private_key)
    verify = rsa_check(home / part.alipay_public_key)
    refuse_own_key(sign, verify, where=str(home / part.alipay_public_key))
    codec = AlipayCodec(
        AlipayConfig(
            gateway_url=part.gateway_url,
            app_id=part.app_id,
            store_id=part.store_id,
            timeout_minutes=part.timeout_minutes,
        ),
        sign=sign,
        verify=verify,
    )
    return HttpPlatformClient(codec, _limits(part))


def _limits(part: AlipayPart) -> ClientLimits:
    return ClientLimits(connect_ms=part.connect_ms, pay_ms=part.pay_ms, other_ms=part.other_ms)
