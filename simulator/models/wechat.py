"""The simulated WeChat Pay v3 platform, whole and synchronous: bytes in, bytes and delays out.

``handle`` takes one HTTP request at one instant and returns one ``Reply``; see
``simulator.models.platform_face`` for what is common to all platforms. Around the wire stand the
drivers' wallets (``issue_code``), the books as an auditor may see them (``books``, ``charges_of``,
``calls``) and the faults (``inject``).

Offered: codepay, query by out_trade_no and by transaction_id, reverse, domestic refunds and their
query, certificates, the daily trade bill and its download. Calls are named for faults: pay, query,
cancel (the reverse), refund, refund_query, certificates, bill, bill_file. Answers are signed with
the platform certificate's key or, where a request says ``Wechatpay-Serial: PUB_KEY_ID_…`` or the
set-up says so, with the platform's public-key pair. A bill's file and a 401 are not signed. No
notify is sent: code payments have none. The partner paths are not granted (403 NO_AUTH).
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass

from simulator.models.faults import Fault, Fired, PlatformFault
from simulator.models.platform_face import (
    Answer,
    Asked,
    PlatformFace,
    charged_extra_fen,
    foreign,
    password_wait_ms,
)
from simulator.models.platform_values import (
    DAY_NS,
    BuyerBehaviour,
    Charge,
    IssuedCode,
    Randomness,
    TradeView,
    beijing_day_ns,
)
from simulator.models.platform_wire import (
    NS_PER_MS,
    NS_PER_S,
    Fields,
    HttpRequest,
    Reply,
    framing,
    json_text,
)
from simulator.models.wechat_bills import BILL_TYPES, WechatBills
from simulator.models.wechat_books import WechatBooks
from simulator.models.wechat_values import No, WechatConfig, refused
from simulator.models.wechat_wallets import DEFAULT_PREFIX, WechatWallets
from simulator.models.wechat_wire import (
    NONCE_LENGTH,
    PROBE_PREFIX,
    SCHEME,
    PlatformCertificate,
    WechatKeys,
    answer_text,
    body_fields,
    check_request,
    encrypted,
    nonce_of,
    query_fields,
)

CODEPAY_PATH = "/v3/pay/transactions/codepay"
REFUNDS_PATH = "/v3/refund/domestic/refunds"
CERTIFICATES_PATH = "/v3/certificates"
TRADE_BILL_PATH = "/v3/bill/tradebill"
BILL_FILE_PATH = "/v3/billdownload/file"
_NUMBER = r"[A-Za-z0-9_\-*|@]{1,64}"
_BY_NUMBER = rf"/v3/pay/transactions/out-trade-no/(?P<no>{_NUMBER})"
_ROUTES: tuple[tuple[str, re.Pattern[str], str, str], ...] = tuple(
    (verb, re.compile(path), call, method)
    for verb, path, call, method in (
        ("POST", CODEPAY_PATH, "pay", "codepay"),
        ("GET", _BY_NUMBER, "query", "query"),
        ("GET", rf"/v3/pay/transactions/id/(?P<id>{_NUMBER})", "query", "query by id"),
        (
            "POST",
            rf"/v3/pay/transactions/out-trade-no/(?P<no>{_NUMBER})/reverse",
            "cancel",
            "reverse",
        ),
        ("POST", REFUNDS_PATH, "refund", "refunds"),
        ("GET", rf"{REFUNDS_PATH}/(?P<no>{_NUMBER})", "refund_query", "refund query"),
        ("GET", CERTIFICATES_PATH, "certificates", "certificates"),
        ("GET", TRADE_BILL_PATH, "bill", "tradebill"),
        ("GET", BILL_FILE_PATH, "bill_file", "billdownload"),
    )
)
_PARTNER = re.compile(r"/v3/(pay/partner|combine-transactions|ecommerce)/.*")
BILL_MONTHS_NS = 92 * DAY_NS
"""Bills are kept for three months."""
MAX_BILL_TOKENS = 256
"""Addresses of bills alive at once; the oldest dies first."""
STALE_MS = 600_000
"""How old STALE_ANSWER makes an answer where it says no time: twice what a merchant may take."""
TOKEN_LENGTH = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class _BillFile:
    text: bytes
    gzipped: bool
    dies_at_ns: int


class WechatModel(PlatformFace):
    """One platform with one merchant. Every call names its instant; instants never go backwards."""

    def __init__(
        self,
        *,
        config: WechatConfig,
        keys: WechatKeys,
        rng: Randomness,
        certificates: tuple[PlatformCertificate, ...] = (),
        api_v3_key: bytes = b"",
    ) -> None:
        """Set up one platform.

        Args:   certificates: what the certificates' call hands out; none = a merchant of the
                public-key kind, for whom the call is 404.
                api_v3_key: 32 bytes, the secret the certificates are encrypted under; needed with
                certificates only.
        """
        super().__init__(
            rng=rng,
            wall_base_ns=config.wall_base_ns,
            latency_ms=config.latency_ms,
            jitter_ms=config.latency_jitter_ms,
        )
        assert not certificates or len(api_v3_key) == 32, "an APIv3 key has 32 bytes"
        self._config = config
        self._keys = keys
        self._certificates = certificates
        self._api_v3_key = api_v3_key
        self._wallets = WechatWallets(rng=rng, code_ttl_ms=config.code_ttl_ms)
        self._books = WechatBooks(config=config, wallets=self._wallets, rng=rng)
        self._bills = WechatBills(config=config, books=self._books, wallets=self._wallets)
        self._files: dict[str, _BillFile] = {}
        self._bill_host = config.bill_host

    @property
    def config(self) -> WechatConfig:
        """The set-up this platform was made with."""
        return self._config

    def serve_bills_at(self, host: str) -> None:
        """Let addresses of bills begin with *host* (``http://127.0.0.1:1234``)."""
        self._bill_host = host

    def issue_code(
        self,
        buyer_id: str,
        now_ns: int,
        behaviour: BuyerBehaviour = BuyerBehaviour.PAYS,
        *,
        after_ms: int = 0,
        prefix: int = DEFAULT_PREFIX,
        ttl_ms: int | None = None,
    ) -> IssuedCode:
        """Show a fresh single-use pay code, 18 digits, on the phone of *buyer_id*.

        Args:   after_ms: when the buyer confirms or closes the dialog, counted from the pay call.
                prefix: 10..15. ttl_ms: lifetime; None = the platform's usual.
        """
        self._advance(now_ns)
        return self._wallets.issue(
            buyer_id, now_ns, behaviour, after_ms=after_ms, prefix=prefix, ttl_ms=ttl_ms
        )

    def books(self, now_ns: int) -> tuple[TradeView, ...]:
        """Return every order as the books stand at *now_ns*, in the order they were made."""
        self._advance(now_ns)
        return self._books.views()

    def charges_of(self, buyer_id: str, now_ns: int) -> tuple[Charge, ...]:
        """Return what the buyer's phone remembers of having paid."""
        self._advance(now_ns)
        return self._books.charges_of(buyer_id, now_ns)

    def buyers(self) -> tuple[str, ...]:
        """Return every buyer that ever held a code."""
        return self._wallets.buyers()

    def _take(self, request: HttpRequest) -> Reply:
        path = request.bare_path
        found = [
            (route, match) for route in _ROUTES if (match := route[1].fullmatch(path)) is not None
        ]
        if not found and not _PARTNER.fullmatch(path):
            return self._plain(404, b"Not Found\n")
        no = check_request(request, config=self._config, keys=self._keys, wall_ns=self._wall_ns)
        asked = self._asked(request, "", request.method, "", {})
        if no is not None:
            return self._refuse(asked, no, signed=False)
        if not found:
            return self._refuse(asked, refused("NO_AUTH"), signed=True)
        for (verb, _, call, method), match in found:
            if verb == request.method:
                names = match.groupdict()
                return self._understand(request, call, method, names)
        return self._plain(405, b"Method Not Allowed\n")

    def _understand(
        self, request: HttpRequest, call: str, method: str, names: dict[str, str]
    ) -> Reply:
        posted = request.method == "POST"
        said = body_fields(request.body) if posted else query_fields(request.query_bytes)
        if said is None:
            asked = self._asked(request, call, method, names.get("no", ""), {})
            return self._refuse(asked, refused("PARAM_ERROR"), signed=True)
        number = str(said.get("out_trade_no", ""))[:64] if posted else ""
        number = names.get("no", number)
        fields: Fields = {**said, "/no": names.get("no", ""), "/id": names.get("id", "")}
        return self._serve(self._asked(request, call, method, number, fields))

    def _asked(
        self, request: HttpRequest, call: str, method: str, number: str, fields: Fields
    ) -> Asked:
        config = self._config
        by_default = (
            config.public_key_id if config.signs_with_public_key else config.platform_serial
        )
        wanted = request.header("wechatpay-serial")
        ours = (config.public_key_id, config.platform_serial)
        signer = wanted if wanted in ours else by_default
        return Asked(call=call, method=method, number=number, fields=fields, signer=signer)

    def _refuse(self, asked: Asked, no: No, *, signed: bool) -> Reply:
        answer = Answer(fields=no.fields(), code=no.code, status=no.status, signed=signed)
        self._note(asked, (), answer, carried_out=False)
        return self._write(asked, answer, None, self._delay_ns({}))

    def _bring_books_to(self, now_ns: int) -> None:
        self._books.advance(now_ns)

    def _ask_books(self, asked: Asked, now_ns: int, fault: Fault | None) -> Answer:
        calls: dict[str, Callable[[], tuple[int, Fields] | No]] = {
            "pay": lambda: self._books.pay(
                _said(asked),
                now_ns,
                wait_ms=password_wait_ms(fault),
                extra_fen=charged_extra_fen(fault),
            ),
            "query": lambda: self._query(asked),
            "cancel": lambda: self._books.reverse(asked.number, _said(asked), now_ns),
            "refund": lambda: self._books.refund(_said(asked), now_ns),
            "refund_query": lambda: self._books.refund_query(asked.number, now_ns),
            "certificates": self._certificates_answer,
            "bill": lambda: self._bill(_said(asked), now_ns),
        }
        if asked.call == "bill_file":
            return self._bill_file(_said(asked), now_ns)
        said = calls[asked.call]()
        if isinstance(said, No):
            return _answer_of(said)
        status, fields = said
        code = str(fields.get("trade_state", fields.get("status", "OK")))
        return Answer(fields=fields, code=code, status=status)

    def _query(self, asked: Asked) -> tuple[int, Fields] | No:
        if asked.fields.get("mchid") != self._config.merchant_id:
            return refused("PARAM_ERROR", "输入源“mchid”无效")
        return self._books.query(str(asked.fields["/no"]), str(asked.fields["/id"]))

    def _certificates_answer(self) -> tuple[int, Fields] | No:
        now = self._wall_ns
        alive = [one for one in self._certificates if one.begins_ns <= now < one.ends_ns]
        if not alive:
            text = "无可用的平台证书，请在商户平台-API安全申请使用微信支付公钥"
            return refused("RESOURCE_NOT_EXISTS", text)
        return 200, {"data": [encrypted(one, self._api_v3_key, self._rng) for one in alive]}

    def _bill(self, said: Fields, now_ns: int) -> tuple[int, Fields] | No:
        begins_ns = beijing_day_ns(str(said.get("bill_date", "")))
        kind, packing = str(said.get("bill_type", "ALL")), str(said.get("tar_type", ""))
        if begins_ns is None or kind not in BILL_TYPES or packing not in ("", "GZIP"):
            return refused("PARAM_ERROR", "输入源“bill_date”无效")
        ends_ns = begins_ns + DAY_NS
        wall_ns = self._wall_ns
        if wall_ns < ends_ns or wall_ns > ends_ns + BILL_MONTHS_NS:
            return refused("INVALID_REQUEST", "账单日期不在可下载范围内")
        if wall_ns < ends_ns + self._config.bill_ready_ms * NS_PER_MS:
            return refused("STATEMENT_CREATING")
        text = self._bills.bill(begins_ns, ends_ns, kind)
        if text is None:
            return refused("NO_STATEMENT_EXIST")
        token = nonce_of(self._rng, TOKEN_LENGTH)
        while len(self._files) >= MAX_BILL_TOKENS:
            del self._files[next(iter(self._files))]
        self._files[token] = _BillFile(
            text=text,
            gzipped=packing == "GZIP",
            dies_at_ns=now_ns + self._config.bill_url_ms * NS_PER_MS,
        )
        tail = "&tartype=gzip" if packing == "GZIP" else ""
        return 200, {
            "download_url": f"{self._bill_host}{BILL_FILE_PATH}?token={token}{tail}",
            "hash_type": "SHA1",
            # The hash is the interface's; it guards against broken downloads, not against people.
            "hash_value": hashlib.sha1(text, usedforsecurity=False).hexdigest(),
        }

    def _bill_file(self, said: Fields, now_ns: int) -> Answer:
        found = self._files.get(str(said.get("token", "")))
        if found is None or now_ns >= found.dies_at_ns:
            return _answer_of(refused("RESOURCE_NOT_EXISTS", "下载链接已失效，请重新申请账单"))
        data = gzip.compress(found.text, mtime=0) if found.gzipped else found.text
        kind = "application/x-gzip" if found.gzipped else "text/plain;charset=utf-8"
        return Answer(fields={}, code="OK", signed=False, file=data, file_type=kind)

    def _refused(self, asked: Asked, fault: Fault) -> Answer:
        usual = "USERPAYING" if fault.kind is PlatformFault.CANCEL_REFUSED else "SYSTEM_ERROR"
        return _answer_of(refused(fault.sub_code or usual))

    def _cancel_lie(self, asked: Asked) -> Answer:
        return Answer(fields=self._books.reverse_fields(asked.number), code="OK")

    def _error(self, asked: Asked, kind: PlatformFault, sub_code: str) -> Answer:
        usual = {
            PlatformFault.GATEWAY_ERROR: "SYSTEM_ERROR",
            PlatformFault.BUSINESS_REFUSED: "BANK_ERROR",
        }
        no = refused(sub_code or usual.get(kind, "SIGN_ERROR"))
        signed = kind is not PlatformFault.UNSIGNED_ERROR
        return Answer(fields=no.fields(), code=no.code, status=no.status, signed=signed)

    def _write(self, asked: Asked, answer: Answer, fired: Fired | None, delay_ns: int) -> Reply:
        kind = None if fired is None else fired.fault.kind
        fields = answer.fields
        if fired is not None and kind is PlatformFault.WRONG_AMOUNT:
            fields = _raised(fields, fired.fault.fen)
        fields = foreign(fields, fired)
        awkward = "note" if kind is PlatformFault.AWKWARD_JSON else ""
        body = answer.file
        content_type = answer.file_type
        if body is None:
            body = json_text(fields, awkward=awkward).encode("utf-8")
            content_type = "application/json; charset=utf-8"
        signing: tuple[tuple[str, str], ...] = ()
        if answer.signed and kind is not PlatformFault.MISSING_SIGNATURE:
            signing = self._signature(asked, body, fired)
        if kind is PlatformFault.DUPLICATE_NODE and answer.file is None:
            body = body[:-1] + b"," + json_text(_forged(asked)).encode()[1:]
        headers = (
            *framing(content_type, len(body), self._wall_ns),
            ("Request-ID", nonce_of(self._rng).upper()),
            *signing,
        )
        return Reply(status=answer.status, headers=headers, body=body, delay_ns=delay_ns)

    def _signature(
        self, asked: Asked, body: bytes, fired: Fired | None
    ) -> tuple[tuple[str, str], ...]:
        """Return the headers that sign *body*, bent by a fault."""
        kind = None if fired is None else fired.fault.kind
        serial = asked.signer
        if kind is PlatformFault.KEY_CHANGED:
            serial = self._config.next_serial
        wall_ns = self._wall_ns
        if fired is not None and kind is PlatformFault.STALE_ANSWER:
            wall_ns -= (fired.fault.ms or STALE_MS) * NS_PER_MS
        timestamp, nonce = str(wall_ns // NS_PER_S), nonce_of(self._rng, NONCE_LENGTH)
        text = answer_text(timestamp, nonce, body)
        if kind is PlatformFault.BAD_SIGNATURE:
            text += b" "
        signature = base64.b64encode(self._keys.sign(text, serial)).decode("ascii")
        if kind is PlatformFault.SIGNATURE_PROBE:
            signature = PROBE_PREFIX + signature[: -len(PROBE_PREFIX)]
        return (
            ("Wechatpay-Nonce", nonce),
            ("Wechatpay-Signature", signature),
            ("Wechatpay-Timestamp", timestamp),
            ("Wechatpay-Serial", serial),
            ("Wechatpay-Signature-Type", SCHEME),
        )


def _said(asked: Asked) -> Fields:
    """Return what the call said, without the names of its path."""
    return {name: value for name, value in asked.fields.items() if not name.startswith("/")}


def _answer_of(no: No) -> Answer:
    return Answer(fields=no.fields(), code=no.code, status=no.status)


def _raised(fields: Fields, fen: int) -> Fields:
    """Return *fields* with every amount of the payment or refund *fen* higher."""
    amount = fields.get("amount")
    if not isinstance(amount, dict):
        return fields
    raised = {
        name: value + fen if isinstance(value, int) and value else value
        for name, value in amount.items()
    }
    return {**fields, "amount": raised}


def _forged(asked: Asked) -> Fields:
    """Return members that say paid, as somebody in the middle would add them."""
    return {
        "out_trade_no": asked.number,
        "trade_state": "SUCCESS",
        "transaction_id": "4200000000202611220000000000",
        "status": "SUCCESS",
    }
