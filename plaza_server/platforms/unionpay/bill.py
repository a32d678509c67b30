"""UnionPay's daily merchant file (ZM): GBK lines of fixed width, in a ZIP, by settlement day.

Every line has 42 fields of fixed width in bytes with one space between two. There is no line of
totals: what guards a row is its own sum (settled = asked less fee), and what guards the file is its
name, which carries day and merchant: ``INN<yyMMdd>88ZM_<merchant>``. A ZIP may hold other files
beside it (ZME, for differences), which are left alone. Instants have no year: it is the one that
puts them nearest the file's day.

UNVERIFIED. Widths: the platform's own sample code, read in public copies. Meanings of the fields:
notes in one public parser that quotes the interface text. That a settlement day runs from 23:00 to
23:00: remembered. Nothing of this was tried against the platform.
"""

from __future__ import annotations

import hashlib
import re
from datetime import date, datetime

from plaza_server.platforms import bill_files as f
from plaza_server.platforms.bill_files import Place
from plaza_server.rules.bills import Bill, BillKind, BillRow, BillStatus, shift_day

NAME = "unionpay"
ENCODING = "gbk"
WIDTHS = (
    *(3, 11, 11, 6, 10, 19, 12, 4, 2, 21, 2, 32, 2, 6, 10, 13, 13, 4, 15, 2, 2),
    *(6, 2, 4, 32, 1, 21, 15, 1, 15, 32, 13, 13, 8, 32, 13, 13, 12, 2, 1, 32, 98),
)
"""Bytes of the fields 1 to 42."""
LINE_BYTES = sum(WIDTHS) + len(WIDTHS) - 1
CUT_TOLERANCE_MS = 600_000
"""A payment asked for just before 23:00 may be cleared just behind it."""
TXN_TIME, AMOUNT, QUERY_ID, ORDER_ID = 5, 7, 10, 12
FEE, SETTLED, TXN_TYPE = 16, 17, 20
ORIG_QUERY_ID, MERCHANT, ORIG_ORDER_ID = 27, 28, 41
"""Numbers of the fields used, from 1."""
_KINDS = {"01": BillKind.PAY, "04": BillKind.REFUND, "31": BillKind.REFUND}
"""Payment; refund; reversal of a payment."""
_FILE = re.compile(r"INN([0-9]{6})88ZM_([0-9A-Za-z]{1,15})(?:\.txt)?", re.ASCII)
_TEXTS = (1, 2, 3, 4, 6, 8, 9, 11, 13, 14, 18, 19, 21, 22, 23, 24, 25, 30, 31, 35)
"""Fields that are text and not used here."""


def parse_bill(data: bytes, *, day: str, merchant: str = "", name: str = "bill") -> Bill:
    """Return UnionPay's bill of settlement day *day*, or refuse the whole file.

    Args:   data: the ZIP, or the ZM file alone. day: yyyy-MM-dd. merchant: the merId every row
            must carry; empty takes the file's own. name: of the file, for refusals, and checked
            like one in a ZIP where it is a ZM file's.
    Raises: BadInputError: names the file and the first wrong line.
    """
    whole = Place(file=name)
    f.check_size(data, whole)
    if data.startswith(b"PK"):
        files = f.unzip(data, whole)
        named = [each for each in files if _FILE.fullmatch(each)]
        if len(named) != 1:
            raise whole.refuse("not exactly one ZM file in the ZIP")
        name, data = named[0], files[named[0]]
    merchant = _check_name(name, day, merchant)
    f.decode(data, ENCODING, Place(file=name))
    lines = data.removesuffix(b"\n").split(b"\n") if data else []
    f.check_rows(len(lines), whole)
    rows: list[BillRow] = []
    for number, line in enumerate(lines, start=1):
        place = Place(file=name, line=number)
        fields = _fields(line.removesuffix(b"\r"), place)
        merchant = merchant or fields[MERCHANT]
        if fields[MERCHANT] != merchant:
            raise place.refuse("another merchant's row")
        rows.append(_movement(fields, day, place))
    f.check_doubles(rows, name)
    digest = hashlib.sha256(data).hexdigest()
    return Bill(platform=NAME, day=day, merchant=merchant, rows=tuple(rows), digest=digest)


