"""What the codecs of all platforms share: one built HTTP call, its answer, and what it is about.

A platform is one folder with a ``codec.py`` (pure: request bytes, answer bytes -> outcome). One
client (``platforms/client.py``) carries the calls of all of them over the network.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Protocol

from tolling.ids import LaneId, OutRefundNo, OutTradeNo
from tolling.paycodes import Wallet

Signer = Callable[[bytes], bytes]
"""Message -> signature bytes by our own private key."""

SignatureCheck = Callable[[bytes, bytes], bool]
"""(signature, message) -> whether the platform made it. Never raises."""


class PlatformOrder(Protocol):
    """What of an order goes into a platform call. ``plaza_server.rules.orders.Order`` is one."""

    @property
    def out_trade_no(self) -> OutTradeNo:
        """Our number of the order."""

    @property
    def wallet(self) -> Wallet | None:
        """Whose code pays it; a platform may take several wallets."""

    @property
    def txn_time(self) -> str:
        """yyyyMMddHHmmss in Beijing, fixed before any call: with the number, UnionPay's key of an
        order."""

    @property
    def lane_id(self) -> LaneId:
        """Where it is paid."""

    @property
    def toll_fen(self) -> int:
        """What pay asks, 1 and up."""

    @property
    def subject(self) -> str:
        """What the payer is shown, at most 128 characters."""

    @property
    def captured_fen(self) -> int:
        """What the platform took for it; 0 before it is known."""

    @property
    def provider_txn_id(self) -> str | None:
        """The platform's own number of it, once known."""

    @property
    def out_refund_no(self) -> OutRefundNo | None:
        """Our number of its refund, once there is one."""

    @property
    def refund_txn_time(self) -> str:
        """yyyyMMddHHmmss in Beijing, fixed before the refund's first call and the same in all of
        them: with its number, UnionPay's key of a refund."""

    @property
    def refund_fen(self) -> int:
        """What a refund gives back, 1 and up once there is one."""


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_ANSWER_BYTES = 64 * 1024
"""Far above any answer to a call; what is longer is not read to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpCall:
    """One request, ready to be sent. Its body may hold a pay code, so it never shows itself."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """One whole answer as it came."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)

    def header(self, name: str) -> str:
        """Return the first header of that name in any case; empty where there is none."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), "")


@functools.lru_cache(maxsize=64)
def _date_ms(text: str) -> int | None:
    """Return a Date header as UTC milliseconds; it changes once a second, answers come faster."""
    try:
        said = parsedate_to_datetime(text)
        if said.tzinfo is None:
            return None
        return (said - _EPOCH) // timedelta(milliseconds=1)
    except (ValueError, OverflowError):
        return None


def skew_of(answer: HttpAnswer, *, now_ms: int) -> int | None:
    """Return the platform's clock minus ours by the Date header, 1 s coarse; None without one."""
    said_ms = _date_ms(answer.header("Date"))
    # The header drops the part under a second, half a second on average.
    return None if said_ms is None else said_ms + 500 - now_ms
