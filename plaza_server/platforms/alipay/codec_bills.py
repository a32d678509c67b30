"""Asking for Alipay's daily bill: one signed call gives an address that dies in 30 s; pure.

The file behind the address is fetched without a signature; its token is in the address. The bill
is there from about 10:00 of the next day on. A missing bill is told in the same words before and
after that, so it never proves an empty day.

Source: the platform's page on alipay.data.dataservice.bill.downloadurl.query (facts: payments 1a).
"""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from plaza_server.platforms.alipay.bill import parse_bill
from plaza_server.platforms.alipay.codec import AlipayConfig, signed_call
from plaza_server.platforms.alipay.envelope import AnswerCheck, open_answer
from plaza_server.platforms.bills import BillAnswer, BillAt, NotYet
from plaza_server.platforms.calls import HttpAnswer, HttpCall, Signer
from plaza_server.rules.bills import Bill
from plaza_server.rules.outcomes import Evidence
from tolling.paycodes import Wallet

ASK = "alipay.data.dataservice.bill.downloadurl.query"
_NODE = "alipay_data_dataservice_bill_downloadurl_query_response"


class AlipayBillCalls:
    """Alipay's bill calls, behind the face every platform's show."""

    def __init__(
        self, config: AlipayConfig, *, sign: Signer, verify: AnswerCheck, account: str = ""
    ) -> None:
        """Make the calls.

        Args:   account: the seller's id the bill must be of; empty takes any.
        """
        self._config = config
        self._sign = sign
        self._verify = verify
        self._account = account

    @property
    def name(self) -> str:
        """The platform's name."""
        return Wallet.ALIPAY.value

    @property
    def merchant(self) -> str:
        """The seller's id; its bills say it with 0156 behind it."""
        return self._account

    def ask(self, day: str, *, now_ms: int) -> HttpCall:
        """Return the signed question for the trade bill's address."""
        biz = {"bill_type": "trade", "bill_date": day}
        return signed_call(self._config, ASK, biz, now_ms=now_ms, sign=self._sign)

    def read(self, day: str, answer: HttpAnswer, *, now_ms: int) -> BillAnswer:
        """Return the address, or why there is none."""
        del now_ms
        if answer.status != 200:
            return NotYet(why=f"http {answer.status}")
        opened = open_answer(answer.body, node=_NODE, verify=self._verify)
        if isinstance(opened, Evidence):
            return NotYet(why=opened.value)
        fields = opened.fields
        url = fields.get("bill_download_url")
        if not opened.signed or fields.get("code") != "10000" or not isinstance(url, str):
            return NotYet(why=_code(fields.get("sub_code") or fields.get("code")))
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            return NotYet(why="no address")
        named = parse_qs(parts.query).get("downloadFileName", [f"alipay_{day}.csv.zip"])[0]
        return BillAt(url=url, name=named[:128])

    def fetch(self, place: BillAt, *, now_ms: int) -> HttpCall:
        """Return the plain download."""
        del now_ms
        return HttpCall(method="GET", url=place.url, headers=(), body=b"")

    def parse(self, content: bytes, day: str, *, name: str, sha1: str = "") -> Bill:
        """Return the bill. Raises: BadInputError."""
        assert not sha1, "this platform tells none"
        return parse_bill(content, day=day, merchant=self._account, name=name)


def _code(found: object) -> str:
    """Return the platform's own code as it may be shown."""
    return found[:64] if isinstance(found, str) and found.isascii() else "no code"
