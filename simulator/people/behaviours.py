"""What kinds of drivers there are, as data, and how often each comes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum

from simulator.people.dice import Dice
from tolling.vehicles import Plate

_S = 1_000_000
"""Microseconds in a second."""


class Wish(StrEnum):
    """With what a driver means to pay at first."""

    PHONE = "phone"
    CASH = "cash"
    ETC = "etc"
    """A tag sits behind the windscreen."""


class CodeKind(StrEnum):
    """What a driver holds up."""

    FRESH = "fresh"
    """A new code of his own wallet."""
    SAME = "same"
    """The code held up last, once more."""
    EXPIRED = "expired"
    """A picture of a code that has run out."""
    USED = "used"
    """A screenshot of a code that paid once already."""
    PREVIOUS = "previous"
    """The code of the car before, still in front of the scanner."""
    HALF = "half"
    """Only a part of a code is delivered, as with a finger over it."""
    GLUED = "glued"
    """Two codes in one delivery."""
    TWICE = "twice"
    """One fresh code, delivered twice."""
    RIDE = "ride"
    """A bus code, a parcel label: no pay code."""


class CouponKind(StrEnum):
    """What coupon a driver holds up before he pays."""

    FIXED = "fixed"
    """An amount off."""
    PERCENT = "percent"
    """A tenth off."""
    WHOLE = "whole"
    """More than any toll."""
    SHARED = "shared"
    """One coupon in the pictures of many phones: good for whoever comes first."""
    EXPIRED = "expired"
    FORGED = "forged"
    """Nobody issued it."""


class WalletWill(StrEnum):
    """What the phone's owner does when the platform asks, in the platforms' common words."""

    PAYS = "pays"
    CONFIRMS = "confirms"
    """Enters the password after ``confirm_us``."""
    NEVER_CONFIRMS = "never_confirms"
    CLOSES_DIALOG = "closes_dialog"
    BALANCE_SHORT = "balance_short"


class Leaving(StrEnum):
    """How a driver leaves."""

    DRIVES = "drives"
    """When the boom is up and the lamp is green."""
    BACKS_OUT = "backs_out"
    """Sees the toll and reverses, if nobody stands behind."""
    PAYS_AND_BACKS_OUT = "pays_and_backs_out"
    """Pays, then reverses all the same, if nobody stands behind."""
    TAILGATES = "tailgates"
    """Follows the car before through the open barrier; alone at the window, pays like others."""
    STALLS = "stalls"
    """Stops under the boom for ``stall_us``."""
    RUNS = "runs"
    """Does not stop at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """One kind of driver. Durations in microseconds."""

    name: str
    wish: Wish = Wish.PHONE
    code: CodeKind = CodeKind.FRESH
    """What is held up first; after "new code" it is a fresh one."""
    will: WalletWill = WalletWill.PAYS
    leaving: Leaving = Leaving.DRIVES
    reaction_us: int = 1_500_000
    """From seeing the toll to holding up the phone or asking for another tender."""
    reaction_spread_us: int = 500_000
    go_us: int = 500_000
    """From boom up and green to driving on."""
    go_spread_us: int = 200_000
    confirm_us: int = 4 * _S
    """From the pay call to the password."""
    patience_us: int = 45 * _S
    """From the first try to asking for the attendant's cash desk."""
    changes_mind_us: int | None = None
    """From holding up the phone to asking for cash instead."""
    sticks_to_phone: bool = False
    """Goes on with the phone when other tenders are offered."""
    tries_max: int = 3
    """Codes held up before asking for cash."""
    stall_us: int = 6 * _S
    again_us: int = 5 * _S
    """Nothing on the display changed since the phone was held up: hold it up once more."""
    second_phone_us: int | None = None
    """From holding up the phone to a second one, which the passenger holds up."""
    drives_off_us: int | None = None
    """From holding up the phone to driving off, boom or no boom."""

    coupon: CouponKind | None = None
    """Held up before anything is paid."""
    pays_later_us: int = 2_500_000
    """From holding up the coupon, or from giving the tag its time, to the phone or to asking for
    cash."""
    tag_balance_fen: int = 50_000
    """On the tag, where there is one."""
    tag_plate: Plate | None = None
    """The plate which the tag was given out for; None: this vehicle's own."""
    rest: Wish | None = None
    """With what the driver pays what his tag did not hold, ``pays_later_us`` after he would else;
    None: he waits for somebody."""

    def __post_init__(self) -> None:
        assert self.tries_max >= 1, "a driver tries once at the least"
        assert self.patience_us > 0, "patience: above 0"


