"""Shapes: what a place in a scenario file may hold. One definition reads, writes and tells editors.

A shape reads a node into a value or notes what is wrong with it (``BAD`` then), writes a value back
as plain data for ``writer``, and gives its JSON schema. ``write`` and ``read`` undo each other.
"""

from __future__ import annotations

import difflib
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from simulator.scenarios.amounts import SPAN_PATTERN, parse_span, span_text
from simulator.scenarios.nodes import Items, Node, Problems, Table, Text
from simulator.scenarios.writer import Plain

Schema = dict[str, Any]
_WHOLE = re.compile(r"-?[0-9]{1,18}", re.ASCII)


class _Bad:
    """The one value of what could not be read."""

    def __repr__(self) -> str:
        return "BAD"


BAD: Final = _Bad()
"""Read in place of a value; the problem is noted."""


class Shape(ABC):
    """What one place may hold."""

    @abstractmethod
    def read(self, node: Node, problems: Problems) -> Any:
        """Return the value of *node*, or BAD with the problem noted."""

    @abstractmethod
    def write(self, value: Any) -> Plain:
        """Return plain data that reads back as *value*."""

    @abstractmethod
    def schema(self) -> Schema:
        """Return the JSON schema."""


def _text_of(node: Node, problems: Problems, wanted: str) -> str | None:
    if isinstance(node, Text):
        return node.text
    kind = "a table" if isinstance(node, Table) else "a list"
    problems.add(node.line, f"{kind} stands where {wanted} is meant")
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Words(Shape):
    """A text."""

    what: str = "a text"
    pattern: str = r"^[^\n]{0,500}$"
    hint: str = "write up to 500 characters in one line"

    def read(self, node: Node, problems: Problems) -> Any:
        """Return the text."""
        text = _text_of(node, problems, self.what)
        if text is None:
            return BAD
        if re.search(self.pattern, text) is None:
            problems.add(node.line, f"`{text[:40]}` is not {self.what}: {self.hint}")
            return BAD
        return text

    def write(self, value: Any) -> Plain:
        """Return the text."""
        return str(value)

    def schema(self) -> Schema:
        """Return the JSON schema."""
        return {"type": "string", "pattern": self.pattern}


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole(Shape):
    """A whole number within bounds."""

    least: int = 0
    most: int = 10**15

    def read(self, node: Node, problems: Problems) -> Any:
        """Return the number."""
        text = _text_of(node, problems, "a whole number")
        if text is None:
            return BAD
        if _WHOLE.fullmatch(text) is None:
            problems.add(node.line, f"`{text[:40]}` is no whole number: write digits only")
            return BAD
        number = int(text)
        if not self.least <= number <= self.most:
            problems.add(node.line, f"{number} is not within {self.least}..{self.most}")
            return BAD
        return number

    def write(self, value: Any) -> Plain:
        """Return the number."""
        return int(value)

    def schema(self) -> Schema:
        """Return the JSON schema."""
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag(Shape):
    """true or false, and no other word."""

    def read(self, node: Node, problems: Problems) -> Any:
        """Return the truth value."""
        text = _text_of(node, problems, "true or false")
        if text is None:
            return BAD
        if text not in ("true", "false") or (isinstance(node, Text) and node.quoted):
            problems.add(node.line, f"`{text[:40]}` is neither true nor false: write one of them")
            return BAD
        return text == "true"

    def write(self, value: Any) -> Plain:
        """Return the truth value."""
        return bool(value)

    def schema(self) -> Schema:
        """Return the JSON schema."""
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Span(Shape):
    """A duration; the value counts *unit_us* (1,000 = the value is milliseconds)."""

    unit_us: int
    least_us: int = 0

    def read(self, node: Node, problems: Problems) -> Any:
        """Return the duration in units."""
        text = _text_of(node, problems, "a duration like 12s")
        if text is None:
            return BAD
        us = parse_span(text)
        if us is None:
            hint = "write a number and its unit, as 12s, 800ms, 2min, 1h"
            problems.add(node.line, f"`{text[:40]}` is no duration: {hint}")
            return BAD
        if us % self.unit_us:
            smallest = span_text(self.unit_us)
            problems.add(node.line, f"`{text}` is finer than {smallest}, which is counted here")
            return BAD
        if us < self.least_us:
            problems.add(node.line, f"`{text}` is less than {span_text(self.least_us)}")
            return BAD
        return us // self.unit_us

    def write(self, value: Any) -> Plain:
        """Return the text of the duration."""
        return span_text(int(value) * self.unit_us)

    def schema(self) -> Schema:
        """Return the JSON schema."""
        return {"anyOf": [{"type": "string", "pattern": SPAN_PATTERN}, {"const": 0}]}


