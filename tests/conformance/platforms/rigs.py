"""Helper: each platform's production codec face to face with the simulator's model, bytes between.

Neither side knows the other: what the codec builds goes into the model as an HTTP request, what the
model replies goes into the codec as an HTTP answer. Time is a number that a test moves.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from plaza_server.platforms.alipay.codec import AlipayCodec
from plaza_server.platforms.alipay.codec import AlipayConfig as AlipayAccount
from plaza_server.platforms.calls import HttpAnswer, HttpCall
from plaza_server.platforms.certificates import chain_check
from plaza_server.platforms.keys import check_of, rsa_signer
from plaza_server.platforms.ports import PlatformCodec
from plaza_server.platforms.unionpay.codec import UnionpayCodec
from plaza_server.platforms.unionpay.codec import UnionpayConfig as UnionpayAccount
from plaza_server.platforms.wechat.codec import WechatCodec
from plaza_server.platforms.wechat.codec import WechatConfig as WechatAccount
from plaza_server.rules.calls import CallKind
from plaza_server.rules.outcomes import (
    Evidence,
    NotThere,
    Paid,
    PlatformOutcome,
    Unknown,
    Waiting,
)
from simulator.models.alipay import GATEWAY_PATH, AlipayModel
from simulator.models.alipay_values import AlipayConfig
from simulator.models.alipay_wire import Rsa2Keys
from simulator.models.faults import Fault, PlatformFault
from simulator.models.platform_values import BuyerBehaviour, Charge, IssuedCode
from simulator.models.platform_wire import HttpRequest, Reply
from simulator.models.unionpay import BACK_PATH, QUERY_PATH, UnionpayModel
from simulator.models.unionpay_values import UnionpayConfig
from simulator.models.unionpay_wire import RsaUnionpayKeys
from simulator.models.wechat import WechatModel
from simulator.models.wechat_values import WaitingAnswer, WechatConfig
from simulator.models.wechat_wire import RsaWechatKeys
from tolling.clock import beijing_digits
from tolling.ids import LaneId, OutRefundNo, OutTradeNo
from tolling.paycodes import PayCode, Wallet, classify

GOLDEN = Path(__file__).parents[2] / "golden"
NS_PER_MS = 1_000_000
BUYER = "buyer-1"
TOLL = 2550


@dataclass(frozen=True, kw_only=True)
class AnOrder:
    """The facts a call is built from, as the plaza's order has them."""

    out_trade_no: OutTradeNo
    lane_id: LaneId
    wallet: Wallet | None
    txn_time: str
    refund_txn_time: str = ""
    toll_fen: int = TOLL
    subject: str = "云岭站 通行费"
    captured_fen: int = 0
    provider_txn_id: str | None = None
    out_refund_no: OutRefundNo | None = None
    refund_fen: int = 0


class Model(Protocol):
    """What the suite needs of a platform's model."""

    def handle(self, request: HttpRequest, now_ns: int) -> Reply:
        """Take one request."""

    def charges_of(self, buyer_id: str, now_ns: int) -> tuple[Charge, ...]:
        """Return what a buyer remembers of having paid."""

    def inject(self, fault: Fault, now_ns: int) -> int:
        """Arm a fault."""


