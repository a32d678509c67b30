"""Pairs of state and event that seeds do not reach, each with its reason.

The list itself is ``pairs_never_reached.toml``: a reason and the patterns of the pairs it holds
for. A pattern is a pair with ``*`` for any part, or ``|`` between the alternatives of a part.
An excuse says that no seed can reach a pair; what is rare can be reached, and why it seldom is
stands there too.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

LIST = "pairs_never_reached.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Excuse:
    """One reason and the pairs it holds for."""

    why: str
    patterns: tuple[tuple[frozenset[str] | None, ...], ...]
    """Machine, state, event: the words that fit; None: any."""

    def covers(self, pair: str) -> bool:
        """Return whether this is the reason for *pair*."""
        parts = pair.split(".")
        return any(
            all(words is None or part in words for words, part in zip(pattern, parts, strict=True))
            for pattern in self.patterns
        )


@cache
def excuses() -> tuple[Excuse, ...]:
    """Return why pairs cannot be reached, in the list's order."""
    return _entries("excuse")


@cache
def rarities() -> tuple[Excuse, ...]:
    """Return why pairs are reached seldom; the first entry that covers one counts."""
    return _entries("rare")


def _entries(kind: str) -> tuple[Excuse, ...]:
    text = files("simulator.fuzz").joinpath(LIST).read_text(encoding="utf-8")
    return tuple(
        Excuse(why=entry["why"], patterns=tuple(_pattern(each) for each in entry["pairs"]))
        for entry in tomllib.loads(text)[kind]
    )


def _pattern(text: str) -> tuple[frozenset[str] | None, ...]:
    parts = text.split(".")
    assert len(parts) == 3, f"{text}: machine.state.event"
    return tuple(None if part == "*" else frozenset(part.split("|")) for part in parts)


def reason_of(pair: str) -> str | None:
    """Return why *pair* cannot be reached; None where nobody says so."""
    return _why(excuses(), pair)


def told_of(pair: str) -> str | None:
    """Return why *pair* cannot be, or seldom is, reached; None where nobody says."""
    rare = _why(rarities(), pair)
    return reason_of(pair) or (None if rare is None else f"rare: {rare}")


def _why(entries: tuple[Excuse, ...], pair: str) -> str | None:
    return next((entry.why for entry in entries if entry.covers(pair)), None)
