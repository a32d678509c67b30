"""What a canary is, and how production code is changed from outside and put back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from simulator.world.build import WorldConfig


class Plant(Protocol):
    """A function whose docstring is the bug in one sentence; it returns what plants it."""

    __name__: str

    def __call__(self) -> AbstractContextManager[None]:
        """Return the context manager that plants the bug."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """One planted bug."""

    name: str
    plant: Plant
    """Returns the context manager that plants it."""
    world: Callable[[int], WorldConfig]
    """Seed -> the smallest world in which it shows."""
    rules: frozenset[str]
    """At least one of them must be broken there; CRASH where an assertion of ours stops the bug."""

    @property
    def what(self) -> str:
        """Return the bug in one sentence."""
        return (self.plant.__doc__ or "").strip()


@contextmanager
def replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Let ``owner.name`` be *value* inside the with block."""
    before = owner.__dict__[name]
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


@contextmanager
def replaced_row(table: MutableMapping[Any, Any], key: Any, row: Any) -> Iterator[None]:
    """Let ``table[key]`` be *row* inside the with block."""
    before = table[key]
    table[key] = row
    try:
        yield
    finally:
        table[key] = before


@contextmanager
def both(one: AbstractContextManager[None], other: AbstractContextManager[None]) -> Iterator[None]:
    """Plant two parts of one bug inside the with block."""
    with one, other:
        yield