@dataclass(kw_only=True)
class Rig:
    """One platform, one codec, one clock."""

    codec: PlatformCodec
    model: Model
    wall_base_ms: int
    issue: Callable[[int, BuyerBehaviour, int], IssuedCode]
    """(now_ns, behaviour, after_ms) -> a code on the phone of BUYER."""
    stranger: PlatformCodec
    """The same codec with a key the platform does not know."""
    now_ns: int = 5_000 * NS_PER_MS
    numbers: int = 0
    kept: list[HttpAnswer] = field(default_factory=list)
    """Every answer so far, whole."""

    @property
    def now_ms(self) -> int:
        """UTC milliseconds."""
        return self.wall_base_ms + self.now_ns // NS_PER_MS

    def turn(self, ms: int) -> None:
        """Move the clock on."""
        self.now_ns += ms * NS_PER_MS

    def order(self, wallet: Wallet = Wallet.ALIPAY) -> AnOrder:
        """Return a fresh order."""
        self.numbers += 1
        return AnOrder(
            out_trade_no=OutTradeNo(f"330101001001{self.numbers:09d}A01"),
            lane_id=LaneId("001"),
            wallet=wallet,
            txn_time=beijing_digits(self.now_ms),
        )

    def code(self, behaviour: BuyerBehaviour = BuyerBehaviour.PAYS, after_ms: int = 0) -> PayCode:
        """Show a code on the phone and scan it, as a lane does."""
        issued = self.issue(self.now_ns, behaviour, after_ms)
        scanned = classify(issued.code.encode("ascii"))
        assert isinstance(scanned, PayCode), "the lane would refuse it"
        return scanned

    def pay(
        self, order: AnOrder, behaviour: BuyerBehaviour = BuyerBehaviour.PAYS, after_ms: int = 0
    ) -> PlatformOutcome:
        """Spend a fresh code on the order."""
        return self.call(CallKind.PAY, order, code=self.code(behaviour, after_ms))

    def call(
        self, kind: CallKind, order: AnOrder, *, code: PayCode | None = None
    ) -> PlatformOutcome:
        """Make one call and read its answer at the moment it comes."""
        answer = self.answer(self.codec.build(kind, order, code=code, now_ms=self.now_ms))
        if isinstance(answer, Evidence):
            return Unknown(evidence=answer)
        return self.codec.read(kind, order, answer, now_ms=self.now_ms)

    def probe(self, codec: PlatformCodec | None = None) -> PlatformOutcome:
        """Make a probe."""
        asking = codec or self.codec
        answer = self.answer(asking.probe(now_ms=self.now_ms))
        assert isinstance(answer, HttpAnswer)
        return asking.read_probe(answer, now_ms=self.now_ms)

    def answer(self, call: HttpCall) -> HttpAnswer | Evidence:
        """Carry one call to the model, and its answer back after the delay it names."""
        parts = urlsplit(call.url)
        request = HttpRequest(
            method=call.method,
            path=parts.path,
            query=parts.query.encode("ascii"),
            headers=call.headers,
            body=call.body,
        )
        reply = self.model.handle(request, self.now_ns)
        self.now_ns += reply.delay_ns
        if reply.dropped:
            return Evidence.TIMEOUT
        answer = HttpAnswer(status=reply.status, headers=reply.headers, body=reply.body)
        self.kept.append(answer)
        return answer

    def settled(self, order: AnOrder, *, within_ms: int = 10_000) -> PlatformOutcome:
        """Query until the order is decided, or time is up; return the last outcome."""
        until_ns = self.now_ns + within_ms * NS_PER_MS
        while True:
            outcome = self.call(CallKind.QUERY, order)
            undecided = isinstance(outcome, (Waiting, Unknown, NotThere))
            if not undecided or self.now_ns >= until_ns:
                return outcome
            self.turn(1_000)

    def paid_order(self) -> AnOrder:
        """Return an order that is paid, with what the plaza keeps of that."""
        order = self.order()
        self.pay(order)
        paid = self.settled(order)
        assert isinstance(paid, Paid)
        return replace(order, captured_fen=paid.captured_fen, provider_txn_id=paid.provider_txn_id)

    def with_refund(self, order: AnOrder, fen: int, number: int = 1) -> AnOrder:
        """Return the order as the plaza has it when a refund begins."""
        return replace(
            order,
            out_refund_no=OutRefundNo(f"{order.out_trade_no}R{number:02d}"),
            refund_fen=fen,
            refund_txn_time=beijing_digits(self.now_ms),
        )

    def refunded(self, order: AnOrder, *, within_ms: int = 60_000) -> PlatformOutcome:
        """Ask for the refund's end until it is told, or time is up."""
        until_ns = self.now_ns + within_ms * NS_PER_MS
        while True:
            outcome = self.call(CallKind.REFUND_QUERY, order)
            if not isinstance(outcome, Unknown) or self.now_ns >= until_ns:
                return outcome
            self.turn(2_000)

    def inject(self, kind: PlatformFault, call: str, **facts: Any) -> None:
        """Arm a fault for the next call of that name."""
        self.model.inject(Fault(kind=kind, calls=(call,), **facts), self.now_ns)

    def net_fen(self) -> int:
        """Return what the buyer is out of pocket, money on its way back counted as back."""
        self.turn(3_600_000)
        charges = self.model.charges_of(BUYER, self.now_ns)
        return sum(each.amount_fen - each.refunded_fen for each in charges)


