"""The plaza's file: TOML, checked whole before anything starts. Errors name the file and the
key."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tolling.errors import BadInputError
from tolling.paycodes import Wallet
from tolling.wire import bad_input

SQLITE_FILE = "sqlite:///"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class PlazaPart(_Part):
    """[plaza]"""

    id: Annotated[str, Field(pattern=r"^[0-9]{6}$")]
    """Six digits."""
    name: Annotated[str, Field(min_length=1, max_length=32)]
    """Shown to drivers on their phones."""
    simulation: bool = False
    """No real money moves here: pages say so on every screen."""


class StorePart(_Part):
    """[store]"""

    url: Annotated[str, Field(pattern=r"^(sqlite:///.+|postgresql\+psycopg://.+)$")]
    """``sqlite:///plaza.db`` (beside this file) or ``postgresql+psycopg://...``."""


class HttpPart(_Part):
    """[http]"""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """0 takes a free port; ``run`` prints the address."""


class KeysPart(_Part):
    """[keys] Files made by ``plaza-server init``."""

    signing_key: Path = Path("keys/plaza_ed25519.pem")
    public_file: Path = Path("keys/plaza_public.json")
    """Written at start: what a lane is given."""
    code_hash_key: Path = Path("keys/code_hash.key")
    admin_token: Path = Path("keys/admin.token")
    """The environment's PLAZA_ADMIN_TOKEN goes before it."""


class StaffPart(_Part):
    """[staff]"""

    file: Path = Path("staff.json")


class AlipayPart(_Part):
    """[platforms.alipay]"""

    gateway_url: Annotated[str, Field(pattern=r"^https?://[^\s]+$")]
    app_id: Annotated[str, Field(pattern=r"^[0-9A-Za-z]{1,32}$")]
    app_private_key: Path
    """PEM, ours."""
    alipay_public_key: Path
    """PEM, the platform's; not our own."""
    store_id: Annotated[str, Field(max_length=32)] = ""
    timeout_minutes: Annotated[int, Field(ge=1, le=15)] = 2
    connect_ms: Annotated[int, Field(ge=50, le=10_000)] = 500
    pay_ms: Annotated[int, Field(ge=100, le=30_000)] = 2500
    other_ms: Annotated[int, Field(ge=100, le=30_000)] = 5000


class PlatformsPart(_Part):
    """[platforms]"""

    alipay: AlipayPart | None = None

    def enabled(self) -> tuple[tuple[Wallet, str], ...]:
        """Return (wallet, platform name) of what is configured."""
        return ((Wallet.ALIPAY, "alipay"),) if self.alipay is not None else ()


class MqttPart(_Part):
    """[mqtt] The broker between lanes, plaza and pages; any that speaks MQTT 3.1.1."""

    url: Annotated[str, Field(max_length=256)]
    """``mqtt://host:port`` or ``mqtts://host:port``."""
    user: Annotated[str, Field(min_length=1, max_length=64)] = "plaza"
    """The only one who may publish commands."""
    password_file: Path
    """Its first line."""


class LogPart(_Part):
    """[log]"""

    level: Literal["debug", "info", "warning", "error"] = "info"


class PlazaConfig(_Part):
    """The whole file. Relative paths are beside it."""

    plaza: PlazaPart
    store: StorePart
    http: HttpPart = HttpPart()
    keys: KeysPart = KeysPart()
    staff: StaffPart = StaffPart()
    platforms: PlatformsPart = PlatformsPart()
    mqtt: MqttPart | None = None
    """None: no live states, and no commands to lanes."""
    log: LogPart = LogPart()

    def store_url(self, home: Path) -> str:
        """Return the store's URL with a SQLite file's path made absolute."""
        if not self.store.url.startswith(SQLITE_FILE):
            return self.store.url
        return f"{SQLITE_FILE}{(home / self.store.url.removeprefix(SQLITE_FILE)).resolve()}"


def load_config(path: Path) -> PlazaConfig:
    """Return the checked content of a plaza file.

    Raises: BadInputError: no such file, no TOML, or a wrong key; names file and key, not the value.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise BadInputError(where=str(path), what=error.strerror or "cannot be read") from None
    except UnicodeDecodeError:
        raise BadInputError(where=str(path), what="not UTF-8 text") from None
    try:
        fields = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInputError(where=str(path), what=f"no TOML: {error}") from None
    try:
        return PlazaConfig.model_validate(fields)
    except ValidationError as error:
        raise bad_input(error, where=str(path)) from None
