"""A trace shows values as ``repr`` does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.world.shown import shown
from tests.tolling.words import WORDS, of
from tolling.inputs import Point, Reading
from tolling.paycodes import PayCode, classify


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """No field at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """Every kind of field."""

    one: Any = None
    secret: str = field(default="x", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shy:
    """A class that shows itself in its own way."""

    secret: str = "x"
    """Never shown."""

    def __repr__(self) -> str:
        return "Shy()"


@pytest.mark.parametrize(
    "subject",
    [
        None,
        Nothing(),
        Box(),
        Box(one=(Point.LOOP_1,)),
        Box(one=()),
        Box(one=(1, "é'\"", b"x", 0.5)),
        Box(one={Point.LOOP_1: Reading.ON}),
        Box(one=frozenset({1})),
        Box(one=[Box(one=Shy())]),
        Box(one="100 % of {it}"),
    ],
)
def test_it_is_what_repr_says(subject: object) -> None:
    """Whatever stands in an event."""
    assert shown(subject) == repr(subject)


@pytest.mark.parametrize("kind", WORDS)
@settings(max_examples=settings().max_examples * 2 // 5)
@given(data=st.data())
def test_every_word_is_shown_as_by_repr(kind: Any, data: st.DataObject) -> None:
    """So the hash of a trace is the same as with ``repr`` itself."""
    subject = data.draw(of(kind))
    assert shown(subject) == repr(subject)


def test_a_pay_code_shows_nothing_of_itself() -> None:
    """Its class has a ``repr`` of its own."""
    code = classify(b"284567890123456789")
    assert isinstance(code, PayCode)
    assert "284567890123456789" not in shown((code,))
