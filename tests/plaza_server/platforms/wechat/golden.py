"""Helper: the golden frames of WeChat Pay, and the codec that goes with them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from plaza_server.platforms.calls import HttpAnswer
from plaza_server.platforms.keys import rsa_check, rsa_signer
from plaza_server.platforms.wechat.codec import WechatCodec, WechatConfig
from tolling.ids import LaneId, OutRefundNo, OutTradeNo
from tolling.paycodes import Wallet

GOLDEN = Path(__file__).parents[3] / "golden" / "wechat_codec"
SIGN = rsa_signer(GOLDEN / "merchant_private.pem")
PLATFORM_SIGN = rsa_signer(GOLDEN / "platform_private.pem")
MERCHANT_CHECK = rsa_check(GOLDEN / "merchant_public.pem")
CHECKS = {
    "5157F09EFDC096DE15EBE81A47057A7232F1B8E1": rsa_check(GOLDEN / "platform_public.pem"),
    "PUB_KEY_ID_0114232134912410000000000000": rsa_check(GOLDEN / "public_key_public.pem"),
}
SERIAL = "5157F09EFDC096DE15EBE81A47057A7232F1B8E1"
NEXT_SERIAL = "6E1D414B17AFC0A15A2E4491C9C14927801AF3EC"
PUBLIC_KEY_ID = "PUB_KEY_ID_0114232134912410000000000000"
MERCHANT_SERIAL = "1DDE55AD98ED71D6EDD4A4A16996DE7B47773A8C"
NONCE = "593BEC0C930BF1AFEB40B4A08C8FB242"
CODE = "134567890123456789"
NOW_MS = 1_795_314_605_000  # 2026-11-22 10:30:05 in Beijing
PAID_MS = NOW_MS + 1000
TXN_ID = "4200002611202611221234567890"
CONFIG = WechatConfig(
    base_url="https://wechat.test",
    mchid="1900000109",
    appid="wx8888888888888888",
    device_ip="10.0.0.8",
    out_store_id="330101",
)


NUMBER = OutTradeNo("330101001001000000007A01")
REFUND_NUMBER = OutRefundNo("330101001001000000007A01R01")
LANE = LaneId("001")


@dataclass(frozen=True, kw_only=True)
class AnOrder:
    """The facts a call is built from."""

    out_trade_no: OutTradeNo = NUMBER
    lane_id: LaneId = LANE
    out_refund_no: OutRefundNo | None = REFUND_NUMBER
    toll_fen: int = 2550
    wallet: Wallet | None = Wallet.WECHAT
    txn_time: str = "20261122103005"
    captured_fen: int = 2550
    provider_txn_id: str | None = TXN_ID
    subject: str = "云岭站 通行费 浙A12345"
    refund_fen: int = 2550
    refund_txn_time: str = "20261122104000"


ORDER = AnOrder()
UNDECIDED = AnOrder(out_refund_no=None, captured_fen=0, provider_txn_id=None, refund_fen=0)


def verify(serial: str, signature: bytes, message: bytes) -> bool:
    """Return whether the golden key of that serial made the signature."""
    check = CHECKS.get(serial)
    return check is not None and check(signature, message)


def codec(config: WechatConfig = CONFIG) -> WechatCodec:
    """Return the codec that knows the golden keys."""
    return WechatCodec(
        config, sign=SIGN, serial=MERCHANT_SERIAL, verify=verify, nonce=lambda: NONCE
    )


def answer(name: str) -> HttpAnswer:
    """Return a golden answer."""
    head, _, body = (GOLDEN / f"{name}.http").read_bytes().partition(b"\r\n\r\n")
    first, *lines = head.decode("ascii").split("\r\n")
    headers = tuple((key, value) for key, _, value in (line.partition(": ") for line in lines))
    return HttpAnswer(status=int(first.split(" ")[1]), headers=headers, body=body)
