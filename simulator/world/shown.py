"""What ``repr`` says of a value, found faster: every event of a world is written into its trace.

How a class is shown is found out once and kept as a function. A class that shows itself in its own
way (a pay code shows nothing of itself) still does.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable
from operator import attrgetter
from typing import Any

_Show = Callable[[Any], str]


class _Shows(dict[type, _Show]):
    """How values of exactly this type are shown."""

    def __missing__(self, kind: type) -> _Show:
        made = self[kind] = _make(kind)
        return made


def _make(kind: Any) -> _Show:
    if kind is tuple:
        return _tuple
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return {member: repr(member) for member in kind}.__getitem__
    if dataclasses.is_dataclass(kind) and hasattr(kind.__repr__, "__wrapped__"):
        # Made by ``dataclass``; one of the class's own is wrapped by nothing.
        return _dataclass(kind)
    return repr


_shows = _Shows()


def shown(value: object) -> str:
    """Return ``repr(value)``."""
    return _shows[type(value)](value)


def _tuple(value: Any) -> str:
    inner = ", ".join([_shows[type(item)](item) for item in value])
    return f"({inner},)" if len(value) == 1 else f"({inner})"


def _dataclass(kind: Any) -> _Show:
    names = [field.name for field in dataclasses.fields(kind) if field.repr]
    form = f"{kind.__qualname__}({', '.join(f'{name}=%s' for name in names)})"
    if not names:
        return lambda value: form
    if len(names) == 1:
        (name,) = names
        return lambda value: form % (shown(getattr(value, name)),)
    get = attrgetter(*names)
    frozen = kind.__dataclass_params__.frozen
    last: tuple[Any, str] = None, ""

    def show(value: Any) -> str:
        nonlocal last
        if last[0] is not value or not frozen:
            # The end of a lane's chain is in its every heartbeat and still says the same.
            last = value, form % tuple([_shows[type(item)](item) for item in get(value)])
        return last[1]

    return show
