"""Shapes derived from the simulator's own values: a field added there is a key here.

Times lose their unit in the key and get it in the value: ``down_ms`` is ``down: 2s``. The bare
``ms`` of a fault, the duration its kind speaks of, is ``by``.
"""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from collections.abc import Mapping
from functools import cache
from typing import Any

from simulator.scenarios.shapes import (
    Flag,
    Key,
    ListOf,
    MapOf,
    Maybe,
    OneOf,
    Record,
    Shape,
    Span,
    Whole,
    Words,
)

_UNITS = {"_us": 1, "_ms": 1_000, "_s": 1_000_000}
INT_MOST = 10**15


def key_of(name: str) -> str:
    """Return the key a field is written as."""
    if name == "ms":
        return "by"
    for ending in _UNITS:
        if name.endswith(ending) and not name.endswith(("mm_s", "_mm_s2")):
            return name.removesuffix(ending)
    return name


@cache
def fields_of(kind: Any) -> Mapping[str, tuple[Any, Any]]:
    """Return each field of a dataclass: its type, and its default or MISSING."""
    hints = typing.get_type_hints(kind)
    found: dict[str, tuple[Any, Any]] = {}
    for field in dataclasses.fields(kind):
        default = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        found[field.name] = (hints[field.name], default)
    return found


def key_for(name: str, kind: Any, default: Any) -> Key:
    """Return the key of one field."""
    shape = shape_of(kind, name)
    if default is dataclasses.MISSING:
        return Key(shape=shape)
    return Key(shape=shape, default=default)


def keys_of(kind: type, *, without: frozenset[str] = frozenset()) -> dict[str, Key]:
    """Return the keys of a dataclass's fields, less some."""
    return {
        key_of(name): key_for(name, hint, default)
        for name, (hint, default) in fields_of(kind).items()
        if name not in without
    }


def shape_of(kind: Any, name: str = "") -> Shape:
    """Return the shape of a type; *name* of its field says the unit of a number.

    Raises: TypeError: no shape is known for it.
    """
    kind = getattr(kind, "__supertype__", kind)
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        some = [each for each in inside if each is not type(None)]
        if len(some) == 1 and len(inside) == 2:
            return Maybe(inner=shape_of(some[0], name))
        raise TypeError(f"no shape for {kind}")
    if origin is tuple and len(inside) == 2 and inside[1] is Ellipsis:
        return ListOf(item=shape_of(inside[0], name))
    if origin is frozenset:
        return ListOf(item=shape_of(inside[0], name), sort=True)
    if origin in (dict, Mapping):
        return MapOf(key=shape_of(inside[0]), value=shape_of(inside[1], name))
    return _plain_shape(kind, name)


def _plain_shape(kind: Any, name: str) -> Shape:
    if kind is bool:
        return Flag()
    if kind is str:
        return Words()
    if kind is int:
        for ending, unit_us in _UNITS.items():
            if key_of(name) != name and (name.endswith(ending) or name == "ms"):
                return Span(unit_us=1_000 if name == "ms" else unit_us, least_us=-(10**15))
        return Whole(least=-INT_MOST, most=INT_MOST)
    if isinstance(kind, type) and issubclass(kind, enum.IntEnum):
        return by_name(kind)
    if isinstance(kind, type) and issubclass(kind, enum.StrEnum):
        return OneOf(words=tuple(each.value for each in kind), value_of=kind, what=word(kind))
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return record_of(kind)
    raise TypeError(f"no shape for {kind}")


def by_name(kind: type[enum.IntEnum]) -> OneOf:
    """Return the shape of an enum of numbers, by its members' names in lower case."""
    return OneOf(
        words=tuple(each.name.lower() for each in kind),
        value_of=lambda text: kind[text.upper()],
        word_of=lambda value: kind(value).name.lower(),
        what=word(kind),
    )


def record_of(kind: type) -> Record:
    """Return the shape of a dataclass."""
    keys = keys_of(kind)

    def make(read: dict[str, Any]) -> Any:
        return kind(**{name: read[key_of(name)] for name in fields_of(kind)})

    def take(value: Any) -> dict[str, Any]:
        return {key_of(name): getattr(value, name) for name in fields_of(kind)}

    return Record(keys=keys, what=word(kind), make=make, take=take)


def word(kind: type) -> str:
    """Return a class's name in words: PlatformFault is ``platform fault``."""
    return "".join(f" {c.lower()}" if c.isupper() else c for c in kind.__name__).strip()
