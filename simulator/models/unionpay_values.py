"""Words of the simulated UnionPay gateway: answer codes, states, the merchant's set-up.

UNVERIFIED where marked: the answer codes' texts and what pay answers at once are remembered or read
in public copies of demo programs, never seen on a live wire.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from simulator.models.platform_values import beijing_moment
from simulator.models.platform_wire import NS_PER_S

MAX_AMOUNT_FEN = 999_999_999_999
"""12 digits of fen."""


class UnionpayState(StrEnum):
    """Where a payment stands."""

    PENDING = "pending"
    """Accepted; the issuer or the payer is not done: origRespCode 05."""
    PAID = "paid"
    """origRespCode 00."""
    FAILED = "failed"
    """Refused, given up by the payer, or run out; origRespCode says why."""
    REVERSED = "reversed"
    """Taken back whole, or stopped before it was paid; origRespCode 46."""


class Code(StrEnum):
    """respCode and origRespCode: what became of a request, of the asked-for transaction."""

    OK = "00"
    """Of pay, reversal and refund: accepted, no more. Of a query: answered."""
    FAILED = "01"
    """Failed without a cause."""
    NO_ANSWER = "03"
    """No answer from behind the gateway in time."""
    LATER = "05"
    """Accepted; ask later."""
    BUSY = "06"
    """The system is busy."""
    BAD_TEXT = "10"
    """The request's format is wrong."""
    BAD_SIGNATURE = "11"
    """The request's signature is wrong."""
    REPEATED = "12"
    """The number is known already."""
    MISSING = "13"
    """A field is missing."""
    MERCHANT = "31"
    """The merchant is not known or not open."""
    NOT_FOUND = "34"
    """No such transaction."""
    NO_ORIGINAL = "35"
    """The original is not there, or in a state that does not allow it."""
    NOT_FITTING = "36"
    """Does not fit the original."""
    RISK = "38"
    """Refused by risk control."""
    REVERSED = "46"
    """The original has been reversed."""
    BALANCE = "64"
    """Not enough money."""
    CODE_STATE = "86"
    """The code was used already."""
    CODE_UNKNOWN = "88"
    """There is no such code."""
    CODE_EXPIRED = "89"
    """The code has run out."""
    NO_FILE = "98"
    """There is no such file."""


TEXTS: dict[str, str] = {
    Code.OK: "成功[0000000]",
    Code.FAILED: "交易失败。详情请咨询95516",
    Code.NO_ANSWER: "交易通讯超时，请发起查询交易",
    Code.LATER: "交易已受理，请稍后查询交易结果",
    Code.BUSY: "系统繁忙，请稍后再试",
    Code.BAD_TEXT: "报文格式错误",
    Code.BAD_SIGNATURE: "验证签名失败",
    Code.REPEATED: "重复交易",
    Code.MISSING: "报文交易要素缺失",
    Code.MERCHANT: "商户状态不正确",
    Code.NOT_FOUND: "查无此交易",
    Code.NO_ORIGINAL: "原交易不存在或状态不正确",
    Code.NOT_FITTING: "与原交易信息不符",
    Code.RISK: "风险受限",
    Code.REVERSED: "原交易已被成功冲正",
    Code.BALANCE: "卡上的余额不足",
    Code.CODE_STATE: "二维码状态错误",
    Code.CODE_UNKNOWN: "二维码不存在",
    Code.CODE_EXPIRED: "二维码已失效",
    Code.NO_FILE: "文件不存在",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class UnionpayConfig:
    """How this gateway and its one merchant are set up."""

    merchant_id: str = "777290058110097"
    """15 characters."""
    merchant_certificate_id: str = "68759663125"
    """Serial number of the merchant's signing certificate, decimal; every request names it."""
    acquirer_id: str = "01042900"
    """In bills only."""
    wall_base_ns: int = 1_795_305_600 * NS_PER_S
    """Unix time in ns at now_ns = 0."""
    latency_ms: int = 600
    latency_jitter_ms: int = 0
    code_ttl_ms: int = 60_000
    """Phones show a fresh code about every 60 s (remembered, not read)."""
    pays_after_ms: int = 400
    """A payment without a password is decided this long after it was accepted (unverified)."""
    unpaid_close_ms: int = 180_000
    """A payment nobody confirms fails after this long (unverified)."""
    refund_takes_ms: int = 2_000
    """A refund is decided this long after it was accepted (unverified)."""
    fee_permyriad: int = 38
    """Fee on captures in hundredths of a percent; it appears in bills only."""
    bill_ready_ms: int = 10 * 3_600_000
    """A settlement day's file is there this long after the day's last midnight (unverified)."""
    bill_lists_reversed: bool = True
    """Whether a payment that was taken and reversed stands in the file, with a line of type 31 that
    takes it back; False: neither of the two is there (unverified either way)."""

    def __post_init__(self) -> None:
        assert len(self.merchant_id) == 15, "a merchant id has 15 characters"
        assert self.latency_ms >= 0, "latency below zero"
        assert self.latency_jitter_ms >= 0, "jitter below zero"


CUT_HOUR = 23
"""A settlement day runs from 23:00 to 23:00 in Beijing (remembered, not read)."""


def settle_day(wall_ns: int) -> str:
    """Return the settlement day of an instant as ``yyyyMMdd``."""
    return beijing_moment(wall_ns + (24 - CUT_HOUR) * 3_600 * NS_PER_S).strftime("%Y%m%d")
