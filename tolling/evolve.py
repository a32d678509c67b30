"""A changed copy of a frozen value, as ``dataclasses.replace``, for the values of every step.

A lane's state has some forty fields and changes eighty times for each vehicle. ``replace`` calls
the class with all of them by name; here the slots are copied as they are and only what changes is
looked at. A class that checks itself in ``__post_init__`` still does.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, TypeVar

_Value = TypeVar("_Value")


def evolve(value: _Value, **changes: Any) -> _Value:
    """Return *value*, a frozen dataclass with slots, with *changes* of its fields.

    Raises: TypeError: no such field. AssertionError: the class refuses its new content.
    """
    kind = type(value)
    open_kind, copy, checks = _ways(kind)
    made: Any = object.__new__(open_kind)
    copy(made, value)
    name = ""
    try:
        for name, item in changes.items():
            setattr(made, name, item)
    except AttributeError:
        raise TypeError(f"{kind.__name__} has no field {name}") from None
    made.__class__ = kind
    if checks:
        made.__post_init__()
    result: _Value = made
    return result


def _find_ways(kind: Any) -> tuple[type, Callable[[Any, Any], None], bool]:
    """Return a class with the same slots that may be changed, how to copy all of them into a value
    of it, and whether *kind* checks itself.

    The slots lie alike in both, so a value made open becomes one of *kind* by its class alone.
    """
    names = [field.name for field in dataclasses.fields(kind)]
    assert "__slots__" in kind.__dict__, f"{kind.__name__} has no slots"
    assert all(name.isidentifier() for name in names)
    open_kind = type(f"Open{kind.__name__}", (), {"__slots__": tuple(kind.__slots__)})
    lines = [f"    made.{name} = value.{name}" for name in names]
    space: dict[str, Any] = {}
    # Written out for each class: a loop over the names takes ten times as long.
    exec("\n".join(["def copy(made, value):", *lines, ""]), space)  # noqa: S102
    return open_kind, space["copy"], hasattr(kind, "__post_init__")


_ways: Callable[[Any], Any] = functools.cache(_find_ways)
