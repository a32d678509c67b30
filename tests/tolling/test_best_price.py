"""The lowest lawful price: against brute force, and what must hold of every price."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tolling.best_price import (
    ETC_OFF,
    LEGAL_SETS,
    MAX_ENTITLEMENTS,
    SENTENCES,
    STEPS,
    BestPrice,
    Entitlement,
    EntitlementKind,
    Reason,
    best_price,
    sentence,
)
from tolling.tariffs import EntrySource, Quote
from tolling.vehicles import EXEMPT_KINDS, VehicleClass, VehicleKind

K = EntitlementKind
NOON_MS = 1_795_320_000_000


def quoted(toll_fen: int = 2550, kind: VehicleKind = VehicleKind.NORMAL, **more: Any) -> Quote:
    """Return a quote of one car."""
    return Quote(
        tariff_id="T",
        tariff_version=1,
        row=1,
        entry_station=more.get("entry_station", "东站"),
        entry_source=EntrySource.PLATE,
        vehicle_class=more.get("vehicle_class", VehicleClass.CAR_1),
        vehicle_kind=kind,
        full_toll_fen=toll_fen,
        toll_due_fen=0 if kind in EXEMPT_KINDS else toll_fen,
    )


ETC = Entitlement(kind=K.ETC_RATE, name="etc", off_rate=ETC_OFF)
FIVE = Entitlement(kind=K.COUPON_FIXED, name="five", amount_fen=500)
TENTH = Entitlement(kind=K.COUPON_PERCENT, name="tenth", off_rate=1000)
PASS = Entitlement(kind=K.MONTHLY_CARD, name="pass")
HOLIDAY = Entitlement(
    kind=K.HOLIDAY_FREE,
    name="national day",
    classes=frozenset({VehicleClass.CAR_1}),
    valid_from_ms=NOON_MS,
    valid_until_ms=NOON_MS + 7 * 86_400_000,
)


def priced(*entitlements: Entitlement, quote: Quote | None = None, at_ms: int = NOON_MS) -> Any:
    """Return the price and the names it rests on."""
    found = best_price(quote or quoted(), entitlements, at_ms=at_ms)
    return found.price_fen, [each.name for each in found.chosen]


# toll, entitlements -> price, chosen
ROWS: list[tuple[int, tuple[Entitlement, ...], int, list[str]]] = [
    (2550, (), 2550, []),
    # 5 % off 25.50 is 24.225: half a fen is rounded up.
    (2550, (ETC,), 2423, ["etc"]),
    (2550, (FIVE,), 2050, ["five"]),
    (2550, (TENTH,), 2295, ["tenth"]),
    # One coupon, not both; ETC stands with either.
    (2550, (FIVE, TENTH), 2050, ["five"]),
    (2550, (FIVE, TENTH, ETC), 1923, ["etc", "five"]),
    (10_000, (FIVE, TENTH, ETC), 8550, ["etc", "tenth"]),
    # A free passage spends no coupon.
    (2550, (FIVE, ETC, PASS), 0, ["pass"]),
    (2550, (HOLIDAY, FIVE), 0, ["national day"]),
    # A coupon over the whole toll gives no money out, and ETC beside it would be for nothing.
    (300, (FIVE, ETC), 0, ["five"]),
    (0, (FIVE, PASS), 0, []),
    (1, (ETC,), 1, []),
]


@pytest.mark.parametrize(("toll", "given_", "price", "chosen"), ROWS)
def test_prices_are_these(
    toll: int, given_: tuple[Entitlement, ...], price: int, chosen: list[str]
) -> None:
    """Toll and entitlements, price and what it rests on."""
    assert priced(*given_, quote=quoted(toll)) == (price, chosen)


def test_equal_prices_go_to_the_first_name() -> None:
    """Two coupons of one value: the same one is spent whoever asks."""
    other = Entitlement(kind=K.COUPON_FIXED, name="a five", amount_fen=500)
    assert priced(FIVE, other) == priced(other, FIVE) == (2050, ["a five"])


@pytest.mark.parametrize(
    ("changes", "quote", "at_ms"),
    [
        ({"valid_from_ms": NOON_MS + 1}, quoted(), NOON_MS),
        ({"valid_until_ms": NOON_MS}, quoted(), NOON_MS),
        ({"minimum_fen": 2551}, quoted(), NOON_MS),
        ({"classes": frozenset({VehicleClass.CAR_2})}, quoted(), NOON_MS),
        ({"entry_station": "西站"}, quoted(), NOON_MS),
    ],
)
def test_what_does_not_apply_is_not_applied(
    changes: dict[str, Any], quote: Quote, at_ms: int
) -> None:
    """Time, minimum, class and station: each alone is enough."""
    coupon = Entitlement(kind=K.COUPON_FIXED, name="c", amount_fen=500, **changes)
    assert priced(coupon, quote=quote, at_ms=at_ms) == (2550, [])


def test_the_edges_of_a_coupon_count() -> None:
    """First instant in, last instant out; the minimum itself is enough."""
    coupon = Entitlement(
        kind=K.COUPON_FIXED,
        name="c",
        amount_fen=500,
        minimum_fen=2550,
        valid_from_ms=NOON_MS,
        valid_until_ms=NOON_MS + 10,
    )
    assert [priced(coupon, at_ms=NOON_MS + at)[0] for at in (-1, 0, 9, 10)] == [
        2550,
        2050,
        2050,
        2550,
    ]


@pytest.mark.parametrize("kind", sorted(EXEMPT_KINDS))
def test_an_exempt_vehicle_pays_nothing_and_is_told_why(kind: VehicleKind) -> None:
    """By its own kind, without any entitlement in hand."""
    found = best_price(quoted(kind=kind), (FIVE, ETC), at_ms=NOON_MS)
    assert (found.price_fen, len(found.why)) == (0, 1)
    assert found.why[0].code in SENTENCES
    assert found.why[0].saved_fen == 2550


def test_an_exemption_is_for_its_own_kind_of_vehicle() -> None:
    """A green channel paper frees no ordinary car."""
    paper = Entitlement(kind=K.EXEMPT, name="g", vehicle_kind=VehicleKind.GREEN_CHANNEL)
    assert priced(paper) == (2550, [])
    assert priced(paper, quote=quoted(kind=VehicleKind.GREEN_CHANNEL))[0] == 0


def test_every_kind_has_sentences_in_both_languages() -> None:
    """And the amount stands in them."""
    assert set(SENTENCES) >= {kind.value for kind in STEPS if kind is not K.EXEMPT}
    assert set(SENTENCES) >= {f"exempt_{kind.name.lower()}" for kind in EXEMPT_KINDS}
    assert sentence("etc_rate", 127, chinese=True) == "ETC 优惠，减 1.27 元"
    assert sentence("etc_rate", 127, chinese=False) == "ETC rate, 1.27 yuan off"
    assert "later_code" in sentence("later_code", 1, chinese=True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": K.COUPON_FIXED},
        {"kind": K.ETC_RATE},
        {"kind": K.ETC_RATE, "off_rate": 10_001},
        {"kind": K.MONTHLY_CARD, "amount_fen": 5},
        {"kind": K.EXEMPT},
        {"kind": K.EXEMPT, "vehicle_kind": VehicleKind.NORMAL},
        {"kind": K.MONTHLY_CARD, "valid_from_ms": 5, "valid_until_ms": 5},
        {"kind": K.MONTHLY_CARD, "name": ""},
    ],
)
def test_an_entitlement_that_means_nothing_is_refused(wrong: dict[str, Any]) -> None:
    """At its making, so that no price rests on it."""
    with pytest.raises(AssertionError):
        Entitlement(**{"name": "x", **wrong})


# ---- of every price ----


@st.composite
def entitlements(draw: st.DrawFn) -> Entitlement:
    """Draw anything anybody may hold; few names and amounts, so that ties happen."""
    kind = draw(st.sampled_from(STEPS))
    fixed, rate = kind is K.COUPON_FIXED, kind in {K.ETC_RATE, K.COUPON_PERCENT}
    begin = draw(st.integers(NOON_MS - 2, NOON_MS + 1))
    return Entitlement(
        kind=kind,
        name=draw(st.sampled_from("abc")),
        valid_from_ms=begin,
        valid_until_ms=begin + draw(st.integers(1, 3)),
        classes=draw(st.frozensets(st.sampled_from([VehicleClass.CAR_1, VehicleClass.CAR_2]))),
        entry_station=draw(st.sampled_from([None, None, "东站", "西站"])),
        minimum_fen=draw(st.sampled_from([0, 0, 1000, 3000])),
        amount_fen=draw(st.sampled_from([1, 500, 2550, 9999])) if fixed else 0,
        off_rate=draw(st.sampled_from([1, 500, 3333, 10_000])) if rate else 0,
        vehicle_kind=draw(st.sampled_from(sorted(EXEMPT_KINDS))) if kind is K.EXEMPT else None,
    )


QUOTES = st.builds(
    quoted,
    st.one_of(st.integers(0, 20), st.integers(0, 10_000_000)),
    st.sampled_from([VehicleKind.NORMAL, VehicleKind.NORMAL, VehicleKind.GREEN_CHANNEL]),
)
HANDS = st.lists(entitlements(), max_size=6)


IN_ORDER = {K.ETC_RATE: 1, K.COUPON_PERCENT: 2, K.COUPON_FIXED: 3}
"""Each step rounds: two rates the other way round may be a fen apart."""


def brute_force(quote: Quote, hand: list[Entitlement]) -> int:
    """Return the lowest price over all subsets, by the words of the rules alone."""
    prices = [0 if quote.vehicle_kind in EXEMPT_KINDS else quote.full_toll_fen]
    for count in range(1, len(hand) + 1):
        for subset in itertools.combinations(hand, count):
            kinds = [each.kind for each in subset]
            if len(set(kinds)) != count or frozenset(kinds) not in LEGAL_SETS:
                continue
            if not all(
                each.valid_from_ms <= NOON_MS < each.valid_until_ms
                and each.minimum_fen <= quote.full_toll_fen
                and (quote.vehicle_class in each.classes or not each.classes)
                and (each.entry_station is None or each.entry_station == quote.entry_station)
                and (each.vehicle_kind is None or each.vehicle_kind is quote.vehicle_kind)
                for each in subset
            ):
                continue
            price = quote.full_toll_fen
            for each in sorted(subset, key=lambda e: IN_ORDER.get(e.kind, 0)):
                if each.off_rate:
                    doubled = price * (10_000 - each.off_rate) * 2
                    price = (doubled + 10_000) // 20_000
                elif each.amount_fen:
                    price -= min(price, each.amount_fen)
                else:
                    price = 0
            prices.append(price)
    return min(prices)


@pytest.mark.slow
@given(QUOTES, HANDS)
def test_the_price_is_brute_forces(quote: Quote, hand: list[Entitlement]) -> None:
    """Every subset tried by hand finds nothing cheaper and nothing else."""
    assert best_price(quote, hand, at_ms=NOON_MS).price_fen == brute_force(quote, hand)


@pytest.mark.slow
@given(QUOTES, HANDS)
def test_a_price_lies_between_nothing_and_the_quote_and_its_reasons_sum(
    quote: Quote, hand: list[Entitlement]
) -> None:
    """Never below 0, never above what the lane would ask; every fen less has its reason."""
    found = best_price(quote, hand, at_ms=NOON_MS)
    assert 0 <= found.price_fen <= quote.toll_due_fen
    saved = sum(reason.saved_fen for reason in found.why)
    assert found.full_toll_fen - saved == found.price_fen
    assert len(found.why) == len(found.chosen)
    assert all(reason.saved_fen >= 0 for reason in found.why)


@pytest.mark.slow
@given(QUOTES, HANDS, entitlements())
def test_more_entitlements_are_never_dearer(
    quote: Quote, hand: list[Entitlement], more: Entitlement
) -> None:
    """One more in the hand changes the price downwards or not at all."""
    without = best_price(quote, hand, at_ms=NOON_MS).price_fen
    assert best_price(quote, [*hand, more], at_ms=NOON_MS).price_fen <= without


@pytest.mark.slow
@given(QUOTES, HANDS, st.randoms(use_true_random=False))
def test_the_order_of_the_hand_does_not_matter(
    quote: Quote, hand: list[Entitlement], dice: Any
) -> None:
    """Price, choice and reasons are the same, ties too."""
    shuffled = list(hand)
    dice.shuffle(shuffled)
    subject: BestPrice = best_price(quote, hand, at_ms=NOON_MS)
    assert best_price(quote, shuffled, at_ms=NOON_MS) == subject


def test_a_full_hand_is_priced_and_a_fuller_one_refused() -> None:
    """The bound is asserted, so that nobody can ask for hours of pricing."""
    hand = [ETC, *(FIVE for _ in range(MAX_ENTITLEMENTS - 1))]
    found = best_price(quoted(), hand, at_ms=NOON_MS)
    assert found.why[-1] == Reason(code="coupon_fixed", name="five", saved_fen=500)
    with pytest.raises(AssertionError):
        best_price(quoted(), [*hand, FIVE], at_ms=NOON_MS)
