"""The text written straight is the one JSON's encoder makes of the plain data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tolling.words import WORDS, of
from tolling.canonical import to_plain
from tolling.canonical_text import MAX_INT, text_of

FEWER = settings(max_examples=settings().max_examples * 3 // 5)


class Lamp(StrEnum):
    """An enumeration of texts."""

    RED = 'r"ed'
    GREEN = "绿\n"


class Size(IntEnum):
    """An enumeration of integers."""

    SMALL = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """No field at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Anything:
    """Fields whose names sort before and behind the mark."""

    zone: Any = None
    a_one: Any = None
    Upper: Any = None


def _by_encoder(value: object) -> str:
    return json.dumps(to_plain(value), ensure_ascii=False, sort_keys=True, separators=(",", ":"))


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-MAX_INT, MAX_INT)
    | st.text()
    | st.sampled_from([*Lamp, *Size, Nothing()])
    | st.frozensets(st.sampled_from(Lamp)),
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.text() | st.sampled_from(Lamp), inner)
        | st.builds(Anything, zone=inner, a_one=inner, Upper=inner)
    ),
    max_leaves=12,
)


@given(value=PLAIN)
def test_any_value_has_the_encoders_text(value: Any) -> None:
    """Keys, quotes, numbers, words of other scripts: byte for byte."""
    assert text_of(value) == _by_encoder(value)


@pytest.mark.parametrize("kind", WORDS)
@FEWER
@given(data=st.data())
def test_every_word_has_the_encoders_text(kind: Any, data: st.DataObject) -> None:
    """So nothing that was hashed or signed before reads otherwise."""
    subject = data.draw(of(kind))
    assert text_of(subject) == _by_encoder(subject)


@pytest.mark.parametrize(
    "value", [1.0, b"x", {1: 2}, {1, 2}, object(), MAX_INT + 1, -MAX_INT - 1, Anything(zone=0.5)]
)
def test_foreign_values_have_no_text(value: object) -> None:
    """Floats, bytes, sets, keys that are no text and huge integers are refused, at any depth."""
    with pytest.raises(TypeError):
        text_of(value)
