"""The wallets on drivers' phones: which platform takes whose codes, and how a phone shows one."""

from __future__ import annotations

from typing import Protocol

from simulator.models.platform_values import BuyerBehaviour, Charge, IssuedCode
from simulator.models.unionpay import UnionpayModel
from tolling.paycodes import Wallet

PLATFORM_OF = {
    Wallet.ALIPAY: "alipay",
    Wallet.WECHAT: "wechat",
    Wallet.UNIONPAY: "unionpay",
    Wallet.EMVCO: "unionpay",
}
"""Which platform takes which wallet's codes."""
ALL_WALLETS = tuple(PLATFORM_OF)


class PhoneFace(Protocol):
    """A simulated platform as the phones of its buyers know it."""

    def issue_code(
        self,
        buyer_id: str,
        now_ns: int,
        behaviour: BuyerBehaviour = ...,
        *,
        after_ms: int = ...,
        ttl_ms: int | None = ...,
    ) -> IssuedCode:
        """Show a fresh single-use pay code on the phone of *buyer_id*."""

    def charges_of(self, buyer_id: str, now_ns: int) -> tuple[Charge, ...]:
        """Return what the buyer's phone remembers of having paid."""


def issue_code(
    platform: PhoneFace,
    wallet: Wallet,
    buyer: str,
    now_ns: int,
    behaviour: BuyerBehaviour,
    *,
    after_ms: int,
    ttl_ms: int | None = None,
) -> IssuedCode:
    """Show a fresh pay code of *wallet* on a buyer's phone."""
    if isinstance(platform, UnionpayModel):
        emvco = wallet is Wallet.EMVCO
        return platform.issue_code(
            buyer, now_ns, behaviour, after_ms=after_ms, ttl_ms=ttl_ms, emvco=emvco
        )
    return platform.issue_code(buyer, now_ns, behaviour, after_ms=after_ms, ttl_ms=ttl_ms)
