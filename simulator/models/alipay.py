"""The simulated Alipay platform, whole and synchronous: bytes in, bytes and delays out.

``handle`` takes one HTTP request at one instant and returns one ``Reply``: what to write, after how
long, and whether the connection breaks instead. It never sleeps and keeps no clock, so the same
face serves a real HTTP server and a world in virtual time. The books see a request at the instant
it arrives; the delay is the answer's way back. Around the wire stand the drivers' wallets
(``issue_code``), the books as an auditor may see them (``books``, ``charges_of``, ``calls``) and
the faults (``inject``).

Offered in key mode: alipay.trade.pay (bar_code), query, cancel, refund, fastpay.refund.query. The
bill address is refused as not granted (40006). No notify is sent: a plaza behind NAT does not get
one. Remembered, not read: the answer's content type ``text/html``, and zeros in a waiting trade's
amounts.
"""

from __future__ import annotations

import heapq
import re
from collections import deque
from dataclasses import dataclass, replace

from simulator.models.alipay_books import AlipayBooks, business_failed
from simulator.models.alipay_orders import named_trade
from simulator.models.alipay_values import (
    NS_PER_MS,
    AlipayConfig,
    BuyerBehaviour,
    CallView,
    Charge,
    IssuedCode,
    Randomness,
    TradeView,
    fen_of,
    yuan_of,
)
from simulator.models.alipay_wallets import DEFAULT_LENGTH, DEFAULT_PREFIX, Wallets
from simulator.models.alipay_wire import (
    MSGS,
    Fields,
    GatewayKeys,
    GatewayRequest,
    Refusal,
    answer_bytes,
    check_request,
    merge_parameters,
    node_name,
    node_text,
    signature_of,
)
from simulator.models.faults import Fault, FaultBoard, FaultView, Fired, PlatformFault, Stage

GATEWAY_PATH = "/gateway.do"
MAX_BODY_BYTES = 65_536
"""The longest request body read; a pay call has under 2 kB."""
MAX_CALLS_KEPT = 100_000
"""Calls kept for the auditor, the oldest fall out; a demo makes a few hundred."""
MAX_LATE = 1_024
"""Requests held by PROCESSED_LATE at once; more are never processed."""

CALLS = {
    "alipay.trade.pay": "pay",
    "alipay.trade.query": "query",
    "alipay.trade.cancel": "cancel",
    "alipay.trade.refund": "refund",
    "alipay.trade.fastpay.refund.query": "refund_query",
}
"""Offered methods and the short names faults use for them."""
_NOT_GRANTED = frozenset({"alipay.data.dataservice.bill.downloadurl.query"})
_METHOD = re.compile(r"[a-z][a-z0-9.]*", re.ASCII)
"""Method texts that may be named in an answer."""
_OWN_ANSWER = frozenset(
    {
        PlatformFault.BUSINESS_REFUSED,
        PlatformFault.CANCEL_REFUSED,
        PlatformFault.CANCEL_LIES,
    }
)
"""Business faults that answer in place of the books."""
_MAY_CARRY_OUT = frozenset({PlatformFault.HTTP_5XX, PlatformFault.GATEWAY_ERROR})
_BURST = (PlatformFault.GATEWAY_ERROR, PlatformFault.BUSINESS_REFUSED, PlatformFault.HTTP_5XX)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One request as it came over HTTP."""

    method: str
    path: str
    """Without the query string."""
    query: bytes = b""
    """Raw, still percent-encoded."""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What to do with the connection, and when."""

    status: int
    headers: tuple[tuple[str, str], ...]
    """Content-Length included: that of the whole answer, also where *body* is only its first
    half."""
    body: bytes
    delay_ns: int
    """From the request's last byte to the first byte of the answer, or to the break."""
    dropped: bool = False
    """Break the connection after *body*; with an empty body not even the status line is written."""
    unsent: bool = False
    """The connection was never good: the caller knows that nothing of the request was sent."""


