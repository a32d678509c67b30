"""The plaza's file: TOML, checked whole before anything starts. Errors name the file and the
key."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from plaza_server.rules.claims import TWO_PERSON_ABOVE_FEN
from tolling.errors import BadInputError
from tolling.paycodes import Wallet
from tolling.receipts import URL_MAX
from tolling.wire import bad_input

SQLITE_FILE = "sqlite:///"
_BILL_MARKS = frozenset(',`"\t\r\n')
"""Separate, or quote, fields of a bill."""


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
    payee: Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{1,32}$")] | None = None
    """Whose tolls are taken here, as revenue accounts and settlements name it; left out: the
    plaza's id."""


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


class PlatformPart(_Part):
    """What every ``[platforms.<name>]`` has."""

    enabled: bool = True
    """False: takes no new payments; what is open is still asked about, cancelled and refunded."""
    fee_rate_bp: Annotated[int, Field(ge=0, le=1000)] = 38
    """What the platform keeps of each payment, in hundredths of a percent, as contracted; the bill
    is compared with it."""
    connect_ms: Annotated[int, Field(ge=50, le=10_000)] = 500
    pay_ms: Annotated[int, Field(ge=100, le=30_000)] = 2500
    other_ms: Annotated[int, Field(ge=100, le=30_000)] = 5000


class AlipayPart(PlatformPart):
    """[platforms.alipay] Key mode (alipay_public_key) or certificate mode (the three others)."""

    gateway_url: Annotated[str, Field(pattern=r"^https?://[^\s]+$")]
    app_id: Annotated[str, Field(pattern=r"^[0-9A-Za-z]{1,32}$")]
    app_private_key: Path
    """PEM, ours."""
    alipay_public_key: Path | None = None
    """PEM, the platform's; not our own."""
    app_cert: Path | None = None
    """PEM, ours: of app_private_key."""
    alipay_cert: Path | None = None
    """PEM, the platform's; a newer one is fetched when answers name it."""
    alipay_root_cert: Path | None = None
    """PEM, several in one file: what the platform's certificates are traced to."""
    store_id: Annotated[str, Field(max_length=32)] = ""
    seller_id: Annotated[str, Field(pattern=r"^([0-9]{16})?$")] = ""
    """16 digits: whose bills are taken; left out: any account's."""
    timeout_minutes: Annotated[int, Field(ge=1, le=15)] = 2

    @property
    def certificates(self) -> tuple[Path, Path, Path] | None:
        """Our certificate, the platform's and its roots; None in key mode."""
        found = (self.app_cert, self.alipay_cert, self.alipay_root_cert)
        ours, theirs, roots = found
        if ours is None or theirs is None or roots is None:
            return None
        return ours, theirs, roots

    @model_validator(mode="after")
    def _one_mode(self) -> Self:
        named = [self.app_cert, self.alipay_cert, self.alipay_root_cert].count(None)
        key_mode = self.alipay_public_key is not None and named == 3
        certificate_mode = self.alipay_public_key is None and named == 0
        assert key_mode or certificate_mode, (
            "give alipay_public_key, or app_cert with alipay_cert and alipay_root_cert"
        )
        return self


class WechatPart(PlatformPart):
    """[platforms.wechat] Certificate mode (apiv3_key) or public-key mode (wechatpay_public_key)."""

    base_url: Annotated[str, Field(pattern=r"^https?://[^/\s]+$")] = "https://api.mch.weixin.qq.com"
    """Scheme and host, no path."""
    second_url: Annotated[str, Field(pattern=r"^(https?://[^/\s]+)?$")] = ""
    """The platform's other site (``https://api2.mch.weixin.qq.com``): a query that is silent is
    asked once more there. Empty: at the same."""
    mchid: Annotated[str, Field(pattern=r"^[0-9]{1,32}$")]
    appid: Annotated[str, Field(pattern=r"^[0-9A-Za-z]{1,32}$")]
    merchant_serial: Annotated[str, Field(pattern=r"^[0-9A-Fa-f]{16,40}$")]
    """Of our merchant certificate, hex, as the merchant's page shows it."""
    merchant_private_key: Path
    """PEM, ours (``apiclient_key.pem``)."""
    mode: Literal["certificates", "public_key"] = "public_key"
    """How the platform signs for this account; accounts since 2024 have a public key."""
    apiv3_key: Path | None = None
    """First line: 32 characters. Opens the platform's certificates. The environment's
    WECHAT_APIV3_KEY goes before it."""
    wechatpay_public_key: Path | None = None
    """PEM, the platform's (``pub_key.pem``)."""
    wechatpay_public_key_id: Annotated[str, Field(pattern=r"^(PUB_KEY_ID_[0-9A-Za-z]{1,50})?$")] = (
        ""
    )
    device_ip: Annotated[str, Field(pattern=r"^[0-9A-Fa-f.:]{2,45}$")] = "127.0.0.1"
    """The plaza's address, as the platform's risk control wants it."""
    store_id: Annotated[str, Field(max_length=32)] = ""
    """The platform's number of the store."""

    @model_validator(mode="after")
    def _what_the_mode_needs(self) -> Self:
        given = self.wechatpay_public_key is not None and self.wechatpay_public_key_id != ""
        assert self.mode == "certificates" or given, (
            "mode public_key needs wechatpay_public_key and wechatpay_public_key_id"
        )
        return self


