"""The lowest lawful price of one passage, and why. Pure.

Strategy. What a vehicle or its driver is entitled to is a list of values; which of them may stand
together is a table (``LEGAL_SETS``). Every legal set that applies is priced and the cheapest is
taken: ties go to the fewest entitlements, so that no coupon is spent for nothing, then to the names
in order. Within a set the steps are always taken in the order of ``STEPS``.

Rounding. Whole fen. A rate is taken off and the rest rounded half up to the fen (ETC tolls are
exact to the fen: facts of the lane, remembered); an amount off never goes below 0. A tariff's own
rounding to whole yuan is in its rows and stays there.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tolling.money import Money
from tolling.tariffs import TOLL_MAX_FEN, Quote
from tolling.vehicles import EXEMPT_KINDS, VehicleClass, VehicleKind

MAX_ENTITLEMENTS = 32
"""More than any wallet holds for one road; bounds the sets to be priced at some hundreds (*)."""
FULL_RATE = 10_000
"""Basis points: 10,000 is the whole toll."""
ETC_OFF = 500
"""5 %: the least that ETC users are given everywhere (facts of the lane)."""
FOR_EVER_MS = 2**53 - 1


class EntitlementKind(StrEnum):
    """How an entitlement makes a toll less."""

    EXEMPT = "exempt"
    """The vehicle's kind pays nothing: green channel, armed forces and police, emergency, ..."""
    HOLIDAY_FREE = "holiday_free"
    """Named classes pay nothing between two instants, by the time of exit."""
    MONTHLY_CARD = "monthly_card"
    """Paid in advance for a time, and for one entry station where it names one."""
    ETC_RATE = "etc_rate"
    """A rate off for paying by ETC."""
    COUPON_PERCENT = "coupon_percent"
    """A rate off, once."""
    COUPON_FIXED = "coupon_fixed"
    """An amount off, once."""