class AlipayModel:
    """One platform with one merchant. Every call names its instant; instants never go backwards."""

    def __init__(self, *, config: AlipayConfig, keys: GatewayKeys, rng: Randomness) -> None:
        self._config = config
        self._keys = keys
        self._rng = rng
        self._wallets = Wallets(rng=rng, code_ttl_ms=config.code_ttl_ms)
        self._books = AlipayBooks(config=config, wallets=self._wallets, rng=rng)
        self._faults = FaultBoard(dice=rng)
        self._latency_ms = config.latency_ms
        self._jitter_ms = config.latency_jitter_ms
        self._calls: deque[CallView] = deque(maxlen=MAX_CALLS_KEPT)
        self._late: list[tuple[int, int, GatewayRequest]] = []
        self._late_no = 0
        self._now_ns = 0

    @property
    def config(self) -> AlipayConfig:
        """The set-up this platform was made with."""
        return self._config

    @property
    def latency_ms(self) -> tuple[int, int]:
        """The present latency and its jitter."""
        return self._latency_ms, self._jitter_ms

    def set_latency_ms(self, latency_ms: int, jitter_ms: int = 0) -> None:
        """Answer every later request after *latency_ms* plus 0..*jitter_ms*, both 0..600,000."""
        assert 0 <= latency_ms <= 600_000, "latency: 0..600000 ms"
        assert 0 <= jitter_ms <= 600_000, "jitter: 0..600000 ms"
        self._latency_ms, self._jitter_ms = latency_ms, jitter_ms

    def issue_code(
        self,
        buyer_id: str,
        now_ns: int,
        behaviour: BuyerBehaviour = BuyerBehaviour.PAYS,
        *,
        after_ms: int = 0,
        prefix: int = DEFAULT_PREFIX,
        length: int = DEFAULT_LENGTH,
        ttl_ms: int | None = None,
    ) -> IssuedCode:
        """Show a fresh single-use pay code on the phone of *buyer_id*.

        Args:   after_ms: when the buyer confirms or closes the dialog, counted from the pay call.
                prefix: 25..30. length: 16..24 digits. ttl_ms: lifetime; None = the platform's
                usual.
        """
        self._advance(now_ns)
        return self._wallets.issue(
            buyer_id,
            now_ns,
            behaviour,
            after_ms=after_ms,
            prefix=prefix,
            length=length,
            ttl_ms=ttl_ms,
        )

    def books(self, now_ns: int) -> tuple[TradeView, ...]:
        """Return every trade as the books stand at *now_ns*, in the order they were made."""
        self._advance(now_ns)
        return self._books.views(self._now_ns)

    def charges_of(self, buyer_id: str, now_ns: int) -> tuple[Charge, ...]:
        """Return what the buyer's phone remembers of having paid."""
        self._advance(now_ns)
        return self._books.charges_of(buyer_id)

    def buyers(self) -> tuple[str, ...]:
        """Return every buyer that ever held a code."""
        return self._wallets.buyers()

    def calls(self) -> tuple[CallView, ...]:
        """Return the requests that came to the gateway, oldest first, without codes or keys."""
        return tuple(self._calls)

    def inject(self, fault: Fault, now_ns: int) -> int:
        """Arm *fault* and return its number."""
        return self._faults.inject(fault, now_ns)

    def clear_fault(self, fault_id: int | None = None) -> bool:
        """Disarm one fault, or all. Returns False where the number is unknown."""
        return self._faults.clear(fault_id)

    def faults(self, now_ns: int) -> tuple[FaultView, ...]:
        """Return every fault still known with its counts."""
        return self._faults.views(now_ns)

    def handle(self, request: HttpRequest, now_ns: int) -> Reply:
        """Take one HTTP request at *now_ns* and return what happens to its connection."""
        self._advance(now_ns)
        if request.path != GATEWAY_PATH:
            return self._plain(404, b"Not Found\n")
        if request.method not in ("GET", "POST"):
            return self._plain(405, b"Method Not Allowed\n", ("Allow", "GET, POST"))
        if len(request.body) > MAX_BODY_BYTES:
            return self._plain(413, b"Request Entity Too Large\n")
        form = request.body if _is_form(request.headers) else b""
        merged = merge_parameters(request.query, form)
        if isinstance(merged, Refusal):
            return self._refusal(merged, "")
        checked = check_request(
            merged,
            config=self._config,
            keys=self._keys,
            wall_ns=self._config.wall_base_ns + now_ns,
        )
        method = merged.get("method", b"").decode("ascii", "replace")
        if isinstance(checked, Refusal):
            return self._refusal(checked, method)
        if method in CALLS:
            return self._call(checked)
        code, sub_code, why = ("40002", "isv.invalid-method", "不存在的方法名")
        if method in _NOT_GRANTED:
            code, sub_code, why = ("40006", "isv.insufficient-isv-permissions", "ISV权限不足")
        no = Refusal(code=code, sub_code=sub_code, sub_msg=why, signed=True)
        return self._refusal(no, method)

    def _advance(self, now_ns: int) -> None:
        """Bring the books up to *now_ns*, requests held back included, in order of time."""
        assert now_ns >= self._now_ns, "time goes forward"
        while self._late and self._late[0][0] <= now_ns:
            at_ns, _, request = heapq.heappop(self._late)
            self._books.advance(at_ns)
            self._now_ns = at_ns
            node = self._carry_out(request, at_ns, None)
            self._note(request.method, request.biz, (), node, carried_out=True)
        self._books.advance(now_ns)
        self._now_ns = now_ns

    def _call(self, request: GatewayRequest) -> Reply:
        drawn = self._faults.draw(CALLS[request.method], self._now_ns)
        kinds = tuple(fired.fault.kind.value for fired in drawn.values())
        arrival = drawn.get(Stage.ARRIVAL)
        delay_ns = self._delay_ns(drawn)
        if arrival is not None:
            return self._arrival(request, arrival, delay_ns, kinds)
        business = drawn[Stage.BUSINESS].fault if Stage.BUSINESS in drawn else None
        untouched = business is not None and _keeps_from_books(business)
        node = self._carry_out(request, self._now_ns, business)
        self._note(request.method, request.biz, kinds, node, carried_out=not untouched)
        body = self._body(request, node, drawn.get(Stage.ANSWER))
        return self._transport(body, request.charset, delay_ns, drawn.get(Stage.TRANSPORT))

    def _arrival(
        self, request: GatewayRequest, fired: Fired, delay_ns: int, kinds: tuple[str, ...]
    ) -> Reply:
        """Return what a fault before the books makes of a request."""
        fault = fired.fault
        kind = fault.kind
        if kind is PlatformFault.ERROR_BURST:
            kind = _BURST[(fired.count - 1) % len(_BURST)]
        carried_out = fault.carried_out and fault.kind in _MAY_CARRY_OUT
        if carried_out:
            self._carry_out(request, self._now_ns, None)
        node: Fields = {}
        reply = _broken(fault.ms * NS_PER_MS)
        if kind is PlatformFault.PROCESSED_LATE:
            self._hold(request, fault.ms)
        elif kind is PlatformFault.HTTP_5XX:
            reply = self._plain(502, b"<html><h1>502 Bad Gateway</h1></html>\n", delay_ns=delay_ns)
        elif kind is PlatformFault.HTTP_429:
            retry = ("Retry-After", "1")
            reply = self._plain(429, b"Too Many Requests\n", retry, delay_ns=delay_ns)
        elif kind is PlatformFault.CERTIFICATE_EXPIRED:
            reply = replace(_broken(0), unsent=True)
        elif kind is not PlatformFault.DROPPED_BEFORE:
            node, reply = self._error_answer(request, kind, fault.sub_code, delay_ns)
        self._note(request.method, request.biz, kinds, node, carried_out=carried_out)
        return reply

    def _error_answer(
        self, request: GatewayRequest, kind: PlatformFault, sub_code: str, delay_ns: int
    ) -> tuple[Fields, Reply]:
        if kind is PlatformFault.UNSIGNED_ERROR:
            sub_code = sub_code or "isv.invalid-app-id"
            node = Refusal(code="40002", sub_code=sub_code, sub_msg="无效的参数").fields()
            body = answer_bytes("error_response", node_text(node), None, charset=request.charset)
        else:
            gateway = kind is PlatformFault.GATEWAY_ERROR
            node = (
                _gateway_error(sub_code or "isp.unknow-error")
                if gateway
                else business_failed("ACQ.SYSTEM_ERROR")
            )
            body = self._body(request, node, None)
        return node, self._transport(body, request.charset, delay_ns, None)

    def _carry_out(self, request: GatewayRequest, now_ns: int, fault: Fault | None) -> Fields:
        """Let the books do what the call asks, bent by a business fault."""
        node: Fields = {}
        if fault is None or not _keeps_from_books(fault):
            node = self._ask_books(request, now_ns, fault)
        if fault is None or fault.kind not in _OWN_ANSWER:
            return node
        if fault.kind is PlatformFault.CANCEL_LIES:
            return self._books.cancel_answer(request.biz, "close")
        refused = business_failed(fault.sub_code or "ACQ.SYSTEM_ERROR")
        if fault.kind is PlatformFault.CANCEL_REFUSED:
            refused["retry_flag"] = "Y"
        return refused

    def _ask_books(self, request: GatewayRequest, now_ns: int, fault: Fault | None) -> Fields:
        biz = request.biz
        call = CALLS[request.method]
        if call == "pay":
            kind = None if fault is None else fault.kind
            wait_ms = fault.ms if fault and kind is PlatformFault.PASSWORD_WAIT else None
            extra_fen = fault.fen if fault and kind is PlatformFault.CHARGED_WRONG else 0
            return self._books.pay(biz, now_ns, wait_ms=wait_ms, extra_fen=extra_fen)
        if call == "query":
            return self._books.query(biz, now_ns)
        if call == "cancel":
            return self._books.cancel(biz, now_ns)
        if call == "refund":
            return self._books.refund(biz, now_ns)
        assert call == "refund_query", "every offered call is listed here"
        return self._books.refund_query(biz, now_ns)

    def _body(self, request: GatewayRequest, node: Fields, fired: Fired | None) -> bytes:
        """Return the signed answer, bent by an answer fault."""
        kind = None if fired is None else fired.fault.kind
        if fired is not None and kind is PlatformFault.WRONG_AMOUNT:
            node = _raised(node, fired.fault.fen)
        name = node_name(request.method)
        text = node_text(node, awkward=kind is PlatformFault.AWKWARD_JSON)
        signed = text.encode(request.charset, "replace")
        if kind in (PlatformFault.BAD_SIGNATURE, PlatformFault.KEY_CHANGED):
            signed += b" "
        sign = None if kind is PlatformFault.MISSING_SIGNATURE else signature_of(self._keys, signed)
        tail = ""
        if kind is PlatformFault.DUPLICATE_NODE:
            tail = f',"{name}":{node_text(_forged(request.biz))}'
        return answer_bytes(name, text, sign, charset=request.charset, tail=tail)

    def _transport(self, body: bytes, charset: str, delay_ns: int, fired: Fired | None) -> Reply:
        kind = None if fired is None else fired.fault.kind
        if fired is not None and kind is PlatformFault.ANSWER_LOST:
            return _broken(delay_ns + fired.fault.ms * NS_PER_MS)
        half = body[: len(body) // 2]
        if kind is PlatformFault.TRUNCATED:
            body = half
        headers = _headers(f"text/html;charset={charset}", len(body))
        if kind is PlatformFault.HALF_ANSWER:
            return Reply(status=200, headers=headers, body=half, delay_ns=delay_ns, dropped=True)
        return Reply(status=200, headers=headers, body=body, delay_ns=delay_ns)

    def _hold(self, request: GatewayRequest, ms: int) -> None:
        if len(self._late) >= MAX_LATE:
            return
        self._late_no += 1
        heapq.heappush(self._late, (self._now_ns + ms * NS_PER_MS, self._late_no, request))

    def _refusal(self, no: Refusal, method: str) -> Reply:
        fields = no.fields()
        self._note(method, {}, (), fields, carried_out=False)
        named = no.signed and _METHOD.fullmatch(method) is not None
        text = node_text(fields)
        sign = signature_of(self._keys, text.encode("utf-8")) if no.signed else None
        name = node_name(method) if named else "error_response"
        body = answer_bytes(name, text, sign, charset="utf-8")
        return self._transport(body, "utf-8", self._delay_ns({}), None)

    def _plain(
        self, status: int, body: bytes, *more: tuple[str, str], delay_ns: int | None = None
    ) -> Reply:
        headers = (*_headers("text/html", len(body)), *more)
        delay = self._delay_ns({}) if delay_ns is None else delay_ns
        return Reply(status=status, headers=headers, body=body, delay_ns=delay)

    def _delay_ns(self, drawn: dict[Stage, Fired]) -> int:
        jitter = self._rng.randrange(self._jitter_ms + 1) if self._jitter_ms else 0
        slow = drawn.get(Stage.PACE)
        extra = 0 if slow is None else slow.fault.ms
        return (self._latency_ms + jitter + extra) * NS_PER_MS

    def _note(
        self, method: str, biz: Fields, kinds: tuple[str, ...], node: Fields, *, carried_out: bool
    ) -> None:
        named = named_trade(biz)
        view = CallView(
            at_ns=self._now_ns,
            method=method,
            out_trade_no=named[0] if named else "",
            carried_out=carried_out,
            code=str(node.get("code", "")),
            sub_code=str(node.get("sub_code", "")),
            faults=kinds,
        )
        self._calls.append(view)


def _is_form(headers: tuple[tuple[str, str], ...]) -> bool:
    kinds = [value for name, value in headers if name.lower() == "content-type"]
    wanted = "application/x-www-form-urlencoded"
    return not kinds or kinds[-1].partition(";")[0].strip().lower() == wanted


def _headers(content_type: str, length: int) -> tuple[tuple[str, str], ...]:
    return (("Content-Type", content_type), ("Content-Length", str(length)))


def _broken(delay_ns: int) -> Reply:
    return Reply(status=0, headers=(), body=b"", delay_ns=delay_ns, dropped=True)


def _keeps_from_books(fault: Fault) -> bool:
    if fault.kind is PlatformFault.BUSINESS_REFUSED:
        return not fault.carried_out
    return fault.kind in (PlatformFault.CANCEL_REFUSED, PlatformFault.CANCEL_LIES)


def _gateway_error(sub_code: str) -> Fields:
    return {
        "code": "20000",
        "msg": MSGS["20000"],
        "sub_code": sub_code,
        "sub_msg": "服务暂不可用",
    }


def _raised(node: Fields, fen: int) -> Fields:
    """Return *node* with every amount of the payment *fen* higher."""
    raised = dict(node)
    for name in ("total_amount", "receipt_amount", "buyer_pay_amount", "invoice_amount"):
        old = fen_of(str(node.get(name, "")))
        if old:
            raised[name] = yuan_of(old + fen)
    return raised


def _forged(biz: Fields) -> Fields:
    """Return a node that says paid, as somebody in the middle would write it."""
    named = named_trade(biz)
    return {
        "code": "10000",
        "msg": MSGS["10000"],
        "out_trade_no": named[0] if named else "",
        "total_amount": biz.get("total_amount", "0.01"),
        "trade_no": "2026010122001000000000000000",
        "trade_status": "TRADE_SUCCESS",
    }
