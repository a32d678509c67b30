"""Helper of the tests of the words: hypothesis strategies for every word, taken from its fields."""

from __future__ import annotations

import dataclasses
import enum
import functools
import types
import typing
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from tolling import coupons, messages, records, signed_sets, tariffs, vehicles
from tolling.best_price import FOR_EVER_MS, FULL_RATE, Entitlement, EntitlementKind, Reason
from tolling.canonical import MAX_INT
from tolling.coupons import CouponAnswer, CouponRelease, CouponRequest
from tolling.ids import LaneId, OutTradeNo, PassageId, PlazaId, make_out_trade_no, make_passage_id
from tolling.records import PHONE_TENDERS, Leg, OwedBack, PassageRecord, Tender, UnpaidReason
from tolling.tariffs import TOLL_MAX_FEN, TariffRow, TariffSet
from tolling.vehicles import Plate, PlateColour, VehicleClass

PLAZAS = st.integers(0, 999_999).map(lambda number: PlazaId(f"{number:06d}"))
LANES = st.integers(0, 999).map(lambda number: LaneId(f"{number:03d}"))
PASSAGES = st.builds(
    make_passage_id,
    plaza=PLAZAS,
    lane=LANES,
    epoch=st.integers(1, 999),
    passage_no=st.integers(1, 999_999_999),
)
ORDERS = st.builds(make_out_trade_no, PASSAGES, st.integers(1, 99))
PLATES = st.builds(
    Plate,
    text=st.text("ABCXYZ0189", min_size=5, max_size=5).map(lambda tail: f"粤B{tail}"),
    colour=st.sampled_from(PlateColour),
)
TEXTS = st.text('aZ0_-. "\\\n\x00é元😀', max_size=12)
_IDS: dict[Any, st.SearchStrategy[Any]] = {
    PlazaId: PLAZAS,
    LaneId: LANES,
    PassageId: PASSAGES,
    OutTradeNo: ORDERS,
}


def of(hint: Any) -> st.SearchStrategy[Any]:
    """Return values of a field with this hint, or of this word."""
    if hint in _IDS:
        return _IDS[hint]
    if hint in _BY_CLASS:
        return _BY_CLASS[hint]()
    hint = getattr(hint, "__supertype__", hint)
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return st.one_of(*(of(arg) for arg in args))
    if origin is tuple:
        return st.lists(of(args[0]), max_size=3).map(tuple)
    if origin is dict:
        return st.dictionaries(of(args[0]), of(args[1]), max_size=3)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return st.sampled_from(hint)
    if dataclasses.is_dataclass(hint):
        return built(hint)
    scalars: dict[Any, st.SearchStrategy[Any]] = {
        bool: st.booleans(),
        int: st.integers(-MAX_INT, MAX_INT),
        str: TEXTS,
        type(None): st.none(),
    }
    return scalars[hint]


