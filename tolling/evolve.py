"""A changed copy of a frozen value, as ``dataclasses.replace``, for the values of every step.

A lane's state has some forty fields and changes eighty times for each vehicle. ``replace`` calls
the class with all of them by name; here the slots are copied as they are and only what changes is
looked at. A class that checks itself in ``__post_init__`` still does.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from operator import attrgetter
from typing import Any, TypeVar

_Value = TypeVar("_Value")
_Set = Callable[[Any, Any], None]


def evolve(value: _Value, **changes: Any) -> _Value:
    """Return *value*, a frozen dataclass with slots, with *changes* of its fields.

    Raises: TypeError: no such field. AssertionError: the class refuses its new content.
    """
    kind = type(value)
    get, setters, by_name, checks = _slots(kind)
    made = object.__new__(kind)
    for put, item in zip(setters, get(value), strict=True):
        put(made, item)
    try:
        for name, item in changes.items():
            by_name[name](made, item)
    except KeyError as error:
        raise TypeError(f"{kind.__name__} has no field {error.args[0]}") from None
    if checks:
        made.__post_init__()  # type: ignore[attr-defined]
    return made


def _find_slots(
    kind: Any,
) -> tuple[Callable[[Any], tuple[Any, ...]], tuple[_Set, ...], dict[str, _Set], bool]:
    names = [field.name for field in dataclasses.fields(kind)]
    assert len(names) > 1, f"{kind.__name__} has too few fields to evolve"
    assert "__slots__" in kind.__dict__, f"{kind.__name__} has no slots"
    by_name = {name: getattr(kind, name).__set__ for name in names}
    return attrgetter(*names), tuple(by_name.values()), by_name, hasattr(kind, "__post_init__")


_slots: Callable[[Any], Any] = functools.cache(_find_slots)
