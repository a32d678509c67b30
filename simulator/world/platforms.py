"""The payment platforms of a world: each one's model, and the production codec for it."""

from __future__ import annotations

from dataclasses import dataclass

from plaza_server.platforms.alipay.codec import AlipayCodec
from plaza_server.platforms.alipay.codec import AlipayConfig as AlipayAccount
from plaza_server.platforms.ports import PlatformCodec
from simulator.models.alipay import GATEWAY_PATH, AlipayModel
from simulator.models.alipay_values import AlipayConfig
from simulator.world.clock import WALL_BASE_NS
from simulator.world.keys import WorldGatewayKeys, merchant_sign, platform_signed
from simulator.world.streams import Streams
from tolling.paycodes import Wallet

ROUTES = ((Wallet.ALIPAY, "alipay"),)
"""Which platform of a world takes which wallet's codes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """How long a platform thinks about a pay. Milliseconds."""

    latency_ms: int
    jitter_ms: int


def alipay_model(streams: Streams, latency: Latency) -> AlipayModel:
    """Return the simulated Alipay of a world."""
    return AlipayModel(
        config=AlipayConfig(
            wall_base_ns=WALL_BASE_NS,
            latency_ms=latency.latency_ms,
            latency_jitter_ms=latency.jitter_ms,
        ),
        keys=WorldGatewayKeys(),
        rng=streams.of("alipay"),
    )


def alipay_codec(model: AlipayModel) -> PlatformCodec:
    """Return the production codec, with the account the model knows."""
    account = AlipayAccount(
        gateway_url=f"https://alipay.world{GATEWAY_PATH}", app_id=model.config.app_id
    )
    return AlipayCodec(account, sign=merchant_sign, verify=platform_signed)