def built(kind: Any, /, **own: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return values of dataclass *kind*; *own* replaces what a field's hint would give."""
    hints = typing.get_type_hints(kind)
    fields = {
        f.name: own[f.name] if f.name in own else of(hints[f.name])
        for f in dataclasses.fields(kind)
    }
    return st.builds(kind, **fields)


@functools.cache
def tariff_sets() -> st.SearchStrategy[TariffSet]:
    """Return tariff sets of 1..6 rows, each station and class once, numbered from 1."""
    keys = st.tuples(st.sampled_from(["E1", "E2", "远"]), st.sampled_from(VehicleClass))
    tolls = st.tuples(st.integers(0, TOLL_MAX_FEN), st.integers(0, 10**7))
    rows = st.dictionaries(keys, tolls, min_size=1, max_size=6).map(
        lambda found: tuple(
            TariffRow(
                row=number,
                entry_station=key[0],
                vehicle_class=key[1],
                toll_fen=toll,
                distance_m=far,
            )
            for number, (key, (toll, far)) in enumerate(found.items(), start=1)
        )
    )
    return built(TariffSet, rows=rows)


@functools.cache
def legs() -> st.SearchStrategy[Leg]:
    """Return legs of every tender; phone legs name an order."""
    fen = st.integers(1, 10**6)
    phone = built(
        Leg, tender=st.sampled_from(sorted(PHONE_TENDERS)), amount_fen=fen, out_trade_no=ORDERS
    )
    hand = built(
        Leg,
        tender=st.sampled_from([Tender.CASH, Tender.ETC]),
        amount_fen=fen,
        out_trade_no=st.none(),
    )
    coupon = built(
        Leg,
        tender=st.just(Tender.COUPON),
        amount_fen=fen,
        out_trade_no=st.none(),
        provider_txn_id=TEXTS,
    )
    return phone | hand | coupon


@functools.cache
def entitlements() -> st.SearchStrategy[Entitlement]:
    """Return coupons of both kinds."""
    named = st.text("ab券", min_size=1, max_size=8)
    classes = st.frozensets(st.sampled_from(VehicleClass), max_size=3)
    own = {
        "name": named,
        "classes": classes,
        "valid_from_ms": st.integers(0, 10**12),
        "valid_until_ms": st.integers(10**12 + 1, FOR_EVER_MS),
        "minimum_fen": st.integers(0, TOLL_MAX_FEN),
        "vehicle_kind": st.none(),
    }
    fixed = built(
        Entitlement,
        kind=st.just(EntitlementKind.COUPON_FIXED),
        amount_fen=st.integers(1, TOLL_MAX_FEN),
        off_rate=st.just(0),
        **own,
    )
    percent = built(
        Entitlement,
        kind=st.just(EntitlementKind.COUPON_PERCENT),
        amount_fen=st.just(0),
        off_rate=st.integers(1, FULL_RATE),
        **own,
    )
    return fixed | percent


@st.composite
def passage_records(draw: Any) -> PassageRecord:
    """Return records whose legs sum, or that say why they do not."""
    found = draw(st.lists(legs(), max_size=3, unique_by=lambda leg: leg.out_trade_no))
    coupons = [leg for leg in found if leg.tender is Tender.COUPON][:1]
    tags = [leg for leg in found if leg.tender is Tender.ETC][:1]
    once = (Tender.COUPON, Tender.ETC)
    applied = (*coupons, *tags, *(leg for leg in found if leg.tender not in once))
    owed = () if tags else tuple(draw(st.lists(of(OwedBack), max_size=1)))
    why = tuple(
        Reason(code="coupon_fixed", name=draw(TEXTS), saved_fen=leg.amount_fen) for leg in coupons
    )
    named = tuple(leg.out_trade_no for leg in applied if leg.out_trade_no is not None)
    total = sum(leg.amount_fen for leg in applied)
    reason = draw(st.none() | st.sampled_from(UnpaidReason))
    due = total if reason is None else draw(st.integers(0, 10**6))
    value: PassageRecord = draw(
        built(
            PassageRecord,
            legs=st.just(applied),
            orders=st.just(named),
            unpaid_reason=st.just(reason) if reason else st.none(),
            toll_due_fen=st.just(due),
            why=st.just(why),
            owed_back=st.just(owed),
        )
    )
    return value


_BY_CLASS: dict[Any, Callable[[], st.SearchStrategy[Any]]] = {
    Plate: lambda: PLATES,
    TariffSet: tariff_sets,
    TariffRow: lambda: tariff_sets().map(lambda each: each.rows[0]),
    Leg: legs,
    OwedBack: lambda: built(OwedBack, tender=st.just(Tender.ETC), amount_fen=st.integers(1, 10**6)),
    Entitlement: entitlements,
    CouponRequest: lambda: built(CouponRequest, attempt=st.integers(1, 99)),
    CouponRelease: lambda: built(CouponRelease, attempt=st.integers(1, 99)),
    CouponAnswer: lambda: built(
        CouponAnswer, attempt=st.integers(1, 99), saved_fen=st.integers(0, TOLL_MAX_FEN)
    ),
    PassageRecord: passage_records,
}


def dataclasses_of(*modules: Any) -> list[Any]:
    """Return the dataclasses defined in *modules*, by name."""
    return sorted(
        (
            each
            for module in modules
            for each in vars(module).values()
            if dataclasses.is_dataclass(each) and getattr(each, "__module__", "") == module.__name__
        ),
        key=lambda each: each.__name__,
    )


WORDS = dataclasses_of(messages, records, coupons, tariffs, signed_sets, vehicles)
"""Every word that travels or is kept."""