BEHAVIOURS: dict[str, Behaviour] = {
    behaviour.name: behaviour
    for behaviour in (
        Behaviour(name="phone_ok"),
        Behaviour(name="slow_phone", reaction_us=6 * _S, reaction_spread_us=2 * _S),
        Behaviour(name="needs_password", will=WalletWill.CONFIRMS),
        Behaviour(
            name="slow_password", will=WalletWill.CONFIRMS, confirm_us=12 * _S, sticks_to_phone=True
        ),
        Behaviour(name="never_confirms", will=WalletWill.NEVER_CONFIRMS),
        Behaviour(name="closes_dialog", will=WalletWill.CLOSES_DIALOG),
        Behaviour(name="balance_short", will=WalletWill.BALANCE_SHORT),
        Behaviour(name="expired_code", code=CodeKind.EXPIRED),
        Behaviour(name="previous_code", code=CodeKind.PREVIOUS),
        Behaviour(name="screenshot", code=CodeKind.USED),
        Behaviour(name="double_scan", code=CodeKind.TWICE),
        Behaviour(name="half_code", code=CodeKind.HALF),
        Behaviour(name="glued_codes", code=CodeKind.GLUED),
        Behaviour(name="ride_code", code=CodeKind.RIDE),
        Behaviour(name="pays_cash", wish=Wish.CASH),
        Behaviour(name="pays_etc", wish=Wish.ETC),
        Behaviour(name="changes_to_cash", will=WalletWill.NEVER_CONFIRMS, changes_mind_us=3 * _S),
        Behaviour(name="backs_out", leaving=Leaving.BACKS_OUT),
        Behaviour(name="pays_and_backs_out", leaving=Leaving.PAYS_AND_BACKS_OUT),
        Behaviour(name="tailgates", leaving=Leaving.TAILGATES),
        Behaviour(name="stalls_under_boom", leaving=Leaving.STALLS),
        Behaviour(name="runs_through", leaving=Leaving.RUNS),
        Behaviour(name="two_phones", second_phone_us=1_200_000),
        Behaviour(name="drives_off", will=WalletWill.NEVER_CONFIRMS, drives_off_us=3 * _S),
        Behaviour(
            name="pays_after_leaving",
            will=WalletWill.CONFIRMS,
            confirm_us=4 * _S,
            drives_off_us=1_500_000,
        ),
        Behaviour(name="coupon_fixed", coupon=CouponKind.FIXED),
        Behaviour(name="coupon_percent", coupon=CouponKind.PERCENT),
        Behaviour(name="coupon_whole", coupon=CouponKind.WHOLE),
        Behaviour(name="coupon_shared", coupon=CouponKind.SHARED),
        Behaviour(name="coupon_expired", coupon=CouponKind.EXPIRED),
        Behaviour(name="coupon_forged", coupon=CouponKind.FORGED),
        Behaviour(name="coupon_cash", coupon=CouponKind.FIXED, wish=Wish.CASH),
        Behaviour(name="coupon_in_a_hurry", coupon=CouponKind.FIXED, pays_later_us=300_000),
        Behaviour(name="coupon_no_balance", coupon=CouponKind.FIXED, will=WalletWill.BALANCE_SHORT),
        Behaviour(
            name="coupon_backs_out",
            coupon=CouponKind.FIXED,
            pays_later_us=3 * _S,
            leaving=Leaving.PAYS_AND_BACKS_OUT,
        ),
        Behaviour(name="etc_low_code", wish=Wish.ETC, tag_balance_fen=500, rest=Wish.PHONE),
        Behaviour(name="etc_low_cash", wish=Wish.ETC, tag_balance_fen=500, rest=Wish.CASH),
        Behaviour(
            name="etc_low_backs_out",
            wish=Wish.ETC,
            tag_balance_fen=500,
            leaving=Leaving.BACKS_OUT,
        ),
        Behaviour(name="etc_backs_out", wish=Wish.ETC, leaving=Leaving.PAYS_AND_BACKS_OUT),
        Behaviour(
            name="etc_of_another", wish=Wish.ETC, tag_plate=Plate(text="沪A88888"), rest=Wish.PHONE
        ),
    )
}
"""Every named kind of driver."""

EVERYDAY_MIX: dict[str, int] = {
    "phone_ok": 80,
    "slow_phone": 6,
    "needs_password": 6,
    "double_scan": 3,
    "pays_cash": 3,
    "pays_etc": 2,
}
"""How often each comes on an ordinary day, in shares of the whole."""

UNRULY_MIX: dict[str, int] = {
    "phone_ok": 40,
    "slow_phone": 5,
    "needs_password": 6,
    "slow_password": 3,
    "never_confirms": 2,
    "closes_dialog": 2,
    "balance_short": 3,
    "expired_code": 4,
    "previous_code": 3,
    "screenshot": 3,
    "double_scan": 4,
    "half_code": 3,
    "glued_codes": 2,
    "ride_code": 2,
    "pays_cash": 5,
    "pays_etc": 3,
    "changes_to_cash": 4,
    "backs_out": 2,
    "pays_and_backs_out": 1,
    "tailgates": 2,
    "stalls_under_boom": 1,
    "runs_through": 1,
    "two_phones": 3,
    "drives_off": 1,
    "pays_after_leaving": 2,
}
"""Every trouble a driver can make, often enough to be seen in a few hundred cars."""

COUPON_KINDS = tuple(name for name in BEHAVIOURS if name.startswith("coupon_"))
"""Kinds of drivers with a coupon, in the order above."""

ETC_KINDS = tuple(name for name in BEHAVIOURS if name.startswith("etc_"))
"""Kinds of drivers whose tag holds too little, is debited for nothing or is not their car's, in the
order above."""


def paced(behaviour: Behaviour, percent: int) -> Behaviour:
    """Return the same kind of driver with all durations at *percent* of the usual, 1 and up."""
    assert percent >= 1, "nobody acts in no time"
    names = [field.name for field in fields(behaviour) if field.name.endswith("_us")]
    usual = {name: getattr(behaviour, name) for name in names}
    scaled = {name: us * percent // 100 for name, us in usual.items() if us is not None}
    return replace(behaviour, **scaled)


def draw_behaviour(mix: Mapping[str, int], dice: Dice) -> Behaviour:
    """Return a kind of driver drawn by *mix*: names of BEHAVIOURS with shares of 0 and up."""
    total = sum(mix.values())
    assert total > 0, "a mix of drivers has shares"
    ticket = dice.randrange(total)
    for name in sorted(mix):
        ticket -= mix[name]
        if ticket < 0:
            return BEHAVIOURS[name]
    raise AssertionError("shares do not sum")
