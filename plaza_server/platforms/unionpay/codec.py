"""UnionPay's calls: order facts -> signed request bytes, answer bytes -> what they prove.

UNVERIFIED PROFILE. It is built from the platform's public demo programs and from programs of
others, not from a live account; ``accept_unverified`` in the plaza file says that somebody has
tried it with the acquirer. To be confirmed there first: that ``qrNo`` takes a whole EMVCo text (the
demos speak of 1..20 digits), which address answers queries, and how old ``txnTime`` of a refund may
be.

A request is a form of pairs signed with the merchant's certificate (``envelope``). An order's key
is orderId + txnTime, so txnTime is fixed before the first call. The platform's ``00`` to a pay only
says "accepted": the payment goes on behind it, and only a query tells its end. So no answer to pay
is ever PAID here; an accepted one is Waiting, polled from 0.6 s on.

The cancel is the reversal (99): "only where the platform timed out or the result is unknown"; it
needs no number of theirs, ends what is not paid yet, gives back what is, and works on the day of
the payment (23:00 to 23:00 Beijing time). After that nothing closes an order that is not paid: the
reversal is answered with an error and stays Unknown, queries go on, and what ends the order is
the query that says failed or not there, or the next day's bill. What was paid is refunded (04), on
any day, under a number of its own.

Every reader is total: it never raises for any status and bytes, and nothing but a verified answer
about our merchant, number and time is more than UNKNOWN.

Source: public copies of the platform's QR demo programs (pay 01/06, reversal 99/01, refund 04/00,
query 00/00, bizType 000000, channelType 08) and two independent open payment kits that agree.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from plaza_server.platforms.calls import HttpAnswer, HttpCall, PlatformOrder, Signer
from plaza_server.platforms.forms import form_body
from plaza_server.platforms.unionpay import respcodes
from plaza_server.platforms.unionpay.envelope import (
    SIGN_METHOD,
    SIGNATURE,
    VERSION,
    CertifiedCheck,
    open_answer,
    text_to_sign,
)
from plaza_server.rules.calls import CallKind
from plaza_server.rules.outcomes import (
    CancelDone,
    CancelOutcome,
    Closed,
    Evidence,
    Misconfigured,
    NotThere,
    Paid,
    PayOutcome,
    PlatformOutcome,
    QueryOutcome,
    RefundDone,
    RefundOutcome,
    RefundRefused,
    Unknown,
    Waiting,
)
from tolling.clock import BEIJING, beijing_digits
from tolling.paycodes import PayCode, Wallet

WALLETS = frozenset({Wallet.UNIONPAY, Wallet.EMVCO})
PROBE_NO = "PROBE00000000000000000000"
"""An order number nobody ever gives: ids begin with digits."""
NO_NOTIFY_URL = "http://www.specialUrl.com"
"""The address the platform's pages name for a merchant that wants no notice (remembered)."""

_EPOCH = datetime(1970, 1, 1, 8, tzinfo=BEIJING)
_AMOUNT = re.compile(rb"0|[1-9][0-9]{0,11}")
_TXN_ID = re.compile(rb"[0-9A-Za-z]{8,64}")
_TRACE_TIME = re.compile(rb"[0-9]{10}")
_YUAN = b"156"
_TRACE_MAX = timedelta(days=2)
"""A trace time further than this from the order's own time is another order's, or no time."""
_HEADERS = (
    ("Content-Type", "application/x-www-form-urlencoded;charset=UTF-8"),
    ("Accept", "text/plain"),
)
_TYPES: dict[CallKind, tuple[str, str]] = {
    CallKind.PAY: ("01", "06"),
    CallKind.QUERY: ("00", "00"),
    CallKind.CANCEL: ("99", "01"),
    CallKind.REFUND: ("04", "00"),
    CallKind.REFUND_QUERY: ("00", "00"),
}
"""Transaction type and subtype of each call."""
_ANSWER_TYPES: dict[CallKind, frozenset[bytes]] = {
    CallKind.PAY: frozenset({b"01"}),
    # Whether a query's answer names itself or what it asked for was not seen: both are taken.
    CallKind.QUERY: frozenset({b"00", b"01"}),
    CallKind.CANCEL: frozenset({b"99"}),
    CallKind.REFUND: frozenset({b"04"}),
    CallKind.REFUND_QUERY: frozenset({b"00", b"04"}),
}

