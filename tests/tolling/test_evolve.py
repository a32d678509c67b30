"""A changed copy equals what ``dataclasses.replace`` makes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from tolling.evolve import evolve


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Two numbers in order."""

    low: int
    high: int = 9

    def __post_init__(self) -> None:
        assert self.low <= self.high, "low beyond high"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two values without a rule."""

    left: object
    right: object = None


def test_a_copy_has_the_changes_and_the_rest() -> None:
    """What is not named stays; the value itself does not change."""
    subject = Span(low=1)
    assert evolve(subject, high=5) == replace(subject, high=5) == Span(low=1, high=5)
    assert subject == Span(low=1, high=9)
    assert evolve(Pair("a", ["b"]), left=None) == Pair(None, ["b"])


def test_a_class_checks_its_new_content() -> None:
    """A rule of the class holds for copies too."""
    with pytest.raises(AssertionError, match="low beyond high"):
        evolve(Span(low=1), low=10)


def test_an_unknown_field_is_refused() -> None:
    """A misspelt name does not vanish."""
    with pytest.raises(TypeError, match="Pair has no field wrong"):
        evolve(Pair(1), wrong=2)
