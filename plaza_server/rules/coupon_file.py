"""An issuer's coupons as a CSV file: taken whole, or refused whole with the line. Pure.

    coupon_no,code,issuer,kind,name,value,minimum_fen,valid_from,valid_until,classes
    A-0001,TLC1...,yunling,coupon_fixed,国庆券,500,0,2026-10-01,2026-10-08,
    A-0002,TLC1...,yunling,coupon_percent,九折券,1000,2000,2026-10-01,2026-12-31,1 2

``value`` is fen off, or basis points off. Days are Beijing's; a coupon is good from the first
moment of ``valid_from`` to the last of ``valid_until``. ``classes`` are national codes with blanks
between; empty means every class. Refusals name the line and never repeat a cell: it may be a code.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

from plaza_server.rules.bills import is_day, window_of
from plaza_server.rules.coupons import Coupon, CouponState
from tolling.best_price import FULL_RATE, Entitlement, EntitlementKind
from tolling.coupons import COUPON_KINDS, CouponCode, read_coupon
from tolling.errors import BadInputError
from tolling.tariffs import TOLL_MAX_FEN
from tolling.vehicles import VehicleClass

COLUMNS = (
    "coupon_no",
    "code",
    "issuer",
    "kind",
    "name",
    "value",
    "minimum_fen",
    "valid_from",
    "valid_until",
    "classes",
)
FILE_BYTES_MAX = 1 << 20
"""Some 8,000 coupons: an issuer sends more files for more."""
_FORMULA = ("=", "+", "-", "@")
"""A spreadsheet takes a cell that starts so for a formula; no cell of ours does."""
_NUMBER = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,31}", re.ASCII)
_WHOLE = re.compile(r"[0-9]{1,8}", re.ASCII)
_NAME_MAX = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class CouponFile:
    """What a file holds."""

    coupons: tuple[Coupon, ...]
    lines: tuple[int, ...]
    """Which line each stands in, from 1."""


def parse_coupons(data: bytes, *, file: str) -> CouponFile:
    """Return the coupons of a file.

    Raises: BadInputError: names the first bad line; nothing of the file is taken.
    """
    if len(data) > FILE_BYTES_MAX:
        raise BadInputError(where=file, what=f"longer than {FILE_BYTES_MAX} bytes", do="Split it")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadInputError(where=f"{file} line {line}", what="not UTF-8 text") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    coupons: list[Coupon] = []
    lines: list[int] = []
    try:
        header = next(reader, [])
        if tuple(header) != COLUMNS:
            raise _refuse(file, 1, f"its first line is not {','.join(COLUMNS)}")
        for row in reader:
            if row:
                coupons.append(_coupon(row, file, reader.line_num))
                lines.append(reader.line_num)
    except csv.Error:
        raise _refuse(file, reader.line_num, "not CSV") from None
    _all_different(coupons, lines, file)
    if not coupons:
        raise BadInputError(where=file, what="holds no coupon")
    return CouponFile(coupons=tuple(coupons), lines=tuple(lines))


def _refuse(file: str, line: int, what: str) -> BadInputError:
    return BadInputError(where=f"{file} line {line}", what=what, do="Nothing was taken")


def _all_different(coupons: Sequence[Coupon], lines: Sequence[int], file: str) -> None:
    seen: set[str] = set()
    for coupon, line in zip(coupons, lines, strict=True):
        if coupon.coupon_no in seen or coupon.token_hash in seen:
            raise _refuse(file, line, "its number or code stands in the file twice")
        seen |= {coupon.coupon_no, coupon.token_hash}


def _coupon(row: Sequence[str], file: str, line: int) -> Coupon:
    if len(row) != len(COLUMNS):
        raise _refuse(file, line, f"{len(row)} cells, not {len(COLUMNS)}")
    cells = dict(zip(COLUMNS, row, strict=True))
    for name, cell in cells.items():
        if cell.startswith(_FORMULA):
            raise _refuse(file, line, f"{name} starts like a formula")
    if _NUMBER.fullmatch(cells["coupon_no"]) is None:
        raise _refuse(file, line, "coupon_no is not 1 to 32 letters, digits and -")
    code = read_coupon(cells["code"])
    if code is None:
        raise _refuse(file, line, "code is not TLC1 and 28 of A-Z2-7")
    for name in ("issuer", "name"):
        if not 1 <= len(cells[name]) <= _NAME_MAX or not cells[name].isprintable():
            raise _refuse(file, line, f"{name} is not 1 to {_NAME_MAX} characters")
    return made_coupon(
        coupon_no=cells["coupon_no"],
        code=code,
        issuer=cells["issuer"],
        entitlement=_entitlement(cells, file, line),
    )


def made_coupon(
    *, coupon_no: str, code: CouponCode, issuer: str, entitlement: Entitlement
) -> Coupon:
    """Return a coupon nobody has used."""
    return Coupon(
        coupon_no=coupon_no,
        token_hash=code.token_hash(),
        issuer=issuer,
        entitlement=entitlement,
        state=CouponState.OFFERED,
        version=1,
    )


def _entitlement(cells: dict[str, str], file: str, line: int) -> Entitlement:
    kinds = {kind.value: kind for kind in COUPON_KINDS}
    kind = kinds.get(cells["kind"])
    if kind is None:
        raise _refuse(file, line, f"kind is not one of {', '.join(sorted(kinds))}")
    fixed = kind is EntitlementKind.COUPON_FIXED
    value = _whole(cells, "value", TOLL_MAX_FEN if fixed else FULL_RATE, file, line)
    if value == 0:
        raise _refuse(file, line, "value is 0")
    for name in ("valid_from", "valid_until"):
        if not is_day(cells[name]):
            raise _refuse(file, line, f"{name} is no day: write yyyy-MM-dd")
    from_ms = window_of("", cells["valid_from"])[0]
    until_ms = window_of("", cells["valid_until"])[1]
    if from_ms >= until_ms:
        raise _refuse(file, line, "it ends before it begins")
    return Entitlement(
        kind=kind,
        name=cells["name"],
        valid_from_ms=from_ms,
        valid_until_ms=until_ms,
        classes=_classes(cells["classes"], file, line),
        minimum_fen=_whole(cells, "minimum_fen", TOLL_MAX_FEN, file, line),
        amount_fen=value if fixed else 0,
        off_rate=0 if fixed else value,
    )


def _whole(cells: dict[str, str], name: str, most: int, file: str, line: int) -> int:
    if _WHOLE.fullmatch(cells[name]) is None or int(cells[name]) > most:
        raise _refuse(file, line, f"{name} is not a whole number of 0 to {most}")
    return int(cells[name])


def _classes(cell: str, file: str, line: int) -> frozenset[VehicleClass]:
    known = {str(int(each)): each for each in VehicleClass}
    found = cell.split()
    if any(each not in known for each in found):
        raise _refuse(file, line, "classes are not national codes with blanks between")
    return frozenset(known[each] for each in found)