Fields = Mapping[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnionpayConfig:
    """What of our account with the acquirer goes into a request."""

    gateway_url: str
    """Takes pay, reversal and refund."""
    query_url: str
    """Takes queries; the same, or the address of its own."""
    merchant_id: str
    """15 characters, merId."""
    certificate_id: str
    """Serial number of our signing certificate, decimal: certId."""
    notify_url: str = NO_NOTIFY_URL
    """The platform insists on one; we believe queries only."""

    def __post_init__(self) -> None:
        assert len(self.merchant_id) == 15
        assert self.certificate_id.isdecimal()


class UnionpayCodec:
    """UnionPay's calls as bytes, behind the face every platform's codec shows."""

    def __init__(self, config: UnionpayConfig, *, sign: Signer, verify: CertifiedCheck) -> None:
        self._config = config
        self._sign = sign
        self._verify = verify

    @property
    def name(self) -> str:
        """The platform's name; it takes the codes of two wallets."""
        return Wallet.UNIONPAY.value

    def build(
        self, kind: CallKind, order: PlatformOrder, *, code: PayCode | None, now_ms: int
    ) -> HttpCall:
        """Return the one request of a call; *code* for PAY only. The order brings its own times."""
        match kind:
            case CallKind.PAY:
                assert code is not None, "pay without a pay code"
                assert code.wallet in WALLETS, "another platform's code"
                own = {
                    "txnAmt": _fen_text(order.toll_fen),
                    "currencyCode": _YUAN.decode(),
                    "qrNo": code.reveal(),
                    "termId": f"{order.lane_id:0>8}",
                    "backUrl": self._config.notify_url,
                }
                return self._call(kind, order.out_trade_no, order.txn_time, own)
            case CallKind.QUERY | CallKind.CANCEL:
                return self._call(kind, order.out_trade_no, order.txn_time, {})
            case CallKind.REFUND:
                assert order.out_refund_no is not None
                own = {
                    "txnAmt": _fen_text(order.refund_fen),
                    "currencyCode": _YUAN.decode(),
                    "backUrl": self._config.notify_url,
                } | _original(order)
                return self._call(kind, order.out_refund_no, order.refund_txn_time, own)
            case CallKind.REFUND_QUERY:
                assert order.out_refund_no is not None
                return self._call(kind, order.out_refund_no, order.refund_txn_time, {})

    def read(
        self, kind: CallKind, order: PlatformOrder, answer: HttpAnswer, *, now_ms: int
    ) -> PlatformOutcome:
        """Return what an answer proves; its age is not signed here, so *now_ms* is of no use."""
        number: str = order.out_trade_no
        txn_time = order.txn_time
        if kind in {CallKind.REFUND, CallKind.REFUND_QUERY}:
            number, txn_time = order.out_refund_no or "", order.refund_txn_time
        fields = self._fields(kind, answer, number, txn_time)
        if isinstance(fields, (Unknown, Misconfigured)):
            return fields
        match kind:
            case CallKind.PAY:
                return _read_pay(fields)
            case CallKind.QUERY:
                return _read_query(fields, order)
            case CallKind.CANCEL:
                return _read_cancel(fields)
            case CallKind.REFUND:
                return _read_refund(fields)
            case CallKind.REFUND_QUERY:
                return _read_refund_query(fields, order)

    def probe(self, *, now_ms: int) -> HttpCall:
        """Return a query of a number that is never given."""
        return self._call(CallKind.QUERY, PROBE_NO, beijing_digits(now_ms), {})

    def read_probe(self, answer: HttpAnswer, *, now_ms: int) -> PlatformOutcome:
        """Return NotThere where the platform knows us and its certificate is a good one."""
        fields = self._fields(CallKind.QUERY, answer, PROBE_NO, None)
        if isinstance(fields, (Unknown, Misconfigured)):
            return fields
        if _code(fields, "respCode") == respcodes.NO_SUCH_ORDER:
            return NotThere()
        return Unknown(evidence=Evidence.PLATFORM_UNSURE)

    def _call(self, kind: CallKind, number: str, txn_time: str, own: Mapping[str, str]) -> HttpCall:
        config = self._config
        txn_type, txn_sub_type = _TYPES[kind]
        pairs = {
            "version": VERSION,
            "encoding": "UTF-8",
            "signMethod": SIGN_METHOD,
            "certId": config.certificate_id,
            "txnType": txn_type,
            "txnSubType": txn_sub_type,
            "bizType": "000000",
            "accessType": "0",
            "merId": config.merchant_id,
            "orderId": number,
            "txnTime": txn_time,
            **own,
        }
        asks = kind in {CallKind.QUERY, CallKind.REFUND_QUERY}
        if not asks:
            pairs["channelType"] = "08"
        pairs[SIGNATURE] = base64.b64encode(self._sign(text_to_sign(pairs))).decode("ascii")
        return HttpCall(
            method="POST",
            url=config.query_url if asks else config.gateway_url,
            headers=_HEADERS,
            body=form_body(pairs),
        )

    def _fields(
        self, kind: CallKind, answer: HttpAnswer, number: str, txn_time: str | None
    ) -> Fields | Unknown | Misconfigured:
        """Return the verified fields of an answer about our order, or what it is instead."""
        if answer.status != 200:
            return Unknown(evidence=Evidence.HTTP_STATUS)
        fields = open_answer(answer.body, verify=self._verify)
        if isinstance(fields, Evidence):
            return Unknown(evidence=fields)
        expected = {
            "merId": self._config.merchant_id.encode(),
            "orderId": number.encode(),
            "txnTime": None if txn_time is None else txn_time.encode(),
        }
        for name, value in expected.items():
            if value is not None and fields.get(name, value) != value:
                return Unknown(evidence=Evidence.FOREIGN)
        if fields.get("txnType", next(iter(_ANSWER_TYPES[kind]))) not in _ANSWER_TYPES[kind]:
            return Unknown(evidence=Evidence.FOREIGN)
        code = _code(fields, "respCode")
        if not code:
            return Unknown(evidence=Evidence.GARBLED)
        if code in respcodes.CONFIG_CODES:
            return Misconfigured(detail=code)
        if "orderId" not in fields or "merId" not in fields:
            # Signed and without a number it may be about anything; only our own fault needs none.
            return Unknown(evidence=Evidence.FOREIGN)
        return fields


# ---- answers ----


def _read_pay(fields: Fields) -> PayOutcome:
    code = _code(fields, "respCode")
    if code == respcodes.SUCCESS:
        return Waiting(accepted=True)
    if code in respcodes.IN_PROGRESS:
        return Waiting()
    if code in respcodes.PAY_REFUSALS:
        return respcodes.PAY_REFUSALS[code]
    return Unknown(evidence=Evidence.PLATFORM_UNSURE)


def _read_query(fields: Fields, order: PlatformOrder) -> QueryOutcome:
    code = _code(fields, "respCode")
    if code == respcodes.NO_SUCH_ORDER:
        return NotThere()
    if code != respcodes.SUCCESS:
        return Unknown(evidence=Evidence.PLATFORM_UNSURE)
    was = _code(fields, "origRespCode")
    if was in respcodes.CAPTURED:
        return _paid(fields, order)
    if was in respcodes.IN_PROGRESS or was in respcodes.UNDECIDED:
        # Not Unknown: an order that stays so has to be reversed, and only a signed "not decided"
        # lets that happen.
        return Waiting()
    if was in {respcodes.REVERSED, respcodes.GIVEN_BACK}:
        return Closed(refunded_fen=order.captured_fen)
    if was in respcodes.PAY_REFUSALS:
        return Closed()
    return Unknown(evidence=Evidence.PLATFORM_UNSURE if was else Evidence.GARBLED)


def _read_cancel(fields: Fields) -> CancelOutcome:
    """What the reversal gave back is not said; the query behind it tells."""
    code = _code(fields, "respCode")
    if code in {respcodes.SUCCESS, respcodes.REVERSED, respcodes.GIVEN_BACK}:
        return CancelDone(gave_back=False)
    if code in {respcodes.NO_SUCH_ORDER, respcodes.NO_SUCH_ORIGINAL}:
        return NotThere()
    # Busy too: the reversal may have been taken, and undo a capture later.
    return Unknown(evidence=Evidence.PLATFORM_UNSURE)


def _read_refund(fields: Fields) -> RefundOutcome:
    """``00`` is "accepted": like every other open end it is Unknown, and the refund query tells."""
    code = _code(fields, "respCode")
    if code in respcodes.REFUND_REFUSALS:
        return RefundRefused(detail=code, final=respcodes.REFUND_REFUSALS[code])
    return Unknown(evidence=Evidence.PLATFORM_UNSURE)


def _read_refund_query(fields: Fields, order: PlatformOrder) -> RefundOutcome:
    code = _code(fields, "respCode")
    if code == respcodes.NO_SUCH_ORDER:
        return RefundRefused(detail="no_such_refund", final=False)
    if code != respcodes.SUCCESS:
        return Unknown(evidence=Evidence.PLATFORM_UNSURE)
    was = _code(fields, "origRespCode")
    if was == respcodes.REVERSED:
        # There was nothing left to refund: the payment itself was reversed, whole.
        return RefundDone(refunded_total_fen=order.captured_fen)
    if was in respcodes.CAPTURED:
        amount_fen = _amount(fields)
        if not amount_fen:
            return Unknown(evidence=Evidence.GARBLED)
        return RefundDone(refunded_total_fen=amount_fen)
    if was in respcodes.REFUND_REFUSALS:
        return RefundRefused(detail=was, final=respcodes.REFUND_REFUSALS[was])
    return Unknown(evidence=Evidence.PLATFORM_UNSURE)


def _paid(fields: Fields, order: PlatformOrder) -> Paid | Unknown:
    if fields.get("txnTime") != order.txn_time.encode():
        return Unknown(evidence=Evidence.FOREIGN)
    amount_fen = _amount(fields)
    query_id = fields.get("queryId", b"")
    if amount_fen is None or not _TXN_ID.fullmatch(query_id):
        return Unknown(evidence=Evidence.GARBLED)
    return Paid(
        captured_fen=amount_fen,
        provider_txn_id=query_id.decode("ascii"),
        paid_at_ms=_trace_ms(fields.get("traceTime", b""), order.txn_time),
    )


def _code(fields: Fields, name: str) -> str:
    return respcodes.normal_code(fields.get(name))


def _amount(fields: Fields) -> int | None:
    """Return the amount in fen, or None where there is none, or it is not in yuan."""
    text = fields.get("txnAmt", b"")
    if not _AMOUNT.fullmatch(text) or fields.get("currencyCode", _YUAN) != _YUAN:
        return None
    return int(text)


def _fen_text(amount_fen: int) -> str:
    assert amount_fen > 0
    return str(amount_fen)


def _original(order: PlatformOrder) -> dict[str, str]:
    """Return what names the payment a refund is of: their number, else ours and its time."""
    if order.provider_txn_id is not None:
        return {"origQryId": order.provider_txn_id}
    return {"origOrderId": order.out_trade_no, "origTxnTime": order.txn_time}


def _trace_ms(text: bytes, txn_time: str) -> int | None:
    """Return ``MMddHHmmss`` in Beijing time, of the year nearest to the order's own time, as UTC
    milliseconds; None where it is no such text or days away."""
    if not _TRACE_TIME.fullmatch(text):
        return None
    try:
        ours = _beijing(txn_time)
    except ValueError:
        return None
    for year in (ours.year, ours.year + 1, ours.year - 1):
        try:
            moment = _beijing(f"{year}{text.decode()}")
        except ValueError:
            continue
        if abs(moment - ours) <= _TRACE_MAX:
            return (moment - _EPOCH) // timedelta(milliseconds=1)
    return None


def _beijing(digits: str) -> datetime:
    return datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=BEIJING)
