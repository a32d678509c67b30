"""The simulated UnionPay gateway, whole and synchronous: bytes in, bytes and delays out.

``handle`` takes one HTTP request at one instant and returns one ``Reply``; see
``simulator.models.platform_face`` for what is common to all platforms. Around the wire stand the
drivers' wallets (``issue_code``, digits or a whole EMVCo block), the books as an auditor may see
them (``books``, ``charges_of``, ``calls``) and the faults (``inject``).

Offered, by txnType/txnSubType: payment 01/06 with qrNo, query 00/00, reversal 99/01 (the fault call
``cancel``), refund 04/00, settlement file 76/01 (``bill``). Everything is refused in the same
answered pairs, with HTTP 200. UNVERIFIED as a whole: built from public copies of the platform's
demo programs and from memory, not from a live account.
"""

from __future__ import annotations

import base64
import zlib
from datetime import timedelta

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
    BuyerBehaviour,
    Charge,
    IssuedCode,
    Randomness,
    TradeView,
    beijing_day_ns,
    beijing_moment,
)
from simulator.models.platform_wire import (
    NS_PER_MS,
    NS_PER_S,
    Fields,
    HttpRequest,
    Reply,
    framing,
)
from simulator.models.unionpay_bills import UnionpayBills
from simulator.models.unionpay_books import UnionpayBooks, answer, key_of
from simulator.models.unionpay_values import Code, UnionpayConfig
from simulator.models.unionpay_wallets import UnionpayWallets
from simulator.models.unionpay_wire import (
    SIGN_METHOD,
    VERSION,
    Pairs,
    UnionpayKeys,
    answer_bytes,
    is_merchants,
    parse_form,
    signed,
)

BACK_PATH = "/gateway/api/backTransReq.do"
QUERY_PATH = "/gateway/api/queryTrans.do"
FILE_PATH = "/"
"""Of the host that serves settlement files; here the same server."""
_PATHS = (BACK_PATH, QUERY_PATH, FILE_PATH)
CALLS = {
    ("01", "06"): "pay",
    ("00", "00"): "query",
    ("99", "01"): "cancel",
    ("04", "00"): "refund",
    ("76", "01"): "bill",
}
"""txnType and txnSubType of the offered calls and the short names faults use for them. A refund's
query is a query of its own pair: refund_query hits it."""
_NEEDED = ("version", "encoding", "signMethod", "certId", "merId", "txnTime", "signature")
_ECHOED = (
    *("version", "encoding", "bizType", "accessType", "merId", "orderId", "txnTime"),
    *("txnType", "txnSubType", "reqReserved"),
)
LOOK_BACK_DAYS = 366


