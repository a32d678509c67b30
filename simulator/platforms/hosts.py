"""The three platforms ready to be served: model, HTTP face, and what a merchant needs to know.

The names in the facts follow the plaza file's own, with ``_file`` behind those of files.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from aiohttp import web

from simulator.models.alipay import GATEWAY_PATH, AlipayModel
from simulator.models.alipay_values import AlipayConfig
from simulator.models.unionpay import BACK_PATH, FILE_PATH, QUERY_PATH, UnionpayModel
from simulator.models.unionpay_values import UnionpayConfig
from simulator.models.wallets import PhoneFace
from simulator.models.wechat import WechatModel
from simulator.models.wechat_values import WechatConfig
from simulator.platforms.alipay_http import AlipayHttp
from simulator.platforms.clock import Clock
from simulator.platforms.keys import make_or_load_certificates, make_or_load_keys
from simulator.platforms.unionpay_http import UnionpayHttp
from simulator.platforms.unionpay_keys import OWNER, make_or_load_unionpay_keys
from simulator.platforms.wechat_http import WechatHttp
from simulator.platforms.wechat_keys import make_or_load_wechat_keys

Facts = dict[str, object]
AlipayMode = Literal["key", "certificates"]
WechatMode = Literal["certificates", "public_key"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """How platforms are set up."""

    keys_dir: Path
    """Alipay's key files stand in it, the others' in a folder each."""
    clock: Clock
    latency_ms: int = 600
    jitter_ms: int = 0
    seed: int | str | None = None
    """Of codes and chance; None: any."""
    alipay_mode: AlipayMode = "key"
    wechat_mode: WechatMode = "certificates"

    def dice(self, platform: str) -> random.Random:
        """Return a platform's own source of chance."""
        return random.Random(None if self.seed is None else f"{self.seed}/{platform}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosted:
    """One platform that can be served."""

    name: str
    application: web.Application
    opened: Callable[[str], Facts]
    """Called once with ``http://address:port``; returns what a merchant needs to know."""
    second: web.Application | None = None
    """The same model at another address, where the platform has two sites."""


def host_alipay(setup: Setup) -> tuple[AlipayModel, Hosted]:
    """Return the simulated Alipay. Raises: KeyFilesError."""
    files, keys = make_or_load_keys(setup.keys_dir)
    config = AlipayConfig(
        wall_base_ns=setup.clock.wall_base_ns(),
        latency_ms=setup.latency_ms,
        latency_jitter_ms=setup.jitter_ms,
    )
    known: Facts = {
        "app_id": config.app_id,
        "seller_id": config.seller_id,
        "app_private_key_file": _full(files.app_private),
        "alipay_public_key_file": _full(files.alipay_public),
    }
    certificates = None
    if setup.alipay_mode == "certificates":
        more, certificates = make_or_load_certificates(setup.keys_dir / "alipay", files)
        known |= {
            "app_cert_file": _full(more.app_cert),
            "alipay_cert_file": _full(more.alipay_cert),
            "alipay_root_cert_file": _full(more.alipay_root),
        }
    model = AlipayModel(
        config=config, keys=keys, rng=setup.dice("alipay"), certificates=certificates
    )

    def opened(base_url: str) -> Facts:
        model.serve_bills_at(base_url)
        return {"platform": "alipay", "url": base_url + GATEWAY_PATH, **known, **_control(base_url)}

    app = AlipayHttp(model=model, clock=setup.clock).application()
    return model, Hosted(name="alipay", application=app, opened=opened)


def host_wechat(setup: Setup) -> tuple[WechatModel, Hosted]:
    """Return the simulated WeChat Pay. Raises: KeyFilesError."""
    made = make_or_load_wechat_keys(setup.keys_dir / "wechat")
    config = WechatConfig(
        merchant_serial=made.merchant_serial,
        platform_serial=made.platform_serial,
        next_serial=made.next_serial,
        signs_with_public_key=setup.wechat_mode == "public_key",
        wall_base_ns=setup.clock.wall_base_ns(),
        latency_ms=setup.latency_ms,
        latency_jitter_ms=setup.jitter_ms,
    )
    model = WechatModel(
        config=config,
        keys=made.keys,
        rng=setup.dice("wechat"),
        certificates=made.certificates,
        api_v3_key=made.api_v3_key,
    )

    def opened(base_url: str) -> Facts:
        model.serve_bills_at(base_url)
        return {
            "platform": "wechat",
            "base_url": base_url,
            "mchid": config.merchant_id,
            "appid": config.app_id,
            "merchant_serial": config.merchant_serial,
            "merchant_private_key_file": _full(made.files.merchant_private),
            "apiv3_key_file": _full(made.files.api_v3_key),
            "mode": setup.wechat_mode,
            "wechatpay_public_key_id": config.public_key_id,
            "wechatpay_public_key_file": _full(made.files.public_key),
            **_control(base_url),
        }

    app, second = (WechatHttp(model=model, clock=setup.clock).application() for _ in range(2))
    return model, Hosted(name="wechat", application=app, opened=opened, second=second)


def host_unionpay(setup: Setup) -> tuple[UnionpayModel, Hosted]:
    """Return the simulated UnionPay. Raises: KeyFilesError."""
    made = make_or_load_unionpay_keys(setup.keys_dir / "unionpay")
    config = UnionpayConfig(
        merchant_certificate_id=made.merchant_certificate_id,
        wall_base_ns=setup.clock.wall_base_ns(),
        latency_ms=setup.latency_ms,
        latency_jitter_ms=setup.jitter_ms,
    )
    model = UnionpayModel(config=config, keys=made.keys, rng=setup.dice("unionpay"))

    def opened(base_url: str) -> Facts:
        return {
            "platform": "unionpay",
            "gateway_url": base_url + BACK_PATH,
            "query_url": base_url + QUERY_PATH,
            "file_url": base_url + FILE_PATH,
            "merchant_id": config.merchant_id,
            "sign_private_key_file": _full(made.files.merchant_private),
            "sign_certificate_file": _full(made.files.merchant_certificate),
            "middle_certificate_file": _full(made.files.middle),
            "root_certificate_file": _full(made.files.root),
            "platform_owner": OWNER,
            **_control(base_url),
        }

    app = UnionpayHttp(model=model, clock=setup.clock).application()
    return model, Hosted(name="unionpay", application=app, opened=opened)


HOSTS: Mapping[str, Callable[[Setup], tuple[PhoneFace, Hosted]]] = {
    "alipay": host_alipay,
    "wechat": host_wechat,
    "unionpay": host_unionpay,
}
"""Every platform there is, by its name in the plaza's file."""


def _full(path: Path) -> str:
    return str(path.resolve())


def _control(base_url: str) -> Facts:
    return {"control_url": f"{base_url}/_sim"}
