"""Words of the simulated Alipay: trade states and the merchant's set-up.

What all platforms share is re-exported from ``simulator.models.platform_values``: on this wire
amounts are yuan texts and instants are Beijing time.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from simulator.models.platform_values import (
    BEIJING,
    BuyerBehaviour,
    CallView,
    Charge,
    IssuedCode,
    Randomness,
    RefundView,
    TradeView,
    beijing_ns,
    beijing_text,
    end_of_beijing_day_ns,
    fen_of,
    yuan_of,
)
from simulator.models.platform_wire import NS_PER_MS, NS_PER_S

__all__ = [
    "BEIJING",
    "MAX_AMOUNT_FEN",
    "MIN_AMOUNT_FEN",
    "NS_PER_MS",
    "NS_PER_S",
    "AlipayConfig",
    "BuyerBehaviour",
    "CallView",
    "Charge",
    "IssuedCode",
    "Randomness",
    "RefundView",
    "TradeState",
    "TradeView",
    "beijing_ns",
    "beijing_text",
    "end_of_beijing_day_ns",
    "fen_of",
    "yuan_of",
]

MIN_AMOUNT_FEN = 1
"""0.01 yuan, the smallest trade."""
MAX_AMOUNT_FEN = 10_000_000_000
"""100,000,000 yuan, the largest trade (remembered, not read)."""


class TradeState(StrEnum):
    """trade_status as query says it."""

    WAIT_BUYER_PAY = "WAIT_BUYER_PAY"
    """Created, the buyer has not confirmed."""
    TRADE_SUCCESS = "TRADE_SUCCESS"
    """Paid; stays so through partial refunds."""
    TRADE_FINISHED = "TRADE_FINISHED"
    """Paid and too old to be refunded."""
    TRADE_CLOSED = "TRADE_CLOSED"
    """Timed out unpaid, cancelled, or wholly refunded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlipayConfig:
    """How this platform and its one merchant are set up."""

    app_id: str = "2021000000000001"
    """The merchant's application, 16 digits."""
    seller_id: str = "2088000000000001"
    """The merchant's account (pid), 16 digits."""
    wall_base_ns: int = 1_795_305_600 * NS_PER_S
    """Unix time in ns at now_ns = 0, so that Beijing times on the wire are decided by the
    caller."""
    latency_ms: int = 600
    """From request read to answer written, 0..; a driver's phone answers in about this time."""
    latency_jitter_ms: int = 0
    """Uniform extra latency 0..jitter from the random source handed in."""
    code_ttl_ms: int = 60_000
    """Phones show a fresh code about every 60 s (remembered, not read)."""
    unpaid_close_ms: int = 180_000
    """A trade without timeout_express closes unpaid after 3 minutes (the platform's global
    pages)."""
    finish_after_ms: int = 90 * 86_400_000
    """A paid trade turns TRADE_FINISHED after about three months (remembered, not read)."""
    timestamp_skew_ms: int = 900_000
    """A request stamped further off than this is isv.invalid-timestamp. The real window was not
    found; 15 minutes tells a wrong time zone from a slow clock."""
    cancel_closes_unknown: bool = True
    """Cancelling a number the platform never saw uses the number up, as a number is single-use for
    good also after a cancel. False is the harsher reading: nothing is remembered, a late pay still
    charges."""
    fee_permyriad: int = 38
    """Fee on captures in hundredths of a percent; it appears in bills only."""
    bill_ready_ms: int = 10 * 3_600_000
    """A day's bill is there this long after the day has ended in Beijing."""
    bill_url_ms: int = 30_000
    """A bill's address dies after 30 s."""
    bill_host: str = "https://dwbillcenter.alipay.com"
    """What a bill's address begins with; a server on a wire puts its own address there."""

    def __post_init__(self) -> None:
        assert self.latency_ms >= 0, "latency below zero"
        assert self.latency_jitter_ms >= 0, "jitter below zero"
        assert self.code_ttl_ms > 0, "a code lives for some time"
        assert self.unpaid_close_ms > 0, "a trade lives for some time"
