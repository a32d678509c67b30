"""Words of the simulated WeChat Pay: trade states, the merchant's set-up, times on the wire."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from simulator.models.platform_values import beijing_moment
from simulator.models.platform_wire import NS_PER_S, Fields

MIN_AMOUNT_FEN = 1
MAX_AMOUNT_FEN = 10_000_000_000
"""100,000,000 yuan (remembered, not read)."""


class WechatState(StrEnum):
    """trade_state as query says it."""

    USERPAYING = "USERPAYING"
    """A password dialog is open on the phone; code payments only."""
    SUCCESS = "SUCCESS"
    """Paid, nothing given back."""
    REFUND = "REFUND"
    """Paid, and all or part of it given back."""
    REVOKED = "REVOKED"
    """Reversed by the merchant, or by the platform when it stayed unpaid; code payments only."""
    PAYERROR = "PAYERROR"
    """The buyer closed the dialog, or had no money; final only after a reverse."""


STATE_TEXTS = {
    WechatState.USERPAYING: "需要用户输入支付密码",
    WechatState.SUCCESS: "支付成功",
    WechatState.REFUND: "订单发生过退款，退款详情请查询退款单",
    WechatState.REVOKED: "订单已撤销",
    WechatState.PAYERROR: "支付失败，请撤销订单",
}


class WaitingAnswer(StrEnum):
    """How pay says that the buyer must enter a password; sources differ, a merchant takes all."""

    STATE = "state"
    """HTTP 200 with trade_state USERPAYING."""
    ACCEPTED = "accepted"
    """HTTP 202 with code USERPAYING, as the global interface has it."""
    REFUSED = "refused"
    """HTTP 400 with code USERPAYING, as the older interface's error code suggests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WechatConfig:
    """How this platform and its one merchant are set up."""

    app_id: str = "wxd678efh567hg6787"
    merchant_id: str = "1900000109"
    merchant_serial: str = "5157F09EFDC096DE15EBE81A47057A7232F1B8E1"
    """Serial of the merchant's API certificate, 40 hex digits; every request names it."""
    platform_serial: str = "7132D72A03E93CDDF8C03BBD1F37EEDF00000001"
    """Serial of the platform certificate that signs answers, as Wechatpay-Serial says it."""
    next_serial: str = "7132D72A03E93CDDF8C03BBD1F37EEDF00000002"
    """Serial of the certificate KEY_CHANGED signs with."""
    public_key_id: str = "PUB_KEY_ID_0119000001092026112200000001"
    """Id of the platform's public key, the newer way of signing."""
    signs_with_public_key: bool = False
    """Which of the two signs answers by default; a request may ask for one by Wechatpay-Serial."""
    wall_base_ns: int = 1_795_305_600 * NS_PER_S
    """Unix time in ns at now_ns = 0."""
    latency_ms: int = 600
    latency_jitter_ms: int = 0
    code_ttl_ms: int = 60_000
    """Phones show a fresh code about every 60 s (remembered, not read)."""
    unpaid_revoke_ms: int = 45_000
    """An unpaid code order is revoked by itself 45 s after its creation."""
    no_reverse_ms: int = 15_000
    """A reverse is refused this long after the pay call."""
    reverse_within_ms: int = 7 * 86_400_000
    """A paid order cannot be reversed later than this."""
    refund_within_ms: int = 365 * 86_400_000
    """A paid order cannot be refunded later than this (remembered, not read)."""
    refund_takes_ms: int = 5_000
    """A refund is PROCESSING this long before it is SUCCESS."""
    password_over_fen: int = 100_000
    """More than 1,000 yuan always needs a password."""
    password_ms: int = 8_000
    """How long a willing buyer types it."""
    timestamp_skew_ms: int = 300_000
    """A request stamped further off than five minutes is 401 SIGN_ERROR."""
    waiting_answer: WaitingAnswer = WaitingAnswer.STATE
    reverse_closes_unknown: bool = False
    """Whether reversing a number the platform never saw uses it up. False is the field's story: the
    reverse says yes, nothing is remembered, and a late pay still charges."""
    fee_permyriad: int = 38
    """Fee on captures in hundredths of a percent; it appears in bills only."""
    bill_ready_ms: int = 10 * 3_600_000
    """A day's bill is there this long after the day has ended in Beijing."""
    bill_url_ms: int = 300_000
    """A bill's address dies after five minutes."""
    bill_host: str = "https://api.mch.weixin.qq.com"
    """What a bill's address begins with; a server on a wire puts its own address there."""

    def __post_init__(self) -> None:
        assert self.latency_ms >= 0, "latency below zero"
        assert self.latency_jitter_ms >= 0, "jitter below zero"
        assert self.code_ttl_ms > 0, "a code lives for some time"
        assert 0 <= self.no_reverse_ms <= self.unpaid_revoke_ms, "reverse before revoke"


@dataclass(frozen=True, slots=True, kw_only=True)
class No:
    """A signed refusal: HTTP status, code and text."""

    status: int
    code: str
    text: str

    def fields(self) -> Fields:
        """Return the body's members."""
        return {"code": self.code, "message": self.text}


NOS = {
    no.code: no
    for no in (
        No(status=400, code="PARAM_ERROR", text="参数错误"),
        No(status=400, code="INVALID_REQUEST", text="HTTP 请求不符合业务规则"),
        No(status=400, code="AUTH_CODE_INVALID", text="付款码无效，请用户刷新付款码后重新收款"),
        No(status=400, code="AUTH_CODE_ERROR", text="付款码参数错误"),
        No(status=400, code="ORDER_CLOSED", text="订单已关闭"),
        No(status=400, code="ORDER_REVERSED", text="订单已撤销"),
        No(status=400, code="REVERSE_EXPIRE", text="订单已过撤销期限"),
        No(status=400, code="USERPAYING", text="需要用户输入支付密码"),
        No(status=400, code="NO_STATEMENT_EXIST", text="账单文件不存在"),
        No(status=400, code="STATEMENT_CREATING", text="账单生成中"),
        No(status=401, code="SIGN_ERROR", text="错误的签名，验签失败"),
        No(status=403, code="NO_AUTH", text="商户暂无权限使用此功能"),
        No(status=403, code="NOT_ENOUGH", text="余额不足"),
        No(status=403, code="OUT_TRADE_NO_USED", text="商户订单号重复"),
        No(status=403, code="RULE_LIMIT", text="业务规则限制"),
        No(status=403, code="TRADE_ERROR", text="交易错误"),
        No(status=403, code="TRADE_OVERDUE", text="订单已过退款期限"),
        No(status=404, code="ORDER_NOT_EXIST", text="订单不存在"),
        No(status=404, code="RESOURCE_NOT_EXISTS", text="查询的资源不存在"),
        No(status=429, code="FREQUENCY_LIMITED", text="频率限制"),
        No(status=500, code="BANK_ERROR", text="银行系统异常"),
        No(status=500, code="SYSTEM_ERROR", text="系统繁忙，请稍后重试"),
    )
}
"""Codes and their statuses. Read: PARAM_ERROR, INVALID_REQUEST, SIGN_ERROR, SYSTEM_ERROR and the
two of bills; all others are remembered."""


def refused(code: str, text: str = "") -> No:
    """Return the refusal called *code*, 400 where it is none of ours, with another *text*."""
    known = NOS.get(code) or No(status=400, code=code, text="业务处理失败")
    return No(status=known.status, code=code, text=text or known.text)


def rfc3339(wall_ns: int) -> str:
    """Return the instant as ``2026-11-22T08:00:00+08:00``, whole seconds."""
    return beijing_moment(wall_ns).isoformat(timespec="seconds")
