"""A changed copy equals what ``dataclasses.replace`` makes; a quick class is as frozen as any."""

from __future__ import annotations

import copy
import inspect
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, replace

import pytest

from tolling.evolve import evolve, quick


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """What two kinds have in common."""

    kind: str


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Made(Base):
    """A value with everything a class may have."""

    low: int
    high: int = 9
    names: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        assert self.low <= self.high, "low beyond high"


def test_a_quick_value_is_what_the_class_says() -> None:
    """Fields, defaults, equality, hash of its content, and copies are those of the dataclass."""
    subject = Made(kind="a", low=1)
    assert (subject.kind, subject.low, subject.high, subject.names) == ("a", 1, 9, [])
    assert subject == Made(low=1, kind="a", high=9, names=[])
    assert subject.names is not Made(kind="a", low=1).names
    assert type(subject) is Made
    assert replace(subject, low=3) == evolve(subject, low=3) == Made(kind="a", low=3)
    assert copy.copy(subject) == pickle.loads(pickle.dumps(subject)) == subject
    assert list(inspect.signature(Made).parameters) == ["kind", "low", "high", "names"]


def test_a_quick_value_is_frozen() -> None:
    """Nobody sets or deletes a field once it is made."""
    subject = Made(kind="a", low=1)
    with pytest.raises(FrozenInstanceError):
        subject.low = 2  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del subject.low


def test_a_quick_class_checks_what_it_is_given() -> None:
    """A missing or unknown field, one by place, and its own rule are refused as before."""
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'low'"):
        Made(kind="a")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="unexpected keyword argument 'wrong'"):
        Made(kind="a", low=1, wrong=2)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="positional"):
        Made("a", 1)  # type: ignore[call-arg]
    with pytest.raises(AssertionError, match="low beyond high"):
        Made(kind="a", low=10)
