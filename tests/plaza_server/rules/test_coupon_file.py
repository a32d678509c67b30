"""An issuer's file is taken whole or refused whole, with its line."""

from __future__ import annotations

import pytest

from plaza_server.rules.coupon_file import COLUMNS, FILE_BYTES_MAX, parse_coupons
from plaza_server.rules.coupons import CouponState
from tolling.best_price import EntitlementKind
from tolling.errors import BadInputError
from tolling.vehicles import VehicleClass

HEAD = ",".join(COLUMNS)
CODE = "TLC1" + "A" * 28
OTHER = "TLC1" + "B" * 28
GOOD = f"A-1,{CODE},issuer,coupon_fixed,国庆券,500,0,2026-10-01,2026-10-08,"
PERCENT = f"A-2,{OTHER},issuer,coupon_percent,九折券,1000,2000,2026-10-01,2026-12-31,1 11"


def text(*lines: str) -> bytes:
    """Return a file of these lines behind the header."""
    return "\r\n".join((HEAD, *lines, "")).encode("utf-8")


def test_a_good_file_is_read_whole() -> None:
    """Numbers, terms and lines, but no text of any coupon."""
    read = parse_coupons(b"\xef\xbb\xbf" + text(GOOD, PERCENT), file="c.csv")
    fixed, percent = read.coupons
    assert (fixed.coupon_no, fixed.state, fixed.entitlement.amount_fen) == (
        "A-1",
        CouponState.OFFERED,
        500,
    )
    assert percent.entitlement.kind is EntitlementKind.COUPON_PERCENT
    assert percent.entitlement.classes == {VehicleClass.CAR_1, VehicleClass.TRUCK_1}
    assert read.lines == (2, 3)
    assert CODE not in repr(read)


def test_days_are_beijings_and_both_are_whole() -> None:
    """From the first moment of the first day to the last of the last."""
    terms = parse_coupons(text(GOOD), file="c").coupons[0].entitlement
    assert terms.valid_from_ms == 1_790_784_000_000
    assert terms.valid_until_ms - terms.valid_from_ms == 8 * 86_400_000


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"", 1),
        (b"coupon_no,code\n", 1),
        (text(GOOD, "A-2,x"), 3),
        (text(GOOD.replace(CODE, CODE.lower())), 2),
        (text(GOOD.replace("A-1", "=A1")), 2),
        (text(GOOD.replace("国庆券", "=cmd")), 2),
        (text(GOOD.replace("A-1", "A/1")), 2),
        (text(GOOD.replace("coupon_fixed", "etc_rate")), 2),
        (text(GOOD.replace(",500,", ",0,")), 2),
        (text(GOOD.replace(",500,", ",5.0,")), 2),
        (text(PERCENT.replace(",1000,", ",10001,")), 2),
        (text(GOOD.replace("2026-10-08", "2026-09-08")), 2),
        (text(GOOD.replace("2026-10-08", "2026-02-30")), 2),
        (text(PERCENT.replace("1 11", "7")), 2),
        (text(GOOD.replace("issuer", "")), 2),
        (text(GOOD, PERCENT.replace(OTHER, CODE)), 3),
        (text(GOOD, PERCENT.replace("A-2", "A-1")), 3),
        (text(GOOD) + b"\xff", 3),
        (text('A-1,"x'), 2),
    ],
)
def test_a_bad_line_refuses_the_file(data: bytes, line: int) -> None:
    """The line is named; neither the cell nor any code is repeated."""
    with pytest.raises(BadInputError) as caught:
        parse_coupons(data, file="c.csv")
    assert caught.value.where in (f"c.csv line {line}", "c.csv")
    said = str(caught.value)
    assert "TLC1A" not in said
    assert "cmd" not in said


@pytest.mark.parametrize("data", [text(), b"x" * (FILE_BYTES_MAX + 1)])
def test_no_coupon_and_too_much_are_refused(data: bytes) -> None:
    """A file without a coupon, or one nobody would send."""
    with pytest.raises(BadInputError, match=r"c\.csv"):
        parse_coupons(data, file="c.csv")
