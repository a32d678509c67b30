"""What a plaza's files hold: keys, secrets, staff, broker and platforms, loaded and tried."""

from __future__ import annotations

import os
from pathlib import Path

from plaza_server.config import MqttPart, PlazaConfig
from plaza_server.platforms.ports import PlatformClient
from plaza_server.shell.channels import Channel, alipay_channel, unionpay_channel
from plaza_server.shell.signing import CODE_KEY_BYTES, SigningKey, load_secret, load_signing_key
from plaza_server.shell.staff import StaffBook
from plaza_server.shell.telemetry import Broker
from plaza_server.shell.wechat_channel import wechat_channel
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
        self.channels: dict[str, Channel] = {}
        if config.platforms.alipay is not None:
            self.channels["alipay"] = alipay_channel(config.platforms.alipay, home)
        if config.platforms.wechat is not None:
            plaza_id = config.plaza.id
            self.channels["wechat"] = wechat_channel(
                config.platforms.wechat, home, plaza_id=plaza_id
            )
        if config.platforms.unionpay is not None:
            self.channels["unionpay"] = unionpay_channel(config.platforms.unionpay, home)
        self.clients: dict[str, PlatformClient] = {
            name: channel.client for name, channel in self.channels.items()
        }

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
