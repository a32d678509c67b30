"""The simulated Alipay platform, whole and synchronous: bytes in, bytes and delays out.

``handle`` takes one HTTP request at one instant and returns one ``Reply``; see
``simulator.models.platform_face`` for what is common to all platforms. Around the wire stand the
drivers' wallets (``issue_code``), the books as an auditor may see them (``books``, ``charges_of``,
``calls``) and the faults (``inject``).

Offered in key mode and in certificate mode: alipay.trade.pay (bar_code), query, cancel, refund,
fastpay.refund.query, the daily trade bill's address and its download, and in certificate mode the
platform's certificates. No notify is sent: a plaza behind NAT does not get one. Remembered, not
read: the answer's content type ``text/html``, zeros in a waiting trade's amounts, and what is
answered where there is no bill.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass

from simulator.models.alipay_bills import AlipayBills
from simulator.models.alipay_books import AlipayBooks, business_failed
from simulator.models.alipay_orders import named_trade
from simulator.models.alipay_values import (
    AlipayConfig,
    BuyerBehaviour,
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
    AlipayCertificates,
    GatewayKeys,
    Refusal,
    answer_bytes,
    check_request,
    merge_parameters,
    node_name,
    signature_of,
)
from simulator.models.faults import Fault, Fired, PlatformFault
from simulator.models.platform_face import (
    Answer,
    Asked,
    PlatformFace,
    charged_extra_fen,
    foreign,
    password_wait_ms,
)
from simulator.models.platform_values import DAY_NS, BillMistake, beijing_day_ns, beijing_text
from simulator.models.platform_wire import (
    MAX_BODY_BYTES,
    NS_PER_MS,
    Fields,
    HttpRequest,
    Reply,
    framing,
    json_text,
)

__all__ = ["GATEWAY_PATH", "MAX_BODY_BYTES", "AlipayModel", "HttpRequest", "Reply"]

GATEWAY_PATH = "/gateway.do"
BILL_PATH = "/downloadBillFile.resource"
MAX_BILL_TOKENS = 256
"""Addresses of bills alive at once; the oldest dies first."""
BILL_MONTHS_NS = 915 * DAY_NS
"""Bills are kept for 30 months."""

CALLS = {
    "alipay.trade.pay": "pay",
    "alipay.trade.query": "query",
    "alipay.trade.cancel": "cancel",
    "alipay.trade.refund": "refund",
    "alipay.trade.fastpay.refund.query": "refund_query",
    "alipay.data.dataservice.bill.downloadurl.query": "bill",
    "alipay.open.app.alipaycert.download": "certificates",
}
"""Offered methods and the short names faults use for them."""
_BILL_KINDS = {"trade": True, "signcustomer": False}
"""Kinds of bills and whether this application may have them."""
_METHOD = re.compile(r"[a-z][a-z0-9.]*", re.ASCII)
"""Method texts that may be named in an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _BillFile:
    data: bytes
    dies_at_ns: int