@dataclass(frozen=True, slots=True, kw_only=True)
class OneOf(Shape):
    """One of some words."""

    words: tuple[str, ...]
    value_of: Callable[[str], Any] = str
    word_of: Callable[[Any], str] = str
    what: str = "word"

    def read(self, node: Node, problems: Problems) -> Any:
        """Return the value of the word."""
        text = _text_of(node, problems, f"a {self.what}")
        if text is None:
            return BAD
        if text not in self.words:
            problems.add(
                node.line, f"`{text[:40]}` is no {self.what} known here: {self._hint(text)}"
            )
            return BAD
        return self.value_of(text)

    def _hint(self, text: str) -> str:
        return did_you_mean(text, self.words)

    def write(self, value: Any) -> Plain:
        """Return the word."""
        return self.word_of(value)

    def schema(self) -> Schema:
        """Return the JSON schema."""
        return {"enum": list(self.words)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Maybe(Shape):
    """A shape, or one word for None."""

    inner: Shape
    word: str = "none"

    def read(self, node: Node, problems: Problems) -> Any:
        """Return the value or None."""
        if isinstance(node, Text) and not node.quoted and node.text == self.word:
            return None
        return self.inner.read(node, problems)

    def write(self, value: Any) -> Plain:
        """Return what reads back as *value*."""
        return self.word if value is None else self.inner.write(value)

    def schema(self) -> Schema:
        """Return the JSON schema."""
        return {"anyOf": [{"const": self.word}, self.inner.schema()]}


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOf(Shape):
    """A list of one shape, as a tuple."""

    item: Shape
    least: int = 0
    most: int = 100_000
    sort: bool = False
    """The value is a frozenset, written sorted."""

    def read(self, node: Node, problems: Problems) -> Any:
        """Return the tuple."""
        if not isinstance(node, Items):
            problems.add(node.line, "a list is meant here: write [...] or lines beginning with -")
            return BAD
        if not self.least <= len(node.items) <= self.most:
            problems.add(node.line, f"holds {len(node.items)}, not {self.least}..{self.most}")
            return BAD
        values = [self.item.read(each, problems) for each in node.items]
        if any(value is BAD for value in values):
            return BAD
        return frozenset(values) if self.sort else tuple(values)

    def write(self, value: Any) -> Plain:
        """Return the list."""
        return [self.item.write(each) for each in (sorted(value) if self.sort else value)]

    def schema(self) -> Schema:
        """Return the JSON schema."""
        return {"type": "array", "items": self.item.schema(), "minItems": self.least}


@dataclass(frozen=True, slots=True, kw_only=True)
class MapOf(Shape):
    """A table whose keys are words of one shape and whose values are of another."""

    key: Shape
    value: Shape

    def read(self, node: Node, problems: Problems) -> Any:
        """Return the mapping."""
        if not isinstance(node, Table):
            problems.add(node.line, "a table of keys and values is meant here: write {key: value}")
            return BAD
        read: dict[Any, Any] = {}
        bad = False
        for entry in node.entries:
            key = self.key.read(Text(line=entry.line, text=entry.key), problems)
            value = self.value.read(entry.value, problems)
            bad = bad or key is BAD or value is BAD
            read[key] = value
        return BAD if bad else read

    def write(self, value: Any) -> Plain:
        """Return the table."""
        return {str(self.key.write(key)): self.value.write(each) for key, each in value.items()}

    def schema(self) -> Schema:
        """Return the JSON schema."""
        return {
            "type": "object",
            "propertyNames": self.key.schema(),
            "additionalProperties": self.value.schema(),
        }


_REQUIRED: Final = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key of a table with a fixed set of keys."""

    shape: Shape
    default: Any = _REQUIRED
    """Read where the key is missing, and not written; without one the key must be there."""
    about: str = ""

    @property
    def required(self) -> bool:
        """Return whether the key must be there."""
        return self.default is _REQUIRED


@dataclass(frozen=True, slots=True, kw_only=True)
class Record(Shape):
    """A table with these keys and no others."""

    keys: Mapping[str, Key]
    what: str = "table"
    make: Callable[[dict[str, Any]], Any] = dict
    """Makes the value of what was read by key. It may raise ValueError with words for people."""
    take: Callable[[Any], dict[str, Any]] = dict
    """Undoes *make*."""
    title: str = ""
    extra: Schema = field(default_factory=dict)

    def read(self, node: Node, problems: Problems) -> Any:
        """Return the value."""
        if not isinstance(node, Table):
            problems.add(node.line, f"a {self.what} is meant here: write {{key: value}}")
            return BAD
        read: dict[str, Any] = {}
        bad = False
        for entry in node.entries:
            key = self.keys.get(entry.key)
            if key is None:
                said = f"key `{entry.key[:40]}` is unknown in a {self.what}"
                problems.add(entry.line, f"{said}: {did_you_mean(entry.key, tuple(self.keys))}")
                bad = True
                continue
            read[entry.key] = key.shape.read(entry.value, problems)
            bad = bad or read[entry.key] is BAD
        for name, key in self.keys.items():
            if name in read:
                continue
            if key.required:
                problems.add(node.line, f"key `{name}` is missing in this {self.what}: add it")
                bad = True
            read[name] = key.default
        if bad:
            return BAD
        try:
            return self.make(read)
        except ValueError as error:
            problems.add(node.line, str(error))
        except AssertionError as error:
            problems.add(node.line, f"this {self.what} cannot be: {error}")
        return BAD

    def write(self, value: Any) -> Plain:
        """Return the table, without keys that have their default."""
        return {
            name: key.shape.write(each)
            for name, each in self.take(value).items()
            if (key := self.keys[name]).required or each != key.default
        }

    def schema(self) -> Schema:
        """Return the JSON schema."""
        properties = {}
        for name, key in self.keys.items():
            properties[name] = dict(key.shape.schema())
            if key.about:
                properties[name]["description"] = key.about
        made: Schema = {
            "type": "object",
            "properties": properties,
            "additionalProperties": False,
            **self.extra,
        }
        required = [name for name, key in self.keys.items() if key.required]
        if required:
            made["required"] = required
        if self.title:
            made["title"] = self.title
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Short(Shape):
    """A text as a short way to write what is a table else."""

    word: Shape
    """Reads a text; BAD is final."""
    table: Shape
    from_word: Callable[[Any], Any]
    to_word: Callable[[Any], Any | None]
    """Return what *word* writes for a value, None where the table is needed."""

    def read(self, node: Node, problems: Problems) -> Any:
        """Return the value of the text or the table."""
        if not isinstance(node, Text):
            return self.table.read(node, problems)
        word = self.word.read(node, problems)
        return BAD if word is BAD else self.from_word(word)

    def write(self, value: Any) -> Plain:
        """Return the text where it says everything, else the table."""
        word = self.to_word(value)
        return self.table.write(value) if word is None else self.word.write(word)

    def schema(self) -> Schema:
        """Return the JSON schema."""
        return {"anyOf": [self.word.schema(), self.table.schema()]}


def did_you_mean(text: str, known: tuple[str, ...]) -> str:
    """Return a hint: the nearest known words, or all of them where they are few."""
    near = difflib.get_close_matches(text, known, n=1, cutoff=0.7)
    if near:
        return f"did you mean `{near[0]}`?"
    if not known:
        return "no key is taken here"
    return f"use one of {', '.join(known[:40])}"