class UnionpayModel(PlatformFace):
    """One gateway with one merchant. Every call names its instant; instants never go backwards."""

    def __init__(self, *, config: UnionpayConfig, keys: UnionpayKeys, rng: Randomness) -> None:
        super().__init__(
            rng=rng,
            wall_base_ns=config.wall_base_ns,
            latency_ms=config.latency_ms,
            jitter_ms=config.latency_jitter_ms,
        )
        self._config = config
        self._keys = keys
        self._wallets = UnionpayWallets(rng=rng, code_ttl_ms=config.code_ttl_ms)
        self._books = UnionpayBooks(config=config, wallets=self._wallets, rng=rng)
        self._bills = UnionpayBills(config=config, books=self._books, wallets=self._wallets)

    @property
    def config(self) -> UnionpayConfig:
        """The set-up this gateway was made with."""
        return self._config

    def issue_code(
        self,
        buyer_id: str,
        now_ns: int,
        behaviour: BuyerBehaviour = BuyerBehaviour.PAYS,
        *,
        after_ms: int = 0,
        emvco: bool = False,
        ttl_ms: int | None = None,
    ) -> IssuedCode:
        """Show a fresh single-use pay code on the phone of *buyer_id*.

        Args:   after_ms: when the buyer confirms or closes the dialog, counted from the pay call.
                emvco: a whole EMVCo block in base64 instead of 19 digits beginning 62.
                ttl_ms: lifetime; None = the platform's usual.
        """
        self._advance(now_ns)
        return self._wallets.issue(
            buyer_id, now_ns, behaviour, after_ms=after_ms, emvco=emvco, ttl_ms=ttl_ms
        )

    def books(self, now_ns: int) -> tuple[TradeView, ...]:
        """Return every payment as the books stand at *now_ns*, in the order they were made."""
        self._advance(now_ns)
        return self._books.views()

    def charges_of(self, buyer_id: str, now_ns: int) -> tuple[Charge, ...]:
        """Return what the buyer's phone remembers of having paid."""
        self._advance(now_ns)
        return self._books.charges_of(buyer_id)

    def buyers(self) -> tuple[str, ...]:
        """Return every buyer that ever held a code."""
        return self._wallets.buyers()

    def _take(self, request: HttpRequest) -> Reply:
        if request.bare_path not in _PATHS:
            return self._plain(404, b"Not Found\n")
        if request.method != "POST":
            return self._plain(405, b"Method Not Allowed\n", ("Allow", "POST"))
        said = parse_form(request.body)
        if said is None:
            return self._refuse({}, Code.BAD_TEXT)
        if any(not said.get(name) for name in _NEEDED):
            return self._refuse(said, Code.MISSING)
        if said["version"] != VERSION or said["signMethod"] != SIGN_METHOD:
            return self._refuse(said, Code.BAD_TEXT)
        if said["merId"] != self._config.merchant_id:
            return self._refuse(said, Code.MERCHANT)
        ours = said["certId"] == self._config.merchant_certificate_id
        if not ours or not is_merchants(said, self._keys):
            return self._refuse(said, Code.BAD_SIGNATURE)
        call = CALLS.get((said.get("txnType", ""), said.get("txnSubType", "")))
        if call is None or said.get("bizType") != "000000":
            return self._refuse(said, Code.BAD_TEXT)
        if call == "query" and self._books.is_refund(key_of(said)):
            call = "refund_query"
        return self._serve(_asked(call, said))

    def _refuse(self, said: Pairs, code: Code) -> Reply:
        asked = _asked("", said)
        refusal = _answer(answer(code))
        self._note(asked, (), refusal, carried_out=False)
        return self._write(asked, refusal, None, self._delay_ns({}))

    def _bring_books_to(self, now_ns: int) -> None:
        self._books.advance(now_ns)

    def _ask_books(self, asked: Asked, now_ns: int, fault: Fault | None) -> Answer:
        said = _pairs(asked.fields)
        match asked.call:
            case "pay":
                wait_ms, extra_fen = password_wait_ms(fault), charged_extra_fen(fault)
                pairs = self._books.pay(said, now_ns, wait_ms=wait_ms, extra_fen=extra_fen)
            case "query" | "refund_query":
                pairs = self._books.query(said, now_ns)
            case "cancel":
                pairs = self._books.reverse(said, now_ns)
            case "refund":
                pairs = self._books.refund(said, now_ns)
            case _:
                assert asked.call == "bill", "every offered call is listed here"
                pairs = self._bill(said)
        return _answer(pairs)

    def _bill(self, said: Pairs) -> Pairs:
        """Answer with the latest settlement day of that month and day whose file is ready."""
        today_ns = self._wall_ns
        wanted = said.get("settleDate", "")
        if said.get("fileType") != "00" or len(wanted) != 4:
            return answer(Code.BAD_TEXT)
        ready_ns = self._config.bill_ready_ms * NS_PER_MS
        for back in range(LOOK_BACK_DAYS):
            day = beijing_moment(today_ns) - timedelta(days=back)
            begins_ns = beijing_day_ns(day.strftime("%Y-%m-%d"))
            assert begins_ns is not None, "a day of the calendar"
            ended_ns = begins_ns + 24 * 3_600 * NS_PER_S
            if day.strftime("%m%d") == wanted and ended_ns + ready_ns <= today_ns:
                name = day.strftime("%Y%m%d")
                packed = self._bills.packed(name)
                if packed is None:
                    return answer(Code.NO_FILE)
                content = base64.b64encode(zlib.compress(packed)).decode("ascii")
                return {
                    **answer(Code.OK),
                    "fileContent": content,
                    "fileName": self._bills.file_name(name),
                    "settleDate": wanted,
                }
        return answer(Code.NO_FILE)

    def _refused(self, asked: Asked, fault: Fault) -> Answer:
        usual = Code.BUSY if fault.kind is PlatformFault.CANCEL_REFUSED else Code.FAILED
        return _answer(answer(fault.sub_code or usual))

    def _cancel_lie(self, asked: Asked) -> Answer:
        return _answer(self._books.reversed(_pairs(asked.fields)))

    def _error(self, asked: Asked, kind: PlatformFault, sub_code: str) -> Answer:
        usual = {
            PlatformFault.GATEWAY_ERROR: Code.BUSY,
            PlatformFault.BUSINESS_REFUSED: Code.NO_ANSWER,
        }
        said = answer(sub_code or usual.get(kind, Code.BAD_SIGNATURE))
        return _answer(said, is_signed=kind is not PlatformFault.UNSIGNED_ERROR)

    def _write(self, asked: Asked, answer: Answer, fired: Fired | None, delay_ns: int) -> Reply:
        kind = None if fired is None else fired.fault.kind
        said = _pairs(asked.fields)
        pairs = {name: said[name] for name in _ECHOED if said.get(name)}
        pairs |= {"version": VERSION, "encoding": "UTF-8"}
        pairs |= _pairs(answer.fields)
        if fired is not None and kind is PlatformFault.WRONG_AMOUNT and "txnAmt" in pairs:
            pairs["txnAmt"] = str(int(pairs["txnAmt"]) + fired.fault.fen)
        pairs = _pairs(foreign(pairs, fired))
        if kind is PlatformFault.AWKWARD_JSON:
            pairs["reqReserved"] = "{a=1&b=2}[c&d]"
        if answer.signed and kind is not PlatformFault.MISSING_SIGNATURE:
            stranger = kind is PlatformFault.KEY_CHANGED
            wrong = kind in (PlatformFault.BAD_SIGNATURE, PlatformFault.SIGNATURE_PROBE)
            pairs = signed(pairs, self._keys, stranger=stranger, wrong=wrong)
        body = answer_bytes(pairs)
        if kind is PlatformFault.DUPLICATE_NODE:
            body += b"&" + answer_bytes(_forged(said))
        headers = framing("text/html;charset=UTF-8", len(body), self._wall_ns)
        return Reply(status=200, headers=headers, body=body, delay_ns=delay_ns)


def _asked(call: str, said: Pairs) -> Asked:
    method = f"{said.get('txnType', '')}/{said.get('txnSubType', '')}"
    fields: Fields = dict(said)
    return Asked(call=call, method=method[:8], number=said.get("orderId", "")[:64], fields=fields)


def _pairs(fields: Fields) -> Pairs:
    return {name: str(value) for name, value in fields.items()}


def _answer(pairs: Pairs, *, is_signed: bool = True) -> Answer:
    return Answer(
        fields=dict(pairs),
        code=pairs["respCode"],
        sub_code=pairs.get("origRespCode", ""),
        signed=is_signed,
    )


def _forged(said: Pairs) -> Pairs:
    """Return pairs that say paid, as somebody in the middle would add them."""
    return {
        "origRespCode": "00",
        "queryId": "202611220000000000000",
        "respCode": "00",
        "txnAmt": said.get("txnAmt", "1"),
    }
