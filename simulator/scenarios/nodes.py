"""YAML read strictly: every value keeps its line, and nothing is anything but what stands there.

A scenario file is a tree of tables, lists and texts. YAML's own guesses are not used: ``no``,
``on`` and ``001`` stay the texts they are; whoever asks for a number or a truth value reads it.
Anchors, aliases, tags, merge keys, several documents and keys given twice are refused, and every
problem found is told with its line, all at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

SIZE_MAX = 4_000_000
"""Bytes of one file: a lane's day of 10,000 vehicles has a quarter of it."""
DEPTH_MAX = 12
"""Levels of tables and lists; the format needs 6."""
PROBLEMS_MAX = 25
"""So many problems are told; the rest is counted."""
NO_TEXT = re.compile(r"[^\x09\x0a\x0d\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters YAML does not allow in a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong in a file."""

    line: int
    """1 and up; 0 where the whole file is meant."""
    what: str
    """What is wrong and what to do."""


class BadScenarioError(Exception):
    """A scenario file is refused whole."""

    def __init__(self, where: str, problems: tuple[Problem, ...]) -> None:
        """Say what is wrong with the file *where*."""
        assert problems, "nothing is refused without a reason"
        super().__init__(where, problems)
        self.where = where
        self.problems = problems

    def __str__(self) -> str:
        """Return one line for each problem."""
        shown = self.problems[:PROBLEMS_MAX]
        lines = [f"{self.where}:{each.line}: {each.what}" for each in shown]
        if len(self.problems) > len(shown):
            lines.append(f"{self.where}: and {len(self.problems) - len(shown)} more")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """One value as it is written."""

    line: int
    text: str
    quoted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One key of a table with its value."""

    line: int
    key: str
    value: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Keys and values, in the file's order; no key twice."""

    line: int
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """A list."""

    line: int
    items: tuple[Node, ...]


Node = Text | Table | Items


@dataclass(slots=True, kw_only=True)
class Problems:
    """What was found wrong so far."""

    found: list[Problem] = field(default_factory=list)

    def add(self, line: int, what: str) -> None:
        """Note one problem."""
        self.found.append(Problem(line=line, what=what))

    def refuse_any(self, where: str) -> None:
        """Raise what was found, in the file's order. Raises: BadScenarioError."""
        if self.found:
            ordered = sorted(self.found, key=lambda each: each.line)
            raise BadScenarioError(where, tuple(dict.fromkeys(ordered)))


def read_nodes(text: str, *, where: str) -> Table:
    """Return the tree of a file.

    Raises: BadScenarioError: it is no YAML, or uses what is refused here.
    """
    problems = Problems()
    if len(text.encode("utf-8", "surrogatepass")) > SIZE_MAX:
        problems.add(0, f"the file is larger than {SIZE_MAX} bytes: split it into several")
    odd = NO_TEXT.search(text)
    if odd is not None:
        line = text.count("\n", 0, odd.start()) + 1
        problems.add(line, "holds a character that no text has: delete it")
    problems.refuse_any(where)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    builder = _Builder(problems)
    try:
        top = builder.document(yaml.parse(text, Loader=loader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = 0 if mark is None else mark.line + 1
        said = error.problem or error.context or "cannot be read"
        hint = ": put a text that holds a colon in quotes" if "mapping values" in said else ""
        problems.add(line, f"is no YAML: {said}{hint}")
        top = None
    except _TooDeepError:
        top = None
    except yaml.YAMLError as error:
        problems.add(0, f"is no YAML: {str(error).splitlines()[0]}")
        top = None
    problems.refuse_any(where)
    if not isinstance(top, Table):
        what = "a scenario is a table of keys and values; begin with `scenario: 1`"
        raise BadScenarioError(where, (Problem(line=1 if top is None else top.line, what=what),))
    return top


class _TooDeepError(Exception):
    """Reading stops; the problem is noted."""


class _Builder:
    """Makes the tree from YAML's events."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._depth = 0

    def document(self, events: Iterator[yaml.Event]) -> Node | None:
        """Return the tree of the one document."""
        top: Node | None = None
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._refuse(event, "a second document begins: one file holds one scenario")
                    return top
                top = self._node(next(events), events)
        return top

    def _node(self, event: yaml.Event, events: Iterator[yaml.Event]) -> Node:
        line = _line_of(event)
        if isinstance(event, yaml.AliasEvent):
            self._refuse(event, "an alias (*name) is not taken: write the value out")
            return Text(line=line, text="")
        assert isinstance(event, yaml.NodeEvent)
        if event.anchor is not None:
            self._refuse(event, "an anchor (&name) is not taken: write the value out")
        tag = getattr(event, "tag", None)
        if tag is not None and tag != "!":
            self._refuse(event, "a tag (!name) is not taken: write the plain value")
        if isinstance(event, yaml.ScalarEvent):
            quoted = event.style in ("'", '"', "|", ">")
            return Text(line=line, text=event.value, quoted=quoted)
        self._depth += 1
        if self._depth > DEPTH_MAX:
            self._refuse(event, f"is nested deeper than {DEPTH_MAX} levels")
            raise _TooDeepError
        made = self._table(line, events) if self._is_table(event) else self._items(line, events)
        self._depth -= 1
        return made

    @staticmethod
    def _is_table(event: yaml.Event) -> bool:
        return isinstance(event, yaml.MappingStartEvent)

    def _items(self, line: int, events: Iterator[yaml.Event]) -> Items:
        items: list[Node] = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            items.append(self._node(event, events))
        return Items(line=line, items=tuple(items))

    def _table(self, line: int, events: Iterator[yaml.Event]) -> Table:
        entries: list[Entry] = []
        first: dict[str, int] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self._node(event, events)
            value = self._node(next(events), events)
            if not isinstance(key, Text):
                self._problems.add(key.line, "a key is a word, not a table or a list")
            elif key.text == "<<":
                self._problems.add(key.line, "a merge key (<<) is not taken: write the keys out")
            elif key.text in first:
                said = f"key `{key.text}` stands twice; the first is in line {first[key.text]}"
                self._problems.add(key.line, f"{said}: delete one")
            else:
                first[key.text] = key.line
                entries.append(Entry(line=key.line, key=key.text, value=value))
        return Table(line=line, entries=tuple(entries))

    def _refuse(self, event: yaml.Event, what: str) -> None:
        self._problems.add(_line_of(event), what)


def _line_of(event: yaml.Event) -> int:
    mark = event.start_mark
    assert mark is not None, "events of a text have their place"
    return mark.line + 1
