"""Asking for UnionPay's settlement file: one signed call whose answer holds the file; pure.

UNVERIFIED like the rest of the profile. The call is a file transfer (76/01, fileType 00) for a
settlement day MMdd; the answer's ``fileContent`` is base64 of a deflated ZIP. ``98`` says that no
file is there, before it is made and on an empty day alike, so it never proves an empty day.

Source: public copies of the platform's file transfer demo.
"""

from __future__ import annotations

import base64
import binascii
import zlib

from plaza_server.platforms.bill_files import PACKED_MAX
from plaza_server.platforms.bills import BillAnswer, BillAt, BillHere, NotYet
from plaza_server.platforms.calls import HttpAnswer, HttpCall, Signer
from plaza_server.platforms.forms import form_body
from plaza_server.platforms.unionpay.bill import parse_bill
from plaza_server.platforms.unionpay.codec import UnionpayConfig
from plaza_server.platforms.unionpay.envelope import (
    SIGN_METHOD,
    SIGNATURE,
    VERSION,
    CertifiedCheck,
    open_answer,
    text_to_sign,
)
from plaza_server.rules.bills import Bill
from plaza_server.rules.outcomes import Evidence
from tolling.clock import beijing_digits
from tolling.paycodes import Wallet

ANSWER_BYTES_MAX = 2 * PACKED_MAX
"""Of an answer with a file in base64, a third longer than the file and its form's escapes."""
_HEADERS = (
    ("Content-Type", "application/x-www-form-urlencoded;charset=UTF-8"),
    ("Accept", "text/plain"),
)


class UnionpayBillCalls:
    """UnionPay's bill calls, behind the face every platform's show."""

    def __init__(
        self, config: UnionpayConfig, *, file_url: str, sign: Signer, verify: CertifiedCheck
    ) -> None:
        self._config = config
        self._file_url = file_url
        self._sign = sign
        self._verify = verify

    @property
    def name(self) -> str:
        """The platform's name."""
        return Wallet.UNIONPAY.value

    @property
    def merchant(self) -> str:
        """The merId every row carries."""
        return self._config.merchant_id

    def ask(self, day: str, *, now_ms: int) -> HttpCall:
        """Return the signed question for the file."""
        pairs = {
            "version": VERSION,
            "encoding": "UTF-8",
            "signMethod": SIGN_METHOD,
            "certId": self._config.certificate_id,
            "txnType": "76",
            "txnSubType": "01",
            "bizType": "000000",
            "accessType": "0",
            "merId": self._config.merchant_id,
            "settleDate": day[5:].replace("-", ""),
            "txnTime": beijing_digits(now_ms),
            "fileType": "00",
        }
        pairs[SIGNATURE] = base64.b64encode(self._sign(text_to_sign(pairs))).decode("ascii")
        body = form_body(pairs)
        return HttpCall(method="POST", url=self._file_url, headers=_HEADERS, body=body)

    def read(self, day: str, answer: HttpAnswer, *, now_ms: int) -> BillAnswer:
        """Return the file, or why there is none."""
        del now_ms
        if answer.status != 200:
            return NotYet(why=f"http {answer.status}")
        fields = open_answer(answer.body, verify=self._verify, bytes_max=ANSWER_BYTES_MAX)
        if isinstance(fields, Evidence):
            return NotYet(why=fields.value)
        ours = fields.get("merId") == self._config.merchant_id.encode()
        if not ours or fields.get("settleDate", b"") not in {
            b"",
            day[5:].replace("-", "").encode(),
        }:
            return NotYet(why=Evidence.FOREIGN.value)
        code = fields.get("respCode", b"")
        if code != b"00":
            return NotYet(why=code.decode("ascii", "replace")[:8] or "no code")
        try:
            packed = base64.b64decode(fields.get("fileContent", b""), validate=True)
            unpacker = zlib.decompressobj()
            content = unpacker.decompress(packed, PACKED_MAX + 1)
        except (binascii.Error, zlib.error):
            return NotYet(why=Evidence.GARBLED.value)
        if not content or len(content) > PACKED_MAX or not unpacker.eof:
            return NotYet(why=Evidence.GARBLED.value)
        return BillHere(content=content, name=f"unionpay_{day}.zip")

    def fetch(self, place: BillAt, *, now_ms: int) -> HttpCall:
        """Never called: the file comes with the answer."""
        raise AssertionError(f"{place.name} has no address at {now_ms}")

    def parse(self, content: bytes, day: str, *, name: str, sha1: str = "") -> Bill:
        """Return the bill. Raises: BadInputError."""
        assert not sha1, "this platform tells none"
        return parse_bill(content, day=day, merchant=self._config.merchant_id, name=name)
