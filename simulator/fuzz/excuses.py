"""Pairs of state and event that no seed reaches, each with its reason.

The list itself is ``pairs_never_reached.toml``: a reason and the patterns of the pairs it holds
for. A pattern is a pair with ``*`` for any part, or ``|`` between the alternatives of a part.
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
    """Return the list, in its order."""
    text = files("simulator.fuzz").joinpath(LIST).read_text(encoding="utf-8")
    return tuple(
        Excuse(why=entry["why"], patterns=tuple(_pattern(each) for each in entry["pairs"]))
        for entry in tomllib.loads(text)["excuse"]
    )


def _pattern(text: str) -> tuple[frozenset[str] | None, ...]:
    parts = text.split(".")
    assert len(parts) == 3, f"{text}: machine.state.event"
    return tuple(None if part == "*" else frozenset(part.split("|")) for part in parts)


def reason_of(pair: str) -> str | None:
    """Return why *pair* is never reached; None where nobody says so."""
    for excuse in excuses():
        if excuse.covers(pair):
            return excuse.why
    return None