_K = EntitlementKind
STEPS = (
    _K.EXEMPT,
    _K.HOLIDAY_FREE,
    _K.MONTHLY_CARD,
    _K.ETC_RATE,
    _K.COUPON_PERCENT,
    _K.COUPON_FIXED,
)
"""Order in which a set is applied: rates before amounts, so that an amount is worth all of
itself."""
LEGAL_SETS: frozenset[frozenset[EntitlementKind]] = frozenset(
    {
        frozenset({_K.EXEMPT}),
        frozenset({_K.HOLIDAY_FREE}),
        frozenset({_K.MONTHLY_CARD}),
        frozenset({_K.ETC_RATE}),
        frozenset({_K.COUPON_PERCENT}),
        frozenset({_K.COUPON_FIXED}),
        frozenset({_K.ETC_RATE, _K.COUPON_PERCENT}),
        frozenset({_K.ETC_RATE, _K.COUPON_FIXED}),
    }
)
"""What may stand together, one of each kind: a coupon with ETC, but no two coupons, and nothing
beside what makes a passage free."""
_FREE = frozenset({_K.EXEMPT, _K.HOLIDAY_FREE, _K.MONTHLY_CARD})
_RATES = frozenset({_K.ETC_RATE, _K.COUPON_PERCENT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entitlement:
    """One thing that may make a toll less."""

    kind: EntitlementKind
    name: str
    """Its own number or title, as its maker calls it; shown on the receipt, so no secret."""
    valid_from_ms: int = 0
    """UTC milliseconds: the first exit time it is good for."""
    valid_until_ms: int = FOR_EVER_MS
    """UTC milliseconds: the first exit time it is no longer good for."""
    classes: frozenset[VehicleClass] = frozenset()
    """Vehicle classes it is good for; empty means every class."""
    entry_station: str | None = None
    """Good for this entry station alone; None means every one."""
    minimum_fen: int = 0
    """Good for tolls of at least this much, before anything is taken off."""
    amount_fen: int = 0
    """Of COUPON_FIXED: what it takes off, 1..TOLL_MAX_FEN."""
    off_rate: int = 0
    """Of ETC_RATE and COUPON_PERCENT: what it takes off in basis points, 1..10,000."""
    vehicle_kind: VehicleKind | None = None
    """Of EXEMPT: the kind that pays nothing."""

    def __post_init__(self) -> None:
        assert 1 <= len(self.name) <= 64, "an entitlement has a short name"
        assert 0 <= self.valid_from_ms < self.valid_until_ms <= FOR_EVER_MS, "it is good for a time"
        assert 0 <= self.minimum_fen <= TOLL_MAX_FEN, "a minimum is a toll"
        fixed, rate = self.kind is _K.COUPON_FIXED, self.kind in _RATES
        assert 0 <= self.amount_fen <= TOLL_MAX_FEN, "an amount out of range"
        assert (self.amount_fen > 0) == fixed, "a fixed coupon has an amount"
        assert 0 <= self.off_rate <= FULL_RATE, "a rate out of range"
        assert (self.off_rate > 0) == rate, "a rate is of ETC and of percent coupons"
        exempt = self.vehicle_kind in EXEMPT_KINDS
        assert exempt == (self.kind is _K.EXEMPT), "an exemption names its kind of vehicle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One step from the full toll to the price."""

    code: str
    """A key of ``SENTENCES``, stable for ever."""
    name: str
    """Of the entitlement."""
    saved_fen: int
    """What this step took off, 0 and up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BestPrice:
    """The lowest lawful price."""

    price_fen: int
    full_toll_fen: int
    chosen: tuple[Entitlement, ...]
    """What it rests on, in the order applied; empty where nothing makes it less."""
    why: tuple[Reason, ...]
    """One per chosen entitlement; the amounts sum to full_toll_fen less price_fen."""


SENTENCES: dict[str, tuple[str, str]] = {
    "holiday_free": ("节假日小客车免费通行", "Free on a public holiday"),
    "monthly_card": ("月卡通行", "Monthly card"),
    "etc_rate": ("ETC 优惠", "ETC rate"),
    "coupon_percent": ("折扣券", "Discount coupon"),
    "coupon_fixed": ("优惠券", "Coupon"),
    "exempt_official": ("路政公务车免费", "Free: road authority's vehicle"),
    "exempt_military_police": ("军警车辆免费", "Free: armed forces or police"),
    "exempt_emergency": ("消防、救护等应急救援车辆免费", "Free: fire service, ambulance or rescue"),
    "exempt_free": ("按规定免费", "Free for a reason on record"),
    "exempt_convoy": ("车队放行免费", "Free: let through in a convoy"),
    "exempt_green_channel": ("鲜活农产品绿色通道免费", "Free: fresh farm produce (green channel)"),
    "exempt_harvester": ("跨区作业联合收割机免费", "Free: cross-region harvester"),
    "exempt_relief": ("抢险救灾车辆免费", "Free: disaster relief"),
}
"""Code -> what a receipt says, Chinese and English."""


def sentence(code: str, saved_fen: int, *, chinese: bool) -> str:
    """Return what a receipt says of one step; a code made by a later version stands for itself."""
    zh, en = SENTENCES.get(code, (code, code))
    yuan = Money(saved_fen).yuan_text()
    return f"{zh}，减 {yuan} 元" if chinese else f"{en}, {yuan} yuan off"


def applies(entitlement: Entitlement, quote: Quote, *, at_ms: int) -> bool:
    """Return whether *entitlement* is good for the quoted passage with exit time *at_ms*."""
    e = entitlement
    return (
        e.valid_from_ms <= at_ms < e.valid_until_ms
        and (not e.classes or quote.vehicle_class in e.classes)
        and e.entry_station in (None, quote.entry_station)
        and quote.full_toll_fen >= e.minimum_fen
        and e.vehicle_kind in (None, quote.vehicle_kind)
    )


def best_price(quote: Quote, entitlements: Sequence[Entitlement], *, at_ms: int) -> BestPrice:
    """Return the lowest price of a quoted passage, whatever order *entitlements* come in.

    Args:   entitlements: at most MAX_ENTITLEMENTS; the exemption by the vehicle's own kind is added
                here and need not be among them.
            at_ms: exit time, UTC milliseconds.
    """
    assert len(entitlements) <= MAX_ENTITLEMENTS, "too many entitlements"
    own = [_by_kind(quote.vehicle_kind)] if quote.vehicle_kind in EXEMPT_KINDS else []
    good = [each for each in (*own, *entitlements) if applies(each, quote, at_ms=at_ms)]
    return min(
        (_priced(quote.full_toll_fen, chosen) for chosen in _legal(good)),
        key=lambda found: (
            found.price_fen,
            len(found.chosen),
            sorted(each.name for each in found.chosen),
            [_whole(each) for each in found.chosen],
        ),
    )


def _by_kind(kind: VehicleKind) -> Entitlement:
    return Entitlement(kind=_K.EXEMPT, name=f"kind {int(kind)}", vehicle_kind=kind)


def _legal(good: Sequence[Entitlement]) -> Iterator[tuple[Entitlement, ...]]:
    """Yield every legal set, each in the order of its steps; the empty one first."""
    yield ()
    of_kind = {kind: [each for each in good if each.kind is kind] for kind in STEPS}
    for kinds in LEGAL_SETS:
        yield from itertools.product(*(of_kind[kind] for kind in STEPS if kind in kinds))


def _priced(full_toll_fen: int, chosen: tuple[Entitlement, ...]) -> BestPrice:
    price = full_toll_fen
    why = []
    for each in chosen:
        left = _after(each, price)
        why.append(Reason(code=_code(each), name=each.name, saved_fen=price - left))
        price = left
    return BestPrice(price_fen=price, full_toll_fen=full_toll_fen, chosen=chosen, why=tuple(why))


def _after(entitlement: Entitlement, price_fen: int) -> int:
    """Return what is left of a price."""
    if entitlement.kind in _FREE:
        return 0
    if entitlement.kind is _K.COUPON_FIXED:
        return max(price_fen - entitlement.amount_fen, 0)
    return (price_fen * (FULL_RATE - entitlement.off_rate) + FULL_RATE // 2) // FULL_RATE


def _code(entitlement: Entitlement) -> str:
    if entitlement.vehicle_kind is None:
        return entitlement.kind.value
    return f"exempt_{entitlement.vehicle_kind.name.lower()}"


def _whole(e: Entitlement) -> tuple[object, ...]:
    """Return all of an entitlement in a form that sorts: the last word where names are equal."""
    classes = tuple(sorted(int(each) for each in e.classes))
    money = (e.minimum_fen, e.amount_fen, e.off_rate)
    station = e.entry_station or ""
    kind = -1 if e.vehicle_kind is None else int(e.vehicle_kind)
    return (e.name, e.kind.value, *money, e.valid_from_ms, e.valid_until_ms, classes, station, kind)
