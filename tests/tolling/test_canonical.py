"""One value has one text, and the text gives the value back."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tolling.words import WORDS, of
from tolling.canonical import MAX_INT, canonical_bytes, from_canonical, shown_key, to_plain
from tolling.errors import BadInputError
from tolling.inputs import Point, Reading
from tolling.records import Leg, Tender
from tolling.vehicles import VehicleClass

SECRET = "287634438256643942"
# Each of many words has its own test: a fraction of the profile's examples for each.
FEWER = settings(max_examples=max(8, settings().max_examples // 6))


class Lamp(enum.StrEnum):
    """A small enum."""

    RED = "red"
    GREEN = "green"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """One member of a union."""

    after_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Go:
    """Another member, with the same field."""

    after_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """Every kind of field."""

    step: Stop | Go
    steps: tuple[Stop | Go, ...] = ()
    pair: tuple[int, str] = (0, "")
    lamps: frozenset[Lamp] = frozenset()
    readings: dict[Point, Reading] | None = None
    table: Mapping[str, int] | None = None
    names: list[str] | None = None
    either: int | str = 0
    flag: bool = False
    anything: Any = None
    vehicle_class: VehicleClass = VehicleClass.CAR_1


FULL = Box(
    step=Go(after_ms=5),
    steps=(Stop(), Go()),
    pair=(1, "é"),
    lamps=frozenset(Lamp),
    readings={Point.LOOP_1: Reading.ON},
    table={"a": 1},
    names=["b"],
    either="x",
    flag=True,
    anything=[1],
)


@pytest.mark.parametrize("kind", WORDS)
@FEWER
@given(data=st.data())
def test_every_word_survives_its_bytes(kind: Any, data: st.DataObject) -> None:
    """Every word that travels or is kept reads back from its bytes as the same value."""
    subject = data.draw(of(kind))
    written = canonical_bytes(subject)
    again = from_canonical(kind, written)
    assert again == subject
    assert canonical_bytes(again) == written


def test_every_kind_of_field_survives() -> None:
    """Unions, collections, enums as keys and defaults read back as they were."""
    again = from_canonical(Box, canonical_bytes(FULL))
    assert again == FULL
    assert all(type(key) is Point for key in again.readings)
    assert from_canonical(Box | Stop, canonical_bytes(FULL)) == FULL
    assert from_canonical(Box | None, b"null") is None
    assert from_canonical(Box, b'{"step":{"_":"Stop"}}') == Box(step=Stop())


def test_the_text_is_sorted_and_marked() -> None:
    """Keys are sorted, nothing is padded, and the class stands under the mark."""
    leg = Leg(tender=Tender.CASH, amount_fen=2500)
    assert canonical_bytes(leg) == (
        b'{"_":"Leg","amount_fen":2500,"out_trade_no":null,"provider_txn_id":null,"tender":"cash"}'
    )
    assert canonical_bytes(frozenset(Lamp)) == b'["green","red"]'


@pytest.mark.parametrize("value", [1.0, b"x", {1: 2}, {1, 2}, object(), MAX_INT + 1, -MAX_INT - 1])
def test_foreign_values_have_no_text(value: object) -> None:
    """Floats, bytes, sets, keys that are no text and huge integers are refused."""
    with pytest.raises(TypeError):
        to_plain(value)


def with_field(name: str, text: str) -> bytes:
    """Return a box in JSON with one field as *text*."""
    return f'{{"step":{{"_":"Go"}},"{name}":{text}}}'.encode()


@pytest.mark.parametrize(
    ("data", "where"),
    [
        (b"", "canonical bytes"),
        (b"{", "canonical bytes"),
        (b"\xff", "canonical bytes"),
        (b"[" * 100_000, "canonical bytes"),
        (with_field("either", "1.5"), "canonical bytes"),
        (with_field("either", "NaN"), "canonical bytes"),
        (with_field("either", r'"\ud800"'), "canonical bytes"),
        (b"[]", "$"),
        (b'{"_":"Stop"}', "$"),
        (b"{}", "$.step"),
        (b'{"step":null}', "$.step"),
        (b'{"step":{"after_ms":1}}', "$.step"),
        (b'{"step":5}', "$.step"),
        (with_field(SECRET, "1"), "$"),
        (with_field("steps", "{}"), "$.steps"),
        (with_field("steps", '[{"_":"Go","after_ms":"x"}]'), "$.steps[0].after_ms"),
        (with_field("pair", "[1]"), "$.pair"),
        (with_field("pair", '["a","b"]'), "$.pair[0]"),
        (with_field("lamps", f'["{SECRET}"]'), "$.lamps[0]"),
        (with_field("readings", "[]"), "$.readings"),
        (with_field("readings", f'{{"{SECRET}":"on"}}'), "$.readings.?"),
        (with_field("table", f'{{"{SECRET}":"x"}}'), "$.table.?"),
        (with_field("either", "true"), "$.either"),
        (with_field("either", str(MAX_INT + 1)), "$.either"),
        (with_field("flag", "1"), "$.flag"),
        (with_field("vehicle_class", "true"), "$.vehicle_class"),
        (with_field("vehicle_class", '"1"'), "$.vehicle_class"),
        (with_field("vehicle_class", "5"), "$.vehicle_class"),
        (with_field("vehicle_class", "[]"), "$.vehicle_class"),
    ],
)
def test_wrong_bytes_are_refused_by_path(data: bytes, where: str) -> None:
    """Each wrong text names the path of what is wrong and repeats none of it."""
    with pytest.raises(BadInputError) as failure:
        from_canonical(Box, data)
    assert failure.value.where == where
    assert SECRET not in str(failure.value)
    assert failure.value.__context__ is None or SECRET not in str(failure.value.__context__)


def test_a_value_that_is_not_valid_is_refused() -> None:
    """What a word asserts about itself is told as wrong input."""
    with pytest.raises(BadInputError, match="a leg moves money"):
        from_canonical(Leg, b'{"tender":"cash","amount_fen":0}')


def test_a_field_of_no_canonical_form_is_a_mistake_of_ours() -> None:
    """A type the reader does not know is no fault of the input."""
    with pytest.raises(TypeError):
        from_canonical(Literal["a"], b'{"a":1}')


@pytest.mark.parametrize(
    ("key", "shown"),
    [("plate", "plate"), (3, "3"), (SECRET, "?"), ("hQVDUFYwMW", "?"), (None, "?")],
)
def test_keys_are_shown_only_where_harmless(key: object, shown: str) -> None:
    """A field name and a place in a list are shown; what may be a code is not."""
    assert shown_key(key) == shown


@given(st.recursive(st.none() | st.booleans() | st.integers(-9, 9) | st.text(), st.lists))
def test_any_json_is_a_value_or_refused(plain: Any) -> None:
    """No JSON makes the reader fail in another way."""
    try:
        from_canonical(Box, json.dumps(plain).encode())
    except BadInputError:
        return
    raise AssertionError("no such text is a box")
