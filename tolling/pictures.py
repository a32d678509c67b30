"""What a fee display or voice tells a driver, by meaning; drivers make their dialect's bytes of it.

A display has 4 lines of 16 half-width characters (8 Chinese ones). An amount that does not fit is
replaced by words, a plate is left out; neither is cut: a truncated toll is a wrong toll.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tolling.evolve import quick
from tolling.money import Money
from tolling.vehicles import VehicleClass

LINE_BYTES = 16
"""Width of one line in GB18030 bytes; a Chinese character takes two."""
LINES = 4


class PictureKind(StrEnum):
    """What is to be told."""

    WELCOME = "welcome"
    """Lane open, nobody there."""
    CLOSED = "closed"
    """Lane closed."""
    TOLL = "toll"
    """The toll is due: hold up the code."""
    CHECKING = "checking"
    """The platform is being asked; never "declined"."""
    PASSWORD = "password"  # noqa: S105 - a picture's name, not a secret
    """Confirm on the phone."""
    NEW_CODE = "new_code"
    """Refresh the code and scan again."""
    OTHER_TENDER = "other_tender"
    """Pay by cash or ETC."""
    CASH = "cash"
    """Cash is being taken: put the phone away."""
    PAID = "paid"
    """Thank you, go."""
    FREE = "free"
    """No toll: go."""
    ASSIST = "assist"
    """Help is coming."""
    COUPON_REFUSED = "coupon_refused"
    """The coupon is not good here: the toll stands, hold up the code."""
    COUPON_OFF = "coupon_off"
    """Coupons cannot be looked up now: the toll stands, hold up the code."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class DisplayPicture:
    """One picture on the fee display and, where there is one, the voice."""

    kind: PictureKind
    toll_fen: int | None = None
    vehicle_class: VehicleClass | None = None
    plate: str | None = None

    @property
    def green(self) -> bool:
        """Return whether the display's own pass lamp is green with this picture."""
        return self.kind in (PictureKind.PAID, PictureKind.FREE)


_TEXT: dict[PictureKind, str] = {
    PictureKind.WELCOME: "欢迎光临",
    PictureKind.CLOSED: "车道关闭",
    PictureKind.TOLL: "请出示付款码",
    PictureKind.CHECKING: "正在支付 请稍候",
    PictureKind.PASSWORD: "请在手机上确认",
    PictureKind.NEW_CODE: "请刷新付款码",
    PictureKind.OTHER_TENDER: "请用现金或ETC",
    PictureKind.CASH: "现金收费中",
    PictureKind.PAID: "支付成功 请通行",
    PictureKind.FREE: "免费通行",
    PictureKind.ASSIST: "请等待工作人员",
    PictureKind.COUPON_REFUSED: "券无效 请付款",
    PictureKind.COUPON_OFF: "券暂不可用",
}


def fits(line: str) -> bool:
    """Return whether *line* can be shown whole."""
    return len(line.encode("gb18030")) <= LINE_BYTES


def picture_lines(picture: DisplayPicture) -> tuple[str, ...]:
    """Return the 4 lines of *picture*, each fitting the display; unused lines are empty."""
    lines = [_TEXT[picture.kind]]
    if picture.toll_fen is not None:
        amount = f"{Money(picture.toll_fen).yuan_text()}元"
        lines.append(amount if fits(amount) else "金额见收费员")
    if picture.vehicle_class is not None:
        lines.append(class_text(picture.vehicle_class))
    if picture.plate is not None and fits(picture.plate):
        lines.append(picture.plate)
    assert all(fits(line) for line in lines), "a line does not fit the display"
    assert len(lines) <= LINES, "too many lines"
    return tuple(lines + [""] * (LINES - len(lines)))


def class_text(vehicle_class: VehicleClass) -> str:
    """Return a class as staff and drivers call it, e.g. ``客1`` or ``货3``."""
    family = {0: "客", 1: "货", 2: "专"}[vehicle_class // 10]
    return f"{family}{vehicle_class % 10}"