@cache
def private_key(path: str) -> rsa.RSAPrivateKey:
    """Return a test-only private key. Loading one checks its primes: too long for every test."""
    key = serialization.load_pem_private_key((GOLDEN / path).read_bytes(), password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


@cache
def signer(path: str) -> Callable[[bytes], bytes]:
    """Return the signer of a test-only key."""
    return rsa_signer(GOLDEN / path)


STRANGER_KEY = "wechat_codec/platform_next_private.pem"


def alipay() -> Rig:
    """Alipay in key mode."""
    ours, theirs = "TEST_ONLY_app_private_key.pem", "TEST_ONLY_platform_private_key.pem"
    config = AlipayConfig()
    model = AlipayModel(
        config=config,
        keys=Rsa2Keys(
            platform_private=private_key(f"alipay/{theirs}"),
            app_public=private_key(f"alipay/{ours}").public_key(),
        ),
        rng=random.Random(7),
    )
    account = AlipayAccount(gateway_url=f"https://alipay.test{GATEWAY_PATH}", app_id=config.app_id)
    verify = check_of(private_key(f"alipay/{theirs}").public_key())
    return Rig(
        codec=AlipayCodec(account, sign=signer(f"alipay/{ours}"), verify=verify),
        stranger=AlipayCodec(account, sign=signer(STRANGER_KEY), verify=verify),
        model=model,
        wall_base_ms=config.wall_base_ns // NS_PER_MS,
        issue=lambda now_ns, behaviour, after_ms: model.issue_code(
            BUYER, now_ns, behaviour, after_ms=after_ms
        ),
    )


def wechat(*, public_key: bool = False, waiting_answer: WaitingAnswer = WaitingAnswer.STATE) -> Rig:
    """WeChat Pay, answers signed by a platform certificate or by the public key."""
    folder = "wechat_model/TEST_ONLY_"
    config = WechatConfig(waiting_answer=waiting_answer)
    keys = {
        config.platform_serial: private_key(f"{folder}platform_private_key.pem"),
        config.next_serial: private_key(f"{folder}next_private_key.pem"),
        config.public_key_id: private_key(f"{folder}public_key_mode_private_key.pem"),
    }
    ours = f"{folder}merchant_private_key.pem"
    model = WechatModel(
        config=config,
        keys=RsaWechatKeys(platform=keys, merchant_public=private_key(ours).public_key()),
        rng=random.Random(7),
    )
    account = WechatAccount(
        base_url="https://wechat.test",
        mchid=config.merchant_id,
        appid=config.app_id,
        out_store_id="330101",
        answer_key=config.public_key_id if public_key else "",
    )
    known = config.public_key_id if public_key else config.platform_serial
    check = check_of(keys[known].public_key())

    def codec(key: str) -> WechatCodec:
        return WechatCodec(
            account,
            sign=signer(key),
            serial=config.merchant_serial,
            verify=lambda serial, signature, text: serial == known and check(signature, text),
            nonce=lambda: "593BEC0C930BF1AFEB40B4A08C8FB242",
        )

    return Rig(
        codec=codec(ours),
        stranger=codec(STRANGER_KEY),
        model=model,
        wall_base_ms=config.wall_base_ns // NS_PER_MS,
        issue=lambda now_ns, behaviour, after_ms: model.issue_code(
            BUYER, now_ns, behaviour, after_ms=after_ms
        ),
    )


def unionpay(*, emvco: bool = False) -> Rig:
    """UnionPay, by 19 digits or by a whole EMVCo block."""
    folder = "unionpay_model/TEST_ONLY_"
    config = UnionpayConfig()
    ours = f"{folder}merchant_private_key.pem"

    def certified(name: str) -> tuple[rsa.RSAPrivateKey, str]:
        pem = (GOLDEN / f"{folder}{name}_certificate.pem").read_text(encoding="ascii")
        return private_key(f"{folder}{name}_private_key.pem"), pem

    model = UnionpayModel(
        config=config,
        keys=RsaUnionpayKeys(
            platform=certified("platform"),
            stranger=certified("stranger"),
            merchant_public=private_key(ours).public_key(),
        ),
        rng=random.Random(7),
    )
    account = UnionpayAccount(
        gateway_url=f"https://unionpay.test{BACK_PATH}",
        query_url=f"https://unionpay.test{QUERY_PATH}",
        merchant_id=config.merchant_id,
        certificate_id=config.merchant_certificate_id,
    )
    wall_base_ms = config.wall_base_ns // NS_PER_MS
    verify = chain_check(
        root=GOLDEN / f"{folder}root_certificate.pem",
        middle=GOLDEN / f"{folder}middle_certificate.pem",
        owner=_owner(certified("platform")[1]),
        wall_ms=lambda: wall_base_ms,
    )
    return Rig(
        codec=UnionpayCodec(account, sign=signer(ours), verify=verify),
        stranger=UnionpayCodec(account, sign=signer(STRANGER_KEY), verify=verify),
        model=model,
        wall_base_ms=wall_base_ms,
        issue=lambda now_ns, behaviour, after_ms: model.issue_code(
            BUYER, now_ns, behaviour, after_ms=after_ms, emvco=emvco
        ),
    )


def _owner(pem: str) -> str:
    """Return the company named by a test-only platform certificate."""
    certificate = x509.load_pem_x509_certificate(pem.encode("ascii"))
    (name,) = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(name.value).split("@")[2]


RIGS: dict[str, Callable[[], Rig]] = {
    "alipay": alipay,
    "wechat": wechat,
    "wechat, public key": lambda: wechat(public_key=True),
    "wechat, waiting as 202": lambda: wechat(waiting_answer=WaitingAnswer.ACCEPTED),
    "wechat, waiting as 400": lambda: wechat(waiting_answer=WaitingAnswer.REFUSED),
    "unionpay": unionpay,
    "unionpay, emvco": lambda: unionpay(emvco=True),
}
"""A new platform is one more line here, and passes everything."""
