"""The payment platforms of a world: each one's model, and the production codec for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol

from plaza_server.platforms.alipay.codec import AlipayCodec
from plaza_server.platforms.alipay.codec import AlipayConfig as AlipayAccount
from plaza_server.platforms.alipay.codec_bills import AlipayBillCalls
from plaza_server.platforms.bills import BillCalls
from plaza_server.platforms.ports import PlatformCodec
from plaza_server.platforms.unionpay.codec import UnionpayCodec
from plaza_server.platforms.unionpay.codec import UnionpayConfig as UnionpayAccount
from plaza_server.platforms.unionpay.codec_bills import UnionpayBillCalls
from plaza_server.platforms.wechat.codec import Pen, WechatCodec
from plaza_server.platforms.wechat.codec import WechatConfig as WechatAccount
from plaza_server.platforms.wechat.codec_bills import WechatBillCalls
from simulator.models.alipay import GATEWAY_PATH, AlipayModel
from simulator.models.alipay_values import AlipayConfig
from simulator.models.faults import Fault
from simulator.models.platform_values import TradeView
from simulator.models.platform_wire import HttpRequest, Reply
from simulator.models.unionpay import BACK_PATH, FILE_PATH, QUERY_PATH, UnionpayModel
from simulator.models.unionpay_values import UnionpayConfig
from simulator.models.wallets import ALL_WALLETS, PLATFORM_OF, PhoneFace, issue_code
from simulator.models.wechat import WechatModel
from simulator.models.wechat_values import WechatConfig
from simulator.world.clock import WALL_BASE_NS
from simulator.world.keys import (
    WorldGatewayKeys,
    WorldUnionpayKeys,
    WorldWechatKeys,
    merchant_sign,
    platform_signed,
    unionpay_signed,
    wechat_signed,
)
from simulator.world.streams import Streams
from tolling.paycodes import Wallet

__all__ = [
    "ALL_WALLETS",
    "PLATFORM_OF",
    "Latency",
    "PlatformPair",
    "WorldPlatform",
    "build_platforms",
    "issue_code",
    "routes_of",
]

NONCE_BITS = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """How long a platform thinks about a pay, in milliseconds, and what time it has."""

    latency_ms: int
    jitter_ms: int
    wall_base_ns: int = WALL_BASE_NS
    """UTC nanoseconds at world time 0."""


class WorldPlatform(PhoneFace, Protocol):
    """A simulated platform as a world uses it: by its bytes, its wallets and its books."""

    def handle(self, request: HttpRequest, now_ns: int) -> Reply:
        """Take one HTTP request and return what happens to its connection."""

    def books(self, now_ns: int) -> tuple[TradeView, ...]:
        """Return every trade as the books stand at *now_ns*."""

    def inject(self, fault: Fault, now_ns: int) -> int:
        """Arm *fault* and return its number."""

    def clear_fault(self, fault_id: int | None = None) -> bool:
        """Disarm one fault, or all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformPair:
    """One platform and how the plaza speaks to it."""

    model: WorldPlatform
    new_codec: Callable[[Random], PlatformCodec]
    """Dice for nonces -> the codec of one plaza process."""
    new_bill_calls: Callable[[Random], BillCalls]
    """Dice for nonces -> how the plaza asks for its bills."""


def build_platforms(
    wallets: Sequence[Wallet], streams: Streams, latency: Latency
) -> dict[str, PlatformPair]:
    """Return the platforms that take these wallets, by name."""
    names = dict.fromkeys(PLATFORM_OF[wallet] for wallet in wallets)
    return {name: _BUILDERS[name](streams, latency) for name in names}


def routes_of(names: Sequence[str]) -> tuple[tuple[Wallet, str], ...]:
    """Return which of these platforms takes which wallet's codes, as the plaza's file would."""
    return tuple((wallet, name) for wallet, name in PLATFORM_OF.items() if name in names)


def _alipay(streams: Streams, latency: Latency) -> PlatformPair:
    config = AlipayConfig(
        wall_base_ns=latency.wall_base_ns,
        latency_ms=latency.latency_ms,
        latency_jitter_ms=latency.jitter_ms,
    )
    model = AlipayModel(config=config, keys=WorldGatewayKeys(), rng=streams.of("alipay"))
    account = AlipayAccount(gateway_url=f"https://alipay.world{GATEWAY_PATH}", app_id=config.app_id)

    def new_codec(dice: Random) -> PlatformCodec:
        return AlipayCodec(account, sign=merchant_sign, verify=platform_signed)

    def new_bill_calls(dice: Random) -> BillCalls:
        del dice
        seller = config.seller_id
        return AlipayBillCalls(account, sign=merchant_sign, verify=platform_signed, account=seller)

    return PlatformPair(model=model, new_codec=new_codec, new_bill_calls=new_bill_calls)


def _wechat(streams: Streams, latency: Latency) -> PlatformPair:
    config = WechatConfig(
        wall_base_ns=latency.wall_base_ns,
        latency_ms=latency.latency_ms,
        latency_jitter_ms=latency.jitter_ms,
    )
    model = WechatModel(config=config, keys=WorldWechatKeys(), rng=streams.of("wechat"))
    account = WechatAccount(
        base_url="https://wechat.world", mchid=config.merchant_id, appid=config.app_id
    )

    def verify(serial: str, signature: bytes, text: bytes) -> bool:
        return serial == config.platform_serial and wechat_signed(serial, signature, text)

    def nonces(dice: Random) -> Callable[[], str]:
        return lambda: f"{dice.getrandbits(NONCE_BITS):032x}"

    def new_codec(dice: Random) -> PlatformCodec:
        return WechatCodec(
            account,
            sign=merchant_sign,
            serial=config.merchant_serial,
            verify=verify,
            nonce=nonces(dice),
        )

    def new_bill_calls(dice: Random) -> BillCalls:
        pen = Pen(sign=merchant_sign, serial=config.merchant_serial, nonce=nonces(dice))
        return WechatBillCalls(account, pen, verify=verify)

    return PlatformPair(model=model, new_codec=new_codec, new_bill_calls=new_bill_calls)


def _unionpay(streams: Streams, latency: Latency) -> PlatformPair:
    config = UnionpayConfig(
        wall_base_ns=latency.wall_base_ns,
        latency_ms=latency.latency_ms,
        latency_jitter_ms=latency.jitter_ms,
    )
    model = UnionpayModel(config=config, keys=WorldUnionpayKeys(), rng=streams.of("unionpay"))
    account = UnionpayAccount(
        gateway_url=f"https://unionpay.world{BACK_PATH}",
        query_url=f"https://unionpay.world{QUERY_PATH}",
        merchant_id=config.merchant_id,
        certificate_id=config.merchant_certificate_id,
    )

    def new_codec(dice: Random) -> PlatformCodec:
        return UnionpayCodec(account, sign=merchant_sign, verify=unionpay_signed)

    def new_bill_calls(dice: Random) -> BillCalls:
        del dice
        file_url = f"https://unionpay.world{FILE_PATH}"
        return UnionpayBillCalls(
            account, file_url=file_url, sign=merchant_sign, verify=unionpay_signed
        )

    return PlatformPair(model=model, new_codec=new_codec, new_bill_calls=new_bill_calls)


_BUILDERS: dict[str, Callable[[Streams, Latency], PlatformPair]] = {
    "alipay": _alipay,
    "wechat": _wechat,
    "unionpay": _unionpay,
}