def _check_name(name: str, day: str, merchant: str) -> str:
    """Compare a ZM file's name with what was asked for. Returns: the merchant it is of."""
    found = _FILE.fullmatch(name.rpartition("/")[2])
    if found is None:
        return merchant
    place = Place(file=name)
    if found[1] != day[2:].replace("-", ""):
        raise place.refuse(f"not the bill of {day}")
    if merchant and found[2] != merchant:
        raise place.refuse("another merchant's bill")
    return found[2]


def _fields(line: bytes, place: Place) -> dict[int, str]:
    """Return the fields of a line by number, without their padding."""
    if len(line) != LINE_BYTES:
        raise place.refuse(f"{len(line)} bytes, not {LINE_BYTES}", "Fetch it again")
    fields: dict[int, str] = {}
    start = 0
    for number, width in enumerate(WIDTHS, start=1):
        end = start + width
        if end < len(line) and line[end : end + 1] != b" ":
            raise place.refuse(f"field {number} is wider than {width} bytes")
        fields[number] = line[start:end].decode(ENCODING, "replace").strip(" ")
        start = end + 1
    return fields


def _movement(fields: dict[int, str], day: str, place: Place) -> BillRow:
    kind = _KINDS.get(fields[TXN_TYPE])
    if kind is None:
        raise place.refuse(f"field {TXN_TYPE} (txnType) is neither 01, 04 nor 31")
    for text in _TEXTS:
        f.text_cell(fields[text], f"field {text}", place)
    amount = f.fen_cell(fields[AMOUNT], f"field {AMOUNT} (txnAmt)", place)
    fee = _signed(fields[FEE], FEE, place)
    settled = _signed(fields[SETTLED], SETTLED, place)
    back = kind is BillKind.REFUND
    # D is ours to pay, C is ours to get: a payment settles as what was asked less the fee.
    if settled != (-amount if back else amount) + fee:
        raise place.refuse("what is settled is not what was asked less the fee")
    moment = _instant(fields[TXN_TIME], day, place)
    f.check_window(moment, NAME, day, place, tolerance_ms=CUT_TOLERANCE_MS)
    number = f.number_cell(fields[ORDER_ID], f"field {ORDER_ID} (orderId)", place)
    txn = f.number_cell(fields[QUERY_ID], f"field {QUERY_ID} (queryId)", place)
    refund_no = None
    if back:
        # A refund has an order number and a trade of its own and names the payment's beside them;
        # a reversal goes under the payment's own number.
        own, number = number, f.number_cell(fields[ORIG_ORDER_ID], f"field {ORIG_ORDER_ID}", place)
        refund_no = None if own == number else own
        txn = f.number_cell(fields[ORIG_QUERY_ID], f"field {ORIG_QUERY_ID}", place)
    return BillRow(
        line=place.line,
        kind=kind,
        out_trade_no=number,
        out_refund_no=refund_no,
        provider_txn_id=txn,
        amount_fen=amount,
        fee_fen=-fee,
        paid_at_ms=moment,
        status=BillStatus.DONE,
    )


def _signed(text: str, number: int, place: Place) -> int:
    """Return ``C000000000100`` as 100 and ``D000000000100`` as -100."""
    if text[:1] not in {"C", "D"}:
        raise place.refuse(f"field {number} is not C or D and 12 digits")
    fen = f.fen_cell(text[1:], f"field {number}", place)
    return fen if text[0] == "C" else -fen


def _instant(text: str, day: str, place: Place) -> int:
    """Return ``MMddHHmmss`` in Beijing, in the year that puts it next to *day*, as UTC ms."""
    for near in (day, shift_day(day, -1), shift_day(day, 1)):
        if near[5:].replace("-", "") == text[:4]:
            try:
                moment = datetime.strptime(f"{near} {text[4:]} +0800", "%Y-%m-%d %H%M%S %z")
            except ValueError:
                break
            return int(moment.timestamp()) * 1_000
    what = f"field {TXN_TIME} (txnTime) is not MMddHHmmss next to {date.fromisoformat(day)}"
    raise place.refuse(what)
