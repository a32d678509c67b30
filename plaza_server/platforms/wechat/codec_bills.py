"""Asking for WeChat Pay's daily trade bill: a signed answer gives address and SHA-1; pure.

The download is signed by us like any call; its body is not signed by the platform, so the SHA-1 of
the verified answer is what makes it the platform's. The address lives some minutes at most. That a
day has no bill because nothing happened is a signed answer of its own (NO_STATEMENT_EXIST).

Source: the platform's page on applying for a trade bill (facts: payments 1b).
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from plaza_server.platforms.bills import BillAnswer, BillAt, NoBill, NotYet
from plaza_server.platforms.calls import HttpAnswer, HttpCall
from plaza_server.platforms.wechat.bill import parse_bill
from plaza_server.platforms.wechat.codec import Pen, WechatConfig, signed_call
from plaza_server.platforms.wechat.envelope import SerialCheck, open_answer
from plaza_server.rules.bills import Bill
from plaza_server.rules.outcomes import Evidence
from tolling.paycodes import Wallet

ASK_PATH = "/v3/bill/tradebill"
_NOTHING_HAPPENED = "NO_STATEMENT_EXIST"
_SHA1 = re.compile(r"[0-9A-Fa-f]{40}", re.ASCII)


class WechatBillCalls:
    """WeChat's bill calls, behind the face every platform's show."""

    def __init__(self, config: WechatConfig, pen: Pen, *, verify: SerialCheck) -> None:
        self._config = config
        self._pen = pen
        self._verify = verify

    @property
    def name(self) -> str:
        """The platform's name."""
        return Wallet.WECHAT.value

    @property
    def merchant(self) -> str:
        """The mchid every row carries."""
        return self._config.mchid

    def ask(self, day: str, *, now_ms: int) -> HttpCall:
        """Return the signed question for the bill of everything, packed."""
        path = f"{ASK_PATH}?bill_date={day}&bill_type=ALL&tar_type=GZIP"
        return signed_call(self._config, self._pen, "GET", path, b"", now_ms=now_ms)

    def read(self, day: str, answer: HttpAnswer, *, now_ms: int) -> BillAnswer:
        """Return address and SHA-1, or why there is none."""
        opened = open_answer(answer, verify=self._verify, now_ms=now_ms)
        if isinstance(opened, Evidence):
            return NotYet(why=opened.value)
        if not opened.good:
            if opened.signed and opened.code == _NOTHING_HAPPENED:
                return NoBill()
            return NotYet(why=opened.code or f"http {opened.status}")
        url, sha1 = opened.fields.get("download_url"), opened.fields.get("hash_value")
        told = opened.signed and opened.fields.get("hash_type") == "SHA1"
        if not told or not isinstance(url, str) or not isinstance(sha1, str):
            return NotYet(why=Evidence.GARBLED.value)
        if _SHA1.fullmatch(sha1) is None or not self._is_ours(url):
            return NotYet(why=Evidence.GARBLED.value)
        return BillAt(url=url, name=f"wechat_{day}.csv.gz", sha1=sha1)

    def _is_ours(self, url: str) -> bool:
        """Return whether our signature may go there: the same scheme as our own calls, no user."""
        parts, own = urlsplit(url), urlsplit(self._config.base_url)
        return parts.scheme == own.scheme and bool(parts.hostname) and "@" not in parts.netloc

    def fetch(self, place: BillAt, *, now_ms: int) -> HttpCall:
        """Return the download, signed over its path and query."""
        parts = urlsplit(place.url)
        path = f"{parts.path}?{parts.query}"
        call = signed_call(self._config, self._pen, "GET", path, b"", now_ms=now_ms)
        return HttpCall(method="GET", url=place.url, headers=call.headers, body=b"")

    def parse(self, content: bytes, day: str, *, name: str, sha1: str = "") -> Bill:
        """Return the bill. Raises: BadInputError."""
        return parse_bill(content, day=day, merchant=self._config.mchid, name=name, sha1=sha1)