class UnionpayPart(PlatformPart):
    """[platforms.unionpay] Takes UnionPay's and EMVCo's consumer-presented codes."""

    profile: Literal["unverified"] = "unverified"
    """Built from public demo programs; nobody here has seen a live answer."""
    accept_unverified: bool = False
    """True: somebody has tried it with the acquirer. Needed where real money moves."""
    gateway_url: Annotated[str, Field(pattern=r"^https?://[^\s]+$")]
    query_url: Annotated[str, Field(pattern=r"^(https?://[^\s]+)?$")] = ""
    """Empty: the gateway's own."""
    merchant_id: Annotated[str, Field(pattern=r"^[0-9A-Za-z]{15}$")]
    sign_private_key: Path
    """PEM, ours (``openssl pkcs12 -in sign.pfx -nodes -nocerts``)."""
    sign_certificate: Path
    """PEM, ours (``openssl pkcs12 -in sign.pfx -nokeys -clcerts``)."""
    middle_certificate: Path
    """PEM, the platform's: issues the certificates its answers come with."""
    root_certificate: Path
    """PEM, the platform's."""
    platform_owner: Annotated[str, Field(min_length=1, max_length=64)] = "中国银联股份有限公司"
    """The company in those certificates' common name; the platform's test system has another."""
    file_url: Annotated[str, Field(pattern=r"^(https?://[^\s]+)?$")] = ""
    """Where settlement files are asked for; empty: a person brings them."""
    notify_url: Annotated[str, Field(pattern=r"^(https?://[^\s]{1,248})?$")] = ""
    """Empty: no notices. Queries tell everything."""


class PlatformsPart(_Part):
    """[platforms]"""

    alipay: AlipayPart | None = None
    wechat: WechatPart | None = None
    unionpay: UnionpayPart | None = None

    def configured(self) -> tuple[tuple[str, tuple[Wallet, ...], PlatformPart], ...]:
        """Return the routing table: (platform name, whose codes it takes, its part), also of what
        is not enabled."""
        table: tuple[tuple[str, tuple[Wallet, ...], PlatformPart | None], ...] = (
            ("alipay", (Wallet.ALIPAY,), self.alipay),
            ("wechat", (Wallet.WECHAT,), self.wechat),
            ("unionpay", (Wallet.UNIONPAY, Wallet.EMVCO), self.unionpay),
        )
        return tuple((name, wallets, part) for name, wallets, part in table if part is not None)

    def enabled(self) -> tuple[tuple[Wallet, str], ...]:
        """Return (wallet, platform name) of what takes new payments; of two for one wallet the
        first in the table."""
        taken: dict[Wallet, str] = {}
        for name, wallets, part in self.configured():
            for wallet in wallets if part.enabled else ():
                taken.setdefault(wallet, name)
        return tuple(taken.items())


class MqttPart(_Part):
    """[mqtt] The broker between lanes, plaza and pages; any that speaks MQTT 3.1.1."""

    url: Annotated[str, Field(max_length=256)]
    """``mqtt://host:port`` or ``mqtts://host:port``."""
    user: Annotated[str, Field(min_length=1, max_length=64)] = "plaza"
    """The only one who may publish commands."""
    password_file: Path
    """Its first line."""


class ReceiptsPart(_Part):
    """[receipts]"""

    public_url: Annotated[str, Field(pattern=r"^https?://[^\s?#]+$", max_length=URL_MAX)] = ""
    """Where drivers' phones reach this plaza, as QRs say it; left out: the address they ask."""


class RefundsPart(_Part):
    """[refunds]"""

    two_person_above_fen: Annotated[int, Field(ge=0, le=100_000_000)] = TWO_PERSON_ABOVE_FEN
    """A passage whose claims sum to more needs another person to approve than who asked."""


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
    receipts: ReceiptsPart = ReceiptsPart()
    refunds: RefundsPart = RefundsPart()
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
        checked = PlazaConfig.model_validate(fields)
    except ValidationError as error:
        raise bad_input(error, where=str(path)) from None
    _refuse_name(checked, path)
    _refuse_untried(checked, path)
    return checked


def _refuse_name(config: PlazaConfig, path: Path) -> None:
    """Refuse a name that platforms' bills could not hold: it is in every payment's description.

    Their bills are rows of fields between commas. Whether a comma inside a field is quoted, and
    how, none of their documents we have read says.
    """
    found = next((each for each in config.plaza.name if each in _BILL_MARKS), None)
    if found is None:
        return
    raise BadInputError(
        where=f"{path}: plaza.name",
        what=f"holds {found!r}, which separates fields in platforms' bills",
        do="Write it without; the Chinese comma is no trouble",
    )


def _refuse_untried(config: PlazaConfig, path: Path) -> None:
    part = config.platforms.unionpay
    if part is None or part.accept_unverified or config.plaza.simulation:
        return
    raise BadInputError(
        where=f"{path}: platforms.unionpay",
        what=f"its profile is {part.profile}: made from public programs, never tried on real money",
        do="Try it with your acquirer first, then set accept_unverified = true",
    )
