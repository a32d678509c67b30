"""Frozen values made and changed at the speed of open ones, for the values of every step.

A frozen dataclass sets each field of a new value by a call of ``object.__setattr__``, which takes
longer than all else that is done with most of them. ``quick`` gives a class an ``__init__`` that
fills the value while it still is of an open class with the same slots, and then makes it one of
the frozen class; nobody else ever sees it open.

``evolve`` is a changed copy, as ``dataclasses.replace``.
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

_turn: Any = object.__dict__["__class__"].__set__
"""Makes a value one of another class with the same slots, past a frozen class's own refusal."""


def quick(kind: type[_Value]) -> type[_Value]:
    """Return *kind*, a frozen dataclass with slots and fields by name, with a quicker ``__init__``.

    It takes, checks and says the same as the one ``dataclass`` made. Worth it from two fields on,
    for a class of which many values are made; such a class has no subclasses.
    """
    fields = dataclasses.fields(kind)  # type: ignore[arg-type]
    assert all(field.init and field.kw_only for field in fields), "fields by name"
    space: dict[str, Any] = {"_open": _ways(kind)[0], "_kind": kind, "_turn": _turn}
    taken, lines = [], ["    _turn(self, _open)"]
    for field in fields:
        name = field.name
        if field.default is not dataclasses.MISSING:
            space[f"_default_{name}"] = field.default
            taken.append(f"{name}=_default_{name}")
        elif field.default_factory is not dataclasses.MISSING:
            space[f"_make_{name}"] = field.default_factory
            taken.append(f"{name}=_open")
            lines.append(f"    if {name} is _open: {name} = _make_{name}()")
        else:
            taken.append(name)
        lines.append(f"    self.{name} = {name}")
    lines.append("    self.__class__ = _kind")
    if hasattr(kind, "__post_init__"):
        lines.append("    self.__post_init__()")
    head = f"def __init__(self, *, {', '.join(taken)}):"
    exec("\n".join([head, *lines, ""]), space)  # noqa: S102
    made, before = space["__init__"], kind.__init__
    made.__qualname__, made.__annotations__ = before.__qualname__, before.__annotations__
    made.__module__ = kind.__module__
    kind.__init__ = made  # type: ignore[method-assign]
    return kind


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
    # A base may be frozen; one's own way to set a field comes before the base's refusal.
    space = {"__slots__": tuple(kind.__slots__), "__setattr__": object.__setattr__}
    open_kind = type(f"Open{kind.__name__}", kind.__bases__, space)
    lines = [f"    made.{name} = value.{name}" for name in names]
    written: dict[str, Any] = {}
    # Written out for each class: a loop over the names takes ten times as long.
    exec("\n".join(["def copy(made, value):", *lines, ""]), written)  # noqa: S102
    return open_kind, written["copy"], hasattr(kind, "__post_init__")


_ways: Callable[[Any], Any] = functools.cache(_find_ways)