class AlipayModel(PlatformFace):
    """One platform with one merchant. Every call names its instant; instants never go backwards."""

    def __init__(
        self,
        *,
        config: AlipayConfig,
        keys: GatewayKeys,
        rng: Randomness,
        certificates: AlipayCertificates | None = None,
    ) -> None:
        """Set up one platform; with *certificates* it is one of certificate mode."""
        super().__init__(
            rng=rng,
            wall_base_ns=config.wall_base_ns,
            latency_ms=config.latency_ms,
            jitter_ms=config.latency_jitter_ms,
        )
        self._config = config
        self._keys = keys
        self._wallets = Wallets(rng=rng, code_ttl_ms=config.code_ttl_ms)
        self._books = AlipayBooks(config=config, wallets=self._wallets, rng=rng)
        self._certificates = certificates
        self._bills = AlipayBills(config=config, books=self._books, wallets=self._wallets)
        self._bill_files: dict[str, _BillFile] = {}
        self._bill_host = config.bill_host

    @property
    def config(self) -> AlipayConfig:
        """The set-up this platform was made with."""
        return self._config

    def serve_bills_at(self, host: str) -> None:
        """Let addresses of bills begin with *host* (``http://127.0.0.1:1234``)."""
        self._bill_host = host

    def write_bill(
        self, day: str | None, now_ns: int, mistakes: Sequence[BillMistake] = ()
    ) -> tuple[str, int]:
        """Write a day's bill now, before its time, perhaps with mistakes; it is what the merchant
        gets from then on.

        Args:   day: yyyy-MM-dd in Beijing; None: today.
        Returns: the day, and how many rows its bill has.
        Raises: ValueError: no such day, or fewer payments on it than *mistakes*.
        """
        self.books(now_ns)
        if day is None:
            day = beijing_text(self._wall_base_ns + now_ns)[:10]
        begins_ns = beijing_day_ns(day)
        if begins_ns is None:
            raise ValueError("no day of the calendar")
        return day, self._bills.write(begins_ns, mistakes)

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

    def _take(self, request: HttpRequest) -> Reply:
        if request.bare_path == BILL_PATH:
            return self._serve(_asked("billdownload", _token(request), "utf-8"))
        if request.bare_path != GATEWAY_PATH:
            return self._plain(404, b"Not Found\n")
        if request.method not in ("GET", "POST"):
            return self._plain(405, b"Method Not Allowed\n", ("Allow", "GET, POST"))
        form = request.body if _is_form(request) else b""
        merged = merge_parameters(request.query_bytes, form)
        if isinstance(merged, Refusal):
            return self._refusal(merged, "")
        checked = check_request(
            merged,
            config=self._config,
            keys=self._keys,
            wall_ns=self._wall_ns,
            certificates=self._certificates,
        )
        method = merged.get("method", b"").decode("ascii", "replace")
        if isinstance(checked, Refusal):
            return self._refusal(checked, method)
        if method in CALLS:
            return self._serve(_asked(method, checked.biz, checked.charset))
        why = "不存在的方法名"
        no = Refusal(code="40002", sub_code="isv.invalid-method", sub_msg=why, signed=True)
        return self._refusal(no, method)

    def _bring_books_to(self, now_ns: int) -> None:
        self._books.advance(now_ns)

    def _ask_books(self, asked: Asked, now_ns: int, fault: Fault | None) -> Answer:
        biz = asked.fields
        match asked.call:
            case "pay":
                wait_ms, extra_fen = password_wait_ms(fault), charged_extra_fen(fault)
                node = self._books.pay(biz, now_ns, wait_ms=wait_ms, extra_fen=extra_fen)
            case "query":
                node = self._books.query(biz, now_ns)
            case "cancel":
                node = self._books.cancel(biz, now_ns)
            case "refund":
                node = self._books.refund(biz, now_ns)
            case "refund_query":
                node = self._books.refund_query(biz, now_ns)
            case "bill":
                node = self._bill(biz, now_ns)
            case "certificates":
                node = self._certificate(biz)
            case _:
                assert asked.call == "bill_file", "every offered call is listed here"
                return self._bill_file(biz, now_ns)
        return _answer(node)

    def _bill(self, biz: Fields, now_ns: int) -> Fields:
        """Carry out the query for a daily bill's address."""
        kind = str(biz.get("bill_type", ""))
        begins_ns = beijing_day_ns(str(biz.get("bill_date", "")))
        if kind not in _BILL_KINDS or begins_ns is None:
            return business_failed("isv.invalid-arguments")
        if not _BILL_KINDS[kind]:
            sub_code, why = "isv.insufficient-isv-permissions", "ISV权限不足"
            return Refusal(code="40006", sub_code=sub_code, sub_msg=why).fields()
        ready_ns = begins_ns + DAY_NS + self._config.bill_ready_ms * NS_PER_MS
        packed, ready = None, ready_ns <= self._wall_ns or self._bills.is_written(begins_ns)
        if ready and self._wall_ns <= begins_ns + BILL_MONTHS_NS:
            packed = self._bills.packed(begins_ns)
        if packed is None:
            return business_failed("isp.bill_not_exist")
        token = f"{self._rng.randrange(16**32):032x}"
        while len(self._bill_files) >= MAX_BILL_TOKENS:
            del self._bill_files[next(iter(self._bill_files))]
        dies_at_ns = now_ns + self._config.bill_url_ms * NS_PER_MS
        self._bill_files[token] = _BillFile(data=packed, dies_at_ns=dies_at_ns)
        day = str(biz["bill_date"]).replace("-", "")
        account = self._bills.account
        url = (
            f"{self._bill_host}{BILL_PATH}?bizType=trade&userId={account}&fileType=csv.zip"
            f"&bizDates={day}&downloadFileName={account}_{day}.csv.zip"
            f"&timestamp={self._wall_ns // NS_PER_MS}&token={token}"
        )
        return {"code": "10000", "msg": MSGS["10000"], "bill_download_url": url}

    def _bill_file(self, said: Fields, now_ns: int) -> Answer:
        """Answer with the file, or with the page a dead address shows."""
        found = self._bill_files.get(str(said.get("token", "")))
        if found is None or now_ns >= found.dies_at_ns:
            page = "<html><body>下载超时</body></html>".encode("gbk")
            return Answer(
                fields={}, code="gone", signed=False, file=page, file_type="text/html;charset=GBK"
            )
        kind = "application/octet-stream"
        return Answer(fields={}, code="10000", signed=False, file=found.data, file_type=kind)

    def _certificate(self, biz: Fields) -> Fields:
        """Carry out alipay.open.app.alipaycert.download."""
        mine = self._certificates
        pem = None if mine is None else mine.pem_of(str(biz.get("alipay_cert_sn", "")))
        if pem is None:
            return business_failed("isv.invalid-alipay-cert-sn")
        content = base64.b64encode(pem).decode("ascii")
        return {"code": "10000", "msg": MSGS["10000"], "alipay_cert_content": content}

    def _refused(self, asked: Asked, fault: Fault) -> Answer:
        node = business_failed(fault.sub_code or "ACQ.SYSTEM_ERROR")
        if fault.kind is PlatformFault.CANCEL_REFUSED:
            node["retry_flag"] = "Y"
        return _answer(node)

    def _cancel_lie(self, asked: Asked) -> Answer:
        return _answer(self._books.cancel_answer(asked.fields, "close"))

    def _error(self, asked: Asked, kind: PlatformFault, sub_code: str) -> Answer:
        if kind is PlatformFault.UNSIGNED_ERROR:
            sub_code = sub_code or "isv.invalid-app-id"
            no = Refusal(code="40002", sub_code=sub_code, sub_msg="无效的参数")
            return _answer(no.fields(), signed=False)
        if kind is PlatformFault.GATEWAY_ERROR:
            return _answer(_gateway_error(sub_code or "isp.unknow-error"))
        return _answer(business_failed("ACQ.SYSTEM_ERROR"))

    def _refusal(self, no: Refusal, method: str) -> Reply:
        named = no.signed and _METHOD.fullmatch(method) is not None
        answer = _answer(no.fields(), signed=no.signed)
        self._note(_asked(method, {}, "utf-8"), (), answer, carried_out=False)
        name = node_name(method) if named else "error_response"
        return self._written(name, answer, None, "utf-8", self._delay_ns({}), {})

    def _write(self, asked: Asked, answer: Answer, fired: Fired | None, delay_ns: int) -> Reply:
        name = node_name(asked.method) if answer.signed else "error_response"
        return self._written(name, answer, fired, asked.charset, delay_ns, asked.fields)

    def _written(
        self,
        name: str,
        answer: Answer,
        fired: Fired | None,
        charset: str,
        delay_ns: int,
        biz: Fields,
    ) -> Reply:
        """Return the answer called *name*, signed, bent by an answer fault."""
        if answer.file is not None:
            headers = framing(answer.file_type, len(answer.file), self._wall_ns)
            return Reply(status=200, headers=headers, body=answer.file, delay_ns=delay_ns)
        kind = None if fired is None else fired.fault.kind
        node = answer.fields
        if fired is not None and kind is PlatformFault.WRONG_AMOUNT:
            node = _raised(node, fired.fault.fen)
        node = foreign(node, fired)
        text = json_text(node, awkward="store_name" if kind is PlatformFault.AWKWARD_JSON else "")
        signed = text.encode(charset, "replace")
        keys, cert_sn = self._signing(kind)
        if kind in _OTHER_BYTES and keys is self._keys:
            signed += b" "
        sign = None
        if answer.signed and kind is not PlatformFault.MISSING_SIGNATURE:
            sign = signature_of(keys, signed)
        tail = ""
        if kind is PlatformFault.DUPLICATE_NODE:
            tail = f',"{name}":{json_text(_forged(biz))}'
        body = answer_bytes(name, text, sign, charset=charset, cert_sn=cert_sn, tail=tail)
        headers = framing(f"text/html;charset={charset}", len(body), self._wall_ns)
        return Reply(status=200, headers=headers, body=body, delay_ns=delay_ns)

    def _signing(self, kind: PlatformFault | None) -> tuple[GatewayKeys, str]:
        """Return who signs an answer, and the SN it names in certificate mode."""
        mine = self._certificates
        if mine is None:
            return self._keys, ""
        if kind is PlatformFault.KEY_CHANGED:
            return mine.next_keys, mine.next_sn
        return self._keys, mine.platform_sn


_OTHER_BYTES = (
    PlatformFault.BAD_SIGNATURE,
    PlatformFault.KEY_CHANGED,
    PlatformFault.SIGNATURE_PROBE,
)


def _token(request: HttpRequest) -> Fields:
    """Return what a bill's address says."""
    merged = merge_parameters(request.query_bytes, b"")
    if isinstance(merged, Refusal):
        return {}
    return {"token": merged.get("token", b"").decode("ascii", "replace")}


def _asked(method: str, biz: Fields, charset: str) -> Asked:
    named = named_trade(biz)
    return Asked(
        call="bill_file" if method == "billdownload" else CALLS.get(method, ""),
        method=method,
        number=named[0] if named else "",
        fields=biz,
        charset=charset,
    )


def _answer(node: Fields, *, signed: bool = True) -> Answer:
    return Answer(
        fields=node,
        code=str(node.get("code", "")),
        sub_code=str(node.get("sub_code", "")),
        signed=signed,
    )


def _is_form(request: HttpRequest) -> bool:
    kind = request.header("content-type")
    wanted = "application/x-www-form-urlencoded"
    return not kind or kind.partition(";")[0].strip().lower() == wanted


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
